// A pit that counts, and callers that write down what it told them: whether nothing was lost or done twice.
#pragma once

#include <atomic>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "tests/e2e/bus_fixture.hpp"

namespace symphony {

// The counter pit: its reply says how many requests its state contains, this one included.
inline PitConfig counter(Durability durability) {
  PitConfig config;
  config.name = "counter";
  config.executable = program("symphony-pit-host");
  config.args = {program("../tests/pits/counter_1.so")};
  config.state.durability = durability;
  config.restart.failures_max = 16;
  config.restart.window_ns = 1;  // it is killed more often than a pit should die
  return config;
}

inline std::optional<std::uint64_t> count_in(const Reply& reply) {
  std::uint64_t words[3];
  if (!reply.ok() || reply.body.size() != sizeof words) return std::nullopt;
  std::memcpy(words, reply.body.data(), sizeof words);
  return words[1];
}

inline Reply ask(Link& link, Effect effect = Effect::idempotent) { return link.call(5, {}, {.effect = effect}); }

struct History {
  std::mutex mutex;
  std::multiset<std::uint64_t> counts;  // of calls that ended well
  std::uint64_t may_have_run = 0, unexpected = 0, messages = 0;
  std::atomic<std::uint64_t> made{0};

  // `last`: what a call after all of them was told. The counts that callers were told are 1 to the last, each once.
  void expect_nothing_lost_or_done_twice(std::uint64_t last) const {
    std::uint64_t duplicated = 0, holes = 0;
    for (std::uint64_t i = 1; i < last; ++i) {
      const auto times = counts.count(i);
      duplicated += times > 1 ? 1 : 0;
      holes += times == 0 ? 1 : 0;
    }
    const bool is_beyond = !counts.empty() && *counts.rbegin() >= last;
    EXPECT_EQ(duplicated, 0u);
    EXPECT_EQ(holes, 0u) << "a state without its ending";
    EXPECT_FALSE(is_beyond) << "an ending without its state";
    EXPECT_EQ(unexpected, 0u);
  }
};

inline void call_in_a_loop(Endpoint& endpoint, const std::atomic<bool>& stop, std::uint64_t seed, History& history) {
  Link link = endpoint.open("counter", {}).value();
  std::vector<std::uint64_t> counts;
  std::uint64_t may_have_run = 0, unexpected = 0, messages = 0, last = 0;
  while (!stop) {
    const bool is_once = (seed + messages) % 4 == 0;
    const Reply reply = ask(link, is_once ? Effect::once : Effect::idempotent);
    ++messages;
    ++history.made;
    if (const auto count = count_in(reply)) {
      counts.push_back(*count);
      unexpected += *count > last ? 0 : 1;  // each caller sees the state only go on
      last = *count;
    } else if (is_once && reply.status == status::crashed) {
      ++may_have_run;
    } else {
      ++unexpected;
      std::fprintf(stderr, "unexpected: status %d: %.*s\n", reply.status, static_cast<int>(reply.text.size()),
                   reply.text.data());
    }
  }
  const std::lock_guard lock(history.mutex);
  history.counts.insert(counts.begin(), counts.end());
  history.may_have_run += may_have_run;
  history.unexpected += unexpected;
  history.messages += messages;
}

// Threads that call until join(), each over an endpoint of its own.
class Callers {
 public:
  Callers(BusTest& of, int count, History& history) {
    endpoints_.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      Endpoint& endpoint = endpoints_.emplace_back(of.connect());
      threads_.emplace_back(
          [this, i, &endpoint, &history] { call_in_a_loop(endpoint, stop_, static_cast<std::uint64_t>(i), history); });
    }
  }
  ~Callers() { join(); }
  void join() {
    stop_ = true;
    for (std::thread& t : threads_) t.join();
    threads_.clear();
  }

 private:
  std::atomic<bool> stop_{false};
  std::vector<Endpoint> endpoints_;  // never moves: reserved
  std::vector<std::thread> threads_;
};

}  // namespace symphony
