// run_daemon: the process becomes the keeper, its child the broker.
//
// The child is forked and not executed anew: a keeper has one thread, so the child may go on in the same program, which
// needs no file and takes a millisecond. Only where the program's file has changed meanwhile, and its options say which
// it is, the child executes that: a new release takes over from a broker that was killed or left (next_program.hpp).
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <symphony/broker.hpp>

#include "bus/broker/keeper.hpp"
#include "bus/broker/log_file.hpp"
#include "bus/broker/next_program.hpp"
#include "bus/broker/pit_slots.hpp"
#include "bus/broker/service_manager.hpp"
#include "bus/broker/shell.hpp"
#include "bus/control/rendezvous.hpp"

namespace symphony {
namespace {

using namespace detail::broker;
namespace control = detail::control;

constexpr int exit_usage = 64, exit_unavailable = 69, exit_software = 70, exit_os = 71;
constexpr std::size_t deaths_max = 5;
constexpr TimeNs deaths_window_ns = 10 * second_ns;
constexpr TimeNs broker_start_timeout_ns = 10 * second_ns;
constexpr TimeNs stop_timeout_ns = stop_grace_ns + 2 * second_ns;  // the broker's own grace, and room for its exit

int complain(int status, const char* text, const std::string& about) {
  std::fprintf(stderr, "symphony: %s: %s\n", about.c_str(), text);
  return status;
}

// The realm's lock file, held as long as this is open. Empty: another keeper holds it.
constexpr TimeNs lock_patience_ns = 500 * ms_ns;

// Waits a moment for a lock that is held: where the keeper was just killed while it started a pit, the child between
// fork and exec still has the keeper's descriptors until its own death reaches it.
result<UniqueFd> lock_realm(const std::string& path) {
  for (const TimeNs patience = deadline_after(lock_patience_ns);;) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd)
      return unexpected(errc::system, "the realm's lock file cannot be made: check the directory's rights and space",
                        errno);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno == EWOULDBLOCK && now_ns() < patience) {
        (void)::poll(nullptr, 0, 10);
        continue;
      }
      return unexpected(errc::busy, "another broker serves this realm: stop it, or choose another --realm", errno);
    }
    struct stat held {
    }, named{};
    // The one before removes the name when it ends; a lock on a file without it would exclude nobody.
    if (::fstat(fd.get(), &held) == 0 && ::stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino) return fd;
  }
}

bool has_one_thread() {
  std::error_code failed;
  std::size_t count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", failed))
    count += task.exists() ? 1 : 0;
  return !failed && count == 1;
}

class Daemon {
 public:
  explicit Daemon(const DaemonOptions& options) : options_(options), program_(options.next) {}

  // In a process that was executed as the broker of a daemon that goes on.
  int go_on(Inheritance inheritance) {
    listener_ = std::move(inheritance.listener);
    slots_.emplace(SlotStore::adopt(std::move(inheritance.slots)));
    letters_.emplace(KeptFile::adopt(std::move(inheritance.letters), letters_file_size_max));
    if (!slots_->read()) return complain(exit_software, "what the daemon serves cannot be read", program_.path());
    if (make_log_folder(options_.log_folder)) log_folder_ = options_.log_folder;
    return be_broker(inheritance.parent, std::move(inheritance.keeper));
  }

  int run() {
    detail::broker::keeper::hold_standard_descriptors();
    if (const auto checked = check_pits(options_.pits); !checked)
      return complain(exit_usage, checked.error().text, "pits");
    ServiceManager manager = ServiceManager::from_environment();
    if (manager.trouble != nullptr) return complain(exit_usage, manager.trouble, "LISTEN_FDS");
    manager_ = std::move(manager);
    const bool activated = static_cast<bool>(manager_.listener);
    listener_ = std::move(manager_.listener);
    path_ = activated ? manager_.path : options_.socket_path;
    if (path_.empty()) {
      auto found = control::default_socket_path(options_.realm);
      if (!found) return complain(exit_usage, found.error().text, options_.realm);
      path_ = *std::move(found);
    }
    if (!has_one_thread()) return complain(exit_usage, "run the broker before any thread is started", "run_daemon");
    if (auto made = control::prepare_socket_directory(path_); !made) return complain(exit_os, made.error().text, path_);
    auto lock = lock_realm(path_ + ".lock");
    if (!lock) return complain(lock.error().code == errc::busy ? exit_unavailable : exit_os, lock.error().text, path_);
    lock_ = *std::move(lock);
    detail::broker::keeper::raise_descriptor_limit();
    if (!activated) {
      auto listener = control::listen_at(path_);
      if (!listener) return complain(exit_os, listener.error().text, path_);
      listener_ = *std::move(listener);
    }
    auto store = SlotStore::make();
    if (!store) return complain(exit_os, store.error().text, path_);
    slots_.emplace(*std::move(store));
    // For one that is executed: it begins with what this one serves, whatever its own manifests say by then.
    if (const auto kept = slots_->write(options_.pits); !kept) return complain(exit_os, kept.error().text, path_);
    auto letters = KeptFile::make("symphony-letters", letters_file_size_max);
    if (!letters) return complain(exit_os, letters.error().text, path_);
    letters_.emplace(*std::move(letters));
    if (!options_.log_folder.empty() && make_log_folder(options_.log_folder)) {
      log_folder_ = options_.log_folder;
    } else if (!options_.log_folder.empty()) {
      (void)complain(0, "this folder for logs cannot be made: what pits say goes to stderr", options_.log_folder);
    }
    const int status = serve();
    if (!activated) ::unlink(path_.c_str());  // else it is the service manager's, for the next start
    ::unlink((path_ + ".lock").c_str());      // last: it says that everything else is gone
    return status;
  }

