// The broker's decisions, without any I/O: events in, actions out.   Layer: broker.
//
// It reads no clock, rolls no dice of its own, makes no system call, starts no thread and iterates only in the order of
// ids: one seed and one list of events give one list of actions and one state_hash(), always. Threads: one.   Trust:
// messages of callers and pits may be anything; what breaks the protocol costs its sender the connection (caller) or
// its process (pit), never this one.
//
// Attach (A1-A6 of the link protocol), for one link:
//   waiting --pit ready--> making --made--> owning --both Mapped--> sealing --sealed--> peering --both Ready--> open
//   every state but closing falls back to waiting when the pit's instance dies; the next epoch follows by itself.
//   closing: Drop(drain) was said to the pit; Drained or its death ends the link, an Open of it by its caller revives
//   it.
// An epoch is on record as `attaching` before the pit hears of it and as `open` before the caller gets Go, so that the
// next broker can tell the pit to forget the half-made, and answers for the rest:
//   Hello lists (L, e), on record as open e, instance alive  -> Keep
//   Hello lists (L, e), that instance is dead                -> Keep; Own of a newer epoch follows
//   Hello lists (L, e), on record as open e' > e (Go lost)   -> Keep; the pit drops e', Own of a newer epoch follows
//   Hello lists (L, e), not on record                        -> Drop(L, e); the caller opens L again
//   Open of L on record as open e (its Go was lost, or its caller gave e up) -> Own of a newer epoch; e ends
//   on record, listed by nobody for reconnect_grace_ns                       -> Drop(drain) to the pit, forgotten
// Operators (core_operator.cpp): a Command waits until its pit is where it should be, and has one Answer. A pit that
// was stopped by one stays stopped, over the broker's own death too: what a pit on its way out is meant to become is on
// record. A reload (core_reload.cpp) never moves a pit to another index; the next broker compares what a process was
// started with with what is configured, so it goes on with a reload that the last one did not live to end.
// A swap (core_swap.cpp) makes another process ready in another place of the table, has the one that serves stand still
// and keep its state, and commits when the other has it; then the links attach there.
// Where the operator wants so, it is rehearsed before (core_rehearsal.cpp): with a copy, while the pit serves on.
// On probation (core_probation.cpp) it goes back to the file before when it dies.
// A pit may begin anew together with what it needs (core_needed.cpp), and another one may serve the callers of one that
// is quarantined (core_fallback.cpp).
// A message that kills (core_dead_letters.cpp): its caller says so at each death and, having had enough, opens a link
// to an instance for that message alone, a place without a name that is emptied with the link, on no record and not
// started again; then it hands over the message as a dead letter.
// Requests that stand still (core_watchdog.cpp): while a caller says that it waits, or a pit owes a word about a link,
// its words are looked at in ticks; what has used up its budget is cancelled, then its process is killed. Link ids and
// epochs of generation g start above (g - 1) * 2^32: no number serves twice, whatever a dead broker handed out. Epochs
// are counted over all links: one that was forgotten may be opened again under its number.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include "bus/broker/core_types.hpp"
#include "bus/broker/dead_letters.hpp"
#include "bus/broker/records.hpp"

namespace symphony::detail::broker {

struct CoreConfig {
  std::vector<PitConfig>
      pits;  // at most pits_max, names valid and different (check_pits); without a name: a free place
  Generation generation = 1;
  std::uint64_t seed = 1;
  uid_t owner = 0;             // callers of other users, root apart, are refused
  bool may_reconnect = false;  // callers came by path: a connection that ends may come back within reconnect_grace_ns
  pid_t daemon = 0;            // the process that ends last; 0: a program's own broker, which it ends and configures
  std::string log_folder{};    // where a pit's stderr is kept, as NAME.log; empty: nowhere
  std::vector<std::byte> letters{};                          // what KeepLetters said last
  std::vector<Probation> probations{};                       // and KeepConfig
  std::vector<std::vector<std::byte>> letters_in_folders{};  // of each pit that has one, as it was found there
};

// Those of several instances once for each, with the instance's name; `instances` is 1 then, or what it was where it
// makes no sense.
[[nodiscard]] std::vector<PitConfig> each_instance(const std::vector<PitConfig>& pits);
// Whether these pits can be served; the text names what is wrong.
[[nodiscard]] result<void> check_pits(const std::vector<PitConfig>& pits);
// Without the free places.
[[nodiscard]] std::vector<PitConfig> in_use(const std::vector<PitConfig>& slots);

// Of a swap, for its Answer.
struct Waited {
  TimeNs pause_ns = 0;
  TimeNs rehearsed_ns = 0;
};

// How long a request may stand still before its caller says so; 0: nobody asks.
[[nodiscard]] std::uint32_t look_after_ms(const TimeBudgets& budgets);

class BrokerCore {
 public:
  explicit BrokerCore(CoreConfig config);

