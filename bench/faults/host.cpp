#include "bench/faults/host.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <thread>
#include <vector>

#include <symphony/typed.hpp>

#include "bench/faults/said.hpp"
#include "bench/faults/world.hpp"
#include "greeter_generated.h"

namespace symphony::faults {
namespace {

constexpr std::uint64_t settled = 20;  // honest calls after the fault
constexpr std::size_t callers_of_a_slow_one = 6;
constexpr TimeNs fault_timeout_ns = 3 * second_ns;

void rest() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }  // allowed: to poll without burning a core
double ms(TimeNs ns) { return static_cast<double>(ns) * 1e-6; }

// Calls the honest pit all the time, and knows what it must answer.
class Honest {
 public:
  explicit Honest(Conductor& conductor) : caller_(conductor.open("honest")) {}
  // [its own thread]
  void run() {
    flatbuffers::FlatBufferBuilder builder;
    TimeNs last = now_ns();
    for (std::uint64_t n = 1;; ++n) {
      const auto reply = call<greeter::Greeting>(
          caller_, builder, greeter::CreateHello(builder, builder.CreateString("you")), {.timeout_ns = 20 * second_ns});
      const bool is_right = reply && reply->count() == n && reply->text()->string_view() == "Hello, you!";
      // sync none relaxed: counts that the main thread polls.
      if (!is_right && failed.fetch_add(1, std::memory_order_relaxed) == 0) {
        std::fprintf(stderr, "honest call %lu failed: %s\n", static_cast<unsigned long>(n),
                     reply ? "the reply is wrong" : std::string(reply.reply.text).c_str());
      }
      const TimeNs now = now_ns();
      // sync none relaxed: only this thread stores it.
      if (now - last > longest_ns.load(std::memory_order_relaxed))
        longest_ns.store(now - last, std::memory_order_relaxed);  // sync none relaxed: as above
      last = now;
      calls.fetch_add(1, std::memory_order_relaxed);  // sync none relaxed: as above
      rest();
    }
  }
  std::atomic<std::uint64_t> calls{0}, failed{0};
  std::atomic<TimeNs> longest_ns{0};

 private:
  Caller caller_;
};

class Victim {
 public:
  explicit Victim(const HostOptions& options) : o_(options) {}

  int run() {
    void* page = ::mmap(nullptr, 8UL * canary_words, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return not_run("no memory for a page");
    canary_ = static_cast<std::uint64_t*>(page);
    std::fill_n(canary_, canary_words, canary_value);
    if (const std::string why = world_.build(o_.hosting); !why.empty()) return not_run(why);
    if (o_.fault == Fault::ring_index && o_.hosting.mode != Mode::process)
      return not_run("this mode has no ring: a call is a call of a function");
    honest_.emplace(world_.conductor());
    std::thread([this] { honest_->run(); }).detach();
    culprit_ = world_.conductor().open("culprit");
    for (int i = 0; i < 3; ++i) {
      if (!asks_well(culprit_)) return not_run("the culprit did not serve before its fault");
    }
    if (!comes_true(20 * second_ns, [&] { return honest_->calls >= settled; }) || honest_->failed != 0)
      return not_run("the honest pit did not serve before the fault");
    say(o_.report_fd, "pid", std::to_string(world_.culprit_pid()));
    say(o_.report_fd, "begin", "now");
    std::thread([this] { commit_and_ask(); }).detach();
    const bool is_back = comes_true(o_.patience_ms * ms_ns, [&] { return back_ns_ != 0; });
    const std::uint64_t then = honest_->calls;
    const bool goes_on = comes_true(20 * second_ns, [&] { return honest_->calls >= then + settled; });
    if (!goes_on) say(o_.report_fd, "ill", "the honest pit does not answer any more");
    if (is_back) say(o_.report_fd, "back_ms", std::to_string(ms(back_ns_ - begun_ns_)));
    tell_of_death();
    if (is_back) part_with_culprit();
    tell_of_health();
    say(o_.report_fd, "honest_calls", std::to_string(honest_->calls));
    say(o_.report_fd, "honest_failed", std::to_string(honest_->failed));
    say(o_.report_fd, "honest_longest_ms", std::to_string(ms(honest_->longest_ns)));
    say(o_.report_fd, "done", "all");
    return 0;
  }

 private:
  int not_run(const std::string& why) const {
    say(o_.report_fd, "not_run", why);
    return 0;
  }

  template <class Condition>
  static bool comes_true(TimeNs timeout_ns, Condition&& condition) {
    for (const TimeNs deadline = now_ns() + timeout_ns; now_ns() < deadline; rest()) {
      if (condition()) return true;
    }
    return condition();
  }

  static bool asks_well(Caller& caller) {
    const Reply reply = caller.call(ask_type, {}, {.timeout_ns = second_ns, .effect = Effect::read});
    return reply.ok() && reply.type == told_type && reply.body.size() == sizeof(std::uint64_t);
  }

  // [its own thread; some faults keep it for ever]
  void commit_and_ask() {
    begun_ns_ = now_ns();
    const std::string ending = commit();
    say(o_.report_fd, "ending", ending);
    while (!asks_well(culprit_)) rest();
    back_ns_ = now_ns();  // from here on the main thread has the caller
  }

  std::string commit() {
    if (o_.fault == Fault::version_skew) return refusal(world_.mount_next_major(o_.hosting));
    if (o_.hosting.mode == Mode::wasm) {
      switch (o_.fault) {
        case Fault::fd_exhaustion:
          return refusal(world_.mount_that_imports("openat"));
        case Fault::read_secret:
          return refusal(world_.mount_that_imports("pread6"));
        case Fault::open_socket:
          return refusal(world_.mount_that_imports("socket"));
        case Fault::ptrace_host:
          return refusal(world_.mount_that_imports("ptrace"));
        case Fault::fork_bomb:
          return refusal(world_.mount_that_imports("clone3"));
        default:
          break;
      }
    }
    if (o_.fault != Fault::slow_consumer) return call_with_order(culprit_, fault_timeout_ns);
    std::vector<std::thread> others;
    for (std::size_t n = 0; n < callers_of_a_slow_one; ++n) {
      others.emplace_back([this] {
        Caller mine = world_.conductor().open("culprit");
        for (int i = 0; i < 2; ++i) (void)call_with_order(mine, slow_ms * ms_ns);
      });
    }
    std::string ending = call_with_order(culprit_, slow_ms * ms_ns);
    for (std::thread& other : others) other.join();
    return ending;
  }

  // Not refused: the host runs what it must not run.
  std::string refusal(const StepResult& mounted) const {
    if (mounted.ok()) say(o_.report_fd, "ill", "mounted what it had to refuse");
    if (mounted.status == status::internal) say(o_.report_fd, "not_run", mounted.text);
    return "mounting it ended as " + std::string(status_name(mounted.status)) + ": " + mounted.text;
  }

  std::string call_with_order(Caller& caller, TimeNs timeout_ns) {
    Order order;
    order.fault = o_.fault;
    order.has_ring = o_.hosting.mode == Mode::process ? 1 : 0;
    order.host_pid = static_cast<std::uint64_t>(::getpid());
    order.canary = reinterpret_cast<std::uintptr_t>(canary_);
    order.reply_type = type_id_of<greeter::Greeting>;
    order.port = o_.port;
    std::snprintf(order.secret_path, sizeof order.secret_path, "%s", o_.secret_path.c_str());
    const Reply reply = caller.call(commit_type, std::as_bytes(std::span(&order, 1)),
                                    {.timeout_ns = timeout_ns, .effect = Effect::once});
    if (!reply.ok()) return std::string(status_name(reply.status)) + ": " + std::string(reply.text);
    // Read whole, as a caller would that believes it.
    unsigned sum = 0;
    for (const std::byte b : reply.body) sum += static_cast<unsigned>(b);
    if (reply.type == order.reply_type) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(reply.body.data());
      flatbuffers::Verifier verifier(bytes, reply.body.size());
      const bool is_taken = verifier.VerifyBuffer<greeter::Greeting>(nullptr);
      if (is_taken) say(o_.report_fd, "ill", "took a corrupt FlatBuffer for a message");
      return is_taken ? "OK" : "the reply does not verify";
    }
    const std::string text(reinterpret_cast<const char*>(reply.body.data()),
                           std::min<std::size_t>(reply.body.size(), 200));
    return "OK, " + std::to_string(reply.body.size()) + " bytes of sum " + std::to_string(sum) + ": " +
           (o_.fault == Fault::corrupt_header || o_.fault == Fault::ring_index ? "" : text);
  }

