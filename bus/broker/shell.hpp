// The broker's I/O: one epoll loop that feeds the core and does what it says.   Layer: broker.
// Threads: run() on one thread; post() from any.   Trust: see core.hpp; here every socket is read without blocking, a
// peer that does not read has a bounded queue, and descriptors are accepted from the keeper alone.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "bus/broker/boards.hpp"
#include "bus/broker/core.hpp"
#include "bus/broker/keeper_protocol.hpp"
#include "bus/broker/log_file.hpp"
#include "bus/broker/oom_kills.hpp"
#include "bus/broker/pit_slots.hpp"
#include "bus/control/socket.hpp"
#include "bus/memory/mapping.hpp"

namespace symphony::detail::broker {

struct ShellOptions {
  CoreConfig core;                    // generation and seed included; generation is what the keeper says
  UniqueFd keeper;                    // socket to it
  UniqueFd listener;                  // none: callers come by add_caller only
  std::function<PitSet()> read_pits;  // of a reload
  const SlotStore* slots = nullptr;   // where the pits are kept for the next broker
  const KeptFile* letters = nullptr;  // and the dead letters
  UniqueFd leave{};                   // readable: the next broker is to go on; none: until StopAll
};

class Shell {
 public:
  // Reads what the keeper holds (waits for it, at most until the deadline), and is ready to run.
  [[nodiscard]] static result<std::unique_ptr<Shell>> start(ShellOptions options, TimeNs deadline_ns);
  ~Shell();

  // Until StopAll is complete, or it is to leave. True: in order; false: the loop itself failed.
  bool run();

  // Runs `work` on the loop's thread, soon. False when the loop has ended: it will not be run.
  bool post(std::function<void(Shell&)> work);

  // On the loop's thread (from post):
  void add_caller(UniqueFd socket, uid_t uid, bool by_path, std::optional<PitIndex> pit = std::nullopt);
  [[nodiscard]] result<pid_t> kill_pit(std::string_view name);
  [[nodiscard]] std::vector<PitInfo> status() const { return core_->status(); }
  void stop();

 private:
  struct Outgoing {
    std::vector<std::byte> bytes;
    std::vector<UniqueFd> fds;
  };
  struct Peer {
    control::ControlSocket socket;
    std::deque<Outgoing> out;
    bool ending = false;  // closed when `out` is empty
    bool hung_up = false;
  };
  struct Caller {
    Peer peer;
    UniqueFd pidfd;  // by path only
  };
  struct Pit {
    Peer peer;
    UniqueFd pidfd;
    std::uint32_t instance = 0;
    pid_t pid = 0;
    UniqueFd output;   // where its stderr is read, if it is kept
    std::string tail;  // the end of what this instance wrote there
  };
  struct Absent {
    UniqueFd pidfd;
    TimeNs until_ns = 0;
  };
  struct Segments {
    UniqueFd caller_rw, pit_rw, caller_ro, pit_ro;
  };
  // Of an epoch that is open: what both sides wrote about its requests, to be read.
  struct LinkWords {
    std::uint32_t request_capacity = 0;
    Mapping pit_words;  // none while the keeper is asked for it
    Mapping requests;
  };
  enum class Tag : std::uint64_t { wake, keeper, listener, caller, caller_pidfd, pit, output, leave };

  explicit Shell(ShellOptions options) noexcept;
  result<void> begin(TimeNs deadline_ns);
  result<void> watch(int fd, Tag tag, std::uint64_t id, bool writable = false, bool change = false);
  // Before an fd of ours is closed: a copy of it in another process would keep it in the epoll set.
  void unwatch(int fd) noexcept;
  void drop_caller(ConnId id) noexcept;
  void drop_pit(PitIndex index) noexcept;
  void dispatch(Tag tag, std::uint64_t id, std::uint32_t events);
  void feed(Event event);
  void execute_all();
  [[nodiscard]] int timeout_ms() const;
  void forget_absent();