  // Precondition: the first event is Begin; now never goes back.
  void step(const Event& event, TimeNs now_ns);
  // The next action, in order; false when there is none. Actions are executed before the next step.
  [[nodiscard]] bool pop(Action& action);

  // Of everything the next steps depend on.
  [[nodiscard]] std::uint64_t state_hash() const noexcept;
  [[nodiscard]] std::size_t link_count() const noexcept { return links_.size(); }
  [[nodiscard]] std::size_t caller_count() const noexcept { return conns_.size(); }
  [[nodiscard]] PitState pit_state(PitIndex pit) const { return pits_.at(pit).state; }
  [[nodiscard]] std::vector<PitInfo> status() const;
  [[nodiscard]] std::optional<PitIndex> index_of(std::string_view name) const;
  // Of a caller that was greeted and is there: the protocol that it speaks. 0: there is none such.
  [[nodiscard]] std::uint16_t protocol_of(ConnId conn) const;
  // Whose calls such a caller's connection carries; empty: a program's.
  [[nodiscard]] std::string pit_of(ConnId conn) const;
  [[nodiscard]] const PitConfig& config_of(PitIndex pit) const { return pits_.at(pit).config; }

 private:
  enum class SwapPhase : std::uint8_t { preparing, copying, trying, freezing, restoring };
  struct Swap {
    PitIndex heir = 0;
    SwapPhase phase = SwapPhase::preparing;
    std::uint32_t number = 0;  // no two of a pit have the same: an answer may come late, to the next broker even
    TimeNs pause_max_ns = 0;
    TimeNs froze_at_ns = 0;
    TimeNs probation_ns = 0;
    bool rehearses = false;
    TimeNs rehearsed_ns = 0;
  };
  struct Arriving {  // of a swap that has happened
    TimeNs since_ns = 0;
    std::set<LinkId> links;
  };
  struct Timer {
    TimeNs at_ns;
    std::uint8_t kind;  // 0 caller, 1 link, 2 pit, 3 command, 4 probation, 5 watch
    std::uint64_t id;
    auto operator<=>(const Timer&) const = default;  // NOLINT(modernize-use-nullptr): the compiler's own 0
  };
  // A request that is being executed, as last seen.
  struct Standing {
    ExecutionSeen seen;
    TimeNs budget_ns = 0;
    TimeNs stood_ns = 0;  // while the pit could run
    TimeNs until_ns = 0;  // of stood_ns: then it hangs
    bool is_cancelled = false;
  };
  struct Watch {
    TimeNs timer_ns = no_deadline_ns;  // the next look; none: nobody looks
    TimeNs looked_ns = 0;              // the last one; 0: none yet
    bool was_stopped = false;          // then
    std::map<LinkId, Standing> standing;
  };
  struct Pit {
    PitIndex index = 0;
    PitConfig config;
    PitState state = PitState::known;
    AfterExit after_exit = AfterExit::restart;
    bool alive = false;  // a process exists or was asked for
    bool was_ready = false;
    bool is_wrong_about_needed = false;  // a pit that it needs has begun anew since it was started
    bool has_served = false;             // an instance was ready since those that need it last began
    bool hung_up = false;
    std::uint32_t instance = 0;
    std::uint32_t state_instance = 0;  // whose state the next instance begins with; 0: none
    pid_t pid = 0;
    std::uint32_t reply_size_max = 0;
    bool heavy_barriers = false;
    SandboxBlocks sandbox = 0;  // that its process says it reached
    TimeNs ready_since_ns = 0;
    TimeNs timer_ns = no_deadline_ns;
    std::vector<TimeNs> failures;
    std::uint32_t tries = 0;      // it ended with "try again" so often since it was last ready
    std::vector<TimeNs> excused;  // deaths that a message is to blame for: for the back-off alone
    bool failed_too_often = false;
    errc end_code = errc::internal;
    std::string reason;
    std::set<LinkId> links;
    std::set<LinkId> gone_links;  // that its state knows, over while it had no process to tell
    [[nodiscard]] bool is_durable() const noexcept { return config.state.durability != Durability::none; }
    // What an operator sees and does.
    DeathCause cause = DeathCause::stop;  // of the end that it was told or made to come to
    std::string version;
    std::deque<PitDeath> deaths;
    std::uint64_t log_lines_lost = 0;
    std::uint64_t started_with = 0;  // fingerprint of the running process's configuration
    bool recorded = false;
    bool removed = false;              // not configured any more; its place is free when its process and links are gone
    std::uint16_t protocol = 0;        // of its process
    std::optional<Swap> swap;          // another process is to take its place
    std::optional<PitIndex> heir_of;   // it is that process
    std::optional<PitIndex> moved_to;  // it was swapped
    Arriving arriving;
    std::optional<Probation> probation;  // it was swapped lately
    TimeNs probation_timer_ns = no_deadline_ns;
    std::optional<PitIndex> alone_of;  // an instance of that one, for one message
    TimeNs alone_until_ns = no_deadline_ns;
    std::uint64_t runs_alone = 0;  // such instances of this one
    Watch watch;
    // Epochs whose words are kept: open, or not known to be left by the instance.
    std::set<std::pair<LinkId, Epoch>> words;
    std::uint64_t words_said = 0;             // about links, between two requests
    std::optional<ExecutingMessage> hung_on;  // what it is killed for
    std::uint64_t overruns = 0;               // since this broker began
    std::uint64_t hangs = 0;
  };
  // A Command without its Answer.
  struct PendingCommand {
    ConnId conn = 0;
    std::uint64_t correlation = 0;
    control::Verb verb = control::Verb::show;
    PitIndex pit = 0;
    std::uint32_t instance = 0;  // stop: that is to go; start, restart, swap: the first that will do
    TimeNs timer_ns = no_deadline_ns;
    errc failure = control::code_done;  // of a swap
    std::string failure_text{};
    TimeNs pause_ns = 0;
    TimeNs rehearsed_ns = 0;
  };
  struct Conn {
    ConnId id = 0;
    uid_t uid = 0;
    std::uint16_t protocol = 0;   // of its Hello, and ours
    std::optional<PitIndex> pit;  // whose calls it carries; they are bounded by that pit's `calls`
    bool greeted = false;
    bool lost = false;  // ended, but may come back: its links wait for reconnect_grace_ns
    TimeNs timer_ns = no_deadline_ns;
    std::set<LinkId> links;
  };
  struct Link {
    LinkId id = 0;
    PitIndex pit = 0;
    ConnId conn = 0;
    uid_t uid = 0;
    LinkState state = LinkState::waiting;
    Epoch epoch = 0;       // of the attachment under way or last made
    Epoch open_epoch = 0;  // last one that was open
    std::uint32_t instance = 0;
    bool recorded = false;
    bool caller_done = false;  // Mapped while owning, Ready while peering
    bool pit_done = false;
    std::uint64_t correlation = 0;
    std::uint64_t last_id = 0;
    std::uint32_t request_capacity = 0;
    std::uint32_t reply_capacity_wanted = 0;  // 0: as the pit needs
    std::uint32_t reply_capacity = 0;
    bool heavy_barriers = false;  // the caller makes them
    TimeNs timer_ns = no_deadline_ns;
    std::string home;  // whose it is, while another pit stands in for that; empty: of `pit`
  };

