// One end of a ring against a peer that lies; operations and answers come from one input.   Layer: tests.
//
// A session returns nullptr, or what was violated. It makes a new ring when one is faulted, until the input ends.
// Threads: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "bus/ring/consumer.hpp"
#include "bus/ring/producer.hpp"
#include "tests/proof/hostile/expected.hpp"
#include "tests/proof/hostile/hostile_mem.hpp"

namespace symphony::hostile {

inline constexpr std::uint64_t capacity_max = 2048;
inline constexpr int operations_per_ring = 400;
inline constexpr int operations_after_fault = 6;

struct Tally {
  std::uint64_t reads = 0;         // words and copies that the peer answered
  std::uint64_t rings = 0;         // made
  std::uint64_t faults = 0;        // rings that ended faulted
  std::uint64_t moved = 0;         // records written or delivered
  std::uint64_t written_back = 0;  // lines
};

class ProducerSession {
  using Producer = detail::Producer<HostileMem>;
  struct alignas(64) Own {
    std::array<std::byte, capacity_max> data{};
    std::uint64_t tail = 0;
  };
  struct alignas(64) Peer {
    std::uint64_t freed = 0;
  };

 public:
  ProducerSession(FuzzBytes& bytes, Tally& tally)
      : bytes_(bytes),
        tally_(tally),
        capacity_(std::uint64_t{256} << bytes.below(4)),
        watch_(bytes, {&own_, sizeof own_}, {&peer_, sizeof peer_}),
        producer_(own_.data.data(), capacity_, 0x5a17, {&own_.tail, &peer_.freed}, HostileMem{&watch_}) {
    watch_.guard({own_.data.data(), capacity_});
  }

  const char* run() {
    ++tally_.rings;
    for (int left = operations_per_ring; left > 0 && !bytes_.empty(); --left) {
      watch_.begin_call();
      const char* wrong = operate();
      if (wrong == nullptr) wrong = judge();
      if (wrong == nullptr) wrong = watch_.violation();
      if (wrong != nullptr) return wrong;
      if (producer_.fault() != RingFault::none && left > operations_after_fault) {
        ++tally_.faults;
        left = operations_after_fault;
      }
    }
    tally_.reads += watch_.reads();
    return nullptr;
  }

 private:
  const char* operate() {
    const std::uint32_t size = bytes_.below(bytes_.byte() % 4 == 0 ? static_cast<std::uint32_t>(capacity_) : 120);
    switch (bytes_.byte() % 16) {
      case 0:
        if (batching_) {
          producer_.publish_batch();
        } else {
          producer_.begin_batch();
        }
        batching_ = !batching_;
        return nullptr;
      case 1:
        return judge_claim(producer_.try_claim(size), size);
      case 2:
        (void)producer_.has_room(size, std::uint64_t{64} * bytes_.below(4));
        return nullptr;
      case 3:
        if (producer_.is_drained() && answers().freed_so_far() != answers().published()) return "drained, it says";
        return nullptr;
      case 4:
        (void)producer_.refresh_freed<Order::seq_cst>();
        return nullptr;
      default:
        return push(size);
    }
  }

  const char* push(std::uint32_t size) {
    auto claim = producer_.try_claim(size);
    if (const char* wrong = judge_claim(claim, size)) return wrong;
    if (!claim) return nullptr;
    HostileMem{&watch_}.copy_in(claim.bytes().data(), filler_.data(), size);
    const std::uint32_t used = bytes_.byte() % 4 == 0 ? bytes_.below(size + 1) : size;
    const std::uint64_t position = producer_.commit(std::move(claim), used);
    staged_ = position + format::stride(used);
    watch_.staged(staged_);
    ++tally_.moved;
    return nullptr;
  }

  const char* judge_claim(const Producer::Claim& claim, std::uint32_t size) {
    if (!claim) return nullptr;
    if (producer_.fault() != RingFault::none) return "a claim on a faulted ring";
    if (size > capacity_ / 2 - 8) return "a claim larger than half the ring";
    if (claim.bytes().size() != size) return "a claim of another size";
    if (claim.position() % format::line != 0 || claim.position() < staged_) return "a claim over what is written";
    const std::uint64_t end = claim.position() + format::stride(size);
    if (end + format::line > answers().freed_so_far() + capacity_) return "a claim over what is not freed";
    if (claim.bytes().data() != own_.data.data() + claim.position() % capacity_ + 8)
      return "the bytes of another place";
    if (claim.position() % capacity_ + format::stride(size) > capacity_) return "a claim past the end of the ring";
    return nullptr;
  }

