// Every state of a consumer whose positions have 8 bits, with every header that differs in what is judged.
// Layer: tests. A function returns nullptr, or what the arithmetic got wrong, and counts states. Threads: one.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tests/proof/index/narrow_ring.hpp"

namespace symphony::narrow {

class ConsumerStates {
 public:
  ConsumerStates(int capacity, std::uint64_t& states) : capacity_(capacity), states_(states) {
    machine_.capacity = capacity;
    for (std::uint32_t size = 0; size < positions; ++size) sizes_.push_back(size);
    for (std::uint32_t bit = positions; bit <= detail::record_size_mask; bit *= 2) {
      for (const std::uint32_t near : {bit - 1, bit, bit + 1}) sizes_.push_back(near);
    }
    sizes_.push_back(detail::record_size_mask);
  }

  // freed x head, all lines; then every header.
  const char* run() {
    for (int freed = 0; freed < positions; freed += line) {
      for (int held = 0; held < capacity_; held += line) {
        Consumer consumer(machine_.data.data(), static_cast<std::uint8_t>(capacity_), salt, words(), Mem{&machine_});
        for (int done = 0; done < freed; done += line) {
          if (!take_line(consumer, done)) return "an honest record was refused";
          consumer.free();
        }
        for (int done = 0; done < held; done += line) {
          if (!take_line(consumer, freed + done)) return "an honest record was refused";
        }
        if (const char* wrong = headers(consumer, freed, freed + held)) return wrong;
      }
    }
    return nullptr;
  }

 private:
  struct Wanted {
    RingFault fault = RingFault::none;
    int stride = 0;
  };

  static std::uint64_t word(std::uint32_t check, std::uint32_t size, bool pad, bool present) {
    return std::uint64_t{check} << 32 | size | (pad ? detail::record_pad : 0) | (present ? detail::record_present : 0);
  }
  static std::uint32_t check_of(int position) { return static_cast<std::uint32_t>(position % positions / line) ^ salt; }

  bool take_line(Consumer& consumer, int position) {
    machine_.loads = 0;
    machine_.headers = {word(check_of(position), 0, false, true)};
    Consumer::Record record;
    if (consumer.try_peek(record) != Poll::record) return false;
    consumer.finish(record);
    return true;
  }

  // In whole numbers, by docs/formats/ring.md.
  [[nodiscard]] Wanted judge(int freed, int head, bool check, std::uint32_t size, bool present) const {
    if (!check) return {RingFault::bad_check};
    if (!present) return {RingFault::bad_flags};
    const std::int64_t stride = (std::int64_t{size} + header + line - 1) / line * line;
    if (stride > capacity_ / 2 || head % capacity_ + stride > capacity_) return {RingFault::bad_size};
    if (head + stride + line - freed > capacity_) return {RingFault::overrun};
    return {RingFault::none, static_cast<int>(stride)};
  }

  const char* headers(const Consumer& at, int freed, int head) {
    std::array<std::uint32_t, 32 + 27> checks;
    for (std::uint32_t i = 0; i < checks.size(); ++i) checks[i] = check_of(head) ^ (i < 32 ? i : 1u << (i - 27));
    for (const std::uint32_t check : checks) {
      const bool right = check == check_of(head);
      for (const std::uint32_t size : sizes_) {
        for (const bool present : {true, false}) {
          for (const bool pad : {false, true}) {
            const Wanted wanted = judge(freed, head, right, size, present);
            machine_.headers = {word(check, size, pad, present)};
            if (const char* wrong = peek(at, head, wanted, size, pad)) return wrong;
            if (!pad || wanted.fault != RingFault::none) continue;
            if (const char* wrong = behind_pad(at, freed, head + wanted.stride)) return wrong;
          }
        }
      }
    }
    return nullptr;
  }

  // A pad stands in headers[0]; every size behind it.
  const char* behind_pad(const Consumer& at, int freed, int head) {
    for (const std::uint32_t size : sizes_) {
      const Wanted wanted = judge(freed, head, true, size, true);
      machine_.headers[1] = word(check_of(head), size, false, true);
      if (const char* wrong = peek(at, head, wanted, size, false)) return wrong;
    }
    machine_.headers[1] = 0;
    return nullptr;
  }

  const char* peek(const Consumer& at, int head, const Wanted& wanted, std::uint32_t size, bool pad) {
    Consumer consumer = at;
    Consumer::Record record;
    machine_.loads = 0;
    const Poll poll = consumer.try_peek(record);
    ++states_;
    if (consumer.fault() != wanted.fault) return "a header was judged wrongly";
    if (wanted.fault != RingFault::none) {
      return poll == Poll::fault ? nullptr : "a fault that is not said";
    }
    if (pad) {
      if (poll != Poll::empty) return "a pad was delivered";
      return consumer.head() == static_cast<std::uint8_t>(head + wanted.stride) ? nullptr : "a pad that ends elsewhere";
    }
    if (poll != Poll::record) return "a record was not delivered";
    if (record.bytes.size() != size) return "a record of another size";
    if (record.position != static_cast<std::uint8_t>(head)) return "a record elsewhere";
    if (record.end != static_cast<std::uint8_t>(head + wanted.stride)) return "a record that ends elsewhere";
    const auto offset = record.bytes.data() - machine_.data.data();
    if (offset != head % capacity_ + header) return "the bytes of another place";
    return offset + static_cast<std::ptrdiff_t>(size) <= capacity_ ? nullptr : "a record past the end";
  }

  Consumer::Words words() { return {&words_[0], &words_[1], &words_[2]}; }

  int capacity_;
  std::uint64_t& states_;
  Machine machine_;
  std::array<std::uint8_t, 3> words_{};
  std::vector<std::uint32_t> sizes_;
};

}  // namespace symphony::narrow
