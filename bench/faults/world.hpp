// What a cell's host hosts: the culprit and an honest pit, in one mode, and the way to the pit that asks for more than
// a host gives.   Layer: bench. Threads: any.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <symphony/broker.hpp>
#include <symphony/conductor.hpp>
#include <symphony/operator.hpp>

#include "bench/faults/matrix.hpp"

namespace symphony::faults {

inline constexpr std::uint32_t budget_ms = 500;  // of each request to the culprit, in every mode

class World {
 public:
  // Empty: it stands, and `culprit` and `honest` can be opened. Else why this mode cannot be had here.
  [[nodiscard]] std::string build(const Hosting& hosting);
  [[nodiscard]] Conductor& conductor() noexcept { return *conductor_; }

  // The process that holds the culprit now.
  [[nodiscard]] int culprit_pid() const;
  // What the broker says of it; nothing in other modes than process.
  [[nodiscard]] std::optional<PitReport> report();

  // Mounts a build of the culprit for another version of the contract, as a program would that replaces it.
  [[nodiscard]] StepResult mount_next_major(const Hosting& hosting);
  // Mounts a WebAssembly culprit that imports what it is said to want from its host; `name` is of six letters.
  [[nodiscard]] StepResult mount_that_imports(std::string_view name);

 private:
  std::optional<EmbeddedBroker> broker_;
  std::optional<Endpoint> endpoint_;
  std::optional<Operator> operator_;
  std::unique_ptr<Conductor> conductor_;
};

}  // namespace symphony::faults
