#include "bench/faults/matrix.hpp"

#include <algorithm>

namespace symphony::faults {
namespace {

constexpr std::array<FaultFacts, fault_count> all_facts{{
    {"null_write", "NullWrite", "writes through a null pointer"},
    {"wild_write", "WildWrite", "writes to an address of the host's memory"},
    {"stack_overflow", "StackOverflow", "calls itself without end"},
    {"abort", "Abort", "calls abort()"},
    {"uncaught_exception", "UncaughtException", "throws through the contract's C functions"},
    {"infinite_loop", "InfiniteLoop", "never returns, and burns its processor"},
    {"deadlock", "Deadlock", "locks a mutex that it holds"},
    {"memory_leak", "MemoryLeak", "takes memory until there is none"},
    {"fd_exhaustion", "FdExhaustion", "opens files until it cannot"},
    {"fork_bomb", "ForkBomb", "begins processes that begin processes"},
    {"exit_in_handler", "ExitInHandler", "calls exit()"},
    {"read_secret", "ReadSecret", "reads a file of others"},
    {"open_socket", "OpenSocket", "sends to others over TCP"},
    {"ptrace_host", "PtraceHost", "writes the host's memory by ptrace"},
    {"corrupt_header", "CorruptHeader", "overwrites what stands in front of its reply"},
    {"lying_length", "LyingLength", "says that its reply is far longer than it is"},
    {"corrupt_flatbuffer", "CorruptFlatbuffer", "replies with a FlatBuffer that points far outside"},
    {"ring_index", "RingIndex", "overwrites the positions of its ring"},
    {"slow_consumer", "SlowConsumer", "takes 300 ms for each of many messages"},
    {"version_skew", "VersionSkew", "is replaced by a build for another version of the contract"},
}};

}  // namespace

std::string name_of(const Hosting& hosting) {
  const std::string mode(to_string(hosting.mode));
  return hosting.profile == SandboxProfile::none ? mode : mode + "+" + std::string(name_of(hosting.profile));
}

Trust trust_of(const Hosting& hosting) {
  if (hosting.mode != Mode::process) return Trust::trusted;
  return hosting.profile == SandboxProfile::none ? Trust::cooperative : Trust::hostile;
}

const std::vector<Hosting>& all_hostings() {
  static const std::vector<Hosting> all{
      {Mode::static_, SandboxProfile::none},    {Mode::dynamic, SandboxProfile::none},
      {Mode::wasm, SandboxProfile::none},       {Mode::process, SandboxProfile::none},
      {Mode::process, SandboxProfile::threads}, {Mode::process, SandboxProfile::heap},
      {Mode::process, SandboxProfile::ring},
  };
  return all;
}

std::optional<Hosting> hosting_of(std::string_view name) {
  for (const Hosting& one : all_hostings()) {
    if (name_of(one) == name) return one;
  }
  return std::nullopt;
}

const FaultFacts& facts_of(Fault fault) { return all_facts.at(static_cast<std::size_t>(fault)); }

std::optional<Fault> fault_of(std::string_view name) {
  const auto found =
      std::find_if(all_facts.begin(), all_facts.end(), [&](const auto& one) { return one.name == name; });
  if (found == all_facts.end()) return std::nullopt;
  return static_cast<Fault>(found - all_facts.begin());
}

std::string_view name_of(Class what) {
  constexpr std::string_view names[] = {"not_run", "contained", "pit_lost", "host_lost", "machine_hurt"};
  return names[static_cast<std::size_t>(what)];
}

// The worst that was seen.
Class classify(const Observation& seen) {
  if (!seen.not_run.empty()) return Class::not_run;
  if (seen.secret_read || seen.socket_reached || seen.processes > crowd) return Class::machine_hurt;
  const bool host_is_well = seen.said_all && seen.host_signal == 0 && seen.host_exit == 0 && seen.ill.empty();
  if (!host_is_well || seen.canary_changed || seen.honest_failed != 0) return Class::host_lost;
  return seen.service_back_ms ? Class::contained : Class::pit_lost;
}

}  // namespace symphony::faults
