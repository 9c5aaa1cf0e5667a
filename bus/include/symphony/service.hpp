// A pit's side of the bus: serves every link that the broker attaches, on one thread.   Layer: endpoint.
//
// The pit runtime adopts the control socket it inherited, says that the pit is ready, and runs. Links are served round
// robin with a cap each; a request is taken only when its reply is sure to fit, so a caller that does not read its
// replies delays nobody else.
// Threads: run() and counters() on the thread that owns the pit [data-thread]; stop() from any thread, but not from a
// signal handler.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <symphony/clock.hpp>
#include <symphony/endpoint.hpp>
#include <symphony/envelope.hpp>
#include <symphony/result.hpp>
#include <symphony/sandbox.hpp>
#include <symphony/unique_fd.hpp>

namespace symphony {

// One request. The bytes are this process's own copy: nobody changes them.
struct Request {
  const Envelope& envelope;
  std::span<const std::byte> body;  // 8-byte aligned
  std::uint64_t link = 0;
};

// Names a request that was left for later; a value, good for as long as the Service. Epoch 0: whichever the link has:
// of a pit whose state knows the request beyond the instance that took it.
struct LaterReply {
  std::uint64_t link = 0;
  std::uint64_t epoch = 0;
  std::uint64_t id = 0;
};

// What became of an ending given later.
enum class LaterOutcome : std::uint8_t {
  written,  // it is on its link
  queued,   // it is not, or its caller was not heard of yet in this epoch: on_later_written() says when it is for
            // certain
  absent,   // the link is not attached, or not with that epoch any more
  refused,  // larger than the link's replies may be, or no memory; the request still waits
};

// Where a handler puts its one reply.
class ReplyWriter {
 public:
  virtual ~ReplyWriter() = default;
  // Bytes for a reply, in place in the reply ring; empty above ServiceOptions::reply_size_max. A second claim replaces
  // the first.
  [[nodiscard]] virtual std::span<std::byte> claim(std::uint32_t size) noexcept = 0;
  // Makes the first `used` bytes of the claim the reply. Once.
  virtual void commit(std::uint32_t used, std::uint32_t type) noexcept = 0;
  // Ends the request with a status other than ok. Once, instead of commit.
  virtual void fail(CallStatus status, std::string_view text) noexcept = 0;
  // Leaves the request without an ending: Service::reply() gives it one. Once, instead of commit. For its caller the
  // request counts as accepted from now on: if the pit dies before the reply, it ends as crashed_accepted.
  [[nodiscard]] virtual LaterReply defer() noexcept = 0;
  // Whether the caller has closed the link, so that nobody waits, or the request has used up its time budget.
  [[nodiscard]] virtual bool is_abandoned() const noexcept = 0;
};

// What a pit says to being frozen for a swap.
enum class Freezing : std::uint8_t {
  frozen,   // its state is whole where the next process of the pit will read it
  settles,  // something is under way that cannot be handed over: asked again soon
  failed,   // the state cannot be kept; the text says why
};

class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  // Handles one request and ends it: exactly one commit(), fail() or defer(). One left without ends as internal.
  virtual void on_request(const Request& request, ReplyWriter& reply) noexcept = 0;
  // When on_due() is wanted, as of now; read between requests.
  [[nodiscard]] virtual TimeNs next_due_ns() const noexcept { return no_deadline_ns; }
  // next_due_ns() has passed; `now` is the exact clock.
  virtual void on_due(TimeNs now) noexcept { static_cast<void>(now); }
  // After one or several nudge().
  virtual void on_nudge() noexcept {}
  // A of protocol rule D4: the last request of this link that the pit's state contains; its caller waits for the
  // endings of all up to it, and sends the others again.
  [[nodiscard]] virtual std::uint64_t last_id(std::uint64_t link) const noexcept { return static_cast<void>(link), 0; }
  // The link was attached; nothing has been taken from it yet.
  virtual void on_attached(std::uint64_t link) noexcept { static_cast<void>(link); }
  // The link is over for good, and what its caller had sent has been handled.
  virtual void on_gone(std::uint64_t link) noexcept { static_cast<void>(link); }
  // Another process is to go on from this pit's state: nothing is taken from the links any more, and nothing but
  // on_nudge(), until `frozen` or a failure, enters the handler. `memory`: where to write a state that does not outlive
  // this process anyway; it is given once, with the first of these calls, and may be kept. `why`: text of a failure, or
  // what has to settle; at most 511 bytes.
  [[nodiscard]] virtual Freezing freeze(UniqueFd& memory, std::string& why) {
    static_cast<void>(memory);
    why = "this pit's runtime hands over no state";
    return Freezing::failed;
  }
  // The other process did not take over: this one goes on.
  virtual void thaw() noexcept {}
  // Between two requests: write a copy of the state to `memory`, and go on. False: `why`, at most 511 bytes.
  [[nodiscard]] virtual bool write_copy(UniqueFd memory, std::string& why) {
    static_cast<void>(memory);
    why = "this pit's runtime writes no copies of its state";
    return false;
  }
  // An ending that was queued is on its link, and its caller reads there.
  virtual void on_later_written(std::uint64_t link, std::uint64_t id) noexcept {
    static_cast<void>(link), static_cast<void>(id);
  }
};

