// The way from a recipe's $(MAKE) to a make with a pipe of its own.   Layer: tools.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tools/symphony/run/jobserver_bridge.hpp"
#include "tools/symphony/run/pipe_message.hpp"

namespace symphony::tools {
namespace {

// The two ends that the bridge hands out; false: it has none for us.
bool ask_for_pipe(int (&ends)[2]) {
  const char* name = std::getenv(jobserver_socket_name);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name == nullptr || std::strlen(name) + 1 > sizeof address.sun_path) return false;
  std::memcpy(address.sun_path + 1, name, std::strlen(name));  // abstract: no file that could be left
  const int socket_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + std::strlen(name));
  if (socket_fd < 0 || connect(socket_fd, reinterpret_cast<const sockaddr*>(&address), size) != 0) return false;
  const bool is_given = PipeMessage::wait_receive(socket_fd, ends) && ::fcntl(ends[0], F_SETFD, 0) == 0 &&
                        ::fcntl(ends[1], F_SETFD, 0) == 0;  // the make that this becomes has them
  close(socket_fd);
  return is_given;
}

// MAKEFLAGS without the parent's jobserver and -j, with ours in their place.
std::string flags_with(const char* flags, const int (&ends)[2], bool has_pipe) {
  std::string out, words = flags == nullptr ? "" : flags;
  std::size_t at = 0;
  bool is_variables = false;  // behind -- stand NAME=value
  while (at < words.size()) {
    std::size_t end = words.find(' ', at);
    while (end != std::string::npos && end > 0 && words[end - 1] == '\\') end = words.find(' ', end + 1);
    if (end == std::string::npos) end = words.size();
    const std::string word = words.substr(at, end - at);
    at = end + 1;
    if (word == "--" && !is_variables) {
      is_variables = true;
      if (has_pipe) out += " -j --jobserver-auth=" + std::to_string(ends[0]) + "," + std::to_string(ends[1]);
      has_pipe = false;
    }
    if (!is_variables && (word.rfind("-j", 0) == 0 || word.rfind("--jobserver-", 0) == 0)) continue;
    if (out.empty() && !word.empty() && word[0] != '-') {
      out = word;  // the first word may be letters of options without a dash
    } else {
      out += " " + word;
    }
  }
  if (has_pipe) out += " -j --jobserver-auth=" + std::to_string(ends[0]) + "," + std::to_string(ends[1]);
  return out;
}

}  // namespace

int become_make(int argc, char** argv) {
  if (argc < 3) return 2;
  int ends[2] = {-1, -1};
  const bool has_pipe = ask_for_pipe(ends);
  setenv("MAKEFLAGS", flags_with(std::getenv("MAKEFLAGS"), ends, has_pipe).c_str(), 1);
  std::signal(SIGXFSZ, SIG_DFL);  // which a command of ours has ignored
  execvp(argv[2], argv + 2);
  std::fprintf(stderr, "symphony jobserver: %s cannot be started: %s\n", argv[2], std::strerror(errno));
  return 127;
}

}  // namespace symphony::tools
