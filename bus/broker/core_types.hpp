// What goes into the broker's core and what comes out of it.   Layer: broker. Threads: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <symphony/broker.hpp>

#include "bus/control/messages.hpp"

namespace symphony::detail::broker {

using control::Attachment;
using control::Epoch;
using control::Generation;
using control::LinkId;
using control::Message;
using ConnId = std::uint64_t;  // a caller's connection: from 1, never used again in a generation
using PitIndex = std::uint32_t;

// ---- limits: each is refused with a text that says so, and reached by a test ----
inline constexpr std::size_t pits_max = 64;
inline constexpr std::size_t alone_max = 4;  // instances that are there for one message
inline constexpr std::size_t places_max = pits_max + alone_max;
inline constexpr std::size_t callers_max = 1024;
inline constexpr std::size_t links_max = 4096;
inline constexpr std::size_t waiting_opens_max = 1024;
inline constexpr std::size_t closing_per_pit_max = 64;  // links that a pit has not let go of yet
inline constexpr std::size_t commands_max = 64;         // of operators, that wait for what they asked for
inline constexpr std::size_t record_size_max = 512;
inline constexpr std::uint32_t failures_limit = 16;
inline constexpr std::uint32_t exceptions_limit = 1'000'000;
inline constexpr std::size_t excused_max = 8;  // deaths that messages are to blame for, which are remembered
inline constexpr std::uint32_t in_flight_limit = 1024;
inline constexpr std::uint32_t auto_capacity_max = 16u << 20;  // for a caller that leaves the reply ring's size to us

inline constexpr TimeNs reconnect_grace_ns = 2 * second_ns;    // for a caller by path whose connection ended
inline constexpr TimeNs stop_grace_ns = 2 * second_ns;         // from Stop to SIGKILL
inline constexpr TimeNs stop_grace_max_ns = 3600 * second_ns;  // that an operator may give
inline constexpr TimeNs swap_pause_ns = 1 * second_ns;         // that calls may have to wait for a swap
inline constexpr TimeNs probation_max_ns = 3600 * second_ns;   // after a swap
inline constexpr TimeNs alone_time_max_ns = 60 * second_ns;    // of an instance for one message
inline constexpr TimeNs hang_up_grace_ns = 1 * second_ns;      // for a pit that closed its socket, to be dead
inline constexpr TimeNs stable_after_ns = 60 * second_ns;      // ready for so long: earlier failures are forgotten
// Of the watchdog: how often it looks, within these bounds an eighth of the pit's smallest budget; how long a request
// may stand still before its caller says so, a quarter of it; how long one that is cancelled has then, at most.
inline constexpr TimeNs look_every_min_ns = 1 * ms_ns;
inline constexpr TimeNs look_every_max_ns = 100 * ms_ns;
inline constexpr TimeNs cancel_grace_max_ns = 1 * second_ns;
inline constexpr TimeNs silence_min_ns = 1 * second_ns;              // of a pit that executes nothing, and owes a word
inline constexpr TimeNs silence_of_durable_min_ns = 10 * second_ns;  // and of one that may be keeping its state
inline constexpr TimeNs clock_ahead_max_ns = 1 * second_ns;          // T2: more is another time namespace
inline constexpr TimeNs clock_behind_max_ns = 30 * second_ns;        // a message may have waited for a new broker

enum class PitState : std::uint8_t { known, starting, ready, backoff, quarantined, stopping, stopped, swapping };
enum class LinkState : std::uint8_t { waiting, making, owning, sealing, peering, open, closing };
inline constexpr std::size_t pit_state_count = 8;
inline constexpr std::size_t link_state_count = 7;
[[nodiscard]] const char* name_of(PitState state) noexcept;

// Whether the core may go from one state to the other: one table an enumeration.
[[nodiscard]] bool may_become(PitState from, PitState to) noexcept;
[[nodiscard]] bool may_become(LinkState from, LinkState to) noexcept;

// ---- events ----
struct ProcessFound {
  PitIndex pit = 0;
  std::uint32_t instance = 0;
  pid_t pid = 0;
};
struct RecordFound {
  std::uint64_t key = 0;
  std::vector<std::byte> blob;
};
struct Begin {  // first event: what the keeper held over the death of an earlier broker; empty for the first one
  std::vector<ProcessFound> processes;
  std::vector<RecordFound> records;
};
struct CallerConnected {
  ConnId conn = 0;
  uid_t uid = 0;
  std::optional<PitIndex> pit{};  // whose calls it carries; nothing: a program's
};
struct CallerLeft {
  ConnId conn = 0;
  bool dead = false;
};  // connection ended; dead: its process is, or it cannot come back
struct CallerMessage {
  ConnId conn = 0;
  Message message;
};
struct CallerFaulted {
  ConnId conn = 0;
};  // sent something that is no message
struct PitMessage {
  PitIndex pit = 0;
  std::uint32_t instance = 0;
  Message message;
};
struct PitFaulted {
  PitIndex pit = 0;
  std::uint32_t instance = 0;
};
struct PitHungUp {
  PitIndex pit = 0;
  std::uint32_t instance = 0;
};  // closed its socket: dying, or hiding
struct PitSpawned {
  PitIndex pit = 0;
  std::uint32_t instance = 0;
  pid_t pid = 0;
};
struct SpawnFailed {
  PitIndex pit = 0;
  std::uint32_t instance = 0;
  int sys_errno = 0;
  std::string of_state{};  // what was wrong with the memory for its state; empty: with the program
};
// KeepState could not be done: what the pit keeps would be lost with the daemon.
struct StateFailed {
  PitIndex pit = 0;
  std::uint32_t instance = 0;
  std::string text;
};
struct PitExited {
  PitIndex pit = 0;
  std::uint32_t instance = 0;
  bool signalled = false;
  int value = 0;
  std::string last_lines{};    // the end of what it wrote to stderr, if that is kept; at most last_lines_size_max
  bool out_of_memory = false;  // signalled: the kernel did it, which had no memory left for its group
  std::string core{};          // where the kernel wrote its core dump, if it did; at most core_size_max
};
// How many lines of a pit's stderr could not be kept, ever.
struct LogLost {
  PitIndex pit = 0;
  std::uint64_t lines = 0;
};
// Answers ReadConfig. Trouble in one line: nothing changes.
struct ConfigRead {
  ConnId conn = 0;
  std::uint64_t correlation = 0;
  std::string trouble;
  std::vector<PitConfig> pits;                    // each instance by itself
  std::vector<std::vector<std::byte>> letters{};  // of each that has a folder, as it was found there
};
struct SegmentsMade {
  LinkId link = 0;
  Epoch epoch = 0;
};
struct SegmentsSealed {
  LinkId link = 0;
  Epoch epoch = 0;
};
struct SegmentsFailed {
  LinkId link = 0;
  Epoch epoch = 0;
  int sys_errno = 0;
};
// A request that a pit is executing, as the words of its link and the record itself say. Either may be a lie: the pit's
// or the caller's.
struct ExecutionSeen {
  Epoch epoch = 0;
  std::uint64_t begun = 0;  // the pit's word
  ExecutingMessage message{};
};
// Answers LookAtPit: of the links named there, those that are executing something.
struct PitSeen {
  PitIndex pit = 0;
  std::uint32_t instance = 0;
  bool is_stopped = false;  // SIGSTOP, or in the hands of a debugger
  std::vector<ExecutionSeen> executing;
  bool waits = false;          // a request that it could take, of a link on which it executes none
  std::uint64_t progress = 0;  // another number when it has handled anything
};
struct KeeperLost {};
struct StopAll {};
struct TimerFired {};

using Event = std::variant<Begin, CallerConnected, CallerLeft, CallerMessage, CallerFaulted, PitMessage, PitFaulted,
                           PitHungUp, PitSpawned, SpawnFailed, StateFailed, PitExited, SegmentsMade, SegmentsSealed,
                           SegmentsFailed, KeeperLost, StopAll, TimerFired, LogLost, ConfigRead, PitSeen>;

// ---- actions ----
// Descriptors by what they are; whoever executes the action knows the numbers.
enum class FdName : std::uint8_t {
  caller_segment_rw,
  caller_segment_ro,
  pit_segment_rw,
  pit_segment_ro,
  pit_pidfd,
  handed_state,
  copy_of_state
};

struct SendToCaller {
  ConnId conn = 0;
  Message message;
  LinkId link = 0;
  Epoch epoch = 0;
  PitIndex pit = 0;
  std::vector<FdName> fds;
};
struct SendToPit {
  PitIndex pit = 0;
  std::uint32_t instance = 0;
  Message message;
  LinkId link = 0;
  Epoch epoch = 0;
  std::vector<FdName> fds;
};
struct MakeSegments {
  LinkId link = 0;
  Epoch epoch = 0;
  std::uint32_t request_capacity = 0;
  std::uint32_t reply_capacity = 0;
  std::uint64_t nonce = 0;
};
struct SealSegments {
  LinkId link = 0;
  Epoch epoch = 0;
};  // answered by SegmentsSealed or SegmentsFailed
struct ForgetSegments {
  LinkId link = 0;
  Epoch epoch = 0;
};  // also of segments still being made
// Where the pit's state outlives it: with new memory for it, on record under state_key(pit, instance), and with that of
// state_instance of state_pit, to be read, unless it is 0. `waits`: it is to take over from state_pit, and reads when
// it is told to; where that keeps nothing, with memory for the state on record under state_key(pit, 0), whose
// descriptor is the handed_state of state_pit.
struct SpawnPit {
  PitIndex pit = 0;
  std::uint32_t instance = 0;
  std::uint32_t state_instance = 0;
  PitIndex state_pit = 0;
  bool waits = false;
  bool is_alone = false;  // state_pit goes on writing there: it begins with a copy
};
// The words of an epoch that is open are to be seen from here on, until ForgetWords. Its segments are there, or the
// keeper holds them with the link's record.
struct KeepWords {
  LinkId link = 0;
  Epoch epoch = 0;
  std::uint32_t request_capacity = 0;
};
struct ForgetWords {
  LinkId link = 0;
  Epoch epoch = 0;
};
// What it is executing, on these epochs of its links: comes back as PitSeen.
struct LookAtPit {
  PitIndex pit = 0;
  std::uint32_t instance = 0;
  std::vector<std::pair<LinkId, Epoch>> links;
  bool has_namespace = false;  // of processes, as it says: its process only waits there, for the pit itself
};
// What this instance keeps in files is complete: it takes the place of what the one before kept.
struct KeepState {
  PitIndex pit = 0;
  std::uint32_t instance = 0;
};
struct KillPit {
  PitIndex pit = 0;
  std::uint32_t instance = 0;
};
// Memory for a copy of the state of `of`, until ForgetCopy: the copy_of_state of that pit and of this one. Where there
// is no memory for it, the message that it goes with has no descriptor.
struct MakeCopy {
  PitIndex pit = 0;
  PitIndex of = 0;
};
struct ForgetCopy {
  PitIndex pit = 0;
};
// Gives a pit a caller's connection of its own: comes back as CallerConnected.
struct ConnectPit {
  PitIndex pit = 0;
  std::uint32_t instance = 0;
  std::uint64_t correlation = 0;
};
struct PutRecord {
  std::uint64_t key = 0;
  std::vector<std::byte> blob;
  LinkId link = 0;
  Epoch epoch = 0;
  std::vector<FdName> fds;
};
struct DeleteRecord {
  std::uint64_t key = 0;
};
// What pits there should be, from whoever configures this broker: comes back as ConfigRead.
struct ReadConfig {
  ConnId conn = 0;
  std::uint64_t correlation = 0;
};
// What was swapped lately: should it die before that time, the pit goes on from that file.
struct Probation {
  PitIndex pit = 0;
  TimeNs until_ns = 0;
  std::string file;  // as PitConfig had it in the place of the new one
  friend bool operator==(const Probation&, const Probation&) = default;
};
// The pits by their index, for the next broker; a place without a name is free.
struct KeepConfig {
  std::vector<PitConfig> slots;
  std::vector<Probation> probations{};
};
// The dead letters and who may add to them, for the next broker; and those of `pit`, where they changed and it has a
// folder, for the next daemon.
struct KeepLetters {
  std::vector<std::byte> bytes;
  std::optional<PitIndex> pit{};
  std::vector<std::byte> of_pit{};
};
struct DisconnectCaller {
  ConnId conn = 0;
};  // after what was sent to it
struct ArmTimer {
  TimeNs at_ns = no_deadline_ns;
};                   // the only timer: replaces the one before
struct Stopping {};  // StopAll was begun
struct Finished {};  // StopAll is complete: no pit has a process
struct Note {
  std::string text;
};  // one line for the operator

using Action =
    std::variant<SendToCaller, SendToPit, MakeSegments, SealSegments, ForgetSegments, SpawnPit, KeepState, KillPit,
                 ConnectPit, PutRecord, DeleteRecord, DisconnectCaller, ArmTimer, Finished, Note, ReadConfig,
                 KeepConfig, Stopping, KeepLetters, MakeCopy, ForgetCopy, KeepWords, ForgetWords, LookAtPit>;

}  // namespace symphony::detail::broker
