// A program's connection to a broker, and its links to pits.   Layer: endpoint.
//
//   auto endpoint = symphony::Endpoint::connect({}).value();
//   auto link = endpoint.open("pool").value();
//   symphony::Reply reply = link.call(type, body);
//
// Every call ends exactly once: by the pit, by its runtime, or by this endpoint when those are dead, late or faulty. A
// link outlives its pit: when the pit is started again the link attaches to the new instance, and what has no ending
// yet is sent again as far as its effect class allows (docs/guarantees.md). Threads: an Endpoint may be used by any
// thread. A Link belongs to one thread at a time [data-thread]; only nudge() is for others. Fork: handles made before
// fork() answer `forked` in the child; make a new Endpoint there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/clock.hpp>
#include <symphony/pit_info.hpp>
#include <symphony/reply.hpp>
#include <symphony/result.hpp>
#include <symphony/topic.hpp>
#include <symphony/unique_fd.hpp>
#include <symphony/waiting.hpp>

namespace symphony {

struct LinkOptions {
  // In bytes, a power of two from 4 KiB to 1 GiB; 0: as the pit's manifest says, and without a word there 256 KiB, for
  // replies raised to fit the pit's largest one.
  std::uint32_t request_capacity = 0;
  std::uint32_t reply_capacity = 0;
  std::uint32_t in_flight_max = 256;           // calls without an ending, a power of two up to 1024
  std::uint8_t attempts_max = 3;               // of a message that kills: the last is made alone, then it is poisoned
  Waiting waiting = Waiting::adaptive;         // of this side's thread, for replies
  Placement placement = Placement::automatic;  // wished of the pit's thread; the pit's own option comes first
};

// What happened on a link since it was opened.
struct LinkCounters {
  std::uint64_t calls = 0;
  std::uint64_t ended = 0;
  std::uint64_t late_replies = 0;  // for calls that had ended already: dropped
  std::uint64_t sent_again = 0;
  std::uint64_t attaches = 0;  // epochs, the first included
  std::uint64_t sleeps = 0;
  std::uint64_t spurious_wakes = 0;      // woken, and nothing was there
  std::uint64_t timeouts = 0;            // sleeps that ended at their bound
  std::uint64_t timeouts_with_data = 0;  // of these: something was there and nobody rang; 0 unless a wake-up was lost
  std::uint64_t wakes_sent = 0;          // system calls to wake the pit
  std::uint64_t wakes_needed = 0;        // of these: it slept
  std::uint64_t peer_faults = 0;
};

namespace detail {
class CallerControl;
class LinkCore;
}  // namespace detail

using CallId = std::uint64_t;

class Link {
 public:
  Link() noexcept;
  Link(Link&&) noexcept;
  Link& operator=(Link&&) noexcept;
  ~Link();  // close()

  // Sends and waits for the ending. Blocks up to the timeout; waits for room in the ring and for a pit that is being
  // restarted.   [data-thread]
  Reply call(std::uint32_t type, std::span<const std::byte> body, const CallOptions& options = {}) noexcept;

  // Sends without waiting. Nothing: in_flight_max calls or a full ring's worth are on their way; take or wait for some.
  // A call that cannot be sent at all (too large, link closed) ends at once with that status.   [data-thread]
  [[nodiscard]] std::optional<CallId> try_start(std::uint32_t type, std::span<const std::byte> body,
                                                const CallOptions& options = {}) noexcept;
  // The ending of a started call, if it is there. It can be taken once.   [data-thread]
  [[nodiscard]] std::optional<Reply> try_take(CallId id) noexcept;
  // Waits for the ending of a started call; its own deadline bounds the wait.   [data-thread]
  Reply wait(CallId id) noexcept;
  // The same until `until_ns` at most: nothing where the call has no ending by then, and goes on. With a point that is
  // past it looks for about a microsecond, and never sleeps.   [data-thread]
  [[nodiscard]] std::optional<Reply> wait_until(CallId id, TimeNs until_ns) noexcept;
  // Takes the memory of a reply's body out of the link: the body stays where it is as long as what is returned. Before
  // the next call is started. Null: the reply has no body, or it is too late.   [data-thread]
  [[nodiscard]] std::unique_ptr<std::byte[]> keep(const Reply& reply) noexcept;

  // Waits until there is an ending to take, somebody nudged, the pit died or came back, or until the deadline (false).
  // A started call's own deadline is found by try_take(), not here.   [data-thread]
  [[nodiscard]] bool wait_any(TimeNs deadline_ns) noexcept;
  // Ends the wait_any() that is under way, else the next one.   [any thread, while the Link is neither moved nor gone]
  void nudge() noexcept;