  // An attachment that was open when its pit died.
  struct FatalEpoch {
    Epoch epoch = 0;
    PitIndex pit = 0;
    std::uint32_t instance = 0;
    ConnId conn = 0;
    std::string version;
  };

  // core.cpp: callers, timers
  void on(const CallerConnected& e);
  void on(const CallerLeft& e);
  void on(const CallerMessage& e);
  void on(const CallerFaulted& e);
  void on(const TimerFired& e);
  void on(const StopAll& e);
  void on(const KeeperLost& e);
  void caller_says(Conn& conn, const control::Hello& m);
  void caller_says(Conn& conn, const control::StatusQuery& m);
  void give_up(Conn& conn);  // ends its links and the connection
  [[nodiscard]] bool outranks(PitIndex accuser, PitIndex accused) const;
  void note_word(const std::string& accuser, const std::string& accused);
  void forget_conn(ConnId id);
  // core_links.cpp
  void on(const SegmentsMade& e);
  void on(const SegmentsSealed& e);
  void on(const SegmentsFailed& e);
  void caller_says(Conn& conn, const control::Open& m);
  void caller_says(Conn& conn, const control::Close& m);
  void open_again(Conn& conn, Link& link, const control::Open& m);
  void side_mapped(Link& link, bool caller);
  void side_ready(Link& link, bool caller, std::uint64_t last_id);
  void settle(Link& link);  // waiting: attach, wait or refuse, as the pit is
  void begin_attach(Link& link);
  void send_go(Link& link);
  void fall_back(Link& link);  // to waiting: this attachment is over; may erase (closing)
  void drop_at_pit(const Link& link, bool drain);
  void end_link(Link& link);  // erases, or leaves it closing
  void bound_closing(PitIndex pit);
  void erase_link(Link& link, bool pit_knows = false);          // pit_knows: it has been told
  void refuse(Link& link, errc code, const std::string& text);  // and end_link
  void refuse_unmapped(Link& link, const control::MapFailed& failed, const std::string& whose);
  void refuse_open(const Conn& conn, std::uint64_t correlation, errc code, const std::string& text);
  void record_link(const Link& link);
  [[nodiscard]] bool may_claim(const Conn& conn, const control::HeldLink& held) const;
  void claim(Link& link, Conn& conn);
  [[nodiscard]] Link* link_of(const Conn& conn, LinkId id);
  [[nodiscard]] Attachment at(const Link& link) const noexcept { return {config_.generation, link.id, link.epoch}; }
  // core_pits.cpp
  void on(const PitMessage& e);
  void on(const PitFaulted& e);
  void on(const PitHungUp& e);
  void on(const PitSpawned& e);
  void on(const SpawnFailed& e);
  void on(const StateFailed& e);
  void on(const PitExited& e);
  void pit_says(Pit& pit, const control::PitReady& m);
  void pit_says(Pit& pit, const control::CallerWanted& m);
  void start(Pit& pit);
  void kill(Pit& pit, AfterExit after, const std::string& reason, DeathCause cause = DeathCause::protocol);
  void failed(Pit& pit, const std::string& reason);
  void try_again(Pit& pit, const std::string& reason);
  void back_off(Pit& pit, std::size_t doublings);
  void end_pit(Pit& pit, PitState state, errc code, const std::string& reason);
  void pit_timer(Pit& pit);
  void record_pit(const Pit& pit);
  void forget_failures(Pit& pit);
  void forget_state(const Pit& pit, std::uint32_t instance);
  void drop_state(Pit& pit);  // what it goes on from
  void note_death(Pit& pit, DeathCause cause, bool signalled, int value, std::string last_lines = {});
  [[nodiscard]] static DeathCause cause_of(const PitExited& e) noexcept;  // of one that nobody told to end
  void finish_if_stopped();
  [[nodiscard]] Pit* live_pit(PitIndex pit, std::uint32_t instance);
  [[nodiscard]] Pit* pit_named(const std::string& name);

