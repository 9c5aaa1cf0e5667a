#include "bus/endpoint/caller_control.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <new>
#include <system_error>
#include <utility>

#include "bus/control/rendezvous.hpp"
#include "bus/memory/segment.hpp"

namespace symphony::detail {
namespace {

using namespace control;

// A message could not be taken in, but the connection stands.
bool is_passing(errc code) noexcept { return code == errc::out_of_descriptors || code == errc::out_of_memory; }

constexpr std::uint64_t tag_socket = 0;
constexpr std::uint64_t tag_wake = ~std::uint64_t{0};
constexpr TimeNs send_timeout_ns = second_ns;
constexpr TimeNs search_slice_ns = 200 * ms_ns;
constexpr TimeNs welcome_timeout_ns = 2 * second_ns;

constexpr const char* text_unreachable =
    "the broker is gone and this endpoint knows no path to another: make a new one";

CallStatus ending_of(errc code) noexcept {
  switch (code) {
    case errc::quarantined:
      return status::quarantined;
    case errc::closed:
      return status::closed;
    case errc::unreachable:
      return status::unreachable;
    default:
      return status::unreachable;
  }
}

// Texts of errors are static; the broker's come over the wire. Known codes have one sentence each here.
const char* text_of(errc code) noexcept {
  switch (code) {
    case errc::not_found:
      return "open: the broker knows no pit of this name; `symphony pit list` shows those it has";
    case errc::quarantined:
      return "open: the pit failed too often and is quarantined; see its log, then restart it";
    case errc::timeout:
      return "open: the pit was not ready before the deadline";
    case errc::refused:
      return "open: the broker refused this caller";
    case errc::out_of_memory:
      return "open: no memory for the link's segments; use smaller rings";
    case errc::out_of_descriptors:
      return "open: no descriptors left for the link's segments; close links";
    case errc::closed:
      return "open: the pit has finished and is not started again";
    case errc::too_large:
      return "open: the link is larger than the broker allows, or there are too many links";
    case errc::invalid_argument:
      return "open: the broker did not accept the link's parameters";
    case errc::busy:
      return "open: the broker has too many opens waiting";
    default:
      return "open: the broker could not make the link";
  }
}

error unreachable_error() noexcept { return {errc::unreachable, 0, text_unreachable}; }

std::chrono::steady_clock::time_point to_time_point(TimeNs t) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(t));
}

// Hello, then Welcome; whatever the broker says in between about links stays in the socket.
result<Welcome> greet(ControlSocket& socket, std::vector<HeldLink> links, TimeNs deadline_ns) {
  Hello hello;
  hello.clock_ns = now_ns();
  hello.links = std::move(links);
  if (const auto sent = socket.wait_send(hello, {}, deadline_ns); !sent) return unexpected(sent.error());
  auto answer = socket.wait_receive(FdPolicy::refuse, deadline_ns);
  if (!answer) return unexpected(answer.error());
  if (const auto* welcome = std::get_if<Welcome>(&answer->message)) return *welcome;
  if (const auto* refused = std::get_if<Refused>(&answer->message)) {
    return unexpected(refused->code, "the broker refused this endpoint: another protocol version or time namespace");
  }
  return unexpected(errc::peer_fault, "the broker did not answer a hello with a welcome");
}

}  // namespace

result<std::shared_ptr<CallerControl>> CallerControl::start(ControlSocket socket, std::string path,
                                                            TimeNs deadline_ns) {
  auto guard = ForkGuard::make();
  if (!guard) return unexpected(guard.error());
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll || !wake) {
    return unexpected(errc::out_of_descriptors, "epoll_create1, eventfd: no descriptors left for an endpoint", errno);
  }
  const auto welcome = greet(socket, {}, deadline_ns);
  if (!welcome) return unexpected(welcome.error());
  // In a forked child nothing of it may run, not even the destructor: its thread does not exist there.
  const auto destroy = [](CallerControl* control) {
    if (!control->guard_.in_child()) delete control;
  };
  std::shared_ptr<CallerControl> self(
      new CallerControl(std::move(socket), std::move(path), *std::move(guard), std::move(epoll), std::move(wake)),
      destroy);
  self->generation_ = welcome->generation;
  self->watch(self->wake_.get(), tag_wake);
  self->watch(self->socket_.fd(), tag_socket);
  try {
    self->thread_ = std::thread([raw = self.get()] { raw->run(); });
  } catch (const std::system_error& e) {
    return unexpected(errc::out_of_memory, "an endpoint's thread could not be started: raise ulimit -u",
                      e.code().value());
  }
  return self;
}