  void read_keeper();
  void keeper_says(const keeper::Datagram& message, std::vector<UniqueFd> fds);
  void lose_keeper();
  void tell_keeper(std::span<const std::byte> bytes, std::span<const int> fds = {});
  void accept_callers();
  void read_caller(ConnId id);
  void read_pit(PitIndex index);
  // shell_boards.cpp
  void hear_of_boards(ConnId id, const Message& message);
  void tell_of_boards();
  void adopt_pit(PitIndex index, std::uint32_t instance, pid_t pid, std::vector<UniqueFd> fds);
  // shell_logs.cpp
  void begin_output(PitIndex index, pid_t started);  // started: 0 for a process that an earlier broker started
  void read_output(PitIndex index, int reads_max);
  [[nodiscard]] std::string end_output(PitIndex index, const keeper::Exit& exit);
  LogFile& log_of(PitIndex index);
  void report_loss(PitIndex index);
  [[nodiscard]] std::vector<std::vector<std::byte>> read_letters(const std::vector<PitConfig>& pits);
  // Of the letters in that folder.
  using LetterPlace = std::pair<std::string, std::string>;  // folder, pit
  void run_posted();
  void leave() noexcept;
  // shell_watch.cpp
  void see_words(LinkWords& words, int caller_segment, int pit_segment);
  void hear_words(LinkId link, const std::vector<UniqueFd>& fds);

  void send(Peer& peer, Tag tag, std::uint64_t id, const Message& message, const std::vector<int>& fds);
  // False: the peer's queue can not be emptied now.
  bool flush(Peer& peer);
  [[nodiscard]] std::vector<int> numbers_of(const std::vector<FdName>& names, LinkId link, Epoch epoch,
                                            PitIndex pit) const;

  void execute(const SendToCaller& a);
  void execute(const SendToPit& a);
  void execute(const MakeSegments& a);
  void execute(const SealSegments& a);
  void execute(const ForgetSegments& a);
  void execute(const SpawnPit& a);
  result<void> hand_over_state(const SpawnPit& a, const PitConfig& config, keeper::SpawnRequest& request);
  void hold_state(PitIndex pit, std::uint32_t instance, const UniqueFd& memory);
  void execute(const KeepState& a);
  void execute(const KillPit& a);
  void execute(const ConnectPit& a);
  void execute(const PutRecord& a);
  void execute(const DeleteRecord& a);
  void execute(const DisconnectCaller& a);
  void execute(const ArmTimer& a);
  void execute(const Finished& a);
  void execute(const Note& a);
  void execute(const Stopping& a);
  void execute(const ReadConfig& a);
  void execute(const KeepConfig& a);
  void execute(const KeepLetters& a);
  void execute(const MakeCopy& a);
  void execute(const ForgetCopy& a) { copies_.erase(a.pit); }
  void execute(const KeepWords& a);
  void execute(const ForgetWords& a);
  void execute(const LookAtPit& a);

  CoreConfig config_;
  UniqueFd keeper_;
  UniqueFd listener_;
  UniqueFd leave_;
  UniqueFd epoll_;
  UniqueFd wake_;
  std::unique_ptr<BrokerCore> core_;
  std::deque<Event> pending_;
  std::map<ConnId, Caller> callers_;
  std::map<ConnId, Absent> absent_;  // callers by path whose connection ended: their death is worth knowing for a while
  std::map<PitIndex, Pit> pits_;
  std::map<std::string, LogFile> logs_;         // by the name it is written for
  std::map<PitIndex, std::string> logs_named_;  // which that was
  std::map<PitIndex, std::uint64_t> lost_;      // lines, as last reported
  OomKills oom_kills_;
  std::function<PitSet()> read_pits_;
  const SlotStore* slots_ = nullptr;
  const KeptFile* letters_ = nullptr;
  std::map<std::pair<LinkId, Epoch>, Segments> segments_;
  std::map<std::pair<LinkId, Epoch>, LinkWords> words_;
  std::map<LetterPlace, UniqueFd> letter_locks_;
  struct Handed {
    PitIndex from = 0;
    UniqueFd memory;
  };
  std::map<PitIndex, Handed> handed_;  // by who is to read it: memory for the state of a pit that keeps none
  std::map<PitIndex, Handed> copies_;  // as handed_, of rehearsals
  std::unique_ptr<Boards> boards_;
  bool telling_ = false;
  ConnId next_conn_ = 1;
  TimeNs timer_ns_ = no_deadline_ns;
  bool executing_ = false;
  bool finished_ = false;
  bool listening_ = false;

  std::mutex mutex_;  // guards the two below
  std::vector<std::function<void(Shell&)>> posted_;
  bool ended_ = false;
};

}  // namespace symphony::detail::broker
