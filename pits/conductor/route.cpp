#include "pits/conductor/route.hpp"

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <chrono>

#include "pits/hosting/futex.hpp"

namespace symphony::conductor {
namespace {

constexpr TimeNs sleep_ns_max = 1 * second_ns;
constexpr int yields_max = 64;                // before whoever waits for the parties sleeps
constexpr TimeNs party_sleep_ns = 50 * 1000;  // nobody tells it when one leaves: that would cost each call

void sleep_ns(TimeNs ns) noexcept {
  const timespec t{ns / second_ns, ns % second_ns};
  ::nanosleep(&t, nullptr);
}

}  // namespace

void Route::add(Party& party) {
  const std::lock_guard lock(mutex_);
  parties_.insert(&party);
}
void Route::remove(Party& party) noexcept {
  const std::lock_guard lock(mutex_);
  parties_.erase(&party);
}

std::optional<Route::Word> Route::wait_open(TimeNs deadline_ns) noexcept {
  for (;;) {
    // sync route.word acquire: the instance that it stands for is there.
    const Word word = word_.load(std::memory_order_acquire);
    if ((word & closed_bit) == 0) return word;
    const TimeNs now = now_ns();
    if (now >= deadline_ns) return std::nullopt;
    pit::futex_wait_until(word_, word, std::min(deadline_ns, now + sleep_ns_max));
  }
}

void Route::wait_other(Word word, TimeNs deadline_ns) noexcept {
  // relaxed: whoever waits looks again with acquire.
  while (word_.load(std::memory_order_relaxed) == word) {
    const TimeNs now = now_ns();
    if (now >= deadline_ns) return;
    pit::futex_wait_until(word_, word, std::min(deadline_ns, now + sleep_ns_max));
  }
}

void Route::store_and_wake(Word word) noexcept {
  // sync route.word release: the instance that it stands for.
  word_.store(word, std::memory_order_release);
  pit::futex_wake_all(&word_);
}

Route::Place Route::place() {
  const std::lock_guard lock(mutex_);
  return place_;
}

std::shared_ptr<pit::Host> Route::host_of(Word word) {
  const std::lock_guard lock(mutex_);
  // relaxed: written under the lock where the generation changes.
  return generation_of(word_.load(std::memory_order_relaxed)) == generation_of(word) ? place_.host : nullptr;
}

// ---- on probation

void Route::count(std::uint32_t type, std::uint32_t effect, bool is_ok) noexcept {
  const std::lock_guard lock(mutex_);
  ++trial_.so_far.messages;
  if (!is_ok) {
    ++trial_.so_far.failed;
  } else if (effect != SYMPHONY_EFFECT_READ) {
    ++trial_.effects;
    // Room was made by flip().
    if (trial_.listed.size() < lost_effects_max) trial_.listed.push_back({type, static_cast<Effect>(effect)});
  }
  told_.notify_all();
}

void Route::report_failure() noexcept {
  const std::lock_guard lock(mutex_);
  trial_.has_failed = true;
  told_.notify_all();
}

std::uint64_t Route::expected_incarnation() {
  const std::lock_guard lock(mutex_);
  return expected_incarnation_;
}

bool Route::wait_trial(std::uint64_t messages, TimeNs until_ns) {
  std::unique_lock lock(mutex_);
  return told_.wait_for(lock, std::chrono::nanoseconds(std::max<TimeNs>(0, until_ns - now_ns())),
                        [&] { return trial_.has_failed || trial_.so_far.messages >= messages; });
}

Route::Trial Route::trial() {
  const std::lock_guard lock(mutex_);
  trial_.so_far.time_ns = now_ns() - trial_began_ns_;
  return trial_;
}

// ---- whoever swaps

bool Route::try_begin_swap() {
  const std::lock_guard lock(mutex_);
  return !std::exchange(is_swapping_, true);
}
void Route::end_swap() {
  const std::lock_guard lock(mutex_);
  is_swapping_ = false;
}

void Route::close() noexcept {
  {
    const std::lock_guard lock(mutex_);
    // relaxed: heavy() is a barrier. Only whoever swaps writes it.
    word_.store(word_.load(std::memory_order_relaxed) | closed_bit, std::memory_order_relaxed);
  }
  pit::ThisMachine::heavy();
}

std::uint32_t Route::inside() {
  const std::lock_guard lock(mutex_);
  return static_cast<std::uint32_t>(std::count_if(parties_.begin(), parties_.end(), [](const Party* party) {
    // sync route.inside acquire: what a party's last call did is visible here.
    return party->inside.load(std::memory_order_acquire) != 0 || party->started.load(std::memory_order_acquire) != 0;
  }));
}

bool Route::wait_empty(TimeNs deadline_ns) {
  for (int turn = 0; inside() != 0; ++turn) {
    if (now_ns() >= deadline_ns) return false;
    if (turn < yields_max) {
      ::sched_yield();
    } else {
      sleep_ns(party_sleep_ns);
    }
  }
  return true;
}

void Route::reopen() noexcept {
  const std::lock_guard lock(mutex_);
  // relaxed: only whoever swaps writes it.
  store_and_wake(word_.load(std::memory_order_relaxed) & ~closed_bit);
}

void Route::flip(Place next, std::optional<std::uint64_t> incarnation) {
  const std::lock_guard lock(mutex_);
  trial_ = {};
  if (incarnation) trial_.listed.reserve(lost_effects_max);
  if (!place_.host->input_window().empty()) windows_.push_back(place_.host);
  expected_incarnation_ = incarnation.value_or(0);
  trial_began_ns_ = now_ns();
  place_ = std::move(next);
  // relaxed: only whoever swaps writes it.
  const Word generation = generation_of(word_.load(std::memory_order_relaxed)) + generation_step;
  store_and_wake(generation | (incarnation ? probation_bit : 0));
}

void Route::end_probation() noexcept {
  const std::lock_guard lock(mutex_);
  // relaxed: only whoever swaps writes it.
  store_and_wake(word_.load(std::memory_order_relaxed) & ~probation_bit);
}

void Route::set_fed(std::uint64_t seed, TimeNs now_ns) {
  const std::lock_guard lock(mutex_);
  fed_ = {seed, now_ns};
}
std::optional<std::pair<std::uint64_t, TimeNs>> Route::fed() {
  const std::lock_guard lock(mutex_);
  return fed_;
}

}  // namespace symphony::conductor
