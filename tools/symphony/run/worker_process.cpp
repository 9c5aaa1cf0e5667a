#include "tools/symphony/run/worker_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace symphony::tools {
namespace {

bool send_whole(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

}  // namespace

bool WorkerProcess::start(int journal) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
  UniqueFd ours(ends[0]), theirs(ends[1]);
  // Above the numbers that they get in the worker, so that one does not take the other's place.
  UniqueFd far_socket(fcntl(theirs.get(), F_DUPFD_CLOEXEC, 16)), far_journal(fcntl(journal, F_DUPFD_CLOEXEC, 16));
  if (!far_socket || !far_journal) return false;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, far_socket.get(), worker_socket);
  posix_spawn_file_actions_adddup2(&actions, far_journal.get(), worker_journal);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  // A group of its own: a kill of the runner's group leaves it alive to clean up, and no Ctrl-C of a terminal reaches
  // it.
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  char name[] = "symphony", argument[32];
  std::strncpy(argument, worker_argument, sizeof argument - 1);
  argument[sizeof argument - 1] = '\0';
  char* argv[] = {name, argument, nullptr};
  const int failed = posix_spawn(&pid_, "/proc/self/exe", &actions, &attributes, argv, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    errno = failed;
    return false;
  }
  socket_ = std::move(ours);
  buffer_.clear();
  return true;
}

bool WorkerProcess::give(const WorkTask& task, const std::vector<std::string>& environment) {
  std::string outputs, all;
  for (const std::string& one : task.outputs) outputs.append(one).push_back('\0');
  for (const auto* list : {&task.environment, &environment}) {
    for (const std::string& one : *list) all.append(one).push_back('\0');
  }
  OrderHead head;
  head.fingerprint = fingerprint_of(task);
  head.id_size = static_cast<std::uint32_t>(task.id.size());
  head.directory_size = static_cast<std::uint32_t>(task.directory.size());
  head.command_size = static_cast<std::uint32_t>(task.command.size());
  head.outputs_size = static_cast<std::uint32_t>(outputs.size());
  head.environment_size = static_cast<std::uint32_t>(all.size());
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof head);
  bytes.append(task.id).append(task.directory).append(task.command).append(outputs).append(all);
  return send_whole(socket_.get(), bytes);
}

void WorkerProcess::signal(int number) {
  OrderHead head;
  head.order = WorkerOrder::signal;
  head.signal = static_cast<std::uint32_t>(number);
  (void)send_whole(socket_.get(), {reinterpret_cast<const char*>(&head), sizeof head});
}

bool WorkerProcess::receive(std::optional<CommandEnding>& out) {
  char bytes[65536];
  const ssize_t got = recv(socket_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(got));
  CommandEnding ending;
  if (buffer_.size() < sizeof ending.head) return true;
  std::memcpy(&ending.head, buffer_.data(), sizeof ending.head);
  if (buffer_.size() < sizeof ending.head + ending.head.output_size) return true;
  ending.output = buffer_.substr(sizeof ending.head, static_cast<std::size_t>(ending.head.output_size));
  buffer_.clear();  // one command at a time: nothing stands behind its ending
  out = std::move(ending);
  return true;
}

void WorkerProcess::close() noexcept {
  if (!socket_) return;
  socket_.reset();
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace symphony::tools
