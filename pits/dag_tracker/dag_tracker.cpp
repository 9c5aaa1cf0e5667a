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
#include "pits/dag_tracker/look.hpp"
#include "pits/dag_tracker/replies.hpp"
#include "pits/dag_tracker/text_export.hpp"
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
              same(Refusal::bad_argument, dag::Refusal::BAD_ARGUMENT) &&
              same(Refusal::wrong_state, dag::Refusal::WRONG_STATE));
static_assert(same(TaskState::waiting, dag::TaskState::WAITING) && same(TaskState::ready, dag::TaskState::READY) &&
              same(TaskState::retry_wait, dag::TaskState::RETRY_WAIT) &&
              same(TaskState::running, dag::TaskState::RUNNING) &&
              same(TaskState::succeeded, dag::TaskState::SUCCEEDED) &&
              same(TaskState::cached, dag::TaskState::CACHED) && same(TaskState::failed, dag::TaskState::FAILED) &&
              same(TaskState::upstream_failed, dag::TaskState::UPSTREAM_FAILED) &&
              same(TaskState::skipped, dag::TaskState::SKIPPED) &&
              same(TaskState::cancelled, dag::TaskState::CANCELLED));
static_assert(same(Rule::all_success, dag::TriggerRule::ALL_SUCCESS) &&
              same(Rule::all_done, dag::TriggerRule::ALL_DONE) &&
              same(Rule::one_success, dag::TriggerRule::ONE_SUCCESS) &&
              same(Rule::none_failed, dag::TriggerRule::NONE_FAILED));
static_assert(same(Stop::paused, dag::Stop::PAUSED) && same(Stop::failures, dag::Stop::FAILURES) &&
              same(Again::subtree, dag::RetryOf::SUBTREE) && same(Again::failed, dag::RetryOf::FAILED) &&
              same(TextForm::json, dag::TextForm::JSON));

constexpr std::uint64_t timer_id = 1;

Status status_of(const Verdict& verdict) noexcept { return {static_cast<std::int32_t>(verdict.refusal), verdict.text}; }

Status refuse(Refusal refusal, std::string_view text) noexcept { return {static_cast<std::int32_t>(refusal), text}; }

Status no_such_graph(Ctx& ctx, std::uint32_t number) {
  return ctx.fail(static_cast<std::int32_t>(Refusal::no_such_graph), "no graph has the number ", number,
                  "; make one with CreateGraph or look one up with FindGraph");
}

constexpr std::string_view not_sealed = "the graph is not sealed; send Seal first";

}  // namespace

class DagTracker {
 public:
  static constexpr std::uint32_t reply_size_max = 65'536;
  static constexpr std::uint32_t state_revision = Graphs::state_revision;
  static constexpr std::uint32_t state_revision_min = Graphs::state_revision_min;

  // ---- making ----
  Result<dag::GraphInfo> on(In<dag::CreateGraph> m, Ctx& ctx) {
    NamedGraph* made = nullptr;
    const Verdict verdict =
        graphs_.create(text_of(m->name()), m->fence(), {m->failures_max(), m->losses_max(), m->weight_us()}, &made);
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
    NewTasks more;
    if (!read_tasks(*m, more)) return refuse(Refusal::bad_argument, lists_differ);
    const std::uint32_t first = at->graph.tasks();
    const Verdict verdict = at->graph.add_tasks(more, graphs_.room_for(*at));
    if (!verdict.ok()) return status_of(verdict);
    return dag::CreateAdded(ctx.builder(), first, more.count);
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
    if (!cycle.empty()) return rejected(cycle, ctx);
    const Graph& graph = at->graph;
    return ctx.reply(dag::CreateSealed(builder, graph.tasks(), graph.edges(), graph.counts().ready, graph.levels(),
                                       graph.critical_weight()));
  }

