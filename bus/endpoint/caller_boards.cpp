#include "bus/endpoint/caller_boards.hpp"

#include <utility>

#include "bus/memory/segment.hpp"

namespace symphony::detail {
namespace {

error board_refusal(errc code) noexcept {
  switch (code) {
    case errc::refused:
      return {code, 0,
              "the name is written by another connection, or is a pit's; `symphony topic list` shows who writes it"};
    case errc::invalid_argument:
      return {code, 0,
              "not a valid name or size, or a cell where there is a topic; a name has 1 to 63 of a-z 0-9 _ - . /"};
    case errc::too_large:
      return {code, 0, "too many boards on this connection or in this broker: close some"};
    case errc::out_of_memory:
      return {code, 0, "no memory for a board; use fewer or smaller values, or free memory"};
    case errc::out_of_descriptors:
      return {code, 0, "no descriptors left for a board; close some, or raise ulimit -n"};
    default:
      return {code, 0, "the broker could not make the board"};
  }
}

}  // namespace

void CallerBoards::ask(std::uint64_t correlation, const BoardSource& source) {
  if (!broker_.has_boards()) return;
  broker_.send(control::BoardWrite{correlation, source.name, source.kind, source.source, source.geometry.slot_count,
                                   source.geometry.value_size_max});
}

void CallerBoards::ask(std::uint64_t correlation, const BoardSight& sight) {
  if (broker_.has_boards()) broker_.send(control::BoardRead{correlation, sight.name, sight.kind});
}

void CallerBoards::write(std::uint64_t correlation, std::shared_ptr<BoardSource> source) {
  ask(correlation, *source);
  sources_[correlation] = std::move(source);
}

void CallerBoards::read(std::uint64_t correlation, std::shared_ptr<BoardSight> sight) {
  ask(correlation, *sight);
  sights_[correlation] = std::move(sight);
}

void CallerBoards::close(std::uint64_t correlation) {
  if (sources_.erase(correlation) + sights_.erase(correlation) == 0) return;
  if (broker_.has_boards()) broker_.send(control::BoardClose{correlation});
}

void CallerBoards::ask_again() {
  for (const auto& [correlation, source] : sources_) ask(correlation, *source);
  for (const auto& [correlation, sight] : sights_) ask(correlation, *sight);
}

void CallerBoards::on_own(const control::BoardOwn& own, const std::vector<UniqueFd>& fds) {
  const auto found = sources_.find(own.correlation);
  if (found == sources_.end()) return;  // closed meanwhile, and the broker was told
  BoardSource& source = *found->second;
  auto memory = fds.empty() ? result<Mapping>(unexpected(board_refusal(errc::out_of_descriptors)))
                            : Mapping::map(fds[0].get(), source.geometry.size(), Access::read_write);
  if (!memory) {
    source.refuse(memory.error());
    broker_.send(control::BoardClose{own.correlation});
    return;
  }
  source.attach(*std::move(memory));
  broker_.send(control::BoardMapped{own.board});
}

void CallerBoards::on_view(const control::BoardView& view, const std::vector<UniqueFd>& fds) {
  const auto found = sights_.find(view.correlation);
  if (found == sights_.end()) return;
  BoardSight& sight = *found->second;
  const BoardGeometry geometry{view.slot_count, view.value_size_max};
  if (fds.empty()) return sight.refuse(board_refusal(errc::out_of_descriptors));
  if (!is_board_geometry(geometry)) return sight.refuse(board_refusal(errc::peer_fault));
  if (const auto checked = check_peer_segment(fds[0].get(), geometry.size()); !checked) {
    return sight.refuse(checked.error());
  }
  auto memory = Mapping::map(fds[0].get(), geometry.size(), Access::read_only);
  if (!memory) return sight.refuse(memory.error());
  sight.arrive(view.board, view.source, geometry, *std::move(memory), view.reader_was_first);
}

void CallerBoards::on_end(const control::BoardEnd& end) {
  if (const auto found = sights_.find(end.correlation); found != sights_.end()) found->second->end(end.board);
}

bool CallerBoards::on_refused(const control::Refused& refused) {
  const auto source = sources_.find(refused.correlation);
  const auto sight = sights_.find(refused.correlation);
  if (source != sources_.end()) source->second->refuse(board_refusal(refused.code));
  if (sight != sights_.end()) sight->second->refuse(board_refusal(refused.code));
  return source != sources_.end() || sight != sights_.end();
}

}  // namespace symphony::detail
