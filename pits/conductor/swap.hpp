// The steps of a swap, each with the way back.   Layer: conductor. Threads: one swap of a route at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <symphony/swap.hpp>

#include "pits/conductor/route.hpp"
#include "pits/hosting/host.hpp"

namespace symphony::conductor {

// Where the pit is to go.
struct SwapTarget {
  Mode mode = Mode::static_;
  std::string broker_name{};                                    // of a process
  std::function<StepResult(std::shared_ptr<pit::Host>&)> make;  // mounts it; nobody else reaches it
  // Ends the process of that name at the broker; empty: it is left there, with a pit that is stopped.
  std::function<StepResult(const std::string& broker_name)> end_process{};
};

// Precondition: route.try_begin_swap().
SwapReport swap_along(Route& route, const SwapTarget& target, const SwapOptions& options);

}  // namespace symphony::conductor