  Status on(In<dag::AddDynamic> m, Ctx& ctx) {
    NamedGraph* at = graphs_.find(m->graph());
    if (at == nullptr) return no_such_graph(ctx, m->graph());
    begin(ctx);
    bool cancel = false;
    if (m->token() != 0) {
      const Verdict parent = at->graph.heartbeat(m->parent(), m->token(), &cancel);
      if (!parent.ok()) return status_of(parent);
    }
    NewTasks more;
    if (m->tasks() != nullptr && !read_tasks(*m->tasks(), more)) return refuse(Refusal::bad_argument, lists_differ);
    const std::span<const std::uint32_t> before = elements(m->before());
    const std::span<const std::uint32_t> after = elements(m->after());
    if (before.size() != after.size()) {
      return refuse(Refusal::bad_argument, "before and after differ in length; give one of each for every edge");
    }
    const std::uint32_t first = at->graph.tasks();
    std::vector<std::uint32_t> cycle;
    std::size_t bad = 0;
    Tally tally;
    const Verdict verdict = at->graph.grow(more, before, after, graphs_.room_for(*at), &cycle, &bad, &tally);
    if (verdict.refusal == Refusal::no_such_task || verdict.refusal == Refusal::wrong_state) {
      return ctx.fail(static_cast<std::int32_t>(verdict.refusal), "edge ", bad, " of this batch, from task ",
                      before[bad], " to ", after[bad], ": ", std::string_view(verdict.text));
    }
    if (!verdict.ok()) return status_of(verdict);
    if (!cycle.empty()) return rejected(cycle, ctx);
    return ctx.reply(dag::CreateGrown(ctx.builder(), first, more.count, at->graph.counts().ready));
  }

  // ---- running ----
  Result<dag::Tasks> on(In<dag::Claim> m, Ctx& ctx) {
    const dag::ClaimBody& body = *m->body();
    NamedGraph* at = graphs_.find(body.graph());
    if (at == nullptr) return no_such_graph(ctx, body.graph());
    if (!at->graph.sealed()) return refuse(Refusal::not_sealed, not_sealed);
    begin(ctx);
    claimed_.resize(std::min(body.max(), graphs_.limits().claim));
    std::uint64_t token = 0;
    const std::uint32_t given = at->graph.claim(body.worker(), claimed_, &token);
    const dag::Grant grant(given == 0 ? 0 : token, given == 0 ? 0 : claimed_[0], at->graph.counts().unfinished());
    flatbuffers::FlatBufferBuilder& builder = ctx.builder();
    const auto stop = static_cast<dag::Stop>(at->graph.stopped());
    if (given <= 1) return dag::CreateTasks(builder, &grant, 0, stop);
    return dag::CreateTasks(builder, &grant, builder.CreateVector(claimed_.data() + 1, given - 1), stop);
  }

  Result<dag::Completed> on(In<dag::Complete> m, Ctx& ctx) {
    const dag::CompleteBody& body = *m->body();
    NamedGraph* at = graphs_.find(body.graph());
    if (at == nullptr) return no_such_graph(ctx, body.graph());
    Tally tally;
    const Verdict verdict = at->graph.complete(body.task(), body.token(), m->cached(), m->duration_us(), &tally);
    if (!verdict.ok()) return status_of(verdict);
    const dag::CompletedBody completed(tally.newly_ready, at->graph.counts().unfinished());
    return dag::CreateCompleted(ctx.builder(), &completed);
  }

  Result<dag::Ended> on(In<dag::Fail> m, Ctx& ctx) {
    return ended(*m->body(), ctx, [&](Graph& graph, Tally* tally) {
      return graph.fail(m->body()->task(), m->body()->token(), !m->no_retry(), text_of(m->error()), ctx.now_ns(),
                        tally);
    });
  }
  Result<dag::Ended> on(In<dag::Skip> m, Ctx& ctx) {
    return ended(*m->body(), ctx,
                 [&](Graph& graph, Tally* tally) { return graph.skip(m->body()->task(), m->body()->token(), tally); });
  }

