#include "bus/broker/boards.hpp"

#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "bus/control/board_name.hpp"
#include "bus/control/codec.hpp"
#include "bus/memory/segment.hpp"

namespace symphony::detail::broker {
namespace {

using control::BoardKind;

const char* name_of_kind(BoardKind kind) { return kind == BoardKind::cell ? "a cell" : "a topic"; }

std::string name_of_party(const Boards::Party& who) {
  return who.pit.empty() ? "process " + std::to_string(who.pid) : "pit " + who.pit;
}

}  // namespace

Boards::Boards(control::Generation generation, std::function<bool(std::string_view)> is_pit)
    : generation_(generation), is_pit_(std::move(is_pit)), last_board_((generation - 1) << 32) {}

std::optional<Boards::Out> Boards::pop() {
  if (out_.empty()) return std::nullopt;
  std::optional<Out> first(std::move(out_.front()));
  out_.pop_front();
  return first;
}

bool Boards::on(const Party& from, const control::Message& message) {
  if (const auto* write = std::get_if<control::BoardWrite>(&message)) return says(from, *write);
  if (const auto* mapped = std::get_if<control::BoardMapped>(&message)) return says(from, *mapped);
  if (const auto* read = std::get_if<control::BoardRead>(&message)) return says(from, *read);
  if (const auto* close = std::get_if<control::BoardClose>(&message)) return says(from, *close);
  if (const auto* query = std::get_if<control::BoardQuery>(&message)) return says(from, *query);
  return false;
}

bool Boards::refuse(const Party& to, Number correlation, errc code, std::string text) {
  text.resize(std::min(text.size(), control::text_size_max));
  out_.push_back({to.conn, control::Refused{correlation, 0, code, std::move(text)}, nullptr});
  return true;
}

bool Boards::is_of_a_pit(std::string_view name) const { return is_pit_(name.substr(0, name.find('/'))); }

std::optional<std::string> Boards::why_not_write(const Party& from, const control::BoardWrite& m) const {
  if (!from.pit.empty()) return "pit " + from.pit + " was not granted to write boards";
  if (is_of_a_pit(m.name)) return "'" + m.name + "' belongs to the pit of that name: choose another";
  const auto found = names_.find(m.name);
  if (found == names_.end()) return std::nullopt;
  const Name& name = found->second;
  for (const auto* board : {&name.forming, &name.current}) {
    if (*board && (*board)->writer.conn != 0) {
      return "'" + m.name + "' is written by " + name_of_party((*board)->writer) + ": one at a time may";
    }
  }
  return std::nullopt;
}

bool Boards::says(const Party& from, const control::BoardWrite& m) {
  const BoardGeometry geometry{m.slot_count, m.value_size_max};
  if (!control::is_board_name(m.name)) {
    return refuse(from, m.correlation, errc::invalid_argument,
                  "a board's name has 1 to 63 of a-z, 0-9, _, -, . and single slashes between them");
  }
  if (!is_board_geometry(geometry)) {
    return refuse(from, m.correlation, errc::invalid_argument,
                  "a board has 2 to 4096 values of up to 65536 bytes, and not more than 64 MiB");
  }
  if (const auto why = why_not_write(from, m)) return refuse(from, m.correlation, errc::refused, *why);
  const auto found = names_.find(m.name);
  if (found != names_.end() && found->second.kind != m.kind &&
      (found->second.current || !found->second.readers.empty())) {
    return refuse(from, m.correlation, errc::invalid_argument,
                  "'" + m.name + "' is " + name_of_kind(found->second.kind) + ": choose another name");
  }
  if (writes_[from.conn] >= boards_per_writer_max) {
    return refuse(from, m.correlation, errc::too_large, "256 boards are written over this connection, the maximum");
  }
  if (found == names_.end()) make_room();
  if (found == names_.end() && names_.size() >= boards_max) {
    return refuse(from, m.correlation, errc::too_large, "the broker has 1024 boards, its maximum: close some");
  }
  auto memory = create_board_memory(geometry.size());
  if (!memory) return refuse(from, m.correlation, memory.error().code, memory.error().text);
  Name& name = names_[m.name];
  name.kind = m.kind;
  name.forming = Board{};
  Board& board = *name.forming;
  board.id = ++last_board_;
  board.source = m.source;
  board.geometry = geometry;
  board.writer = from;
  board.correlation = m.correlation;
  board.own = std::make_shared<UniqueFd>(*std::move(memory));
  ++writes_[from.conn];
  out_.push_back({from.conn, control::BoardOwn{m.correlation, board.id}, board.own});
  return true;
}

bool Boards::says(const Party& from, const control::BoardMapped& m) {
  const auto found = std::find_if(names_.begin(), names_.end(), [&](const auto& entry) {
    const auto& forming = entry.second.forming;
    return forming && forming->id == m.board && forming->writer.conn == from.conn;
  });
  if (found == names_.end()) return true;  // overtaken by a close
  Name& name = found->second;
  Board board = *std::exchange(name.forming, std::nullopt);
  const auto sealed = seal_segment(board.own->get());
  auto view = sealed ? reopen_read_only(board.own->get()) : result<UniqueFd>(unexpected(sealed.error()));
  if (!view) {
    --writes_[from.conn];
    if (name.is_unused()) names_.erase(found);
    return refuse(from, board.correlation, view.error().code, view.error().text);
  }
  board.own = nullptr;
  board.view = std::make_shared<UniqueFd>(*std::move(view));
  name.current = std::move(board);
  for (const auto& [conn, correlation] : name.readers) show(*name.current, conn, correlation, true);
  return true;
}

void Boards::show(const Board& board, ConnId to, Number correlation, bool reader_was_first) {
  out_.push_back({to,
                  control::BoardView{correlation, board.id, board.source, board.geometry.slot_count,
                                     board.geometry.value_size_max, reader_was_first},
                  board.view});
  if (board.writer.conn == 0) out_.push_back({to, control::BoardEnd{correlation, board.id}, nullptr});
}

bool Boards::says(const Party& from, const control::BoardRead& m) {
  if (!control::is_board_name(m.name)) {
    return refuse(from, m.correlation, errc::invalid_argument,
                  "a board's name has 1 to 63 of a-z, 0-9, _, -, . and single slashes between them");
  }
  if (!from.pit.empty()) {
    return refuse(from, m.correlation, errc::refused, "pit " + from.pit + " was not granted to read boards");
  }
  const auto found = names_.find(m.name);
  if (found != names_.end() && found->second.kind != m.kind) {
    return refuse(from, m.correlation, errc::invalid_argument,
                  "'" + m.name + "' is " + name_of_kind(found->second.kind) + ": read it as one");
  }
  if (reads_[from.conn] >= reads_per_caller_max) {
    return refuse(from, m.correlation, errc::too_large, "256 boards are read over this connection, the maximum");
  }
  if (found == names_.end()) make_room();
  if (found == names_.end() && names_.size() >= boards_max) {
    return refuse(from, m.correlation, errc::too_large, "the broker has 1024 boards, its maximum: close some");
  }
  Name& name = names_[m.name];
  name.kind = m.kind;
  if (!name.readers.insert({from.conn, m.correlation}).second) return false;  // a number of a read that goes on
  ++reads_[from.conn];
  if (name.current) show(*name.current, from.conn, m.correlation, false);
  return true;
}

void Boards::end(Name& name, bool for_good) {
  if (!name.current) return;
  name.current->writer = {};
  for (const auto& [conn, correlation] : name.readers) {
    out_.push_back({conn, control::BoardEnd{correlation, name.current->id}, nullptr});
  }
  if (for_good) name.current.reset();
}

bool Boards::says(const Party& from, const control::BoardClose& m) {
  for (auto entry = names_.begin(); entry != names_.end(); ++entry) {
    Name& name = entry->second;
    const auto is_it = [&](const std::optional<Board>& board) {
      return board && board->writer.conn == from.conn && board->correlation == m.correlation;
    };
    if (name.readers.erase({from.conn, m.correlation}) != 0) {
      --reads_[from.conn];
    } else if (is_it(name.forming)) {
      name.forming.reset();
      --writes_[from.conn];
    } else if (is_it(name.current)) {
      end(name, true);
      --writes_[from.conn];
    } else {
      continue;
    }
    if (name.is_unused()) names_.erase(entry);
    break;
  }
  return true;
}

void Boards::on_left(ConnId conn) {
  for (auto entry = names_.begin(); entry != names_.end();) {
    Name& name = entry->second;
    name.readers.erase(name.readers.lower_bound({conn, 0}), name.readers.lower_bound({conn + 1, 0}));
    if (name.forming && name.forming->writer.conn == conn) name.forming.reset();
    if (name.current && name.current->writer.conn == conn) end(name, false);
    entry = name.is_unused() ? names_.erase(entry) : std::next(entry);
  }
  reads_.erase(conn);
  writes_.erase(conn);
}

// What nobody writes or reads any more is kept for who comes later only as long as there is room.
void Boards::make_room() {
  while (names_.size() >= boards_max) {
    auto oldest = names_.end();
    for (auto entry = names_.begin(); entry != names_.end(); ++entry) {
      const Name& name = entry->second;
      const bool is_idle = name.readers.empty() && !name.forming && name.current && name.current->writer.conn == 0;
      if (is_idle && (oldest == names_.end() || name.current->id < oldest->second.current->id)) oldest = entry;
    }
    if (oldest == names_.end()) return;
    names_.erase(oldest);
  }
}

bool Boards::says(const Party& from, const control::BoardQuery& m) {
  control::BoardList list{m.correlation, {}};
  for (auto entry = names_.upper_bound(m.after); entry != names_.end(); ++entry) {
    if (list.boards.size() == control::boards_in_list_max) break;
    const Name& name = entry->second;
    control::BoardStatus& status = list.boards.emplace_back();
    status.name = entry->first;
    status.kind = name.kind;
    status.readers = static_cast<std::uint32_t>(name.readers.size());
    if (!name.current) continue;
    status.writer = name.current->writer.pit;
    status.pid = name.current->writer.pid;
    status.slot_count = name.current->geometry.slot_count;
    status.value_size_max = name.current->geometry.value_size_max;
    // What its writer says, to be shown; nothing depends on it.
    constexpr auto at = static_cast<off_t>(board_words_offset + offsetof(BoardWords, latest));
    (void)!::pread(name.current->view->get(), &status.latest, sizeof status.latest, at);
  }
  out_.push_back({from.conn, std::move(list), nullptr});
  return true;
}

}  // namespace symphony::detail::broker