 private:
  int serve() {
    sigset_t set, before;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    ::sigaddset(&set, SIGINT);
    ::sigaddset(&set, SIGHUP);   // the terminal is closed
    ::signal(SIGCHLD, SIG_DFL);  // ignored, as some parents leave it, the kernel would keep our pits' ends to itself
    ::sigprocmask(SIG_BLOCK, &set, &before);
    signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    const int status =
        signals_ ? watch_over() : complain(exit_os, "no descriptors left: raise the limit (ulimit -n)", "signalfd");
    keeper_.kill_all();
    stop_broker();
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return status;
  }

  int watch_over() {
    Generation generation = keeper::first_generation();
    std::deque<TimeNs> deaths;
    for (;; ++generation) {
      if (!start_broker(generation)) return complain(exit_os, "the broker process could not be started", path_);
      const End end = follow_broker();
      if (end == End::in_order) return 0;
      if (is_executed_ && (!served_ || end == End::crashed)) {
        program_.distrust();
        (void)complain(0, "the new file cannot go on as the broker: the program that the daemon began with does",
                       program_.path());
        if (!served_) continue;  // nobody has noticed
      }
      if (end == End::left) {
        std::fprintf(stderr, "symphony: the broker left and is started again; links go on\n");
        continue;
      }
      const TimeNs now = now_ns();
      deaths.push_back(now);
      while (now - deaths.front() > deaths_window_ns) deaths.pop_front();
      if (deaths.size() >= deaths_max) {
        return complain(exit_software, "the broker died five times in ten seconds: its last lines say why", path_);
      }
      std::fprintf(stderr, "symphony: the broker died and is started again; links go on\n");
    }
  }

