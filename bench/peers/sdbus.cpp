// sd-bus as a peer: method calls between two connections over a socket pair, no bus daemon in between.
//
// Set as sd_bus_negotiate_fds(3) and sd_bus_set_description(3) advise where nobody needs the feature: no descriptors,
// no time stamps, no credentials beside a message, the other side trusted. The body is an array of bytes made in place.
#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include <array>
#include <cerrno>
#include <utility>

#include <symphony/unique_fd.hpp>

#include "bench/peers/link_of.hpp"
#include "bench/peers/payload.hpp"

namespace symphony::bench::peers {
namespace {

constexpr const char* path = "/";
constexpr const char* interface = "symphony.Peer";
constexpr const char* member = "Take";
constexpr std::uint64_t without_limit = UINT64_MAX;

class Message {
 public:
  Message() noexcept = default;
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  ~Message() { ::sd_bus_message_unref(message_); }

  [[nodiscard]] sd_bus_message* get() const noexcept { return message_; }
  [[nodiscard]] sd_bus_message** out() noexcept { return &message_; }

  // The body of message `number`; false: no memory.
  [[nodiscard]] bool write(std::size_t size, std::uint64_t number) noexcept {
    void* body = nullptr;
    if (::sd_bus_message_append_array_space(message_, 'y', size, &body) < 0) return false;
    fill(body, size, number);
    return true;
  }
  [[nodiscard]] Outcome read(std::size_t size, std::uint64_t number) noexcept {
    const void* body = nullptr;
    std::size_t got = 0;
    if (::sd_bus_message_read_array(message_, 'y', &body, &got) < 0) return Outcome::failed;
    return judged(got == size && is_right(body, size, number));
  }

 private:
  sd_bus_message* message_ = nullptr;
};

class SdBusLink final : public Link {
 public:
  SdBusLink(sd_bus* bus, std::size_t size) noexcept : bus_(bus), size_(size) {}

  Outcome call(std::uint64_t first, std::uint64_t count) override {
    for (std::uint64_t i = first; i < first + count; ++i) {
      Message request;
      Message reply;
      if (!make_call(request, i)) return Outcome::failed;
      if (::sd_bus_call(bus_, request.get(), without_limit, nullptr, reply.out()) < 0) return Outcome::failed;
      if (const Outcome got = reply.read(size_, i); got != Outcome::ok) return got;
    }
    return Outcome::ok;
  }
  Outcome answer(std::uint64_t first, std::uint64_t count) override {
    for (std::uint64_t i = first; i < first + count; ++i) {
      Message request;
      Message reply;
      if (const Outcome got = take(request, i); got != Outcome::ok) return got;
      if (::sd_bus_message_new_method_return(request.get(), reply.out()) < 0) return Outcome::failed;
      if (!reply.write(size_, i) || !send_now(reply)) return Outcome::failed;
    }
    return Outcome::ok;
  }
  // Calls that expect no reply.
  Outcome send(std::uint64_t first, std::uint64_t count) override {
    for (std::uint64_t i = first; i < first + count; ++i) {
      Message message;
      if (!make_call(message, i) || ::sd_bus_message_set_expect_reply(message.get(), 0) < 0) return Outcome::failed;
      if (!send_now(message)) return Outcome::failed;
    }
    return Outcome::ok;
  }
  Outcome receive(std::uint64_t first, std::uint64_t count) override {
    for (std::uint64_t i = first; i < first + count; ++i) {
      Message message;
      if (const Outcome got = take(message, i); got != Outcome::ok) return got;
    }
    return Outcome::ok;
  }

 private:
  bool make_call(Message& message, std::uint64_t number) noexcept {
    return ::sd_bus_message_new_method_call(bus_, message.out(), nullptr, path, interface, member) >= 0 &&
           message.write(size_, number);
  }
  // Flushed, because its queue is refused to grow beyond a limit and nobody else would send what is left in it.
  bool send_now(Message& message) noexcept {
    return ::sd_bus_send(bus_, message.get(), nullptr) >= 0 && ::sd_bus_flush(bus_) >= 0;
  }
  // A call that no handler takes is given to whoever processes the connection; that spares a look-up of handlers.
  Outcome take(Message& message, std::uint64_t number) noexcept {
    while (message.get() == nullptr) {
      const int done = ::sd_bus_process(bus_, message.out());
      if (done < 0 || (done == 0 && ::sd_bus_wait(bus_, without_limit) < 0)) return Outcome::failed;
    }
    if (::sd_bus_message_is_method_call(message.get(), interface, member) <= 0) return Outcome::failed;
    return message.read(size_, number);
  }

  sd_bus* bus_;
  std::size_t size_;
};

class SdBus final : public Adapter {
 public:
  result<void> prepare(std::size_t size) override {
    size_ = size;
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      return unexpected(errc::out_of_descriptors, "no socket pair to be had", errno);
    }
    for (int i = 0; i < 2; ++i) ends_[i].reset(ends[i]);
    if (const int bad = ::sd_id128_randomize(&id_); bad < 0) {
      return unexpected(errc::system, "no random number for the connection", -bad);
    }
    return {};
  }
  // Never closed: the processes end.
  std::unique_ptr<Link> open(End end) override {
    sd_bus* bus = nullptr;
    int fd = ends_[end == End::caller ? 0 : 1].release();
    for (const int done : {::sd_bus_new(&bus), ::sd_bus_set_fd(bus, fd, fd), ::sd_bus_set_trusted(bus, 1),
                           ::sd_bus_set_anonymous(bus, 1), ::sd_bus_negotiate_fds(bus, 0),
                           ::sd_bus_negotiate_timestamp(bus, 0), ::sd_bus_negotiate_creds(bus, 0, 0),
                           end == End::helper ? ::sd_bus_set_server(bus, 1, id_) : 0, ::sd_bus_start(bus)}) {
      if (done < 0) return failed(done);
    }
    // Both sides greet each other here, not in the first message.
    for (int ready = ::sd_bus_is_ready(bus); ready <= 0; ready = ::sd_bus_is_ready(bus)) {
      const int done = ready < 0 ? ready : ::sd_bus_process(bus, nullptr);
      if (done < 0) return failed(done);
      if (done == 0 && ::sd_bus_is_ready(bus) == 0) {
        if (const int waited = ::sd_bus_wait(bus, without_limit); waited < 0) return failed(waited);
      }
    }
    return std::make_unique<SdBusLink>(bus, size_);
  }

 private:
  static std::unique_ptr<Link> failed(int why) noexcept {
    errno = -why;
    return nullptr;
  }

  UniqueFd ends_[2];
  sd_id128_t id_{};
  std::size_t size_ = 0;
};

constexpr std::array<AdapterEntry, 1> all{
    {{"sdbus", []() -> std::unique_ptr<Adapter> { return std::make_unique<SdBus>(); }}}};

}  // namespace

std::span<const AdapterEntry> adapters() noexcept { return all; }

}  // namespace symphony::bench::peers