CallerControl::CallerControl(ControlSocket socket, std::string path, ForkGuard guard, UniqueFd epoll,
                             UniqueFd wake) noexcept
    : guard_(std::move(guard)),
      path_(std::move(path)),
      epoll_(std::move(epoll)),
      wake_(std::move(wake)),
      socket_(std::move(socket)) {}

CallerControl::~CallerControl() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

// ---- any thread

Open CallerControl::open_message(const std::string& pit, const LinkOptions& options, LinkId link,
                                 std::uint64_t correlation, TimeNs deadline_ns) const {
  return {correlation, pit, link, options.request_capacity, options.reply_capacity, deadline_ns};
}

result<std::unique_ptr<LinkCore>> CallerControl::open(std::string_view pit, const LinkOptions& options,
                                                      TimeNs deadline_ns) {
  if (guard_.in_child()) {
    return unexpected(errc::forked, "open: this endpoint was made before fork(); make a new one in the child");
  }
  if (pit.empty() || pit.size() > pit_name_size_max) {
    return unexpected(errc::invalid_argument, "open: a pit's name has 1 to 63 bytes");
  }
  if (!is_ring_capacity(options.request_capacity) || !is_ring_capacity(options.reply_capacity)) {
    return unexpected(errc::invalid_argument, "open: a ring's capacity is a power of two from 4 KiB to 1 GiB");
  }
  if (options.in_flight_max == 0 || options.in_flight_max > 1024 ||
      (options.in_flight_max & (options.in_flight_max - 1)) != 0) {
    return unexpected(errc::invalid_argument, "open: in_flight_max is a power of two up to 1024");
  }
  Opening opening{std::string(pit), options, 0, nullptr, std::make_shared<LinkMailbox>(), std::nullopt};
  std::unique_lock lock(mutex_);
  if (!connected_ && path_.empty()) return unexpected(unreachable_error());
  const std::uint64_t correlation = next_correlation_++;
  openings_[correlation] = &opening;
  if (connected_) send(open_message(opening.pit, options, 0, correlation, deadline_ns));
  const bool decided = changed_.wait_until(lock, to_time_point(deadline_ns),
                                           [&] { return opening.attached != nullptr || opening.failure.has_value(); });
  openings_.erase(correlation);
  if (opening.attached) {
    return std::make_unique<LinkCore>(shared_from_this(), std::move(opening.mailbox), std::move(opening.attached),
                                      options);
  }
  if (opening.link != 0) {
    forget(opening.link);
    send(Close{opening.link});
  }
  if (!decided) return unexpected(errc::timeout, text_of(errc::timeout));
  return unexpected(*opening.failure);
}

result<BrokerStatus> CallerControl::status(TimeNs deadline_ns) {
  if (guard_.in_child()) {
    return unexpected(errc::forked, "status: this endpoint was made before fork(); make a new one in the child");
  }
  std::unique_lock lock(mutex_);
  if (!connected_) return unexpected(unreachable_error());
  const std::uint64_t correlation = next_correlation_++;
  queries_[correlation] = std::nullopt;
  send(StatusQuery{correlation});
  const bool answered =
      changed_.wait_until(lock, to_time_point(deadline_ns), [&] { return queries_[correlation].has_value(); });
  const std::optional<Status> answer = std::move(queries_[correlation]);
  queries_.erase(correlation);
  if (!answered) return unexpected(errc::timeout, "status: the broker did not answer in time");
  BrokerStatus out;
  out.generation = answer->generation;
  for (const PitStatus& p : answer->pits) out.pits.push_back({p.name, p.state, p.pid, p.instance, p.links});
  return out;
}

void CallerControl::report_fault(const Attachment& at, RingFault fault) noexcept {
  const std::lock_guard lock(mutex_);
  if (LinkEntry* entry = entry_of(at)) entry->live = false;
  send(PeerFault{at, static_cast<std::uint32_t>(fault)});
}

void CallerControl::close_link(LinkId link) noexcept {
  const std::lock_guard lock(mutex_);
  forget(link);
  send(Close{link});
}

// Precondition: mutex_ is held.
void CallerControl::forget(LinkId link) {
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  if (found->second.pidfd) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.pidfd.get(), nullptr);
  links_.erase(found);
}

// Precondition: mutex_ is held. A broker that cannot be told will learn it from the end of the connection.
bool CallerControl::send(const Message& message) {
  return connected_ && socket_.wait_send(message, {}, deadline_after(send_timeout_ns)).has_value();
}

// ---- control thread

