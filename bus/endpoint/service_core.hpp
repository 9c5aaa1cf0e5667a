// The pit runtime's two threads: one serves the links, one speaks with the broker.   Layer: endpoint.
// Threads: the control thread maps and unmaps nothing that the data thread uses; it hands whole links over by mailbox,
// and the data thread hands back what it dropped.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

#include <symphony/service.hpp>

#include "bus/control/socket.hpp"
#include "bus/endpoint/link_set.hpp"
#include "bus/endpoint/mailbox.hpp"
#include "bus/endpoint/outbox.hpp"
#include "bus/endpoint/served_link.hpp"
#include "bus/wait/sleep.hpp"
#include "bus/wait/spin.hpp"

namespace symphony::detail {

namespace service_event {
struct Attach {
  std::unique_ptr<Attached> attached;
};
struct Drop {
  control::Attachment at;
  bool drain = false;
};
struct Stop {};
struct Nudge {};
struct Freeze {
  std::uint32_t number = 0;
  TimeNs deadline_ns = 0;
  UniqueFd memory;
};
struct Thaw {};
struct Rehearse {
  std::uint32_t number = 0;
  UniqueFd memory;
};
// A parked link has something to do.
struct Rang {
  control::LinkId link = 0;
};
}  // namespace service_event
using ServiceEvent =
    std::variant<service_event::Attach, service_event::Drop, service_event::Stop, service_event::Nudge,
                 service_event::Freeze, service_event::Thaw, service_event::Rehearse, service_event::Rang>;

// A swap, from Freeze to Thaw. What the broker says of links meanwhile waits.
struct Frost {
  service_event::Freeze asked;
  bool is_frozen = false;  // answered so
  std::vector<ServiceEvent> held;
};

class ServiceCore {
 public:
  [[nodiscard]] static result<std::unique_ptr<ServiceCore>> start(control::ControlSocket socket,
                                                                  const ServiceOptions& options);
  ~ServiceCore();

  void run(RequestHandler& handler) noexcept;
  void stop() noexcept { mailbox_.post(service_event::Stop{}); }
  void nudge() noexcept { mailbox_.post(service_event::Nudge{}); }
  [[nodiscard]] result<UniqueFd> wait_caller_socket(TimeNs deadline_ns);
  [[nodiscard]] LaterOutcome reply(const LaterReply& to, CallStatus status, std::uint32_t type,
                                   std::span<const std::byte> body) noexcept;
  [[nodiscard]] bool flush_replies(RequestHandler& handler) noexcept { return links_.flush_later(handler); }
  [[nodiscard]] ServiceCounters counters() const noexcept;

 private:
  ServiceCore(control::ControlSocket socket, const ServiceOptions& options, UniqueFd wake, UniqueFd epoll) noexcept;

  // data thread
  [[nodiscard]] bool sweep(RequestHandler& handler) noexcept;
  [[nodiscard]] bool run_due(RequestHandler& handler) noexcept;
  void read_mail(RequestHandler& handler) noexcept;
  void hear(ServiceEvent& event, RequestHandler& handler) noexcept;
  void attach(std::unique_ptr<Attached> attached, RequestHandler& handler) noexcept;
  // service_freeze.cpp: the data thread while another process is to take over
  void run_frozen(RequestHandler& handler) noexcept;
  void hear_frozen(ServiceEvent& event, RequestHandler& handler) noexcept;
  void try_freeze(RequestHandler& handler) noexcept;
  void thaw(RequestHandler& handler) noexcept;
  void rehearse(service_event::Rehearse& asked, RequestHandler& handler) noexcept;
  void drop(const control::Attachment& at, bool drain, RequestHandler& handler) noexcept;
  void fault(std::size_t index) noexcept;
  static void count_wakes_of(const ServedLink& link, ServiceCounters& into) noexcept;
  bool sleep(TimeNs bound_ns) noexcept;

  // control thread
  void run_control() noexcept;
  void on_message(control::Received received);
  // both: never blocks; what the broker does not take now goes out as it reads
  void send(const control::Message& message) noexcept;
  void wake() noexcept;

  const ServiceOptions options_;
  UniqueFd wake_;
  const UniqueFd epoll_;  // of wake_ and socket_
  control::ControlSocket socket_;
  std::mutex send_mutex_;  // guards the two below; nobody waits while holding it
  Outbox outbox_;
  bool ending_ = false;
  Mailbox<ServiceEvent> mailbox_;
  CancelWord cancelled_;
  std::map<control::LinkId, std::unique_ptr<Attached>> forming_;  // control thread
  LinkSet links_;                                                 // data thread; its watchers post into mailbox_
  SpinBudget spin_;
  // Read while nobody waits, not between a request and its reply. A request may be handled by as much after its
  // deadline as the clock is behind, at most the time between two looks at the clock; its caller has ended it anyway.
  TimeNs clock_ns_ = 0;
  ServiceCounters counters_;  // wakes: of links that are gone
  SleepCounters sleep_;
  bool stopping_ = false;
  std::optional<Frost> frost_;
  // The last answer to CallerWanted.
  struct CallerAnswer {
    std::uint64_t correlation = 0;
    bool granted = false;
    UniqueFd socket;
  };
  std::mutex caller_mutex_;  // guards the three below
  std::condition_variable caller_answered_;
  CallerAnswer caller_answer_;
  std::uint64_t callers_asked_ = 0;
  std::thread thread_;
};

}  // namespace symphony::detail
