// Instances led by hand: making and destroying them, calls before they run, many of them in one process.
#include <array>
#include <memory>
#include <string>

#include "tools/pit_check/by_hand.hpp"
#include "tools/pit_check/caller.hpp"
#include "tools/pit_check/cases.hpp"
#include "tools/pit_check/process_facts.hpp"

namespace symphony::pit_check {
namespace instance {
namespace {

void before_it_runs(Trial& trial) {
  const auto instance = make(trial);
  pit::Snapshot none;
  const auto refuse = [&](const char* where) {
    const auto text = [&](const char* what) { return std::string(what) + " of a pit that is " + where; };
    Trial::require_refused(instance->drain(0), SYMPHONY_BAD_STATE, text("drain"));
    Trial::require_refused(instance->stop(), SYMPHONY_BAD_STATE, text("stop"));
    Trial::require_refused(instance->snapshot(none), SYMPHONY_BAD_STATE, text("snapshot"));
    Trial::require(send(*instance, {unlisted_type(trial), {}}).status == SYMPHONY_BAD_STATE, text("handle"));
    Trial::require(!instance->run_timer(fed_start_ns), text("timer"));
  };
  refuse("CREATED");
  Trial::require_refused(instance->start(), SYMPHONY_BAD_STATE, "start before init");
  Trial::require_refused(instance->restore(none), SYMPHONY_BAD_STATE, "restore before init");
  Trial::require_ok(instance->init(), "init");
  refuse("INITED");
  Trial::require_refused(instance->init(), SYMPHONY_BAD_STATE, "a second init");
  Trial::require_ok(instance->start(), "start");
  Trial::require_refused(instance->init(), SYMPHONY_BAD_STATE, "init of a running pit");
  Trial::require_refused(instance->start(), SYMPHONY_BAD_STATE, "a second start");
  Trial::require_refused(instance->restore(none), SYMPHONY_BAD_STATE, "restore of a running pit");
  instance->feed(7, fed_start_ns);
  if (const auto fault = fault_of(trial.note(), {send(*instance, {unlisted_type(trial), {}}).status, 0, {}, {}})) {
    Trial::fail("after refused calls, a message: " + *fault);
  }
}

void destroyed_in_each_state(Trial& trial) {
  make(trial).reset();
  {
    const auto inited = make(trial);
    Trial::require_ok(inited->init(), "init");
  }
  make_running(trial).reset();
  for (const bool stopped : {false, true}) {
    const auto instance = make_running(trial);
    Trial::require_ok(instance->drain(0), "drain");
    if (stopped) Trial::require_ok(instance->stop(), "stop");
  }
}

void nothing_grows(Trial& trial) {
  constexpr int warm_up = 100;
  constexpr int rounds = 1'000;
  // Less than one byte an instance: what a growing table of the allocator or of the loader may take.
  constexpr std::int64_t heap_slack = 512;
  constexpr std::int64_t mappings_slack = 32;  // an allocator's own; AddressSanitizer's keeps what was freed
  const auto run = [&](int count) {
    for (int i = 0; i < count; ++i) make_running(trial).reset();
  };
  run(warm_up);
  (void)holdings();
  const Holdings before = holdings();
  run(rounds);
  const Holdings after = holdings();
  const auto compare = [](std::int64_t was, std::int64_t is, std::int64_t slack, const char* what) {
    if (is > was + slack) {
      Trial::fail("1,000 instances made and destroyed left " + std::to_string(is - was) + " more " + what);
    }
  };
  compare(before.heap_size, after.heap_size, heap_slack, "bytes of memory");
  compare(before.descriptors, after.descriptors, 0, "descriptors");
  compare(before.mappings, after.mappings, mappings_slack, "mappings");
  compare(before.threads, after.threads, 0, "threads");
}

void no_thread_is_left(Trial& trial) {
  const Corpus corpus(trial);
  const std::int64_t before = holdings().threads;
  const auto instance = make_running(trial);
  for (int i = 0; i < 50; ++i) (void)send(*instance, corpus.any(trial.random));
  const std::int64_t after = holdings().threads;
  Trial::require(after <= before, "the pit runs " + std::to_string(after - before) +
                                      " threads of its own: then nobody can say when it is entered");
}

void configurations_are_judged(Trial& trial) {
  const std::string long_text(65'536, ' ');
  const Body random = random_bytes(trial.random, 200);
  const std::string_view texts[] = {"{}",      "{",
                                    "null",    "[1,2",
                                    "\"",      "{\"symphony_pit_check\": 1}",
                                    long_text, {reinterpret_cast<const char*>(random.data()), random.size()}};
  for (const std::string_view text : texts) {
    std::unique_ptr<pit::Instance> instance;
    const pit::Outcome made = trial.stage.make_instance({.config = text, .seed = 7}, instance);
    if (const auto fault = fault_of(trial.note(), {made.status, 0, {}, {}})) {
      Trial::fail("create with a configuration of " + std::to_string(text.size()) + " bytes: " + *fault);
    }
  }
  (void)make_running(trial);
}

void instances_share_nothing(Trial& trial) {
  const Corpus corpus(trial);
  std::vector<const Message*> sent;
  for (int i = 0; i < 60; ++i) sent.push_back(&corpus.any(trial.random));
  const auto endings_of = [&](pit::Instance& instance) {
    std::vector<Ending> endings;
    for (const Message* message : sent) endings.push_back(send(instance, *message));
    return endings;
  };
  const auto first = make_running(trial);
  const auto idle = make_running(trial);
  const bool has_state = trial.note().state_revision != 0;
  pit::Snapshot before, after;
  if (has_state) Trial::require_ok(idle->snapshot(before), "snapshot");
  const std::vector<Ending> expected = endings_of(*first);
  if (has_state) {
    Trial::require_ok(idle->snapshot(after), "snapshot");
    Trial::require(same_state(before, after), "messages to one instance changed the state of another");
  }
  const std::vector<Ending> got = endings_of(*idle);
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i] == expected[i]) continue;
    Trial::fail("what one instance answered with " + expected[i].described() +
                ", a second one in the same process, "
                "sent the same, answered with " +
                got[i].described() + ": state outside the instance");
  }
}

void keeps_the_rules(Trial& trial) {
  const Corpus corpus(trial);
  Blames blames;
  std::unique_ptr<pit::Instance> instance;
  Trial::require_ok(trial.stage.make_instance({.log = &blames, .seed = 7}, instance), "create");
  Trial::require_ok(instance->init(), "init");
  Trial::require_ok(instance->start(), "start");
  for (int i = 0; i < 1'000; ++i) {
    const Message& message = corpus.any(trial.random);
    (void)send(*instance,
               below(trial.random, 2) == 0 ? message : Message{message.type, damaged(trial.random, message.body)});
    (void)instance->run_timer(now_ns());
  }
  if (trial.note().state_revision != 0) {
    pit::Snapshot taken;
    Trial::require_ok(instance->snapshot(taken), "snapshot");
  }
  Trial::require_ok(instance->drain(0), "drain");
  Trial::require_ok(instance->stop(), "stop");
  instance.reset();
  if (!blames.lines().empty()) Trial::fail("the host's log: " + blames.lines().front());
}

constexpr std::array cases{
    Case{"instance.refuses_before_it_runs", "each call before its state, or twice, is refused; then it runs",
         Ground::instance, &before_it_runs},
    Case{"instance.goes_in_each_state", "an instance can be destroyed in every state", Ground::instance,
         &destroyed_in_each_state},
    Case{"instance.leaves_nothing", "made and destroyed 1,000 times: no memory, descriptor, mapping, thread more",
         Ground::instance, &nothing_grows},
    Case{"instance.has_no_threads", "the pit starts no thread", Ground::instance, &no_thread_is_left},
    Case{"instance.judges_configurations", "any configuration is taken or refused with a status", Ground::instance,
         &configurations_are_judged},
    Case{"instance.shares_nothing", "two instances of one process do not share state", Ground::instance,
         &instances_share_nothing},
    Case{"instance.keeps_the_rules", "one reply a request, claims within the note, no call out of place",
         Ground::instance, &keeps_the_rules},
};

}  // namespace
}  // namespace instance

std::span<const Case> instance_cases() noexcept { return instance::cases; }

}  // namespace symphony::pit_check
