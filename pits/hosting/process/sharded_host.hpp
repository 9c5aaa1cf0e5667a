// A pit that runs as several processes, each with its share of the keys.   Layer: hosting/process (contract, bus/base,
// endpoint).
// Calls with equal keys reach the same instance, those without a key the first. Each instance has a state of its own
// and may die alone: only its keys' calls wait for the next one. What concerns the life cycle goes to all; a snapshot
// is each instance's own, so it is taken from each under its own name (instance_name()). Threads: any for the host;
// links as pit::Link and pit::SharedLink.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "pits/hosting/process/process_host.hpp"

namespace symphony::pit {

class ShardedHost final : public Host {
 public:
  // Finds the instances at the broker, from 2 to instances_max, and asks the first one who it is. As
  // ProcessHost::mount.
  static Outcome mount(Endpoint& endpoint, std::string_view name, std::uint32_t instances,
                       const ProcessOptions& options, std::unique_ptr<ShardedHost>& out);

  [[nodiscard]] std::string_view mode() const noexcept override { return "process"; }
  [[nodiscard]] const PitInfo& info() const noexcept override { return first_->info(); }
  // To an instance a link is opened by the first call that it is to have.
  Outcome open(std::unique_ptr<Link>& out) override;
  // An instance that cannot be reached now answers its calls with the reason; fails when none can.
  Outcome share(std::unique_ptr<SharedLink>& out) override;
  Outcome snapshot(Snapshot& out) override;        // BAD_STATE
  Outcome restore(const Snapshot& from) override;  // BAD_STATE
  // To each instance in turn, also behind one that failed; the first failure is told.
  Outcome drain(TimeNs deadline_ns) override;
  Outcome start() override;
  Outcome stop() override;
  Outcome feed(std::uint64_t seed, TimeNs now_ns) override;
  Outcome rest(TimeNs deadline_ns) override;                          // BAD_STATE
  Outcome resume(const Snapshot& from, TimeNs deadline_ns) override;  // BAD_STATE
  Outcome retire() override;
  [[nodiscard]] std::uint64_t incarnation() override { return first_->incarnation(); }

 private:
  ShardedHost(Endpoint& endpoint, std::string_view name, std::uint32_t instances, const ProcessOptions& options,
              std::unique_ptr<ProcessHost> first)
      : endpoint_(endpoint), name_(name), instances_(instances), options_(options), first_(std::move(first)) {}
  template <class Step>
  Outcome each(Step&& step);

  Endpoint& endpoint_;
  const std::string name_;
  const std::uint32_t instances_;
  const ProcessOptions options_;
  const std::unique_ptr<ProcessHost> first_;
};

// How many instances the broker has of the pit of that name: it and name.1, name.2 as far as they go. 0: none.
Outcome count_instances(Endpoint& endpoint, std::string_view name, TimeNs timeout_ns, std::uint32_t& out);

}  // namespace symphony::pit
