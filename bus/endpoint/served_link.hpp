// One link as its pit serves it: rule R4, request by request.   Layer: endpoint. Threads: the pit's data thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include <symphony/service.hpp>

#include "bus/channel/channel.hpp"
#include "bus/endpoint/attachment.hpp"
#include "bus/endpoint/call_table.hpp"
#include "bus/endpoint/cancel_word.hpp"

namespace symphony::detail {

class ServedLink final : private ReplyWriter {
 public:
  enum class Turn : std::uint8_t {
    served,   // one request was taken
    idle,     // nothing there
    blocked,  // a request is there, its reply might not fit
    faulted,  // the caller broke the protocol: drop the link
  };

  // `reply_size_max` is what the pit wants; the link's own bound is kept as well (largest_reply_in), so that a caller
  // that has read its replies never keeps its own request waiting.
  // `cancelled`, if any, outlives the link.
  ServedLink(std::unique_ptr<Attached> attached, std::uint32_t reply_size_max, const CancelWord* cancelled = nullptr);

  // Whether serve_one() is worth a call, for who polls: one load.
  [[nodiscard]] bool glance() const noexcept { return busy_ || channel_.glance(); }
  // Takes the next request, if its reply is sure to fit, and runs the handler. A deadline before now_ns has passed.
  [[nodiscard]] Turn serve_one(RequestHandler& handler, ServiceCounters& counters, TimeNs now_ns) noexcept;
  // Ends a request that was left for later.
  [[nodiscard]] LaterOutcome reply_later(std::uint64_t id, CallStatus ending, std::uint32_t type,
                                         std::span<const std::byte> body) noexcept;
  // Writes later replies that found the ring full. True: none waits any more.
  [[nodiscard]] bool flush_later(RequestHandler& handler) noexcept;
  // The caller is gone or going: handles what is committed up to the first 0 and drops the replies.
  void drain(RequestHandler& handler, ServiceCounters& counters) noexcept;

  // Before sleeping: announces it; where needs_heavy_barrier(), then a heavy barrier. look_again: true when there is
  // something to do after all.
  [[nodiscard]] WaitWord arm() noexcept;
  [[nodiscard]] bool look_again() noexcept;
  void disarm() noexcept;
  [[nodiscard]] bool needs_heavy_barrier() const noexcept { return channel_.needs_heavy_barrier(); }

  // Tells a caller that said CLOSING, and whose requests are all handled, that it is CLOSED.
  void answer_close() noexcept;
  void free_idle_space() noexcept { channel_.free_space(true); }
  [[nodiscard]] const control::Attachment& at() const noexcept { return attached_->at; }
  // Where the caller says that it runs; see placement.hpp.
  [[nodiscard]] std::uint32_t placement() const noexcept;
  [[nodiscard]] RingFault fault() const noexcept { return channel_.fault(); }
  [[nodiscard]] std::uint64_t wakes_sent() const noexcept { return channel_.wakes_sent(); }
  [[nodiscard]] std::uint64_t wakes_needed() const noexcept { return channel_.wakes_needed(); }

 private:
  using Channel = PitChannel<RealMem>;
  [[nodiscard]] std::span<std::byte> claim(std::uint32_t size) noexcept override;
  void commit(std::uint32_t used, std::uint32_t type) noexcept override;
  void fail(CallStatus status, std::string_view text) noexcept override;
  [[nodiscard]] LaterReply defer() noexcept override;
  [[nodiscard]] bool is_abandoned() const noexcept override;
  [[nodiscard]] bool room_for_reply() noexcept;  // false: blocked_, and the caller is asked for space
  [[nodiscard]] bool write_later(std::uint64_t id, CallStatus ending, std::uint32_t type,
                                 std::span<const std::byte> body) noexcept;
  void confirm(RequestHandler& handler) noexcept;
  [[nodiscard]] bool may_be_unread(std::uint64_t id) noexcept;  // written just now
  void handle(const Channel::Record& record, RequestHandler& handler, ServiceCounters& counters,
              TimeNs now_ns) noexcept;
  [[nodiscard]] bool reply_fits() noexcept;

  std::unique_ptr<Attached> attached_;
  Channel channel_;
  std::uint32_t reply_size_max_;
  const CancelWord* cancelled_;
  std::uint64_t last_id_ = 0;  // D6: ids only rise
  bool blocked_ = false;
  bool busy_ = false;  // blocked_, or later_ is not empty
  bool discarding_ = false;
  bool closed_ = false;
  // Later replies that found the ring full, in the order they were given. Bounded by how many requests a pit may leave.
  struct Later {
    std::uint64_t id;
    CallStatus ending;
    std::uint32_t type;
    std::vector<std::byte> body;
  };
  std::deque<Later> later_;
  // The caller uses this epoch: a request came. Until then an ending may be written for nobody to read, as the attach
  // may still fail on the caller's side; then it is given again on the next epoch.
  bool is_confirmed_ = false;
  std::vector<std::uint64_t> unconfirmed_;  // endings written before
  // Of the request being handled.
  Envelope envelope_;
  Channel::Out::Claim claim_;
  std::uint32_t claimed_ = 0;
  bool ended_ = false;
  Buffer body_;     // the request's bytes, out of the caller's reach
  Buffer scratch_;  // where replies go that nobody will read
};

}  // namespace symphony::detail
