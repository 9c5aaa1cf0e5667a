#include "tools/symphony/sandbox/learn.hpp"

#include <sys/syscall.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <future>
#include <random>
#include <sstream>
#include <thread>
#include <vector>

#include <symphony/broker.hpp>
#include <symphony/endpoint.hpp>
#include <symphony/operator.hpp>

#include "pits/hosting/pit_file.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/programs.hpp"
#include "tools/symphony/sandbox/call_tracer.hpp"

namespace symphony::tools {
namespace {

constexpr const char* learned_name = "learned";
constexpr int rounds = 25;
constexpr std::size_t body_sizes[] = {0, 8, 64, 4096};
constexpr TimeNs call_timeout_ns = 2 * second_ns;
constexpr TimeNs start_timeout_ns = 60 * second_ns;  // each of its system calls stops twice

// Its number as it sees itself: the last of "NSpid: 4711 2".
std::uint32_t own_number(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("NSpid:")) continue;
    std::istringstream numbers(line.substr(6));
    std::uint32_t number = 0;
    while (numbers >> number) {
    }
    return number;
  }
  return static_cast<std::uint32_t>(process);
}

// A thread that traces, from its first watch() on; its end lets everything go.
class TracingThread {
 public:
  using Tell = std::function<void(const CallTracer::Seen&)>;
  TracingThread(pid_t process, Tell tell) {
    std::promise<result<void>> began;
    auto begins = began.get_future();
    thread_ = std::thread([this, process, tell = std::move(tell), began = std::move(began)]() mutable {
      CallTracer tracer;
      auto watched = tracer.watch(process);
      const bool is_watching = watched.has_value();
      began.set_value(std::move(watched));
      if (is_watching) tracer.run(tell, [this] { return is_over_.load(); });
    });
    began_.emplace(begins.get());
  }
  TracingThread(const TracingThread&) = delete;
  TracingThread& operator=(const TracingThread&) = delete;
  ~TracingThread() { end(); }
  void end() {
    is_over_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] const result<void>& began() const noexcept { return *began_; }

 private:
  std::atomic<bool> is_over_ = false;
  std::optional<result<void>> began_;
  std::thread thread_;
};

Learned failed(Learned learned, int exit_status, std::string why) {
  learned.exit_status = exit_status;
  learned.trouble = std::move(why);
  return learned;
}

// Calls each type of the pit's note.
std::uint64_t exercise(Endpoint& endpoint, const pit::PitInfo& info) {
  std::mt19937_64 random(1);
  std::uint64_t requests = 0;
  for (int round = 0; round < rounds; ++round) {
    auto link = endpoint.open(learned_name, {}, start_timeout_ns);
    if (!link) break;
    for (const symphony_message_note& message : info.messages) {
      for (const std::size_t size : body_sizes) {
        std::vector<std::byte> body(size);
        if (size > body_sizes[1]) {
          for (std::byte& b : body) b = static_cast<std::byte>(random());
        }
        (void)link->call(message.type, body, {.timeout_ns = call_timeout_ns});
        ++requests;
      }
    }
  }
  return requests;
}

}  // namespace

Learned learn_from_file(const std::string& file) {
  Learned learned;
  pit::PitFile read;
  if (const pit::Outcome outcome = pit::read_pit_file(file, read); !outcome.ok()) {
    const int status = outcome.status == SYMPHONY_VERSION ? exit_version : exit_usage;
    return failed(std::move(learned), status, outcome.text);
  }
  PitConfig config;
  config.name = learned_name;
  config.executable = find_program(pit_host_program);
  if (config.executable.empty())
    return failed(std::move(learned), exit_internal, "symphony-pit-host is not beside this program: install it whole");
  config.args = {file};
  config.start_at_once = false;
  const SandboxBlocks filters = bit_of(SandboxBlock::start_filter) | bit_of(SandboxBlock::filter);
  config.environment = {"SYMPHONY_PIT_LEAVES_OUT=" + std::to_string(filters)};
  config.sandbox = {SandboxProfile::ring, 0};
  config.restart.failures_max = 1;
  config.restart.start_timeout_ns = start_timeout_ns;
  BrokerOptions options;
  options.pits.push_back(std::move(config));
  auto broker = EmbeddedBroker::start(std::move(options));
  if (!broker) return failed(std::move(learned), exit_status_of(broker.error().code), broker.error().text);
  auto socket = broker->connect();
  auto asked = socket ? Operator::adopt(*std::move(socket)) : unexpected(socket.error());
  auto other_socket = broker->connect();
  auto endpoint = other_socket ? Endpoint::adopt(*std::move(other_socket)) : unexpected(other_socket.error());
  if (!asked || !endpoint) return failed(std::move(learned), exit_internal, "no connection to a broker of its own");

  // What a process below the keeper does once it has said on its control socket that it is ready: it serves.
  const pid_t keeper = broker->keeper_pid();
  pid_t serving = 0;
  std::uint32_t own_pid = 0;
  TracingThread tracing(keeper, [&](const CallTracer::Seen& seen) {
    const bool says = seen.call.number == SYS_sendmsg && seen.call.arguments[0] == 3;
    if (serving == 0 && says && seen.process != keeper) {
      serving = seen.process;
      own_pid = own_number(serving);
    }
    if (serving != 0 && seen.process == serving) learned.calls.add(seen.call, own_pid);
  });
  if (!tracing.began()) return failed(std::move(learned), exit_refused, tracing.began().error().text);
  const OperatorAnswer started = asked->start(learned_name, start_timeout_ns);
  if (!started.ok()) {
    tracing.end();
    return failed(std::move(learned), exit_bad, "the pit did not become ready: " + started.text);
  }
  const std::uint64_t requests = exercise(*endpoint, read.notes.front().info);
  const OperatorAnswer stopped = asked->stop(learned_name, start_timeout_ns, 10 * second_ns);
  tracing.end();
  learned.requests = requests;
  if (!stopped.ok()) return failed(std::move(learned), exit_bad, "the pit did not stop: " + stopped.text);
  return learned;
}

Learned learn_from_running(const PitReport& pit, TimeNs for_ns) {
  Learned learned;
  if (pit.info.pid == 0)
    return failed(std::move(learned), exit_bad, "it has no process now: start it with `symphony pit start`");
  // Behind a namespace of processes the broker knows the first process there, which only waits for the pit.
  const bool waits = (pit.sandbox_reached & bit_of(SandboxBlock::pid_namespace)) != 0;
  std::map<pid_t, std::uint32_t> numbers;
  TracingThread tracing(pit.info.pid, [&](const CallTracer::Seen& seen) {
    if (waits && seen.process == pit.info.pid) return;
    const auto [at, is_new] = numbers.try_emplace(seen.process, 0);
    if (is_new) at->second = own_number(seen.process);
    learned.calls.add(seen.call, at->second);
  });
  if (!tracing.began()) {
    const int status = tracing.began().error().code == errc::refused ? exit_refused : exit_bad;
    return failed(std::move(learned), status, tracing.began().error().text);
  }
  const TimeNs until = now_ns() + for_ns;
  while (now_ns() < until) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  tracing.end();
  return learned;
}

}  // namespace symphony::tools
