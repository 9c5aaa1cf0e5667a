#include "bus/state/handover.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "bus/state/layout.hpp"

namespace symphony::detail {

std::string write_handover(const StateHandover& h) {
  const auto number = [](auto n) { return " " + std::to_string(n); };
  return std::string(name_of(h.policy.durability)) + number(h.own_fd) + number(h.old_fd) + number(h.waits ? 1 : 0) +
         number(h.is_file ? 1 : 0) + number(h.policy.is_synced ? 1 : 0) + number(h.policy.snapshot_size_max) +
         number(h.policy.journal_size) + number(h.policy.snapshot_after) + number(h.policy.snapshot_after_ns);
}

std::optional<StateHandover> read_handover(std::string_view text) {
  const auto durability = durability_of(text.substr(0, text.find(' ')));
  if (!durability) return std::nullopt;
  text.remove_prefix(name_of(*durability).size());
  std::array<std::int64_t, 9> numbers{};
  // A broker of protocol 1 says nothing of `waits`.
  const bool is_version_1 = std::count(text.begin(), text.end(), ' ') == 8;
  for (std::int64_t& n : numbers) {
    if (is_version_1 && &n == &numbers[2]) continue;
    if (text.empty() || text.front() != ' ') return std::nullopt;
    const auto [end, failed] = std::from_chars(text.data() + 1, text.data() + text.size(), n);
    if (failed != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  const auto [own, old, waits, is_file, is_synced, snapshot, journal, after, after_ns] = numbers;
  const auto is_fd = [](std::int64_t fd) { return fd >= 3 && fd < 1 << 20; };
  // Without durability there is one thing to hand over: what another process is to leave.
  const bool is_durable = *durability != Durability::none;
  const bool makes_sense =
      text.empty() && (is_durable ? is_fd(own) : own == -1 && is_fd(old)) && (old == -1 || is_fd(old)) &&
      (waits == 0 || (waits == 1 && old != -1)) && (is_file == 0 || is_file == 1) &&
      (is_synced == 0 || is_synced == 1) &&
      is_state_geometry({static_cast<std::uint64_t>(snapshot), static_cast<std::uint64_t>(journal)}) && after >= 1 &&
      after <= UINT32_MAX && after_ns >= 1;
  if (!makes_sense) return std::nullopt;
  StateHandover out;
  out.policy = {*durability,
                static_cast<std::uint64_t>(snapshot),
                static_cast<std::uint64_t>(journal),
                static_cast<std::uint32_t>(after),
                after_ns,
                {},
                is_synced == 1};
  out.own_fd = static_cast<int>(own);
  out.old_fd = static_cast<int>(old);
  out.waits = waits == 1;
  out.is_file = is_file == 1;
  return out;
}

}  // namespace symphony::detail
