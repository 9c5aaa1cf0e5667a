#include "bus/endpoint/watcher.hpp"

#include <algorithm>
#include <new>
#include <system_error>
#include <utility>

#include "bus/ring/mem.hpp"

namespace symphony::detail {
namespace {

bool has_changed(const WaitWord& word) noexcept {
  // sync wait.bell acquire: what was published before the ring is seen by whom we tell.
  return RealMem::load<Order::acquire, Site::bell>(word.word) != word.expected;
}

}  // namespace

result<std::unique_ptr<Watcher>> Watcher::start() {
  std::unique_ptr<Watcher> self(new Watcher);
  try {
    self->entries_.reserve(wait_words_max);
    self->told_.reserve(wait_words_max);
    self->thread_ = std::thread([raw = self.get()] { raw->run(); });
  } catch (const std::system_error& e) {
    return unexpected(errc::out_of_memory, "a thread that watches links could not be started: raise ulimit -u",
                      e.code().value());
  } catch (const std::bad_alloc&) {
    return unexpected(errc::out_of_memory, "no memory for a thread that watches links");
  }
  return self;
}

Watcher::~Watcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    change();
  }
  if (thread_.joinable()) thread_.join();
}

void Watcher::change() noexcept {
  // relaxed: stored and read under the mutex; the kernel compares it under its own lock.
  RealMem::store<Order::relaxed, Site::bell>(&changes_, changes_ + 1);
  wake_all(&changes_);
}

bool Watcher::add(Watch watch) {
  const std::lock_guard lock(mutex_);
  if (words_ + watch.count > wait_words_max - 2) return false;
  words_ += watch.count;
  entries_.push_back({std::move(watch)});
  change();
  return true;
}

void Watcher::cancel(const WatchTarget* target, std::uint64_t tag) noexcept {
  const std::lock_guard lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.over || entry.watch.target.get() != target || entry.watch.tag != tag) continue;
    entry.over = true;
    entry.watch.target.reset();  // told nothing any more; its memory stays until the thread looked up
    change();
  }
}

void Watcher::collect() noexcept {
  const TimeNs now = now_ns();
  for (std::size_t i = 0; i < entries_.size();) {
    Entry& entry = entries_[i];
    const auto words = std::span(entry.watch.words).first(entry.watch.count);
    const bool changed = std::any_of(words.begin(), words.end(), has_changed);
    if (entry.over || changed || entry.watch.deadline_ns <= now) {
      entry.watch.at_deadline = !changed;
      words_ -= entry.watch.count;
      told_.push_back(std::move(entry.watch));
      if (i + 1 != entries_.size()) entry = std::move(entries_.back());
      entries_.pop_back();
    } else {
      ++i;
    }
  }
}

void Watcher::run() noexcept {
  std::array<WaitWord, wait_words_max> words;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  for (;;) {
    std::size_t count = 0;
    TimeNs deadline_ns = no_deadline_ns;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      collect();
      words[count++] = {&changes_, changes_};
      for (const Entry& entry : entries_) {
        for (std::size_t i = 0; i < entry.watch.count; ++i) words[count++] = entry.watch.words[i];
        deadline_ns = std::min(deadline_ns, entry.watch.deadline_ns);
      }
    }
    for (Watch& watch : told_) {
      if (watch.target) watch.target->on_change(watch.tag, watch.at_deadline);
    }
    told_.clear();
    (void)wait_any({words.data(), count}, deadline_ns);
  }
}

result<void> WatcherPool::add(Watch watch) {
  const std::lock_guard lock(mutex_);
  for (const auto& watcher : watchers_) {
    if (watcher->add(watch)) return {};
  }
  auto fresh = Watcher::start();
  if (!fresh) return unexpected(fresh.error());
  watchers_.push_back(*std::move(fresh));
  (void)watchers_.back()->add(std::move(watch));
  return {};
}

void WatcherPool::cancel(const WatchTarget* target, std::uint64_t tag) noexcept {
  const std::lock_guard lock(mutex_);
  for (const auto& watcher : watchers_) watcher->cancel(target, tag);
}

}  // namespace symphony::detail
