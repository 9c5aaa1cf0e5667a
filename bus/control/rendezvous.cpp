#include "bus/control/rendezvous.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace symphony::detail::control {
namespace {

constexpr TimeNs connect_retry_ns = 5 * ms_ns;
constexpr int backlog = 128;

result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return unexpected(errc::invalid_argument,
                      "the broker's socket path must have 1 to 107 characters: choose a shorter one");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

bool is_private_directory(const struct stat& s) {
  return S_ISDIR(s.st_mode) && s.st_uid == ::geteuid() && (s.st_mode & 077) == 0;
}

// Ours or the system's (a link is judged by its owner), and only they can rename what is in it.
bool is_safe_parent(const struct stat& s) {
  const bool ours = s.st_uid == ::geteuid() || s.st_uid == 0;
  return ours && (S_ISLNK(s.st_mode) || (s.st_mode & 022) == 0 || (s.st_mode & S_ISVTX) != 0);
}

result<UniqueFd> new_socket(int extra_flags) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | extra_flags, 0));
  if (!fd)
    return unexpected(errc::out_of_descriptors, "socket: no descriptors left: raise the limit (ulimit -n)", errno);
  return fd;
}

// Makes `path` and its missing parents; `depth` bounds the recursion by the length of a socket path.
result<void> make_private_directory(const std::string& path) {
  struct stat s {};
  if (::lstat(path.c_str(), &s) == 0) return {};
  const auto slash = path.rfind('/');
  if (slash != std::string::npos && slash > 0) {
    if (auto parent = make_private_directory(path.substr(0, slash)); !parent) return parent;
  }
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return unexpected(errc::refused,
                    "mkdir: cannot make the broker's socket directory: set XDG_RUNTIME_DIR to one of yours", errno);
}

}  // namespace

bool is_realm_name(std::string_view realm) noexcept {
  const auto word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !realm.empty() && realm.size() <= realm_size_max && word(realm.front()) &&
         std::all_of(realm.begin(), realm.end(), [&](char c) { return word(c) || c == '-' || c == '_'; });
}

result<std::string> default_socket_path(std::string_view realm) {
  if (!is_realm_name(realm)) {
    return unexpected(errc::invalid_argument,
                      "a realm's name has 1 to 32 of a-z, 0-9, - and _, and starts with a letter or digit");
  }
  std::string base;
  const char* xdg = std::getenv("XDG_RUNTIME_DIR");
  if (xdg != nullptr && xdg[0] == '/') {
    base = xdg;
  } else {
    base = "/run/user/" + std::to_string(::geteuid());
    struct stat s {};
    if (::lstat(base.c_str(), &s) != 0) base = "/tmp/symphony-" + std::to_string(::geteuid());
  }
  return base + "/symphony/" + std::string(realm) + "/broker.sock";
}

result<void> prepare_socket_directory(const std::string& socket_path) {
  const auto slash = socket_path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : socket_path.substr(0, slash);
  if (auto made = make_private_directory(directory); !made) return made;
  struct stat s {};
  if (::lstat(directory.c_str(), &s) != 0) {
    return unexpected(errc::not_found, "the broker's socket directory vanished while it was made: start again", errno);
  }
  if (!is_private_directory(s)) {
    return unexpected(
        errc::refused,
        "the broker's socket directory must belong to you and be closed to others (chmod 700), or choose another");
  }
  // Whoever can rename a parent can put another directory in its place.
  for (std::string parent = directory; parent.find('/') != std::string::npos && parent != "/";) {
    const auto cut = parent.rfind('/');
    parent = cut == 0 ? "/" : parent.substr(0, cut);
    if (::lstat(parent.c_str(), &s) == 0 && !is_safe_parent(s)) {
      return unexpected(
          errc::refused,
          "a parent of the broker's socket directory belongs to or may be changed by others: choose another");
    }
  }
  return {};
}

result<UniqueFd> listen_at(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return unexpected(address.error());
  struct stat s {};
  if (::lstat(path.c_str(), &s) == 0) {
    if (!S_ISSOCK(s.st_mode)) {
      return unexpected(errc::refused,
                        "there is a file where the broker's socket should be: move it away or choose another path");
    }
    ::unlink(path.c_str());
  }
  auto fd = new_socket(SOCK_NONBLOCK);
  if (!fd) return fd;
  if (::bind(fd->get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(sockaddr_un)) != 0) {
    return unexpected(errc::system, "bind: cannot make the broker's socket at this path", errno);
  }
  if (::chmod(path.c_str(), 0600) != 0 || ::listen(fd->get(), backlog) != 0) {
    return unexpected(errc::system, "listen: cannot listen at the broker's socket", errno);
  }
  return fd;
}

result<UniqueFd> accept_at(int listener) {
  for (;;) {
    UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd) return fd;
    if (errno == EAGAIN) return UniqueFd();
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EMFILE || errno == ENFILE) {
      return unexpected(errc::out_of_descriptors, "accept: no descriptors left: raise the limit (ulimit -n)", errno);
    }
    return unexpected(errc::system, "accept: the broker's socket cannot be listened at", errno);
  }
}

result<UniqueFd> connect_to(const std::string& path, TimeNs deadline_ns) {
  const auto address = address_of(path);
  if (!address) return unexpected(address.error());
  for (;;) {
    struct stat s {};
    if (::lstat(path.c_str(), &s) == 0 && s.st_uid != ::geteuid() && ::geteuid() != 0) {
      return unexpected(errc::refused, "the broker's socket belongs to another user: give the path of your own broker");
    }
    auto fd = new_socket(SOCK_NONBLOCK);
    if (!fd) return fd;
    if (::connect(fd->get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(sockaddr_un)) == 0) return fd;
    const int why = errno;
    if (why == EACCES || why == EPERM) {
      return unexpected(errc::refused, "connect: this user may not reach the broker's socket", why);
    }
    if (why != ENOENT && why != ECONNREFUSED && why != EAGAIN && why != EINTR && why != ENOTDIR) {
      return unexpected(errc::system, "connect: the broker's socket cannot be reached", why);
    }
    const TimeNs now = now_ns();
    if (now >= deadline_ns) {
      return unexpected(errc::unreachable, "no broker at this path: start one with `symphony broker run`, or embed one",
                        why);
    }
    const TimeNs pause = std::min(connect_retry_ns, deadline_ns - now);
    const timespec t{pause / second_ns, pause % second_ns};
    ::nanosleep(&t, nullptr);
  }
}

}  // namespace symphony::detail::control