  // core_restore.cpp
  void on(const Begin& e);
  void restore_pit(Pit& pit, const PitRecord* record, const ProcessFound* process);
  void restore_on_its_way_out(Pit& pit, const PitRecord& record, bool alive);
  void restore_link(LinkId id, const LinkRecord& record);
  // core_operator.cpp
  void caller_says(Conn& conn, const control::Command& m);
  void answer(ConnId conn, std::uint64_t correlation, errc code, const std::string& text, const Pit* pit = nullptr,
              Waited waited = {});
  void send_answer(const Conn& conn, control::Answer m);
  void start_now(Pit& pit);
  void stop_now(Pit& pit, TimeNs grace_ns, const std::string& reason);
  void restart_now(Pit& pit, TimeNs grace_ns, const std::string& reason);
  void ask_to_stop(Pit& pit, TimeNs grace_ns, AfterExit after, const std::string& reason,
                   DeathCause cause = DeathCause::stop);
  void settle_commands();
  [[nodiscard]] std::optional<errc> outcome_of(const PendingCommand& waiting, std::string& text) const;
  void command_late(std::uint64_t id);
  [[nodiscard]] PitReport report(const Pit& pit) const;
  // core_swap.cpp
  [[nodiscard]] bool swap_now(Pit& pit, const control::Command& m, PendingCommand& waiting);
  void pit_says(Pit& heir, const control::Prepared& m);
  void pit_says(Pit& pit, const control::Frozen& m);
  void begin_freeze(Pit& pit);
  void take_over(Pit& heir);
  void move_links(Pit& from, Pit& to);
  void note_arrivals(Pit& pit);
  void end_swap(Pit& pit, errc code, const std::string& text);
  bool heir_failed(Pit& heir, const std::string& how);
  void forget_handed(const Pit& heir);
  // core_rehearsal.cpp
  void begin_rehearsal(Pit& pit);
  void pit_says(Pit& pit, const control::Rehearsed& m);
  // core_probation.cpp
  bool may_be_on_probation(const Pit& pit, const PitConfig& config, const control::Command& m, std::string& why) const;
  void begin_probation(Pit& pit, TimeNs until_ns, const std::string& file);
  void end_probation(Pit& pit);
  void probation_is_over(Pit& pit);
  bool roll_back(Pit& pit, const std::string& how);
  void never_again(Pit& pit, const std::string& reason);
  // core_needed.cpp
  void restart_those_that_need(const Pit& pit);
  [[nodiscard]] bool leaves_with(const Conn& conn, const std::string& pit) const;
  void end_calls_of_leaving(const Pit& pit);
  void refuse_leaving(Link& link);
  // core_fallback.cpp
  [[nodiscard]] Pit* stand_in_of(const Pit& pit);
  void hand_link(Link& link, Pit& to, const std::string& home);
  bool send_to_stand_in(Link& link);
  bool send_home(Link& link);
  void send_all_home(const Pit& pit);
  void call_home(const Pit& pit);
  // core_watchdog.cpp
  void caller_says(Conn& conn, const control::StandsStill& m);
  void on(const PitSeen& e);
  void watch(Pit& pit);  // from now on, where it has budgets
  void look(Pit& pit);
  void stop_watching(Pit& pit);
  void keep_words(const Link& link);
  void forget_words(Pit& pit, LinkId link, Epoch first, Epoch end);  // it has left them
  void forget_all_words(Pit& pit);
  [[nodiscard]] bool owes_a_word(const Pit& pit) const;
  void hangs(Pit& pit, const Standing& standing);
  void excuse(Pit& pit, TimeNs died_at_ns);
  // core_dead_letters.cpp
  void note_fatal(const Pit& pit);  // it died, and its links are as they were
  void caller_says(Conn& conn, const control::Executing& m);
  void caller_says(Conn& conn, const control::Park& m);
  [[nodiscard]] bool may_speak_of(const Conn& conn, LinkId link, ConnId said_by);
  [[nodiscard]] Pit* place_alone(Conn& conn, const control::Open& m);  // null: refused
  void end_alone(Pit& pit);
  void note_alone_end(const Pit& pit);
  void forget_deaths_of(ConnId conn);
  void restore_letters();
  void adopt_letters(const std::vector<std::vector<std::byte>>& found);
  void keep_letters(const std::string& pit = {});  // pit: whose changed
  void letter_command(const Conn& conn, const control::Command& m);
  // core_reload.cpp
  void on(const LogLost& e);
  void on(const ConfigRead& e);
  void remove(Pit& pit);
  void apply_config(Pit& pit);
  [[nodiscard]] Pit* free_place(bool used_first = false);  // null: there is none
  void forget_removed(Pit& pit);
  void keep_config();

