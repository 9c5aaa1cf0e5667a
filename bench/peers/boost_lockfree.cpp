// Boost.Lockfree's single-producer single-consumer queue as a peer, in memory of the kind that our own links use.
#include <boost/lockfree/spsc_queue.hpp>

#include <new>

#include <symphony/clock.hpp>

#include "bench/peers/link_of.hpp"
#include "bench/peers/slots.hpp"
#include "bus/base/platform.hpp"
#include "bus/memory/mapping.hpp"
#include "bus/memory/segment.hpp"

namespace symphony::bench::peers {
namespace {

// One more slot than it can hold is how the queue tells full from empty.
template <std::size_t bytes>
using Queue = boost::lockfree::spsc_queue<Slot<bytes>, boost::lockfree::capacity<buffer_bytes / bytes - 1>>;

template <std::size_t bytes>
class QueueWire {
 public:
  QueueWire(detail::Mapping in, detail::Mapping out, std::size_t size) noexcept
      : in_(std::move(in)), out_(std::move(out)), size_(size) {}

  bool send(std::uint64_t number) noexcept {
    fill(message_.data(), size_, number);
    while (!queue_of(out_).push(message_)) detail::cpu_relax();
    return true;
  }
  Outcome receive(std::uint64_t number) noexcept {
    bool right = false;
    while (!queue_of(in_).consume_one([&](const auto& slot) { right = is_right(slot.data(), size_, number); })) {
      detail::cpu_relax();
    }
    return judged(right);
  }
  static Queue<bytes>& queue_of(const detail::Mapping& mapping) noexcept {
    return *reinterpret_cast<Queue<bytes>*>(mapping.data() + detail::segment_header_size);
  }

 private:
  detail::Mapping in_;
  detail::Mapping out_;
  std::size_t size_;
  alignas(detail::cache_line_size) Slot<bytes> message_{};
};

template <std::size_t bytes>
class Queues final : public Adapter {
 public:
  result<void> prepare(std::size_t size) override {
    size_ = size;
    auto made = detail::create_segment_pair(segment_size, segment_size, static_cast<std::uint64_t>(now_ns()));
    if (!made) return unexpected(made.error());
    segments_ = *std::move(made);
    for (const UniqueFd* fd : {&segments_.caller, &segments_.pit}) {
      const auto mapping = detail::Mapping::map(fd->get(), segment_size, detail::Access::read_write);
      if (!mapping) return unexpected(mapping.error());
      new (mapping->data() + detail::segment_header_size) Queue<bytes>;
    }
    return {};
  }
  std::unique_ptr<Link> open(End end) override {
    const bool is_caller = end == End::caller;
    auto in = detail::Mapping::map((is_caller ? segments_.pit : segments_.caller).get(), segment_size,
                                   detail::Access::read_write);
    auto out = detail::Mapping::map((is_caller ? segments_.caller : segments_.pit).get(), segment_size,
                                    detail::Access::read_write);
    if (!in || !out) return nullptr;
    return std::make_unique<LinkOf<QueueWire<bytes>>>(*std::move(in), *std::move(out), size_);
  }

 private:
  static constexpr std::uint64_t segment_size =
      detail::segment_header_size +
      (sizeof(Queue<bytes>) + detail::page_size - 1) / detail::page_size * detail::page_size;
  detail::SegmentPair segments_;
  std::size_t size_ = 0;
};

constexpr std::array<AdapterEntry, 1> all{
    {{"boost_lockfree", []() -> std::unique_ptr<Adapter> { return std::make_unique<SlotAdapter<Queues>>(); }}}};

}  // namespace

std::span<const AdapterEntry> adapters() noexcept { return all; }

}  // namespace symphony::bench::peers