  Result<dag::Beat> on(In<dag::Heartbeat> m, Ctx& ctx) {
    const dag::CompleteBody& body = *m->body();
    const NamedGraph* at = graphs_.find(body.graph());
    if (at == nullptr) return no_such_graph(ctx, body.graph());
    bool cancel = false;
    const Verdict verdict = at->graph.heartbeat(body.task(), body.token(), &cancel);
    if (!verdict.ok()) return status_of(verdict);
    return dag::CreateBeat(ctx.builder(), cancel);
  }

  Result<dag::Released> on(In<dag::Release> m, Ctx& ctx) {
    NamedGraph* at = graphs_.find(m->graph());
    if (at == nullptr) return no_such_graph(ctx, m->graph());
    if (!at->graph.sealed()) return refuse(Refusal::not_sealed, not_sealed);
    begin(ctx);
    Tally tally;
    const std::uint32_t failed = at->graph.counts().failed;
    const std::uint32_t released = at->graph.release(m->worker(), m->lost(), &tally);
    return dag::CreateReleased(ctx.builder(), released, at->graph.counts().failed - failed,
                               static_cast<dag::Stop>(at->graph.stopped()));
  }

  // ---- taking a hand in it ----
  Result<dag::Changed> on(In<dag::Cancel> m, Ctx& ctx) {
    return changed(m->graph(), ctx, [&](Graph& graph, std::uint32_t* count, Tally* tally) {
      return graph.cancel(m->task(), m->subtree(), count, tally);
    });
  }
  Result<dag::Changed> on(In<dag::Retry> m, Ctx& ctx) {
    if (m->what() > dag::RetryOf::FAILED) {
      return refuse(Refusal::bad_argument, "what is none of RetryOf; use TASK, SUBTREE or FAILED");
    }
    return changed(m->graph(), ctx, [&](Graph& graph, std::uint32_t* count, Tally* tally) {
      return graph.retry(static_cast<Again>(m->what()), m->task(), count, tally);
    });
  }
  Result<dag::Changed> on(In<dag::Pause> m, Ctx& ctx) { return pause(m->graph(), true, ctx); }
  Result<dag::Changed> on(In<dag::Resume> m, Ctx& ctx) { return pause(m->graph(), false, ctx); }

