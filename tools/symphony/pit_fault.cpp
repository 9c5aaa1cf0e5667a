#include "tools/symphony/pit_fault.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include <symphony/unique_fd.hpp>

#include "tools/symphony/broker_place.hpp"
#include "tools/symphony/pit_running.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

constexpr int poll_ms = 5;
constexpr double for_s_max = 3600;

// What is done from outside. A signal that ends the process, one that stops it, or a limit that leaves it nothing more.
struct FaultKind {
  const char* name;
  int signal = 0;
  bool is_limit = false;
  __rlimit_resource limit = RLIMIT_CORE;
  const char* did = "";
  [[nodiscard]] bool lasts() const noexcept { return is_limit || signal == SIGSTOP; }
};
constexpr std::array fault_kinds{
    FaultKind{"kill", SIGKILL, false, RLIMIT_CORE, "SIGKILL to"},
    FaultKind{"segv", SIGSEGV, false, RLIMIT_CORE, "SIGSEGV to"},
    FaultKind{"abort", SIGABRT, false, RLIMIT_CORE, "SIGABRT to"},
    FaultKind{"hang", SIGSTOP, false, RLIMIT_CORE, "SIGSTOP to"},
    FaultKind{"leak", 0, true, RLIMIT_DATA, "no more memory for"},
    FaultKind{"fds", 0, true, RLIMIT_NOFILE, "no more descriptors for"},
};

struct PitFaultArguments {
  BrokerPlace place{.timeout_s = 30};
  std::string pit;
  std::string kind;
  double for_s = 1;
  std::string format = "table";
};

int fault_failed(int status, const std::string& text) { return report_failure("pit fault", status, text); }
double seconds_of(TimeNs ns) { return static_cast<double>(ns) / static_cast<double>(second_ns); }

// "VmData:" of a process, in bytes; 0: nobody says.
std::uint64_t data_size(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    unsigned long kib = 0;
    if (std::sscanf(line.c_str(), "VmData: %lu kB", &kib) == 1) return std::uint64_t{kib} * 1024;
  }
  return 0;
}

// The process that holds the pit's code. Of a pit behind a namespace of processes the broker knows the first process
// there, whose one child it is.
pid_t process_of(const PitReport& report) {
  const pid_t first = report.info.pid;
  if ((report.sandbox_reached & bit_of(SandboxBlock::pid_namespace)) == 0) return first;
  std::ifstream children("/proc/" + std::to_string(first) + "/task/" + std::to_string(first) + "/children");
  pid_t child = 0;
  children >> child;
  return children ? child : 0;
}

// One fault, while it lasts.
class Injection {
 public:
  // Empty: done. `pidfd` is of the process.
  std::string begin(const FaultKind& kind, pid_t pid, UniqueFd pidfd) {
    kind_ = kind;
    pid_ = pid;
    pidfd_ = std::move(pidfd);
    at_ns_ = now_ns();
    if (!kind.is_limit) return send(kind.signal) ? "" : std::strerror(errno);
    if (::prlimit(pid, kind.limit, nullptr, &before_) != 0) return std::strerror(errno);
    rlimit now = before_;
    now.rlim_cur = kind.limit == RLIMIT_DATA ? std::min<rlim_t>(before_.rlim_cur, data_size(pid)) : 0;
    return ::prlimit(pid, kind.limit, &now, nullptr) == 0 ? "" : std::strerror(errno);
  }
  // Takes back what lasts, if it is still that process.
  void end() {
    if (is_gone()) return;
    if (kind_.signal == SIGSTOP) (void)send(SIGCONT);
    if (kind_.is_limit) ::prlimit(pid_, kind_.limit, &before_, nullptr);
  }
  [[nodiscard]] bool is_gone() const {
    pollfd one{pidfd_.get(), POLLIN, 0};
    return ::poll(&one, 1, 0) != 0;
  }
  [[nodiscard]] TimeNs at_ns() const noexcept { return at_ns_; }

