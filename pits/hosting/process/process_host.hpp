// A pit in a process of its own, behind shared-memory rings.   Layer: hosting/process (contract, bus/base, endpoint).
// Who runs the broker configures the pit; this host is a program's view of it. A crash of the pit ends at its process:
// calls on the way end exactly once, and the links attach to the next instance by themselves. Threads: any for the
// host, one at a time for each link.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <symphony/endpoint.hpp>

#include "pits/hosting/host.hpp"

namespace symphony::pit {

inline constexpr std::uint32_t default_threads_max = 64;

struct ProcessOptions {
  LinkOptions link{};
  TimeNs open_timeout_ns = default_call_timeout_ns;
  std::uint32_t threads_max = default_threads_max;  // of share(): threads that get a link of their own
};

class ProcessHost final : public Host {
 public:
  // Opens a link of the host's own to the pit of that name and asks it who it is. The endpoint outlives the host.
  // UNREACHABLE, QUARANTINED, DEADLINE, OVERLOADED as Endpoint::open.
  static Outcome mount(Endpoint& endpoint, std::string_view name, const ProcessOptions& options,
                       std::unique_ptr<ProcessHost>& out);

  [[nodiscard]] std::string_view mode() const noexcept override { return "process"; }
  [[nodiscard]] const PitInfo& info() const noexcept override { return info_; }
  Outcome open(std::unique_ptr<Link>& out) override;
  // Opens one link at once, for the threads that cannot have their own (link_queue.hpp); else as open().
  Outcome share(std::unique_ptr<SharedLink>& out) override;
  Outcome snapshot(Snapshot& out) override;
  Outcome restore(const Snapshot& from) override;
  Outcome drain(TimeNs deadline_ns) override;
  Outcome start() override;
  Outcome stop() override;
  Outcome feed(std::uint64_t seed, TimeNs now_ns) override;
  Outcome rest(TimeNs deadline_ns) override;
  Outcome resume(const Snapshot& from, TimeNs deadline_ns) override;
  // The process stays, with a pit that is stopped.
  Outcome retire() override;
  [[nodiscard]] std::uint64_t incarnation() override;

 private:
  ProcessHost(Endpoint& endpoint, std::string_view name, const ProcessOptions& options, symphony::Link own)
      : endpoint_(endpoint), name_(name), options_(options), own_(std::move(own)) {}
  Outcome ask_info();
  Outcome read_snapshot(Snapshot& out);  // BAD_STATE: begin anew
  template <class BodyOf, class Take>
  Outcome ask_each(std::uint32_t type, Effect effect, TimeNs deadline_ns, std::uint64_t count, BodyOf&& body_of,
                   Take&& take);
  Outcome step(std::uint32_t what, TimeNs deadline_ns);
  Outcome put_state(const Snapshot& from, bool resumes, TimeNs deadline_ns);
  [[nodiscard]] symphony::Reply ask(std::uint32_t type, std::span<const std::byte> body, Effect effect,
                                    TimeNs deadline_ns = no_deadline_ns);

  Endpoint& endpoint_;
  std::string name_;
  ProcessOptions options_;
  PitInfo info_;
  std::mutex mutex_;
  symphony::Link own_;  // for the runtime's own messages; under mutex_
};

// A link to the pit of that name, opened by the deadline; as Endpoint::open otherwise.
template <class Way>  // Link, or its base Caller
Outcome open_process_link(Endpoint& endpoint, std::string_view name, const ProcessOptions& options, TimeNs deadline_ns,
                          std::unique_ptr<Way>& out);

// What ProcessHost::share makes.
Outcome share_process_links(Endpoint& endpoint, std::string_view name, const ProcessOptions& options,
                            std::unique_ptr<SharedLink>& out);

}  // namespace symphony::pit
