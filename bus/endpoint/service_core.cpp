#include "bus/endpoint/service_core.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <new>
#include <span>
#include <system_error>

#include "bus/endpoint/placement.hpp"
#include "bus/endpoint/waiting.hpp"

namespace symphony::detail {
namespace {

using namespace control;

class MailRung final : public WatchTarget {
 public:
  explicit MailRung(Mailbox<ServiceEvent>& mailbox) noexcept : mailbox_(mailbox) {}
  void on_change(std::uint64_t link, bool) noexcept override {
    try {
      mailbox_.post(service_event::Rang{link});
    } catch (const std::bad_alloc&) {
      // The data thread looks at all links each time its own sleep ends.
    }
  }

 private:
  Mailbox<ServiceEvent>& mailbox_;
};

// A message could not be taken in, but the connection stands.
bool is_passing(errc code) noexcept { return code == errc::out_of_descriptors || code == errc::out_of_memory; }

// A sleep that nobody ends: the first one, and what it grows to while nothing happens. A lost wake-up costs as much.
constexpr TimeNs sleep_min_ns = 100 * ms_ns;
constexpr TimeNs sleep_max_ns = second_ns;
constexpr TimeNs sleep_unwatched_ns = 8 * ms_ns;  // nobody could be found to watch all the bells
constexpr TimeNs send_timeout_ns = 5 * second_ns;
constexpr TimeNs coarse_tick_ns = 5 * ms_ns;  // the coarse clock is less than this behind

bool watch(int epoll, int operation, int fd, std::uint32_t events) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  return ::epoll_ctl(epoll, operation, fd, &event) == 0;
}

}  // namespace

result<std::unique_ptr<ServiceCore>> ServiceCore::start(ControlSocket socket, const ServiceOptions& options) {
  if (options.name.empty() || options.name.size() > pit_name_size_max) {
    return unexpected(errc::invalid_argument, "Service: a pit's name has 1 to 63 bytes");
  }
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  // Not poll(), which a limit of descriptors below the number that it looks at turns away (RLIMIT_NOFILE).
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!wake || !epoll || !watch(epoll.get(), EPOLL_CTL_ADD, wake.get(), EPOLLIN) ||
      !watch(epoll.get(), EPOLL_CTL_ADD, socket.fd(), EPOLLIN)) {
    return unexpected(errc::out_of_descriptors, "eventfd, epoll: no descriptors left for the pit runtime", errno);
  }
  std::unique_ptr<ServiceCore> self(new ServiceCore(std::move(socket), options, std::move(wake), std::move(epoll)));
  // Before the first word to the broker, so that no request comes while the walls are not all up.
  try {
    self->thread_ = std::thread([raw = self.get()] { raw->run_control(); });
  } catch (const std::system_error& e) {
    return unexpected(errc::out_of_memory, "the pit runtime's thread could not be started: raise ulimit -u",
                      e.code().value());
  }
  PitReady ready;
  ready.clock_ns = now_ns();
  ready.name = options.name;
  ready.version = options.version;
  ready.reply_size_max = options.reply_size_max;
  ready.heavy_barriers = offer_heavy_barriers(options.waiting);
  if (options.confine) {
    const auto reached = options.confine();
    if (!reached) return unexpected(reached.error());
    ready.sandbox = *reached;
  }
  if (const auto sent = self->socket_.wait_send(ready, {}, deadline_after(send_timeout_ns)); !sent) {
    return unexpected(sent.error());
  }
  return self;
}

ServiceCore::ServiceCore(ControlSocket socket, const ServiceOptions& options, UniqueFd wake, UniqueFd epoll) noexcept
    : options_(options),
      wake_(std::move(wake)),
      epoll_(std::move(epoll)),
      socket_(std::move(socket)),
      links_(std::make_shared<MailRung>(mailbox_)),
      spin_(mode_of(options.waiting)) {}

ServiceCore::~ServiceCore() {
  {
    const std::lock_guard lock(send_mutex_);
    ending_ = true;
  }
  wake();
  if (thread_.joinable()) thread_.join();
}

// ---- data thread

