// Saving to and loading from a vector, in pieces of any size.   Layer: tests.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "pits/dag_tracker/graphs.hpp"

namespace symphony::pit::tracker::testing {

using Bytes = std::vector<std::byte>;

class VectorWriter final : public StateWriter {
 public:
  // Refuses once more than `size_max` bytes came.
  explicit VectorWriter(std::size_t size_max = SIZE_MAX) : size_max_(size_max) {}
  Bytes bytes_written;

 private:
  bool put(std::span<const std::byte> block) override {
    if (bytes_written.size() + block.size() > size_max_) return false;
    bytes_written.insert(bytes_written.end(), block.begin(), block.end());
    return true;
  }
  std::size_t size_max_;
};

class VectorReader final : public StateReader {
 public:
  // Gives at most `piece` bytes at a time.
  explicit VectorReader(const Bytes& bytes, std::size_t piece = SIZE_MAX) : left_(bytes), piece_(piece) {}

 private:
  std::int64_t get(std::span<std::byte> out) override {
    const std::size_t now = std::min({out.size(), piece_, left_.size()});
    std::copy_n(left_.begin(), now, out.begin());
    left_ = left_.subspan(now);
    return static_cast<std::int64_t>(now);
  }
  std::span<const std::byte> left_;
  std::size_t piece_;
};

inline Bytes save(const Graphs& graphs) {
  VectorWriter writer;
  return graphs.save(writer) ? writer.bytes_written : Bytes{};
}

inline bool load(Graphs& graphs, const Bytes& bytes, std::size_t piece = SIZE_MAX) {
  VectorReader reader(bytes, piece);
  return graphs.load(reader);
}

}  // namespace symphony::pit::tracker::testing
