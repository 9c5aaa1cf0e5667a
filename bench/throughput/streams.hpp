// The kinds of streams that bench_throughput compares, each with both of its sides.   Layer: bench.
//
// Every kind carries the same user data, written whole by one process and read whole by the other. A stream is made
// twice, once in each process, of the same segments; messages are numbered from 0 on both sides.
//   RawStream      the limit: raw_slots.hpp
//   RingStream     the ring alone: release commit, nobody may sleep, no envelope
//   ChannelStream  a link's request direction: envelope, begun and handled stored, commit that wakes a sleeper, each
//                  message visible when commit returns. `batch` messages are published at once where it is above 1
//   BoostStream    boost::lockfree::spsc_queue of as many fixed elements as fit into the same bytes
// A consumer that maps the data read-only copies each message before it reads it, as towards a hostile producer; one
// that maps it writable reads in place.
// Threads: one a process. Both trust each other.
#pragma once

#include <array>
#include <new>
#include <optional>

#include <boost/lockfree/spsc_queue.hpp>
#include <symphony/envelope.hpp>

#include "bench/latency/link_series.hpp"
#include "bench/throughput/raw_slots.hpp"

namespace symphony::bench {

// Where a stream's bytes are, in one process.
struct StreamPlace {
  detail::Mapping own;
  detail::Mapping peer;
  End end = End::caller;
  std::uint32_t capacity = 0;
  bool peer_writable = false;

  [[nodiscard]] std::byte* caller() const noexcept { return (end == End::caller ? own : peer).data(); }
  [[nodiscard]] std::byte* pit() const noexcept { return (end == End::caller ? peer : own).data(); }
  [[nodiscard]] std::byte* data() const noexcept { return caller() + detail::data_offset; }
  [[nodiscard]] std::uint64_t* caller_word() const noexcept { return word(caller(), 0); }
  [[nodiscard]] std::uint64_t* pit_word(std::size_t line) const noexcept { return word(pit(), line); }

 private:
  static std::uint64_t* word(std::byte* segment, std::size_t line) noexcept {
    return reinterpret_cast<std::uint64_t*>(segment + detail::words_offset + line * detail::cache_line_size);
  }
};

template <std::size_t size>
inline constexpr std::size_t words_of = size / sizeof(std::uint64_t);

template <std::size_t size>
inline void write_body(std::byte* body, std::uint64_t number) noexcept {
  auto* words = reinterpret_cast<std::uint64_t*>(body);
  for (std::size_t i = 0; i < words_of<size>; ++i) words[i] = number + i;
}

// What a consumer found: every word, and whether the messages came in order.
struct Received {
  std::uint64_t sum = 0;
  std::uint64_t out_of_order = 0;

  template <std::size_t size>
  void read_body(const std::byte* body, std::uint64_t number) noexcept {
    const auto* words = reinterpret_cast<const std::uint64_t*>(body);
    std::uint64_t of_body = 0;
    for (std::size_t i = 0; i < words_of<size>; ++i) of_body += words[i];
    sum += of_body;
    out_of_order += words[0] != number;
  }

  // The sum over messages [first, first + count).
  template <std::size_t size>
  [[nodiscard]] static constexpr std::uint64_t sum_of(std::uint64_t first, std::uint64_t count) noexcept {
    constexpr std::uint64_t words = words_of<size>;
    return words * (first * count + count * (count - 1) / 2) + count * (words * (words - 1) / 2);
  }
};

template <std::size_t size>
class RawStream {
 public:
  explicit RawStream(const StreamPlace& p) noexcept : slots_(p.data(), p.capacity, p.caller_word(), p.pit_word(0)) {}
  template <class GiveUp>
  bool send(std::uint64_t count, GiveUp&& give_up) noexcept {
    return slots_.send(
        count, [](std::byte* slot, std::uint64_t number) { write_body<size>(slot, number); }, give_up);
  }
  template <class GiveUp>
  bool receive(std::uint64_t count, Received& into, GiveUp&& give_up) noexcept {
    return slots_.receive(
        count, [&](const std::byte* slot, std::uint64_t number) { into.read_body<size>(slot, number); }, give_up);
  }