void ServiceCore::run(RequestHandler& handler) noexcept {
  Placer placer(options_.placement);
  while (!stopping_) {
    if (mailbox_.has_mail()) read_mail(handler);
    if (frost_) [[unlikely]] {
      run_frozen(handler);
      continue;
    }
    if (stopping_) break;  // one that never sleeps would look for requests for ever
    clock_ns_ = coarse_now_ns();
    if (run_due(handler) || sweep(handler)) continue;
    const TimeNs start = now_ns();
    const TimeNs budget = placer.shares_caller_core() && options_.waiting != Waiting::spin ? 0 : spin_.ns();
    const auto glance = [&] { return mailbox_.has_mail() || links_.glance(); };
    // A full sweep now and then: closing callers, space to be given back, and a newer clock.
    const auto ready = [&] {
      if (mailbox_.has_mail() || sweep(handler)) return true;
      clock_ns_ = coarse_now_ns();
      return run_due(handler);
    };
    const bool found =
        budget != 0 && spin_until(glance, ready, budget == no_deadline_ns ? no_deadline_ns : start + budget);
    if (found || stopping_) continue;
    placer.follow(links_.placement());
    // A sleep that ended without a reason is followed by the next, not by another spin.
    for (TimeNs bound = sleep_min_ns;; bound = std::min(2 * bound, sleep_max_ns)) {
      const TimeNs due = handler.next_due_ns();
      const TimeNs left = due == no_deadline_ns ? no_deadline_ns : due - now_ns();
      if (left <= 0 || sleep(std::min(bound, left))) break;
    }
    spin_.slept(now_ns() - start);
  }
  // What was not begun is left to its callers: it ends as closed, or is sent to the next instance.
  for (std::size_t i = 0; i < links_.size(); ++i) count_wakes_of(links_[i], counters_);
  links_.clear();
}

// True: what was due has been done.
bool ServiceCore::run_due(RequestHandler& handler) noexcept {
  const TimeNs due = handler.next_due_ns();
  if (due == no_deadline_ns || clock_ns_ + coarse_tick_ns < due) return false;
  const TimeNs now = now_ns();
  if (now < due) return false;
  handler.on_due(now);
  return true;
}

LaterOutcome ServiceCore::reply(const LaterReply& to, CallStatus ending, std::uint32_t type,
                                std::span<const std::byte> body) noexcept {
  const std::size_t found = links_.find(to.link);
  const bool is_there = found != links_.size() && (to.epoch == 0 || links_[found].at().epoch == to.epoch);
  if (!is_there) return LaterOutcome::absent;
  return links_[found].reply_later(to.id, ending, type, body);
}

// One round over the links.   True: something was served, or a link was dropped.
bool ServiceCore::sweep(RequestHandler& handler) noexcept {
  const LinkSet::Swept swept = links_.sweep(handler, counters_, clock_ns_);
  if (swept.faulted == links_.size()) return swept.served;
  fault(swept.faulted);
  return true;
}

// True: there is something to do.
bool ServiceCore::sleep(TimeNs bound_ns) noexcept {
  std::array<WaitWord, wait_words_max> words;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  std::size_t count = 0;
  words[count++] = mailbox_.wait_word();
  if (!links_.arm(words, count)) bound_ns = sleep_unwatched_ns;
  const auto look = [&] { return mailbox_.has_mail() || links_.look_again(); };
  const bool found = sleep_unless<RealMem, Order, Site>(look, {words.data(), count}, now_ns() + bound_ns,
                                                        links_.needs_heavy_barrier(), sleep_);
  links_.disarm();
  return found;
}

void ServiceCore::read_mail(RequestHandler& handler) noexcept {
  for (ServiceEvent& event : mailbox_.take()) {
    if (frost_) [[unlikely]] {
      hear_frozen(event, handler);
    } else {
      hear(event, handler);
    }
  }
}

void ServiceCore::hear(ServiceEvent& event, RequestHandler& handler) noexcept {
  if (auto* attached = std::get_if<service_event::Attach>(&event)) {
    attach(std::move(attached->attached), handler);
  } else if (const auto* gone = std::get_if<service_event::Drop>(&event)) {
    drop(gone->at, gone->drain, handler);
  } else if (const auto* rung = std::get_if<service_event::Rang>(&event)) {
    links_.rang(rung->link);
  } else if (std::holds_alternative<service_event::Nudge>(event)) {
    handler.on_nudge();
  } else if (auto* freeze = std::get_if<service_event::Freeze>(&event)) {
    frost_.emplace().asked = std::move(*freeze);
  } else if (auto* asked = std::get_if<service_event::Rehearse>(&event)) {
    rehearse(*asked, handler);
  } else if (std::holds_alternative<service_event::Stop>(event)) {
    stopping_ = true;
  }
}