  // For programs that wait in epoll or another event loop:
  //   int fd = link.fd().value();                          once, into the loop
  //   while (link.arm_fd()) { wait until fd is readable; link.try_take(...) }
  // A descriptor of this Link, open as long as it is. It becomes readable, once for each arm_fd(), when a reply or an
  // ending may be there, when the pit died, and now and then without reason. Errors: out_of_descriptors, out_of_memory,
  // forked, closed.   [data-thread]
  [[nodiscard]] result<int> fd() noexcept;
  // True: nothing is there, and the descriptor will become readable. False: do not wait, there is an ending to take or
  // no call without one. Ends with the next call of any other function of this Link.   [data-thread]
  [[nodiscard]] bool arm_fd() noexcept;

  // Ends the link: calls without an ending end as closed. Never blocks.   [data-thread]
  void close() noexcept;
  // Waits until the pit has handled everything that was sent before close(). Errors: timeout, closed (the pit died).
  [[nodiscard]] result<void> wait_closed(TimeNs deadline_ns) noexcept;

  [[nodiscard]] LinkCounters counters() const noexcept;
  // Whether the broker ended it (its pit will not come back, or a fault): each further call ends at once, with the
  // reason. A new one may be opened.   [data-thread]
  [[nodiscard]] bool has_ended() noexcept;
  [[nodiscard]] std::uint64_t epoch() const noexcept;  // of the current attachment; rises with each instance of the pit

 private:
  friend class Endpoint;
  explicit Link(std::unique_ptr<detail::LinkCore> core) noexcept;
  std::unique_ptr<detail::LinkCore> core_;
};

struct ConnectOptions {
  std::string realm = "default";  // which broker of this user
  std::string path;               // its socket, instead of the realm's
  TimeNs timeout_ns = 5 * second_ns;
};

struct BrokerStatus {
  std::uint64_t generation = 0;
  std::vector<PitInfo> pits;
};

class Endpoint {
 public:
  // To the broker of this user. After the broker's death the endpoint finds the next one by itself.
  // Errors: unreachable, refused, version_mismatch, out_of_descriptors.
  [[nodiscard]] static result<Endpoint> connect(const ConnectOptions& options);
  // Over a connected control socket: of an embedded broker, or inherited from a parent.
  [[nodiscard]] static result<Endpoint> adopt(UniqueFd control_socket);

  Endpoint(Endpoint&&) noexcept;
  Endpoint& operator=(Endpoint&&) noexcept;
  ~Endpoint();  // links that are still open go on until they are closed

  // A new link to the pit of that name. Waits for a pit that is known but not ready yet.
  // Errors: not_found (at once), timeout, quarantined, refused, unreachable, out_of_memory, invalid_argument, forked.
  [[nodiscard]] result<Link> open(std::string_view pit, const LinkOptions& options = {},
                                  TimeNs timeout_ns = default_call_timeout_ns);

  // To write that name, alone. Errors: refused (another connection writes it, or it is a pit's), invalid_argument (the
  // name, the sizes, or a topic where there is a cell), too_large, out_of_memory, unreachable, timeout,
  // version_mismatch (an older broker), forked.
  [[nodiscard]] result<CellWriter> write_cell(std::string_view name, const CellOptions& options = {},
                                              TimeNs timeout_ns = 5 * second_ns);
  [[nodiscard]] result<Publisher> publish(std::string_view name, const TopicOptions& options = {},
                                          TimeNs timeout_ns = 5 * second_ns);
  // To read that name; waits until somebody has written it. A subscription begins with the last `history` values that
  // are there, without anything being sent for it. Errors: as above; timeout: nobody writes it.
  [[nodiscard]] result<CellReader> read_cell(std::string_view name, TimeNs timeout_ns = 5 * second_ns);
  [[nodiscard]] result<Subscription> subscribe(std::string_view name, std::uint32_t history = 0,
                                               TimeNs timeout_ns = 5 * second_ns);
  // The names that are written or read, in order. Errors: unreachable, timeout, version_mismatch, forked.
  [[nodiscard]] result<std::vector<TopicInfo>> topics(TimeNs timeout_ns = 5 * second_ns);

  // What the broker knows of its pits. Errors: unreachable, timeout.
  [[nodiscard]] result<BrokerStatus> status(TimeNs timeout_ns = 5 * second_ns);

 private:
  explicit Endpoint(std::shared_ptr<detail::CallerControl> control) noexcept;
  std::shared_ptr<detail::CallerControl> control_;
};

}  // namespace symphony
