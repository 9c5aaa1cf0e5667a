// The list of the suite.   Layer: tools/pit_check.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "tools/pit_check/trial.hpp"

namespace symphony::pit_check {

// What a case stands on, and so in which modes there is something to check.
enum class Ground : std::uint8_t {
  any,       // the note, or a host: every mode
  file,      // the file that the mode loads
  instance,  // an instance that the case leads by hand: modes that run pits in this process
  trap,      // a pit of this process whose calls can be ended from outside
  process,   // a pit that can be killed without its host
};

struct Case {
  std::string_view name;     // SUBJECT.what_is_promised
  std::string_view promise;  // in a sentence
  Ground ground = Ground::any;
  void (*run)(Trial&) = nullptr;
};

// Where it fails, later cases would all say the same; they are not run, but for those of the file.
inline constexpr std::string_view case_that_loads = "file.loads_and_starts";

// In the order in which they are run. Names are unique.
[[nodiscard]] std::span<const Case> all_cases();

// The parts of it, a file each.
[[nodiscard]] std::span<const Case> file_cases() noexcept;
[[nodiscard]] std::span<const Case> state_cases() noexcept;
[[nodiscard]] std::span<const Case> instance_cases() noexcept;
[[nodiscard]] std::span<const Case> hook_cases() noexcept;
[[nodiscard]] std::span<const Case> refusal_cases() noexcept;
[[nodiscard]] std::span<const Case> message_cases() noexcept;
[[nodiscard]] std::span<const Case> ending_cases() noexcept;
[[nodiscard]] std::span<const Case> cancel_cases() noexcept;
[[nodiscard]] std::span<const Case> snapshot_cases() noexcept;
[[nodiscard]] std::span<const Case> bad_snapshot_cases() noexcept;
[[nodiscard]] std::span<const Case> replay_cases() noexcept;
[[nodiscard]] std::span<const Case> trap_cases() noexcept;
[[nodiscard]] std::span<const Case> kill_cases() noexcept;

}  // namespace symphony::pit_check
