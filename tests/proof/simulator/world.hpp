// A whole world round the broker's core: callers, pits, a keeper, and everything under way between them.
//
// One seed decides every choice: who goes next, what breaks and when. The core is the broker's own (its sources, with
// the lines of mutants.txt); the callers attach, reattach and end with the endpoint's own CallerLinks; what becomes of
// a call is decided by the endpoint's own judge(). Modelled after the code, because they need sockets and threads: the
// shell, the keeper, CallerControl's search for the next broker, LinkCore's queue of calls (caller.cpp), and the pit's
// ServiceCore with the steps of R4 (pit.cpp).   Layer: tests. Threads: one, and one world at a time.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bus/broker/core.hpp"
#include "bus/endpoint/caller_links.hpp"
#include "bus/endpoint/redelivery.hpp"
#include "tests/proof/simulator/dice.hpp"
#include "tests/proof/simulator/kernel.hpp"
#include "tests/proof/simulator/seen.hpp"

namespace symphony::proof {

using namespace detail::broker;  // NOLINT(google-build-using-namespace): what all of this is about
namespace control = detail::control;

inline constexpr std::uint32_t nobody = ~std::uint32_t{0};
inline constexpr std::uint64_t record_size = 64;  // of a request in the model's ring

struct Request {
  std::uint64_t id = 0;
  Effect effect = Effect::once;
  bool deadly = false;  // it kills the pit that handles it
  bool hangs = false;   // the pit that handles it stands still in it, if it is one with a budget
  std::uint32_t type = 1;
  bool later = false;  // its reply is deferred
  TimeNs deadline_ns = 0;
};
// The two segments of one epoch.
struct Memory {
  LinkId link = 0;
  Epoch epoch = 0;
  std::vector<Request> requests;
  std::uint64_t begun = 0, handled = 0, freed = 0;  // positions: the pit's words
  std::vector<std::uint64_t> replies;               // ids
  std::size_t replies_taken = 0;
  std::uint32_t given_to_caller = nobody;
  ProcessId given_to_process = nobody;
  // What the broker has read of each side, and A.
  bool caller_mapped = false, pit_mapped = false, caller_ready = false, pit_ready = false;
  std::uint64_t last_id = 0;
  bool is_reported = false;   // by its pit: the caller broke the ring
  bool is_scribbled = false;  // by its pit, which wrote what it liked into its words
};

// ---- a pit's process: ServiceCore and its two threads ----
struct Process {
  struct Mail {
    enum class Kind : std::uint8_t { attach, drop, drain, stop, freeze, thaw, rehearse } kind;
    control::Attachment at;
    std::uint32_t number = 0;  // of a swap
  };
  struct Served {
    control::Attachment at;
    Memory* memory = nullptr;
    std::uint64_t last_id = 0;
    std::size_t next = 0;  // request
  };
  struct Later {
    control::Attachment at;
    std::uint64_t id = 0;
  };
  enum class Stage : std::uint8_t { idle, begun, ran, replied };

