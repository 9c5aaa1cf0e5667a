#include "bench/peers/ours.hpp"

#include <type_traits>
#include <vector>

#include <symphony/clock.hpp>
#include <symphony/envelope.hpp>

#include "bench/peers/link_of.hpp"
#include "bench/peers/payload.hpp"
#include "bus/base/platform.hpp"
#include "bus/channel/channel.hpp"
#include "bus/memory/mapping.hpp"
#include "bus/memory/segment.hpp"

namespace symphony::bench::peers {
namespace {

constexpr std::uint32_t capacity = buffer_bytes;
// As a default link's: who sleeps for every message does not offer the barrier that makes commits cheap.
template <Wait wait>
constexpr detail::Geometry geometry{capacity, capacity, 0x5eed, 0xfeed, wait == Wait::spin};
constexpr std::size_t built_aside_max = 4096;
// A sleep is bounded although no wake-up is ever missed: a link's is too.
constexpr TimeNs sleep_max_ns = 100 * ms_ns;

struct Area {
  detail::Mapping own;
  detail::Mapping peer;
};

template <class Channel, Wait wait>
class OurWire {
 public:
  OurWire(Area area, std::size_t size)
      : area_(std::move(area)),
        channel_(area_.own.data(), area_.peer.data(), geometry<wait>),
        buffer_(size / sizeof(std::uint64_t)),
        size_(static_cast<std::uint32_t>(size)) {}

  bool send(std::uint64_t number) noexcept {
    const Envelope envelope{.id = number, .flags = is_pit ? flag::reply : flag::request};
    if (size_ <= built_aside_max) {
      fill(buffer_.data(), size_, number);
      std::uint64_t at = 0;
      return when_room([&] { return channel_.try_send(envelope, std::as_bytes(std::span(buffer_)), 0, at); });
    }
    return when_room([&] {
      auto claim = channel_.try_claim(size_);
      if (!claim) return false;
      fill(Channel::body_of(claim).data(), size_, number);
      channel_.commit(std::move(claim), envelope, size_);
      return true;
    });
  }

  Outcome receive(std::uint64_t number) noexcept {
    typename Channel::Record record;
    for (;;) {
      const detail::Poll poll = channel_.try_peek(record);
      if (poll == detail::Poll::record) break;
      if (poll == detail::Poll::fault) return Outcome::failed;
      if constexpr (wait == Wait::spin) {
        detail::cpu_relax();
      } else {
        sleep_for_message();
      }
    }
    if (Channel::body_size(record) != size_) return Outcome::wrong_data;
    const Envelope envelope = channel_.copy_envelope(record);
    if constexpr (is_pit) channel_.begin(record);
    (void)channel_.copy_body(record, std::as_writable_bytes(std::span(buffer_)));
    const bool right = envelope.id == number && is_right(buffer_.data(), size_, number);
    channel_.finish(record);
    channel_.free_space(false);
    return judged(right);
  }

 private:
  static constexpr bool is_pit = std::is_same_v<Channel, detail::PitChannel<>>;

  void sleep_for_message() noexcept {
    channel_.free_space(true);  // the other side may wait for it while nobody looks here
    const detail::WaitWord word = channel_.arm();
    if (!channel_.look_again()) (void)detail::wait_any({&word, 1}, deadline_after(sleep_max_ns));
    channel_.disarm();
  }

  template <class Try>
  bool when_room(Try&& attempt) noexcept {
    while (!attempt()) {
      if (channel_.fault() != detail::RingFault::none) return false;
      if constexpr (wait == Wait::spin) {
        detail::cpu_relax();
      } else {
        channel_.want_space(true);
        const detail::WaitWord word = channel_.arm();
        channel_.look_again_for_space();
        const bool sent = attempt();
        if (!sent) (void)detail::wait_any({&word, 1}, deadline_after(sleep_max_ns));
        channel_.disarm();
        channel_.want_space(false);
        if (sent) break;
      }
    }
    return true;
  }

  Area area_;
  Channel channel_;
  std::vector<std::uint64_t> buffer_;
  std::uint32_t size_;
};

template <Wait wait>
class Ours final : public Adapter {
 public:
  result<void> prepare(std::size_t size) override {
    size_ = size;
    auto made = detail::create_segment_pair(detail::caller_segment_size(capacity), detail::pit_segment_size(capacity),
                                            static_cast<std::uint64_t>(now_ns()));
    if (!made) return unexpected(made.error());
    segments_ = *std::move(made);
    return {};
  }

  std::unique_ptr<Link> open(End end) override {
    const bool is_caller = end == End::caller;
    const int mine = is_caller ? segments_.caller.get() : segments_.pit.get();
    const int theirs = is_caller ? segments_.pit.get() : segments_.caller.get();
    auto own = detail::Mapping::map(mine, detail::caller_segment_size(capacity), detail::Access::read_write);
    auto peer = detail::Mapping::map(theirs, detail::caller_segment_size(capacity), detail::Access::read_only);
    if (!own || !peer) return nullptr;
    Area area{*std::move(own), *std::move(peer)};
    if (is_caller) return std::make_unique<LinkOf<OurWire<detail::CallerChannel<>, wait>>>(std::move(area), size_);
    return std::make_unique<LinkOf<OurWire<detail::PitChannel<>, wait>>>(std::move(area), size_);
  }

 private:
  detail::SegmentPair segments_;
  std::size_t size_ = 0;
};

}  // namespace

std::unique_ptr<Adapter> make_ours(Wait wait) {
  if (wait == Wait::spin) return std::make_unique<Ours<Wait::spin>>();
  return std::make_unique<Ours<Wait::sleep>>();
}

}  // namespace symphony::bench::peers
