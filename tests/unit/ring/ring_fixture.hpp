// A ring on plain bytes with both of its ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bus/ring/consumer.hpp"
#include "bus/ring/producer.hpp"

namespace symphony::detail {

template <class Ring = WideRing, class Mem = RealMem>
struct TestRing {
  using Position = typename Ring::Position;
  using P = Producer<Mem, Ring>;
  using C = Consumer<Mem, Ring>;
  static constexpr std::uint32_t salt = 0x5a17;

  explicit TestRing(Position size, bool writes_back = false)
      : capacity(size),
        memory(new (std::align_val_t{64}) std::byte[size]()),
        producer(memory.get(), size, salt, {&tail, &freed}),
        consumer(memory.get(), size, salt, {&begun, &handled, &freed}, {}, writes_back ? memory.get() : nullptr) {}

  bool push(std::span<const std::byte> bytes) {
    auto claim = producer.try_claim(static_cast<std::uint32_t>(bytes.size()));
    if (!claim) return false;
    std::copy(bytes.begin(), bytes.end(), claim.bytes().begin());
    producer.commit(std::move(claim), static_cast<std::uint32_t>(bytes.size()));
    return true;
  }
  bool push(std::string_view text) { return push(std::as_bytes(std::span(text))); }

  // Takes one record whole and gives its space back; nothing when empty.
  std::unique_ptr<std::string> pop() {
    typename C::Record record;
    if (consumer.try_peek(record) != Poll::record) return nullptr;
    consumer.begin(record);
    auto text = std::make_unique<std::string>(reinterpret_cast<const char*>(record.bytes.data()), record.bytes.size());
    consumer.finish(record);
    consumer.free();
    return text;
  }
  std::uint64_t& header_at(Position p) {
    return *reinterpret_cast<std::uint64_t*>(memory.get() + (p & (capacity - 1)));
  }

  struct Free {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  Position capacity;
  std::unique_ptr<std::byte[], Free> memory;
  Position tail = 0, begun = 0, handled = 0, freed = 0;
  P producer;
  C consumer;
};

}  // namespace symphony::detail
