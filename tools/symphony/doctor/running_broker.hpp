// The broker that runs here, if one does: whether it is of this release, and whether its pits are well.   Layer: tools.
#pragma once

#include <symphony/endpoint.hpp>

#include "tools/symphony/doctor/finding.hpp"

namespace symphony::tools::doctor {

[[nodiscard]] Findings look_at_broker(ConnectOptions options);

}  // namespace symphony::tools::doctor
