// Which run of the machine this is.   Layer: state. Threads: any.
#pragma once

#include <cstdint>

namespace symphony::detail {

// Another number after each start of the machine, when its clock begins anew.
[[nodiscard]] std::uint64_t boot_of_this_machine() noexcept;

}  // namespace symphony::detail
