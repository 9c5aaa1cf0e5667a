// DagTracker: the graphs of graphs.hpp behind the messages of schemas/dag_tracker.fbs.   Layer: pits/dag_tracker.
//
// Only translation happens here: a message in, a call, a reply or a refusal with its text. Claim and Complete allocate
// nothing once their buffers have grown.
// Threads: serial, as the contract says.
#include <symphony/pit.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "dag_tracker_generated.h"
#include "pits/dag_tracker/graphs.hpp"
#include "pits/parts/fields.hpp"
#include "pits/parts/state_host.hpp"

namespace symphony::pit::tracker {
namespace {

using parts::elements;
using parts::text_of;

template <class Ours, class Theirs>
constexpr bool same(Ours a, Theirs b) {
  return static_cast<std::int64_t>(a) == static_cast<std::int64_t>(b);
}
static_assert(same(Refusal::no_such_graph, dag::Refusal::NO_SUCH_GRAPH) &&
              same(Refusal::not_sealed, dag::Refusal::NOT_SEALED) &&
              same(Refusal::already_sealed, dag::Refusal::ALREADY_SEALED) &&
              same(Refusal::stale_attempt, dag::Refusal::STALE_ATTEMPT) &&
              same(Refusal::no_such_task, dag::Refusal::NO_SUCH_TASK) && same(Refusal::limit, dag::Refusal::LIMIT) &&
              same(Refusal::name_taken, dag::Refusal::NAME_TAKEN) &&
              same(Refusal::bad_argument, dag::Refusal::BAD_ARGUMENT));
static_assert(same(TaskState::waiting, dag::TaskState::WAITING) && same(TaskState::ready, dag::TaskState::READY) &&
              same(TaskState::running, dag::TaskState::RUNNING) &&
              same(TaskState::succeeded, dag::TaskState::SUCCEEDED));

Status status_of(const Verdict& verdict) noexcept { return {static_cast<std::int32_t>(verdict.refusal), verdict.text}; }

Status refuse(Refusal refusal, std::string_view text) noexcept { return {static_cast<std::int32_t>(refusal), text}; }

Status no_such_graph(Ctx& ctx, std::uint32_t number) {
  return ctx.fail(static_cast<std::int32_t>(Refusal::no_such_graph), "no graph has the number ", number,
                  "; make one with CreateGraph or look one up with FindGraph");
}

constexpr std::string_view not_sealed = "the graph is not sealed; send Seal before Claim, Complete and Release";

}  // namespace

class DagTracker {
 public:
  static constexpr std::uint32_t reply_size_max = 65'536;
  static constexpr std::uint32_t state_revision = Graphs::state_revision;

  // ---- making ----
  Result<dag::GraphInfo> on(In<dag::CreateGraph> m, Ctx& ctx) {
    NamedGraph* made = nullptr;
    const Verdict verdict = graphs_.create(text_of(m->name()), m->fence(), &made);
    if (!verdict.ok()) return status_of(verdict);
    return info(*made, ctx);
  }

  Result<dag::GraphInfo> on(In<dag::FindGraph> m, Ctx& ctx) {
    const NamedGraph* found = graphs_.find(text_of(m->name()));
    if (found == nullptr) return refuse(Refusal::no_such_graph, "no graph has this name; make one with CreateGraph");
    return info(*found, ctx);
  }

  Result<dag::Added> on(In<dag::AddTasks> m, Ctx& ctx) {
    NamedGraph* at = graphs_.find(m->graph());
    if (at == nullptr) return no_such_graph(ctx, m->graph());
    const auto* names = m->names();
    const std::span<const std::uint32_t> weights = elements(m->weights());
    const std::uint32_t count = names != nullptr && m->count() == 0 ? names->size() : m->count();
    if ((names != nullptr && names->size() != count) || (m->weights() != nullptr && weights.size() != count)) {
      return refuse(Refusal::bad_argument, "names, weights and count differ; give one of each for every task");
    }
    names_.clear();
    for (std::uint32_t i = 0; names != nullptr && i < count; ++i) names_.push_back(text_of(names->Get(i)));
    const std::uint32_t first = at->graph.tasks();
    const Verdict verdict = at->graph.add_tasks(count, names_, weights, graphs_.room_for(*at));
    if (!verdict.ok()) return status_of(verdict);
    return dag::CreateAdded(ctx.builder(), first, count);
  }

