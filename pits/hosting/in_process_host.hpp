// What the modes that run a pit inside this process share: the instance behind its executor, the callers' links, the
// control side, and a new instance after a trap.   Layer: hosting (contract, bus/base).
// A mode brings an InstanceFactory and its name; everything else is here. A call runs on its caller's own thread; it
// costs one compare-and-swap and one store beside the pit's own work, and allocates nothing once the link has been used
// for a reply of that size.
// Lifetime: the instance lives until the host and all its links are gone.
#pragma once

#include <symphony/pit.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "pits/hosting/executor.hpp"
#include "pits/hosting/host.hpp"
#include "pits/hosting/instance.hpp"
#include "pits/hosting/overrun.hpp"

namespace symphony::pit {

class ServiceThread;
class StateKeeper;

struct InProcessOptions {
  std::string config{};                       // the operator's JSON text
  LogSink* log = nullptr;                     // to outlive the host and its links
  std::uint64_t seed = 0;                     // of the pit's random(); 0: chosen
  std::span<const Extension> extensions{};    // to outlive the host and its links
  const Snapshot* restore = nullptr;          // the state to begin with; lent
  std::shared_ptr<ServiceThread> services{};  // for timers and calls of other pits; null: one of its own, no calls
  EventSink* events = nullptr;                // hears what the pit publishes; to outlive the host and its links
  std::uint32_t queue_max = Executor::default_queue_max;
  // Modes whose pits can trap: after so many state-changing messages the state is kept anew for a rebuild. 0: the state
  // kept is that of mount(), restore() and snapshot().
  std::uint32_t checkpoint_after = 0;
  OverrunOptions overrun{};  // modes that cannot end a pit's code
  // Keeps the state over the death of the process, and over traps; of this host alone. Null: it ends with the instance.
  std::shared_ptr<StateKeeper> keeper{};
};

// How a mode makes an instance. Threads: one call at a time. Lives as long as the host and its links.
class InstanceFactory {
 public:
  InstanceFactory() = default;
  InstanceFactory(const InstanceFactory&) = delete;
  InstanceFactory& operator=(const InstanceFactory&) = delete;
  virtual ~InstanceFactory() = default;
  // A CREATED instance into `out`.
  virtual Outcome make(const InstanceOptions& options, std::unique_ptr<Instance>& out) = 0;
  // Whether an instance can trap and leave this process whole: then its state is kept for the next one.
  [[nodiscard]] virtual bool can_trap() const noexcept { return false; }
};

class InProcessCore;

class InProcessHost : public Host {
 public:
  ~InProcessHost() override;

  [[nodiscard]] std::string_view mode() const noexcept override;
  [[nodiscard]] const PitInfo& info() const noexcept override;
  Outcome open(std::unique_ptr<Link>& out) override;
  // At most Executor::default_queue_max threads: each has a place at the executor, and none does without.
  Outcome share(std::unique_ptr<SharedLink>& out) override;
  Outcome snapshot(Snapshot& out) override;
  Outcome restore(const Snapshot& from) override;
  Outcome drain(TimeNs deadline_ns) override;
  Outcome start() override;
  Outcome stop() override;
  Outcome feed(std::uint64_t seed, TimeNs now_ns) override;
  Outcome rest(TimeNs deadline_ns) override;
  Outcome resume(const Snapshot& from, TimeNs deadline_ns) override;  // takes as long as the pit does
  Outcome retire() override;
  [[nodiscard]] std::uint64_t incarnation() override { return rebuilds() + 1; }
  [[nodiscard]] Health health() const override;

  // How many instances were made in the place of one that trapped.   [any thread]
  [[nodiscard]] std::uint64_t rebuilds() const noexcept;

 protected:
  // An instance by way of the factory, restored if asked to, started: RUNNING. `mode` is a literal.
  static Outcome begin(std::string_view mode, std::unique_ptr<InstanceFactory> factory, const InProcessOptions& options,
                       std::shared_ptr<InProcessCore>& out);
  explicit InProcessHost(std::shared_ptr<InProcessCore> core) noexcept;

 private:
  std::shared_ptr<InProcessCore> core_;
};

}  // namespace symphony::pit
