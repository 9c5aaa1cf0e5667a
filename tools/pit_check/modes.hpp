// The modes in which a pit's file can be checked.   Layer: tools/pit_check. A new mode is a row in modes.cpp.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tools/pit_check/stage.hpp"

namespace symphony::pit_check {

struct ModeKind {
  std::string_view name;
  // Why the file cannot be run in this mode here; empty: it can.
  std::string (*missing)(const pit::PitFile& file, const Programs& programs);
  std::unique_ptr<Stage> (*make)(const pit::PitFile& file, const Programs& programs);  // null: never without a reason
};

// All modes that there are, in the order in which they are run.
[[nodiscard]] std::span<const ModeKind> mode_kinds() noexcept;

}  // namespace symphony::pit_check