void CallerControl::watch(int fd, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void CallerControl::run() noexcept {
  std::array<epoll_event, 32> events{};
  for (;;) {
    const int n = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    if (n < 0 && errno != EINTR) return;
    for (int i = 0; i < n; ++i) {
      const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
      if (tag == tag_wake) return;
      try {
        if (tag == tag_socket) {
          on_readable();
        } else {
          on_pit_died(tag);
        }
      } catch (const std::bad_alloc&) {
        // The message is lost; what waits for it runs into its deadline. The user's program goes on.
      }
    }
  }
}

void CallerControl::on_readable() {
  for (;;) {
    auto received = [&] {
      const std::lock_guard lock(mutex_);
      return socket_.receive(FdPolicy::accept);
    }();
    if (!received && is_passing(received.error().code)) continue;  // that open runs into its timeout
    if (!received) return on_broker_gone();
    if (!*received) return;
    on_message(*std::move(*received));
  }
}

void CallerControl::on_message(Received received) {
  const std::lock_guard lock(mutex_);
  auto& fds = received.fds;
  if (const auto* own = std::get_if<Own>(&received.message)) {
    if (!fds.empty()) on_own(*own, std::move(fds));
  } else if (const auto* peer = std::get_if<Peer>(&received.message)) {
    on_peer(*peer, std::move(fds));
  } else if (const auto* go = std::get_if<Go>(&received.message)) {
    on_go(*go);
  } else if (const auto* drop = std::get_if<Drop>(&received.message)) {
    on_drop(*drop);
  } else if (const auto* refused = std::get_if<Refused>(&received.message)) {
    on_refused(*refused);
  } else if (auto* answer = std::get_if<Status>(&received.message)) {
    if (const auto query = queries_.find(answer->correlation); query != queries_.end()) {
      query->second = std::move(*answer);
      changed_.notify_all();
    }
  }
}

CallerControl::LinkEntry* CallerControl::entry_of(const Attachment& at) {
  const auto found = links_.find(at.link);
  return found == links_.end() ? nullptr : &found->second;
}

void CallerControl::on_own(const Own& own, std::vector<UniqueFd> fds) {
  LinkEntry* entry = entry_of(own.at);
  if (entry == nullptr) {
    const auto opening = openings_.find(own.correlation);
    if (opening == openings_.end()) {  // its open() gave up
      send(Close{own.at.link});
      return;
    }
    Opening& waiting = *opening->second;
    waiting.link = own.at.link;
    entry = &links_[own.at.link];
    entry->pit = waiting.pit;
    entry->options = waiting.options;
    entry->mailbox = waiting.mailbox;
    entry->correlation = own.correlation;
  }
  if (own.at.epoch <= entry->epoch) return;
  fds.resize(2);  // the second, if any: the pit's segment, of a link of write-back
  auto mapped = map_own(own, std::move(fds[0]), Side::caller, std::move(fds[1]));
  if (!mapped) {
    send(MapFailed{own.at, mapped.error().sys_errno});
    return;
  }
  entry->forming = *std::move(mapped);
  send(Mapped{own.at});
}

void CallerControl::on_peer(const Peer& peer, std::vector<UniqueFd> fds) {
  LinkEntry* const entry = entry_of(peer.at);
  if (entry == nullptr || !entry->forming || entry->forming->at != peer.at) return;
  if (fds.size() < 2) {
    send(MapFailed{peer.at, 0});
    return;
  }
  if (const auto mapped = map_peer(*entry->forming, std::move(fds[0]), Side::caller); !mapped) {
    entry->forming.reset();
    send(MapFailed{peer.at, mapped.error().sys_errno});
    return;
  }
  entry->forming_pidfd = std::move(fds[1]);
  send(Ready{peer.at, 0});
}

void CallerControl::on_go(const Go& go) {
  LinkEntry* const entry = entry_of(go.at);
  if (entry == nullptr || !entry->forming || entry->forming->at != go.at) return;
  went_down(*entry);  // an epoch that was never told dead: a swap
  entry->forming->last_id = go.last_id;
  entry->epoch = go.at.epoch;
  entry->live = true;
  entry->saw_death = false;
  entry->pidfd = std::move(entry->forming_pidfd);
  watch(entry->pidfd.get(), go.at.link);
  for (auto& [correlation, opening] : openings_) {
    if (opening->link == go.at.link) {
      opening->attached = std::move(entry->forming);
      changed_.notify_all();
      return;
    }
  }
  entry->mailbox->post(link_event::NewEpoch{std::move(entry->forming)});
}

// The epoch is over for this caller: its owner may stop using it. Called for each way to learn it, acts once.
void CallerControl::went_down(LinkEntry& entry) {
  entry.live = false;
  if (!entry.pidfd) return;
  // Closing is not enough: the broker's descriptor of the same pidfd would keep this one in the epoll set.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, entry.pidfd.get(), nullptr);
  entry.pidfd.reset();
  entry.mailbox->post(link_event::PeerDied{entry.epoch});
}

// Whether the pit of the link's current epoch is dead, as the kernel says.
bool CallerControl::is_dead(const LinkEntry& entry) {
  pollfd pit{entry.pidfd.get(), POLLIN, 0};
  return entry.pidfd && ::poll(&pit, 1, 0) == 1;
}

void CallerControl::on_pit_died(LinkId link) {
  const std::lock_guard lock(mutex_);
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  // The event may be of an epoch that ended while it waited in the batch.
  if (!is_dead(found->second)) return;
  found->second.saw_death = true;
  went_down(found->second);
  if (!connected_ && path_.empty()) {
    found->second.mailbox->post(link_event::Ended{status::unreachable, text_unreachable, true});
  }
}

void CallerControl::on_drop(const Drop& drop) {
  LinkEntry* const entry = entry_of(drop.at);
  if (entry == nullptr) return;
  if (entry->forming && entry->forming->at.epoch == drop.at.epoch) entry->forming.reset();
  if (entry->epoch != drop.at.epoch || !entry->live) return;
  // A broker that has no record of a link we hold: the pit will not serve this epoch to its end, so ask for the next.
  went_down(*entry);
  reopen(drop.at.link, *entry);
}

// Precondition: mutex_ is held. Asks for the next epoch of a link that has none, under the number its open() waits
// with.
void CallerControl::reopen(LinkId link, LinkEntry& entry) {
  entry.correlation = 0;
  for (const auto& [correlation, opening] : openings_) {
    if (opening->link == link) entry.correlation = correlation;
  }
  if (entry.correlation == 0) entry.correlation = next_correlation_++;
  send(open_message(entry.pit, entry.options, link, entry.correlation, no_deadline_ns));
}

void CallerControl::on_refused(const Refused& refused) {
  if (const auto opening = openings_.find(refused.correlation);
      refused.correlation != 0 && opening != openings_.end()) {
    opening->second->failure = error{refused.code, 0, text_of(refused.code)};
    changed_.notify_all();
    return;
  }
  auto found = links_.find(refused.link);
  for (auto link = links_.begin(); found == links_.end() && link != links_.end(); ++link) {
    if (refused.correlation != 0 && link->second.correlation == refused.correlation) found = link;
  }
  if (found == links_.end()) return;
  LinkEntry& entry = found->second;
  entry.saw_death = entry.saw_death || is_dead(entry);
  went_down(entry);
  entry.mailbox->post(link_event::Ended{ending_of(refused.code), refused.text, entry.saw_death});
}

// ---- another broker

void CallerControl::on_broker_gone() {
  {
    const std::lock_guard lock(mutex_);
    connected_ = false;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket_.fd(), nullptr);
    socket_.close();
    for (auto& [id, entry] : links_) entry.forming.reset();  // A6: an epoch without GO never was
    if (path_.empty()) return lose_broker(text_unreachable);
  }
  while (!find_next_broker()) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    pollfd stop{wake_.get(), POLLIN, 0};  // a refusal comes at once: not more than a few tries a second
    (void)::poll(&stop, 1, static_cast<int>(search_slice_ns / ms_ns));
  }
}

