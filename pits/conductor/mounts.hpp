// Which pits are mounted under which names.   Layer: conductor. Threads: any.
// Shared by the conductor and the pits' service thread, which may outlive it by way of a caller.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "pits/hosting/host.hpp"

namespace symphony::conductor {

class Mounts {
 public:
  [[nodiscard]] std::shared_ptr<pit::Host> find(std::string_view name) {
    const std::lock_guard lock(mutex_);
    const auto found = hosts_.find(name);
    return found == hosts_.end() ? nullptr : found->second;
  }
  // False: the name is taken.
  [[nodiscard]] bool add(std::string_view name, std::shared_ptr<pit::Host> host) {
    const std::lock_guard lock(mutex_);
    return hosts_.try_emplace(std::string(name), std::move(host)).second;
  }
  // What was mounted under that name; null: nothing.
  [[nodiscard]] std::shared_ptr<pit::Host> remove(std::string_view name) {
    const std::lock_guard lock(mutex_);
    const auto found = hosts_.find(name);
    if (found == hosts_.end()) return nullptr;
    auto host = std::move(found->second);
    hosts_.erase(found);
    return host;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<pit::Host>, std::less<>> hosts_;
};

}  // namespace symphony::conductor
