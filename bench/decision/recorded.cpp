#include "bench/decision/recorded.hpp"

#include <algorithm>
#include <vector>

#include <symphony/typed.hpp>

#include "dag_tracker_generated.h"
#include "mirror_generated.h"
#include "pool_manager_generated.h"
#include "tools/symphony/graph/graph_input.hpp"

namespace symphony::bench {
namespace {

// A caller for symphony::call() that writes down what it is called with.
class Recorder {
 public:
  Recorder(Door& door, Trace& trace) : door_(door), trace_(trace) {}
  Reply call(std::uint32_t type, std::span<const std::byte> body, const CallOptions& options) {
    trace_.calls.push_back({type, static_cast<std::uint32_t>(options.effect), {body.begin(), body.end()}});
    return door_.call(trace_.calls.back());
  }

 private:
  Door& door_;
  Trace& trace_;
};

std::string failed(const char* what, const Reply& reply) {
  return std::string("recording: ") + what + ": " + status_name(reply.status) + " " + std::string(reply.text);
}

// For replies that are not looked into.
template <class T>
Reply send(Recorder& to, flatbuffers::FlatBufferBuilder& b, flatbuffers::Offset<T> request,
           Effect effect = Effect::once) {
  b.Finish(request);
  const Reply reply = to.call(type_id_of<T>, {reinterpret_cast<const std::byte*>(b.GetBufferPointer()), b.GetSize()},
                              {.effect = effect});
  b.Clear();
  return reply;
}

std::string record_dag(Door& door, const std::string& file, Trace& trace) {
  auto loaded = tools::load_graph(file, {.condense = true});
  if (!loaded) return loaded.error().text;
  tools::TaskGraph& graph = loaded->graph;
  // The first tasks, with the edges among them.
  if (graph.names.size() > dag_tasks_max) graph.names.resize(dag_tasks_max);
  const auto outside = [&](const tools::Edge& e) {
    return e.before >= graph.names.size() || e.after >= graph.names.size();
  };
  graph.edges.erase(std::remove_if(graph.edges.begin(), graph.edges.end(), outside), graph.edges.end());
  Recorder to(door, trace);
  flatbuffers::FlatBufferBuilder b;
  const auto made = call<dag::GraphInfo>(to, b, dag::CreateCreateGraph(b, b.CreateString("graph"), 7));
  if (!made) return failed("CreateGraph", made.reply);
  const std::uint32_t id = made->graph();
  std::vector<flatbuffers::Offset<flatbuffers::String>> names;
  for (const std::string& name : graph.names)
    names.push_back(b.CreateString(name.data(), std::min<std::size_t>(name.size(), 255)));
  if (const Reply r = send(to, b, dag::CreateAddTasks(b, id, b.CreateVector(names))); !r.ok())
    return failed("AddTasks", r);
  std::vector<std::uint32_t> before, after;
  for (const tools::Edge& edge : graph.edges) {
    before.push_back(edge.before);
    after.push_back(edge.after);
  }
  if (const Reply r =
          send(to, b, dag::CreateAddEdges(b, id, b.CreateVector(before), b.CreateVector(after)), Effect::idempotent);
      !r.ok()) {
    return failed("AddEdges", r);
  }
  if (const Reply r = send(to, b, dag::CreateSeal(b, id), Effect::idempotent); !r.ok()) return failed("Seal", r);
  trace.set_up = trace.calls.size();
  for (std::size_t i = 0; i < graph.names.size(); ++i) {
    const dag::ClaimBody claim(id, 1, 1);
    const auto claimed = call<dag::Tasks>(to, b, dag::CreateClaim(b, &claim));
    if (!claimed || claimed->grant() == nullptr || claimed->grant()->token() == 0)
      return failed("Claim", claimed.reply);
    const dag::CompleteBody complete(claimed->grant()->token(), id, claimed->grant()->task());
    if (const Reply r = send(to, b, dag::CreateComplete(b, &complete), Effect::idempotent); !r.ok())
      return failed("Complete", r);
  }
  trace.what = "claims and completions of " + std::to_string(graph.names.size()) + " tasks with " +
               std::to_string(graph.edges.size()) + " edges";
  return {};
}

std::string record_pool(Door& door, Trace& trace) {
  Recorder to(door, trace);
  flatbuffers::FlatBufferBuilder b;
  const auto made =
      call<pool::PoolInfo>(to, b, pool::CreateCreatePool(b, b.CreateString("slots"), pool::Kind::AMOUNT, 8));
  if (!made) return failed("CreatePool", made.reply);
  const std::uint32_t id = made->pool();
  trace.set_up = trace.calls.size();
  for (std::size_t i = 0; i < pool_pairs; ++i) {
    const pool::AcquireBody body(1, 1, 0, 0, id, 1, 0, 0, pool::Mode::TRY);
    const auto got = call<pool::Granted>(to, b, pool::CreateAcquire(b, &body));
    if (!got) return failed("Acquire", got.reply);
    const pool::LeaseRef ref(got->body()->token(), 1, got->body()->lease());
    if (const Reply r = send(to, b, pool::CreateRelease(b, &ref), Effect::idempotent); !r.ok())
      return failed("Release", r);
  }
  trace.what = std::to_string(pool_pairs) + " leases taken and given back";
  return {};
}

std::string record_mirror(Door& door, std::size_t size, Trace& trace) {
  Recorder to(door, trace);
  flatbuffers::FlatBufferBuilder b;
  std::vector<std::uint8_t> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7);
  for (std::size_t i = 0; i < mirror_calls; ++i) {
    const auto back = call<Mirror>(to, b, CreateMirror(b, i, b.CreateVector(bytes)), {.effect = Effect::read});
    if (!back) return failed("Mirror", back.reply);
  }
  trace.what = "messages of " + std::to_string(size) + " bytes there and back";
  return {};
}

}  // namespace

bool has_recorded_work(const std::string& pit) noexcept {
  return pit == "dag_tracker" || pit == "pool_manager" || pit == "mirror";
}

std::string record_work(Door& door, const std::string& graph, std::size_t size, Trace& trace) {
  if (trace.pit == "dag_tracker") return record_dag(door, graph, trace);
  if (trace.pit == "pool_manager") return record_pool(door, trace);
  if (trace.pit == "mirror") return record_mirror(door, size, trace);
  return "no recorded work of '" + trace.pit + "': name a trace with --trace";
}

}  // namespace symphony::bench