struct ServiceOptions {
  std::string name;
  std::string version;
  std::uint32_t reply_size_max = 64 * 1024;
  Waiting waiting = Waiting::adaptive;         // for requests
  Placement placement = Placement::automatic;  // of run()'s thread, seen from its callers
  // Called once, on the data thread, when this service has its threads and the broker has not heard yet that the pit is
  // ready: the last walls of a sandbox. What it returns is told to the broker.
  std::function<result<SandboxBlocks>()> confine{};
};

struct ServiceCounters {
  std::uint64_t requests = 0;
  std::uint64_t overdue = 0;      // past their deadline when their turn came: their caller has ended them
  std::uint64_t refused_ids = 0;  // not above the last one of their link
  std::uint64_t peer_faults = 0;
  std::uint64_t sleeps = 0;  // as LinkCounters, over all links
  std::uint64_t spurious_wakes = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t timeouts_with_data = 0;
  std::uint64_t wakes_sent = 0;
  std::uint64_t wakes_needed = 0;
};

namespace detail {
class ServiceCore;
}

class Service {
 public:
  // Takes the control socket that the keeper gave this process and says that the pit is ready.
  // Errors: unreachable, version_mismatch, out_of_descriptors, invalid_argument.
  [[nodiscard]] static result<Service> adopt(UniqueFd control_socket, const ServiceOptions& options);
  Service(Service&&) noexcept;
  Service& operator=(Service&&) noexcept;
  ~Service();

  // For a process that is to take over another one's state: says on the control socket that it is prepared, and waits
  // until it may read the state. Before adopt(). Errors: closed (the broker stopped it: it is not wanted any more),
  // unreachable. `rehearse`: may be asked before that, with a copy of the state: restores it, and sees that a snapshot
  // of what there is then is the same; false: `why`. `took_ns`: what the restore took.
  using Rehearsal = std::function<bool(UniqueFd copy, std::string& why, TimeNs& took_ns)>;
  [[nodiscard]] static result<void> await_state(const UniqueFd& control_socket, const Rehearsal& rehearse);

  // Serves until the broker says stop, stop() is called, or keeper and broker are both gone.   [data-thread]
  void run(RequestHandler& handler) noexcept;
  void stop() noexcept;
  // Has on_nudge() called soon on the data thread.   [any thread]
  void nudge() noexcept;
  // A control socket for an Endpoint of this process: for the calls that the pit makes itself. Waits for the broker's
  // answer. Errors: refused (the operator lets this pit call nobody), timeout, unreachable.   [any thread but run()'s]
  [[nodiscard]] result<UniqueFd> wait_caller_socket(TimeNs deadline_ns);
  // Ends a request that was left for later: with a reply, or, where status is not ok, with that and the body as its
  // text.   [data-thread, inside a function of the handler]
  [[nodiscard]] LaterOutcome reply(const LaterReply& to, CallStatus status, std::uint32_t type,
                                   std::span<const std::byte> body) noexcept;
  // Writes what reply() queued as far as there is room. True: nothing is queued any more.   [data-thread]
  [[nodiscard]] bool flush_replies(RequestHandler& handler) noexcept;
  [[nodiscard]] ServiceCounters counters() const noexcept;

 private:
  explicit Service(std::unique_ptr<detail::ServiceCore> core) noexcept;
  std::unique_ptr<detail::ServiceCore> core_;
};

}  // namespace symphony