  Result<dag::Added> on(In<dag::AddEdges> m, Ctx& ctx) {
    NamedGraph* at = graphs_.find(m->graph());
    if (at == nullptr) return no_such_graph(ctx, m->graph());
    const std::span<const std::uint32_t> before = elements(m->before());
    const std::span<const std::uint32_t> after = elements(m->after());
    if (before.size() != after.size()) {
      return refuse(Refusal::bad_argument, "before and after differ in length; give one of each for every edge");
    }
    std::size_t bad = 0;
    const std::uint32_t first = at->graph.edges();
    const Verdict verdict = at->graph.add_edges(before, after, graphs_.room_for(*at), &bad);
    if (verdict.refusal == Refusal::no_such_task) {
      return ctx.fail(static_cast<std::int32_t>(verdict.refusal), "edge ", bad, " of this batch goes from task ",
                      before[bad], " to ", after[bad], ", but the graph has ", at->graph.tasks(),
                      " tasks; send AddTasks first");
    }
    if (!verdict.ok()) return status_of(verdict);
    return dag::CreateAdded(ctx.builder(), first, static_cast<std::uint32_t>(before.size()));
  }

  Status on(In<dag::Seal> m, Ctx& ctx) {
    NamedGraph* at = graphs_.find(m->graph());
    if (at == nullptr) return no_such_graph(ctx, m->graph());
    std::vector<std::uint32_t> cycle;
    const Verdict verdict = at->graph.seal(graphs_.limits(), &cycle);
    if (!verdict.ok()) return status_of(verdict);
    flatbuffers::FlatBufferBuilder& builder = ctx.builder();
    if (!cycle.empty()) {
      const std::size_t shown = std::min<std::size_t>(cycle.size(), graphs_.limits().cycle_path);
      const auto path = builder.CreateVector(cycle.data(), shown);
      return ctx.reply(dag::CreateCycleRejected(builder, path, static_cast<std::uint32_t>(cycle.size())));
    }
    const Graph& graph = at->graph;
    return ctx.reply(dag::CreateSealed(builder, graph.tasks(), graph.edges(), graph.counts().ready, graph.levels(),
                                       graph.critical_weight()));
  }

  // ---- running ----
  Result<dag::Tasks> on(In<dag::Claim> m, Ctx& ctx) {
    const dag::ClaimBody& body = *m->body();
    NamedGraph* at = graphs_.find(body.graph());
    if (at == nullptr) return no_such_graph(ctx, body.graph());
    if (!at->graph.sealed()) return refuse(Refusal::not_sealed, not_sealed);
    claimed_.resize(std::min(body.max(), graphs_.limits().claim));
    std::uint64_t token = 0;
    const std::uint32_t given = at->graph.claim(body.worker(), claimed_, &token);
    const dag::Grant grant(given == 0 ? 0 : token, given == 0 ? 0 : claimed_[0], at->graph.counts().unfinished());
    flatbuffers::FlatBufferBuilder& builder = ctx.builder();
    if (given <= 1) return dag::CreateTasks(builder, &grant);
    return dag::CreateTasks(builder, &grant, builder.CreateVector(claimed_.data() + 1, given - 1));
  }

  Result<dag::Completed> on(In<dag::Complete> m, Ctx& ctx) {
    const dag::CompleteBody& body = *m->body();
    NamedGraph* at = graphs_.find(body.graph());
    if (at == nullptr) return no_such_graph(ctx, body.graph());
    std::uint32_t newly_ready = 0;
    const Verdict verdict = at->graph.complete(body.task(), body.token(), &newly_ready);
    if (!verdict.ok()) return status_of(verdict);
    const dag::CompletedBody completed(newly_ready, at->graph.counts().unfinished());
    return dag::CreateCompleted(ctx.builder(), &completed);
  }

  Result<dag::Released> on(In<dag::Release> m, Ctx& ctx) {
    NamedGraph* at = graphs_.find(m->graph());
    if (at == nullptr) return no_such_graph(ctx, m->graph());
    if (!at->graph.sealed()) return refuse(Refusal::not_sealed, not_sealed);
    return dag::CreateReleased(ctx.builder(), at->graph.release(m->worker()));
  }

