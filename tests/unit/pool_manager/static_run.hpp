// A random run on a PoolManager linked into the test.   Layer: tests.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/pool_manager/pool_host.hpp"
#include "tests/unit/pool_manager/random_run.hpp"

namespace symphony::pit::pools::testing {

struct Sums {
  std::size_t runs = 0, granted = 0, queued = 0, collected = 0, overtaken_most = 0;
};

inline std::string run_in_static(const std::vector<Op>& ops, Sums& sums) {
  std::unique_ptr<StaticHost> host;
  std::unique_ptr<Link> link;
  if (!StaticHost::mount(*symphony_pit_pool_manager(), {}, host).ok() || !host->open(link).ok()) return "no host";
  PoolClient client([&](std::uint32_t type, std::span<const std::byte> body) {
    const Reply reply = link->call({.type = type, .body = body});
    return said(reply.status, reply.type, reply.body, reply.text);
  });
  Surroundings around;
  around.feed = [&](std::uint64_t now_ns) { return std::string(host->feed(1, static_cast<TimeNs>(now_ns)).text); };
  around.swap = [&]() -> std::string {
    Snapshot before, after;
    if (!host->snapshot(before).ok() || !host->restore(before).ok() || !host->snapshot(after).ok()) return "the swap";
    return before.bytes == after.bytes ? "" : "a snapshot of what was restored differs";
  };
  RandomRun run(client, around);
  std::string wrong = run.run(ops);
  ++sums.runs;
  sums.granted += run.granted;
  sums.queued += run.queued;
  sums.collected += run.collected;
  sums.overtaken_most = std::max(sums.overtaken_most, run.model().overtaken_most);
  return wrong;
}

}  // namespace symphony::pit::pools::testing
