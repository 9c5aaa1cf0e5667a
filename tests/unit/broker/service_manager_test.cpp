// What a service manager is told and what is taken from it. What could go wrong: a child believes what was meant for
// this process, or a descriptor is taken that nobody gave.
#include "bus/broker/service_manager.hpp"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace symphony::detail::broker {
namespace {

// A bound datagram socket; '@' begins an abstract name.
UniqueFd listen_for_datagrams(const std::string& name) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  if (name[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (name[0] == '@' ? 0 : 1));
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size), 0) << std::strerror(errno);
  return fd;
}

std::string next_datagram(const UniqueFd& fd) {
  char text[64];
  const ssize_t size = ::recv(fd.get(), text, sizeof(text), 0);
  return size < 0 ? "" : std::string(text, static_cast<std::size_t>(size));
}

struct ServiceManagerTest : testing::Test {
  void SetUp() override {
    char pattern[] = "/tmp/symphony-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder = pattern;
  }
  void TearDown() override {
    for (const char* name : {"NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS"}) ::unsetenv(name);
    (void)::unlink((folder + "/s").c_str());
    (void)::rmdir(folder.c_str());
  }
  std::string folder;
};

TEST_F(ServiceManagerTest, IsToldThroughAPathOrAnAbstractName) {
  for (const std::string& name : {folder + "/s", "@symphony-test-" + std::to_string(::getpid())}) {
    const UniqueFd manager = listen_for_datagrams(name);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    const auto taken = ServiceManager::from_environment();
    taken.notify("READY=1");
    EXPECT_EQ(next_datagram(manager), "READY=1") << name;
    EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr) << "no pit tells it anything";
  }
}

TEST_F(ServiceManagerTest, WhoIsNotThereIsNotTold) {
  ServiceManager::from_environment().notify("READY=1");
  for (const char* name : {"relative", "/tmp/symphony-nobody-listens-here", "@", ""}) {
    ::setenv("NOTIFY_SOCKET", name, 1);
    ServiceManager::from_environment().notify("READY=1");
  }
  ::setenv("NOTIFY_SOCKET", ("/" + std::string(200, 'x')).c_str(), 1);
  ServiceManager::from_environment().notify("READY=1");
  SUCCEED() << "nothing waits, nothing fails";
}

// In a child, whose descriptor 3 it is. 0: the socket is taken, at its path; 1: refused as no such socket; 2: nothing.
int take_in_child(const std::string& path, int type, bool listening, pid_t pid_offset = 0, const char* count = "1") {
  const pid_t child = ::fork();
  if (child == 0) {
    const int fd = ::socket(AF_UNIX, type, 0);  // allowed: given to this process as a service manager would
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) ::_exit(9);
    if (listening && ::listen(fd, 8) != 0) ::_exit(9);
    if (fd != 3 && ::dup2(fd, 3) != 3) ::_exit(9);
    ::setenv("LISTEN_PID", std::to_string(::getpid() + pid_offset).c_str(), 1);
    ::setenv("LISTEN_FDS", count, 1);
    const auto taken = ServiceManager::from_environment();
    if (std::getenv("LISTEN_PID") != nullptr || std::getenv("LISTEN_FDS") != nullptr) ::_exit(8);
    if (taken.trouble != nullptr) ::_exit(taken.listener ? 7 : 1);
    if (!taken.listener) ::_exit(2);
    const bool is_ours = taken.listener.get() == 3 && taken.path == path && (::fcntl(3, F_GETFD) & FD_CLOEXEC) != 0 &&
                         (::fcntl(3, F_GETFL) & O_NONBLOCK) != 0;
    ::_exit(is_ours ? 0 : 6);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  (void)::unlink(path.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(ServiceManagerTest, GivesTheSocketItListensAt) {
  EXPECT_EQ(take_in_child(folder + "/s", SOCK_SEQPACKET, true), 0);
}

TEST_F(ServiceManagerTest, GivesNothingThatIsMeantForAnotherProcess) {
  EXPECT_EQ(take_in_child(folder + "/s", SOCK_SEQPACKET, true, 1), 2);
}

TEST_F(ServiceManagerTest, IsToldThatItGaveTheWrongThing) {
  EXPECT_EQ(take_in_child(folder + "/s", SOCK_STREAM, true), 1);
  EXPECT_EQ(take_in_child(folder + "/s", SOCK_SEQPACKET, false), 1);
  EXPECT_EQ(take_in_child(folder + "/s", SOCK_SEQPACKET, true, 0, "2"), 1);
}

}  // namespace
}  // namespace symphony::detail::broker
