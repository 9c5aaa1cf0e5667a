#include "pits/hosting/overrun.hpp"

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <system_error>
#include <thread>

#include "pits/hosting/looks.hpp"
#include "pits/hosting/thread_stack.hpp"

namespace symphony::pit {
namespace {

pid_t this_thread() noexcept {
  static thread_local const pid_t id = ::gettid();
  return id;
}

std::string in_ms(TimeNs ns) { return std::to_string(ns / ms_ns) + " ms"; }

// Not 0 while the looker sleeps for want of work.
constinit std::atomic<std::uint32_t> sleeps{0};

}  // namespace

// The one thread of this process; there as long as a pit with a budget is.
class Overrun::Looker {
 public:
  [[nodiscard]] static std::shared_ptr<Looker> shared() {
    static std::mutex mutex;
    static std::weak_ptr<Looker> current;
    const std::lock_guard lock(mutex);
    if (auto there = current.lock()) return there;
    auto made = std::make_shared<Looker>();
    made->thread_ = std::thread([at = made.get()] { at->run(); });
    current = made;
    return made;
  }
  ~Looker() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void add(Overrun& watch) {
    const std::lock_guard lock(mutex_);
    all_.push_back(&watch);
  }
  void remove(const Overrun& watch) noexcept {
    const std::lock_guard lock(mutex_);
    std::erase(all_, &watch);
  }
  void wake() noexcept {
    {
      const std::lock_guard lock(mutex_);
      // relaxed: changed under the mutex only.
      sleeps.store(0, std::memory_order_relaxed);
    }
    changed_.notify_all();
  }

 private:
  void run() noexcept {
    std::unique_lock lock(mutex_);
    while (!ending_) {
      const TimeNs next_ns = look();
      if (next_ns == 0) {
        // sync overrun.sleep seq_cst store: ordered before the look below; who begins a turn looks here after it.
        sleeps.store(1, std::memory_order_seq_cst);
        if (look() == 0) {
          // relaxed: changed under the mutex only.
          changed_.wait(lock, [&] { return ending_ || sleeps.load(std::memory_order_relaxed) == 0; });
        }
        // relaxed: as above.
        sleeps.store(0, std::memory_order_relaxed);
        continue;
      }
      changed_.wait_for(lock, std::chrono::nanoseconds(next_ns), [&] { return ending_; });
    }
  }

  // How long until the next look; 0: nobody is inside.
  TimeNs look() noexcept {
    TimeNs next_ns = 0;
    const TimeNs now = now_ns();
    const TimeNs late_ns = looks_.late_ns(now);
    for (Overrun* const at : all_) {
      // sync overrun.turn acquire: type and thread are those of this turn, or of a later one.
      const std::uint64_t turn = at->turn_.load(std::memory_order_seq_cst);
      if (turn == 0) {
        at->seen_turn_ = 0;
        continue;
      }
      const TimeNs budget_ns = at->options_.budget_ms * ms_ns;
      if (turn != at->seen_turn_) {
        at->seen_turn_ = turn;
        at->since_ns_ = now;
      } else {
        at->since_ns_ += late_ns;
      }
      const bool is_over = now - at->since_ns_ >= budget_ns;
      if (is_over) overran(*at, turn, now);
      next_ns = Looks::sooner(next_ns, is_over ? Looks::max_ns : Looks::wanted_ns(budget_ns));
    }
    looks_.done(now, next_ns);
    return next_ns;
  }

  // Once a turn.
  static void overran(Overrun& at, std::uint64_t turn, TimeNs now) noexcept try {
    if (at.over_turn_ == turn) return;  // only this thread writes it
    // relaxed: of this turn, if it has not ended meanwhile.
    const pid_t thread = at.thread_.load(std::memory_order_relaxed);
    const std::uint32_t type = at.type_.load(std::memory_order_relaxed);
    std::vector<std::string> stack = stack_of(thread);
    // sync overrun.turn acquire: it still runs, so the stack was taken inside it.
    if (at.turn_.load(std::memory_order_acquire) != turn) return;
    std::string name, line;
    {
      const std::lock_guard lock(at.mutex_);
      at.over_turn_ = turn;
      at.over_since_ns_ = at.since_ns_;
      at.over_type_ = type;
      ++at.overruns_;
      name = at.name_;
      line = "pit '" + name + "' has run for " + in_ms(now - at.since_ns_) + " in " +
             (type == 0 ? std::string("a timer or an answer") : "a message of type " + std::to_string(type)) +
             ", its budget is " + std::to_string(at.options_.budget_ms) + " ms: mode " + std::string(at.mode_) +
             " cannot end it, and callers wait; host it in mode wasm or process";
      for (const std::string& frame : stack) line += "\n  " + frame;
      at.stack_ = std::move(stack);
    }
    if (at.log_ != nullptr) at.log_->write(SYMPHONY_LOG_ERROR, name, line);
    if (!at.options_.aborts) return;
    std::fprintf(stderr, "symphony: %s\nsymphony: the process ends, as its mount says (abort_on_overrun)\n",
                 line.c_str());
    std::abort();  // allowed: the program asked for it
  } catch (const std::bad_alloc&) {
    // Tried again at the next look.
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Overrun*> all_;
  Looks looks_;
  bool ending_ = false;
  std::thread thread_;
};

std::unique_ptr<Overrun> Overrun::make(std::string_view mode, const OverrunOptions& options, LogSink* log) try {
  std::unique_ptr<Overrun> made(new Overrun(mode, options, log));
  made->looker_ = Looker::shared();
  made->looker_->add(*made);
  return made;
} catch (const std::bad_alloc&) {
  return nullptr;
} catch (const std::system_error&) {
  return nullptr;
}

Overrun::~Overrun() {
  if (looker_) looker_->remove(*this);
}

void Overrun::set_name(std::string_view pit) {
  const std::lock_guard lock(mutex_);
  name_ = pit;
}

void Overrun::begin(std::uint32_t type) noexcept {
  // relaxed: published by the turn.
  type_.store(type, std::memory_order_relaxed);
  thread_.store(this_thread(), std::memory_order_relaxed);
  // sync overrun.turn seq_cst store: type and thread are those of this turn; ordered before the look at the looker.
  turn_.store(++last_turn_, std::memory_order_seq_cst);
  // sync overrun.sleep seq_cst load: ordered after the turn, which a looker that sleeps has looked for after its store.
  if (sleeps.load(std::memory_order_seq_cst) != 0) [[unlikely]]
    looker_->wake();
}

void Overrun::end() noexcept {
  // sync overrun.turn release: what was done in the turn is over for who finds it gone.
  turn_.store(0, std::memory_order_release);
}

Health Overrun::health() const {
  const std::lock_guard lock(mutex_);
  Health out;
  // sync overrun.turn acquire: as the looker's.
  const std::uint64_t turn = turn_.load(std::memory_order_acquire);
  out.degraded = turn != 0 && turn == over_turn_;
  if (out.degraded) {
    out.type = over_type_;
    out.running_ns = now_ns() - over_since_ns_;
  }
  out.overruns = overruns_;
  out.stack = stack_;
  return out;
}

}  // namespace symphony::pit