  ProcessId id = 0;
  PitIndex pit = 0;
  std::uint32_t instance = 0;
  std::string name;
  bool calls = false;  // others
  bool waits = false;  // it is to take over from state_pit
  PitIndex state_pit = 0;
  bool was_told_to_take = false;  // the state
  bool took_whole_state = false;  // of one that stood still
  bool has_taken = false;         // the state
  bool was_rehearsed = false;     // it said that the state would do
  std::uint32_t copied = 0;       // the last swap that it wrote a copy for
  bool lies = false;              // it said that it has it before that
  bool frozen = false;            // it has handed over its state, and stands still
  std::vector<Mail> held;         // meanwhile
  bool alive = true;
  bool stopped = false;  // SIGSTOP
  // Of the request that it works on: since when, how long of that it could not run, and how often.
  TimeNs begun_at_ns = 0, stopped_at_ns = 0, stopped_ns = 0, froze_ns = 0;
  std::uint64_t stops = 0, jumps = 0;
  bool hung = false;          // it stands still in it
  bool heeds_cancel = false;  // its handlers ask
  bool is_told = false;       // hung, and a broker that could see so was asked to look
  std::uint16_t protocol = control::protocol_max;
  TimeBudgets budgets;
  bool started = false;  // it said PitReady, or never will
  bool is_alone = false;
  bool serves = false;
  bool hung_up = false;
  bool hang_up_told = false;
  bool is_known_ready = false;  // to a broker, once
  bool ignores_stop = false;
  Queue<Message> to_broker, from_broker;
  std::vector<control::Attachment> forming;
  std::vector<Served> links;
  std::vector<LinkId>
      reported;  // as broken by their callers, and let go; whether the broker heard so is another matter
  Queue<Mail> mailbox;
  Stage stage = Stage::idle;
  control::Attachment working_at;
  Request working_on;
  std::vector<Later> later;
};

// What a pit with a journal leaves to its next instance (J1).
struct Journal {
  bool is_kept = false;
  std::vector<std::pair<LinkId, std::uint64_t>> last;   // id in the state, of each link
  std::vector<std::pair<LinkId, std::uint64_t>> owed;   // replies not yet committed
  std::vector<std::pair<LinkId, std::uint64_t>> later;  // deferred
};

// ---- a caller: CallerControl and the threads that own links ----
struct ToCaller {
  Message message;
  std::vector<FdName> fds;
  LinkId link = 0;
  Epoch epoch = 0;
  ProcessId process = nobody;  // of a pidfd
};
struct Conn {
  ConnId id = 0;
  std::uint32_t caller = 0;
  uid_t uid = 0;
  std::optional<PitIndex> pit;
  bool by_path = true;
  bool accepted = false;       // the broker knows it
  bool caller_closed = false;  // no more will come
  bool caller_dead = false;
  bool broker_closed = false;  // no more will come back
  bool hang_up_told = false, death_told = false;
  Queue<Message> to_broker;
  Queue<ToCaller> to_caller;
};
// A call as LinkCore has it.
struct SimCall {
  enum class State : std::uint8_t { queued, sent, ended, alone } state = State::queued;
  Request request;
  std::uint64_t position = 0;
  std::uint8_t attempt = 0;
  bool was_in_state = false;
};
// A thread with a link: LinkCore, or the open() before it.
struct Owner {
  enum class Phase : std::uint8_t { opening, open, down, ended };
  Phase phase = Phase::opening;
  bool wants_close = false;
  detail::Opening opening;
  std::uint64_t correlation = 0;
  TimeNs deadline_ns = 0;
  LinkId link = 0;
  std::unique_ptr<detail::Attached> attached;
  Memory* memory = nullptr;
  bool faulted = false;
  std::uint64_t next_id = 1;
  std::vector<SimCall> calls;  // in the order of ids
  std::uint64_t serial = 0;
  std::uint8_t attempts_max = 3;
  // AloneRuns: one call of another owner's, on a link to an instance of its own.
  TimeNs next_look_ns = 0;
  std::uint64_t handled_then = 0;
  std::uint64_t alone_for = 0;  // serial of that owner; 0: an ordinary one
  LinkId alone_for_link = 0;
  SimCall alone_call;
  bool alone_sent = false, alone_harmless = false;
};
struct Caller {
  enum class State : std::uint8_t { apart, greeting, connected, over };
  Caller(std::uint32_t number, uid_t user) : index(number), uid(user) {
    links.emplace(broker, Kernel::epolls_from + static_cast<int>(number));
  }