  bool start_broker(Generation generation) {
    auto ends = control::make_socket_pair();
    if (!ends) return false;
    const pid_t parent = ::getpid();
    is_executed_ = program_.is_new();
    served_ = false;
    std::fflush(nullptr);
    const pid_t pid = ::fork();
    if (pid < 0) return false;
    if (pid == 0) {
      ends->first.reset();  // else it would never see the keeper's end
      ::_exit(is_executed_ ? be_executed(parent, std::move(ends->second)) : be_broker(parent, std::move(ends->second)));
    }
    broker_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    ends->second.reset();
    if (!broker_) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
      return false;
    }
    keeper_.attach_broker(std::move(ends->first), generation);
    return true;
  }

  // Returns when it cannot be.
  int be_executed(pid_t parent, UniqueFd socket) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) return 1;
    program_.execute(
        {std::move(socket), listener_.duplicate(), slots_->file().duplicate(), letters_->file().duplicate(), parent});
    return complain(1, "the program could not be executed", program_.path());
  }

  int be_broker(pid_t parent, UniqueFd socket) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) return 1;
    sigset_t leave;
    ::sigemptyset(&leave);
    ::sigaddset(&leave, SIGUSR2);
    ::sigprocmask(SIG_BLOCK, &leave, nullptr);
    ::prctl(PR_SET_NAME, "symphony-broker");  // who finds it by that may ask it to leave
    lock_.reset();                            // the lock is the keeper's: it must be free when that is dead
    signals_.reset();
    keeper_.forget_all();
    ShellOptions options;
    options.leave = UniqueFd(::signalfd(-1, &leave, SFD_CLOEXEC | SFD_NONBLOCK));
    ::signal(SIGXFSZ, SIG_IGN);  // a log that may not grow is a full disk
    KeptPits kept = slots_->read().value_or(KeptPits{options_.pits, {}});
    options.core.pits = std::move(kept.slots);
    options.core.probations = std::move(kept.probations);
    options.core.daemon = parent;
    options.core.log_folder = log_folder_;
    options.read_pits = options_.read_pits;
    options.slots = &*slots_;
    options.letters = &*letters_;
    options.core.letters = letters_->read().value_or(std::vector<std::byte>());
    options.core.owner = ::geteuid();
    options.core.may_reconnect = true;
    options.core.seed = options_.seed;
    if (options_.seed == 0) (void)!::getrandom(&options.core.seed, sizeof(options.core.seed), 0);
    options.keeper = std::move(socket);
    options.listener = std::move(listener_);
    auto shell = Shell::start(std::move(options), deadline_after(broker_start_timeout_ns));
    if (!shell) return complain(1, shell.error().text, "broker");
    // Here, with everything open: a keeper that sees its socket end first makes sure of the end, and that is a death.
    ::_exit((*shell)->run() ? 0 : 1);
  }

  // Of a broker: stopped in order, with the daemon; left, for the next one; killed, as by an operator; or by its own
  // fault.
  enum class End { in_order, left, killed, crashed };

  End follow_broker() {
    std::vector<pollfd> fds;
    for (;;) {
      fds.assign({{broker_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}});
      keeper_.append_to(fds);
      const TimeNs left = stop_by_ns_ - now_ns();
      const int timeout = stop_by_ns_ == no_deadline_ns ? -1 : left <= 0 ? 0 : static_cast<int>(left / ms_ns) + 1;
      const int n = ::poll(fds.data(), fds.size(), timeout);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 || (n == 0 && stop_by_ns_ <= now_ns())) return End::in_order;  // late: run() kills what is left
      if (fds[1].revents != 0) {
        signalfd_siginfo info;
        while (::read(signals_.get(), &info, sizeof(info)) > 0) {
        }
        if (stop_by_ns_ == no_deadline_ns) keeper_.ask_to_stop();
        begin_to_stop();
      }
      const bool there = keeper_.serve(std::span(fds).subspan(2));
      served_ = served_ || keeper_.broker_serves();
      if (served_ && !told_ready_) {
        told_ready_ = true;
        manager_.notify("READY=1");
      }
      if (keeper_.broker_stops()) begin_to_stop();
      if (fds[0].revents != 0 || !there) {
        const End end = stop_broker();
        keeper_.hear_the_end();
        keeper_.detach_broker();
        return stop_by_ns_ != no_deadline_ns ? End::in_order : end;
      }
    }
  }

  void begin_to_stop() {
    if (stop_by_ns_ == no_deadline_ns) manager_.notify("STOPPING=1");
    stop_by_ns_ = std::min(stop_by_ns_, now_ns() + stop_timeout_ns);
  }

  End stop_broker() noexcept {
    if (!broker_) return End::killed;
    ::syscall(SYS_pidfd_send_signal, broker_.get(), SIGKILL, nullptr, 0);
    siginfo_t info{};
    while (::waitid(P_PIDFD, static_cast<id_t>(broker_.get()), &info, WEXITED) != 0 && errno == EINTR) {
    }
    broker_.reset();
    if (info.si_code == CLD_EXITED) return info.si_status == 0 ? End::left : End::crashed;
    return info.si_status == SIGKILL ? End::killed : End::crashed;
  }

  const DaemonOptions& options_;
  std::string path_;
  UniqueFd lock_, listener_, signals_, broker_;
  std::optional<SlotStore> slots_;
  std::optional<KeptFile> letters_;
  std::string log_folder_;
  ProgramFile program_;
  bool is_executed_ = false;  // the broker that is there, from program_
  bool served_ = false;       // that one
  ServiceManager manager_;
  bool told_ready_ = false;
  TimeNs stop_by_ns_ = no_deadline_ns;
  detail::broker::keeper::Keeper keeper_;
};

}  // namespace

int run_daemon(const DaemonOptions& options) {
  DaemonOptions each = options;
  each.pits = each_instance(options.pits);
  if (auto inherited = inheritance_from_environment()) {
    if (!*inherited) return complain(exit_usage, inherited->error().text, "broker");
    return Daemon(each).go_on(**std::move(inherited));
  }
  return Daemon(each).run();
}

}  // namespace symphony
