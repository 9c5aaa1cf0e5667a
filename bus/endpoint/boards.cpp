// The public faces of boards, and how an Endpoint makes them.
#include "bus/endpoint/boards.hpp"

#include <sys/random.h>

#include <symphony/endpoint.hpp>

namespace symphony {

using namespace detail;

BoardWriting::BoardWriting() noexcept = default;
BoardWriting::BoardWriting(std::unique_ptr<WrittenBoard> board) noexcept : board_(std::move(board)) {}
BoardWriting::BoardWriting(BoardWriting&&) noexcept = default;
BoardWriting& BoardWriting::operator=(BoardWriting&&) noexcept = default;
BoardWriting::~BoardWriting() = default;

result<std::uint64_t> BoardWriting::write(std::uint32_t type, std::span<const std::byte> value) noexcept {
  if (!board_) return unexpected(errc::closed, "write: this writer was never opened, or was moved from");
  if (board_->is_forked()) {
    return unexpected(errc::forked, "write: this writer was made before fork(); make a new one in the child");
  }
  return board_->end().write(type, value);
}

void BoardWriting::leave() noexcept {
  if (board_) board_->closes = false;
  board_.reset();
}

BoardReading::BoardReading() noexcept = default;
BoardReading::BoardReading(std::unique_ptr<ReadBoard> board) noexcept : board_(std::move(board)) {}
BoardReading::BoardReading(BoardReading&&) noexcept = default;
BoardReading& BoardReading::operator=(BoardReading&&) noexcept = default;
BoardReading::~BoardReading() = default;

std::uint32_t BoardReading::value_size_max() const noexcept {
  return board_ && !board_->is_forked() ? board_->end().value_size_max() : 0;
}
bool BoardReading::has_writer() const noexcept { return board_ && board_->end().has_writer(); }

TopicValue CellReader::read(std::span<std::byte> into) noexcept {
  return board_ && !board_->is_forked() ? board_->end().read_newest(into) : TopicValue{};
}
TopicValue Subscription::try_next(std::span<std::byte> into) noexcept {
  return board_ && !board_->is_forked() ? board_->end().read_next(into) : TopicValue{};
}
TopicValue Subscription::wait_next(std::span<std::byte> into, TimeNs deadline_ns) noexcept {
  for (std::uint64_t dropped = 0;;) {
    TopicValue value = try_next(into);
    value.dropped = dropped += value.dropped;
    if (value.outcome != ReadOutcome::none || !board_ || board_->is_forked() || now_ns() >= deadline_ns) return value;
    board_->end().wait(deadline_ns);
  }
}
std::uint64_t Subscription::dropped() const noexcept { return board_ ? board_->end().dropped() : 0; }

namespace {

std::shared_ptr<BoardSource> make_source(std::string_view name, control::BoardKind kind, std::uint32_t slots,
                                         std::uint32_t value_size_max) {
  std::uint64_t source = 0;
  (void)!::getrandom(&source, sizeof source, 0);
  return std::make_shared<BoardSource>(std::string(name), kind, BoardGeometry{slots, value_size_max}, source);
}

}  // namespace

result<CellWriter> Endpoint::write_cell(std::string_view name, const CellOptions& options, TimeNs timeout_ns) {
  auto board = control_->write_board(make_source(name, control::BoardKind::cell, cell_slots, options.value_size_max),
                                     deadline_after(timeout_ns));
  if (!board) return unexpected(board.error());
  return CellWriter(*std::move(board));
}

result<Publisher> Endpoint::publish(std::string_view name, const TopicOptions& options, TimeNs timeout_ns) {
  auto board =
      control_->write_board(make_source(name, control::BoardKind::topic, options.history, options.value_size_max),
                            deadline_after(timeout_ns));
  if (!board) return unexpected(board.error());
  return Publisher(*std::move(board));
}

result<CellReader> Endpoint::read_cell(std::string_view name, TimeNs timeout_ns) {
  auto board = control_->read_board(std::make_shared<BoardSight>(std::string(name), control::BoardKind::cell, 0),
                                    deadline_after(timeout_ns));
  if (!board) return unexpected(board.error());
  return CellReader(*std::move(board));
}

result<Subscription> Endpoint::subscribe(std::string_view name, std::uint32_t history, TimeNs timeout_ns) {
  auto board = control_->read_board(std::make_shared<BoardSight>(std::string(name), control::BoardKind::topic, history),
                                    deadline_after(timeout_ns));
  if (!board) return unexpected(board.error());
  return Subscription(*std::move(board));
}

result<std::vector<TopicInfo>> Endpoint::topics(TimeNs timeout_ns) {
  std::vector<TopicInfo> all;
  const TimeNs deadline = deadline_after(timeout_ns);
  for (std::string after;;) {
    auto page = control_->list_boards(after, deadline);
    if (!page) return unexpected(page.error());
    for (control::BoardStatus& s : page->boards) {
      after = s.name;
      all.push_back({std::move(s.name), s.kind == control::BoardKind::cell, std::move(s.writer), s.pid, s.readers,
                     s.slot_count, s.value_size_max, s.latest});
    }
    if (page->boards.size() < control::boards_in_list_max) return all;
  }
}

}  // namespace symphony