  std::uint32_t index;
  uid_t uid;
  bool by_path = true;
  bool alive = true;
  bool stopped = false;
  bool is_stranger = false;    // says what it likes
  bool notices_late = false;   // that a pit is dead
  ProcessId process = nobody;  // of the pit whose calls these are
  State state = State::apart;
  Conn* conn = nullptr;
  detail::BrokerConnection broker;
  std::optional<detail::CallerLinks> links;  // while it lives
  std::vector<std::unique_ptr<Owner>> owners;
  std::vector<std::pair<control::Attachment, bool>> told;  // fault, or close
  std::vector<Message> words;                              // Executing, Park, StandsStill; said before those
  std::vector<control::HeldLink> told_held;                // in its last hello
  control::Attachment seen;                                // a stranger's last
};

class World {
 public:
  struct Options {
    std::uint64_t seed = 1;
    std::size_t steps = 300;      // while things break; then they heal
    std::optional<Fault> only{};  // this one, before step `only_at`, and no other
    std::size_t only_at = 0;
    bool tells = false;   // prints what the core hears and says
    bool traced = false;  // the hash takes the core's state after each of its steps
  };
  struct Result {
    std::size_t steps = 0, core_steps = 0;
    std::uint64_t hash = 0;
    std::vector<std::string> violations;
  };
  Result run(const Options& options);

 private:
  enum class Way : std::uint8_t {
    local,
    timer,
    time,
    broker_starts,
    keeper_obeys,
    keeper_says,
    conn_says,
    conn_ends,
    pit_says,
    pit_hang_up,
    pit_starts,
    pit_control,
    pit_data,
    caller_hears,
    caller_reads_death,
    caller_connects,
    caller_is_told,
    caller_runs,
    wakes_up,
  };
  struct Choice {
    Way way;
    std::uint32_t index;
  };
  struct Kept {
    PitIndex pit = 0;
    std::uint32_t instance = 0;
    ProcessId process = 0;
    bool exited = false;
    int status = 0;
  };
  struct KeeperWord {
    enum class Kind : std::uint8_t { spawned, failed, exited } kind;
    PitIndex pit = 0;
    std::uint32_t instance = 0;
    ProcessId process = 0;
    int value = 0;
  };
  struct AdoptedPit {  // Shell::Pit
    bool known = false;
    std::uint32_t instance = 0;
    ProcessId process = 0;
  };
  struct Segments {
    LinkId link = 0;
    Epoch epoch = 0;
    bool made = false, sealed = false;
  };
  struct OpenAsked {  // what the core has to answer
    ConnId conn = 0;
    std::uint64_t correlation = 0;
    LinkId link = 0;
    TimeNs deadline_ns = 0;
  };
  struct CommandAsked {
    ConnId conn = 0;
    std::uint64_t correlation = 0;
    TimeNs deadline_ns = 0;
  };
  struct LinkHistory {
    LinkId link = 0;
    std::uint32_t caller = 0;
    PitIndex pit = 0;  // its place, when it last attached
    Epoch last_epoch = 0;
    std::uint32_t deaths = 0;         // of pits that served it
    bool is_away = false;             // at the pit that stands in
    std::vector<std::uint8_t> begun;  // how often, of each id
    std::vector<std::uint8_t> ran;
  };

