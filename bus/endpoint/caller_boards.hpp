// The boards of one caller as its control side knows them: asked for, mapped, and asked for again.   Layer: endpoint.
// Threads: all members under the mutex of their owner.   Trust: the broker is believed; memory is checked all the same.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "bus/endpoint/board_sight.hpp"
#include "bus/endpoint/board_source.hpp"
#include "bus/endpoint/broker_connection.hpp"

namespace symphony::detail {

class CallerBoards {
 public:
  // `broker` must live longer.
  explicit CallerBoards(BrokerConnection& broker) noexcept : broker_(broker) {}

  // Asks the broker under that number, and each one that follows it, until close().
  void write(std::uint64_t correlation, std::shared_ptr<BoardSource> source);
  void read(std::uint64_t correlation, std::shared_ptr<BoardSight> sight);
  void close(std::uint64_t correlation);

  // What the broker says.
  void on_own(const control::BoardOwn& own, const std::vector<UniqueFd>& fds);
  void on_view(const control::BoardView& view, const std::vector<UniqueFd>& fds);
  void on_end(const control::BoardEnd& end);
  // False: it is not about a board.
  [[nodiscard]] bool on_refused(const control::Refused& refused);

  // Another broker is there.
  void ask_again();

 private:
  void ask(std::uint64_t correlation, const BoardSource& source);
  void ask(std::uint64_t correlation, const BoardSight& sight);

  BrokerConnection& broker_;
  std::map<std::uint64_t, std::shared_ptr<BoardSource>> sources_;
  std::map<std::uint64_t, std::shared_ptr<BoardSight>> sights_;
};

}  // namespace symphony::detail