 private:
  RawSlots<size> slots_;
};

// Reads one message: in place, or a copy of it.
template <std::size_t size>
class Reader {
 public:
  explicit Reader(bool copies) noexcept : copies_(copies) {}
  void read(const std::byte* body, std::uint64_t number, Received& into) noexcept {
    if (copies_) {
      detail::RealMem::copy_out(copy_.data(), body, size);
      body = copy_.data();
    }
    into.read_body<size>(body, number);
  }

 private:
  bool copies_;
  alignas(64) std::array<std::byte, size> copy_;
};

template <std::size_t size>
class RingStream {
 public:
  explicit RingStream(const StreamPlace& p) noexcept
      : out_(p.data(), p.capacity, 0x5eed, {p.caller_word(), p.pit_word(0)}),
        in_(p.data(), p.capacity, 0x5eed, {nullptr, nullptr, p.pit_word(0)}, {}, p.peer_writable ? p.data() : nullptr),
        reader_(!p.peer_writable) {}

  template <class GiveUp>
  bool send(std::uint64_t count, GiveUp&& give_up) noexcept {
    for (const std::uint64_t end = next_ + count; next_ != end; ++next_) {
      detail::Producer<detail::RealMem>::Claim claim;
      const auto claimed = [&] { return static_cast<bool>(claim = out_.try_claim(size)); };
      if (!wait_for(claimed, give_up)) return false;
      write_body<size>(claim.bytes().data(), next_);
      // sync ring.commit release: nobody sleeps here.
      (void)out_.template commit<detail::Order::release>(std::move(claim), size);
    }
    return true;
  }
  template <class GiveUp>
  bool receive(std::uint64_t count, Received& into, GiveUp&& give_up) noexcept {
    for (const std::uint64_t end = next_ + count; next_ != end; ++next_) {
      detail::Consumer<detail::RealMem>::Record record;
      const auto arrived = [&] { return in_.try_peek(record) == detail::Poll::record; };
      const auto idle = [&] { return in_.free(), give_up(); };
      if (!wait_for(arrived, idle)) return false;
      if (record.bytes.size() != size) return false;
      reader_.read(record.bytes.data(), next_, into);
      in_.finish(record);
      if (in_.frees_soon()) in_.free();
    }
    in_.free();
    return true;
  }

 private:
  detail::Producer<detail::RealMem> out_;
  detail::Consumer<detail::RealMem> in_;
  Reader<size> reader_;
  std::uint64_t next_ = 0;
};

template <std::size_t size, std::uint64_t batch>
class ChannelStream {
 public:
  explicit ChannelStream(const StreamPlace& p) noexcept : reader_(!p.peer_writable) {
    // As a default link: nobody sleeps here, so nobody has to make the barrier.
    const detail::Geometry geometry{p.capacity, detail::ring_capacity_min, 0x5eed, 0xfeed, true};
    if (p.end == End::caller) {
      caller_.emplace(p.own.data(), p.peer.data(), geometry);
    } else {
      pit_.emplace(p.own.data(), p.peer.data(), geometry, detail::RealMem{},
                   p.peer_writable ? p.peer.data() + detail::data_offset : nullptr);
    }
  }