  const char* judge() {
    if (answers().asked_after_lie()) return "freed was read after a lie";
    if (answers().lied_about_freed() != (producer_.fault() == RingFault::bad_freed)) return "freed judged wrongly";
    if (producer_.freed() != answers().freed_so_far()) return "another freed than was answered";
    return nullptr;
  }
  PeerAnswers& answers() { return watch_.answers; }

  FuzzBytes& bytes_;
  Tally& tally_;
  std::uint64_t capacity_;
  Own own_;
  Peer peer_;
  std::array<std::byte, capacity_max> filler_{};
  Watch watch_;
  Producer producer_;
  std::uint64_t staged_ = 0;
  bool batching_ = false;
};

class ConsumerSession {
  using Consumer = detail::Consumer<HostileMem>;
  struct alignas(64) Own {
    std::uint64_t begun = 0, handled = 0, freed = 0;
    std::array<std::byte, capacity_max> copy{};
  };
  struct alignas(64) Peer {
    std::array<std::byte, capacity_max> data{};
  };

 public:
  ConsumerSession(FuzzBytes& bytes, Tally& tally)
      : bytes_(bytes),
        tally_(tally),
        expected_{std::uint64_t{256} << bytes.below(4), static_cast<std::uint32_t>(bytes.take(4))},
        watch_(bytes, {&own_, sizeof own_}, {&peer_, sizeof peer_}),
        consumer_(peer_.data.data(), expected_.capacity, expected_.salt, {&own_.begun, &own_.handled, &own_.freed},
                  HostileMem{&watch_}, writes_back() ? view_.data.data() : nullptr) {
    watch_.answers.ring(peer_.data.data(), expected_.capacity, expected_.salt);
    if (writes_back()) watch_.write_back_view({view_.data.data(), static_cast<std::size_t>(expected_.capacity)});
    watch_.destination({own_.copy.data(), expected_.capacity / 2 - 8});
  }

  const char* run() {
    ++tally_.rings;
    for (int left = operations_per_ring; left > 0 && !bytes_.empty(); --left) {
      watch_.begin_call();
      const char* wrong = operate();
      if (wrong == nullptr) wrong = judge();
      if (wrong == nullptr) wrong = watch_.violation();
      if (wrong != nullptr) return wrong;
      if (consumer_.fault() != RingFault::none && left > operations_after_fault) {
        ++tally_.faults;
        left = operations_after_fault;
      }
    }
    tally_.reads += watch_.reads();
    tally_.written_back += watch_.written_back();
    return nullptr;
  }

 private:
  // Half of the rings, by a number that the input gives anyway.
  [[nodiscard]] bool writes_back() const noexcept { return expected_.salt / 2 % 2 != 0; }

  const char* operate() {
    switch (bytes_.byte() % 8) {
      case 0:
        (void)consumer_.has_next<Order::seq_cst>();
        return nullptr;
      case 1:
        free();
        return nullptr;
      default:
        return pop(bytes_.byte());
    }
  }

  const char* pop(std::uint8_t kind) {
    Consumer::Record record;
    watch_.write_back_window(expected_.freed, finished_);
    const Poll poll = consumer_.try_peek(record);
    const auto wanted = expected_.next(watch_.answers);
    if (const char* wrong = compare(wanted, poll, record, watch_, peer_.data.data(), expected_)) return wrong;
    if (poll != Poll::record || kind % 8 == 0) return nullptr;
    consumer_.begin(record);
    HostileMem{&watch_}.copy_out(own_.copy.data(), record.bytes.data(), record.bytes.size());
    if (kind % 8 == 1) return nullptr;  // begun, not finished: looked at again
    consumer_.finish(record);
    finished_ = expected_.head = record.end;
    ++tally_.moved;
    if (consumer_.frees_soon() || kind % 8 < 4) free();
    return nullptr;
  }
  void free() {
    consumer_.free();
    finished_ = expected_.freed = expected_.head;
  }

  const char* judge() {
    if (consumer_.fault() != expected_.fault) return "another fault than the format says";
    if (consumer_.head() != expected_.head) return "another head than the format says";
    if (own_.freed != expected_.freed) return "another freed than was given back";
    return nullptr;
  }

  FuzzBytes& bytes_;
  Tally& tally_;
  ExpectedConsumer expected_;
  std::uint64_t finished_ = 0;  // as far as records, not pads, are done
  Own own_;
  Peer peer_;
  Peer view_;  // of the same data, writable
  Watch watch_;
  Consumer consumer_;
};

}  // namespace symphony::hostile
