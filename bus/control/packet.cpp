#include "bus/control/packet.hpp"

#include <time.h>

#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>

#include "bus/control/messages.hpp"

namespace symphony::detail::control {
namespace {

// Room for a few descriptors more than allowed, so that a sender of too many is told apart from a lack of descriptors
// here.
constexpr std::size_t fds_room = fds_max + 4;

std::vector<UniqueFd> take_fds(msghdr& header) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
  return fds;
}

result<void> wait_for(int fd, short events, TimeNs deadline_ns) {
  for (;;) {
    pollfd p{fd, events, 0};
    timespec left{};
    timespec* timeout = nullptr;
    if (deadline_ns != no_deadline_ns) {
      const TimeNs ns = deadline_ns - now_ns();
      if (ns > 0) left = {ns / second_ns, ns % second_ns};
      timeout = &left;
    }
    const int n = ::ppoll(&p, 1, timeout, nullptr);
    if (n > 0) return {};
    if (n == 0) return unexpected(errc::timeout, "control: the other side did not answer before the deadline");
    if (errno != EINTR) return unexpected(errc::system, "poll: the control socket cannot be waited for", errno);
  }
}

}  // namespace

result<void> send_packet(int socket, std::span<const std::byte> bytes, std::span<const int> fds) {
  if (fds.size() > fds_max)
    return unexpected(errc::invalid_argument, "control: at most four descriptors go with a message");
  iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};  // sendmsg does not write to it
  alignas(cmsghdr) char space[CMSG_SPACE(fds_max * sizeof(int))]{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = space;
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(c), fds.data(), fds.size_bytes());
  }
  for (;;) {
    if (::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return {};
    switch (errno) {
      case EINTR:
        continue;
      case ENOBUFS:
      case ETOOMANYREFS: {
        // The system is short of something, not the socket: it is writable, so waiting for that would not wait.
        constexpr timespec rest{0, 1'000'000};
        ::nanosleep(&rest, nullptr);
        return unexpected(errc::busy, "control: the system has no room for descriptors on their way", errno);
      }
      case EAGAIN:
        return unexpected(errc::busy, "control: the other side does not read its messages", errno);
      case EPIPE:
      case ECONNRESET:
      case ENOTCONN:
        return unexpected(errc::closed, "control: the other side is gone", errno);
      default:
        return unexpected(errc::system, "sendmsg: the control message could not be sent", errno);
    }
  }
}

result<std::optional<Packet>> receive_packet(int socket, std::span<std::byte> buffer, FdPolicy policy) {
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) char space[CMSG_SPACE(fds_room * sizeof(int))]{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = space;
  header.msg_controllen = sizeof(space);
  ssize_t size = -1;
  do size = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  while (size < 0 && errno == EINTR);
  if (size < 0) {
    if (errno == EAGAIN) return std::optional<Packet>();
    if (errno == ECONNRESET || errno == ENOTCONN)
      return unexpected(errc::closed, "control: the other side is gone", errno);
    return unexpected(errc::system, "recvmsg: the control socket cannot be read", errno);
  }
  Packet packet{static_cast<std::size_t>(size), take_fds(header)};  // owned from here: every return below closes them
  if (size == 0) return unexpected(errc::closed, "control: the other side is gone");
  if ((header.msg_flags & MSG_TRUNC) != 0)
    return unexpected(errc::peer_fault, "control: a message over the maximum size");
  if (packet.fds.size() > fds_max) return unexpected(errc::peer_fault, "control: a message with too many descriptors");
  if (policy == FdPolicy::refuse && (!packet.fds.empty() || (header.msg_flags & MSG_CTRUNC) != 0)) {
    return unexpected(errc::peer_fault, "control: descriptors are accepted from the broker and the keeper only");
  }
  if ((header.msg_flags & MSG_CTRUNC) != 0) {
    if (packet.fds.size() == fds_room)
      return unexpected(errc::peer_fault, "control: a message with too many descriptors");
    if (policy != FdPolicy::accept_or_tell) {
      return unexpected(errc::out_of_descriptors, "control: no file descriptor left: raise the limit (ulimit -n)");
    }
    packet.fds.clear();
    packet.fds_lost = true;
  }
  return std::optional<Packet>(std::move(packet));
}

result<void> wait_readable(int fd, TimeNs deadline_ns) { return wait_for(fd, POLLIN, deadline_ns); }
result<void> wait_writable(int fd, TimeNs deadline_ns) { return wait_for(fd, POLLOUT, deadline_ns); }

}  // namespace symphony::detail::control
