// Runs the suite on a pit's file that was read already.   Layer: tools/pit_check.
#pragma once

#include <symphony/clock.hpp>
#include <symphony/pit_check.hpp>

#include "pits/hosting/pit_file.hpp"

namespace symphony::pit_check {

// The file holds one note at least; its bytes are lent until the report is there.
[[nodiscard]] Report check(const pit::PitFile& file, const CheckOptions& options);

}  // namespace symphony::pit_check