  // ---- looking ----
  Result<dag::StatusReply> on(In<dag::Status> m, Ctx& ctx) {
    const NamedGraph* at = graphs_.find(m->graph());
    if (at == nullptr) return no_such_graph(ctx, m->graph());
    const Counts& counts = at->graph.counts();
    return dag::CreateStatusReply(ctx.builder(), counts.waiting, counts.ready, counts.running, counts.succeeded,
                                  at->graph.edges(), at->graph.sealed(), counts.transitions, counts.retry_wait,
                                  counts.cached, counts.failed, counts.upstream_failed, counts.skipped,
                                  counts.cancelled, static_cast<dag::Stop>(at->graph.stopped()));
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

  Result<dag::ProgressInfo> on(In<dag::Progress> m, Ctx& ctx) {
    const NamedGraph* at = graphs_.find(m->graph());
    if (at == nullptr) return no_such_graph(ctx, m->graph());
    return progress_info(ctx.builder(), at->graph, m->workers());
  }

  Result<dag::Chain> on(In<dag::CriticalPath> m, Ctx& ctx) {
    const NamedGraph* at = graphs_.find(m->graph());
    if (at == nullptr) return no_such_graph(ctx, m->graph());
    const Left left = left_of(at->graph);
    const std::size_t shown = std::min<std::size_t>(left.path.size(), chain_shown_max);
    const auto path = ctx.builder().CreateVector(left.path.data(), shown);
    return dag::CreateChain(ctx.builder(), path, static_cast<std::uint32_t>(left.path.size()));
  }

  Result<dag::Explained> on(In<dag::Explain> m, Ctx& ctx) {
    const NamedGraph* at = graphs_.find(m->graph());
    if (at == nullptr) return no_such_graph(ctx, m->graph());
    const Graph& graph = at->graph;
    const std::uint32_t task = m->task();
    if (task >= graph.tasks()) {
      return ctx.fail(static_cast<std::int32_t>(Refusal::no_such_task), "no task has the number ", task,
                      ", the graph has ", graph.tasks(), "; Export lists them");
    }
    return explained(ctx.builder(), graph, task, ctx.now_ns());
  }

  Result<dag::Text> on(In<dag::ExportText> m, Ctx& ctx) {
    const NamedGraph* at = graphs_.find(m->graph());
    if (at == nullptr) return no_such_graph(ctx, m->graph());
    if (m->form() > dag::TextForm::JSON) return refuse(Refusal::bad_argument, "form is neither DOT nor JSON");
    text_.clear();
    constexpr std::uint32_t frame = 128;
    const std::uint64_t next =
        export_text(at->graph, at->name, static_cast<TextForm>(m->form()), m->from(), reply_size_max - frame, text_);
    const auto text = ctx.builder().CreateString(text_);
    return dag::CreateText(ctx.builder(), text, next);
  }

  Result<dag::Dropped> on(In<dag::DropGraph> m, Ctx& ctx) {
    std::uint32_t tasks = 0;
    const Verdict verdict = graphs_.drop(m->graph(), &tasks);
    if (!verdict.ok()) return status_of(verdict);
    return dag::CreateDropped(ctx.builder(), tasks);
  }

  // ---- time and keeping ----
  Status start(Ctx& ctx) {
    graphs_.at(ctx.now_ns());
    armed_ns_ = Resting::never;
    rearm(ctx);
    return ok();
  }
  Status on_timer(std::uint64_t, Ctx& ctx) {
    graphs_.at(ctx.now_ns());
    armed_ns_ = Resting::never;
    rearm(ctx);
    return ok();
  }
  Status snapshot(Sink out) const {
    parts::SinkWriter writer(out);
    if (graphs_.save(writer)) return ok();
    return out.status().ok() ? fail(SYMPHONY_INTERNAL, "the snapshot was not written") : out.status();
  }

  Status restore(Source in, std::uint32_t) {
    parts::SourceReader reader(in);
    if (graphs_.load(reader)) {
      armed_ns_ = 0;  // looked at by the next message, and by start()
      return ok();
    }
    if (!in.status().ok()) return in.status();
    return fail(SYMPHONY_BAD_MESSAGE, "these bytes are no whole DagTracker snapshot; use an older one or load anew");
  }

 private:
  static constexpr std::string_view lists_differ =
      "names, weights, rules, retries, delays and count differ; give one of each for every task";

  // Before anything that a task could take part in whose rest is over. A state without any does not look at the clock.
  void begin(Ctx& ctx) {
    if (armed_ns_ == Resting::never) return;
    graphs_.at(ctx.now_ns());
    rearm(ctx);
  }
  void rearm(Ctx& ctx) {
    const std::uint64_t next_ns = graphs_.next_due_ns();
    if (next_ns == Resting::never && armed_ns_ == Resting::never) return;
    if (next_ns == armed_ns_) return;
    if (next_ns == Resting::never) {
      if (armed_ns_ != 0) (void)ctx.cancel_timer(timer_id);
      armed_ns_ = next_ns;
    } else if (ctx.set_timer(timer_id, next_ns).ok()) {
      armed_ns_ = next_ns;
    }
  }

  static Status rejected(const std::vector<std::uint32_t>& cycle, Ctx& ctx) {
    const std::size_t shown = std::min<std::size_t>(cycle.size(), Limits{}.cycle_path);
    const auto path = ctx.builder().CreateVector(cycle.data(), shown);
    return ctx.reply(dag::CreateCycleRejected(ctx.builder(), path, static_cast<std::uint32_t>(cycle.size())));
  }

  // False: the lists are not of one length. Their views live until the next call.
  bool read_tasks(const dag::AddTasks& from, NewTasks& out) {
    const auto* names = from.names();
    out.count = names != nullptr && from.count() == 0 ? names->size() : from.count();
    out.weights = elements(from.weights());
    out.retries = elements(from.retries());
    out.delays_ms = elements(from.retry_delays_ms());
    if (from.rules() != nullptr) {
      out.rules = {reinterpret_cast<const std::uint8_t*>(from.rules()->data()), from.rules()->size()};
    }
    const auto is_one_each = [&](const auto* list) { return list == nullptr || list->size() == out.count; };
    if (!is_one_each(names) || !is_one_each(from.weights()) || !is_one_each(from.rules()) ||
        !is_one_each(from.retries()) || !is_one_each(from.retry_delays_ms())) {
      return false;
    }
    names_.clear();
    for (std::uint32_t i = 0; names != nullptr && i < out.count; ++i) names_.push_back(text_of(names->Get(i)));
    out.names = names_;
    return true;
  }

  template <class Do>
  Result<dag::Ended> ended(const dag::CompleteBody& body, Ctx& ctx, Do&& end) {
    NamedGraph* at = graphs_.find(body.graph());
    if (at == nullptr) return no_such_graph(ctx, body.graph());
    begin(ctx);
    Tally tally;
    const Verdict verdict = end(at->graph, &tally);
    if (!verdict.ok()) return status_of(verdict);
    rearm(ctx);
    const Graph& graph = at->graph;
    const std::uint32_t task = body.task();
    const std::uint64_t due_ns = graph.state(task) == TaskState::retry_wait ? graph.due_ns(task) : 0;
    const std::uint64_t now_ns = ctx.now_ns();
    return dag::CreateEnded(ctx.builder(), static_cast<dag::TaskState>(graph.state(task)), graph.failures(task),
                            due_ns > now_ns ? due_ns - now_ns : 0, tally.newly_ready, tally.ended,
                            graph.counts().unfinished(), static_cast<dag::Stop>(graph.stopped()));
  }

  template <class Do>
  Result<dag::Changed> changed(std::uint32_t number, Ctx& ctx, Do&& change) {
    NamedGraph* at = graphs_.find(number);
    if (at == nullptr) return no_such_graph(ctx, number);
    begin(ctx);
    std::uint32_t count = 0;
    Tally tally;
    const Verdict verdict = change(at->graph, &count, &tally);
    if (!verdict.ok()) return status_of(verdict);
    rearm(ctx);
    return dag::CreateChanged(ctx.builder(), count, tally.newly_ready, at->graph.counts().unfinished());
  }

  Result<dag::Changed> pause(std::uint32_t number, bool paused, Ctx& ctx) {
    return changed(number, ctx, [paused](Graph& graph, std::uint32_t*, Tally*) {
      graph.pause(paused);
      return Verdict{};
    });
  }

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
  std::uint64_t armed_ns_ = Resting::never;  // the timer's; not never: something may rest
  // Reused between messages.
  std::vector<std::uint32_t> claimed_, attempts_;
  std::vector<std::uint8_t> states_;
  std::vector<std::string_view> names_;
  std::vector<flatbuffers::Offset<flatbuffers::String>> offsets_;
  std::string text_;
};

SYMPHONY_PIT(DagTracker, dag_tracker, "1.1.0", once<dag::CreateGraph>, read<dag::FindGraph>, once<dag::AddTasks>,
             idempotent<dag::AddEdges>, idempotent<dag::Seal>, once<dag::Claim>, idempotent<dag::Complete>,
             idempotent<dag::Release>, read<dag::Status>, read<dag::Export>, idempotent<dag::DropGraph>,
             once<dag::AddDynamic>, idempotent<dag::Fail>, idempotent<dag::Skip>, read<dag::Heartbeat>,
             idempotent<dag::Cancel>, once<dag::Retry>, idempotent<dag::Pause>, idempotent<dag::Resume>,
             read<dag::Progress>, read<dag::CriticalPath>, read<dag::Explain>, read<dag::ExportText>);

}  // namespace symphony::pit::tracker
