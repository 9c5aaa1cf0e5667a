// DagTracker in WebAssembly gives the bytes that it gives linked in: replies, errors, snapshots, and what is restored.
#include <gtest/gtest.h>

#include <random>
#include <symphony/pit.hpp>
#include <vector>

#include "dag_tracker_generated.h"
#include "pits/hosting/static/static_host.hpp"
#include "pits/hosting/wasm/wasm_host.hpp"
#include "tests/support/samples.hpp"

SYMPHONY_DECLARE_PIT(dag_tracker);

namespace symphony::pit::wasm {
namespace {

using Log = std::vector<std::string>;

class Play {
 public:
  Play(Host& host, std::uint64_t seed) : random_(seed) { EXPECT_TRUE(host.open(link_).ok()); }

  Log graphs(std::uint32_t count) {
    for (std::uint32_t n = 0; n < count; ++n) graph();
    return std::move(log_);
  }

 private:
  template <class T>
  void send(flatbuffers::Offset<T> request) {
    b_.Finish(request);
    const Reply reply =
        link_->call({.type = pit_type_id<T>(), .body = std::as_bytes(std::span(b_.GetBufferPointer(), b_.GetSize()))});
    b_.Clear();
    log_.push_back(std::to_string(reply.status) + " " + std::to_string(reply.type) + " " +
                   std::string(reinterpret_cast<const char*>(reply.body.data()), reply.body.size()) + " " +
                   std::string(reply.text));
  }
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
  void graph() {
    const std::uint32_t id = ++graphs_;
    send(dag::CreateCreateGraph(b_, b_.CreateString("g" + std::to_string(id)), id << 8));
    const std::uint32_t tasks = below(60) + 1;
    send(dag::CreateAddTasks(b_, id, 0, 0, tasks));
    std::vector<std::uint32_t> before, after;
    for (std::uint32_t i = 0; i < tasks; ++i) {
      before.push_back(below(tasks));
      after.push_back(std::min(tasks, before.back() + 1 + below(3)));
    }
    send(dag::CreateAddEdges(b_, id, b_.CreateVector(before), b_.CreateVector(after)));
    send(dag::CreateSeal(b_, id));
    for (std::uint32_t i = 0; i < tasks * 2; ++i) {
      const dag::ClaimBody claim(id, 1, below(3));
      send(dag::CreateClaim(b_, &claim));
      const dag::CompleteBody complete((std::uint64_t{id} << 8) + 1 + below(tasks), id, below(tasks));
      send(dag::CreateComplete(b_, &complete));
    }
    send(dag::CreateExport(b_, id, 0, 0, true, true));
    send(dag::CreateStatus(b_, id));
  }

  std::unique_ptr<Link> link_;
  std::mt19937_64 random_;
  flatbuffers::FlatBufferBuilder b_;
  Log log_;
  std::uint32_t graphs_ = 0;
};

TEST(WasmDagTracker, GivesTheBytesThatItGivesLinkedIn) {
  const std::uint64_t seed = test_run::seed();
  SCOPED_TRACE(seed);
  std::unique_ptr<StaticHost> linked;
  ASSERT_TRUE(StaticHost::mount(*symphony_pit_dag_tracker(), {}, linked).ok());
  std::unique_ptr<WasmHost> guest;
  const Outcome mounted = WasmHost::mount(SYMPHONY_WASM_DAG_TRACKER, {}, guest);
  ASSERT_TRUE(mounted.ok()) << mounted.text;
  const Log from_linked = Play(*linked, seed).graphs(20);
  EXPECT_EQ(Play(*guest, seed).graphs(20), from_linked);
  EXPECT_GT(from_linked.size(), 200u);

  Snapshot state, same;
  ASSERT_TRUE(linked->snapshot(state).ok());
  ASSERT_TRUE(guest->snapshot(same).ok());
  EXPECT_EQ(state.revision, same.revision);
  EXPECT_EQ(state.bytes, same.bytes);

  // And the state travels from one to the other.
  ASSERT_TRUE(guest->restore(state).ok());
  ASSERT_TRUE(linked->restore(same).ok());
  EXPECT_EQ(Play(*guest, seed + 1).graphs(3), Play(*linked, seed + 1).graphs(3));
  ASSERT_TRUE(guest->snapshot(same).ok());
  ASSERT_TRUE(linked->snapshot(state).ok());
  EXPECT_EQ(state.bytes, same.bytes);
}

}  // namespace
}  // namespace symphony::pit::wasm
