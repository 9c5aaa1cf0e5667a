#include "bench/recovery/party.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <symphony/broker.hpp>

namespace symphony::bench::recovery {
namespace fs = std::filesystem;
namespace {

fs::path own_folder() { return fs::read_symlink("/proc/self/exe").parent_path(); }

}  // namespace

UniqueFd pidfd_of(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

bool is_readable(int fd, TimeNs timeout_ns) noexcept {
  pollfd one{fd, POLLIN, 0};
  return ::poll(&one, 1, static_cast<int>(timeout_ns / ms_ns)) > 0;
}

void kill_by(const UniqueFd& pidfd) noexcept { ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0); }

void give_up(const char* what, const char* why) {
  std::fprintf(stderr, "bench_recovery: %s: %s\n", what, why);
  std::exit(1);
}

pid_t run_self(std::vector<std::string> words) {
  const std::string self = fs::read_symlink("/proc/self/exe").string();
  words.insert(words.begin(), self);
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  if (pid < 0) give_up("fork", "no more processes");
  return pid;
}

int be_daemon(const std::string& socket, const std::string& moments, const std::string& mib, bool has_state) {
  PitConfig pit;
  pit.name = "echo";
  pit.executable = own_folder() / "symphony-pit-host";
  pit.args = {own_folder() / "../bench/recovery_echo.so"};
  pit.config = mib;
  pit.environment = {std::string(moments_variable) + "=" + moments,
                     "LD_PRELOAD=" + (own_folder() / "../bench/recovery_before_main.so").string()};
  if (has_state) pit.state.durability = Durability::snapshot;
  pit.restart.failures_max = 16;
  pit.restart.window_ns = 1;  // it is killed more often than a pit should die
  DaemonOptions options;
  options.socket_path = socket;
  options.pits = {pit};
  std::freopen("/dev/null", "w", stderr) == nullptr ? std::abort() : void();
  return run_daemon(options);
}

Party::Party(unsigned mib, bool has_state) {
  char name[] = "/tmp/symphony-recovery-XXXXXX";
  if (::mkdtemp(name) == nullptr) give_up(name, "cannot be made");
  folder_ = name;
  const std::string moments = folder_ + "/moments";
  const UniqueFd fd(::open(moments.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd || ::ftruncate(fd.get(), sizeof(Moments)) != 0) give_up(moments.c_str(), "no room");
  void* const at = ::mmap(nullptr, sizeof(Moments), PROT_READ, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) give_up(moments.c_str(), "no memory");
  moments_ = static_cast<Moments*>(at);
  place_.path = folder_ + "/realm/broker.sock";
  place_.timeout_ns = patience_ns;
  daemon_ = run_self({"daemon", place_.path, moments, std::to_string(mib), has_state ? "state" : "none"});
  auto made = Endpoint::connect(place_);
  if (!made) give_up("connect", made.error().text);
  endpoint_.emplace(*std::move(made));
}

Party::~Party() {
  endpoint_.reset();
  ::kill(daemon_, SIGTERM);
  ::waitpid(daemon_, nullptr, 0);
  ::munmap(moments_, sizeof(Moments));
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

Link Party::open() {
  auto link = endpoint_->open("echo", {}, patience_ns);
  if (!link) give_up("open", link.error().text);
  return *std::move(link);
}

PitInfo Party::pit() {
  for (const TimeNs deadline = deadline_after(patience_ns); now_ns() < deadline; (void)::poll(nullptr, 0, 1)) {
    const auto status = endpoint_->status();
    if (status && status->pits.at(0).state == "ready") return status->pits.at(0);
  }
  give_up("status", "the pit does not become ready");
}

pid_t Party::broker() const {
  const std::string id = std::to_string(daemon_);
  for (const TimeNs deadline = deadline_after(patience_ns); now_ns() < deadline; (void)::poll(nullptr, 0, 1)) {
    std::ifstream children("/proc/" + id + "/task/" + id + "/children");
    for (pid_t pid = 0; children >> pid;) {
      std::string comm;
      std::ifstream("/proc/" + std::to_string(pid) + "/comm") >> comm;
      if (comm == "symphony-broker") return pid;
    }
  }
  give_up("broker", "there is none");
}

}  // namespace symphony::bench::recovery
