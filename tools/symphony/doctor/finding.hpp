// What `symphony doctor` looked at, and whether it is well.   Layer: tools. Threads: plain values.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace symphony::tools::doctor {

// A note is worth knowing and stops nothing; what is bad makes the whole bad.
enum class Health { ok, note, bad };

struct Finding {
  std::string area;  // kernel, machine, limits, sandbox, broker, leftovers
  std::string name;
  Health health = Health::ok;
  std::string value;   // what is there
  std::string remedy;  // what to do, or what it means; empty where all is well
};
using Findings = std::vector<Finding>;

[[nodiscard]] constexpr std::string_view name_of(Health health) noexcept {
  return health == Health::ok ? "ok" : health == Health::note ? "note" : "bad";
}
[[nodiscard]] inline std::size_t count(const Findings& all, Health health) {
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [&](const Finding& f) { return f.health == health; }));
}

}  // namespace symphony::tools::doctor
