// The one thread that runs the timers of a program's instances and makes their calls of other pits.   Layer: hosting
// (contract, bus/base). In a program it serves all pits that run in it; in a process pit it makes that pit's calls.
// Nothing here waits for an answer: a call is started, and its ending is taken when it is there, so a pit that answers
// late holds up nobody else. What does hold the others up is a handler that runs long in a pit of this process.
// Threads: post(), due() and let_go() from any, the first two also from inside a pit; the rest on the thread itself.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

#include <symphony/clock.hpp>

#include "pits/hosting/host.hpp"
#include "pits/hosting/services.hpp"

namespace symphony::pit {

// Whose timers run and whose calls are made.
class ServiceClient {
 public:
  ServiceClient() = default;
  ServiceClient(const ServiceClient&) = delete;
  ServiceClient& operator=(const ServiceClient&) = delete;
  virtual ~ServiceClient() = default;
  // Runs what is due and returns when the next timer is; no_deadline_ns: none.   [service thread]
  virtual TimeNs run_timers(TimeNs now) noexcept = 0;
  // The one ending of a call that was posted.   [service thread]
  virtual void on_answer(std::uint64_t cookie, const Reply& reply) noexcept = 0;
};

class ServiceThread {
 public:
  // Makes a link to the pit of that name, or says why there is none.   [service thread]
  using Resolve = std::function<Outcome(std::string_view service, TimeNs deadline_ns, std::unique_ptr<Link>& out)>;

  explicit ServiceThread(Resolve resolve);
  ServiceThread(const ServiceThread&) = delete;
  ServiceThread& operator=(const ServiceThread&) = delete;
  // Calls that are out get no answer any more. May run on the thread itself, where the last owner was let go there.
  ~ServiceThread();

  // Takes a copy of the call. After OK one on_answer() follows, as long as the client lives. Never blocks.
  // OVERLOADED: no memory, no descriptor, or no thread can be started.
  std::int32_t post(const std::weak_ptr<ServiceClient>& client, const AsyncCall& call) noexcept;
  // From now on the client's earliest timer is due then; no_deadline_ns: it has none. OVERLOADED as post().
  std::int32_t due(const std::weak_ptr<ServiceClient>& client, TimeNs due_ns) noexcept;
  // Returns when the thread is not at work for the client, if it is the last to own it: who gave up the last other
  // owner before this knows then that the client is gone. On the thread itself it returns at once. [not while what the
  // client waits for is held]
  void let_go(const std::weak_ptr<ServiceClient>& client) noexcept;

 private:
  class Loop;
  bool is_running();  // starts the thread; false: no descriptor for it

  std::shared_ptr<Loop> loop_;
  std::mutex mutex_;    // guards thread_ being started
  std::thread thread_;  // from the first post() or due() on
};

}  // namespace symphony::pit
