// Keeps the state of a pit in this process, in a folder over the process's death, and over the traps of its instances.
// Layer: hosting/durable (contract, bus/base, bus/state). DurablePit does the keeping; this is what its process is to
// it.
//
// A link of this process ends with it, so across the process's death no caller is left to be paid: what is owed then is
// dropped. Across a trap the links go on: a request that waits, waits in the next instance.
#pragma once

#include <memory>
#include <string_view>

#include <symphony/durability.hpp>

#include "pits/hosting/state_keeper.hpp"

namespace symphony::pit {

// For the host of a pit that is mounted under that name: with a folder its file there is `<name>.state`.
// BAD_STATE: a policy that keeps nothing, sizes or a folder that cannot be, a name that is no file's.
Outcome make_state_keeper(std::string_view name, const StatePolicy& policy, std::shared_ptr<StateKeeper>& out);

}  // namespace symphony::pit
