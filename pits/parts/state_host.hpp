// Saved state to and from a host: state_io.hpp over the contract's Sink and Source.   Layer: pits/parts.
// Threads: one at a time, inside snapshot() and restore().
#pragma once

#include <symphony/pit.hpp>

#include "pits/parts/state_io.hpp"

namespace symphony::pit::parts {

class SinkWriter final : public StateWriter {
 public:
  explicit SinkWriter(Sink& to) noexcept : to_(to) {}

 private:
  bool put(std::span<const std::byte> block) override { return to_.write(block.data(), block.size()).ok(); }
  Sink& to_;
};

class SourceReader final : public StateReader {
 public:
  explicit SourceReader(Source& from) noexcept : from_(from) {}

 private:
  std::int64_t get(std::span<std::byte> out) override {
    const std::size_t got = from_.read(out.data(), out.size());
    return from_.status().ok() ? static_cast<std::int64_t>(got) : -1;
  }
  Source& from_;
};

}  // namespace symphony::pit::parts