void ServiceCore::attach(std::unique_ptr<Attached> attached, RequestHandler& handler) noexcept {
  const Attachment at = attached->at;
  // A new epoch of a link replaces the old one.
  if (const std::size_t old = links_.find(at.link); old != links_.size()) {
    count_wakes_of(links_[old], counters_);
    links_.erase(old);
  }
  const std::uint64_t last_id = attached->last_id = handler.last_id(at.link);
  try {
    links_.add(std::make_shared<ServedLink>(std::move(attached), options_.reply_size_max, &cancelled_));
  } catch (const std::bad_alloc&) {
    return send(MapFailed{at, ENOMEM});
  }
  handler.on_attached(at.link);
  // Only now: the caller reads how far the old epoch got when it hears that this one is ready.
  send(Ready{at, last_id});
}

void ServiceCore::drop(const Attachment& at, bool drain, RequestHandler& handler) noexcept {
  const std::size_t found = links_.find(at.link);
  if (found != links_.size() && links_[found].at().epoch == at.epoch) {
    if (drain) links_[found].drain(handler, counters_);
    count_wakes_of(links_[found], counters_);
    links_.erase(found);
  }
  if (drain) handler.on_gone(at.link);
  send(Drained{at});
}

void ServiceCore::fault(std::size_t index) noexcept {
  ++counters_.peer_faults;
  send(PeerFault{links_[index].at(), static_cast<std::uint32_t>(links_[index].fault())});
  count_wakes_of(links_[index], counters_);
  links_.erase(index);
}

void ServiceCore::count_wakes_of(const ServedLink& link, ServiceCounters& into) noexcept {
  into.wakes_sent += link.wakes_sent();
  into.wakes_needed += link.wakes_needed();
}

ServiceCounters ServiceCore::counters() const noexcept {
  ServiceCounters now = counters_;
  now.sleeps = sleep_.sleeps;
  now.spurious_wakes = sleep_.spurious;
  now.timeouts = sleep_.timeouts;
  now.timeouts_with_data = sleep_.timeouts_with_data;
  for (std::size_t i = 0; i < links_.size(); ++i) count_wakes_of(links_[i], now);
  return now;
}

result<UniqueFd> ServiceCore::wait_caller_socket(TimeNs deadline_ns) {
  std::unique_lock lock(caller_mutex_);
  const std::uint64_t asked = ++callers_asked_;
  send(CallerWanted{asked});
  while (caller_answer_.correlation != asked) {
    const TimeNs left = deadline_ns - now_ns();
    if (left <= 0) {
      return unexpected(errc::timeout, "the broker did not answer with a caller's connection in time: call again");
    }
    caller_answered_.wait_for(lock, std::chrono::nanoseconds(std::min<TimeNs>(left, second_ns)));
  }
  if (!caller_answer_.granted) {
    return unexpected(errc::refused, "the operator lets this pit call nobody: add the other pit to its `calls`");
  }
  if (!caller_answer_.socket) {
    return unexpected(errc::out_of_descriptors, "no descriptor left for a caller's connection: raise the pit's limit");
  }
  return std::move(caller_answer_.socket);
}

// ---- control thread

void ServiceCore::send(const Message& message) noexcept {
  {
    const std::lock_guard lock(send_mutex_);
    outbox_.send(socket_, message);
    if (outbox_.empty()) return;
  }
  wake();  // the control thread is to look for room
}