 private:
  [[nodiscard]] bool send(int signal) const {
    return ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0) == 0;
  }
  FaultKind kind_{};
  pid_t pid_ = 0;
  UniqueFd pidfd_;
  rlimit before_{};
  TimeNs at_ns_ = 0;
};

// Waits so long, or until the person is tired of it: then the signal's number.
int wait_interruptibly(double seconds, const sigset_t& asked) {
  const auto ns = static_cast<TimeNs>(seconds * static_cast<double>(second_ns));
  const timespec time{ns / second_ns, ns % second_ns};
  const int signal = ::sigtimedwait(&asked, nullptr, &time);
  return signal > 0 ? signal : 0;
}

// Until the broker knows what became of it. Nothing: the time was over.
std::optional<PitReport> outcome(Operator& broker, const PitFaultArguments& arguments, const PitReport& before,
                                 const Injection& injection, bool must_die) {
  const TimeNs deadline = now_ns() + arguments.place.timeout_ns();
  do {
    const OperatorAnswer answer = broker.show(arguments.pit, arguments.place.timeout_ns());
    if (!answer.ok()) return std::nullopt;
    const PitInfo& now = answer.pit.info;
    const bool is_settled = now.state == "ready" || now.state == "quarantined" || now.state == "stopped";
    const bool is_next = now.instance != before.info.instance || now.state != "ready";
    if (is_settled && (is_next || (!must_die && !injection.is_gone()))) return answer.pit;
    ::poll(nullptr, 0, poll_ms);
  } while (now_ns() < deadline);
  return std::nullopt;
}

// The death of that instance, if the broker tells of one.
const PitDeath* death_of(const PitReport& now, std::uint32_t instance) {
  const auto found = std::find_if(now.deaths.rbegin(), now.deaths.rend(),
                                  [&](const PitDeath& death) { return death.instance == instance; });
  return found == now.deaths.rend() ? nullptr : &*found;
}

void tell(const PitFaultArguments& arguments, const FaultKind& kind, const PitReport& before, pid_t pid,
          const PitReport& now, TimeNs at_ns) {
  const PitDeath* const death = death_of(now, before.info.instance);
  const bool is_back = now.info.state == "ready";
  const TimeNs back_ns = death != nullptr && is_back ? now.ready_since_ns - at_ns : 0;
  if (arguments.format == "json") {
    CliJson document = document_of("pit fault");
    document["fault"] = kind.name;
    document["pid"] = pid;
    document["instance"] = before.info.instance;
    document["death"] = nullptr;
    if (death != nullptr) document["death"] = json_of_death(*death);
    document["ready_again_s"] = nullptr;
    if (back_ns > 0) document["ready_again_s"] = seconds_of(back_ns);
    document["pit"] = json_of_pits({now.info})[0];
    return print(document);
  }
  std::string line = fmt::format("{}: {} process {} (instance {})", arguments.pit, kind.did, pid, before.info.instance);
  if (kind.lasts()) line += fmt::format(", for {} s", arguments.for_s);
  if (death == nullptr) {
    line += is_back ? "; it lives, and is ready" : "; it is " + now.info.state + ": " + now.reason;
  } else if (is_back) {
    line +=
        fmt::format("; it died ({}, {}) and is ready again as instance {}, process {}, {} later", name_of(death->cause),
                    how_text(*death), now.info.instance, now.info.pid, duration_text(back_ns));
  } else {
    line += fmt::format("; it died ({}, {}) and is {}: {}", name_of(death->cause), how_text(*death), now.info.state,
                        now.reason);
  }
  std::printf("%s\n", without_controls(line).c_str());
}

