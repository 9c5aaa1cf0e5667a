#include "tools/symphony/run/worker.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/clock.hpp>
#include <symphony/unique_fd.hpp>

#include "tools/symphony/run/children.hpp"
#include "tools/symphony/run/run_journal.hpp"
#include "tools/symphony/run/worker_wire.hpp"
#include "tools/symphony/write_all.hpp"

namespace symphony::tools {
namespace {

constexpr int ignored_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP, SIGXFSZ};

bool read_whole(void* to, std::size_t size) {
  auto* at = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t got = recv(worker_socket, at, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

// What a command writes: all of a little, the beginning and the end of much.
class Output {
 public:
  void add(std::string_view text) {
    const std::size_t room =
        static_cast<std::size_t>(output_head_max) - std::min<std::size_t>(head_.size(), output_head_max);
    head_.append(text.substr(0, room));
    text.remove_prefix(std::min(room, text.size()));
    tail_.append(text);
    // Cut rarely, so that each byte is moved once or twice.
    if (tail_.size() > 2 * output_tail_max) cut();
  }
  std::string take(std::uint64_t* left_out) {
    if (tail_.size() > output_tail_max) cut();
    *left_out = left_out_;
    if (left_out_ != 0) head_ += "\n[... " + std::to_string(left_out_) + " bytes left out ...]\n";
    return head_ + tail_;
  }

 private:
  void cut() {
    const std::size_t more = tail_.size() - static_cast<std::size_t>(output_tail_max);
    left_out_ += more;
    tail_.erase(0, more);
  }
  std::string head_, tail_;
  std::uint64_t left_out_ = 0;
};

struct Job {
  std::string id, directory, command;
  std::vector<std::string> outputs, environment;
  std::uint64_t fingerprint = 0;
};

std::vector<std::string> texts_of(std::string_view bytes) {
  std::vector<std::string> out;
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\0'), bytes.size());
    out.emplace_back(bytes.substr(0, end));
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
  }
  return out;
}

bool read_job(const OrderHead& head, Job& job) {
  std::string outputs, environment;
  for (const auto& [text, size] : {std::pair{&job.id, head.id_size},
                                   {&job.directory, head.directory_size},
                                   {&job.command, head.command_size},
                                   {&outputs, head.outputs_size},
                                   {&environment, head.environment_size}}) {
    text->resize(size);
    if (!read_whole(text->data(), size)) return false;
  }
  job.outputs = texts_of(outputs);
  job.environment = texts_of(environment);
  job.fingerprint = head.fingerprint;
  return true;
}

// What the child of vfork needs, made before it: the child shares this process's memory and may only make system calls.
struct Start {
  const char* directory = nullptr;
  char* const* argv = nullptr;
  char* const* environment = nullptr;
  int input = -1;
  int output = -1;
  volatile int error = 0;
  volatile WorkerStep step = WorkerStep::none;
};

[[gnu::noinline]] pid_t start_command(Start& start) {
  const pid_t worker = getpid();
  const pid_t child = vfork();
  if (child != 0) return child;
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != worker) _exit(127);  // the worker died before the line above
  for (const int number : ignored_signals) signal(number, SIG_DFL);
  if (start.directory != nullptr && chdir(start.directory) != 0) {
    start.error = errno;
    start.step = WorkerStep::directory;
    _exit(127);
  }
  if (dup2(start.input, 0) >= 0 && dup2(start.output, 1) >= 0 && dup2(start.output, 2) >= 0) {
    execve("/bin/sh", start.argv, start.environment);
  }
  start.error = errno;
  start.step = WorkerStep::start;
  _exit(127);
}

class Worker {
 public:
  Worker() : input_(open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

  // False: the runner is gone.
  bool run(Job& job) {
    EndingHead ending;
    Output output;
    const TimeNs begin = now_ns();
    bool is_alive = true;
    if (!make_folders(job, ending)) {
      is_alive = true;
    } else if (const pid_t child = start(job, ending); child > 0) {
      is_alive = follow(child, ending, output);
    }
    ending.duration_ns = now_ns() - begin;
    if (ending.step == WorkerStep::none && WIFEXITED(ending.wait_status) && WEXITSTATUS(ending.wait_status) == 0) {
      write_down(job, ending);  // also for a runner that is gone: what ended well is not run again
    }
    if (!is_alive) return false;
    const std::string text = output.take(&ending.output_left_out);
    ending.output_size = text.size();
    return write_all(worker_socket, std::as_bytes(std::span(&ending, 1))) == 0 && write_all(worker_socket, text) == 0;
  }

 private:
  bool make_folders(const Job& job, EndingHead& ending) {
    for (const std::string& output : job.outputs) {
      const auto folder = (std::filesystem::path(job.directory) / output).parent_path();
      if (folder.empty() || folder == made_) continue;
      std::error_code error;
      std::filesystem::create_directories(folder, error);
      if (error) {
        ending.error = error.value();
        ending.step = WorkerStep::folder;
        return false;
      }
      made_ = folder;
    }
    return true;
  }

  pid_t start(Job& job, EndingHead& ending) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return fail(ending, WorkerStep::start);
    output_.reset(ends[0]);
    UniqueFd to(ends[1]);
    fcntl(output_.get(), F_SETFL, O_NONBLOCK);
    char shell[] = "/bin/sh", flag[] = "-c";
    char* argv[] = {shell, flag, job.command.data(), nullptr};
    Start start;
    std::vector<char*> environment;
    start.environment = environ;
    if (!job.environment.empty()) {
      // A name that the task sets hides the inherited one.
      for (std::string& one : job.environment) environment.push_back(one.data());
      for (char** one = environ; *one != nullptr; ++one) {
        const std::string_view name = std::string_view(*one).substr(0, std::string_view(*one).find('=') + 1);
        if (std::none_of(job.environment.begin(), job.environment.end(),
                         [name](const std::string& own) { return own.starts_with(name); })) {
          environment.push_back(*one);
        }
      }
      environment.push_back(nullptr);
      start.environment = environment.data();
    }
    start.directory = job.directory.empty() ? nullptr : job.directory.c_str();
    start.argv = argv;
    start.input = input_.get();
    start.output = to.get();
    const pid_t child = start_command(start);
    if (child < 0) return fail(ending, WorkerStep::start);
    if (start.step == WorkerStep::none) return child;
    waitpid(child, nullptr, 0);
    ending.error = start.error;
    ending.step = start.step;
    return -1;
  }
  static pid_t fail(EndingHead& ending, WorkerStep step) {
    ending.error = errno;
    ending.step = step;
    return -1;
  }