  // world.cpp
  void begin();
  bool step(bool rests);
  void take(const Choice& choice);
  void pass_time();
  void freeze_all(TimeNs for_ns);
  void rest();
  bool wait_for_something();
  void violation(std::string text);
  void tell(const std::string& text) const;
  [[nodiscard]] bool meets(Fault fault, std::uint64_t odds);
  // broker.cpp: shell and keeper
  void start_broker();
  void feed(const Event& event);
  void end_broker();
  void broker_dies();
  void execute(const SendToCaller& a);
  void execute(const SendToPit& a);
  void execute(const MakeSegments& a);
  void execute(const SealSegments& a);
  void execute(const ForgetSegments& a);
  void execute(const SpawnPit& a);
  void execute(const KeepState& a);
  void execute(const KillPit& a);
  void execute(const ConnectPit& a);
  void execute(const PutRecord& a);
  void execute(const DeleteRecord& a);
  void execute(const DisconnectCaller& a);
  void execute(const ArmTimer& a);
  void execute(const Finished& a);
  void execute(const Note&) {}
  void execute(const ReadConfig& a);
  void execute(const KeepConfig& a);
  void break_probation();
  [[nodiscard]] const Probation* probation_at(PitIndex pit) const;
  void check_rolled_back(const Probation& was, const char* how);
  void execute(const KeepLetters& a) { letters_ = a.bytes; }
  void execute(const MakeCopy& a) { copies_.insert(a.pit); }
  void execute(const ForgetCopy& a) { copies_.erase(a.pit); }
  void execute(const KeepWords& a);
  void execute(const ForgetWords& a);
  void execute(const LookAtPit& a);
  void check_hang(const BrokerCore::Pit& pit, const Process& p);
  void note_still(const control::StandsStill& still);
  void execute(const Stopping&) { stopping_ = true; }
  void check_fds(const std::vector<FdName>& fds, LinkId link, Epoch epoch, std::uint32_t caller, ProcessId process);
  void check_named(PitIndex pit, std::uint32_t instance);
  void check_rehearsal(const SendToPit& a);
  void check_needed(const SendToCaller& a, const Conn& conn);
  void keeper_obeys();
  void keeper_says();
  void conn_says(Conn& conn);
  void conn_ends(Conn& conn);
  void pit_says(Process& p);
  void forget_asked(ConnId conn);
  void note_said(const Message& message, std::uint32_t caller, ProcessId process);
  void check_exit(PitIndex pit, int status, PitState before);
  [[nodiscard]] Segments* segments_of(LinkId link, Epoch epoch);
  [[nodiscard]] Memory* memory_of(LinkId link, Epoch epoch);
  [[nodiscard]] LinkHistory* history_of(LinkId link);
  [[nodiscard]] Conn* conn_of(ConnId id);
  // pit.cpp
  void pit_starts(Process& p);
  void pit_is_ready(Process& p);
  void pit_takes_state(Process& p);
  void pit_freezes(Process& p, std::uint32_t number);
  bool pit_rehearses(Process& p, std::uint32_t number);
  void pit_thaws(Process& p);
  void pit_control(Process& p);
  void pit_data(Process& p);
  [[nodiscard]] bool pit_has_work(const Process& p) const;
  void pit_mail(Process& p);
  void serve(Process& p, Process::Served& link, bool discards);
  void finish_request(Process& p);
  void commit_reply(Process& p, LinkId link, std::uint64_t id);
  void pit_dies(Process& p, bool signalled, int value);
  // caller.cpp
  Caller& add_caller(uid_t uid, bool by_path);
  Conn& add_conn(Caller& caller);
  void caller_connects(Caller& c);
  void caller_hears(Caller& c);
  void caller_loses_broker(Caller& c);
  void caller_is_told(Caller& c);
  void caller_runs(Caller& c);
  void caller_dies(Caller& c);
  void command(Caller& c);
  void stranger_says(Caller& c);
  void stranger_hears(Caller& c, const ToCaller& got);
  void open_link(Caller& c, const std::string& pit);
  [[nodiscard]] const std::string& some_name();
  [[nodiscard]] bool owner_runs(Caller& c, Owner& o);  // false: it is gone
  [[nodiscard]] bool owner_has_work(const Owner& o) const;
  void progress(Caller& c, Owner& o);
  void on_peer_died(Owner& o, Epoch epoch);
  void on_new_epoch(Caller& c, Owner& o, std::unique_ptr<detail::Attached> attached);
  void take_replies(Owner& o);
  [[nodiscard]] detail::DeadEpoch autopsy(Owner& o);
  [[nodiscard]] static detail::Verdict judged(const Owner& o, const SimCall& call, const detail::DeadEpoch& dead,
                                              std::uint64_t last_id);
  void note_executing(Caller& c, const SimCall& call, const control::Attachment& at, const detail::DeadEpoch& dead);
  void try_alone(Caller& c, Owner& o, SimCall& call);
  [[nodiscard]] bool alone_runs(Caller& c, Owner& o);
  void end_alone(Caller& c, Owner& o, AloneOutcome outcome);
  void park(Caller& c, LinkId link, const SimCall& call, AloneOutcome outcome, LinkId alone_link);
  void cancel_alone(Caller& c, const Owner& o);
  [[nodiscard]] bool is_alone(PitIndex pit) const { return core_ && core_->pits_.at(pit).alone_of.has_value(); }
  [[nodiscard]] bool is_alone_link(LinkId link) const {
    const auto found = core_->links_.find(link);
    return found != core_->links_.end() && is_alone(found->second.pit);
  }
  void check_letters();
  bool end_by_verdict(Caller& c, Owner& o, SimCall& call, detail::Verdict verdict);
  void send(Owner& o, SimCall& call);
  void look_at_pit(Caller& c, Owner& o);
  [[nodiscard]] bool waits_for_pit(const Owner& o) const;
  void start_call(Owner& o);
  void end_call(Owner& o, SimCall& call, CallStatus status);
  void end_overdue(Owner& o);
  void close_owner(Caller& c, Owner& o);
  // faults.cpp
  void break_something();
  bool break_this(Fault fault);
  bool break_pit(Fault fault);
  bool break_caller(Fault fault);
  [[nodiscard]] Process* some_pit(bool serving);
  [[nodiscard]] Caller* some_caller(bool connected);
  [[nodiscard]] control::Attachment some_attachment();
  // invariants.cpp
  void check_core();
  void check_pit(const BrokerCore::Pit& pit);
  void check_link(const BrokerCore::Link& link);
  void check_known(const Caller& c, const Owner& o);
  void check_settled();
  void check_closed();

