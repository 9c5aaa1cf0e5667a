// The doors by which many threads can reach one pit, each with a pit of its own, and threads that call through them in
// turns.   Layer: bench.
// Threads: one measures; the workers are its own.
#pragma once

#include <array>
#include <atomic>
#include <barrier>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <symphony/broker.hpp>
#include <symphony/endpoint.hpp>

#include "pits/hosting/host.hpp"

namespace symphony::bench {

enum Door : std::size_t { mutex_door, queue_door, own_door, static_door, door_count };
inline constexpr std::array<const char*, door_count> door_names{"mutex", "queue", "link each", "static"};

// Three processes of one echo pit, so that no door's links lie idle in the pit of another, and the same pit linked in.
class Doors {
 public:
  // `pit_file`: the echo pit's shared object.
  [[nodiscard]] static result<std::unique_ptr<Doors>> open(const std::string& pit_host, const std::string& pit_file);
  [[nodiscard]] pit::SharedLink& at(std::size_t door) noexcept { return *links_[door]; }

 private:
  Doors() = default;
  std::optional<EmbeddedBroker> broker_;
  std::optional<Endpoint> endpoint_;
  std::array<std::unique_ptr<pit::Host>, door_count> hosts_;
  std::array<std::unique_ptr<pit::SharedLink>, door_count> links_;
};

// n threads that make calls as fast as they can, all through one door, for as long as a turn lasts.
class Workers {
 public:
  Workers(Doors& doors, std::size_t count);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Calls a second, of all threads together; 0: a call failed.
  [[nodiscard]] double turn(std::size_t door, TimeNs length_ns);

 private:
  void work();

  Doors& doors_;
  std::barrier<> begin_, end_;     // the threads and the one that measures
  std::size_t door_ = door_count;  // door_count: end
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> calls_{0};
  std::atomic<bool> failed_{false};
  std::vector<std::thread> threads_;
};

}  // namespace symphony::bench
