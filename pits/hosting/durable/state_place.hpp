// Where the states of a pit in this process lie, one instance's after the other's: in memory, or as files of a folder.
// Layer: hosting/durable (bus/state). Threads: one at a time.   Format: docs/formats/state.md
// Lifetime: as long as it lives no other program that keeps states so uses the pit's files in the folder.
#pragma once

#include <optional>
#include <string>

#include <symphony/durability.hpp>
#include <symphony/unique_fd.hpp>

#include "bus/state/state_memory.hpp"
#include "pits/hosting/pit_info.hpp"

namespace symphony::pit {

class StatePlace {
 public:
  StatePlace(std::string name, const StatePolicy& policy) : name_(std::move(name)), policy_(policy) {}

  [[nodiscard]] bool is_folder() const noexcept { return !policy_.folder.empty(); }

  // What an earlier program left into `out`, if anything. BAD_STATE: another program keeps it; OVERLOADED: no memory;
  // UNREACHABLE: the folder cannot be used.
  Outcome open(std::optional<detail::StateMemory>& out);
  // Memory for the next instance. OVERLOADED: there is none, or no disk; else as open().
  Outcome make_next(detail::StateMemory& out) const;
  // What make_next() gave last is whole: from now on it is what a later program finds.
  Outcome keep_next() const;
  // It is not used.
  void drop_next() const noexcept;

 private:
  [[nodiscard]] Outcome failed(const error& e) const;

  std::string name_;
  StatePolicy policy_;
  UniqueFd lock_;  // of the folder's files
};

}  // namespace symphony::pit