  template <class GiveUp>
  bool send(std::uint64_t count, GiveUp&& give_up) noexcept {
    for (const std::uint64_t end = next_ + count; next_ != end; ++next_) {
      if (batch > 1 && next_ % batch == 0) caller_->begin_batch();
      detail::CallerChannel<>::Out::Claim claim;
      const auto claimed = [&] { return static_cast<bool>(claim = caller_->try_claim(size)); };
      if (!claimed()) {
        // What is staged frees no space as long as nobody sees it.
        if (batch > 1) caller_->publish_batch();
        if (!wait_for(claimed, give_up)) return false;
      }
      write_body<size>(caller_->body_of(claim).data(), next_);
      (void)caller_->commit(std::move(claim), {.id = next_ + 1, .flags = flag::request}, size);
      if (batch > 1 && (next_ + 1) % batch == 0) caller_->publish_batch();
    }
    if (batch > 1) caller_->publish_batch();
    return true;
  }
  template <class GiveUp>
  bool receive(std::uint64_t count, Received& into, GiveUp&& give_up) noexcept {
    for (const std::uint64_t end = next_ + count; next_ != end; ++next_) {
      detail::PitChannel<>::Record record;
      const auto arrived = [&] { return pit_->try_peek(record) == detail::Poll::record; };
      const auto idle = [&] { return pit_->free_space(true), give_up(); };
      if (!wait_for(arrived, idle)) return false;
      const Envelope envelope = pit_->copy_envelope(record);
      pit_->begin(record);
      if (pit_->body_size(record) != size || envelope.id != next_ + 1) return false;
      reader_.read(record.bytes.data() + sizeof(Envelope), next_, into);
      pit_->finish(record);
      pit_->free_space(false);
    }
    pit_->free_space(true);
    return true;
  }

 private:
  std::optional<detail::CallerChannel<>> caller_;
  std::optional<detail::PitChannel<>> pit_;
  Reader<size> reader_;
  std::uint64_t next_ = 0;
};

template <std::size_t size>
class BoostStream {
 public:
  struct Element {
    alignas(8) std::array<std::byte, size> bytes;
  };
  // Its capacity is a constant of the type, where it may lie in shared memory.
  template <std::size_t capacity>
  using Queue = boost::lockfree::spsc_queue<Element, boost::lockfree::capacity<capacity / size>>;

  // It has one element more than it holds, and its positions.
  static constexpr std::size_t extra_bytes = sizeof(Queue<256 * 1024>) - 256 * 1024 + 4096;

  // To be done once, before either side uses the place.
  static void construct(std::byte* data, std::size_t capacity) {
    with_queue(data, capacity, [&]<class Q>(Q& queue) { return new (&queue) Q, true; });
  }

  explicit BoostStream(const StreamPlace& p) noexcept : data_(p.data()), capacity_(p.capacity) {}

  template <class GiveUp>
  bool send(std::uint64_t count, GiveUp&& give_up) noexcept {
    return with_queue(data_, capacity_, [&](auto& queue) {
      for (const std::uint64_t end = next_ + count; next_ != end; ++next_) {
        write_body<size>(element_.bytes.data(), next_);
        if (!wait_for([&] { return queue.push(element_); }, give_up)) return false;
      }
      return true;
    });
  }
  template <class GiveUp>
  bool receive(std::uint64_t count, Received& into, GiveUp&& give_up) noexcept {
    return with_queue(data_, capacity_, [&](auto& queue) {
      for (const std::uint64_t end = next_ + count; next_ != end; ++next_) {
        const auto take = [&](const Element& e) { into.read_body<size>(e.bytes.data(), next_); };
        if (!wait_for([&] { return queue.consume_one(take); }, give_up)) return false;
      }
      return true;
    });
  }

 private:
  template <class Use>
  static bool with_queue(std::byte* data, std::size_t capacity, Use&& use) {
    if (capacity == 256 * 1024) return use(*reinterpret_cast<Queue<256 * 1024>*>(data));
    if (capacity == 1024 * 1024) return use(*reinterpret_cast<Queue<1024 * 1024>*>(data));
    return use(*reinterpret_cast<Queue<4096 * 1024>*>(data));
  }

  std::byte* data_;
  std::size_t capacity_;
  Element element_;
  std::uint64_t next_ = 0;
};

}  // namespace symphony::bench