  // Memory that the culprit has spoilt is noticed when it is given back.
  void part_with_culprit() {
    culprit_ = Caller();
    const StepResult parted = world_.conductor().unmount("culprit");
    if (!parted.ok()) say(o_.report_fd, "ill", "cannot unmount the culprit: " + parted.text);
  }

  // What any program does at some time.
  void tell_of_health() const {
    for (std::uint32_t i = 0; i < canary_words; ++i) {
      if (canary_[i] == canary_value) continue;
      say(o_.report_fd, "canary", "changed");
      break;
    }
    const int file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (file < 0) say(o_.report_fd, "ill", std::string("cannot open a file: ") + std::strerror(errno));
    if (file >= 0) ::close(file);
    constexpr std::size_t size = 16UL * 1024 * 1024;
    void* const memory = std::malloc(size);
    if (memory == nullptr) say(o_.report_fd, "ill", "gets no memory");
    if (memory != nullptr) std::memset(memory, 1, size);
    std::free(memory);
    try {
      std::thread([] {}).join();
    } catch (const std::system_error& e) {
      say(o_.report_fd, "ill", std::string("cannot begin a thread: ") + e.what());
    }
  }

  // The first death that the broker has seen: of the process that committed it.
  void tell_of_death() {
    const auto report = world_.report();
    if (!report) return;
    if (report->info.state != "ready") say(o_.report_fd, "state", report->info.state + ": " + report->reason);
    if (report->deaths.empty()) return;
    const PitDeath& first = report->deaths.front();
    say(o_.report_fd, "death", name_of(first.cause));
    if (first.value >= 0) say(o_.report_fd, first.signalled ? "pit_signal" : "pit_exit", std::to_string(first.value));
  }

  const HostOptions& o_;
  World world_;
  std::optional<Honest> honest_;
  Caller culprit_;
  std::uint64_t* canary_ = nullptr;
  TimeNs begun_ns_ = 0;
  std::atomic<TimeNs> back_ns_{0};
};

}  // namespace

int be_host(const HostOptions& options) {
  auto* const victim = new Victim(options);  // never destroyed: threads of it may stand in a fault for ever
  const int status = victim->run();
  std::fflush(nullptr);
  ::_exit(status);
}

}  // namespace symphony::faults
