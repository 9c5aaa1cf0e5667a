// A ring in the model's memory with both of its production ends, and records whose every byte is known.
// Layer: tests. Threads: fibers.
#pragma once

#include <array>
#include <cstdint>

#include "bus/ring/consumer.hpp"
#include "bus/ring/producer.hpp"
#include "tests/proof/explorer/model_mem.hpp"

namespace symphony::proof {

using detail::Poll;

class RingUnderTest {
 public:
  using Position = std::uint64_t;
  using Out = detail::Producer<ModelMem>;
  using In = detail::Consumer<ModelMem>;
  static constexpr std::uint32_t salt = 0x5a17;
  static constexpr std::uint32_t line = 64;

  // The threads that are the two sides. `write_back`: the consumer has a writable view of the data.
  RingUnderTest(Explorer& explorer, Position capacity, int producer, int consumer, bool write_back = false)
      : explorer_(explorer),
        data_(explorer.allocate(capacity, static_cast<ThreadSet>(bit(producer) | (write_back ? bit(consumer) : 0)))),
        tail_(word(bit(producer))),
        begun_(word(bit(consumer))),
        handled_(word(bit(consumer))),
        freed_(word(bit(consumer))),
        out(data_, capacity, salt, {tail_, freed_}),
        in(data_, capacity, salt, {begun_, handled_, freed_}, {}, write_back ? data_ : nullptr) {}

  // The bytes of a record of so many lines.
  [[nodiscard]] static std::uint32_t size_of(unsigned lines) noexcept { return lines * line - 8; }

  // Commits record number `number`, or finds no room. The claim may be `claimed` lines, all written: where the record
  // is shorter, what stands behind it looks like a header of just that place.
  bool try_push(unsigned number, unsigned lines, unsigned claimed = 0, Position reserve = 0) noexcept {
    if (claimed < lines) claimed = lines;
    if (explorer_.is(Mutation::Kind::no_spare_line)) reserve -= line;
    auto claim = out.try_claim(size_of(claimed), reserve);
    explorer_.require(out.fault() == detail::RingFault::none, "the producer found its honest consumer at fault");
    if (!claim) return false;
    std::array<std::uint64_t, 64> words;
    for (unsigned i = 0; i < size_of(claimed) / 8; ++i) words[i] = payload(number, i);
    for (unsigned l = 1; l < claimed; ++l) {
      words[l * 8 - 1] = detail::encode_header<detail::WideRing>(claim.position() + l * line, 8, false, salt);
    }
    ModelMem::copy_in(claim.bytes().data(), words.data(), size_of(claimed));
    out.commit(std::move(claim), size_of(lines));
    return true;
  }
  void push(unsigned number, unsigned lines, unsigned claimed = 0) noexcept {
    while (!try_push(number, lines, claimed)) explorer_.await();
  }

  // Takes record number `number` and checks its bytes. False: nothing there yet.
  bool try_take(unsigned number, unsigned lines, bool give_back = true) noexcept {
    In::Record record;
    const Poll poll = in.try_peek(record);
    explorer_.require(poll != Poll::fault, "the consumer found its honest producer at fault");
    if (poll == Poll::empty) return false;
    explorer_.require(record.bytes.size() == size_of(lines), "a record of another size than was sent");
    in.begin(record);
    if (explorer_.is(Mutation::Kind::free_before_read)) {
      in.finish(record);
      in.free();
    }
    check_bytes(record, number, lines);
    if (explorer_.is(Mutation::Kind::free_before_read)) return true;
    in.finish(record);
    if (give_back) in.free();
    if (give_back && explorer_.is(Mutation::Kind::write_back_late)) {
      ModelMem::store<detail::Order::relaxed, detail::Site::write_back>(
          reinterpret_cast<Position*>(data_ + record.position % out.capacity()), Position{0});
    }
    return true;
  }
  void take(unsigned number, unsigned lines, bool give_back = true) noexcept {
    while (!try_take(number, lines, give_back)) explorer_.await();
  }
  // Nothing was ever sent behind the last record.
  void require_empty() noexcept {
    In::Record record;
    explorer_.require(in.try_peek(record) == Poll::empty, "a record that nobody sent");
  }

 private:
  [[nodiscard]] static ThreadSet bit(int thread) noexcept { return static_cast<ThreadSet>(1u << thread); }
  [[nodiscard]] std::uint64_t* word(ThreadSet writers) noexcept {
    return reinterpret_cast<std::uint64_t*>(explorer_.allocate(64, writers));
  }
  [[nodiscard]] static std::uint64_t payload(unsigned number, unsigned i) noexcept { return number * 1000u + i + 1; }
  void check_bytes(const In::Record& record, unsigned number, unsigned lines) noexcept {
    std::array<std::uint64_t, 64> words;
    ModelMem::copy_out(words.data(), record.bytes.data(), record.bytes.size());
    bool right = true;
    for (unsigned i = 0; i < size_of(lines) / 8; ++i) {
      const bool forged = (i + 1) % 8 == 0;
      right = right && (forged || words[i] == payload(number, i));
    }
    explorer_.require(right, "a record with other bytes than were sent");
  }

  Explorer& explorer_;
  std::byte* data_;
  Position* tail_;
  Position* begun_;
  Position* handled_;
  Position* freed_;

 public:
  Out out;
  In in;
};

}  // namespace symphony::proof
