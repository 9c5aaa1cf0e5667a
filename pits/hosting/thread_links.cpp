#include "pits/hosting/thread_links.hpp"

#include <algorithm>
#include <atomic>
#include <list>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace symphony::pit {
namespace {

constexpr std::string_view text_full = "as many threads as may have a link to this pit: raise threads_max";
constexpr std::string_view text_inside = "called from inside this thread's own call of the same pit: call after it";
constexpr std::string_view text_ending = "this thread is ending: call before its thread_local objects go";
constexpr std::string_view text_memory = "no memory for this thread's first call: try later";

std::uint64_t next_number() noexcept {
  static std::atomic<std::uint64_t> last{0};
  // relaxed: only that no two are the same.
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

// One thread's. Threads: that thread's, but for being made and removed.
struct ThreadLinks::Seat {
  std::unique_ptr<Caller> caller;
  bool is_own = false;
  bool is_inside = false;
  TimeNs ask_again_ns = 0;
  std::string text;  // why there is no caller
  std::list<Seat>::iterator place;
};

// All seats. A thread that ends while the ThreadLinks goes keeps it alive until it has left.
class ThreadLinks::Table {
 public:
  explicit Table(Options options) : options_(std::move(options)) {}

  Seat& add() {
    const std::lock_guard lock(mutex_);
    Seat& seat = seats_.emplace_front();
    seat.place = seats_.begin();
    return seat;
  }
  void remove(Seat& seat) noexcept {
    std::list<Seat> gone;  // closed behind the lock
    {
      const std::lock_guard lock(mutex_);
      gone.splice(gone.begin(), seats_, seat.place);
    }
    const bool was_own = seat.is_own;
    gone.clear();
    if (was_own) give_up_place();
  }

  // Gives the seat what there is for it. Its old one stays where nothing better is to be had.
  Outcome provide(Seat& seat, TimeNs deadline_ns) {
    if (seat.caller && (own_links() >= options_.own_max || now_ns() < seat.ask_again_ns)) return {};
    Outcome outcome{SYMPHONY_OVERLOADED, std::string(text_full)};
    if (take_place()) {
      std::unique_ptr<Caller> made;
      try {
        outcome = options_.own(deadline_ns, made);
      } catch (...) {
        give_up_place();
        throw;
      }
      if (outcome.ok()) {
        seat.caller = std::move(made);
        seat.is_own = true;
        return outcome;
      }
      give_up_place();
      seat.ask_again_ns = now_ns() + ask_again_after_ns;
    }
    if (outcome.status != SYMPHONY_OVERLOADED || !options_.spare) return outcome;
    return seat.caller ? Outcome{} : options_.spare(deadline_ns, seat.caller);
  }

  [[nodiscard]] std::uint32_t own_links() const noexcept {
    // relaxed: only a number; take_place() decides.
    return own_links_.load(std::memory_order_relaxed);
  }

 private:
  [[nodiscard]] bool take_place() noexcept {
    // relaxed: a count; what the links share is behind locks of its own.
    std::uint32_t count = own_links_.load(std::memory_order_relaxed);
    do {
      if (count >= options_.own_max) return false;
      // relaxed: as above.
    } while (!own_links_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed));
    return true;
  }
  void give_up_place() noexcept {
    // relaxed: as above.
    own_links_.fetch_sub(1, std::memory_order_relaxed);
  }

  const Options options_;
  std::atomic<std::uint32_t> own_links_{0};
  std::mutex mutex_;
  std::list<Seat> seats_;
};

// The seats of the calling thread, left when it ends.
class ThreadSeats {
 public:
  ~ThreadSeats() {
    is_gone = true;
    for (Entry& entry : entries_) {
      if (const auto table = entry.table.lock()) table->remove(*entry.seat);
    }
  }
  // Null: the thread's end has come so far that they are gone.
  static ThreadSeats* of_this_thread() {
    if (is_gone) return nullptr;
    static thread_local ThreadSeats seats;
    return &seats;
  }

  ThreadLinks::Seat& at(const ThreadLinks& links) {
    for (const Entry& entry : entries_) {
      if (entry.number == links.number_) return *entry.seat;
    }
    // Those of a ThreadLinks that is gone went with it.
    std::erase_if(entries_, [](const Entry& entry) { return entry.table.expired(); });
    entries_.reserve(entries_.size() + 1);
    ThreadLinks::Seat& seat = links.table_->add();
    entries_.push_back({links.number_, links.table_, &seat});
    return seat;
  }

 private:
  struct Entry {
    std::uint64_t number;
    std::weak_ptr<ThreadLinks::Table> table;
    ThreadLinks::Seat* seat;
  };
  static thread_local constinit bool is_gone;
  std::vector<Entry> entries_;  // one for each pit that this thread calls
};
thread_local constinit bool ThreadSeats::is_gone = false;

ThreadLinks::ThreadLinks(Options options)
    : table_(std::make_shared<Table>(std::move(options))), number_(next_number()) {}
ThreadLinks::~ThreadLinks() = default;

std::uint32_t ThreadLinks::own_links() const noexcept { return table_->own_links(); }

Reply ThreadLinks::call(const Request& request) noexcept {
  try {
    ThreadSeats* const seats = ThreadSeats::of_this_thread();
    if (seats == nullptr) return {SYMPHONY_BAD_STATE, 0, {}, text_ending};
    Seat& seat = seats->at(*this);
    if (seat.is_inside) [[unlikely]]
      return {SYMPHONY_BAD_STATE, 0, {}, text_inside};
    if (!seat.is_own) [[unlikely]] {
      Outcome outcome = table_->provide(seat, request.deadline_ns);
      seat.text = std::move(outcome.text);
      if (!outcome.ok()) return {outcome.status, 0, {}, seat.text};
    }
    seat.is_inside = true;
    const Reply reply = seat.caller->call(request);
    seat.is_inside = false;
    return reply;
  } catch (const std::bad_alloc&) {
    return {SYMPHONY_OVERLOADED, 0, {}, text_memory};
  }
}

}  // namespace symphony::pit
