// A pit of the next major version of the contract, as far as its note goes.
#include <symphony/pit_note.hpp>

#include "tests/support/pits/ran.hpp"

namespace symphony::pit {

static constexpr symphony_note note = {
    sizeof(symphony_note), SYMPHONY_ABI_MAJOR + 1, 0, "future", "1.0.0", nullptr, 0, 0, 0, 0, nullptr, 0, 0, 0};

alignas(4) __attribute__((section(SYMPHONY_NOTE_SECTION), used)) static constinit const auto image = elf_note<note>;

}  // namespace symphony::pit
