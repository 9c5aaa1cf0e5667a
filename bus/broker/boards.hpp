// The boards of a broker: which names are written by whom, and who reads them.   Layer: broker.
//
// Beside the core, which never hears of boards: nothing here can touch a link, a call or a pit. It makes and seals
// memory itself; what is to be said stands in a queue for the shell. It holds the descriptors of each board, so that
// the last value of a writer that died can still be read by who comes later; a new broker begins with none, and the
// endpoints say again what they write and read.
// Threads: the broker's.   Trust: callers may say anything; names, sizes and numbers are bounded here.
// Format: docs/formats/control.md, board.md
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <sys/types.h>

#include "bus/broker/core_types.hpp"
#include "bus/control/messages.hpp"
#include "bus/memory/mapping.hpp"
#include "bus/topic/layout.hpp"

namespace symphony::detail::broker {

inline constexpr std::size_t boards_max = 1024;
inline constexpr std::size_t boards_per_writer_max = 256;
inline constexpr std::size_t reads_per_caller_max = 256;

class Boards {
 public:
  struct Party {
    ConnId conn = 0;
    std::string pit;  // whose connection it is; empty: a program's
    pid_t pid = 0;    // of the program
  };
  struct Out {
    ConnId to = 0;
    control::Message message;
    std::shared_ptr<UniqueFd> fd;  // beside it, if any
  };

  // `is_pit`: whether the operator gave that name to a pit.
  Boards(control::Generation generation, std::function<bool(std::string_view)> is_pit);

  // What a caller says. False: no honest caller says this; its connection is to be ended.
  [[nodiscard]] bool on(const Party& from, const control::Message& message);
  // The connection is over.
  void on_left(ConnId conn);
  // What is to be sent, in order.
  [[nodiscard]] std::optional<Out> pop();

  [[nodiscard]] std::size_t size() const noexcept { return names_.size(); }

 private:
  using Number = std::uint64_t;  // of a message: correlation
  struct Board {
    std::uint64_t id = 0;
    std::uint64_t source = 0;
    BoardGeometry geometry;
    Party writer;                   // conn 0: nobody any more
    Number correlation = 0;         // of its BoardWrite
    std::shared_ptr<UniqueFd> own;  // writable, until it is sealed
    std::shared_ptr<UniqueFd> view;
  };
  struct Name {
    control::BoardKind kind = control::BoardKind::cell;
    std::optional<Board> forming;  // given to its writer, who has not mapped it yet
    std::optional<Board> current;
    std::set<std::pair<ConnId, Number>> readers;
    [[nodiscard]] bool is_unused() const { return !forming && !current && readers.empty(); }
  };
  using Names = std::map<std::string, Name, std::less<>>;

  bool says(const Party& from, const control::BoardWrite& m);
  bool says(const Party& from, const control::BoardMapped& m);
  bool says(const Party& from, const control::BoardRead& m);
  bool says(const Party& from, const control::BoardClose& m);
  bool says(const Party& from, const control::BoardQuery& m);
  [[nodiscard]] std::optional<std::string> why_not_write(const Party& from, const control::BoardWrite& m) const;
  [[nodiscard]] bool is_of_a_pit(std::string_view name) const;
  bool refuse(const Party& to, Number correlation, errc code, std::string text);
  void show(const Board& board, ConnId to, Number correlation, bool reader_was_first);
  // Its writer is gone. `for_good`: it said so, and its board is for those who have it.
  void end(Name& name, bool for_good);
  void make_room();

  const control::Generation generation_;
  const std::function<bool(std::string_view)> is_pit_;
  Names names_;
  std::map<ConnId, std::size_t> reads_, writes_;
  std::uint64_t last_board_ = 0;
  std::deque<Out> out_;
};

}  // namespace symphony::detail::broker
