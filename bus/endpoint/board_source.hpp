// A board that this process writes: over the deaths of brokers, each of which gives it other memory.   Layer: endpoint.
//
// The control thread attaches it to new memory, onto which the values of the old are copied under their numbers; from
// then on write() goes there. Both hold a mutex of this process for that long: it is free but for the moment after a
// broker's death. Threads: write() on the writer's thread, the rest on the control thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <symphony/result.hpp>

#include "bus/control/messages.hpp"
#include "bus/memory/mapping.hpp"
#include "bus/topic/board_writer.hpp"

namespace symphony::detail {

class BoardSource {
 public:
  BoardSource(std::string board_name, control::BoardKind board_kind, const BoardGeometry& slots, std::uint64_t number)
      : name(std::move(board_name)), kind(board_kind), geometry(slots), source(number) {}

  const std::string name;
  const control::BoardKind kind;
  const BoardGeometry geometry;
  const std::uint64_t source;

  // Precondition: geometry.size() bytes, all zero.
  void attach(Mapping memory);
  void refuse(const error& why);
  [[nodiscard]] bool is_decided() const;
  [[nodiscard]] std::optional<error> failure() const;

  [[nodiscard]] result<std::uint64_t> write(std::uint32_t type, std::span<const std::byte> value) noexcept;

 private:
  mutable std::mutex mutex_;
  Mapping memory_;
  std::optional<BoardWriter<RealMem>> writer_;
  std::optional<error> failure_;
};

}  // namespace symphony::detail
