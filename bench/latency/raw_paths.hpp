// What bench_call measures calls against, for all sizes, as one of the two processes sees it.   Layer: bench.
// The memory is one memfd that both map: side 0 writes the first half of each path's part. Messages are numbered by
// path, on both sides alike. Threads: one a process. Both trust each other.
#pragma once

#include <sched.h>

#include <array>
#include <vector>

#include <symphony/result.hpp>

#include "bench/latency/order.hpp"
#include "bench/latency/raw_copy.hpp"
#include "bench/support/raw_line.hpp"
#include "bus/memory/mapping.hpp"

namespace symphony::bench {

inline constexpr std::array<std::size_t, 4> line_sizes{32, 64, 1024, 4096};
inline constexpr std::size_t large_size = 1024UL * 1024;
inline constexpr std::size_t large_slots = 8;  // as many bytes as the large link's reply ring

// line_sizes first, in their order.
enum Path : std::size_t { line_of_order = line_sizes.size(), copy_in_place, copy_along, path_count };

class RawPaths {
 public:
  static constexpr std::size_t line_bytes = 64UL * 1024;  // one side of one raw line
  [[nodiscard]] static constexpr std::size_t bytes() noexcept { return offset_of(path_count); }

  static result<RawPaths> map(int fd, int side) {
    auto memory = detail::Mapping::map(fd, bytes(), detail::Access::read_write);
    if (!memory) return unexpected(memory.error());
    return RawPaths(*std::move(memory), side);
  }

  [[nodiscard]] bool round_trip(std::size_t path) noexcept {
    const auto over = [&](auto& line) { return line.round_trip(++numbers_[path], go_on); };
    const auto copy = [&](RawCopy& way) {
      const std::uint64_t number = ++numbers_[path];
      mark(body_, number);
      return way.round_trip(number, body_, into_, go_on) && is_marked(into_, number);
    };
    return with(path, over, copy);
  }
  [[nodiscard]] bool answer(std::size_t path) noexcept {
    const auto over = [&](auto& line) { return line.answer(++numbers_[path], go_on); };
    const auto copy = [&](RawCopy& way) { return way.answer(++numbers_[path], into_, go_on); };
    return with(path, over, copy);
  }

  // What a message carries of its number: of a large one, its ends.
  static void mark(std::span<std::byte> body, std::uint64_t number) noexcept {
    std::memcpy(body.data(), &number, sizeof number);
    std::memcpy(body.data() + body.size() - sizeof number, &number, sizeof number);
  }
  [[nodiscard]] static bool is_marked(std::span<const std::byte> body, std::uint64_t number) noexcept {
    std::uint64_t first = 0, last = 0;
    std::memcpy(&first, body.data(), sizeof first);
    std::memcpy(&last, body.data() + body.size() - sizeof last, sizeof last);
    return first == number && last == number;
  }

 private:
  [[nodiscard]] static constexpr std::size_t side_bytes(std::size_t path) noexcept {
    return path == copy_in_place ? RawCopy::bytes_of(large_size, 1)
           : path == copy_along  ? RawCopy::bytes_of(large_size, large_slots)
                                 : line_bytes;
  }
  [[nodiscard]] static constexpr std::size_t offset_of(std::size_t path) noexcept {
    std::size_t offset = 0;
    for (std::size_t before = 0; before < path; ++before) offset += 2 * side_bytes(before);
    return offset;
  }
  [[nodiscard]] std::byte* at(std::size_t path, int side) const noexcept {
    return memory_.data() + offset_of(path) + static_cast<std::size_t>(side) * side_bytes(path);
  }
  static bool go_on() noexcept { return ::sched_yield() != 0; }

  RawPaths(detail::Mapping memory, int side)
      : memory_(std::move(memory)),
        line32_(at(0, side), at(0, 1 - side), line_bytes),
        line64_(at(1, side), at(1, 1 - side), line_bytes),
        line1k_(at(2, side), at(2, 1 - side), line_bytes),
        line4k_(at(3, side), at(3, 1 - side), line_bytes),
        line_of_order_(at(line_of_order, side), at(line_of_order, 1 - side), line_bytes),
        copy_in_place_(at(copy_in_place, side), at(copy_in_place, 1 - side), large_size, 1),
        copy_along_(at(copy_along, side), at(copy_along, 1 - side), large_size, large_slots),
        body_(large_size),
        into_(large_size) {}

  template <class OverLine, class OverCopy>
  bool with(std::size_t path, OverLine&& over, OverCopy&& copy) noexcept {
    switch (path) {
      case 0:
        return over(line32_);
      case 1:
        return over(line64_);
      case 2:
        return over(line1k_);
      case 3:
        return over(line4k_);
      case line_of_order:
        return over(line_of_order_);
      case copy_in_place:
        return copy(copy_in_place_);
      case copy_along:
        return copy(copy_along_);
      default:
        return false;
    }
  }

  detail::Mapping memory_;
  RawLine<32> line32_;
  RawLine<64> line64_;
  RawLine<1024 - 8> line1k_;
  RawLine<4096 - 8> line4k_;
  RawLine<order_size> line_of_order_;
  RawCopy copy_in_place_;
  RawCopy copy_along_;
  std::vector<std::byte> body_;
  std::vector<std::byte> into_;
  std::array<std::uint64_t, path_count> numbers_{};
};

}  // namespace symphony::bench
