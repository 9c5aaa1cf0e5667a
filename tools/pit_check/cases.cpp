#include "tools/pit_check/cases.hpp"

#include <vector>

namespace symphony::pit_check {

std::span<const Case> all_cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> joined;
    for (const auto part :
         {file_cases(), state_cases(), instance_cases(), hook_cases(), refusal_cases(), message_cases(), ending_cases(),
          cancel_cases(), snapshot_cases(), bad_snapshot_cases(), replay_cases(), trap_cases(), kill_cases()}) {
      joined.insert(joined.end(), part.begin(), part.end());
    }
    return joined;
  }();
  return all;
}

}  // namespace symphony::pit_check
