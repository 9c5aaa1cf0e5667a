// What callers, pits and broker say to each other over the control socket.   Layer: control.
//
// One SOCK_SEQPACKET datagram is one message: a FlatBuffer of schemas/control.fbs, fds beside it (SCM_RIGHTS). These
// structs are the decoded form; encode() and decode() in codec.hpp are the only places that know the wire. Each message
// about a link carries (generation, link, epoch): anything of another generation or an older epoch is refused. Format:
// docs/formats/control.md.   Threads: plain values.
#pragma once

#include <cerrno>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <symphony/clock.hpp>
#include <symphony/dead_letter.hpp>
#include <symphony/pit_info.hpp>
#include <symphony/result.hpp>

namespace symphony::detail::control {

inline constexpr std::uint16_t protocol_min = 1;
inline constexpr std::uint16_t protocol_max = 5;
// From which version on the other side knows what a message needs. It is not said to one that speaks less.
inline constexpr std::uint16_t protocol_of_swap = 2;       // Prepared, TakeState, Freeze, Frozen, Thaw
inline constexpr std::uint16_t protocol_of_letters = 3;    // Executing, Park, Open with `alone`
inline constexpr std::uint16_t protocol_of_probation = 3;  // a Command's probation_ns
inline constexpr std::uint16_t protocol_of_rehearsal = 4;  // Rehearse, Rehearsed, a Command with `rehearse`
inline constexpr std::uint16_t protocol_of_causes = 4;     // DeathCause::sandbox and those behind it
inline constexpr std::uint16_t protocol_of_watchdog = 4;   // StandsStill, CancelRequest
inline constexpr std::uint16_t protocol_of_boards = 5;     // BoardWrite to BoardList
inline constexpr std::size_t message_size_max = 32UL * 1024;
inline constexpr std::size_t fds_max = 4;
inline constexpr std::size_t pit_name_size_max = 63;
inline constexpr std::size_t links_per_caller_max = 1024;
inline constexpr std::size_t deaths_max = 8;
inline constexpr std::size_t last_lines_size_max = 1024;
inline constexpr std::size_t core_size_max = 512;
inline constexpr std::size_t path_size_max = 4095;
inline constexpr std::size_t calls_in_report_max = 64;
inline constexpr std::size_t letter_body_size_max = 16UL * 1024;  // of a dead letter; the rest is cut off
inline constexpr std::size_t letters_in_answer_max = 24;
inline constexpr std::size_t board_name_size_max = 63;
inline constexpr std::size_t boards_in_list_max = 64;

using LinkId = std::uint64_t;
using Epoch = std::uint64_t;
using Generation = std::uint64_t;

// Which attachment a message is about.
struct Attachment {
  Generation generation = 0;
  LinkId link = 0;
  Epoch epoch = 0;
  friend bool operator==(const Attachment&, const Attachment&) = default;
};

struct HeldLink {
  LinkId link = 0;
  Epoch epoch = 0;
};

// ---- said by callers (C) and pits (P) ----

// First message of a caller's connection, and again to a new broker. `clock_ns` is its CLOCK_MONOTONIC now: a broker
// whose clock is more than a second behind it, or more than 30 ahead (a hello may wait for a new broker), is in another
// time namespace and refuses (T2).
struct Hello {
  std::uint16_t protocol_min = control::protocol_min;
  std::uint16_t protocol_max = control::protocol_max;
  TimeNs clock_ns = 0;
  std::vector<HeldLink> links;  // open ones; each is answered by Keep, or by nothing: then the caller opens it again
};

// First message of a pit, once its start() returned: from now on links may attach.
struct PitReady {
  std::uint16_t protocol_min = control::protocol_min;
  std::uint16_t protocol_max = control::protocol_max;
  TimeNs clock_ns = 0;
  std::string name;
  std::string version;
  std::uint32_t reply_size_max = 0;
  bool heavy_barriers = false;  // it is registered for heavy barriers and makes one before each sleep
  SandboxBlocks sandbox = 0;    // what it reached; an older broker does not read it, an older pit says none
};

// C: a new link (link = 0) or the next epoch of one. Waits at the broker for a known pit that is not ready yet, until
// deadline.
struct Open {
  std::uint64_t correlation = 0;
  std::string pit;
  LinkId link = 0;
  std::uint32_t request_capacity = 0;
  std::uint32_t reply_capacity = 0;
  TimeNs deadline_ns = 0;
  bool heavy_barriers = false;  // as PitReady's
  bool alone = false;           // to an instance that is started for this link, and thrown away with it
};

struct Mapped {
  Attachment at;
};  // own segment is mapped writable, its fd closed
struct Ready {
  Attachment at;
  std::uint64_t last_id = 0;
};  // peer's segment is mapped; P: last id its state contains (A)
struct MapFailed {
  Attachment at;
  std::int32_t sys_errno = 0;
  [[nodiscard]] bool lacks_descriptors() const noexcept { return sys_errno == EMFILE || sys_errno == ENFILE; }
};  // the attach cannot go on on this side
struct Drained {
  Attachment at;
};  // P: handled to the first 0 after Drop, unmapped
struct PeerFault {
  Attachment at;
  std::uint32_t kind = 0;
};  // the other side broke the ring protocol
struct Close {
  LinkId link = 0;
};  // C: the link is not used any more
struct StatusQuery {
  std::uint64_t correlation = 0;
};

// ---- said by the broker (B) ----

struct Welcome {
  Generation generation = 0;
  std::uint16_t protocol = 0;
};

// To each side its own segment (fd 0) and, unless the pit is hostile, the other's (fd 1), of which it maps the data.
// Both rings' geometry comes with it and is never read from shared memory.
struct Own {
  Attachment at;
  std::uint64_t correlation = 0;  // of the Open; 0 towards P and after a death
  std::uint32_t request_capacity = 0;
  std::uint32_t reply_capacity = 0;
  std::uint32_t request_salt = 0;
  std::uint32_t reply_salt = 0;
  std::uint32_t in_flight_max = 0;
  std::uint32_t reply_size_max = 0;
  std::uint8_t trust = 0;           // symphony::Trust: towards C how far the pit is trusted
  bool heavy_barriers = false;      // both sides make them
  std::uint32_t look_after_ms = 0;  // C: standing still for so long is said; 0: nobody wants to hear it
};

struct Peer {
  Attachment at;
};  // fd 0: the other side's segment, read-only; to C also fd 1: pidfd of P
struct Go {
  Attachment at;
  std::uint64_t last_id = 0;
};  // to C: use it; A of protocol.md D4
struct Drop {
  Attachment at;
  bool drain = false;
};  // forget this epoch; drain: first handle what is committed (P)
struct Keep {
  Generation generation = 0;
  LinkId link = 0;
  Epoch epoch = 0;
};

// The end of an Open, or of a link whose pit will not come back. `text` names the remedy.
struct Refused {
  std::uint64_t correlation = 0;
  LinkId link = 0;
  errc code = errc::internal;
  std::string text;
};

struct Stop {
  TimeNs deadline_ns = 0;
};  // to P: drain, stop, exit 0

struct PitStatus {
  std::string name;
  std::string state;  // known starting ready swapping backoff quarantined stopping stopped
  std::int32_t pid = 0;
  std::uint32_t instance = 0;  // how often it was started
  std::uint32_t links = 0;
};
struct Status {
  std::uint64_t correlation = 0;
  Generation generation = 0;
  std::vector<PitStatus> pits;
};

// P: a connection of a caller's, for the calls that this pit makes itself.
struct CallerWanted {
  std::uint64_t correlation = 0;
};
// Answers it, with the connected socket (fd 0) where the operator lets the pit call others.
struct CallerSocket {
  std::uint64_t correlation = 0;
  bool granted = false;
};

// C: this message was being executed when the pit of `at` died. One that was is what a caller may have run alone.
struct Executing {
  Attachment at;
  std::uint64_t id = 0;
  std::uint32_t type = 0;
  std::uint32_t size = 0;
  std::uint8_t attempt = 0;  // deaths before this one
  Effect effect = Effect::once;
};
// C: a message that is not tried any more, for the operator. Only one that was said to be Executing.
struct Park {
  LinkId link = 0;
  std::uint64_t id = 0;
  std::uint32_t type = 0;
  std::uint32_t size = 0;
  std::uint8_t attempts = 0;
  Effect effect = Effect::once;
  AloneOutcome outcome = AloneOutcome::not_run;
  LinkId alone_link = 0;          // on which it was tried alone; 0: on none
  std::vector<std::byte> body{};  // the first letter_body_size_max bytes
};

// C: a request of this attachment has been standing still: see whether its pit hangs. No more than a hint.
struct StandsStill {
  Attachment at;
};
// To P: this request has used up its time; should its handler ask whether it is cancelled, it is.
struct CancelRequest {
  Attachment at;
  std::uint64_t id = 0;
};

// C: what an operator asks for. Each has exactly one Answer: when it is done, cannot be done, or at its deadline.
enum class Verb : std::uint8_t {
  start = 1,    // done when it is ready; a quarantined pit's failures are forgotten
  stop = 2,     // done when its process is gone; it stays stopped until somebody starts it
  restart = 3,  // both; its links attach to the next instance
  show = 4,
  end_broker = 5,    // done at once: the daemon's process ends when its pits have
  reload = 6,        // reads the manifests again; done when what they say holds
  swap = 7,          // puts another process in the place of a pit's that goes on serving until then; done when its
                     // links have gone over
  letters = 8,       // dead letters of a pit, or of all, behind the one that `letter` names
  letter = 9,        // this one, with its body
  drop_letter = 10,  // this one of the pit; 0: all of them
};
struct Command {
  std::uint64_t correlation = 0;
  Verb verb = Verb::show;
  std::string pit;
  std::uint32_t instance = 0;  // restart, swap: only one that is not newer, so that asking twice does it once; 0: any
  TimeNs deadline_ns = 0;
  TimeNs grace_ns = 0;  // from Stop to SIGKILL; swap: how long calls may have to wait; 0: the broker's own
  std::string file{};   // swap: what to run, an absolute path; empty: what it runs now, read anew
  std::uint64_t letter = 0;
  TimeNs probation_ns = 0;  // swap: dying sooner after it, the pit goes on from the file before; 0: it does not
  bool rehearse = false;    // swap: try first, with a copy of the state, while the pit serves on
};
inline constexpr errc code_done{};  // of an Answer: no error
struct Answer {
  std::uint64_t correlation = 0;
  errc code = code_done;
  std::string text;             // names the remedy; or what was done
  PitReport pit;                // of a Command about one
  std::int32_t daemon_pid = 0;  // end_broker: the process to wait for
  std::uint32_t added = 0;      // reload
  std::uint32_t removed = 0;
  std::uint32_t changed = 0;
  TimeNs pause_ns = 0;  // swap: from Freeze to the last Go
  std::vector<DeadLetter> letters{};
  TimeNs rehearsed_ns = 0;  // swap: as long as its rehearsal says that calls have to wait, the attach of links apart
};

// ---- a swap: another process of a pit is made ready, takes over the state of the one that serves, and its links ----

// P, started to take over: everything that can be done without the state has been done.
struct Prepared {
  std::uint16_t protocol_min = control::protocol_min;
  std::uint16_t protocol_max = control::protocol_max;
};
// Answers it, once the state is whole: read it, and say PitReady.
struct TakeState {
  std::uint32_t number = 0;  // of the swap
};
// To P that serves: end what is being handled, take nothing more, keep the state. fd 0, of a pit whose state does not
// outlive it: the memory to write it to.
struct Freeze {
  std::uint32_t number = 0;
  TimeNs deadline_ns = 0;  // later is too late
};
// Its answer. Not ok: it goes on as before.
struct Frozen {
  std::uint32_t number = 0;
  errc code = code_done;
  std::string text;
};
// To P: go on, as if nothing had been. Also where there was no Freeze.
struct Thaw {
  std::uint32_t number = 0;
};

// To P that serves: write your state to fd 0 between two messages, and go on. Then to P that is to take over, with the
// same memory to read: restore it, take a snapshot of that, and see that it is the same; go on waiting.
struct Rehearse {
  std::uint32_t number = 0;  // of the swap
};
// Its answer. Not ok: the swap is over.
struct Rehearsed {
  std::uint32_t number = 0;
  errc code = code_done;
  std::string text;
  TimeNs took_ns = 0;  // that calls would have to wait for this
};

// ---- boards: what one side writes and any number reads. No message about a link depends on one about a board.

enum class BoardKind : std::uint8_t { cell = 1, topic = 2 };

// C: to write the board of that name, alone. Again after the broker's death: the next one knows nothing of it.
struct BoardWrite {
  std::uint64_t correlation = 0;
  std::string name;
  BoardKind kind = BoardKind::cell;
  std::uint64_t source = 0;  // random, the same as long as its values go on being counted from the same beginning
  std::uint32_t slot_count = 0;
  std::uint32_t value_size_max = 0;
};
// Its answer; or Refused. fd 0: the memory, to map writable, and to say BoardMapped before anybody reads it.
struct BoardOwn {
  std::uint64_t correlation = 0;
  std::uint64_t board = 0;
};
struct BoardMapped {
  std::uint64_t board = 0;
};
// C: to read the board of that name: the one there is, and each that takes its place, until BoardClose.
struct BoardRead {
  std::uint64_t correlation = 0;
  std::string name;
  BoardKind kind = BoardKind::cell;
};
// Answers it, as often as there is another; or Refused. fd 0: the memory, read-only and sealed.
struct BoardView {
  std::uint64_t correlation = 0;
  std::uint64_t board = 0;
  std::uint64_t source = 0;
  std::uint32_t slot_count = 0;
  std::uint32_t value_size_max = 0;
  bool reader_was_first = false;  // it had asked before this board was there
};
// To who reads it: nobody writes this one any more. What is on it stays.
struct BoardEnd {
  std::uint64_t correlation = 0;  // of the BoardRead
  std::uint64_t board = 0;
};
// C: what was begun with that number is over.
struct BoardClose {
  std::uint64_t correlation = 0;
};
struct BoardQuery {
  std::uint64_t correlation = 0;
  std::string after{};  // those whose names come behind this one
};
struct BoardStatus {
  std::string name;
  BoardKind kind = BoardKind::cell;
  std::string writer;    // the pit; empty: a program, or nobody
  std::int32_t pid = 0;  // of the program; 0: nobody writes it now, or a pit does
  std::uint32_t readers = 0;
  std::uint32_t slot_count = 0;
  std::uint32_t value_size_max = 0;
  std::uint64_t latest = 0;  // number of the newest value, as its writer says
};
struct BoardList {
  std::uint64_t correlation = 0;
  std::vector<BoardStatus> boards;  // by name; when there are boards_in_list_max, there may be more
};

using Message =
    std::variant<Hello, PitReady, Open, Mapped, Ready, MapFailed, Drained, PeerFault, Close, StatusQuery,  //
                 Welcome, Own, Peer, Go, Drop, Keep, Refused, Stop, Status, CallerWanted, CallerSocket,    //
                 Command, Answer, Prepared, TakeState, Freeze, Frozen, Thaw, Executing, Park,              //
                 Rehearse, Rehearsed, StandsStill, CancelRequest,                                          //
                 BoardWrite, BoardOwn, BoardMapped, BoardRead, BoardView, BoardEnd, BoardClose, BoardQuery, BoardList>;

// What a caller says of boards: nothing that keeps links or pits sees it.
[[nodiscard]] inline bool is_about_boards(const Message& m) noexcept {
  return std::holds_alternative<BoardWrite>(m) || std::holds_alternative<BoardMapped>(m) ||
         std::holds_alternative<BoardRead>(m) || std::holds_alternative<BoardClose>(m) ||
         std::holds_alternative<BoardQuery>(m);
}

}  // namespace symphony::detail::control
