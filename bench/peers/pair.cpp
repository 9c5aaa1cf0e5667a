#include "bench/peers/pair.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>

#include <symphony/unique_fd.hpp>

#include "bench/peers/ours.hpp"
#include "bench/peers/turns.hpp"
#include "bench/support/pinning.hpp"

namespace symphony::bench::peers {
namespace {

// What a side leaves for the supervisor, in memory that all share: written by it before it ends, read behind its end.
struct Report {
  Failure failure;
  std::uint32_t opened;  // 0: a connection could not be opened
  int why;               // the errno of that
  PairResult measured;
};
struct Shared {
  alignas(4096) std::byte raw[2 * raw_bytes];
  Report of[2];  // caller, helper
};
constexpr const char* side_names[2] = {"caller", "helper"};

class SharedMemory {
 public:
  SharedMemory() noexcept {
    void* const at = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared_ = at == MAP_FAILED ? nullptr : static_cast<Shared*>(at);
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() {
    if (shared_ != nullptr) ::munmap(shared_, sizeof(Shared));
  }
  [[nodiscard]] Shared* get() const noexcept { return shared_; }

 private:
  Shared* shared_;
};

struct Setting {
  const PairPlan& plan;
  Adapter& ours;
  Adapter& peer;
  Shared& shared;
  UniqueFd control[2];
  std::optional<CpuPair> cpus;
};

// One side from beginning to end, in its own process or thread.
void run_side(Setting& setting, End end) {
  const std::size_t index = end == End::caller ? 0 : 1;
  Report& report = setting.shared.of[index];
  std::optional<int> cpu;
  if (setting.cpus) cpu = end == End::caller ? setting.cpus->caller : setting.cpus->helper;
  const Pinned pinned(cpu);  // before a library starts threads: they inherit it
  // Never destroyed: the process ends, and some libraries wait for the other side when they close.
  auto* const links = new Links{{setting.ours.open(end), setting.peer.open(end)}};
  if (links->of[0] == nullptr || links->of[1] == nullptr) {
    report.why = errno;
    report.failure = {Outcome::failed, links->of[0] == nullptr ? 0U : 1U};
    return;
  }
  report.opened = 1;
  const int control = setting.control[index].get();
  if (end == End::helper) {
    report.failure = serve_turns(*links, control, setting.shared.raw);
    return;
  }
  PairResult measured;
  report.failure = run_turns(setting.plan, *links, control, setting.shared.raw, measured);
  measured.pinned = pinned.holds() ? 1 : 0;
  report.measured = measured;
}

bool is_done(const Report& report) noexcept { return report.opened != 0 && report.failure.outcome == Outcome::ok; }

UniqueFd watch(pid_t pid) noexcept { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

class Side {
 public:
  Side() = default;
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;
  ~Side() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
  }
  template <class Work>
  bool start(Work&& work) {
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      ::_exit(work() ? 0 : 1);
    }
    if (pid_ > 0) process_ = watch(pid_);
    return static_cast<bool>(process_);
  }
  [[nodiscard]] bool runs() const noexcept { return pid_ > 0; }
  [[nodiscard]] int fd() const noexcept { return process_.get(); }
  int wait() noexcept {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_ = 0;
  UniqueFd process_;
};

std::string text_of(const PairPlan& plan, const Report& report, const char* side) {
  const std::string whose = report.failure.of_peer != 0 ? std::string(plan.peer->name) : "our own link";
  if (report.opened == 0) {
    const std::string why = report.why == 0 ? "" : std::string(": ") + std::strerror(report.why);
    return whose + ": its " + side + " could not open the connection" + why;
  }
  if (report.failure.outcome == Outcome::wrong_data) return whose + ": the " + side + " received wrong data";
  return whose + ": the connection failed in the " + side;
}

// What ended a side, if it did not end well.
std::optional<std::string> fault_of(const PairPlan& plan, const Report& report, int status, const char* side) {
  if (WIFSIGNALED(status)) {
    return std::string(plan.peer->name) + ": its " + side + " process was killed by signal " +
           std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
  }
  if (is_done(report)) return std::nullopt;
  return text_of(plan, report, side);
}

std::optional<std::string> supervise(const PairPlan& plan, Shared& shared, Side (&sides)[2]) {
  const TimeNs deadline = deadline_after(plan.timeout_ns);
  while (sides[0].runs() || sides[1].runs()) {
    pollfd fds[2];
    for (int i = 0; i < 2; ++i) fds[i] = {sides[i].runs() ? sides[i].fd() : -1, POLLIN, 0};
    const TimeNs left_ms = std::max<TimeNs>((deadline - now_ns()) / ms_ns, 0);
    const int ready = ::poll(fds, 2, static_cast<int>(left_ms));
    if (ready == 0) {
      return std::string(plan.peer->name) + ": no result after " + std::to_string(plan.timeout_ns / second_ns) + " s";
    }
    for (int i = 0; i < 2; ++i) {
      if (ready < 0 || fds[i].revents == 0) continue;
      if (auto fault = fault_of(plan, shared.of[i], sides[i].wait(), side_names[i])) return fault;
    }
  }
  return std::nullopt;
}

}  // namespace

std::variant<PairResult, CannotRun, std::string> run_pair(const PairPlan& plan, const AdapterEntry& entry) {
  const SharedMemory memory;
  if (memory.get() == nullptr) return std::string("no memory for the comparison");
  const auto ours = make_ours(plan.peer->wait);
  const auto peer = entry.make();
  if (const auto made = ours->prepare(plan.size); !made) return std::string("our own link: ") + made.error().text;
  if (const auto made = peer->prepare(plan.size); !made) {
    const int why = made.error().sys_errno;
    return CannotRun{made.error().text + (why == 0 ? "" : std::string(": ") + std::strerror(why))};
  }
  Setting setting{plan, *ours, *peer, *memory.get(), {}, two_cpus()};
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return std::string("no descriptors left; raise the limit");
  for (int i = 0; i < 2; ++i) setting.control[i].reset(ends[i]);

  Side sides[2];
  if (!plan.peer->threads) {
    const auto helper = [&] {
      run_side(setting, End::helper);
      return is_done(setting.shared.of[1]);
    };
    if (!sides[1].start(helper)) return std::string("no process left for the helper");
  }
  const auto caller = [&] {
    std::thread helper;
    if (plan.peer->threads) {
      helper = std::thread([&] {
        run_side(setting, End::helper);
        // A process of its own would end here and be seen; the thread takes the caller, which waits for it, with it.
        if (!is_done(setting.shared.of[1])) ::_exit(1);
      });
    }
    run_side(setting, End::caller);
    if (!is_done(setting.shared.of[0])) return false;
    if (helper.joinable()) helper.join();
    return true;
  };
  if (!sides[0].start(caller)) return std::string("no process left for the caller");
  if (auto fault = supervise(plan, *memory.get(), sides)) {
    // Of two threads the one that failed may not be the one that the process is named after.
    const Report& helper = memory.get()->of[1];
    if (plan.peer->threads && helper.failure.outcome != Outcome::ok) return text_of(plan, helper, side_names[1]);
    return *fault;
  }
  return memory.get()->of[0].measured;
}

}  // namespace symphony::bench::peers
