// The state of a pit that goes from one living process to the next, where it outlives neither.   Layer:
// hosting/durable. The bytes are those of docs/formats/state.md, with an empty journal. Threads: as the instance.
#pragma once

#include <symphony/unique_fd.hpp>

#include "bus/state/state_memory.hpp"
#include "pits/hosting/durable/state_frame.hpp"

namespace symphony::pit {

// What the instance is, without what its host keeps of links.   Statuses: the pit's own, VERSION it keeps no snapshots.
Outcome describe(Instance& of, StateFrame& into);

// Into `memory`, of handed_state_geometry, all zero.   Precondition: no request and no call of its own is without an
// ending. Statuses: as describe(), OVERLOADED there is no room.
Outcome write_handed_state(Instance& of, UniqueFd memory);

// Statuses: BAD_STATE nothing whole is there, or it is of another pit.
Outcome read_handed_state(const detail::StateMemory& from, std::string_view pit, StateFrame& into);

}  // namespace symphony::pit
