// A cell: namespaces of their own for users, processes, mounts, networks, IPC and names, with limits, thrown away with
// all that is in them. Its first process starts the host, stands for everybody else on the machine, and watches.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include <symphony/clock.hpp>
#include <symphony/unique_fd.hpp>

#include "bench/faults/matrix.hpp"
#include "bench/faults/said.hpp"
#include "bench/support/cell_namespaces.hpp"

namespace symphony::faults {
namespace {

constexpr std::uint16_t others_port = 7001;
constexpr char secret_path[] = "/dev/shm/others/secret";
constexpr TimeNs beyond_patience_ns = 25 * second_ns;  // for all that a cell does besides waiting
constexpr std::size_t output_max = 2048;
constexpr char line_end = '\v';  // of output, on its way in one line
constexpr int cpu_seconds_max = 60;
constexpr int stack_mib = 1;
constexpr int descriptors_max = 1024;

UniqueFd listen_for_others() {
  UniqueFd one(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  here.sin_port = htons(others_port);
  if (::bind(one.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0 || ::listen(one.get(), 8) != 0) {
    return {};
  }
  return one;
}

void limit(int which, rlim_t most) {
  const rlimit both{most, most};
  ::setrlimit(static_cast<__rlimit_resource>(which), &both);
}

unsigned count_processes() {
  unsigned count = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const char first = entry.path().filename().native().front();
    count += first >= '0' && first <= '9' ? 1 : 0;
  }
  return count;
}

// The first process of a cell.
class Keeper {
 public:
  Keeper(const std::string& program, const Hosting& hosting, Fault fault, const CellOptions& options, int out)
      : program_(program), hosting_(hosting), fault_(fault), options_(options), out_(out) {}

  [[noreturn]] void run() {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("proc", "/proc", "proc", 0, nullptr) != 0 || ::mount("tmpfs", "/dev/shm", "tmpfs", 0, nullptr) != 0)
      give_up("this machine gives no mounts of its own to a cell");
    bench::raise_loopback();
    others_ = listen_for_others();
    std::array<unsigned char, 8> random{};
    (void)!::getrandom(random.data(), random.size(), 0);
    secret_ = "secret-";
    for (const unsigned char c : random) secret_ += static_cast<char>('a' + c % 26);
    std::filesystem::create_directory("/dev/shm/others");
    if (!others_ || !bench::put(secret_path, secret_, O_WRONLY | O_CREAT)) give_up("a cell cannot be furnished here");
    start_host();
    watch();
    ::kill(-1, SIGKILL);  // all that is in the cell
    while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
    const auto tell = [this](const char* key, auto value) { say(out_, key, std::to_string(value)); };
    tell("host_pid", host_);
    if (WIFSIGNALED(status_)) tell("host_signal", WTERMSIG(status_));
    if (WIFEXITED(status_)) tell("host_exit", WEXITSTATUS(status_));
    tell("processes", most_ > before_ ? most_ - before_ : 0);
    if (socket_reached_) tell("socket", 1);
    if (secret_read_) tell("secret", 1);
    if (was_hung_) say(out_, "ill", "it hung, and was killed with its cell");
    std::replace(output_.begin(), output_.end(), '\n', line_end);
    say(out_, "output", output_);
    say(out_, "whole", "cell");
    ::_exit(0);
  }

 private:
  [[noreturn]] void give_up(const char* why) {
    say(out_, "not_run", std::string(why) + ": " + std::strerror(errno));
    ::_exit(1);
  }

  void start_host() {
    int report[2], output[2];
    if (::pipe2(report, O_CLOEXEC) != 0 || ::pipe2(output, O_CLOEXEC | O_NONBLOCK) != 0) give_up("no pipes");
    const std::string report_number = std::to_string(report[1]), port = std::to_string(others_port);
    const std::string patience = std::to_string(options_.patience_ms), mode = name_of(hosting_);
    const std::string fault(facts_of(fault_).name);
    host_ = ::fork();
    if (host_ == 0) {
      limit(RLIMIT_CORE, 0);
      limit(RLIMIT_CPU, cpu_seconds_max);
      limit(RLIMIT_NOFILE, descriptors_max);
      limit(RLIMIT_FSIZE, rlim_t{64} << 20);
      limit(RLIMIT_DATA, rlim_t{memory_limit_mib} << 20);
      limit(RLIMIT_STACK, rlim_t{stack_mib} << 20);
      ::fcntl(report[1], F_SETFD, 0);
      ::dup2(output[1], STDOUT_FILENO);
      ::dup2(output[1], STDERR_FILENO);
      ::execl(program_.c_str(), program_.c_str(), "--host", mode.c_str(), fault.c_str(), report_number.c_str(),
              port.c_str(), secret_path, patience.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::close(report[1]);
    ::close(output[1]);
    report_ = UniqueFd(report[0]);
    written_ = UniqueFd(output[0]);
    if (host_ < 0) give_up("no process for the host");
  }

  // Until the host is gone, or has had its time.
  void watch() {
    const TimeNs deadline = now_ns() + options_.patience_ms * ms_ns + beyond_patience_ns;
    bool is_over = false;
    while (!is_over) {
      pollfd fds[] = {{report_.get(), POLLIN, 0}, {written_.get(), POLLIN, 0}, {others_.get(), POLLIN, 0}};
      ::poll(fds, 3, 5);
      is_over = reap();
      if (!is_over && now_ns() > deadline) {
        was_hung_ = true;
        ::kill(host_, SIGKILL);
        while (!reap()) ::poll(nullptr, 0, 1);
        is_over = true;
      }
      take_reports();
      take_output();
      meet_others();
      if (begun_) most_ = std::max(most_, count_processes());
    }
  }

  // True: the host is gone. The first process of a cell inherits whatever lost its parent there.
  bool reap() {
    int status = 0;
    bool gone = false;
    for (pid_t one = 0; (one = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (one != host_) continue;
      gone = true;
      status_ = status;
    }
    return gone;
  }

  void take_reports() {
    for (pollfd one{report_.get(), POLLIN, 0}; ::poll(&one, 1, 0) > 0 && (one.revents & POLLIN) != 0;) {
      char bytes[4096];
      const ssize_t n = ::read(report_.get(), bytes, sizeof bytes);
      if (n <= 0) return;
      lines_.add({bytes, static_cast<std::size_t>(n)}, [&](std::string_view key, std::string_view value) {
        if (key == "begin") begun_ = true, before_ = most_ = count_processes();
        if (key == "ending" && value.find(secret_) != std::string_view::npos) secret_read_ = true;
        say(out_, key, value);
      });
    }
  }

  void take_output() {
    char bytes[4096];
    for (ssize_t n = 0; (n = ::read(written_.get(), bytes, sizeof bytes)) > 0;) {
      output_.append(bytes, static_cast<std::size_t>(n));
      if (output_.size() > output_max) output_.erase(0, output_.size() - output_max);
    }
  }

  // Whoever sends to the others has got out.
  void meet_others() {
    const UniqueFd guest(::accept4(others_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!guest) return;
    pollfd one{guest.get(), POLLIN, 0};
    char bytes[16];
    socket_reached_ = ::poll(&one, 1, 1000) > 0 && ::read(guest.get(), bytes, sizeof bytes) > 0;
  }

  const std::string& program_;
  const Hosting& hosting_;
  Fault fault_;
  const CellOptions& options_;
  int out_;
  UniqueFd others_, report_, written_;
  Lines lines_;
  std::string secret_, output_;
  pid_t host_ = 0;
  int status_ = 0;
  unsigned before_ = 0, most_ = 0;
  bool begun_ = false, socket_reached_ = false, secret_read_ = false, was_hung_ = false;
};

template <class Number>
Number number(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// One word of what was seen.
void take(Observation& seen, bool& is_whole, std::string_view key, std::string_view value) {
  const auto join = [&](std::string& to) { to.append(to.empty() ? "" : "; ").append(value); };
  if (key == "not_run") join(seen.not_run);
  if (key == "pid") seen.pid = number<int>(value);
  if (key == "host_pid") seen.host_pid = number<int>(value);
  if (key == "host_signal") seen.host_signal = number<int>(value);
  if (key == "host_exit") seen.host_exit = number<int>(value);
  if (key == "canary") seen.canary_changed = true;
  if (key == "ill") join(seen.ill);
  if (key == "honest_calls") seen.honest_calls = number<std::uint64_t>(value);
  if (key == "honest_failed") seen.honest_failed = number<std::uint64_t>(value);
  if (key == "honest_longest_ms") seen.honest_longest_ms = number<double>(value);
  if (key == "ending") seen.ending = value;
  if (key == "death" || key == "state") join(seen.death);
  if (key == "pit_signal") seen.pit_signal = number<int>(value);
  if (key == "pit_exit") seen.pit_exit = number<int>(value);
  if (key == "back_ms") seen.service_back_ms = number<double>(value);
  if (key == "processes") seen.processes = number<unsigned>(value);
  if (key == "socket") seen.socket_reached = true;
  if (key == "secret") seen.secret_read = true;
  if (key == "output") seen.output = value;
  if (key == "output") std::replace(seen.output.begin(), seen.output.end(), line_end, '\n');
  if (key == "done") seen.said_all = true;
  if (key == "whole") is_whole = true;
}

}  // namespace

Observation run_cell(const std::string& program, const Hosting& hosting, Fault fault, const CellOptions& options) {
  Observation seen;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    seen.not_run = "no pipe";
    return seen;
  }
  const UniqueFd in(ends[0]);
  const pid_t outside = ::fork();
  if (outside == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!bench::enter_namespaces()) {
      say(ends[1], "not_run",
          std::string("this machine gives no namespaces to make a cell of: ") + std::strerror(errno));
      ::_exit(1);
    }
    const pid_t cell = ::fork();
    if (cell == 0) Keeper(program, hosting, fault, options, ends[1]).run();
    ::close(ends[1]);
    int status = 0;
    ::waitpid(cell, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  ::close(ends[1]);
  Lines lines;
  bool is_whole = false;
  const TimeNs deadline = now_ns() + options.patience_ms * ms_ns + beyond_patience_ns + 5 * second_ns;
  for (pollfd one{in.get(), POLLIN, 0}; now_ns() < deadline;) {
    if (::poll(&one, 1, 100) <= 0) continue;
    char bytes[4096];
    const ssize_t n = ::read(in.get(), bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    lines.add({bytes, static_cast<std::size_t>(n)},
              [&](std::string_view key, std::string_view value) { take(seen, is_whole, key, value); });
  }
  ::kill(outside, SIGKILL);  // its children go with it
  ::waitpid(outside, nullptr, 0);
  if (!is_whole && seen.not_run.empty()) seen.not_run = "the cell ended before it had told what it saw";
  // A host that died before it began has shown nothing of the fault.
  if (seen.not_run.empty() && seen.pid == 0) {
    seen.not_run = "the host ended before the fault: status " + std::to_string(seen.host_exit) + ", signal " +
                   std::to_string(seen.host_signal);
  }
  return seen;
}

}  // namespace symphony::faults
