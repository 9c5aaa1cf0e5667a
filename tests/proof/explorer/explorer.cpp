#include "tests/proof/explorer/explorer.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "tests/proof/explorer/site_names.hpp"

namespace symphony::proof {
namespace {

constexpr int steps_max = 4000;  // of one run: a program that runs on for ever is one to mend
constexpr std::size_t at(int i) { return static_cast<std::size_t>(i); }
constexpr bool is_ordered_load(Order order) { return order != Order::relaxed; }

}  // namespace

Explorer::Explorer() {
  for (Task& task : tasks_) task.fiber = std::make_unique<Fiber>();
}

Explorer::~Explorer() {
  if (current_ == this) current_ = nullptr;
}

// ---- runs

Exploration Explorer::explore(const Bounds& bounds, const Make& make, const Mutation& mutation,
                              std::uint64_t executions_max) {
  current_ = this;
  bounds_ = bounds;
  mutation_ = mutation;
  path_.clear();
  memory_.forget_everything();
  all_steps_ = 0;
  Exploration result;
  do {
    run_once(make);
    if (violation_ != nullptr) {
      result.violation = violation_;
      // Once more, and now with words.
      tracing_ = true;
      trace_.clear();
      run_once(make);
      tracing_ = false;
      result.violation += "\n" + trace_;
      break;
    }
    ++(is_dead_end_ ? result.dead_ends : result.executions);
    if (!advance_path()) result.exhausted = true;
  } while (!result.exhausted && result.executions < executions_max);
  result.steps = all_steps_;
  program_.reset();
  return result;
}

bool Explorer::advance_path() noexcept {
  path_.resize(depth_);
  while (!path_.empty() && path_.back().chosen + 1 == path_.back().count) path_.pop_back();
  if (path_.empty()) return false;
  ++path_.back().chosen;
  return true;
}

int Explorer::choose(int count) noexcept {
  if (count <= 1) return 0;
  if (depth_ == path_.size()) path_.push_back({0, static_cast<std::uint8_t>(count)});
  return path_[depth_++].chosen;
}

void Explorer::enter(void* self) {
  auto& explorer = *static_cast<Explorer*>(self);
  explorer.program_->run(explorer.running_);
  if (explorer.is_doomed()) explorer.die();
  explorer.flush_late_store();
  explorer.flush_late_copy();
  explorer.tasks_[at(explorer.running_)].state = State::ended;
}

void Explorer::run_once(const Make& make) {
  memory_.begin_run();
  depth_ = 0;
  steps_ = 0;
  stopped_ = is_dead_end_ = crashed_ = doomed_ = overtaken_ = false;
  held_back_.reset();
  violation_ = nullptr;
  death_word_ = reinterpret_cast<std::uint32_t*>(
      memory_.allocate(64, static_cast<ThreadSet>(bounds_.crashing >= 0 ? 1u << bounds_.crashing : 0u)));
  running_ = 0;
  program_ = make(*this);
  for (int t = 0; t < bounds_.threads; ++t) {
    tasks_[at(t)].state = State::ready;
    tasks_[at(t)].late_store = false;
    tasks_[at(t)].late_copy_at = nullptr;
    tasks_[at(t)].fiber->restart(enter, this);
  }
  while (!stopped_) {
    int next = 0;
    while (next < bounds_.threads && !can_go_on(next)) ++next;
    if (next == bounds_.threads) break;
    running_ = next;
    in_fiber_ = true;
    tasks_[at(next)].fiber->resume();
    in_fiber_ = false;
  }
  all_steps_ += static_cast<std::uint64_t>(steps_);
  if (stopped_) return;
  bool all_over = true;
  for (int t = 0; t < bounds_.threads; ++t) {
    const State state = tasks_[at(t)].state;
    if (state == State::deferred) is_dead_end_ = true;
    all_over = all_over && (state == State::ended || state == State::crashed);
  }
  if (is_dead_end_) return;
  if (!all_over) return violated("stuck: a thread waits and nobody will wake it");
  program_->at_end();
}

bool Explorer::can_go_on(int thread) noexcept {
  Task& task = tasks_[at(thread)];
  switch (task.state) {
    case State::ready:
      return true;
    case State::deferred:
      return memory_.has_news(task.word, task.from);
    case State::awaiting: {
      const WordSet& looked = memory_.thread(thread).looked;
      for (auto w = looked._Find_first(); w < looked.size(); w = looked._Find_next(w)) {
        const int word = static_cast<int>(w);
        if (memory_.has_news(word, memory_.last_read(thread, word))) return true;
      }
      return false;
    }
    case State::sleeping:
      for (int i = 0; i < task.sleep_count; ++i) {
        const Sleep& s = task.sleeps[at(i)];
        const int last = memory_.latest(s.kernel);
        if (last <= s.kernel_index) continue;
        if (s.any_wake || memory_.value(s.kernel, last) > static_cast<std::uint64_t>(s.bell_index)) return true;
      }
      return false;
    case State::ended:
    case State::crashed:
      return false;
  }
  return false;
}

// Whether a store to `word` can still come if `waiting` waits for it: some writer lives and does not itself wait for
// `waiting`, directly or through others.
bool Explorer::can_change(int word, int waiting) noexcept {
  auto stuck = static_cast<ThreadSet>(1u << waiting);
  for (bool grew = true; grew;) {
    grew = false;
    for (int t = 0; t < bounds_.threads; ++t) {
      if ((stuck & 1u << t) != 0) continue;
      const Task& task = tasks_[at(t)];
      bool is_stuck = task.state == State::ended || task.state == State::crashed;
      if (!is_stuck && task.state != State::ready && !can_go_on(t)) {
        ThreadSet helpers = 0;
        if (task.state == State::deferred) helpers = memory_.writers_of(task.word);
        if (task.state == State::awaiting) {
          const WordSet& looked = memory_.thread(t).looked;
          for (auto w = looked._Find_first(); w < looked.size(); w = looked._Find_next(w)) {
            helpers |= memory_.writers_of(static_cast<int>(w));
          }
        }
        for (int i = 0; task.state == State::sleeping && i < task.sleep_count; ++i) {
          helpers |= memory_.writers_of(task.sleeps[at(i)].bell);
        }
        is_stuck = (helpers & ~stuck & ~(1u << t)) == 0;
      }
      if (is_stuck) {
        stuck |= static_cast<ThreadSet>(1u << t);
        grew = true;
      }
    }
  }
  return (memory_.writers_of(word) & ~stuck) != 0;
}

void Explorer::pause_as(State state) noexcept {
  tasks_[at(running_)].state = state;
  tasks_[at(running_)].fiber->pause();
  tasks_[at(running_)].state = State::ready;
}

void Explorer::leave() noexcept {
  for (;;) tasks_[at(running_)].fiber->pause();
}

void Explorer::violated(const char* what) noexcept {
  if (violation_ == nullptr) violation_ = what;
  note("VIOLATION: %s", what);
  if (stopped_) return;
  stopped_ = true;
  if (in_fiber_) leave();
}

void Explorer::dead_end() noexcept {
  is_dead_end_ = stopped_ = true;
  leave();
}

// ---- steps and deaths

void Explorer::begin_step() noexcept {
  if (++steps_ > steps_max) violated("a run without end");
}

void Explorer::die() noexcept {
  // Nothing overtook what was held back: the same as dying there, which another path does.
  if (doomed_ && !overtaken_) dead_end();
  note("dies");
  crashed_ = true;
  // All that this thread stored is visible to whoever learns of its death.
  const int word = memory_.word_at(death_word_, 4);
  memory_.write(running_, word, Order::release, 1);
  const int kernel = memory_.kernel_word_at(death_word_);
  memory_.write(running_, kernel, Order::relaxed, static_cast<std::uint64_t>(memory_.latest(word)));
  tasks_[at(running_)].state = State::crashed;
  leave();
}

void Explorer::step() noexcept {
  begin_step();
  if (running_ != bounds_.crashing) return;
  if (doomed_ || choose(2) == 1) die();
}

bool Explorer::step_store(int word, Order order) noexcept {
  begin_step();
  if (running_ != bounds_.crashing) return true;
  if (doomed_) {
    // Release stores stay behind all that comes before them; relaxed ones may have overtaken other words.
    if (order != Order::relaxed || held_back_[at(word)] || choose(2) == 1) {
      held_back_.set(at(word));
      return false;
    }
    overtaken_ = true;
    return true;
  }
  const int choice = choose(3);
  if (choice == 0) return true;
  if (choice == 1) die();
  note("the next store is held back, and lost");
  doomed_ = true;
  held_back_.set(at(word));
  return false;
}

bool Explorer::is_dead() noexcept {
  if (bounds_.crashing < 0) return false;
  step();
  const int word = memory_.word_at(death_word_, 4);
  return load_from(word, Order::acquire, memory_.viewed(running_, word)) != 0;
}

// ---- accesses

Order Explorer::effective(Order order, Site site, Access access) noexcept {
  const auto bit = static_cast<unsigned>(access) * 8 + static_cast<unsigned>(order);
  auto& bits = touched_bits_[static_cast<std::size_t>(site)];
  if ((bits >> bit & 1u) == 0) {
    bits |= std::uint64_t{1} << bit;
    touched_.push_back({site, access, order});
  }
  const bool weaker = mutation_.kind == Mutation::Kind::weaker && mutation_.at == OrderedAccess{site, access, order};
  if (weaker) order = mutation_.to;
  if (order != Order::light) return order;
  // The sleeper's heavy barrier stands between its flag and its look. Wherever it meets the publisher, either the store
  // is before it, and the look sees the record, or the load is behind it, and sees the flag: what seq_cst says of these
  // four accesses. Without the barrier they are what the instructions are.
  if (!is(Mutation::Kind::no_heavy_barrier)) return Order::seq_cst;
  return access == Access::load ? Order::acquire : Order::release;
}

std::uint64_t Explorer::load_from(int word, Order order, int from) noexcept {
  std::array<std::uint8_t, stores_max> candidates;
  bool waited = false;
  for (;;) {
    const int count = memory_.readable(running_, word, order, from, waited, candidates.data());
    const bool may_wait = can_change(word, running_);
    if (count == 0 && !may_wait) dead_end();
    const int choice = choose(count + (may_wait ? 1 : 0));
    if (choice < count) {
      const std::uint64_t value = memory_.read(running_, word, order, candidates[at(choice)]);
      check_memory();
      return value;
    }
    tasks_[at(running_)].word = word;
    tasks_[at(running_)].from = memory_.latest(word);
    pause_as(State::deferred);
    from = tasks_[at(running_)].from + 1;
    waited = true;
  }
}

std::uint64_t Explorer::load(const void* address, std::size_t bytes, Order order, Site site) noexcept {
  order = effective(order, site, Access::load);
  const int word = memory_.word_at(address, bytes);
  check_memory();
  begin_step();
  if (running_ == bounds_.crashing) {
    if (doomed_ && (is_ordered_load(order) || held_back_[at(word)])) die();
    if (!doomed_ && choose(2) == 1) die();
  }
  const std::uint64_t value = load_from(word, order, memory_.viewed(running_, word));
  note("load %s %s word %d reads %llx", order_name(order), site_name(site).data(), word,
       static_cast<unsigned long long>(value));
  flush_late_store();
  return value;
}

void Explorer::store(void* address, std::size_t bytes, Order order, Site site, std::uint64_t value) noexcept {
  order = effective(order, site, Access::store);
  const int word = memory_.word_at(address, bytes);
  check_memory();
  if (!step_store(word, order)) return;
  if (mutation_.at.site == site) {
    if (is(Mutation::Kind::no_store) || (is(Mutation::Kind::no_zero_store) && value == 0)) return;
    if (is(Mutation::Kind::store_late) && value != 0) {
      Task& task = tasks_[at(running_)];
      task.late_store = true;
      task.late_word = word;
      task.late_order = order;
      task.late_value = value;
      return;
    }
  }
  memory_.write(running_, word, order, value);
  note("store %s %s word %d := %llx", order_name(order), site_name(site).data(), word,
       static_cast<unsigned long long>(value));
  check_memory();
  if (site == Site::header) flush_late_copy();
}

void Explorer::flush_late_store() noexcept {
  Task& task = tasks_[at(running_)];
  if (!task.late_store) return;
  task.late_store = false;
  memory_.write(running_, task.late_word, task.late_order, task.late_value);
  check_memory();
}

void Explorer::flush_late_copy() noexcept {
  Task& task = tasks_[at(running_)];
  if (task.late_copy_at == nullptr) return;
  memory_.copy_in(running_, task.late_copy_at, task.late_copy.data(), task.late_copy_size);
  task.late_copy_at = nullptr;
  check_memory();
}

void Explorer::copy_in(std::byte* shared, const void* from, std::size_t size) noexcept {
  begin_step();
  std::size_t done = size;
  if (running_ == bounds_.crashing) {
    if (doomed_) return;
    const int choice = choose(4);
    if (choice == 1) die();
    if (choice == 2) done = size / 16 * 8;  // dies half-way
    if (choice == 3) {
      doomed_ = true;
      return;
    }
  }
  if (is(Mutation::Kind::payload_late) && size <= tasks_[at(running_)].late_copy.size()) {
    Task& task = tasks_[at(running_)];
    flush_late_copy();
    std::memcpy(task.late_copy.data(), from, size);
    task.late_copy_at = shared;
    task.late_copy_size = size;
    return;
  }
  memory_.copy_in(running_, shared, from, done);
  note("copy in %zu bytes", done);
  check_memory();
  if (done != size) die();
}

void Explorer::copy_out(void* to, const std::byte* shared, std::size_t size) noexcept {
  step();
  memory_.copy_out(running_, to, shared, size);
  note("copy out %zu bytes", size);
  check_memory();
}

// ---- waiting

void Explorer::await() noexcept {
  step();
  WeakMemory::Thread& thread = memory_.thread(running_);
  // A round that read old values only, though there were newer ones: the same as not making it.
  if (thread.passed_news && !thread.read_news) dead_end();
  note("awaits");
  pause_as(State::awaiting);
  thread.looked.reset();
  thread.passed_news = thread.read_news = false;
}

// The kernel keeps waits and wakes of a word in one order, under its lock. A wait that comes after a wake sees the
// bell at least as the waker left it; one that comes before is woken by it. What was learnt in the kernel orders
// nothing else for the sleeper here, so the model asks for less than the machine gives.
void Explorer::futex_wait(std::span<const detail::WaitWord> words) noexcept {
  Task& task = tasks_[at(running_)];
  task.sleep_count = 0;
  for (const detail::WaitWord& w : words) {
    step();
    const int bell = memory_.word_at(w.word, 4);
    const int kernel = memory_.kernel_word_at(w.word);
    const int known = memory_.viewed(running_, kernel);
    const int from = std::max(memory_.viewed(running_, bell), static_cast<int>(memory_.value(kernel, known)));
    const std::uint64_t value = load_from(bell, Order::relaxed, from);
    const std::uint64_t expected = is(Mutation::Kind::bell_late) ? value : w.expected;
    if (value != expected) {
      note("does not sleep: the bell is %llu", static_cast<unsigned long long>(value));
      return;
    }
    const int index = memory_.viewed(running_, bell);
    Sleep& s = task.sleeps[at(task.sleep_count++)];
    s = {bell, kernel, index, known, false};
    // A waker may have stored the bell that we know and not be in the kernel yet: its wake ends this sleep too.
    if (memory_.value(kernel, known) < static_cast<std::uint64_t>(index)) s.any_wake = choose(2) == 1;
  }
  note("sleeps");
  pause_as(State::sleeping);
  for (int i = 0; i < task.sleep_count; ++i) {
    const Sleep& s = task.sleeps[at(i)];
    for (int j = s.kernel_index + 1; j <= memory_.latest(s.kernel); ++j) {
      if (!s.any_wake && memory_.value(s.kernel, j) <= static_cast<std::uint64_t>(s.bell_index)) continue;
      memory_.advance_view(running_, s.kernel, j);
      break;
    }
  }
  note("is woken");
}

void Explorer::wake(const std::uint32_t* word) noexcept {
  step();
  if (is(Mutation::Kind::no_wake)) return;
  const int bell = memory_.word_at(word, 4);
  const int kernel = memory_.kernel_word_at(word);
  memory_.write(running_, kernel, Order::relaxed, static_cast<std::uint64_t>(memory_.viewed(running_, bell)));
  note("wakes");
  check_memory();
}

void Explorer::note(const char* format, ...) noexcept {
  if (!tracing_) return;
  char line[200];
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  trace_ += "  thread " + std::to_string(running_) + ": " + line + "\n";
}

}  // namespace symphony::proof
