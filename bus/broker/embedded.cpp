// EmbeddedBroker: the shell on a thread of the application, the keeper as its helper process.
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <future>
#include <system_error>
#include <thread>

#include <pthread.h>
#include <spawn.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <symphony/broker.hpp>

#include "bus/broker/shell.hpp"

namespace symphony {

using namespace detail::broker;
namespace control = detail::control;

namespace {

constexpr TimeNs start_timeout_ns = 10 * second_ns;

result<std::string> find_keeper(const std::string& option) {
  const auto runs = [](const std::string& path) { return ::access(path.c_str(), X_OK) == 0; };
  if (!option.empty()) {
    if (runs(option)) return option;
    return unexpected(errc::not_found, "the keeper executable given in the options is not there or cannot be executed",
                      errno);
  }
  if (const char* env = std::getenv("SYMPHONY_KEEPER"); env != nullptr && env[0] != '\0') {
    if (runs(env)) return std::string(env);
    return unexpected(errc::not_found, "$SYMPHONY_KEEPER is not there or cannot be executed: unset or correct it",
                      errno);
  }
  std::array<char, 4096> self{};
  const ssize_t size = ::readlink("/proc/self/exe", self.data(), self.size());
  if (size > 0) {
    const std::string path(self.data(), static_cast<std::size_t>(size));
    const std::string beside = path.substr(0, path.rfind('/')) + "/symphony-keeper";
    if (runs(beside)) return beside;
  }
  const std::string installed = SYMPHONY_LIBEXEC_DIR "/symphony-keeper";
  if (runs(installed)) return installed;
  return unexpected(errc::not_found,
                    "symphony-keeper is not found: set SYMPHONY_KEEPER to its path, or install symphony");
}

result<pid_t> spawn_keeper(const std::string& executable, int socket) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, socket, 3);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);  // a Ctrl-C is for the application, which then ends its keeper
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::string name = executable;
  std::string application = std::to_string(::getpid());
  char* const argv[] = {name.data(), application.data(), nullptr};
  pid_t pid = 0;
  const int why = ::posix_spawn(&pid, executable.c_str(), &actions, &attributes, argv, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (why != 0) return unexpected(errc::system, "posix_spawn: the keeper could not be started", why);
  return pid;
}

void reap(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::uint64_t kernel_seed() {
  std::uint64_t seed = 0;
  (void)!::getrandom(&seed, sizeof(seed), 0);
  return seed;
}

}  // namespace

class EmbeddedBroker::Impl {
 public:
  Impl(std::unique_ptr<Shell> shell, pid_t keeper) : keeper_(keeper), owner_(::getpid()), shell_(std::move(shell)) {}
  ~Impl() {
    if (thread_.joinable()) {
      (void)shell_->post([](Shell& s) { s.stop(); });
      thread_.join();
    }
    shell_.reset();  // the keeper sees the end of its socket, kills what is left and ends
    reap(keeper_);
  }

  result<void> start_thread() {
    // Signals are the application's: its own threads take them.
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before);
    result<void> started;
    try {
      thread_ = std::thread([this] { (void)shell_->run(); });
    } catch (const std::system_error& e) {
      started = unexpected(errc::out_of_memory, "the broker's thread could not be started: raise ulimit -u",
                           e.code().value());
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return started;
  }

  // The answer of `work`, run on the broker's thread; after its end, `otherwise`.
  template <class T, class Work>
  T ask(Work work, T otherwise) {
    if (owner_ != ::getpid()) return otherwise;  // a forked child: nobody there would answer
    std::promise<T> promise;
    auto answer = promise.get_future();
    if (!shell_->post([&](Shell& s) { promise.set_value(work(s)); })) return otherwise;
    return answer.get();
  }

  const pid_t keeper_;
  const pid_t owner_;

 private:
  std::unique_ptr<Shell> shell_;
  std::thread thread_;
};

EmbeddedBroker::EmbeddedBroker(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
EmbeddedBroker::EmbeddedBroker(EmbeddedBroker&&) noexcept = default;
EmbeddedBroker& EmbeddedBroker::operator=(EmbeddedBroker&& other) noexcept {
  leave_to_owner();
  impl_ = std::move(other.impl_);
  return *this;
}
EmbeddedBroker::~EmbeddedBroker() { leave_to_owner(); }

// In a forked child the broker's thread does not exist: there is nothing to stop.
void EmbeddedBroker::leave_to_owner() noexcept {
  if (impl_ && impl_->owner_ != ::getpid()) (void)impl_.release();
}

result<EmbeddedBroker> EmbeddedBroker::start(BrokerOptions options) {
  options.pits = each_instance(options.pits);
  if (const auto checked = check_pits(options.pits); !checked) return unexpected(checked.error());
  const auto executable = find_keeper(options.keeper_executable);
  if (!executable) return unexpected(executable.error());
  auto ends = control::make_socket_pair();
  if (!ends) return unexpected(ends.error());
  const auto keeper = spawn_keeper(*executable, ends->second.get());
  if (!keeper) return unexpected(keeper.error());
  ends->second.reset();
  ShellOptions shell_options;
  shell_options.core.pits = std::move(options.pits);
  shell_options.core.seed = options.seed != 0 ? options.seed : kernel_seed();
  shell_options.core.owner = ::geteuid();
  shell_options.keeper = std::move(ends->first);
  auto shell = Shell::start(std::move(shell_options), deadline_after(start_timeout_ns));
  if (!shell) {
    ::kill(*keeper, SIGKILL);
    reap(*keeper);
    return unexpected(shell.error());
  }
  auto impl = std::make_unique<Impl>(*std::move(shell), *keeper);
  if (const auto started = impl->start_thread(); !started) return unexpected(started.error());
  return EmbeddedBroker(std::move(impl));
}

result<UniqueFd> EmbeddedBroker::connect() {
  auto ends = control::make_socket_pair();
  if (!ends) return unexpected(ends.error());
  const uid_t uid = ::geteuid();
  const bool served = impl_->ask<bool>(
      [&](Shell& s) {
        s.add_caller(std::move(ends->second), uid, false);
        return true;
      },
      false);
  if (!served) return unexpected(errc::unreachable, "connect: the embedded broker has ended: start a new one");
  return std::move(ends->first);
}

result<pid_t> EmbeddedBroker::kill_pit(std::string_view name) {
  return impl_->ask<result<pid_t>>(
      [&](Shell& s) { return s.kill_pit(name); },
      unexpected(errc::unreachable, "kill_pit: the embedded broker has ended: start a new one"));
}

std::vector<PitInfo> EmbeddedBroker::status() const {
  return impl_->ask<std::vector<PitInfo>>([](Shell& s) { return s.status(); }, {});
}

result<pid_t> EmbeddedBroker::pit_pid(std::string_view name) const {
  for (const PitInfo& pit : status()) {
    if (pit.name == name && pit.pid != 0) return pit.pid;
  }
  return unexpected(errc::not_found, "pit_pid: no pit of this name has a process now");
}

pid_t EmbeddedBroker::keeper_pid() const noexcept { return impl_->keeper_; }

}  // namespace symphony
