// What a pit's process is told of the memory for its state, as one line of its environment.   Layer: state.
// Written by the broker, read by the pit runtime. Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <symphony/durability.hpp>

namespace symphony::detail {

inline constexpr const char* state_variable = "SYMPHONY_PIT_STATE";

struct StateHandover {
  StatePolicy policy;
  int own_fd = -1;
  int old_fd = -1;       // -1: there was no instance that kept anything
  bool waits = false;    // old_fd is another process's until Service::await_state() returns
  bool is_file = false;  // then policy.is_synced counts; policy.folder is the broker's, and not handed over
  bool is_live = false;  // the old memory is being written to; not part of the line: SYMPHONY_PIT_ALONE
};

[[nodiscard]] std::string write_handover(const StateHandover& handover);
// Nothing when the text is none: the numbers of write_handover(), in its order, separated by one space; without `waits`
// it is that of a broker that speaks protocol 1.
[[nodiscard]] std::optional<StateHandover> read_handover(std::string_view text);

}  // namespace symphony::detail
