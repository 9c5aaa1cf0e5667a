// The writing end of a byte ring for one producer and one consumer; the record header is the commit.   Layer: ring.
//
// Invariants, between any two operations of either side:
//   R1  a header is 0, or a whole record stands behind it
//   R2  only the producer stores headers; only the consumer stores begun, handled, freed, and, where it may write the
//       data at all, zeros into lines between freed and handled. Nobody relies on these: the producer lays its own
//   R3  freed <= handled <= begun <= published <= freed + capacity - line
// So a producer that dies at any instruction leaves whole records up to the first 0, and nothing to repair.
// Threads: one thread at a time. No call blocks or allocates.
// Trust:   the consumer may be hostile: its one word, freed, is read once and then checked; a lie faults the ring, for
// good. Format:  docs/formats/ring.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "bus/base/check.hpp"
#include "bus/base/wild.hpp"
#include "bus/ring/mem.hpp"
#include "bus/ring/record.hpp"

namespace symphony::detail {

template <class Mem, class Ring = WideRing>
class Producer {
 public:
  using Position = typename Ring::Position;

  struct Words {
    Position* tail;         // own: hint for bulk reads and monitoring
    const Position* freed;  // the consumer's
  };

  // Bytes of one record, reserved and not yet visible to anyone. Dropping it stores nothing.
  class Claim {
   public:
    Claim() noexcept = default;
    [[nodiscard]] explicit operator bool() const noexcept { return valid_; }
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
    [[nodiscard]] Position position() const noexcept { return position_; }  // of the record, behind any pad

   private:
    friend class Producer;
    std::span<std::byte> bytes_;
    Position start_ = 0;  // where its pad, or it itself, begins
    Position position_ = 0;
    bool valid_ = false;
  };

  // Lines of a next record that are fetched ahead; larger records spend their time on copying.
  static constexpr std::uint64_t lines_ahead_max = 4;

  // Precondition: capacity is a power of two, at least 4 lines, and [data, data + capacity) is zero.
  Producer(std::byte* data, Position capacity, std::uint32_t salt, Words words, Mem mem = {}) noexcept
      : mem_(mem), data_(data), capacity_(capacity), salt_(salt), words_(words) {}

  // Reserves size bytes in place, leaving `reserve` more bytes of the ring free. An empty Claim means full (try again
  // after the consumer freed space), larger than record_size_max, or faulted. One claim at a time.
  [[nodiscard]] Claim try_claim(std::uint32_t size, Position reserve = 0) noexcept {
    if (!has_room(size, reserve)) return {};
    const std::uint64_t stride = stride_of<Ring>(size);
    const std::uint64_t pad = pad_before(stride);
    // The claim's bytes may cover the header that was zeroed ahead.
    if (pad + stride > zeroed_ahead_) zeroed_ahead_ = 0;
    Claim claim;
    claim.start_ = staged_;
    claim.position_ = static_cast<Position>(staged_ + pad);
    claim.bytes_ = {at(claim.position_) + header_size, size};
    claim.valid_ = true;
    return claim;
  }

  // Whether try_claim() would give a claim now. Claims nothing: for who must know that an answer will fit before it
  // takes a question. It leaves the lines fetched ahead as they are, which a claim larger than the last record does
  // not.
  [[nodiscard]] bool has_room(std::uint32_t size, Position reserve = 0) noexcept {
    if (size > record_size_max<Ring>(capacity_) || fault_ != RingFault::none) return false;
    const std::uint64_t stride = stride_of<Ring>(size);
    // The line behind the record is zeroed before the record is published, so it must be free too: without it a full
    // ring would zero its own oldest record.
    const std::uint64_t needed = pad_before(stride) + stride + Ring::line + reserve;
    return used() + needed <= capacity_ || (refresh_freed() && used() + needed <= capacity_);
  }

  // Makes the first `used` bytes of the claim a record; visible to the consumer when this returns, except inside a
  // batch. `publish` is release where the consumer only spins, seq_cst where it may sleep (S1, S2).   Returns its
  // position.
  template <Order publish = Order::release>
  Position commit(Claim&& claim, std::uint32_t used) noexcept {
    SYMPHONY_DCHECK(claim.start_ == staged_ && used <= claim.bytes_.size());
    const std::uint64_t stride = stride_of<Ring>(used);
    const auto end = static_cast<Position>(claim.position_ + stride);
    if (static_cast<Position>(end - staged_) != zeroed_ahead_) {
      // relaxed: ordered before the consumer's look by the publishing store of this batch.
      mem_.template store<Order::relaxed, Site::next_header>(header_at(end), std::uint64_t{0});
    }
    stage(claim.position_, encode_header<Ring>(claim.position_, used, false, salt_), claim.position_ == published_);
    if (claim.position_ != claim.start_) {
      const auto pad = static_cast<std::uint32_t>(static_cast<Position>(claim.position_ - claim.start_)) - header_size;
      stage(claim.start_, encode_header<Ring>(claim.start_, pad, true, salt_), claim.start_ == published_);
    }
    staged_ = end;
    zeroed_ahead_ = 0;
    if (!batching_) {
      publish_staged<publish>();
      zero_ahead(stride);
    }
    claim.valid_ = false;
    return claim.position_;
  }

