#include "tools/symphony/run/jobserver_bridge.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <random>
#include <thread>

#include <symphony/clock.hpp>
#include <symphony/unique_fd.hpp>

#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/run/children.hpp"
#include "tools/symphony/run/pipe_message.hpp"
#include "tools/symphony/run/run_pits.hpp"

namespace symphony::tools {
namespace {

constexpr int look_ms = 2;        // between two looks at the pipes while something moves
constexpr int look_idle_ms = 10;  // while nothing does
constexpr TimeNs end_grace_ns = 5 * second_ns;

int complain_of_jobserver(int exit_status, const std::string& text) {
  std::fprintf(stderr, "symphony jobserver: %s\n", text.c_str());
  return exit_status;
}

// One make and its pipe.
struct Make {
  std::uint32_t number = 0;  // PoolManager's holder is this + 1
  pid_t pid = 0;
  UniqueFd death;
  UniqueFd from, to;              // the bridge's own, which never block
  UniqueFd kept_from, kept_to;    // what the make has: open here too, so that the pipe outlives it
  std::vector<SeatLease> leases;  // one for each token that it holds or is offered
};

class Bridge {
 public:
  explicit Bridge(const JobserverOptions& options) : options_(options) {}

  int run(std::uint32_t jobs, std::vector<std::string> command) {
    jobs_ = jobs;
    if (const int status = prepare(); status != 0) return status;
    if (const int status = start(command); status != 0) return status;
    while (!ended_) {
      if (!look()) return give_up();
    }
    end_children_except({});
    for (Make& make : makes_) {
      if (!forget(make)) return give_up();
    }
    makes_.clear();
    if (!pits_.release(top_holder, top_lease_)) return give_up();
    return account();
  }

 private:
  static constexpr std::uint32_t top_holder = 0;

  int prepare() {
    sigset_t taken;
    sigemptyset(&taken);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&taken, number);
    sigprocmask(SIG_BLOCK, &taken, nullptr);
    signals_.reset(signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
    signal(SIGPIPE, SIG_IGN);
    if (!signals_ || !adopt_orphans()) return complain_of_jobserver(exit_internal, "signals cannot be taken");
    Work work;  // a graph of one task, whose pool is all that is used
    work.tasks.emplace_back();
    work.tasks[0].id = options_.pool;
    if (!pits_.mount(Mode::static_) || !pits_.load(work, {}, jobs_, 0))
      return complain_of_jobserver(exit_internal, pits_.why());
    token_.id = "token";
    // The job that each make may run without a token is, of the first one, a lease as well.
    if (!pits_.acquire(top_holder, 1, token_, top_lease_)) return complain_of_jobserver(exit_internal, pits_.why());
    std::random_device random;
    name_ =
        "symphony-jobserver-" + std::to_string(getpid()) + "-" + std::to_string(random()) + std::to_string(random());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name_.data(), name_.size());
    listener_.reset(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name_.size());
    if (!listener_ || bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        listen(listener_.get(), 128) != 0) {
      return complain_of_jobserver(exit_internal, std::string("no socket for makes: ") + std::strerror(errno));
    }
    return 0;
  }

