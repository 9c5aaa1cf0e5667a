// Recorded work, replayed in every mode: each reply and each snapshot, byte for byte what the linked-in pit gave.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <span>

#include "bench/support/figure.hpp"
#include "tests/conformance/mounted.hpp"
#include "tools/symphony/graph/graph_input.hpp"

namespace symphony {
namespace {

// What a run gave: replies in order with status, type and text, and a snapshot wherever the trace takes one.
struct Recorded {
  std::vector<std::byte> replies;
  std::size_t count = 0;
  std::vector<PitState> states;

  void add(const Reply& reply) {
    const std::int64_t head[4] = {reply.status, reply.type, static_cast<std::int64_t>(reply.body.size()),
                                  static_cast<std::int64_t>(reply.text.size())};
    append(std::as_bytes(std::span(head)));
    append(reply.body);
    append(std::as_bytes(std::span(reply.text)));
    ++count;
  }
  void take(Conductor& conductor, std::string_view name) {
    const StepResult taken = conductor.snapshot(name, states.emplace_back());
    EXPECT_TRUE(taken.ok()) << taken.text;
  }

 private:
  void append(std::span<const std::byte> bytes) { replies.insert(replies.end(), bytes.begin(), bytes.end()); }
};

void expect_equal(const Recorded& wanted, const Recorded& got) {
  EXPECT_EQ(wanted.count, got.count);
  const auto differ =
      std::mismatch(wanted.replies.begin(), wanted.replies.end(), got.replies.begin(), got.replies.end());
  EXPECT_TRUE(wanted.replies == got.replies) << "they differ at byte " << differ.first - wanted.replies.begin();
  ASSERT_EQ(wanted.states.size(), got.states.size());
  for (std::size_t i = 0; i < wanted.states.size(); ++i) {
    EXPECT_EQ(wanted.states[i].revision, got.states[i].revision);
    EXPECT_TRUE(wanted.states[i].bytes == got.states[i].bytes) << "snapshot " << i;
    EXPECT_EQ(wanted.states[i].timers, got.states[i].timers) << "snapshot " << i;
  }
}

template <class T>
void send(Recorded& into, Caller& caller, flatbuffers::FlatBufferBuilder& b, flatbuffers::Offset<T> request) {
  b.Finish(request);
  into.add(caller.call(type_id_of<T>, {reinterpret_cast<const std::byte*>(b.GetBufferPointer()), b.GetSize()}));
  b.Clear();
}

std::string archive_list() {
  std::string largest;
  std::uintmax_t size = 4'000'000;  // the archive's own list, not one of updates
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/var/lib/apt/lists", none)) {
    if (!entry.is_regular_file(none) || entry.path().filename().string().find("_Packages") == std::string::npos)
      continue;
    if (const auto here = entry.file_size(none); !none && here > size) {
      size = here;
      largest = entry.path().string();
    }
  }
  return largest;
}

// Loads the graph, works through it in batches, and keeps the state half-way and at the end.
Recorded work_through(Mode mode, const tools::TaskGraph& graph) {
  constexpr std::size_t batch = 2'000;
  constexpr std::uint32_t claim_max = 64;
  Recorded recorded;
  Mounted pit(mode, "dag_tracker", symphony_pit_dag_tracker());
  flatbuffers::FlatBufferBuilder b;
  send(recorded, pit.caller, b, dag::CreateCreateGraph(b, b.CreateString("archive"), 7));
  for (std::size_t i = 0; i < graph.names.size(); i += batch) {
    std::vector<flatbuffers::Offset<flatbuffers::String>> names;
    for (std::size_t j = i; j < std::min(graph.names.size(), i + batch); ++j) {
      names.push_back(b.CreateString(graph.names[j].data(), std::min<std::size_t>(graph.names[j].size(), 255)));
    }
    send(recorded, pit.caller, b, dag::CreateAddTasks(b, 1, b.CreateVector(names)));
  }
  for (std::size_t i = 0; i < graph.edges.size(); i += batch) {
    std::vector<std::uint32_t> before, after;
    for (std::size_t j = i; j < std::min(graph.edges.size(), i + batch); ++j) {
      before.push_back(graph.edges[j].before);
      after.push_back(graph.edges[j].after);
    }
    send(recorded, pit.caller, b, dag::CreateAddEdges(b, 1, b.CreateVector(before), b.CreateVector(after)));
  }
  send(recorded, pit.caller, b, dag::CreateSeal(b, 1));
  std::size_t done = 0;
  for (bool any = true; any;) {
    any = false;
    const dag::ClaimBody claim(1, 1, claim_max);
    const auto claimed = call<dag::Tasks>(pit.caller, b, dag::CreateClaim(b, &claim));
    recorded.add(claimed.reply);
    if (!claimed) break;
    // Copied out: the next call uses the memory.
    std::vector<dag::CompleteBody> ended;
    if (claimed->grant() != nullptr && claimed->grant()->token() != 0) {
      ended.emplace_back(claimed->grant()->token(), 1, claimed->grant()->task());
    }
    if (claimed->more() != nullptr) {
      for (std::uint32_t i = 0; i < claimed->more()->size(); ++i) {
        ended.emplace_back(claimed->grant()->token() + 1 + i, 1, claimed->more()->Get(i));
      }
    }
    for (const dag::CompleteBody& complete : ended) {
      send(recorded, pit.caller, b, dag::CreateComplete(b, &complete));
      any = true;
      if (++done == graph.names.size() / 2) recorded.take(*pit.conductor, "dag_tracker");
    }
  }
  EXPECT_EQ(done, graph.names.size());
  send(recorded, pit.caller, b, dag::CreateStatus(b, 1));
  recorded.take(*pit.conductor, "dag_tracker");
  return recorded;
}

TEST(Traces, TheWholeArchiveWorkedThroughByDagTrackerIsTheSameInEveryMode) {
  const std::string list = archive_list();
  if (list.empty()) GTEST_SKIP() << "apt has no list of a whole archive here: apt-get update";
  auto graph = tools::load_graph(list, {.condense = true});
  ASSERT_TRUE(graph) << graph.error().text;
  const tools::TaskGraph& tasks = graph->graph;
  ASSERT_GT(tasks.names.size(), 10'000u);
  const TimeNs start = now_ns();
  const Recorded linked = work_through(Mode::static_, tasks);
  EXPECT_GT(linked.count, tasks.names.size());
  std::size_t equal = 0;
  for (const Mode mode : modes_built()) {
    SCOPED_TRACE(to_string(mode));
    expect_equal(linked, work_through(mode, tasks));
    equal += !HasFailure();
  }
  bench::Figure figure;
  figure.name = "contract.modes_equal";
  figure.value = static_cast<double>(equal);
  figure.of = 4;
  figure.unit = "count";
  figure.n = linked.count;
  figure.seconds = static_cast<double>(now_ns() - start) / static_cast<double>(second_ns);
  figure.note = "modes whose replies and two snapshots are the linked-in pit's, byte for byte: DagTracker on " +
                std::to_string(tasks.names.size()) + " tasks and " + std::to_string(tasks.edges.size()) + " edges";
  EXPECT_TRUE(bench::write_figure(figure).has_value());
}

// Relay's answers come later and by way of another pit; its timers run by a clock that is fed.
Recorded relay_work(Mode mode) {
  Recorded recorded;
  Relay relay(mode);
  const auto feed = [&](std::uint64_t seed, TimeNs at_ns) {
    const StepResult fed = relay.conductor->feed("relay", seed, at_ns);
    EXPECT_TRUE(fed.ok()) << fed.text;
  };
  feed(5, 1'000);
  for (std::uint64_t i = 1; i <= 40; ++i) {
    recorded.add(relay.ask("caller " + std::to_string(i)).reply);
    recorded.add(relay.arm(i, 10 + 37 * i % 50).reply);
    if (i % 4 == 0) feed(5 + i, 1'000 + static_cast<TimeNs>(i) * 15);
    if (i % 10 == 0) recorded.take(*relay.conductor, "relay");
  }
  PitState state = recorded.states[1];
  const StepResult restored = relay.conductor->restore("relay", state);
  EXPECT_TRUE(restored.ok()) << restored.text;
  feed(9, 5'000);
  recorded.add(relay.arm(0, 0).reply);
  recorded.take(*relay.conductor, "relay");
  return recorded;
}

TEST(Traces, LaterAnswersCallsOfAnotherPitAndTimersAreTheSameInEveryMode) {
  const Recorded linked = relay_work(Mode::static_);
  EXPECT_EQ(linked.count, 81u);
  EXPECT_FALSE(linked.states[0].timers.empty()) << "no timer travels with this trace's states";
  for (const Mode mode : modes_built()) {
    SCOPED_TRACE(to_string(mode));
    expect_equal(linked, relay_work(mode));
  }
}

}  // namespace
}  // namespace symphony
