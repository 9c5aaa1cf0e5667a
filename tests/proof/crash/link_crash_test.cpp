// What could go wrong: the ring keeps what it promises, and the code that callers and pits run above it does not: a
// reply is lost, a call ends twice or never, or one that may run once runs again. Here LinkCore and ServedLink are what
// is killed after each instruction, and what goes on living.
#include <gtest/gtest.h>

#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>

#include "bus/endpoint/served_link.hpp"
#include "tests/proof/crash/figures.hpp"
#include "tests/proof/crash/peer.hpp"
#include "tests/proof/crash/recovery.hpp"
#include "tests/proof/crash/victim.hpp"
#include "tests/support/samples.hpp"
#include "tests/unit/endpoint/epoch_fixture.hpp"

namespace symphony::proof {
namespace {

#define SKIP_WITHOUT_TRACING() \
  if (const std::string why = tracing_works(); !why.empty()) GTEST_SKIP() << why

constexpr std::uint32_t reply_size = 50;
constexpr std::uint32_t reply_size_max = 600;
constexpr CallOptions once_call{.timeout_ns = 3600 * second_ns, .effect = Effect::once};
constexpr CallOptions read_call{.timeout_ns = 3600 * second_ns, .effect = Effect::read};

// How often the handler of each request began, in memory that outlives it.
struct Runs {
  std::array<std::uint32_t, 256> of{};
};

struct Handler : RequestHandler {
  explicit Handler(Runs& in) : runs(&in) {}
  void on_request(const Request& request, ReplyWriter& reply) noexcept override {
    const std::uint64_t id = request.envelope.id;
    const bool whole = std::ranges::equal(request.body, body_of(Direction::request, id, request.body.size()));
    note(runs->of[id], runs->of[id] + 1);
    if (!whole || id <= last_id) torn_or_disordered = true;
    last_id = id;
    attempt = request.envelope.attempt;
    const auto bytes = reply.claim(reply_size);
    if (bytes.size() < reply_size) return;
    std::ranges::copy(body_of(Direction::reply, id, reply_size), bytes.begin());
    reply.commit(reply_size, 9);
  }
  Runs* runs;
  std::uint64_t last_id = 0;
  std::uint8_t attempt = 0;
  bool torn_or_disordered = false;
};

// Mappings are absent from children by default: a proof's children are both ends of the link.
TestEpoch epoch_for_children(control::Epoch number) {
  TestEpoch epoch = make_epoch(number);
  for (const Mapping* mapping : {&epoch.caller->own, &epoch.caller->peer, &epoch.caller->peer_data, &epoch.pit->own,
                                 &epoch.pit->peer, &epoch.pit->peer_data}) {
    SYMPHONY_CHECK(::madvise(mapping->data(), mapping->size(), MADV_DOFORK) == 0);
  }
  return epoch;
}

// What both ends of an epoch wrote.
class EpochMemory {
 public:
  explicit EpochMemory(const TestEpoch& epoch)
      : caller_({epoch.caller->own.data(), epoch.caller->own.size()}),
        pit_({epoch.pit->own.data(), epoch.pit->own.size()}) {
    save();
  }
  void save() {
    caller_saved_.assign(caller_.begin(), caller_.end());
    pit_saved_.assign(pit_.begin(), pit_.end());
  }
  void restore() const {
    std::ranges::copy(caller_saved_, caller_.begin());
    std::ranges::copy(pit_saved_, pit_.begin());
  }
  [[nodiscard]] const PitWords& pit_words() const {
    return *reinterpret_cast<const PitWords*>(pit_.data() + words_offset);
  }
  [[nodiscard]] const CallerWords& caller_words() const {
    return *reinterpret_cast<const CallerWords*>(caller_.data() + words_offset);
  }