  // ---- looking ----
  Result<dag::StatusReply> on(In<dag::Status> m, Ctx& ctx) {
    const NamedGraph* at = graphs_.find(m->graph());
    if (at == nullptr) return no_such_graph(ctx, m->graph());
    const Counts& counts = at->graph.counts();
    return dag::CreateStatusReply(ctx.builder(), counts.waiting, counts.ready, counts.running, counts.succeeded,
                                  at->graph.edges(), at->graph.sealed(), counts.transitions);
  }

  Result<dag::Exported> on(In<dag::Export> m, Ctx& ctx) {
    const NamedGraph* at = graphs_.find(m->graph());
    if (at == nullptr) return no_such_graph(ctx, m->graph());
    const Graph& graph = at->graph;
    const std::uint32_t first = std::min(m->first(), graph.tasks());
    const std::uint32_t next = export_end(graph, first, *m);

    states_.clear();
    attempts_.clear();
    names_.clear();
    for (std::uint32_t t = first; t < next; ++t) {
      states_.push_back(static_cast<std::uint8_t>(graph.state(t)));
      if (m->attempts()) attempts_.push_back(graph.attempt(t));
      if (m->names()) names_.push_back(graph.name(t));
    }
    flatbuffers::FlatBufferBuilder& builder = ctx.builder();
    flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>> names;
    if (m->names()) {
      offsets_.clear();
      for (const std::string_view name : names_) offsets_.push_back(builder.CreateString(name.data(), name.size()));
      names = builder.CreateVector(offsets_);
    }
    const auto attempts = m->attempts() ? builder.CreateVector(attempts_) : 0;
    const auto states = builder.CreateVector(states_);
    return dag::CreateExported(builder, first, next, graph.tasks(), states.o, attempts, names);
  }

  Result<dag::Dropped> on(In<dag::DropGraph> m, Ctx& ctx) {
    std::uint32_t tasks = 0;
    const Verdict verdict = graphs_.drop(m->graph(), &tasks);
    if (!verdict.ok()) return status_of(verdict);
    return dag::CreateDropped(ctx.builder(), tasks);
  }

  // ---- keeping ----
  Status snapshot(Sink out) const {
    parts::SinkWriter writer(out);
    if (graphs_.save(writer)) return ok();
    return out.status().ok() ? fail(SYMPHONY_INTERNAL, "the snapshot was not written") : out.status();
  }

  Status restore(Source in, std::uint32_t) {
    parts::SourceReader reader(in);
    if (graphs_.load(reader)) return ok();
    if (!in.status().ok()) return in.status();
    return fail(SYMPHONY_BAD_MESSAGE, "these bytes are no whole DagTracker snapshot; use an older one or load anew");
  }

 private:
  static Result<dag::GraphInfo> info(const NamedGraph& graph, Ctx& ctx) {
    return dag::CreateGraphInfo(ctx.builder(), graph.number, graph.graph.tasks(), graph.graph.sealed());
  }

  // One past the last task that fits a reply that begins with `first`.
  static std::uint32_t export_end(const Graph& graph, std::uint32_t first, const dag::Export& wanted) {
    constexpr std::uint32_t frame = 128;        // root, table, vector lengths and their padding
    constexpr std::uint32_t string_extra = 12;  // offset, length, zero byte and padding of a string
    const std::uint32_t left = graph.tasks() - first;
    const std::uint32_t end = first + (wanted.max() == 0 ? left : std::min(left, wanted.max()));
    std::uint32_t room = reply_size_max - frame;
    std::uint32_t next = first;
    for (; next < end; ++next) {
      const std::size_t row =
          1 + (wanted.attempts() ? 4 : 0) + (wanted.names() ? graph.name(next).size() + string_extra : 0);
      if (row > room) break;
      room -= static_cast<std::uint32_t>(row);
    }
    return next;
  }

  Graphs graphs_;
  // Reused between messages.
  std::vector<std::uint32_t> claimed_, attempts_;
  std::vector<std::uint8_t> states_;
  std::vector<std::string_view> names_;
  std::vector<flatbuffers::Offset<flatbuffers::String>> offsets_;
};

SYMPHONY_PIT(DagTracker, dag_tracker, "1.0.0", once<dag::CreateGraph>, read<dag::FindGraph>, once<dag::AddTasks>,
             idempotent<dag::AddEdges>, idempotent<dag::Seal>, once<dag::Claim>, idempotent<dag::Complete>,
             idempotent<dag::Release>, read<dag::Status>, read<dag::Export>, idempotent<dag::DropGraph>);

}  // namespace symphony::pit::tracker
