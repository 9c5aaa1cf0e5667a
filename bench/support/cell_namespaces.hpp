// Namespaces of its own for a process and what it starts: what happens in there reaches nobody outside.   Layer: bench.
// Threads: the only one of a process that was forked for it.
#pragma once

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>

#include <symphony/unique_fd.hpp>

namespace symphony::bench {

// Writes all of `text` to the file in one go; false: errno says why not.
inline bool put(const char* path, std::string_view text, int flags = O_WRONLY) {
  const UniqueFd file(::open(path, flags | O_CLOEXEC, 0600));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// From here this process is root of users, mounts, network, IPC and host name that are its own, and its next child is
// the first process of others that end with it. False: the machine gives none, errno says why.
[[nodiscard]] inline bool enter_namespaces() {
  const std::string uid = "0 " + std::to_string(::geteuid()) + " 1", gid = "0 " + std::to_string(::getegid()) + " 1";
  return ::unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) == 0 &&
         put("/proc/self/setgroups", "deny") && put("/proc/self/uid_map", uid) && put("/proc/self/gid_map", gid);
}

// In a network of its own, where 127.0.0.1 is down at first.
inline void raise_loopback() {
  const UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  ::ioctl(any.get(), SIOCSIFFLAGS, &request);
}

}  // namespace symphony::bench
