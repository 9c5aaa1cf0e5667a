// Which pits are mounted under which names.   Layer: conductor. Threads: any.
// Shared by the conductor and the pits' service thread, which may outlive it by way of a caller.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "pits/conductor/route.hpp"

namespace symphony::conductor {

class Mounts {
 public:
  [[nodiscard]] std::shared_ptr<Route> find(std::string_view name) {
    const std::lock_guard lock(mutex_);
    const auto found = routes_.find(name);
    return found == routes_.end() ? nullptr : found->second;
  }
  // False: the name is taken.
  [[nodiscard]] bool add(std::string_view name, std::shared_ptr<Route> route) {
    const std::lock_guard lock(mutex_);
    return routes_.try_emplace(std::string(name), std::move(route)).second;
  }
  // What was mounted under that name; null: nothing.
  [[nodiscard]] std::shared_ptr<Route> remove(std::string_view name) {
    const std::lock_guard lock(mutex_);
    const auto found = routes_.find(name);
    if (found == routes_.end()) return nullptr;
    auto route = std::move(found->second);
    routes_.erase(found);
    return route;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Route>, std::less<>> routes_;
};

}  // namespace symphony::conductor
