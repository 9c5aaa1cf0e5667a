// How a thread waits for the other side of a link, and on which processor a pit's thread runs.   Layer: base.
// The two belong together: spinning pays where each side has a processor of its own; a wake-up is ten times quicker
// where both share one (docs/decisions/0017-placement.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace symphony {

enum class Waiting : std::uint8_t {
  adaptive,  // spin while that has paid off lately, then sleep
  spin,      // never sleep: only with a core to itself
  sleep,     // sleep at once
};

// Where the pit's data thread runs, seen from its caller.
enum class Placement : std::uint8_t {
  automatic,   // where the scheduler puts it
  same_core,   // on the caller's processor: for rare calls to a pit that sleeps
  other_core,  // on any but the caller's
};

// The words of manifests and of a pit's environment; nothing for any other.
[[nodiscard]] constexpr std::string_view name_of(Waiting waiting) noexcept {
  return waiting == Waiting::spin ? "spin" : waiting == Waiting::sleep ? "sleep" : "adaptive";
}
[[nodiscard]] constexpr std::string_view name_of(Placement placement) noexcept {
  return placement == Placement::same_core ? "same_core" : placement == Placement::other_core ? "other_core" : "auto";
}
[[nodiscard]] constexpr std::optional<Waiting> waiting_of(std::string_view name) noexcept {
  for (const Waiting w : {Waiting::adaptive, Waiting::spin, Waiting::sleep}) {
    if (name_of(w) == name) return w;
  }
  return std::nullopt;
}
[[nodiscard]] constexpr std::optional<Placement> placement_of(std::string_view name) noexcept {
  for (const Placement p : {Placement::automatic, Placement::same_core, Placement::other_core}) {
    if (name_of(p) == name) return p;
  }
  return std::nullopt;
}

}  // namespace symphony