  // Between begin_batch and publish_batch commits are staged; publishing makes them visible all at once.
  void begin_batch() noexcept { batching_ = true; }
  template <Order publish = Order::release>
  void publish_batch() noexcept {
    batching_ = false;
    if (staged_ != published_) publish_staged<publish>();
  }

  // The bytes of a record of this producer that the consumer has not freed: for sending it again on another ring.
  [[nodiscard]] std::span<const std::byte> record_at(Position position, std::uint32_t size) const noexcept {
    return {at(position) + header_size, size};
  }

  [[nodiscard]] Position published() const noexcept { return published_; }
  [[nodiscard]] Position capacity() const noexcept { return capacity_; }
  [[nodiscard]] Position freed() const noexcept { return freed_; }  // the highest accepted one
  [[nodiscard]] RingFault fault() const noexcept { return fault_; }

  // Whether everything that was published has been freed. Reads the consumer's word.
  [[nodiscard]] bool is_drained() noexcept { return refresh_freed() && freed_ == published_; }

  // Takes over the consumer's freed. False: it lied, and the ring is faulted. seq_cst where this side announced that it
  // waits for space and is about to sleep.
  template <Order order = Order::acquire>
  bool refresh_freed() noexcept {
    if (fault_ != RingFault::none) return false;
    // sync ring.freed acquire: the consumer has finished reading what we overwrite from here on.
    const Wild<Position> seen(mem_.template load<order, Site::freed>(words_.freed));
    const auto freed = seen.checked([this](Position f) {
      return f % Ring::line == 0 && static_cast<Position>(f - freed_) <= static_cast<Position>(published_ - freed_);
    });
    if (!freed) {
      fault_ = RingFault::bad_freed;
      return false;
    }
    freed_ = *freed;
    return true;
  }

 private:
  [[nodiscard]] std::uint64_t used() const noexcept { return static_cast<Position>(staged_ - freed_); }
  // What must be skipped so that `stride` bytes are contiguous.
  [[nodiscard]] std::uint64_t pad_before(std::uint64_t stride) const noexcept {
    const std::uint64_t room = capacity_ - (staged_ & (capacity_ - 1));
    return stride > room ? room : 0;
  }
  [[nodiscard]] std::byte* at(Position p) const noexcept { return data_ + (p & static_cast<Position>(capacity_ - 1)); }
  [[nodiscard]] std::uint64_t* header_at(Position p) const noexcept { return reinterpret_cast<std::uint64_t*>(at(p)); }

  // Header 1 of a batch is kept back until the batch is published; the others are not reachable before it.
  void stage(Position position, std::uint64_t header, bool first) noexcept {
    if (first) {
      first_header_ = header;
      return;
    }
    // relaxed: reached by the consumer only through header 1, which is stored later with the publishing order.
    mem_.template store<Order::relaxed, Site::batch_header>(header_at(position), header);
  }

  // Zeroes, where it is free, the header behind a next record as large as the last, and the first word of the lines
  // that this record would take before it. Done now, while nobody waits, and not between that record's payload and its
  // header: there each store would wait for a line of its own while the polling consumer takes the first one away
  // again.
  void zero_ahead(std::uint64_t stride) noexcept {
    if (used() + stride + Ring::line > capacity_) return;
    // The first line is the consumer's next look; it is zero already, and stays with the consumer.
    std::uint64_t distance = stride <= lines_ahead_max * Ring::line ? Ring::line : stride;
    for (; distance <= stride; distance += Ring::line) {
      // relaxed: ordered before the consumer's look by the publishing store of the record before it.
      mem_.template store<Order::relaxed, Site::next_header>(header_at(static_cast<Position>(staged_ + distance)),
                                                             std::uint64_t{0});
    }
    zeroed_ahead_ = static_cast<Position>(stride);
  }

  template <Order publish>
  void publish_staged() noexcept {
    // sync ring.commit release: the records' bytes are visible to whoever acquires this header.
    mem_.template store<publish, Site::header>(header_at(published_), first_header_);
    published_ = staged_;
    // relaxed: a hint; nobody reads records because of it.
    mem_.template store<Order::relaxed, Site::tail>(words_.tail, published_);
  }

  [[no_unique_address]] Mem mem_;
  std::byte* data_;
  Position capacity_;
  std::uint32_t salt_;
  Words words_;
  Position staged_ = 0;     // end of what is committed, published or not
  Position published_ = 0;  // end of what the consumer can see
  Position freed_ = 0;
  Position zeroed_ahead_ = 0;  // distance from staged_ to a header known to be 0 already; 0: none
  std::uint64_t first_header_ = 0;
  bool batching_ = false;
  RingFault fault_ = RingFault::none;
};

}  // namespace symphony::detail
