// The two ends of a pipe on their way over a Unix socket: from the bridge of the jobserver to a make.   Layer: tools.
// Threads: any; one message is of one call.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace symphony::tools {

// One byte with two descriptors beside it; the other side gets copies of them.
class PipeMessage {
 public:
  using Ends = int[2];

  // False: the other side takes nothing.
  [[nodiscard]] static bool send(int socket, const Ends& ends) noexcept {
    PipeMessage message;
    cmsghdr* head = CMSG_FIRSTHDR(&message.header_);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof ends);
    std::memcpy(CMSG_DATA(head), ends, sizeof ends);
    return ::sendmsg(socket, &message.header_, MSG_NOSIGNAL) == 1;
  }
  // Waits for it; the ends are close-on-exec. False: the other side hung up, or sent something else; `ends` are as they
  // were.
  [[nodiscard]] static bool wait_receive(int socket, Ends& ends) noexcept {
    PipeMessage message;
    ssize_t got = 0;
    while ((got = ::recvmsg(socket, &message.header_, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
    }
    const cmsghdr* head = got == 1 ? CMSG_FIRSTHDR(&message.header_) : nullptr;
    if (head == nullptr || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS ||
        head->cmsg_len != CMSG_LEN(sizeof ends))
      return false;
    std::memcpy(ends, CMSG_DATA(head), sizeof ends);
    return true;
  }

 private:
  PipeMessage() noexcept {
    header_.msg_iov = &data_;
    header_.msg_iovlen = 1;
    header_.msg_control = control_;
    header_.msg_controllen = sizeof control_;
  }

  char byte_ = 1;
  iovec data_{&byte_, 1};
  alignas(cmsghdr) char control_[CMSG_SPACE(sizeof(Ends))] = {};
  msghdr header_{};
};

}  // namespace symphony::tools
