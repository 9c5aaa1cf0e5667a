// A pit of the next major version of the contract, as far as its note goes.
#include <symphony/pit_note.hpp>

#include "tests/support/pits/ran.hpp"

namespace symphony::pit {

static constexpr symphony_note note = {
    sizeof(symphony_note), SYMPHONY_ABI_MAJOR + 1, 0, "future", "1.0.0", nullptr, 0, 0, 0, 0, nullptr, 0, 0, 0};

SYMPHONY_PIT_NOTE_PLACE auto image = elf_note<note>;

}  // namespace symphony::pit
