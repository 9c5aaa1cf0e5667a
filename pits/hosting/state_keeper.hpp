// What keeps a pit's state beyond its instance, as the modes see it that run a pit in this process.   Layer: hosting
// (contract, bus/base). Implemented in hosting/durable, so that a host without it knows nothing of journals.
// Threads: inside the executor, all of it.   Lifetime: one keeper serves one core, until end().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <symphony/clock.hpp>

#include "pits/hosting/instance.hpp"

namespace symphony::pit {

// What a keeper asks of the host whose pit it keeps. Never called while the pit is entered.
class KeptHost {
 public:
  // An instance up to INITED.
  virtual Outcome make_inited(InstanceServices* services, std::unique_ptr<Instance>& out) = 0;
  // As InstanceServices::call_async: after OK one StateKeeper::answer() follows.
  virtual std::int32_t post(const AsyncCall& call) noexcept = 0;
  // Whether somebody hears what the pit publishes; then tell() tells him.
  [[nodiscard]] virtual bool is_heard() const noexcept = 0;
  virtual void tell(std::uint32_t type, std::span<const std::byte> body) noexcept = 0;
  [[nodiscard]] virtual LogSink* log() const noexcept = 0;

 protected:
  ~KeptHost() = default;
};

class StateKeeper {
 public:
  StateKeeper() = default;
  StateKeeper(const StateKeeper&) = delete;
  StateKeeper& operator=(const StateKeeper&) = delete;
  virtual ~StateKeeper() = default;

  // Whether what it keeps is there after this process.
  [[nodiscard]] virtual bool outlives_the_process() const noexcept = 0;

  // An instance that is RUNNING: as an earlier process left it, else a new one. BAD_STATE: what was left is damaged, or
  // another process keeps it; nothing of it was changed then.
  virtual Outcome begin(KeptHost& host) = 0;
  // In the place of an instance that trapped: the next one, with the state that was kept before the event that it
  // trapped in. The requests that this state does not know of end as TRAPPED.
  virtual Outcome begin_again() = 0;
  // Keeps the state once more, and lets go of host and instance.
  virtual void end() noexcept = 0;

  [[nodiscard]] virtual Instance& instance() noexcept = 0;

  // As those of the instance. An event that it trapped in never was: what it made does not leave.
  virtual void handle(std::uint64_t link, const symphony_envelope& envelope, std::span<const std::byte> body,
                      ReplySink& sink) noexcept = 0;
  // Nobody waits any longer for a request that was deferred. False: it has ended.
  virtual bool forget(std::uint64_t link, std::uint64_t id) noexcept = 0;
  // A link is over.
  virtual void gone(std::uint64_t link) noexcept = 0;
  virtual void answer(std::uint64_t cookie, std::int32_t status, std::uint32_t type,
                      std::span<const std::byte> body) noexcept = 0;
  virtual Outcome restore(const Snapshot& from) = 0;
  virtual Outcome drain(std::uint64_t deadline_ns) = 0;
  virtual Outcome start() = 0;
  virtual Outcome stop() = 0;
  virtual Outcome feed(std::uint64_t seed, TimeNs now_ns) = 0;

  // Timers, answers that found no room, snapshots: what is due by now, until the instance traps.
  virtual void run_due(TimeNs now_ns) noexcept = 0;
  [[nodiscard]] virtual TimeNs next_due_ns() const noexcept = 0;
};

}  // namespace symphony::pit
