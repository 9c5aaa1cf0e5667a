#include "bus/broker/pit_slots.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include "bus/broker/kept_bytes.hpp"
#include "bus/state/checksum.hpp"

namespace symphony::detail::broker {
namespace {

constexpr std::size_t slots_size_max = 4UL << 20;
constexpr std::size_t strings_in_slot_max = 4096;

std::uint64_t hash_of(std::span<const std::byte> bytes) { return Checksum(0, bytes.size()).add(bytes).value(); }

struct SlotWriter : KeptWriter {
  void text(const std::string& s) { bytes(std::as_bytes(std::span(s))); }
  void texts(const std::vector<std::string>& all) {
    number(static_cast<std::uint32_t>(all.size()));
    for (const std::string& s : all) text(s);
  }
  void pit(const PitConfig& config) {
    // All members: one more does not compile until it is here and in the reader.
    const auto& [name, executable, args, config_text, environment, trust, waiting, placement, calls, callers, instances,
                 start_at_once, state, sandbox, restart, budgets, rings] = config;
    const auto& [durability, snapshot_size_max, journal_size, snapshot_after, snapshot_after_ns, folder, is_synced] =
        state;
    const auto& [failures_max, window_ns, backoff_first_ns, backoff_max_ns, start_timeout_ns, strategy, exceptions_max,
                 fallback] = restart;
    text(name);
    text(executable);
    texts(args);
    text(config_text);
    texts(environment);
    number(trust);
    number(waiting);
    number(placement);
    texts(calls);
    texts(callers);
    number(instances);
    number(static_cast<std::uint8_t>(start_at_once));
    number(durability);
    number(snapshot_size_max);
    number(journal_size);
    number(snapshot_after);
    number(snapshot_after_ns);
    text(folder);
    number(static_cast<std::uint8_t>(is_synced));
    number(sandbox.profile);
    number(sandbox.required);
    number(failures_max);
    number(window_ns);
    number(backoff_first_ns);
    number(backoff_max_ns);
    number(start_timeout_ns);
    number(strategy);
    number(exceptions_max);
    text(fallback);
    number(budgets.each_ns);
    number(static_cast<std::uint32_t>(budgets.of_types.size()));
    for (const auto& [type, ns] : budgets.of_types) {
      number(type);
      number(ns);
    }
    number(rings.request_capacity);
    number(rings.reply_capacity);
  }
};

struct SlotReader : KeptReader {
  void text(std::string& s) {
    const auto b = bytes(in.size());
    s.assign(reinterpret_cast<const char*>(b.data()), b.size());
  }
  void texts(std::vector<std::string>& all) {
    std::uint32_t count = 0;
    number(count);
    ok = ok && count <= strings_in_slot_max;
    for (std::uint32_t i = 0; ok && i < count; ++i) text(all.emplace_back());
  }
  void pit(PitConfig& p) {
    text(p.name);
    text(p.executable);
    texts(p.args);
    text(p.config);
    texts(p.environment);
    one_of(p.trust, Trust::hostile);
    one_of(p.waiting, Waiting::sleep);
    one_of(p.placement, Placement::other_core);
    texts(p.calls);
    texts(p.callers);
    number(p.instances);
    std::uint8_t at_once = 0;
    number(at_once);
    p.start_at_once = at_once != 0;
    one_of(p.state.durability, Durability::journal);
    number(p.state.snapshot_size_max);
    number(p.state.journal_size);
    number(p.state.snapshot_after);
    number(p.state.snapshot_after_ns);
    text(p.state.folder);
    std::uint8_t is_synced = 0;
    number(is_synced);
    p.state.is_synced = is_synced != 0;
    one_of(p.sandbox.profile, SandboxProfile::threads);
    number(p.sandbox.required);
    number(p.restart.failures_max);
    number(p.restart.window_ns);
    number(p.restart.backoff_first_ns);
    number(p.restart.backoff_max_ns);
    number(p.restart.start_timeout_ns);
    one_of(p.restart.strategy, RestartStrategy::rest_for_one);
    number(p.restart.exceptions_max);
    text(p.restart.fallback);
    number(p.budgets.each_ns);
    std::uint32_t budgets = 0;
    number(budgets);
    ok = ok && budgets <= time_budgets_max;
    for (std::uint32_t i = 0; ok && i < budgets; ++i) {
      TimeBudgets::OfType& one = p.budgets.of_types.emplace_back();
      number(one.type);
      number(one.ns);
    }
    number(p.rings.request_capacity);
    number(p.rings.reply_capacity);
  }
};

}  // namespace

std::vector<std::byte> encode_slots(const std::vector<PitConfig>& slots) {
  SlotWriter w;
  w.number(static_cast<std::uint32_t>(slots.size()));
  for (const PitConfig& pit : slots) w.pit(pit);
  return std::move(w.out);
}

std::optional<std::vector<PitConfig>> decode_slots(std::span<const std::byte> bytes) {
  SlotReader r{{bytes}};
  std::uint32_t count = 0;
  r.number(count);
  std::vector<PitConfig> slots;
  for (std::uint32_t i = 0; r.ok && i < count; ++i) r.pit(slots.emplace_back());
  if (!r.ok || !r.in.empty()) return std::nullopt;
  return slots;
}

std::vector<std::byte> encode_pits(const std::vector<PitConfig>& slots, const std::vector<Probation>& probations) {
  SlotWriter w;
  w.bytes(encode_slots(slots));
  w.number(static_cast<std::uint32_t>(probations.size()));
  for (const Probation& p : probations) {
    w.number(p.pit);
    w.number(p.until_ns);
    w.text(p.file);
  }
  return std::move(w.out);
}

std::optional<KeptPits> decode_pits(std::span<const std::byte> bytes) {
  SlotReader r{{bytes}};
  KeptPits kept;
  if (auto slots = decode_slots(r.bytes(bytes.size())); r.ok && slots) {
    kept.slots = *std::move(slots);
  } else {
    return std::nullopt;
  }
  std::uint32_t count = 0;
  r.number(count);
  r.ok = r.ok && count <= kept.slots.size();
  for (std::uint32_t i = 0; r.ok && i < count; ++i) {
    Probation& p = kept.probations.emplace_back();
    r.number(p.pit);
    r.number(p.until_ns);
    r.text(p.file);
    r.ok = r.ok && p.pit < kept.slots.size() && !kept.slots[p.pit].name.empty() && !p.file.empty();
  }
  if (!r.ok || !r.in.empty()) return std::nullopt;
  return kept;
}

std::uint64_t fingerprint(const PitConfig& pit) {
  SlotWriter w;
  w.pit(pit);
  return hash_of(w.out);
}

result<SlotStore> SlotStore::make() {
  auto file = KeptFile::make("symphony-pits", slots_size_max);
  if (!file) return unexpected(file.error());
  return SlotStore(*std::move(file));
}

SlotStore SlotStore::adopt(UniqueFd file) noexcept {
  return SlotStore(KeptFile::adopt(std::move(file), slots_size_max));
}

std::optional<KeptPits> SlotStore::read() const {
  const auto bytes = file_.read();
  return bytes ? decode_pits(*bytes) : std::nullopt;
}

result<void> SlotStore::write(const std::vector<PitConfig>& slots, const std::vector<Probation>& probations) const {
  const auto written = file_.write(encode_pits(slots, probations));
  if (written || written.error().code != errc::too_large) return written;
  return unexpected(errc::too_large, "the manifests are larger than 4 MiB together: the next broker has the old ones");
}

}  // namespace symphony::detail::broker
