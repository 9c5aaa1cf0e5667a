// The armed timers of one instance, by id and by when they are due.   Layer: hosting (bus/base).
// Threads: one at a time, as the instance. Bounded by SYMPHONY_TIMERS_MAX.
#pragma once

#include <symphony/pit.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <symphony/clock.hpp>

namespace symphony::pit {

class Timers {
 public:
  // Arms `id`, anew if it is armed. False: there are as many as there may be.   Throws bad_alloc.
  [[nodiscard]] bool set(std::uint64_t id, TimeNs due_ns) {
    const auto found = due_of_.find(id);
    if (found == due_of_.end() && due_of_.size() >= SYMPHONY_TIMERS_MAX) return false;
    const auto [entry, is_new] = order_.insert({due_ns, id});
    if (found == due_of_.end()) {
      try {
        due_of_.emplace(id, due_ns);
      } catch (...) {
        order_.erase(entry);
        throw;
      }
    } else if (found->second != due_ns) {
      order_.erase({found->second, id});
      found->second = due_ns;
    }
    return true;
  }
  [[nodiscard]] bool cancel(std::uint64_t id) noexcept {
    const auto found = due_of_.find(id);
    if (found == due_of_.end()) return false;
    order_.erase({found->second, id});
    due_of_.erase(found);
    return true;
  }
  // The id of the earliest timer that is due. Of several due at once the lowest id comes first.
  [[nodiscard]] std::optional<std::uint64_t> due(TimeNs now) const noexcept {
    if (order_.empty() || order_.begin()->first > now) return std::nullopt;
    return order_.begin()->second;
  }
  // The same; it is armed no more.
  [[nodiscard]] std::optional<std::uint64_t> take_due(TimeNs now) noexcept {
    const auto id = due(now);
    if (id) (void)cancel(*id);
    return id;
  }
  void clear() noexcept {
    due_of_.clear();
    order_.clear();
  }
  [[nodiscard]] TimeNs next_due_ns() const noexcept { return order_.empty() ? no_deadline_ns : order_.begin()->first; }
  // In order of their ids.
  [[nodiscard]] const std::map<std::uint64_t, TimeNs>& all() const noexcept { return due_of_; }

 private:
  std::map<std::uint64_t, TimeNs> due_of_;
  std::set<std::pair<TimeNs, std::uint64_t>> order_;
};

}  // namespace symphony::pit
