// Our own side of each comparison: a link's channel, as a default link uses it.   Layer: bench.
//
// Commits that cost no locked instruction where we spin, sequentially consistent ones where we sleep; doorbell, begun
// and handled stored, every message visible when send() returns, space given back by the eighth. Messages up to 4 KiB
// are built aside and copied in, larger ones built in place; every message is copied out of the sender's reach before
// it is read, as bus/endpoint does. Peer segments are mapped read-only. Threads, trust: adapter.hpp.
#pragma once

#include "bench/peers/adapter.hpp"
#include "bench/peers/known.hpp"

namespace symphony::bench::peers {

// Rings of buffer_bytes. With Wait::sleep a side never spins.
[[nodiscard]] std::unique_ptr<Adapter> make_ours(Wait wait);

}  // namespace symphony::bench::peers
