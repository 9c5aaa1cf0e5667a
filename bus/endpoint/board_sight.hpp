// A board that this process reads, and the ones that take its place.   Layer: endpoint.
//
// The control thread brings each new board; the reader goes over to it when the old one has nothing more to give: a
// cell once the new one has a value, a topic once all of the old one was read. Threads: arrive(), end() and refuse() on
// the control thread, is_decided() and failure() on either; the rest on the reader's.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include <symphony/topic.hpp>

#include "bus/control/messages.hpp"
#include "bus/memory/mapping.hpp"
#include "bus/topic/board_reader.hpp"

namespace symphony::detail {

class BoardSight {
 public:
  // `history`: of a topic, how many of the values that are there already it begins with.
  BoardSight(std::string board_name, control::BoardKind board_kind, std::uint64_t history)
      : name(std::move(board_name)), kind(board_kind), history_(history) {}

  const std::string name;
  const control::BoardKind kind;

  void arrive(std::uint64_t board, std::uint64_t source, const BoardGeometry& geometry, Mapping memory,
              bool reader_was_first);
  void end(std::uint64_t board);
  void refuse(const error& why);
  [[nodiscard]] bool is_decided() const;
  [[nodiscard]] std::optional<error> failure() const;
  // relaxed: what is said to whoever asks; nothing is read behind it.
  [[nodiscard]] bool has_writer() const noexcept { return has_writer_.load(std::memory_order_relaxed); }

  [[nodiscard]] std::uint32_t value_size_max() noexcept;
  [[nodiscard]] TopicValue read_newest(std::span<std::byte> into) noexcept;
  [[nodiscard]] TopicValue read_next(std::span<std::byte> into) noexcept;
  // Sleeps until there may be something to read, at most to the deadline.
  void wait(TimeNs deadline_ns) noexcept;
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  struct Board {
    std::uint64_t number = 0;
    std::uint64_t source = 0;
    std::uint64_t latest = 0;  // of the values that were there before its reader
    Mapping memory;
    std::optional<BoardReader<RealMem>> reader;
  };
  [[nodiscard]] bool is_newer_there() noexcept;
  void go_over() noexcept;
  [[nodiscard]] TopicValue taken(BoardRead got, const BoardValue& value) const noexcept;

  mutable std::mutex mutex_;  // guards these three
  std::optional<Board> arrived_;
  std::uint64_t newest_ = 0;
  std::optional<error> failure_;
  std::atomic<bool> has_news_{false};
  std::atomic<bool> has_writer_{false};

  Board now_;
  const std::uint64_t history_;
  std::uint64_t next_ = 1;  // number of the value to read next
  std::uint64_t dropped_ = 0;
};

}  // namespace symphony::detail
