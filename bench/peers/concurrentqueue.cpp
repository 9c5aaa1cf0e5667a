// moodycamel's ConcurrentQueue as a peer, between two threads: it keeps pointers, so it cannot lie in shared memory.
#include <concurrentqueue/concurrentqueue.h>

#include "bench/peers/link_of.hpp"
#include "bench/peers/slots.hpp"
#include "bus/base/platform.hpp"

namespace symphony::bench::peers {
namespace {

template <std::size_t bytes>
using Queue = moodycamel::ConcurrentQueue<Slot<bytes>>;

template <std::size_t bytes>
class QueueWire {
 public:
  QueueWire(Queue<bytes>& in, Queue<bytes>& out, std::size_t size)
      : in_(in), out_(out), consumer_(in), producer_(out), size_(size) {}

  bool send(std::uint64_t number) {
    fill(message_.data(), size_, number);
    while (!out_.try_enqueue(producer_, message_)) detail::cpu_relax();
    return true;
  }
  Outcome receive(std::uint64_t number) {
    while (!in_.try_dequeue(consumer_, message_)) detail::cpu_relax();
    return judged(is_right(message_.data(), size_, number));
  }

 private:
  Queue<bytes>& in_;
  Queue<bytes>& out_;
  moodycamel::ConsumerToken consumer_;
  moodycamel::ProducerToken producer_;
  std::size_t size_;
  alignas(detail::cache_line_size) Slot<bytes> message_{};
};

template <std::size_t bytes>
class Queues final : public Adapter {
 public:
  result<void> prepare(std::size_t size) override {
    size_ = size;
    return {};
  }
  std::unique_ptr<Link> open(End end) override {
    Queue<bytes>& in = queues_[end == End::caller ? 0 : 1];
    Queue<bytes>& out = queues_[end == End::caller ? 1 : 0];
    return std::make_unique<LinkOf<QueueWire<bytes>>>(in, out, size_);
  }

 private:
  // One producer with a token, none without.
  static constexpr std::size_t capacity = buffer_bytes / bytes;
  Queue<bytes> queues_[2] = {Queue<bytes>(capacity, 1, 0), Queue<bytes>(capacity, 1, 0)};
  std::size_t size_ = 0;
};

constexpr std::array<AdapterEntry, 1> all{
    {{"concurrentqueue", []() -> std::unique_ptr<Adapter> { return std::make_unique<SlotAdapter<Queues>>(); }}}};

}  // namespace

std::span<const AdapterEntry> adapters() noexcept { return all; }

}  // namespace symphony::bench::peers
