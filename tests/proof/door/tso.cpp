#include "tests/proof/door/tso.hpp"

#include <deque>
#include <utility>

namespace symphony::proof::tso {
namespace {

struct Pending {
  std::uint64_t* word;
  std::uint64_t value;
};

struct Thread {
  Fiber fiber;
  std::deque<Pending> queue;
  std::uint64_t history = 0;
  bool done = false;
};

struct World {
  std::array<Thread, threads_max> threads;
  std::size_t count = 0;
  std::size_t current = threads_max;  // threads_max: nobody, everything happens at once
  std::vector<std::uint64_t*> words;
  const std::function<void(std::size_t)>* body = nullptr;
  std::string violation;
};
World* world = nullptr;

std::uint64_t mixed(std::uint64_t a, std::uint64_t b) noexcept {
  a ^= b + 0x9e3779b97f4a7c15 + (a << 6) + (a >> 2);
  a *= 0xff51afd7ed558ccd;
  return a ^ (a >> 33);
}

bool inside() noexcept { return world->current != threads_max; }
Thread& self() noexcept { return world->threads[world->current]; }
void step() noexcept {
  if (inside()) self().fiber.pause();
}
void note(std::uint64_t what) noexcept {
  if (inside()) self().history = mixed(self().history, what);
}
void flush_one(Thread& thread) {
  *thread.queue.front().word = thread.queue.front().value;
  thread.queue.pop_front();
}
void flush(Thread& thread) {
  while (!thread.queue.empty()) flush_one(thread);
}

void run_body(void* argument) {
  const auto index = static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(argument));
  note(9);
  (*world->body)(index);
  world->threads[index].done = true;
}

std::uint64_t state() {
  std::uint64_t hash = 1;
  for (const std::uint64_t* word : world->words) hash = mixed(hash, *word);
  for (std::size_t i = 0; i < world->count; ++i) {
    const Thread& thread = world->threads[i];
    hash = mixed(mixed(hash, thread.history), thread.done ? 1 : 2);
    for (const Pending& pending : thread.queue) {
      std::size_t at = 0;
      while (world->words[at] != pending.word) ++at;
      hash = mixed(mixed(hash, at), pending.value);
    }
    hash = mixed(hash, 3);
  }
  return hash;
}

// An action: thread i makes a step, or its oldest store reaches memory.
std::size_t actions(std::array<std::pair<std::size_t, bool>, 2 * threads_max>& out) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < world->count; ++i) {
    if (!world->threads[i].done) out[n++] = {i, false};
    if (!world->threads[i].queue.empty()) out[n++] = {i, true};
  }
  return n;
}

struct Choice {
  std::size_t taken;
  std::size_t of;
};

}  // namespace

void Explorer::add(std::uint64_t& word) { world->words.push_back(&word); }

std::uint64_t Explorer::load(const std::uint64_t& word) noexcept {
  step();
  std::uint64_t value = word;
  if (inside()) {
    for (const Pending& pending : self().queue) {
      if (pending.word == &word) value = pending.value;
    }
  }
  note(value);
  return value;
}
void Explorer::store(std::uint64_t& word, std::uint64_t value) noexcept {
  step();
  note(4);
  if (inside()) {
    self().queue.push_back({&word, value});
  } else {
    word = value;
  }
}
bool Explorer::swap(std::uint64_t& word, std::uint64_t& expected, std::uint64_t value) noexcept {
  step();
  if (inside()) flush(self());
  const bool swapped = word == expected;
  note(mixed(word, swapped ? 5 : 6));
  expected = word;
  if (swapped) word = value;
  return swapped;
}
void Explorer::heavy() noexcept {
  step();
  note(7);
  for (Thread& thread : world->threads) flush(thread);
}
void Explorer::pause() noexcept {
  step();
  note(8);
}
void Explorer::require(bool holds, const char* what) noexcept {
  if (!holds && world->violation.empty()) world->violation = what;
}

Explorer::Found Explorer::explore(std::size_t threads, const std::function<void()>& begin,
                                  const std::function<void(std::size_t)>& body, const std::function<void()>& end) {
  World here;
  world = &here;
  here.count = threads;
  here.body = &body;
  std::unordered_set<std::uint64_t> seen;
  std::vector<Choice> path;
  Found found;
  for (;;) {
    here.words.clear();
    begin();
    for (std::size_t i = 0; i < threads; ++i) {
      here.threads[i].queue.clear();
      here.threads[i].history = 0;
      here.threads[i].done = false;
      here.threads[i].fiber.restart(&run_body, reinterpret_cast<void*>(i));
    }
    ++found.executions;
    bool pruned = false;
    for (std::size_t depth = 0; here.violation.empty(); ++depth) {
      std::array<std::pair<std::size_t, bool>, 2 * threads_max> possible;
      const std::size_t n = actions(possible);
      if (depth >= path.size()) {
        if (n == 0) break;
        if (!seen.insert(state()).second) {
          pruned = true;
          break;
        }
        path.push_back({0, n});
      }
      const auto [thread, stores] = possible[path[depth].taken];
      if (stores) {
        flush_one(here.threads[thread]);
        continue;
      }
      here.current = thread;
      here.threads[thread].fiber.resume();
      here.current = threads_max;
    }
    if (!pruned && here.violation.empty()) end();
    if (!here.violation.empty()) break;
    while (!path.empty() && path.back().taken + 1 == path.back().of) path.pop_back();
    if (path.empty()) break;
    ++path.back().taken;
  }
  found.violation = here.violation;
  found.states = seen.size();
  world = nullptr;
  return found;
}

}  // namespace symphony::proof::tso