  int start(std::vector<std::string>& command) {
    std::error_code error;
    const std::string own = std::filesystem::read_symlink("/proc/self/exe", error).string();
    std::vector<std::string> words{own, jobserver_client_argument};
    words.insert(words.end(), command.begin(), command.end());
    words.push_back("MAKE=" + own + " " + jobserver_client_argument + " " + command[0]);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    setenv(jobserver_socket_name, name_.c_str(), 1);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    const int failed = posix_spawn(&top_, own.c_str(), nullptr, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    if (failed != 0)
      return complain_of_jobserver(exit_internal, std::string("it cannot start itself: ") + std::strerror(failed));
    return 0;
  }

  // One round: who came, who died, who holds how much, who is offered what. False: a pit failed.
  bool look() {
    std::vector<pollfd> watched{{signals_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    for (const Make& make : makes_) watched.push_back({make.death.get(), POLLIN, 0});
    const int ready = poll(watched.data(), watched.size(), makes_.empty() ? 1000 : is_moving_ ? look_ms : look_idle_ms);
    if (ready < 0 && errno != EINTR) return true;
    if (watched[0].revents != 0) take_signals();
    std::vector<Make> left;
    for (std::size_t i = 0; i < makes_.size(); ++i) {
      if (watched[i + 2].revents == 0) {
        left.push_back(std::move(makes_[i]));
      } else if (!forget(makes_[i])) {
        return false;
      }
    }
    makes_ = std::move(left);
    if (watched[1].revents != 0) welcome();
    return share();
  }

  void take_signals() {
    signalfd_siginfo info;
    while (read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      // A terminal's Ctrl-C has reached make by itself, which a second one does not harm.
      if (info.ssi_signo != SIGCHLD && !ended_) kill(top_, static_cast<int>(info.ssi_signo));
    }
    int status = 0;
    for (pid_t child = 0; (child = waitpid(-1, &status, WNOHANG)) > 0;) {
      if (child != top_) continue;  // what a dead make left
      ended_ = true;
      status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
  }

  void welcome() {
    for (;;) {
      UniqueFd peer(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer) return;
      ucred who{};
      socklen_t size = sizeof who;
      if (getsockopt(peer.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || who.uid != geteuid()) continue;
      if (makes_.size() >= jobserver_makes_max) continue;  // it works with one job
      Make make;
      make.number = ++last_number_;
      make.pid = who.pid;
      make.death.reset(static_cast<int>(syscall(SYS_pidfd_open, who.pid, 0)));
      int ends[2];
      if (!make.death || pipe2(ends, O_CLOEXEC) != 0) continue;
      make.kept_from.reset(ends[0]);
      make.kept_to.reset(ends[1]);
      // Opened anew: make may set its own ends to block or not as it likes.
      const std::string folder = "/proc/self/fd/";
      make.from.reset(open((folder + std::to_string(ends[0])).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
      make.to.reset(open((folder + std::to_string(ends[1])).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
      if (make.from && make.to && PipeMessage::send(peer.get(), ends)) makes_.push_back(std::move(make));
    }
  }

  [[nodiscard]] static std::size_t in_pipe(const Make& make) {
    int bytes = 0;
    return ioctl(make.from.get(), FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
  }
  // Takes up to `most` bytes out of the pipe; the make may be quicker.
  [[nodiscard]] static std::size_t take(const Make& make, std::size_t most) {
    std::array<char, 4096> bytes;
    const ssize_t got = most == 0 ? 0 : read(make.from.get(), bytes.data(), std::min(most, bytes.size()));
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }

  // Every free token is offered to somebody: as many to each, beginning with another one each time.
  bool share() {
    if (makes_.empty()) return true;
    std::size_t held = 0;
    std::vector<std::size_t> offered;
    for (Make& make : makes_) {
      std::size_t there = in_pipe(make);
      if (there > make.leases.size()) {  // more than it was ever given
        const std::size_t dropped = take(make, there - make.leases.size());
        invented_ += dropped;
        there -= dropped;
      }
      offered.push_back(std::min(there, make.leases.size()));
      held += make.leases.size() - offered.back();
    }
    const std::size_t tokens = jobs_ - 1;
    const std::size_t free = tokens - std::min(held, tokens);
    const std::size_t count = makes_.size();
    ++turn_;
    is_moving_ = free < count || held != held_before_;
    held_before_ = held;
    std::vector<std::size_t> wanted(count, free / count);
    for (std::size_t i = 0; i < free % count; ++i) ++wanted[(turn_ + i) % count];
    for (std::size_t i = 0; i < count; ++i) {
      if (offered[i] > wanted[i] && !give_back(makes_[i], take(makes_[i], offered[i] - wanted[i]))) return false;
    }
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t more = offered[i]; more < wanted[i]; ++more) {
        SeatLease lease;
        if (!pits_.acquire(makes_[i].number, 1, token_, lease)) return false;
        if (lease.token == 0) {  // somebody took what was to be taken back from it: the next round sees that
          if (!pits_.cancel(makes_[i].number, lease)) return false;
          break;
        }
        if (write(makes_[i].to.get(), "+", 1) != 1) {
          if (!pits_.release(makes_[i].number, lease)) return false;
          break;
        }
        makes_[i].leases.push_back(lease);
      }
    }
    return true;
  }

  bool give_back(Make& make, std::size_t count) {
    for (; count > 0; --count) {
      if (!pits_.release(make.number, make.leases.back())) return false;
      make.leases.pop_back();
    }
    return true;
  }

  // It died or has ended: whatever it held is free. A make that ended as it should has given back everything.
  bool forget(Make& make) {
    const std::size_t there = std::min(in_pipe(make), make.leases.size());
    reclaimed_ += make.leases.size() - there;
    make.leases.clear();
    return pits_.holder_died(make.number, 1);
  }

  int account() {
    std::uint64_t free = 0;
    if (!pits_.free_cpus(free)) return give_up();
    if (options_.tell || reclaimed_ != 0 || invented_ != 0) {
      std::fprintf(stderr,
                   "symphony jobserver: pool %s: %llu of %u free at the end; %llu taken back from makes that died, "
                   "%llu dropped that nobody gave\n",
                   options_.pool.c_str(), static_cast<unsigned long long>(free), jobs_,
                   static_cast<unsigned long long>(reclaimed_), static_cast<unsigned long long>(invented_));
    }
    return free == jobs_ ? status_ : complain_of_jobserver(exit_internal, "leases are left; report this as a bug");
  }

  int give_up() {
    end_children_except({});
    return complain_of_jobserver(exit_internal, pits_.why());
  }

  const JobserverOptions& options_;
  std::uint32_t jobs_ = 1;
  RunPits pits_;
  WorkTask token_;
  SeatLease top_lease_;
  UniqueFd signals_, listener_;
  std::string name_;
  pid_t top_ = 0;
  bool ended_ = false;
  int status_ = 0;
  std::vector<Make> makes_;
  std::uint32_t last_number_ = 0;
  std::size_t turn_ = 0;
  bool is_moving_ = true;
  std::size_t held_before_ = 0;
  std::uint64_t reclaimed_ = 0;
  std::uint64_t invented_ = 0;
};

// Takes -jN, -j N, --jobs=N out of make's arguments: given again to make they would give it a jobserver of its own.
std::optional<std::uint32_t> take_jobs(std::vector<std::string>& command) {
  std::optional<std::uint32_t> jobs;
  const auto number = [](const std::string& text) -> std::uint32_t {
    if (text.empty() || text.size() > 4 || text.find_first_not_of("0123456789") != std::string::npos) return 0;
    return static_cast<std::uint32_t>(std::stoul(text));
  };
  for (std::size_t i = 1; i < command.size();) {
    const std::string word = command[i];
    std::size_t words = 1;
    std::uint32_t said = 0;
    if (word == "-j" || word == "--jobs") {
      said = i + 1 < command.size() ? number(command[i + 1]) : 0;
      words = said != 0 ? 2 : 1;
    } else if (word.rfind("-j", 0) == 0) {
      said = number(word.substr(2));
    } else if (word.rfind("--jobs=", 0) == 0) {
      said = number(word.substr(7));
    } else {
      ++i;
      continue;
    }
    if (said != 0) jobs = said;
    command.erase(command.begin() + static_cast<std::ptrdiff_t>(i),
                  command.begin() + static_cast<std::ptrdiff_t>(i + words));
  }
  return jobs;
}

}  // namespace

int run_jobserver(const JobserverOptions& options) {
  if (options.command.empty()) return complain_of_jobserver(exit_usage, "give make and its arguments behind --");
  std::vector<std::string> command = options.command;
  const auto said = take_jobs(command);
  const std::uint32_t jobs =
      options.jobs != 0 ? options.jobs : said.value_or(std::max(1U, std::thread::hardware_concurrency()));
  if (jobs > 1024) return complain_of_jobserver(exit_usage, "more than 1024 jobs; give fewer");
  return Bridge(options).run(jobs, std::move(command));
}

}  // namespace symphony::tools
