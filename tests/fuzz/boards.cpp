// Cells and topics: connections of programs and of a pit that say anything about boards, leave, and come again.
#include <array>
#include <iterator>
#include <string>

#include "bus/broker/boards.hpp"
#include "bus/control/codec.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"

namespace symphony::fuzz {
namespace {

namespace wire = detail::control;
using detail::broker::Boards;
using detail::broker::ConnId;

class BoardSession {
 public:
  explicit BoardSession(std::span<const std::uint8_t> input)
      : from_(input), boards_(1, [](std::string_view name) { return name == "pit"; }) {}

  const char* run() {
    for (int i = 0; i < steps_max && !from_.empty() && wrong_ == nullptr; ++i) step();
    return wrong_;
  }

 private:
  static constexpr int steps_max = 400;
  static constexpr std::uint32_t connections = 4;  // the last one is a pit's

  void step() {
    const std::uint32_t who = from_.below(connections);
    if (from_.below(16) == 0) return leave(who);
    wire::Message message = some();
    // As it comes over the socket: what cannot be said is not said, and of what is said some bytes may be others.
    auto bytes = wire::encode(message);
    if (!bytes) return;
    if (from_.below(4) == 0) (*bytes)[from_.take(2) % bytes->size()] = static_cast<std::byte>(from_.byte());
    const auto heard = wire::decode(*bytes);
    if (!heard) return;
    const Boards::Party party{conn_of(who), who + 1 == connections ? "pit" : "", 100};
    if (!boards_.on(party, *heard)) leave(who);
    listen();
  }

  ConnId conn_of(std::uint32_t who) const { return 1 + who + connections * times_left_[who]; }
  void leave(std::uint32_t who) {
    boards_.on_left(conn_of(who));
    ++times_left_[who];
    listen();
  }

  std::string name() {
    static constexpr const char* names[] = {"a", "b", "a/b", "pit", "pit/c"};
    const std::uint32_t which = from_.below(8);
    return which < std::size(names) ? names[which] : from_.text();
  }
  wire::BoardKind kind() { return static_cast<wire::BoardKind>(from_.below(4)); }
  wire::Message some() {
    switch (from_.below(9)) {
      case 0:
      case 1:
        return wire::BoardWrite{from_.number(),
                                name(),
                                kind(),
                                from_.number(),
                                from_.number_as<std::uint32_t>(),
                                from_.number_as<std::uint32_t>()};
      case 2:
        return wire::BoardMapped{from_.flag() ? last_board_ : from_.number()};
      case 3:
      case 4:
        return wire::BoardRead{from_.number(), name(), kind()};
      case 5:
        return wire::BoardClose{from_.number()};
      case 6:
        return wire::BoardQuery{from_.number(), name()};
      case 7:  // what only a broker says
        return wire::BoardView{from_.number(), from_.number(), from_.number(), 4, 64, from_.flag()};
      default:
        return wire::BoardList{from_.number(), {{name(), kind(), name(), 1, 2, 3, 4, from_.number()}}};
    }
  }

  void listen() {
    while (auto out = boards_.pop()) {
      if (!wire::encode(out->message)) wrong_ = "what is to be sent cannot be encoded";
      const bool lends =
          std::holds_alternative<wire::BoardOwn>(out->message) || std::holds_alternative<wire::BoardView>(out->message);
      if (lends != (out->fd != nullptr))
        wrong_ = "a descriptor beside a message that has none, or none beside one that has";
      if (out->to != conn_of(static_cast<std::uint32_t>((out->to - 1) % connections))) wrong_ = "said to who has left";
      if (const auto* own = std::get_if<wire::BoardOwn>(&out->message)) {
        if (out->to % connections == 0) wrong_ = "a pit without grant was given a board";
        if (own->board <= last_board_) wrong_ = "the number of a board was given twice";
        last_board_ = own->board;
      }
      if (const auto* view = std::get_if<wire::BoardView>(&out->message); view != nullptr && view->board > last_board_)
        wrong_ = "a board is shown that nobody was given";
    }
    if (boards_.size() > detail::broker::boards_max) wrong_ = "more boards than there may be";
  }

  Input from_;
  Boards boards_;
  std::array<std::uint64_t, connections> times_left_{};
  std::uint64_t last_board_ = 0;
  const char* wrong_ = nullptr;
};

}  // namespace

const char* run_boards(std::span<const std::uint8_t> input) { return BoardSession(input).run(); }

}  // namespace symphony::fuzz
