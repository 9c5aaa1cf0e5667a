// Every request has exactly one ending, whoever sends how many.
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <thread>

#include "tools/pit_check/caller.hpp"
#include "tools/pit_check/cases.hpp"
#include "tools/pit_check/process_facts.hpp"

namespace symphony::pit_check {
namespace ending {
namespace {

pit::Request request_of(const Trial& trial, const Message& message, TimeNs timeout_ns = call_timeout_ns) {
  return {message.type, trial.note().effect_of(message.type).value_or(SYMPHONY_EFFECT_ONCE), message.body,
          now_ns() + timeout_ns};
}

// Takes the endings that are there, each of a tag that is out; waits for one when there is none.
void take_some(Trial& trial, pit::Link& link, std::vector<int>& endings, std::size_t& ended) {
  std::uint64_t tag = 0;
  pit::Reply reply;
  bool took = false;
  while (link.try_take(tag, reply)) {
    took = true;
    Trial::require(tag < endings.size(), "an ending came for a call that nobody made");
    if (++endings[tag] != 1) Trial::fail("call " + std::to_string(tag) + " ended twice");
    ++ended;
    if (const auto fault = fault_of(trial.note(), reply)) Trial::fail(*fault);
  }
  if (took) return;
  const pit::Link::Wait wait = link.prepare_wait();
  if (wait.until_ns <= 0) return;
  pollfd on{wait.fd, POLLIN, 0};
  (void)::poll(&on, wait.fd >= 0 ? 1 : 0, 1);
}

void require_balance(pit::Link& link, std::uint64_t calls) {
  const pit::Tally tally = link.tally();
  if (tally.calls != calls || tally.ended != calls || tally.dropped != 0) {
    Trial::fail(std::to_string(calls) + " calls: the link counts " + std::to_string(tally.calls) + " calls, " +
                std::to_string(tally.ended) + " endings, " + std::to_string(tally.dropped) + " second ones");
  }
}

// Starts `count` calls on each link, all at once as far as there is room, and takes their endings.
void start_and_take(Trial& trial, const Corpus& corpus, pit::Host& host, std::size_t links, std::size_t count) {
  struct Line {
    std::unique_ptr<pit::Link> link;
    std::vector<int> endings;
    std::size_t started = 0;
    std::size_t ended = 0;
  };
  std::vector<Line> lines(links);
  for (Line& line : lines) {
    Trial::require_ok(host.open(line.link), "no link");
    line.endings.assign(count, 0);
  }
  const TimeNs deadline = now_ns() + 4 * call_timeout_ns;
  for (bool busy = true; busy;) {
    Trial::require(now_ns() < deadline, "calls are left without an ending");
    busy = false;
    for (Line& line : lines) {
      while (line.started < count && line.started - line.ended < 64 &&
             line.link->try_start(request_of(trial, corpus.any(trial.random)), line.started)) {
        ++line.started;
      }
      if (line.ended < count) {
        take_some(trial, *line.link, line.endings, line.ended);
        busy = true;
      }
    }
  }
  for (Line& line : lines) require_balance(*line.link, count);
}

void one_each(Trial& trial) {
  const Corpus corpus(trial);
  const auto mounted = mount(trial);
  start_and_take(trial, corpus, mounted->host(), 1, 2'000);
}

void one_each_of_many_links(Trial& trial) {
  const Corpus corpus(trial);
  const auto mounted = mount(trial);
  start_and_take(trial, corpus, mounted->host(), 8, 200);
}

void one_each_of_many_threads(Trial& trial) {
  const Corpus corpus(trial);
  const auto mounted = mount(trial);
  constexpr int threads_count = 4;
  constexpr int calls = 300;
  std::array<std::string, threads_count> faults;
  std::vector<std::thread> threads;
  for (int t = 0; t < threads_count; ++t) {
    threads.emplace_back([&, t, seed = trial.random()] {
      std::string& fault = faults[static_cast<std::size_t>(t)];
      try {
        Random random(seed);
        Caller caller(trial, mounted->host());
        for (int i = 0; i < calls; ++i) {
          const Message& message = corpus.any(random);
          (void)caller.call(message.type, message.body);
        }
        require_balance(caller.link(), calls);
      } catch (const Failed& failed) {
        fault = failed.why;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& fault : faults) Trial::require(fault.empty(), fault);
}

void late_calls(Trial& trial) {
  const Corpus corpus(trial);
  const auto mounted = mount_fed(trial);
  pit::Host& host = mounted->host();
  const bool has_state = trial.note().state_revision != 0;
  const pit::Snapshot before = has_state ? snapshot_of(host, "before late calls") : pit::Snapshot{};
  Caller caller(trial, host);
  for (int i = 0; i < 50; ++i) {
    const Message& message = corpus.any(trial.random);
    const Ending late = caller.call(message.type, message.body, -second_ns);
    if (late.status != SYMPHONY_DEADLINE) {
      Trial::fail("a call whose deadline had passed ended as " + late.described());
    }
  }
  require_balance(caller.link(), 50);
  if (has_state && !same_state(before, snapshot_of(host, "after late calls"))) {
    Trial::fail("calls whose deadline had passed changed the state: they were executed");
  }
}

void replies_within_the_note(Trial& trial) {
  const Corpus corpus(trial);
  const auto mounted = mount(trial);
  Caller caller(trial, mounted->host());
  std::size_t largest = 0;
  for (int i = 0; i < 2'000; ++i) {
    const Message& message = corpus.any(trial.random);
    const Ending ending = caller.call(message.type, message.body);
    largest = std::max(largest, ending.body.size());
    if (ending.status == SYMPHONY_TOO_LARGE) {
      Trial::fail("a reply did not fit the note's reply_size_max: raise it, or answer in parts: " + ending.text);
    }
    if (ending.status == SYMPHONY_BAD_STATE) Trial::fail("a handler replied out of place: " + ending.text);
  }
  trial.remark =
      "largest reply " + std::to_string(largest) + " of " + std::to_string(trial.note().reply_size_max) + " bytes";
}

void links_leave_nothing(Trial& trial) {
  const Corpus corpus(trial);
  const auto mounted = mount(trial);
  const auto use_links = [&](int count) {
    for (int i = 0; i < count; ++i) {
      Caller caller(trial, mounted->host());
      const Message& message = corpus.any(trial.random);
      (void)caller.call(message.type, message.body);
    }
  };
  use_links(20);
  const Holdings before = holdings();
  use_links(200);
  // What a closed link held is given back by other threads, soon.
  const TimeNs deadline = now_ns() + 10 * second_ns;
  for (int pause_ms = 1;; pause_ms = std::min(2 * pause_ms, 100)) {
    const Holdings after = holdings();
    if (after.descriptors <= before.descriptors && after.threads <= before.threads &&
        after.mappings <= before.mappings + 8) {
      return;
    }
    if (now_ns() > deadline) {
      Trial::fail("200 links opened and closed left " + std::to_string(after.descriptors - before.descriptors) +
                  " descriptors, " + std::to_string(after.mappings - before.mappings) + " mappings, " +
                  std::to_string(after.threads - before.threads) + " threads");
    }
    (void)::poll(nullptr, 0, pause_ms);
  }
}

constexpr std::array cases{
    Case{"ending.one_each", "2,000 calls at once on one link: each ends once", Ground::any, &one_each},
    Case{"ending.one_each_of_many_links", "eight links at once: each call ends once, on its own link", Ground::any,
         &one_each_of_many_links},
    Case{"ending.one_each_of_many_threads", "four threads at once: each call ends once", Ground::any,
         &one_each_of_many_threads},
    Case{"ending.late_calls_are_not_executed", "a call whose deadline has passed ends as DEADLINE, unexecuted",
         Ground::any, &late_calls},
    Case{"ending.replies_fit_the_note", "no reply is larger than the note says, none is refused", Ground::any,
         &replies_within_the_note},
    Case{"ending.links_leave_nothing", "200 links opened and closed leave no descriptor, mapping or thread",
         Ground::any, &links_leave_nothing},
};

}  // namespace
}  // namespace ending

std::span<const Case> ending_cases() noexcept { return ending::cases; }

}  // namespace symphony::pit_check