  // Until the command has ended. False: the runner is gone, and so is everything that stems from here.
  bool follow(pid_t child, EndingHead& ending, Output& output) {
    UniqueFd death(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
    pollfd watched[3] = {{worker_socket, POLLIN, 0}, {output_.get(), POLLIN, 0}, {death.get(), POLLIN, 0}};
    bool is_alive = true;
    while (true) {
      // Without a pidfd (no descriptor left) the command is asked ten times a second.
      const int ready = poll(watched, 3, death ? -1 : 100);
      if (ready < 0 && errno != EINTR) break;
      if (watched[1].revents != 0 && !drain(output)) watched[1].fd = -1;
      if (watched[0].revents != 0 && !obey(child)) {
        is_alive = false;
        watched[0].fd = -1;
        // What ended in this moment has ended well or not by itself; everything else ends here.
        if (waitpid(child, &ending.wait_status, WNOHANG) != child) {
          kill(-child, SIGKILL);
          waitpid(child, &ending.wait_status, 0);
        }
        break;
      }
      if ((!death || watched[2].revents != 0) && waitpid(child, &ending.wait_status, WNOHANG) == child) break;
    }
    if (watched[1].fd >= 0) (void)drain(output);
    kill(-child, SIGKILL);  // what it left running in its group
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    output_.reset();
    return is_alive;
  }

  // False: nobody can write to it any more.
  bool drain(Output& output) {
    char buffer[65536];
    for (;;) {
      const ssize_t got = read(output_.get(), buffer, sizeof buffer);
      if (got > 0) output.add({buffer, static_cast<std::size_t>(got)});
      if (got == static_cast<ssize_t>(sizeof buffer) || (got < 0 && errno == EINTR)) continue;
      return got != 0 && (got > 0 || errno == EAGAIN);
    }
  }

  // False: the runner is gone.
  static bool obey(pid_t child) {
    OrderHead head;
    if (!read_whole(&head, sizeof head)) return false;
    if (head.order == WorkerOrder::signal) kill(-child, static_cast<int>(head.signal));
    return head.order == WorkerOrder::signal;
  }

  static void write_down(const Job& job, EndingHead& ending) {
    if (write_all(worker_journal, journal_line(job.fingerprint, ending.duration_ns, job.id)) == 0) return;
    ending.error = errno;
    ending.step = WorkerStep::journal;
  }

  UniqueFd input_, output_;
  std::filesystem::path made_;
};

}  // namespace

int run_worker() {
  for (const int fd : {worker_socket, worker_journal}) {
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return 70;
  }
  if (!adopt_orphans()) return 70;
  for (const int number : ignored_signals) signal(number, SIG_IGN);
  Worker worker;
  OrderHead head;
  while (read_whole(&head, sizeof head)) {
    if (head.order != WorkerOrder::run) continue;  // meant a command that has ended
    Job job;
    if (!read_job(head, job) || !worker.run(job)) break;
  }
  end_children_except({});
  return 0;
}

}  // namespace symphony::tools