void ServiceCore::wake() noexcept {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

void ServiceCore::run_control() noexcept {
  for (bool for_room = false;;) {
    bool more_waits = false;
    {
      const std::lock_guard lock(send_mutex_);
      outbox_.flush(socket_);
      if (ending_) return;
      more_waits = !outbox_.empty();
    }
    if (more_waits != for_room) {
      for_room =
          watch(epoll_.get(), EPOLL_CTL_MOD, socket_.fd(), more_waits ? EPOLLIN | EPOLLOUT : EPOLLIN) && more_waits;
    }
    std::array<epoll_event, 2> events{};
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    if (count < 0 && errno != EINTR) {  // it is no epoll set any more, by the pit's doing
      mailbox_.post(service_event::Stop{});
      return;
    }
    bool is_to_read = false;
    std::uint64_t wakes = 0;
    for (const epoll_event& event : std::span(events).first(static_cast<std::size_t>(std::max(count, 0)))) {
      if (event.data.fd == wake_.get()) (void)!::read(wake_.get(), &wakes, sizeof wakes);
      is_to_read |= event.data.fd == socket_.fd() && (event.events & ~std::uint32_t{EPOLLOUT}) != 0;
    }
    if (!is_to_read) continue;
    auto received = socket_.receive(FdPolicy::accept_or_tell);
    if (!received && is_passing(received.error().code)) continue;  // that attach runs into its timeout
    if (!received) {
      // Broker and keeper are both gone (the keeper holds the other end as well): nobody will attach or stop us.
      mailbox_.post(service_event::Stop{});
      return;
    }
    try {
      if (*received) on_message(*std::move(*received));
    } catch (const std::bad_alloc&) {
      // The message is lost; the attach it belonged to runs into its timeout.
    }
  }
}

void ServiceCore::on_message(Received received) {
  auto& fds = received.fds;
  if (const auto* own = std::get_if<Own>(&received.message)) {
    if (received.fds_lost) return send(MapFailed{own->at, EMFILE});
    if (fds.empty()) return;
    fds.resize(2);  // the second, if any: the caller's segment, of a link of write-back
    auto mapped = map_own(*own, std::move(fds[0]), Side::pit, std::move(fds[1]));
    if (!mapped) return send(MapFailed{own->at, mapped.error().sys_errno});
    forming_[own->at.link] = *std::move(mapped);
    send(Mapped{own->at});
  } else if (const auto* peer = std::get_if<Peer>(&received.message)) {
    const auto found = forming_.find(peer->at.link);
    if (found == forming_.end() || found->second->at != peer->at) return;
    auto attached = std::move(found->second);
    forming_.erase(found);
    if (fds.empty()) return send(MapFailed{peer->at, EMFILE});
    if (const auto mapped = map_peer(*attached, std::move(fds[0]), Side::pit); !mapped) {
      return send(MapFailed{peer->at, mapped.error().sys_errno});
    }
    mailbox_.post(service_event::Attach{std::move(attached)});
  } else if (const auto* gone = std::get_if<Drop>(&received.message)) {
    // Whatever its generation: the next broker ends what the one before it had begun.
    if (const auto found = forming_.find(gone->at.link);
        found != forming_.end() && found->second->at.epoch == gone->at.epoch) {
      forming_.erase(found);
    }
    mailbox_.post(service_event::Drop{gone->at, gone->drain});
  } else if (const auto* answer = std::get_if<CallerSocket>(&received.message)) {
    {
      const std::lock_guard lock(caller_mutex_);
      caller_answer_ = {answer->correlation, answer->granted, fds.empty() ? UniqueFd() : std::move(fds[0])};
    }
    caller_answered_.notify_all();
  } else if (std::holds_alternative<Stop>(received.message)) {
    mailbox_.post(service_event::Stop{});
  } else if (const auto* freeze = std::get_if<Freeze>(&received.message)) {
    if (received.fds_lost) {
      return send(Frozen{freeze->number, errc::out_of_descriptors, "no descriptor left for the memory of its state"});
    }
    mailbox_.post(
        service_event::Freeze{freeze->number, freeze->deadline_ns, fds.empty() ? UniqueFd() : std::move(fds[0])});
  } else if (const auto* cancel = std::get_if<CancelRequest>(&received.message)) {
    cancelled_.cancel(cancel->at.link, cancel->id);
  } else if (std::holds_alternative<Thaw>(received.message)) {
    mailbox_.post(service_event::Thaw{});
  } else if (const auto* asked = std::get_if<Rehearse>(&received.message)) {
    mailbox_.post(service_event::Rehearse{asked->number, fds.empty() ? UniqueFd() : std::move(fds[0])});
  }
}

}  // namespace symphony::detail

namespace symphony {

Service::Service(std::unique_ptr<detail::ServiceCore> core) noexcept : core_(std::move(core)) {}
Service::Service(Service&&) noexcept = default;
Service& Service::operator=(Service&&) noexcept = default;
Service::~Service() = default;

result<Service> Service::adopt(UniqueFd control_socket, const ServiceOptions& options) {
  auto core = detail::ServiceCore::start(detail::control::ControlSocket(std::move(control_socket)), options);
  if (!core) return unexpected(core.error());
  return Service(*std::move(core));
}

void Service::run(RequestHandler& handler) noexcept { core_->run(handler); }
void Service::stop() noexcept { core_->stop(); }
void Service::nudge() noexcept { core_->nudge(); }
result<UniqueFd> Service::wait_caller_socket(TimeNs deadline_ns) { return core_->wait_caller_socket(deadline_ns); }
LaterOutcome Service::reply(const LaterReply& to, CallStatus ending, std::uint32_t type,
                            std::span<const std::byte> body) noexcept {
  return core_->reply(to, ending, type, body);
}
bool Service::flush_replies(RequestHandler& handler) noexcept { return core_->flush_replies(handler); }
ServiceCounters Service::counters() const noexcept { return core_->counters(); }

}  // namespace symphony
