#include "bench/peers/roudi.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

#include <symphony/clock.hpp>

namespace symphony::bench::peers {
namespace {

constexpr TimeNs start_max_ns = 20 * second_ns;
constexpr const char* configuration_path = "/tmp/roudi.toml";
constexpr std::string_view ready_text = "RouDi is ready for clients";

bool write_file(const char* path, std::string_view text) noexcept {
  const UniqueFd file(::open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  return file && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// Users other than root may mount in a user namespace of their own, in which they stay who they are.
bool enter_user_namespace() noexcept {
  const std::string user = std::to_string(::geteuid());
  const std::string group = std::to_string(::getegid());
  return ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_file("/proc/self/setgroups", "deny") &&
         write_file("/proc/self/uid_map", user + " " + user + " 1") &&
         write_file("/proc/self/gid_map", group + " " + group + " 1");
}

result<void> empty_folders() noexcept {
  if (::unshare(CLONE_NEWNS) != 0 && !enter_user_namespace()) {
    return unexpected(errc::refused,
                      "no mount namespace to be had, which its fixed names need; be root, or allow user "
                      "namespaces",
                      errno);
  }
  // Private first: otherwise the whole machine would see these mounts.
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0 ||
      ::mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0) {
    return unexpected(errc::refused, "no empty /dev/shm and /tmp to be had; be root, or allow user namespaces", errno);
  }
  return {};
}

// In the child, which becomes the daemon. Its words go to `out`.
[[noreturn]] void become_daemon(pid_t parent, int out) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() == parent && ::dup2(out, STDOUT_FILENO) >= 0 && ::dup2(out, STDERR_FILENO) >= 0) {
    ::execl(SYMPHONY_IOX_ROUDI, "iox-roudi", "-c", configuration_path, "-m", "off", "-l", "error",
            static_cast<char*>(nullptr));
  }
  ::_exit(127);
}

bool says_ready(int fd) noexcept {
  std::string said;
  for (const TimeNs deadline = deadline_after(start_max_ns); now_ns() < deadline;) {
    pollfd poll_fd{fd, POLLIN, 0};
    if (::poll(&poll_fd, 1, static_cast<int>(start_max_ns / ms_ns)) <= 0) continue;
    char some[512];
    const ssize_t size = ::read(fd, some, sizeof some);
    if (size == 0 || (size < 0 && errno != EINTR)) return false;
    if (size > 0) said.append(some, static_cast<std::size_t>(size));
    if (said.find(ready_text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

Roudi::~Roudi() {
  if (pid_ <= 0) return;
  // What it would tidy up ends with the namespace.
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

result<void> Roudi::start(std::size_t size, std::size_t count) {
  if (auto made = empty_folders(); !made) return made;
  if (!write_file(configuration_path, "[general]\nversion = 1\n\n[[segment]]\n\n[[segment.mempool]]\nsize = " +
                                          std::to_string(size) + "\ncount = " + std::to_string(count) + "\n")) {
    return unexpected(errc::system, "the configuration of iox-roudi cannot be written", errno);
  }
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return unexpected(errc::out_of_descriptors, "no pipe to be had", errno);
  output_.reset(ends[0]);
  UniqueFd to_us(ends[1]);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become_daemon(parent, to_us.get());
  if (pid_ < 0) return unexpected(errc::system, "no process left for iox-roudi", errno);
  to_us.reset();
  if (!says_ready(output_.get())) {
    return unexpected(errc::system, "iox-roudi does not start; install iceoryx, and try " SYMPHONY_IOX_ROUDI);
  }
  return {};
}

}  // namespace symphony::bench::peers
