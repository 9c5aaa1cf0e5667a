#include "tools/symphony/sandbox/seen_calls.hpp"

#include <algorithm>
#include <utility>

#include "pits/hosting/sandbox/filters.hpp"

namespace symphony::tools {
namespace {

constexpr std::pair<std::uint32_t, const char*> call_names[] = {
#include "syscall_names.inc"
};

}  // namespace

std::string name_of_call(std::uint32_t number) {
  const auto is_it = [number](const auto& one) { return one.first == number; };
  const auto* const found = std::ranges::find_if(call_names, is_it);
  return found != std::end(call_names) ? found->second : "call " + std::to_string(number);
}

void SeenCalls::add(const pit::sandbox::SystemCall& call, std::uint32_t own_pid) {
  using namespace pit::sandbox;
  ++count_;
  const auto [at, is_new] = rows_.try_emplace(call.number);
  Row& row = at->second;
  if (is_new) {
    row.number = call.number;
    row.allowed.fill(true);
  }
  ++row.times;
  const FilterOptions options{.own_pid = own_pid};
  static const FilterOptions same_for_all;  // but for whom it signals
  static const auto rules = [] {
    std::array<std::vector<Rule>, learned_profiles.size()> all;
    std::ranges::transform(learned_profiles, all.begin(), [](auto p) { return serving_rules(p, same_for_all); });
    return all;
  }();
  for (std::size_t i = 0; i < learned_profiles.size(); ++i) {
    if (!row.allowed[i]) continue;
    const bool signals = call.number == 62 || call.number == 234;  // kill, tgkill
    const Verdict answer = signals ? answer_to(serving_rules(learned_profiles[i], options), unlisted, call)
                                   : answer_to(rules[i], unlisted, call);
    row.allowed[i] = answer == Verdict::allow;
  }
}

std::vector<SeenCalls::Row> SeenCalls::rows() const {
  std::vector<Row> all;
  for (const auto& [number, row] : rows_) all.push_back(row);
  return all;
}

std::optional<SandboxProfile> SeenCalls::least_profile() const {
  for (std::size_t i = 0; i < learned_profiles.size(); ++i) {
    if (std::ranges::all_of(rows_, [i](const auto& one) { return one.second.allowed[i]; })) return learned_profiles[i];
  }
  return std::nullopt;
}

}  // namespace symphony::tools
