// Message types for queues whose messages have one size, given when compiling.   Layer: bench.
// A message takes the smallest slot that it fits into; how much of it is written and read is known at run time only.
// Threads: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "bench/peers/adapter.hpp"
#include "bench/peers/payload.hpp"

namespace symphony::bench::peers {

template <std::size_t bytes>
using Slot = std::array<std::uint64_t, bytes / sizeof(std::uint64_t)>;

inline constexpr std::array<std::size_t, 5> slot_sizes{64, 256, 1024, 4096, size_max};

// Of<slot size>, made by default, for messages of `size`; Of is an Adapter's template.
template <template <std::size_t> class Of, std::size_t index = 0>
[[nodiscard]] std::unique_ptr<Adapter> make_for_size(std::size_t size) {
  if constexpr (index + 1 < slot_sizes.size()) {
    if (size > slot_sizes[index]) return make_for_size<Of, index + 1>(size);
  }
  return std::make_unique<Of<slot_sizes[index]>>();
}

// An adapter that learns only in prepare() which of its kinds it is.
template <template <std::size_t> class Of>
class SlotAdapter final : public Adapter {
 public:
  result<void> prepare(std::size_t size) override {
    adapter_ = make_for_size<Of>(size);
    return adapter_->prepare(size);
  }
  std::unique_ptr<Link> open(End end) override { return adapter_->open(end); }

 private:
  std::unique_ptr<Adapter> adapter_;
};

}  // namespace symphony::bench::peers