  Options options_;
  Dice dice_;
  std::uint64_t enabled_ = 0;  // faults of this world
  std::uint64_t break_every_ = 25;
  std::uint64_t commands_every_ = 60;  // below 20: only swaps
  bool heals_ = false, closes_ = false;
  TimeNs now_ns_ = second_ns;
  Result result_;

  // broker and shell
  std::unique_ptr<BrokerCore> core_;
  std::vector<PitConfig> pits_;
  std::vector<Probation> probations_;
  bool by_path_ = true;
  bool stopping_ = false, broker_over_ = false, keeper_lost_ = false;
  Generation generation_ = 0;
  TimeNs armed_ns_ = no_deadline_ns;
  Queue<Event> local_;
  std::vector<AdoptedPit> adopted_;
  std::vector<Segments> segments_;
  std::map<std::pair<LinkId, Epoch>, bool> words_seen_;  // Shell::words_; whether they are mapped
  std::vector<OpenAsked> asked_;
  std::vector<CommandAsked> commands_;
  std::uint64_t next_command_ = 1, next_serial_ = 1;
  std::vector<std::byte> letters_;  // what KeepLetters said
  std::set<PitIndex> copies_;       // of states, for rehearsals
  std::uint64_t letters_seen_ = 0;  // the newest
  std::set<std::pair<LinkId, std::uint64_t>> parked_;
  std::vector<std::uint32_t> told_dead_;  // the last instance of each pit of whose death the core knows
  std::vector<std::uint32_t> spawned_;    // the last one of each pit that was asked for
  ConnId next_conn_ = 1;
  // keeper
  std::map<std::uint64_t, std::vector<std::byte>> records_;
  std::vector<Kept> kept_;
  Queue<SpawnPit> spawns_;
  Queue<KeeperWord> words_;
  // everybody else
  std::vector<std::unique_ptr<Conn>> conns_;
  std::vector<std::unique_ptr<Caller>> callers_;
  std::vector<std::unique_ptr<Process>> processes_;  // by ProcessId
  std::vector<Process*> active_;                     // alive, or with something to be read
  std::vector<Journal> journals_;                    // by place
  struct Started {
    std::string name;
    bool calls = false;  // others
    TimeBudgets budgets;
  };
  std::array<Started, places_max> started_;  // who was last started in each place
  std::vector<std::unique_ptr<Memory>> memories_;
  std::vector<std::unique_ptr<LinkHistory>> histories_;
  // Which instance, and in which place, each process that is to begin anew with what it needs has been linked to.
  std::map<ProcessId, std::pair<std::string, std::uint32_t>> needed_;
  std::vector<std::uint32_t> beginnings_;  // of each pit: which one its state comes from; a swap goes on with it
  std::uint32_t last_beginning_ = 0;
  std::vector<Choice> choices_;
};

}  // namespace symphony::proof