 private:
  std::span<std::byte> caller_, pit_;
  std::vector<std::byte> caller_saved_, pit_saved_;
};

// A link with one call answered and not taken, one about to be served, two behind it; and the epoch that will follow.
struct Stage {
  explicit Stage(const CallOptions& next_call)
      : next_epoch(epoch_for_children(2)), runs_bytes(sizeof(Runs)), runs(*::new (runs_bytes.data()) Runs) {
    TestEpoch epoch = epoch_for_children(1);
    memory.emplace(epoch);
    next_memory.emplace(next_epoch);
    link.emplace(control, mailbox, std::move(epoch.caller), LinkOptions{.in_flight_max = 64});
    served.emplace(std::move(epoch.pit), reply_size_max);
    for (std::uint32_t i = 0; i < 70; ++i) {
      const CallId id = start(i * 37 % 300, read_call);
      serve();
      if (!link->try_take(id)) SYMPHONY_CHECK(false);
    }
    answered = start(30, once_call);
    serve();
    next = start(40, next_call);
    behind = start(50, once_call);
    last = start(60, read_call);
    memory->save();
    runs_saved = runs;
  }
  CallId start(std::uint32_t size, const CallOptions& options) {
    const std::uint64_t id = started + 1;
    const auto given = link->try_start(5, body_of(Direction::request, id, size), options);
    SYMPHONY_CHECK(given.has_value() && *given == id);
    return started = id;
  }
  void serve() {
    Handler handler(runs);
    SYMPHONY_CHECK(served->serve_one(handler, counters, now_ns()) == ServedLink::Turn::served);
  }
  void go_back() {
    memory->restore();
    next_memory->restore();
    runs = runs_saved;
  }
  // A child's copies of the handles are its own.
  void belong_to_this_process() { control->guard = ForkGuard::make().value(); }