// Precondition: mutex_ is held.
void CallerControl::lose_broker(const char* static_text) {
  for (auto& [correlation, opening] : openings_) opening->failure = unreachable_error();
  // A broker that is gone, or that gave up this connection, has its pits drain our links: they will not be served
  // again.
  for (auto& [id, entry] : links_) {
    entry.mailbox->post(link_event::Ended{status::unreachable, static_text, entry.saw_death || is_dead(entry)});
  }
  changed_.notify_all();
}

bool CallerControl::find_next_broker() {
  auto fd = connect_to(path_, deadline_after(search_slice_ns));
  if (!fd) {
    // Deaths while nobody is there to send new epochs are still worth knowing.
    std::array<epoll_event, 32> events{};
    const int n = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < n; ++i) {
      const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
      if (tag != tag_wake && tag != tag_socket) on_pit_died(tag);
    }
    return false;
  }
  ControlSocket socket(*std::move(fd));
  std::vector<HeldLink> held;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : links_) {
      if (entry.live) held.push_back({id, entry.epoch});
    }
  }
  const auto welcome = greet(socket, std::move(held), deadline_after(welcome_timeout_ns));
  if (!welcome) return false;
  const std::lock_guard lock(mutex_);
  socket_ = std::move(socket);
  generation_ = welcome->generation;
  connected_ = true;
  watch(socket_.fd(), tag_socket);
  for (auto& [id, entry] : links_) {
    if (!entry.live) reopen(id, entry);
  }
  for (auto& [correlation, opening] : openings_) {
    if (opening->link == 0) send(open_message(opening->pit, opening->options, 0, correlation, no_deadline_ns));
  }
  for (const auto& [correlation, answer] : queries_) {
    if (!answer) send(StatusQuery{correlation});
  }
  return true;
}

}  // namespace symphony::detail
