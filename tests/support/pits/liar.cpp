// A pit whose table says something else than its note.
#include <symphony/pit.hpp>

namespace symphony::pit {

struct Liar {
  Status on_raw(Raw, Ctx&) { return ok(); }
};

static constexpr symphony_note note = [] {
  symphony_note said = Face<Liar, "liar", "1.0.0">::note;
  said.reply_size_max = 1;
  return said;
}();
SYMPHONY_PIT_NOTE_PLACE auto image = elf_note<note>;

}  // namespace symphony::pit

extern "C" __attribute__((visibility("default"))) constinit const symphony_pit_entry symphony_pit_entry_v1 =
    symphony::pit::Face<symphony::pit::Liar, "liar", "1.0.0">::entry;
