// moodycamel's ReaderWriterQueue as a peer, between two threads: it keeps pointers, so it cannot lie in shared memory.
#include <readerwriterqueue/readerwriterqueue.h>

#include "bench/peers/link_of.hpp"
#include "bench/peers/slots.hpp"
#include "bus/base/platform.hpp"

namespace symphony::bench::peers {
namespace {

template <std::size_t bytes>
using Queue = moodycamel::ReaderWriterQueue<Slot<bytes>>;

template <std::size_t bytes>
class QueueWire {
 public:
  QueueWire(Queue<bytes>& in, Queue<bytes>& out, std::size_t size) : in_(in), out_(out), size_(size) {}

  bool send(std::uint64_t number) {
    fill(message_.data(), size_, number);
    while (!out_.try_enqueue(message_)) detail::cpu_relax();
    return true;
  }
  Outcome receive(std::uint64_t number) {
    const Slot<bytes>* slot = in_.peek();
    for (; slot == nullptr; slot = in_.peek()) detail::cpu_relax();
    const bool right = is_right(slot->data(), size_, number);
    in_.pop();
    return judged(right);
  }

 private:
  Queue<bytes>& in_;
  Queue<bytes>& out_;
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
  Queue<bytes> queues_[2] = {Queue<bytes>(buffer_bytes / bytes), Queue<bytes>(buffer_bytes / bytes)};
  std::size_t size_ = 0;
};

constexpr std::array<AdapterEntry, 1> all{
    {{"readerwriterqueue", []() -> std::unique_ptr<Adapter> { return std::make_unique<SlotAdapter<Queues>>(); }}}};

}  // namespace

std::span<const AdapterEntry> adapters() noexcept { return all; }

}  // namespace symphony::bench::peers
