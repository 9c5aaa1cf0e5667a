#include "tools/symphony/demo/dag_client.hpp"

#include <algorithm>
#include <cstring>

namespace symphony::tools {
namespace {

constexpr int attempts_max = 20;                      // deaths of the pit during one call
constexpr std::size_t batch_bytes_max = 32UL * 1024;  // of one AddTasks or AddEdges: a fraction of a default ring
constexpr std::size_t path_tasks_shown = 12;

}  // namespace

void ReplyLog::add(const Reply& reply) {
  const std::uint32_t head[3] = {static_cast<std::uint32_t>(reply.status), reply.type,
                                 static_cast<std::uint32_t>(reply.body.size())};
  if (bytes_.size() + sizeof head + reply.body.size() > size_max) return;
  const auto bytes = std::as_bytes(std::span(head));
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  bytes_.insert(bytes_.end(), reply.body.begin(), reply.body.end());
  ++replies_;
}

Reply MeasuredCaller::call(std::uint32_t type, std::span<const std::byte> body, const CallOptions& options) {
  const auto call = [&] {
    Reply reply = caller_.call(type, body, options);
    for (int again = 0; reply.status == status::crashed && again < attempts_max; ++again) {
      reply = caller_.call(type, body, options);
    }
    return reply;
  };
  if (!measuring) return call();
  const TimeNs begin = now_ns();
  const Reply reply = call();
  latency_.record(static_cast<std::uint64_t>(now_ns() - begin));
  if (log != nullptr) log->add(reply);
  return reply;
}

DagOutcome DagClient::outcome_of(const Reply& reply, std::string_view request) {
  switch (reply.status) {
    case status::ok:
      return DagOutcome::ok;
    case static_cast<CallStatus>(dag::Refusal::STALE_ATTEMPT):
      return DagOutcome::stale;
    default:
      break;
  }
  why_ = std::string(request) + ": " + std::string(reply.text) + " (" + status_name(reply.status) + ", status " +
         std::to_string(reply.status) + ")";
  return DagOutcome::failed;
}

template <class ReplyTable, class RequestTable>
DagOutcome DagClient::call(flatbuffers::Offset<RequestTable> request, Effect effect, const ReplyTable*& root) {
  const auto typed = symphony::call<ReplyTable>(caller_, builder_, request, {.effect = effect});
  root = typed.root;
  return outcome_of(typed.reply, RequestTable::GetFullyQualifiedName());
}

DagOutcome DagClient::load(const TaskGraph& graph, Loaded& out) {
  const dag::GraphInfo* made = nullptr;
  if (const auto o = call(dag::CreateCreateGraph(builder_), Effect::once, made); o != DagOutcome::ok) return o;
  out.graph = made->graph();
  if (const auto o = add_tasks(out.graph, graph); o != DagOutcome::ok) return o;
  if (const auto o = add_edges(out.graph, graph); o != DagOutcome::ok) return o;
  // Seal has two good endings of different type, so its reply is looked at here.
  builder_.Finish(dag::CreateSeal(builder_, out.graph));
  const std::span body(reinterpret_cast<const std::byte*>(builder_.GetBufferPointer()), builder_.GetSize());
  const Reply reply = caller_.call(type_id_of<dag::Seal>, body, {.effect = Effect::idempotent});
  builder_.Clear();
  if (const auto o = outcome_of(reply, "Seal"); o != DagOutcome::ok) return o;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(reply.body.data());
  flatbuffers::Verifier verifier(bytes, reply.body.size());
  if (reply.type == type_id_of<dag::Sealed> && verifier.VerifyBuffer<dag::Sealed>(nullptr)) {
    out.levels = flatbuffers::GetRoot<dag::Sealed>(bytes)->levels();
    return DagOutcome::ok;
  }
  why_ = "Seal: the pit's answer is not understood";
  if (reply.type == type_id_of<dag::CycleRejected> && verifier.VerifyBuffer<dag::CycleRejected>(nullptr)) {
    why_ = "Seal: the graph has a cycle:";
    if (const auto* path = flatbuffers::GetRoot<dag::CycleRejected>(bytes)->path()) {
      for (std::uint32_t i = 0; i < std::min<std::uint32_t>(path->size(), path_tasks_shown); ++i) {
        if (path->Get(i) < graph.names.size()) why_ += " -> " + graph.names[path->Get(i)];
      }
    }
  }
  return DagOutcome::failed;
}

DagOutcome DagClient::add_tasks(std::uint32_t graph, const TaskGraph& from) {
  for (std::size_t i = 0; i < from.names.size();) {
    std::vector<flatbuffers::Offset<flatbuffers::String>> names;
    for (std::size_t bytes = 0; i < from.names.size() && bytes < batch_bytes_max; ++i) {
      names.push_back(builder_.CreateString(from.names[i].data(), std::min<std::size_t>(from.names[i].size(), 255)));
      bytes += from.names[i].size() + 12;
    }
    const dag::Added* added = nullptr;
    const auto o = call(dag::CreateAddTasks(builder_, graph, builder_.CreateVector(names)), Effect::once, added);
    if (o != DagOutcome::ok) return o;
  }
  return DagOutcome::ok;
}

DagOutcome DagClient::add_edges(std::uint32_t graph, const TaskGraph& from) {
  std::vector<std::uint32_t> before, after;
  for (std::size_t i = 0; i < from.edges.size();) {
    before.clear();
    after.clear();
    for (; i < from.edges.size() && before.size() * 8 < batch_bytes_max; ++i) {
      before.push_back(from.edges[i].before);
      after.push_back(from.edges[i].after);
    }
    const dag::Added* added = nullptr;
    const auto request =
        dag::CreateAddEdges(builder_, graph, builder_.CreateVector(before), builder_.CreateVector(after));
    if (const auto o = call(request, Effect::idempotent, added); o != DagOutcome::ok) return o;
  }
  return DagOutcome::ok;
}

DagOutcome DagClient::claim(std::uint32_t graph, std::uint32_t worker, Claimed& out) {
  const dag::ClaimBody body(graph, worker, 1);
  const dag::Tasks* tasks = nullptr;
  const auto o = call(dag::CreateClaim(builder_, &body), Effect::once, tasks);
  if (o == DagOutcome::ok) out = {tasks->grant()->token(), tasks->grant()->task(), tasks->grant()->unfinished()};
  return o;
}

DagOutcome DagClient::complete(std::uint32_t graph, std::uint32_t task, std::uint64_t token) {
  const dag::CompleteBody body(token, graph, task);
  const dag::Completed* done = nullptr;
  return call(dag::CreateComplete(builder_, &body), Effect::idempotent, done);
}

DagOutcome DagClient::transitions(std::uint32_t graph, std::uint64_t& out) {
  const dag::StatusReply* reply = nullptr;
  const auto o = call(dag::CreateStatus(builder_, graph), Effect::read, reply);
  if (o == DagOutcome::ok) out = reply->transitions();
  return o;
}

DagOutcome DagClient::export_state(std::uint32_t graph, std::vector<std::byte>& out) {
  out.clear();
  for (std::uint32_t next = 0, tasks = 1; next < tasks;) {
    const dag::Exported* part = nullptr;
    const auto o = call(dag::CreateExport(builder_, graph, next, 0, true, false), Effect::read, part);
    if (o != DagOutcome::ok) return o;
    if (part->next() <= next && part->tasks() != 0) {
      why_ = "Export: the pit does not get any further";
      return DagOutcome::failed;
    }
    const auto put = [&out](const void* bytes, std::size_t size) {
      const auto* from = static_cast<const std::byte*>(bytes);
      out.insert(out.end(), from, from + size);
    };
    const std::uint32_t count = part->states() != nullptr ? part->states()->size() : 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto state = static_cast<std::uint8_t>(part->states()->Get(i));
      put(&state, 1);
      if (part->names() != nullptr && i < part->names()->size()) {
        const auto* name = part->names()->Get(i);
        put(name->c_str(), name->size() + 1);
      }
    }
    next = part->next();
    tasks = part->tasks();
  }
  return DagOutcome::ok;
}

DagOutcome DagClient::drop(std::uint32_t graph) {
  const dag::Dropped* dropped = nullptr;
  return call(dag::CreateDropGraph(builder_, graph), Effect::idempotent, dropped);
}

}  // namespace symphony::tools
