// What a broker leaves with the keeper for the next one: one record a pit, one a link.   Layer: broker.
// Written and read by brokers of one daemon only, so the bytes are no public format, but part of its handover_version
// (next_program.hpp); they are checked all the same. Threads: pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bus/broker/core_types.hpp"

namespace symphony::detail::broker {

[[nodiscard]] constexpr std::uint64_t pit_key(PitIndex pit) noexcept { return (std::uint64_t{1} << 63) | pit; }
[[nodiscard]] constexpr std::uint64_t link_key(LinkId link) noexcept { return link; }  // link ids stay below 2^62
[[nodiscard]] constexpr bool is_pit_key(std::uint64_t key) noexcept { return key >> 62 == 2; }
// Of the memory for an instance's state, which is held with it; the record itself is empty.
[[nodiscard]] constexpr std::uint64_t state_key(PitIndex pit, std::uint32_t instance) noexcept {
  return (std::uint64_t{3} << 62) | (std::uint64_t{pit} << 32) | instance;
}
[[nodiscard]] constexpr bool is_state_key(std::uint64_t key) noexcept { return key >> 62 == 3; }

// What becomes of a pit that is on its way out.
enum class AfterExit : std::uint8_t { restart, quarantine, stop, start_again, with_needed };
inline constexpr std::size_t after_exit_count = 5;

struct PitRecord {
  PitState state = PitState::known;
  std::uint32_t instance = 0;
  std::uint32_t state_instance = 0;  // the last one whose state was complete; 0: none
  std::uint32_t reply_size_max = 0;
  bool heavy_barriers = false;
  errc end_code = errc::internal;             // of quarantined and stopped
  std::string reason;                         // at most 191 bytes are kept
  std::vector<TimeNs> failures;               // at most failures_limit
  AfterExit after_exit = AfterExit::restart;  // while stopping
  DeathCause cause = DeathCause::stop;        // while stopping
  TimeNs kill_at_ns = 0;                      // while stopping
  std::uint64_t started_with = 0;             // fingerprint of the configuration
  std::uint16_t protocol = 0;                 // of the process
  std::uint32_t moved_to = 0;                 // the place whose pit took over from it, and 1; 0: none
  bool has_death = false;
  std::vector<TimeNs> excused{};  // at most excused_max
  PitDeath death{};  // the last one, without its lines: those are lost with the broker, as are the deaths before it
  SandboxBlocks sandbox = 0;  // as its process said
  bool has_served = false;    // since those that need it last began
};

struct LinkRecord {
  PitIndex pit = 0;
  std::uint32_t instance = 0;  // that `open` or, when not 0, `attaching` belongs to
  uid_t uid = 0;
  std::uint32_t request_capacity = 0;
  std::uint32_t reply_capacity = 0;
  bool heavy_barriers = false;
  Epoch open = 0;       // 0: none was open yet
  Epoch attaching = 0;  // 0: none under way; P may have mapped parts of it
  std::uint64_t last_id = 0;
  std::string home{};  // the pit that it is of, while another one stands in for that; empty: it is of `pit`
};

[[nodiscard]] std::vector<std::byte> encode(const PitRecord& record);
[[nodiscard]] std::vector<std::byte> encode(const LinkRecord& record);
[[nodiscard]] std::optional<PitRecord> decode_pit(std::span<const std::byte> blob);
[[nodiscard]] std::optional<LinkRecord> decode_link(std::span<const std::byte> blob);

}  // namespace symphony::detail::broker
