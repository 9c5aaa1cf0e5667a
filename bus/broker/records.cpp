#include "bus/broker/records.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace symphony::detail::broker {
namespace {

constexpr std::size_t reason_size_max = 191;

struct Writer {
  std::vector<std::byte> out;
  template <class T>
  void put(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto* first = reinterpret_cast<const std::byte*>(&value);
    out.insert(out.end(), first, first + sizeof(T));
  }
};

struct Reader {
  std::span<const std::byte> in;
  bool ok = true;
  template <class T>
  T get() {
    T value{};
    if (in.size() < sizeof(T)) {
      ok = false;
      return value;
    }
    std::memcpy(&value, in.data(), sizeof(T));
    in = in.subspan(sizeof(T));
    return value;
  }
};

}  // namespace

std::vector<std::byte> encode(const PitRecord& record) {
  Writer w;
  w.put(static_cast<std::uint8_t>(record.state));
  w.put(record.instance);
  w.put(record.state_instance);
  w.put(record.reply_size_max);
  w.put(static_cast<std::uint8_t>(record.heavy_barriers));
  w.put(static_cast<std::uint16_t>(record.end_code));
  const auto failures = std::min<std::size_t>(record.failures.size(), failures_limit);
  w.put(static_cast<std::uint8_t>(failures));
  for (std::size_t i = record.failures.size() - failures; i < record.failures.size(); ++i) w.put(record.failures[i]);
  const auto size = std::min(record.reason.size(), reason_size_max);
  w.put(static_cast<std::uint8_t>(size));
  for (std::size_t i = 0; i < size; ++i) w.put(record.reason[i]);
  w.put(static_cast<std::uint8_t>(record.after_exit));
  w.put(static_cast<std::uint8_t>(record.cause));
  w.put(record.kill_at_ns);
  w.put(record.started_with);
  w.put(record.protocol);
  w.put(record.moved_to);
  w.put(record.sandbox);
  w.put(static_cast<std::uint8_t>(record.has_served));
  const auto excused = std::min(record.excused.size(), excused_max);
  w.put(static_cast<std::uint8_t>(excused));
  for (std::size_t i = record.excused.size() - excused; i < record.excused.size(); ++i) w.put(record.excused[i]);
  w.put(static_cast<std::uint8_t>(record.has_death));
  if (record.has_death) {
    w.put(record.death.at_ns);
    w.put(record.death.instance);
    w.put(static_cast<std::uint8_t>(record.death.cause));
    w.put(static_cast<std::uint8_t>(record.death.signalled));
    w.put(record.death.value);
    w.put(record.death.ready_ns);
  }
  return std::move(w.out);
}

std::optional<PitRecord> decode_pit(std::span<const std::byte> blob) {
  Reader r{blob};
  PitRecord record;
  const auto state = r.get<std::uint8_t>();
  record.state = static_cast<PitState>(state);
  record.instance = r.get<std::uint32_t>();
  record.state_instance = r.get<std::uint32_t>();
  record.reply_size_max = r.get<std::uint32_t>();
  record.heavy_barriers = r.get<std::uint8_t>() != 0;
  const auto code = r.get<std::uint16_t>();
  record.end_code = static_cast<errc>(code);
  const auto failures = r.get<std::uint8_t>();
  r.ok &= state < pit_state_count && code >= 1 && code <= static_cast<std::uint16_t>(errc::internal) &&
          failures <= failures_limit;
  for (std::size_t i = 0; r.ok && i < failures; ++i) record.failures.push_back(r.get<TimeNs>());
  const auto size = r.get<std::uint8_t>();
  for (std::size_t i = 0; r.ok && i < size; ++i) record.reason.push_back(r.get<char>());
  const auto after = r.get<std::uint8_t>();
  const auto cause = r.get<std::uint8_t>();
  record.after_exit = static_cast<AfterExit>(after);
  record.cause = static_cast<DeathCause>(cause);
  record.kill_at_ns = r.get<TimeNs>();
  record.started_with = r.get<std::uint64_t>();
  record.protocol = r.get<std::uint16_t>();
  record.moved_to = r.get<std::uint32_t>();
  record.sandbox = r.get<SandboxBlocks>();
  record.has_served = r.get<std::uint8_t>() != 0;
  const auto excused = r.get<std::uint8_t>();
  r.ok &= excused <= excused_max;
  for (std::size_t i = 0; r.ok && i < excused; ++i) record.excused.push_back(r.get<TimeNs>());
  record.has_death = r.get<std::uint8_t>() != 0;
  r.ok &= after < after_exit_count && cause < death_cause_count;
  if (record.has_death) {
    record.death.at_ns = r.get<TimeNs>();
    record.death.instance = r.get<std::uint32_t>();
    const auto why = r.get<std::uint8_t>();
    record.death.cause = static_cast<DeathCause>(why);
    record.death.signalled = r.get<std::uint8_t>() != 0;
    record.death.value = r.get<std::int32_t>();
    record.death.ready_ns = r.get<TimeNs>();
    r.ok &= why < death_cause_count;
  }
  if (!r.ok || !r.in.empty()) return std::nullopt;
  return record;
}

std::vector<std::byte> encode(const LinkRecord& record) {
  Writer w;
  w.put(record.pit);
  w.put(record.instance);
  w.put(record.uid);
  w.put(record.request_capacity);
  w.put(record.reply_capacity);
  w.put(static_cast<std::uint8_t>(record.heavy_barriers));
  w.put(record.open);
  w.put(record.attaching);
  w.put(record.last_id);
  const auto home = std::min(record.home.size(), control::pit_name_size_max);
  w.put(static_cast<std::uint8_t>(home));
  for (std::size_t i = 0; i < home; ++i) w.put(record.home[i]);
  return std::move(w.out);
}

std::optional<LinkRecord> decode_link(std::span<const std::byte> blob) {
  Reader r{blob};
  LinkRecord record;
  record.pit = r.get<PitIndex>();
  record.instance = r.get<std::uint32_t>();
  record.uid = r.get<uid_t>();
  record.request_capacity = r.get<std::uint32_t>();
  record.reply_capacity = r.get<std::uint32_t>();
  record.heavy_barriers = r.get<std::uint8_t>() != 0;
  record.open = r.get<Epoch>();
  record.attaching = r.get<Epoch>();
  record.last_id = r.get<std::uint64_t>();
  const auto home = r.get<std::uint8_t>();
  r.ok &= home <= control::pit_name_size_max;
  for (std::size_t i = 0; r.ok && i < home; ++i) record.home.push_back(r.get<char>());
  if (!r.ok || !r.in.empty()) return std::nullopt;
  return record;
}

}  // namespace symphony::detail::broker
