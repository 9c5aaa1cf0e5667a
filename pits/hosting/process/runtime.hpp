// The pit runtime: main() of a process pit.   Layer: hosting/process (contract, bus/base, endpoint).
// Makes the instance, starts it, tells the broker that it is ready, and serves its links on one thread until it is told
// to stop. As untrusted as the pit it runs.
#pragma once

#include <symphony/pit.h>

#include <optional>
#include <string_view>

#include <symphony/unique_fd.hpp>
#include <symphony/waiting.hpp>

#include "bus/state/handover.hpp"
#include "pits/hosting/process/exception_storm.hpp"
#include "pits/hosting/sandbox/confine.hpp"

namespace symphony::pit {

struct RuntimeOptions {
  UniqueFd control_socket;  // from the keeper
  std::string_view config;  // JSON for the pit's create()
  Waiting waiting = Waiting::adaptive;
  Placement placement = Placement::automatic;
  std::optional<detail::StateHandover> state{};  // nothing: its state dies with it
  sandbox::Confinement* confinement = nullptr;   // begun; finished before the first request
  ExceptionStorm storm{0, second_ns};            // its handlers may throw so often
};

// Exit statuses, as the broker reads them: 0 finished, 70 its handlers throw too often, 75 may be tried again, 125 will
// fail every time.
inline constexpr int exit_finished = 0;
inline constexpr int exit_storm = 70;
inline constexpr int exit_try_again = 75;
inline constexpr int exit_permanent = 125;

// Runs the pit to its end and returns the process's exit status. Reports to stderr.
int run_pit(const symphony_pit_entry& entry, RuntimeOptions options);

// The same with what the keeper put into the environment: SYMPHONY_CONTROL_FD, SYMPHONY_PIT_CONFIG,
// SYMPHONY_PIT_WAITING and SYMPHONY_PIT_PLACEMENT, of which a word that is unknown counts as absent, and, where its
// state outlives it, SYMPHONY_PIT_STATE.
int run_pit_from_environment(const symphony_pit_entry& entry, sandbox::Confinement* confinement = nullptr);

}  // namespace symphony::pit
