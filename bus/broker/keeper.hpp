// The keeper: parent of the pits, holder of every descriptor and of one record a link.   Layer: broker.
//
// It must not die, so it does little: it starts processes, reaps them, and keeps what a broker gives it for the next
// one. It never reads a byte that a pit or a caller wrote. When it dies, its children die with it (PR_SET_PDEATHSIG).
// Threads: one; its process has no other, and no handlers of signals, when start_process() lends it to a child.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include <poll.h>

#include "bus/broker/keeper_protocol.hpp"
#include "bus/control/socket.hpp"

namespace symphony::detail::broker::keeper {

// A process that dies with its parent, with `socket` as control_fd, `inherited` from first_inherited_fd on, and none
// above them; errno in the error when it could not be forked or its program not executed.
struct Process {
  pid_t pid = 0;
  UniqueFd pidfd;
  bool passes_signals = false;  // first in a namespace of processes
};
// Opens /dev/null for each of descriptors 0 to 2 that is missing: it must not become somebody's socket.
void hold_standard_descriptors() noexcept;

// `output`, if there is one, becomes its standard output and error; borrowed.
[[nodiscard]] result<Process> start_process(const SpawnRequest& request, UniqueFd socket,
                                            std::span<const UniqueFd> inherited, int output = -1);

// A number for a first broker. Ids and epochs start above those of every earlier keeper since the machine started
// (core.hpp): its callers may come back with the links they know, and no new link has the number of one that a kept
// state knows. For who has realm and state folders to himself: it returns when the number's own sixty-fourth of a
// second has begun, so whoever has them next finds a later one; more of them pass than brokers are started again.
[[nodiscard]] Generation first_generation() noexcept;

class Keeper {
 public:
  Keeper() = default;
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  ~Keeper() { kill_all(); }

  // Serves this broker from now on, and hands it everything that is held.
  void attach_broker(UniqueFd socket, Generation generation);
  void detach_broker() noexcept;
  // Of a broker that is dead: all that it said before, of which its callers and pits may have been told.
  void hear_the_end();
  // Tells the broker to stop all pits and exit.
  void ask_to_stop();
  // What the broker that is attached last said of itself.
  [[nodiscard]] bool broker_serves() const noexcept { return broker_serves_; }
  [[nodiscard]] bool broker_stops() const noexcept { return broker_stops_; }

  // What to poll for, appended; and what came of it, in the same order. False: the broker is gone.
  void append_to(std::vector<pollfd>& fds) const;
  [[nodiscard]] bool serve(std::span<const pollfd> fds);
  [[nodiscard]] std::size_t poll_count() const noexcept { return 1 + processes_.size(); }

  // In a forked child: closes everything, kills nobody.
  void forget_all() noexcept;
  // SIGKILL to all processes, and returns when they are reaped.
  void kill_all() noexcept;

 private:
  struct Held {
    Process process;
    UniqueFd socket;  // the broker's end
    UniqueFd
        output;  // where its stderr is read, if that is kept: held here, it outlives a broker and its pit can write
    bool exited = false;
    std::int32_t status = 0;
  };
  struct Record {
    std::vector<std::byte> blob;
    std::vector<UniqueFd> fds;
  };
  struct Outgoing {
    std::vector<std::byte> bytes;
    std::vector<UniqueFd> fds;
  };

  void read_broker();
  bool read_one();
  void obey(const Datagram& message, std::vector<UniqueFd> fds);
  void spawn(std::uint64_t key, std::span<const std::byte> payload);
  void reap(std::uint64_t key, Held& held);
  static void kill_group(const Held& held) noexcept;
  void tell(Kind kind, std::uint64_t key, std::int32_t value, std::span<const std::byte> payload = {},
            const Held* with = nullptr);
  void tell_held(std::uint64_t key);
  void flush();

  UniqueFd broker_;
  bool broker_gone_ = false;
  bool broker_serves_ = false;
  bool broker_stops_ = false;
  std::map<std::uint64_t, Held> processes_;
  std::map<std::uint64_t, Record> records_;
  std::deque<Outgoing> out_;
};

// Raises the limit of open descriptors as far as this user may: a keeper holds two a link.
void raise_descriptor_limit() noexcept;

// The whole life of the helper process of an embedded broker: serves until the application or its broker is gone.
[[nodiscard]] int run_for_application(UniqueFd broker, pid_t application);

}  // namespace symphony::detail::broker::keeper