int fault_command(const PitFaultArguments& arguments) {
  const auto* const kind = std::find_if(fault_kinds.begin(), fault_kinds.end(),
                                        [&](const FaultKind& one) { return arguments.kind == one.name; });
  if (kind == fault_kinds.end()) {
    return fault_failed(exit_usage,
                        "'" + arguments.kind +
                            "' is not done to a pit from outside; kill, segv, abort, hang, leak and fds are, and "
                            "symphony bench faults commits others in cells");
  }
  auto broker = Operator::connect(arguments.place.options());
  if (!broker) return fault_failed(exit_status_of(broker.error().code), broker.error().text);
  const OperatorAnswer first = broker->show(arguments.pit, arguments.place.timeout_ns());
  if (!first.ok()) {
    const bool is_unknown = first.code == errc::not_found;
    return fault_failed(exit_status_of(first),
                        is_unknown ? with_suggestion(first.text, arguments.place, arguments.pit) : first.text);
  }
  const PitReport& before = first.pit;
  if (before.info.state != "ready") {
    return fault_failed(exit_bad, arguments.pit + " is " + before.info.state +
                                      (before.reason.empty() ? "" : ": " + before.reason) +
                                      "; only one that is ready is done something to");
  }
  const pid_t pid = kind->signal == SIGKILL ? before.info.pid : process_of(before);
  UniqueFd pidfd(pid > 0 ? static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)) : -1);
  // Only now is its number certain to stay its own: is it still the pit's?
  const OperatorAnswer again = broker->show(arguments.pit, arguments.place.timeout_ns());
  if (!pidfd || !again.ok() || again.pit.info.pid != before.info.pid || again.pit.info.state != "ready")
    return fault_failed(
        exit_bad, arguments.pit + " has another process meanwhile, or it is not of this machine; nothing was done");
  sigset_t asked;
  sigemptyset(&asked);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&asked, signal);
  if (kind->lasts()) ::sigprocmask(SIG_BLOCK, &asked, nullptr);  // so that it is taken back whatever a person does
  Injection injection;
  if (const std::string why = injection.begin(*kind, pid, std::move(pidfd)); !why.empty())
    return fault_failed(exit_refused, fmt::format("{} process {}: {}; the pit's owner may do it", kind->did, pid, why));
  int interrupted = 0;
  if (kind->lasts()) {
    interrupted = wait_interruptibly(arguments.for_s, asked);
    injection.end();
    ::sigprocmask(SIG_UNBLOCK, &asked, nullptr);
  }
  if (interrupted != 0) return fault_failed(128 + interrupted, "interrupted; what was done is taken back");
  const auto now = outcome(*broker, arguments, before, injection, !kind->lasts());
  if (!now) return fault_failed(exit_timeout, arguments.pit + " is not ready again yet; see symphony pit show");
  tell(arguments, *kind, before, pid, *now, injection.at_ns());
  return now->info.state == "ready" ? exit_ok : exit_bad;
}

}  // namespace

void add_pit_fault_verb(CLI::App& pit, int& exit_status) {
  auto arguments = std::make_shared<PitFaultArguments>();
  auto* verb = pit.add_subcommand(
      "fault", "Do to a broker's pit from outside what a fault of its own would do; tells what became of it");
  verb->add_option("pit", arguments->pit, "Its name")->required()->type_name("NAME");
  verb->add_option("kind", arguments->kind, "kill, segv, abort, hang, leak or fds; see below")
      ->required()
      ->type_name("KIND");
  verb->add_option("--for", arguments->for_s, "Seconds that hang, leak and fds last; then they are taken back")
      ->check(CLI::Range(0.0, for_s_max))
      ->capture_default_str();
  add_place_options(*verb, arguments->place);
  add_timeout_option(*verb, arguments->place);
  add_output_option(*verb, arguments->format);
  verb->footer(
      "kill, segv, abort: it gets SIGKILL, SIGSEGV or SIGABRT, and dies as it would by itself. hang: it is stopped "
      "and\n"
      "goes on. leak: it gets no memory beyond what it has. fds: it gets no descriptor more. Nothing is asked of the\n"
      "pit, and of the kernel only what its owner may do anyway. It counts as the pit's own failure: five in a minute "
      "are\n"
      "quarantine. Exit status 1: it is not ready again.");
  verb->callback([arguments, &exit_status] { exit_status = fault_command(*arguments); });
}

}  // namespace symphony::tools