  void move(Pit& pit, PitState to);
  void move(Link& link, LinkState to);
  void set_timer(Conn& conn, TimeNs at_ns);
  void set_timer(Link& link, TimeNs at_ns);
  void set_timer(Pit& pit, TimeNs at_ns);
  void set_probation_timer(Pit& pit, TimeNs at_ns);
  void set_watch_timer(Pit& pit, TimeNs at_ns);
  void set_timer(PendingCommand& waiting, std::uint64_t id, TimeNs at_ns);
  void replace_timer(TimeNs& held, TimeNs at_ns, std::uint8_t kind, std::uint64_t id);
  void act(Action action) { actions_.push_back(std::move(action)); }
  std::uint64_t random() noexcept;

  CoreConfig config_;
  std::vector<Pit> pits_;
  std::map<ConnId, Conn> conns_;  // conn 0, when there: stands for the callers of links found on record
  std::map<LinkId, Link> links_;
  std::map<std::uint64_t, PendingCommand> commands_;
  DeadLetters letters_;
  std::map<LinkId, FatalEpoch> fatal_;                        // of each link, the last
  std::map<LinkId, std::pair<ConnId, PitDeath>> alone_ends_;  // of instances for one message, by their link
  std::set<Timer> timers_;
  std::deque<Action> actions_;
  std::size_t waiting_opens_ = 0;
  TimeNs now_ns_ = 0;
  TimeNs armed_ns_ = no_deadline_ns;
  LinkId next_link_ = 1;
  Epoch last_epoch_ = 0;
  std::uint64_t random_ = 0;
  bool stopping_ = false;
  bool finished_ = false;
  bool keeper_lost_ = false;
  std::uint64_t next_command_ = 1;
  std::uint32_t next_swap_ = 0;
};

}  // namespace symphony::detail::broker
