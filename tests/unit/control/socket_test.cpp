// What could go wrong: descriptors leak into children or pile up, a damaged datagram is taken for a message, the end of
// a connection is taken for "nothing yet".
#include "bus/control/socket.hpp"

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus/control/codec.hpp"

namespace symphony::detail::control {
namespace {

struct Ends {
  ControlSocket a, b;
};

Ends make_ends() {
  auto pair = make_socket_pair();
  EXPECT_TRUE(pair);
  return {ControlSocket(std::move(pair->first)), ControlSocket(std::move(pair->second))};
}

int next_free_fd() {
  const UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  return fd.get();
}

TEST(ControlSocket, DeliversMessagesInOrder) {
  const auto [a, b] = make_ends();
  ASSERT_TRUE(a.send(Close{1}));
  ASSERT_TRUE(a.send(Close{2}));
  for (LinkId link : {1U, 2U}) {
    auto got = b.receive(FdPolicy::refuse);
    ASSERT_TRUE(got);
    ASSERT_TRUE(*got);
    EXPECT_EQ(std::get<Close>((*got)->message).link, link);
  }
}

TEST(ControlSocket, SaysNothingWhenNothingIsThere) {
  const auto [a, b] = make_ends();
  const auto got = b.receive(FdPolicy::refuse);
  ASSERT_TRUE(got);
  EXPECT_FALSE(*got);
  EXPECT_EQ(b.wait_receive(FdPolicy::refuse, now_ns() + ms_ns).error().code, errc::timeout);
}

TEST(ControlSocket, BringsDescriptorsOfTheSameFileCloseOnExec) {
  const auto [a, b] = make_ends();
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  const int both[] = {writer.get(), reader.get()};
  ASSERT_TRUE(a.send(Peer{}, both));
  const auto got = b.wait_receive(FdPolicy::accept, no_deadline_ns);
  ASSERT_TRUE(got);
  ASSERT_EQ(got->fds.size(), 2U);
  for (const UniqueFd& fd : got->fds) EXPECT_NE(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  ASSERT_EQ(::write(got->fds[0].get(), "x", 1), 1);
  char c = 0;
  EXPECT_EQ(::read(reader.get(), &c, 1), 1);
}

TEST(ControlSocket, RefusesDescriptorsWhereNoneAreAcceptedAndClosesThem) {
  const auto [a, b] = make_ends();
  const int free_before = next_free_fd();
  const int fd = STDERR_FILENO;
  ASSERT_TRUE(a.send(Close{1}, {&fd, 1}));
  const auto got = b.receive(FdPolicy::refuse);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, errc::peer_fault);
  EXPECT_EQ(next_free_fd(), free_before);
}

TEST(ControlSocket, RefusesToSendMoreDescriptorsThanAllowed) {
  const auto [a, b] = make_ends();
  const int fds[fds_max + 1] = {2, 2, 2, 2, 2};
  EXPECT_EQ(a.send(Close{1}, fds).error().code, errc::invalid_argument);
}

// A peer that does not use our code can send more.
void send_raw(int socket, const std::vector<std::byte>& bytes, std::size_t fd_count) {
  iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char space[CMSG_SPACE(64 * sizeof(int))]{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (fd_count > 0) {
    header.msg_control = space;
    header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
    cmsghdr* c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
    for (std::size_t i = 0; i < fd_count; ++i) {
      reinterpret_cast<int*>(CMSG_DATA(c))[i] = STDERR_FILENO;
    }
  }
  ASSERT_EQ(::sendmsg(socket, &header, MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size())) << errno;
}

TEST(ControlSocket, ClosesWhatAHostilePeerSendsTooManyOf) {
  for (const std::size_t count : {fds_max + 1, fds_max + 4, fds_max + 5, std::size_t{60}}) {
    const auto [a, b] = make_ends();
    const int free_before = next_free_fd();
    send_raw(a.fd(), *encode(Close{1}), count);
    const auto got = b.receive(FdPolicy::accept);
    ASSERT_FALSE(got) << count;
    EXPECT_EQ(got.error().code, errc::peer_fault) << count;
    EXPECT_EQ(next_free_fd(), free_before) << count;
  }
}

TEST(ControlSocket, RefusesADatagramOverTheMaximumAndGoesOnWithTheNext) {
  const auto [a, b] = make_ends();
  send_raw(a.fd(), std::vector<std::byte>(message_size_max + 1), 1);
  ASSERT_TRUE(a.send(Close{7}));
  const int free_before = next_free_fd();
  EXPECT_EQ(b.receive(FdPolicy::accept).error().code, errc::peer_fault);
  EXPECT_EQ(next_free_fd(), free_before);
  const auto next = b.receive(FdPolicy::accept);
  ASSERT_TRUE(next && *next);
  EXPECT_EQ(std::get<Close>((*next)->message).link, 7U);
}

TEST(ControlSocket, TellsTheEndOfTheConnectionFromNothingYet) {
  auto [a, b] = make_ends();
  ASSERT_TRUE(a.send(Close{3}));
  a.close();
  const auto last = b.receive(FdPolicy::refuse);
  ASSERT_TRUE(last && *last) << "what was sent before the end is still delivered";
  EXPECT_EQ(b.receive(FdPolicy::refuse).error().code, errc::closed);
  EXPECT_EQ(b.send(Close{4}).error().code, errc::closed);
}

TEST(ControlSocket, SaysBusyWhenThePeerDoesNotRead) {
  const auto [a, b] = make_ends();
  result<void> sent;
  int count = 0;
  for (; count < 1'000'000 && sent; ++count) sent = a.send(Refused{1, 1, errc::busy, std::string(text_size_max, 'x')});
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, errc::busy);
  EXPECT_EQ(a.wait_send(Close{1}, {}, now_ns() + ms_ns).error().code, errc::timeout);
  while (*b.receive(FdPolicy::refuse)) {
  }
  EXPECT_TRUE(a.wait_send(Close{1}, {}, no_deadline_ns));
}

TEST(ControlSocket, KnowsWhoIsAtTheOtherEnd) {
  const auto [a, b] = make_ends();
  const auto who = peer_credentials(b.fd());
  ASSERT_TRUE(who);
  EXPECT_EQ(who->pid, ::getpid());
  EXPECT_EQ(who->uid, ::geteuid());
  const auto pidfd = peer_pidfd(b.fd());
  ASSERT_TRUE(pidfd);
  EXPECT_EQ(wait_readable(pidfd->get(), now_ns()).error().code, errc::timeout) << "this process is alive";
}

}  // namespace
}  // namespace symphony::detail::control
