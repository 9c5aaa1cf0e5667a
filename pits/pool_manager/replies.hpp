// Replies and events of the pool manager, built from its state.   Layer: pits/pool_manager.
// Each makes a table in the builder; lists go on from `first` and stop where a reply is full.
#pragma once

#include <symphony/pit.hpp>

#include <vector>

#include "pits/pool_manager/manager.hpp"
#include "pool_manager_generated.h"

namespace symphony::pit::pools {

template <class T>
using Made = flatbuffers::Offset<T>;
using Builder = flatbuffers::FlatBufferBuilder;

inline constexpr std::uint32_t page_max = 128;  // of a list; a reply then has less than 64 KiB

[[nodiscard]] Made<pool::PoolInfo> pool_info(Builder& b, const Manager& m, std::uint32_t place);
[[nodiscard]] Made<pool::UnitInfo> unit_info(Builder& b, const Manager& m, const Pool& pool, std::uint32_t unit);
[[nodiscard]] Made<pool::Units> units(Builder& b, const Manager& m, const Pool& pool, std::uint32_t first);
[[nodiscard]] Made<pool::LeaseInfo> lease_info(Builder& b, const Manager& m, std::uint64_t now_ns, std::uint32_t lease);
[[nodiscard]] Made<pool::Leases> leases(Builder& b, const Manager& m, std::uint64_t now_ns, std::uint32_t first);
[[nodiscard]] Made<pool::Waiters> waiters(Builder& b, const Manager& m, std::uint64_t now_ns, std::uint32_t first);
[[nodiscard]] Made<pool::Explained> explained(Builder& b, const Manager& m, std::uint64_t now_ns, std::uint32_t waiter);

// What a holder is told of its lease. A copy: what is told to others first may end it.
struct Grant {
  pool::LeaseBody body;
  std::vector<std::uint32_t> units;
  std::uint64_t wait = 0;
};
[[nodiscard]] Grant grant_of(const Manager& m, std::uint32_t lease, std::uint64_t wait);
[[nodiscard]] Made<pool::Granted> granted(Builder& b, const Grant& grant);

// Publishes it; nobody may be there to hear.
void publish(Ctx& ctx, const Manager& m, const Event& event);

}  // namespace symphony::pit::pools
