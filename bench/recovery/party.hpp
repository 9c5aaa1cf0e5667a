// The daemon that bench_recovery measures, in a folder of its own, and its processes.   Layer: bench. Threads: one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include <symphony/endpoint.hpp>

#include "bench/recovery/moments.hpp"

namespace symphony::bench::recovery {

inline constexpr TimeNs patience_ns = 30 * second_ns;

[[nodiscard]] UniqueFd pidfd_of(pid_t pid);
[[nodiscard]] bool is_readable(int fd, TimeNs timeout_ns) noexcept;
void kill_by(const UniqueFd& pidfd) noexcept;
// This program again, with these words; it dies with this one.
[[nodiscard]] pid_t run_self(std::vector<std::string> words);
// Prints why, and ends the program with status 1.
[[noreturn]] void give_up(const char* what, const char* why);

// What run_self({"daemon", SOCKET, PIT, MIB}) becomes.
int be_daemon(const std::string& socket, const std::string& moments, const std::string& mib, bool has_state);

class Party {
 public:
  // `has_state`: durability = "snapshot", of a state that is empty.
  Party(unsigned mib, bool has_state);
  ~Party();
  Party(const Party&) = delete;
  Party& operator=(const Party&) = delete;

  [[nodiscard]] const ConnectOptions& place() const noexcept { return place_; }
  [[nodiscard]] Endpoint& endpoint() noexcept { return *endpoint_; }
  [[nodiscard]] Link open();
  [[nodiscard]] PitInfo pit();         // once it is ready
  [[nodiscard]] pid_t broker() const;  // once there is one
  [[nodiscard]] pid_t daemon() const noexcept { return daemon_; }
  [[nodiscard]] const Row& row_of(std::uint32_t instance) const { return moments_->rows[instance % rows_max]; }

 private:
  std::string folder_;
  ConnectOptions place_;
  Moments* moments_ = nullptr;
  pid_t daemon_ = 0;
  std::optional<Endpoint> endpoint_;
};

}  // namespace symphony::bench::recovery
