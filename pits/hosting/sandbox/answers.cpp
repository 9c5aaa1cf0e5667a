#include "pits/hosting/sandbox/answers.hpp"

#include <algorithm>

namespace symphony::pit::sandbox {

Verdict answer_to(const std::vector<Rule>& rules, Verdict otherwise, const SystemCall& call) noexcept {
  const auto holds = [&call](const Condition& condition) {
    const std::uint64_t argument = call.arguments[condition.argument];
    const auto half = static_cast<std::uint32_t>(condition.upper_half ? argument >> 32 : argument);
    return std::ranges::find(condition.values, half & condition.mask) != condition.values.end();
  };
  for (const Rule& rule : rules) {
    if (rule.number == call.number && std::ranges::all_of(rule.conditions, holds)) return rule.verdict;
  }
  return otherwise;
}

}  // namespace symphony::pit::sandbox
