// Every state of a producer whose positions have 8 bits, with every answer and every size.   Layer: tests.
// A function returns nullptr, or what the arithmetic got wrong, and counts states. Threads: one.
#pragma once

#include <cstdint>

#include "tests/proof/index/narrow_ring.hpp"

namespace symphony::narrow {

class ProducerStates {
 public:
  ProducerStates(int capacity, std::uint64_t& states) : capacity_(capacity), states_(states) {}

  // freed x published x staged, all lines; reached with records of one line, or with the last as long as possible.
  const char* run() {
    const int lines = capacity_ / line - 1;  // the most that can be in use: one line stays free
    for (int freed = 0; freed < positions; freed += line) {
      for (int published = 0; published <= lines; ++published) {
        for (int staged = 0; published + staged <= lines; ++staged) {
          for (const bool long_last : {false, true}) {
            if (long_last && published < 2 && staged < 2) continue;  // the same state
            if (const char* wrong = from(freed, published * line, staged * line, long_last)) return wrong;
          }
        }
      }
    }
    return nullptr;
  }

 private:
  struct State {
    Machine machine;
    Producer producer;
    Exact exact;
  };

  // A claim of `size` must be there; commits it.
  void push(State& s, int size) {
    auto claim = s.producer.try_claim(static_cast<std::uint32_t>(size));
    const int pad = pad_before(s.exact.staged, stride_of(size), capacity_);
    s.producer.commit(std::move(claim), static_cast<std::uint32_t>(size));
    s.exact.staged += pad + stride_of(size);
  }
  void push_lines(State& s, int bytes, bool long_last) {
    while (bytes > 0) {
      const int until_wrap = capacity_ - s.exact.staged % capacity_;
      const bool whole = long_last && bytes <= capacity_ / 2 && bytes <= until_wrap;
      push(s, whole ? bytes - header : 0);
      bytes -= whole ? bytes : line;
    }
  }

  const char* from(int freed, int published, int staged, bool long_last) {
    Machine machine;
    machine.capacity = capacity_;
    State s{
        machine, Producer(machine.data.data(), static_cast<std::uint8_t>(capacity_), salt, words(), Mem{&machine}), {}};
    // The producer holds the addresses of `machine`: it is this one that works, and is copied out and in.
    for (int done = 0; done < freed; done += line) {
      push(s, 0);
      s.exact.published = s.exact.freed = s.exact.staged;
      machine.freed = static_cast<std::uint8_t>(s.exact.freed);
      if (!s.producer.refresh_freed()) return "an honest freed was refused";
    }
    push_lines(s, published, long_last);
    s.exact.published = s.exact.staged;
    if (staged > 0) s.producer.begin_batch();
    push_lines(s, staged, long_last);
    s.machine = machine;
    if (s.producer.published() != static_cast<std::uint8_t>(s.exact.published)) return "published elsewhere";
    if (const char* wrong = claims(s, machine)) return wrong;
    return commits(s, machine);
  }

  // Every answer x every size: the claim that must come of it, computed in whole numbers.
  const char* claims(const State& s, Machine& machine) {
    for (int answer = 0; answer < positions; ++answer) {
      int accepted = -1;
      for (int f = s.exact.freed; f <= s.exact.published; f += line) {
        if (f % positions == answer) accepted = f;
      }
      machine.freed = static_cast<std::uint8_t>(answer);
      for (int size = 0; size <= capacity_ / 2 - header + 1; ++size) {
        Producer producer = s.producer;
        machine.loads = 0;
        const auto claim = producer.try_claim(static_cast<std::uint32_t>(size));
        ++states_;
        const int stride = stride_of(size);
        const int pad = pad_before(s.exact.staged, stride, capacity_);
        const int end = s.exact.staged + pad + stride + line;
        const bool possible = size <= capacity_ / 2 - header;
        const bool asks = possible && end - s.exact.freed > capacity_;
        const bool wanted = possible && (!asks || (accepted >= 0 && end - accepted <= capacity_));
        if (bool(claim) != wanted) return wanted ? "full, though it fits" : "a claim that does not fit";
        if (machine.loads != (asks ? 1 : 0)) return "freed read where it decides nothing, or not read";
        const bool lied = asks && accepted < 0;
        if ((producer.fault() != RingFault::none) != lied) return "freed was judged wrongly";
        const int freed = asks && !lied ? accepted : s.exact.freed;
        if (producer.freed() != static_cast<std::uint8_t>(freed)) return "another freed was taken";
        if (!claim) continue;
        const int position = s.exact.staged + pad;
        if (claim.position() != static_cast<std::uint8_t>(position)) return "a claim elsewhere";
        if (claim.bytes().data() - machine.data.data() != position % capacity_ + header) return "the bytes elsewhere";
        if (position % capacity_ + stride > capacity_) return "a claim past the end";
      }
    }
    return nullptr;
  }

  // Every size that fits x every size that is used of it: what stands in the ring when it is published.
  const char* commits(const State& s, Machine& machine) {
    for (int size = 0; size <= capacity_ / 2 - header; ++size) {
      for (int used = 0; used <= size; ++used) {
        Producer producer = s.producer;
        machine = s.machine;
        machine.freed = static_cast<std::uint8_t>(s.exact.freed);
        auto claim = producer.try_claim(static_cast<std::uint32_t>(size));
        if (!claim) return nullptr;  // larger ones do not fit either
        std::memset(claim.bytes().data(), 0xff, claim.bytes().size());
        const int pad = pad_before(s.exact.staged, stride_of(size), capacity_);
        producer.commit(std::move(claim), static_cast<std::uint32_t>(used));
        producer.publish_batch();
        ++states_;
        if (const char* wrong = judge(s, machine, s.exact.staged + pad + stride_of(used))) return wrong;
        if (producer.published() != static_cast<std::uint8_t>(s.exact.staged + pad + stride_of(used))) {
          return "published elsewhere";
        }
      }
    }
    return nullptr;
  }

  // From freed on there are whole records up to `end`, and a 0 there.
  const char* judge(const State& s, const Machine& machine, int end) const {
    if (machine.outside) return "a store outside the ring";
    int position = s.exact.freed;
    while (position < end) {
      const std::uint64_t word = machine.header_at(position);
      const auto check = static_cast<std::uint32_t>(position % positions / line) ^ salt;
      if (word >> 32 != check || (word & detail::record_present) == 0) return "a record that was overwritten";
      position += stride_of(static_cast<int>(word & detail::record_size_mask));
    }
    if (position != end) return "records that end elsewhere";
    return machine.header_at(end) == 0 ? nullptr : "no 0 behind the last record";
  }

  Producer::Words words() { return {&tail_, &freed_}; }

  int capacity_;
  std::uint64_t& states_;
  std::uint8_t tail_ = 0, freed_ = 0;
};

}  // namespace symphony::narrow
