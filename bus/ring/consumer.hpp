// The reading end of a byte ring; see producer.hpp for the invariants.   Layer: ring.
//
// For each record: try_peek, begin, work, finish. Then free() returns the space of all finished records at once.
// `begun` past `handled` tells a recoverer that a record was being worked on; flow control reads `freed` only. Threads:
// one thread at a time. No call blocks or allocates. Trust:   the producer may be hostile: each header is read once and
// judged in one function; a lie faults the ring, for good.
//          The bytes of a record may change under a hostile producer: copy them before use (ring_copy in channel).
// Format:  docs/formats/ring.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bus/ring/mem.hpp"
#include "bus/ring/record.hpp"

namespace symphony::detail {

enum class Poll : std::uint8_t { empty, record, fault };

template <class Mem, class Ring = WideRing>
class Consumer {
 public:
  using Position = typename Ring::Position;

  // This side's words. begun and handled are null for replies, which nobody executes.
  struct Words {
    Position* begun;
    Position* handled;
    Position* freed;
  };

  struct Record {
    std::span<const std::byte> bytes;
    Position position = 0;
    Position end = 0;
  };

  // Pads skipped by one try_peek: pads count as work, so that a peer cannot keep a consumer busy for ever.
  static constexpr int pads_per_peek_max = 2;

  // Records of 16 KiB and more are not written back: there it costs more than it brings (decision 0012).
  static constexpr std::uint64_t write_back_max = 16 * 1024 - Ring::line;

  // `write_back`: the same bytes as data in a writable mapping, or null where this side may only read them.
  Consumer(const std::byte* data, Position capacity, std::uint32_t salt, Words words, Mem mem = {},
           std::byte* write_back = nullptr) noexcept
      : mem_(mem), data_(data), write_back_(write_back), capacity_(capacity), salt_(salt), words_(words) {}

  // The next record in place, or empty. `out` is valid until finish().
  [[nodiscard]] Poll try_peek(Record& out) noexcept {
    if (fault_ != RingFault::none) return Poll::fault;
    for (int pads = 0; pads <= pads_per_peek_max; ++pads) {
      const Position offset = head_ & static_cast<Position>(capacity_ - 1);
      // sync ring.commit acquire: from here the bytes of the record at head may be read.
      const auto header =
          mem_.template load<Order::acquire, Site::header>(reinterpret_cast<const std::uint64_t*>(data_ + offset));
      if (header == 0) {
        written_back_ = finished_;  // idle: what is not written back by now is left as it is
        return Poll::empty;
      }
      RecordHeader record;
      fault_ =
          check_header<Ring>(header, head_, static_cast<std::uint64_t>(capacity_) - offset, capacity_, salt_, record);
      if (fault_ != RingFault::none) return Poll::fault;
      const std::uint64_t stride = stride_of<Ring>(record.size);
      if (static_cast<Position>(head_ - freed_) + stride + Ring::line > capacity_) {
        fault_ = RingFault::overrun;
        return Poll::fault;
      }
      const auto end = static_cast<Position>(head_ + stride);
      if (!record.pad) {
        if (write_back_ != nullptr) write_back();
        out = {{data_ + offset + header_size, record.size}, head_, end};
        return Poll::record;
      }
      head_ = end;
    }
    return Poll::empty;
  }

  // Whether try_peek() is worth a call, for who polls: one load.
  [[nodiscard]] bool glance() const noexcept {
    // sync ring.commit acquire: only whether there is a record; its bytes are read after a try_peek().
    return has_next<Order::acquire>();
  }

  // Whether a header stands at head: what a sleeper looks at once more (S1). Judges nothing.
  template <Order order>
  [[nodiscard]] bool has_next() const noexcept {
    const Position offset = head_ & static_cast<Position>(capacity_ - 1);
    // order policy: the caller chooses it, and names the pair.
    return mem_.template load<order, Site::header>(reinterpret_cast<const std::uint64_t*>(data_ + offset)) != 0;
  }

  // The handler of `record` is about to run.
  void begin(const Record& record) noexcept {
    // sync ring.begun release: whoever sees it knows that everything before `record` was handled.
    mem_.template store<Order::release, Site::begun>(words_.begun, record.end);
  }

  // `record` is done, and its bytes are not to be looked at again: a later try_peek() may write into them.
  void finish(const Record& record) noexcept {
    finished_ = head_ = record.end;
    if (words_.handled != nullptr) {
      // sync ring.handled release: the effects of `record`, and its reply's commit, come before it.
      mem_.template store<Order::release, Site::handled>(words_.handled, head_);
    }
  }

  // Gives the space of all finished records back to the producer.
  // `publish` is seq_cst where the producer may sleep for space.
  template <Order publish = Order::release>
  void free() noexcept {
    freed_ = written_back_ = finished_ = head_;  // what is freed is the producer's again: not to be written back
    // sync ring.freed release: we have finished reading what the producer overwrites from here on.
    mem_.template store<publish, Site::freed>(words_.freed, freed_);
  }

  // Finished bytes not yet given back.
  [[nodiscard]] Position held() const noexcept { return static_cast<Position>(head_ - freed_); }
  [[nodiscard]] bool frees_soon() const noexcept { return held() >= capacity_ / 8; }
  [[nodiscard]] Position head() const noexcept { return head_; }
  [[nodiscard]] RingFault fault() const noexcept { return fault_; }

 private:
  // Another record waits behind the last one: a backlog. Then a word stored into each finished line makes this core its
  // owner, and the producer's next store takes over one dirty line instead of revoking a shared one.
  void write_back() noexcept {
    if (static_cast<Position>(finished_ - written_back_) <= write_back_max) {
      for (; written_back_ != finished_; written_back_ = static_cast<Position>(written_back_ + Ring::line)) {
        // relaxed: ordered before the producer's stores by freed; a death leaves a prefix of this thread's stores, in
        // which handled comes first.
        mem_.template store<Order::relaxed, Site::write_back>(
            reinterpret_cast<std::uint64_t*>(write_back_ + (written_back_ & static_cast<Position>(capacity_ - 1))),
            std::uint64_t{0});
      }
    }
    written_back_ = finished_;
  }

  [[no_unique_address]] Mem mem_;
  const std::byte* data_;
  std::byte* write_back_;
  Position capacity_;
  std::uint32_t salt_;
  Words words_;
  Position head_ = 0;          // next record
  Position finished_ = 0;      // end of the last record that is done: handled
  Position written_back_ = 0;  // between freed and finished: lines below it are done with
  Position freed_ = 0;         // what the producer was told
  RingFault fault_ = RingFault::none;
};

}  // namespace symphony::detail
