// What pits there may be, as they are configured. See core.hpp.
#include <algorithm>
#include <set>

#include "bus/broker/core.hpp"
#include "bus/memory/segment.hpp"
#include "bus/state/layout.hpp"

namespace symphony::detail::broker {
namespace {

bool is_pit_name(const std::string& name) {
  return !name.empty() && name.size() <= control::pit_name_size_max &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
         });
}

bool are_budgets(const TimeBudgets& budgets) {
  const auto is_budget = [](TimeNs ns) { return ns >= time_budget_min_ns && ns <= time_budget_max_ns; };
  std::set<std::uint32_t> types;
  for (const TimeBudgets::OfType& one : budgets.of_types) {
    if (!is_budget(one.ns) || !types.insert(one.type).second) return false;
  }
  return types.size() <= time_budgets_max && (budgets.each_ns == 0 || is_budget(budgets.each_ns));
}

}  // namespace

std::vector<PitConfig> each_instance(const std::vector<PitConfig>& pits) {
  std::vector<PitConfig> out;
  for (const PitConfig& pit : pits) {
    const bool is_split = pit.instances > 1 && pit.instances <= instances_max;
    for (std::uint32_t i = 0; i < (is_split ? pit.instances : 1); ++i) {
      PitConfig& one = out.emplace_back(pit);
      one.name = instance_name(pit.name, i);
      if (is_split) one.instances = 1;
    }
  }
  return out;
}

std::vector<PitConfig> in_use(const std::vector<PitConfig>& slots) {
  std::vector<PitConfig> out = slots;
  std::erase_if(out, [](const PitConfig& pit) { return pit.name.empty(); });
  return out;
}

result<void> check_pits(const std::vector<PitConfig>& pits) {
  if (pits.size() > pits_max)
    return unexpected(errc::too_large, "a broker serves at most 64 pits: start a second realm");
  std::set<std::string> names;
  for (const PitConfig& pit : pits) {
    if (!is_pit_name(pit.name)) {
      return unexpected(errc::invalid_argument, "a pit's name has 1 to 63 of a-z, 0-9, _, - and .");
    }
    if (!names.insert(pit.name).second)
      return unexpected(errc::invalid_argument,
                        "two pits have the same name, which several instances count as name.1, name.2: rename one");
    if (pit.instances != 1) return unexpected(errc::invalid_argument, "a pit has 1 to 32 instances");
    if (pit.executable.empty()) {
      return unexpected(errc::invalid_argument, "a pit has no executable: give the path of its program");
    }
    const StatePolicy& kept = pit.state;
    if (kept.durability != Durability::none && (!is_state_geometry({kept.snapshot_size_max, kept.journal_size}) ||
                                                kept.snapshot_after < 1 || kept.snapshot_after_ns < 1)) {
      return unexpected(errc::invalid_argument,
                        "a pit's snapshot and journal sizes are multiples of 4096 from 4096 to 2 GiB, and it keeps a "
                        "snapshot after at least 1 message and 1 ns");
    }
    if (!kept.folder.empty() && (kept.folder.front() != '/' || kept.folder.find('\0') != std::string::npos)) {
      return unexpected(errc::invalid_argument, "the folder of a pit's state is an absolute path without zero bytes");
    }
    const RestartPolicy& r = pit.restart;
    if (r.failures_max < 1 || r.failures_max > failures_limit || r.window_ns <= 0 || r.backoff_first_ns <= 0 ||
        r.backoff_max_ns < r.backoff_first_ns || r.start_timeout_ns <= 0 || r.exceptions_max > exceptions_limit) {
      return unexpected(
          errc::invalid_argument,
          "a pit's restart policy needs 1 to 16 failures, at most a million exceptions and times above 0, the first "
          "back-off not above the last");
    }
    if (r.strategy == RestartStrategy::rest_for_one && pit.calls.empty()) {
      return unexpected(errc::invalid_argument,
                        "a pit that is restarted with what it needs (rest_for_one) names that in its `calls`");
    }
    for (const std::uint32_t capacity : {pit.rings.request_capacity, pit.rings.reply_capacity}) {
      if (capacity != 0 && !is_ring_capacity(capacity)) {
        return unexpected(
            errc::invalid_argument,
            "the capacity of a pit's rings is a power of two from 4096 to 1073741824, or 0 for the default");
      }
    }
    if (!are_budgets(pit.budgets)) {
      return unexpected(errc::invalid_argument,
                        "a pit's time budgets are from 10 ms to an hour, and at most 64 types have one of their own");
    }
    const auto has_zero = [](const std::string& s) { return s.find('\0') != std::string::npos; };
    if (has_zero(pit.executable) || has_zero(pit.config) || std::any_of(pit.args.begin(), pit.args.end(), has_zero) ||
        std::any_of(pit.environment.begin(), pit.environment.end(), has_zero)) {
      return unexpected(errc::invalid_argument,
                        "a pit's executable, arguments, configuration and environment have no zero bytes");
    }
  }
  for (const PitConfig& pit : pits) {
    if (pit.restart.fallback.empty()) continue;
    const auto is_it = [&](const PitConfig& other) { return other.name == pit.restart.fallback; };
    const auto other = std::find_if(pits.begin(), pits.end(), is_it);
    if (other == pits.end() || other->name == pit.name || !other->restart.fallback.empty()) {
      return unexpected(errc::invalid_argument,
                        "a pit's fallback is another pit of the same broker, which has no fallback itself");
    }
  }
  return {};
}

}  // namespace symphony::detail::broker
