// The broker: starts pits, introduces callers to them, watches over both. As a thread of a program, or as a daemon.
//
// Both serve the same protocol and stand on the same keeper: a small process that is parent of the pits and holds every
// descriptor, so that no pit and no memory outlives the program that wanted it, even when that is killed.
// Layer: broker.   Threads: every function here may be called from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <symphony/clock.hpp>
#include <symphony/durability.hpp>
#include <symphony/pit_info.hpp>
#include <symphony/result.hpp>
#include <symphony/sandbox.hpp>
#include <symphony/time_budgets.hpp>
#include <symphony/trust.hpp>
#include <symphony/unique_fd.hpp>
#include <symphony/waiting.hpp>

namespace symphony {

// One pit the broker may start. Its process finds in its environment SYMPHONY_CONTROL_FD, SYMPHONY_PIT_NAME,
// SYMPHONY_PIT_CONFIG, SYMPHONY_PIT_TRUST (trusted, cooperative, hostile), SYMPHONY_PIT_WAITING (adaptive, spin,
// sleep), SYMPHONY_PIT_PLACEMENT (auto, same_core, other_core), SYMPHONY_PIT_INSTANCE and, where its state outlives it,
// SYMPHONY_PIT_STATE; SYMPHONY_PIT_EXCEPTIONS where its handlers
// may not throw as often as they like (a number, a comma, nanoseconds); SYMPHONY_PIT_ALONE in one that is started for
// one message and thrown away; SYMPHONY_PIT_SANDBOX and SYMPHONY_PIT_NAMESPACES in one that is to be confined.
struct PitConfig {
  std::string name;                      // 1 to 63 of a-z 0-9 _ - .
  std::string executable;                // a path
  std::vector<std::string> args;         // after argv[0]
  std::string config;                    // for the pit, as it is; no zero bytes
  std::vector<std::string> environment;  // NAME=value, added; a hostile pit gets these and nothing of ours
  Trust trust = Trust::cooperative;
  Waiting waiting = Waiting::adaptive;         // of its data thread, for requests
  Placement placement = Placement::automatic;  // of its data thread, seen from its callers
  std::vector<std::string> calls{};            // the pits that it may call itself; others are refused
  // Who may open links to it: "pit:NAME" (each instance by its own name), which has it in its own `calls`,
  // and "programs". Empty: either.
  std::vector<std::string> callers{};
  // So many processes, up to instances_max, each with a state of its own: `name`, `name.1` and so on, as if each were
  // listed. A conductor that mounts `name` sends calls with equal keys to the same one.
  std::uint32_t instances = 1;
  bool start_at_once = true;  // false: when the first caller opens it
  StatePolicy state{};        // what of its state outlives its process
  // How it is confined; a profile other than none: executable is symphony-pit-host, which puts up the walls.
  SandboxPolicy sandbox{};
  RestartPolicy restart;
  TimeBudgets budgets{};  // of its requests: a pit that stands still in one for longer is replaced
  RingSizes rings{};      // of its links, where the caller names none
  friend bool operator==(const PitConfig&, const PitConfig&) = default;
};

struct BrokerOptions {
  std::vector<PitConfig> pits;  // at most 64, counting each instance
  std::string
      keeper_executable;   // empty: $SYMPHONY_KEEPER, else symphony-keeper beside this program, else the installed one
  std::uint64_t seed = 0;  // of salts and jitter; 0: from the kernel
};

// A broker in this program: one thread, and the keeper as a helper process. Destruction stops the pits (each has two
// seconds to end by itself), and returns when all of its processes are gone. When this process dies in any way, the
// keeper kills them. A child made by fork() must not use or destroy the object.
class EmbeddedBroker {
 public:
  // Returns when the broker serves; its pits may still be starting. Errors: not_found (no keeper executable),
  // invalid_argument (a PitConfig), out_of_descriptors, out_of_memory (no thread), system.
  [[nodiscard]] static result<EmbeddedBroker> start(BrokerOptions options);

  EmbeddedBroker(EmbeddedBroker&&) noexcept;
  EmbeddedBroker& operator=(EmbeddedBroker&&) noexcept;
  ~EmbeddedBroker();

  // A connected control socket for one endpoint: of this process, or to be inherited by another.
  [[nodiscard]] result<UniqueFd> connect();

  // SIGKILL to the running instance, as a crash would do it: counts as one. not_found when there is no such pit or it
  // has no process now. Returns the killed process's id.
  [[nodiscard]] result<pid_t> kill_pit(std::string_view name);

  // What every pit does now, in the order of the options.
  [[nodiscard]] std::vector<PitInfo> status() const;

  // Of the running instance; not_found as kill_pit.
  [[nodiscard]] result<pid_t> pit_pid(std::string_view name) const;

  // Of the helper process, for diagnosis and tests.
  [[nodiscard]] pid_t keeper_pid() const noexcept;

 private:
  class Impl;
  explicit EmbeddedBroker(std::unique_ptr<Impl> impl) noexcept;
  void leave_to_owner() noexcept;
  std::unique_ptr<Impl> impl_;
};

// What a reload finds: the pits, or in one line what is wrong with them.
struct PitSet {
  std::vector<PitConfig> pits;
  std::string trouble;
};

// A program, and what it is executed with: arguments[0] is its name.
struct ProgramStart {
  std::string file;  // an absolute path
  std::vector<std::string> arguments;
};
// This one, as it was started. Empty where the system does not say.
[[nodiscard]] ProgramStart this_program();
// Whether a daemon executed this process to be its next broker: run_daemon() needs no pits then, it is told of them.
[[nodiscard]] bool is_next_broker() noexcept;

struct DaemonOptions {
  std::string realm = "default";
  std::string socket_path;  // empty: of the realm, in the user's runtime directory
  std::vector<PitConfig> pits;
  std::uint64_t seed = 0;
  std::string log_folder{};             // where the stderr of NAME is kept, as NAME.log; empty: it is the daemon's
  std::function<PitSet()> read_pits{};  // for a reload, in the broker's process; empty: it is refused
  // What a broker that died, or left (SIGUSR2), is started again from where its file is another one than when the
  // daemon began: it comes to run_daemon() with the same options. Without a file: always from the program as it was.
  ProgramStart next{};
};

// Serves until SIGTERM, SIGINT or SIGHUP, or until an operator ends it (symphony/operator.hpp); the calling process
// becomes the keeper and must have one thread. Problems go to stderr, one line each. Returns the exit status: 0 after
// an orderly stop, 64 for options that make no sense, 69 when another broker serves the realm, 70 when the broker died
// five times in ten seconds, 71 when the system refuses something. Where a service manager started it (systemd's
// protocols), it is told READY=1 when the broker serves and STOPPING=1 when that ends ($NOTIFY_SOCKET), and a socket
// that it listens at already is taken over ($LISTEN_FDS).
[[nodiscard]] int run_daemon(const DaemonOptions& options);

}  // namespace symphony