  std::shared_ptr<FakeControl> control = std::make_shared<FakeControl>();
  std::shared_ptr<LinkMailbox> mailbox = std::make_shared<LinkMailbox>();
  TestEpoch next_epoch;
  std::optional<EpochMemory> memory, next_memory;
  std::optional<LinkCore> link;
  std::optional<ServedLink> served;
  ServiceCounters counters;
  SharedBytes runs_bytes;
  Runs& runs;
  Runs runs_saved;
  CallId started = 0, answered = 0, next = 0, behind = 0, last = 0;
};

struct Count {
  std::uint64_t points = 0;
  std::uint64_t survived = 0;
  std::uint64_t of = 0;  // instructions of the operation
  std::string first_wrong;
  Count& operator+=(const Count& other) {
    points += other.points;
    survived += other.survived;
    of += other.of;
    return *this;
  }
};

// Runs the victim until it has executed `point` instructions, whichever they are.
void step_to(Victim& victim, std::size_t point) {
  while (point-- != 0 && victim.step()) {
  }
}

// `operation` is killed after each of its instructions, or each `every`th, while `living` runs; living gets the
// victim's pidfd. What the living does may change the victim's way: then its instructions are counted from the start.
template <class Operation, class Living>
Count kill_everywhere(const char* name, Stage& stage, std::size_t every, Operation&& operation, Living&& living) {
  Count count;
  stage.go_back();
  const Path path = Path::of(operation);
  count.of = path.points();
  for (std::size_t point = every == 1 ? 0 : test_run::seed() % every; point < path.points(); point += every) {
    std::string wrong;
    bool led = false;
    for (const bool by_address : {true, false}) {
      if (led) break;
      stage.go_back();
      Victim victim(operation);
      auto body = [&] { return std::string(living(victim.pidfd())); };
      Peer peer(body);
      led = !by_address || path.lead(victim, point);
      if (!by_address) step_to(victim, point);
      victim.kill();
      wrong = peer.finding();
      if (!wrong.empty()) break;
    }
    ++count.points;
    if (wrong.empty()) ++count.survived;
    if (!wrong.empty() && count.first_wrong.empty()) {
      count.first_wrong = wrong + " (after instruction " + std::to_string(point) + ")";
    }
  }
  EXPECT_EQ(count.first_wrong, "") << name;
  std::printf("%-40s %4d of %4d points, %d instructions\n", name, static_cast<int>(count.survived),
              static_cast<int>(count.points), static_cast<int>(count.of));
  return count;
}

void write_points(const std::string& name, const Count& count, TimeNs start_ns, const std::string& text) {
  write_count(name, count.survived, count.points, count.points, start_ns,
              text + ", at " + std::to_string(count.points) + " of its " + std::to_string(count.of) + " instructions",
              test_run::seed());
}

// Of operations whose instructions are too many for the ordinary lane.
[[nodiscard]] std::size_t one_in(std::size_t n) { return long_lane() ? 1 : n; }

// ---- the pit dies while it serves

// How the caller learns of it: when the pit is dead, or before, as when it takes the pit for faulty.
enum class Notice : std::uint8_t { when_dead, early };

// The link's caller, its death notice, its next epoch, and the new instance that serves it.
std::string outlive_pit(Stage& stage, int pidfd, const CallOptions& next_call, Notice notice) {
  stage.belong_to_this_process();
  if (notice == Notice::early) stage.mailbox->post(link_event::PeerDied{1});
  while (!is_dead(pidfd)) {
    (void)stage.link->try_take(0);
    ::sched_yield();
  }
  if (notice == Notice::when_dead) stage.mailbox->post(link_event::PeerDied{1});
  stage.mailbox->post(link_event::NewEpoch{std::move(stage.next_epoch.caller)});
  (void)stage.link->try_take(0);
  const std::uint32_t ran_before = stage.runs.of[stage.next];
  const bool begun = stage.memory->pit_words().requests_begun > stage.memory->pit_words().requests_handled;
  ServedLink fresh(std::move(stage.next_epoch.pit), reply_size_max);
  Handler handler(stage.runs);
  for (int turn = 0; fresh.serve_one(handler, stage.counters, now_ns()) == ServedLink::Turn::served;) {
    if (++turn > 3) return "I5: the new instance does not come to an end";
  }
  if (fresh.fault() != RingFault::none || handler.torn_or_disordered) return "D4: what was sent again is not whole";
  for (const CallId id : {stage.answered, stage.next, stage.behind, stage.last}) {
    const auto reply = stage.link->try_take(id);
    if (!reply) return wrong("I1: call %d has no ending", int(id));
    if (stage.link->try_take(id)) return wrong("I1: call %d ends twice", int(id));
    const bool right = std::ranges::equal(reply->body, body_of(Direction::reply, id, reply_size));
    const std::uint32_t ran = stage.runs.of[id];
    if (reply->status == status::ok) {
      if (!right || ran == 0) return wrong("I2: call %d has a wrong reply", int(id));
    } else if (reply->status != status::crashed || id != stage.next || next_call.effect != Effect::once || !begun) {
      return wrong("I9: call %d ended with status %d", int(id), int(reply->status));
    }
    const std::uint32_t runs_max = id == stage.next && next_call.effect != Effect::once ? 2 : 1;
    if (ran > runs_max) return wrong("I9: call %d ran %d times", int(id), int(ran));
    if (id != stage.next && ran != 1) return wrong("I1: call %d was not to run", int(id));
  }
  if (ran_before == 0 && stage.runs.of[stage.next] == 0 && !begun) return "I9: a call that was never begun did not run";
  if (stage.link->counters().late_replies != 0) return "I1: a reply that nobody waits for";
  return {};
}

TEST(LinkCrash, APitKilledAnywhereInARequestLosesNoCallAndRepeatsNoneThatRunsOnce) {
  SKIP_WITHOUT_TRACING();
  const TimeNs start = now_ns();
  Count sum;
  struct Case {
    const char* name;
    const CallOptions& options;
    Notice notice;
  };
  for (const Case& c : {Case{"serve a call that runs once", once_call, Notice::when_dead},
                        Case{"serve it for a caller that gave up", once_call, Notice::early},
                        Case{"serve a call that may run again", read_call, Notice::when_dead}}) {
    Stage stage(c.options);
    const TimeNs now = now_ns();
    sum += kill_everywhere(
        c.name, stage, one_in(3),
        [&] {
          Handler handler(stage.runs);
          (void)stage.served->serve_one(handler, stage.counters, now);
        },
        [&](int pidfd) { return outlive_pit(stage, pidfd, c.options, c.notice); });
  }
  write_points("link.crash_points.serve", sum, start, "SIGKILLs in ServedLink::serve_one; LinkCore lives");
}

// ---- the caller dies

// The pit, which serves what is there and what still comes, and drains when its caller is dead: `first` to some id up
// to `last`, each once and in order.
std::string outlive_caller(Stage& stage, ServedLink& pit, int pidfd, CallId first, CallId last, CallId left_out) {
  Handler handler(stage.runs);
  handler.last_id = first - 1;
  while (!is_dead(pidfd)) {
    if (pit.serve_one(handler, stage.counters, now_ns()) == ServedLink::Turn::faulted) return "I1: the ring is faulted";
    ::sched_yield();
  }
  pit.drain(handler, stage.counters);
  if (pit.fault() != RingFault::none) return "I1: the ring is faulted";
  if (handler.torn_or_disordered || handler.last_id > last) return "I2: a request that is not whole or out of order";
  for (CallId id = first; id <= last; ++id) {
    const std::uint32_t due = id != left_out && id <= handler.last_id ? 1 : 0;
    if (stage.runs.of[id] != due) return wrong("I1: call %d ran %d times", int(id), int(stage.runs.of[id]));
  }
  return {};
}

TEST(LinkCrash, ACallerKilledAnywhereInACallLeavesAWholeRequestOrNone) {
  SKIP_WITHOUT_TRACING();
  const TimeNs start = now_ns();
  Stage stage(once_call);
  const auto request = body_of(Direction::request, stage.started + 1, 100);
  Count sum = kill_everywhere(
      "start a call", stage, one_in(2),
      [&] {
        stage.belong_to_this_process();
        (void)stage.link->try_start(5, request, once_call);
      },
      [&](int pidfd) {
        std::string found = outlive_caller(stage, *stage.served, pidfd, stage.next, stage.started + 1, 0);
        if (found.empty() && stage.runs.of[stage.last] != 1) found = "I1: a request that had been sent did not run";
        return found;
      });
  sum += kill_everywhere(
      "close a link", stage, one_in(16),
      [&] {
        stage.belong_to_this_process();
        stage.link->close();
      },
      [&](int pidfd) {
        std::string found = outlive_caller(stage, *stage.served, pidfd, stage.next, stage.last, 0);
        if (found.empty() && stage.runs.of[stage.last] != 1) found = "I1: a request that had been sent did not run";
        return found;
      });
  write_points("link.crash_points.call", sum, start, "SIGKILLs in LinkCore::try_start and close; ServedLink lives");
}

// The pit died while it executed a call that runs once. Its caller, which sends the others again, dies too.
TEST(LinkCrash, ACallerKilledAnywhereInARedeliverySendsABeginningOfItWhole) {
  SKIP_WITHOUT_TRACING();
  const TimeNs start = now_ns();
  Stage stage(once_call);
  struct DyingHandler : RequestHandler {
    EpochMemory* memory = nullptr;
    void on_request(const Request&, ReplyWriter&) noexcept override { memory->save(); }
  } dying;
  dying.memory = &*stage.memory;
  (void)stage.served->serve_one(dying, stage.counters, now_ns());
  stage.mailbox->post(link_event::PeerDied{1});
  stage.mailbox->post(link_event::NewEpoch{std::move(stage.next_epoch.caller)});
  ServedLink fresh(std::move(stage.next_epoch.pit), reply_size_max);
  const Count count = kill_everywhere(
      "send again after a death", stage, one_in(16),
      [&] {
        stage.belong_to_this_process();
        (void)stage.link->try_take(0);
      },
      [&](int pidfd) { return outlive_caller(stage, fresh, pidfd, stage.next, stage.last, stage.next); });
  write_points("link.crash_points.redelivery", count, start,
               "SIGKILLs in LinkCore's redelivery; the new instance's ServedLink lives");
}

// ---- both die

TEST(LinkCrash, APitKilledAnywhereInItsDrainOfADeadCallerRanEachRequestOnceAtMost) {
  SKIP_WITHOUT_TRACING();
  const TimeNs start = now_ns();
  Stage stage(once_call);
  const Count count = kill_everywhere(
      "drain a dead caller's requests", stage, one_in(16),
      [&] {
        Handler handler(stage.runs);
        stage.served->drain(handler, stage.counters);
      },
      [&](int pidfd) -> std::string {
        // Words that only rise, read from the lowest up: never out of order, not even while they are written.
        for (bool dead = false; !dead;) {
          dead = is_dead(pidfd);
          ::sched_yield();
          const volatile PitWords& words = stage.memory->pit_words();
          const std::uint64_t freed = words.requests_freed, handled = words.requests_handled,
                              begun = words.requests_begun;
          if (freed > handled || handled > begun) return "I3: freed, handled and begun are out of order";
        }
        const auto& runs = stage.runs.of;
        if (runs[stage.next] > 1 || runs[stage.behind] > runs[stage.next] || runs[stage.last] > runs[stage.behind]) {
          return "I1: a request was left out or ran twice";
        }
        const bool closed = stage.memory->pit_words().side.state == static_cast<std::uint32_t>(SideState::closed);
        return closed && runs[stage.last] == 0 ? "I6: closed, and not everything has run" : "";
      });
  write_points("link.crash_points.drain", count, start, "SIGKILLs in ServedLink::drain; a reader lives");
}

}  // namespace
}  // namespace symphony::proof
