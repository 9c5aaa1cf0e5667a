// What an endpoint asks its broker about boards, from any thread.
#include <chrono>

#include "bus/control/board_name.hpp"
#include "bus/endpoint/boards.hpp"
#include "bus/endpoint/caller_control.hpp"

namespace symphony::detail {
namespace {

std::chrono::steady_clock::time_point point_of(TimeNs t) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(t));
}

constexpr const char* forked_text = "this endpoint was made before fork(); make a new one in the child";

}  // namespace

// Precondition: mutex_ is held.
result<void> CallerControl::may_ask_for_boards() {
  hear();  // one that was closed before makes its name free
  if (!broker_) return unexpected(unreachable_error());
  if (broker_.has_boards()) return {};
  return unexpected(errc::version_mismatch, "the broker is older and knows no cells and topics: update it");
}

template <class Owned, class End, class Begin>
result<std::unique_ptr<Owned>> CallerControl::take_board(std::shared_ptr<End> end, TimeNs deadline_ns,
                                                         const error& late, const Begin& begin) {
  if (guard_.in_child()) return unexpected(errc::forked, forked_text);
  std::unique_lock lock(mutex_);
  if (const auto may = may_ask_for_boards(); !may) return unexpected(may.error());
  if (!control::is_board_name(end->name)) {
    return unexpected(errc::invalid_argument,
                      "a cell's or topic's name has 1 to 63 of a-z 0-9 _ - . and single slashes between them");
  }
  const std::uint64_t correlation = links_.next_correlation();
  begin(correlation, end);
  const bool is_decided = changed_.wait_until(lock, point_of(deadline_ns), [&] { return end->is_decided(); });
  const auto failure = end->failure();
  if (is_decided && !failure) return std::make_unique<Owned>(shared_from_this(), correlation, std::move(end));
  boards_.close(correlation);
  return unexpected(failure ? *failure : late);
}

result<std::unique_ptr<WrittenBoard>> CallerControl::write_board(std::shared_ptr<BoardSource> source,
                                                                 TimeNs deadline_ns) {
  if (!is_board_geometry(source->geometry)) {
    return unexpected(errc::invalid_argument, "a board has 2 to 4096 values of up to 64 KiB, and at most 64 MiB");
  }
  return take_board<WrittenBoard>(
      std::move(source), deadline_ns, {errc::timeout, 0, "the broker did not answer in time"},
      [&](std::uint64_t correlation, const std::shared_ptr<BoardSource>& end) { boards_.write(correlation, end); });
}

result<std::unique_ptr<ReadBoard>> CallerControl::read_board(std::shared_ptr<BoardSight> sight, TimeNs deadline_ns) {
  return take_board<ReadBoard>(
      std::move(sight), deadline_ns,
      {errc::timeout, 0, "nobody has written this name yet; `symphony topic list` shows those that are"},
      [&](std::uint64_t correlation, const std::shared_ptr<BoardSight>& end) { boards_.read(correlation, end); });
}

result<control::BoardList> CallerControl::list_boards(const std::string& after, TimeNs deadline_ns) {
  if (guard_.in_child()) return unexpected(errc::forked, forked_text);
  std::unique_lock lock(mutex_);
  if (const auto may = may_ask_for_boards(); !may) return unexpected(may.error());
  const std::uint64_t correlation = links_.next_correlation();
  const auto& list = lists_[correlation];  // stays where it is until it is taken out
  broker_.send(control::BoardQuery{correlation, after});
  changed_.wait_until(lock, point_of(deadline_ns), [&] { return !list.empty(); });
  const auto answer = std::move(lists_.extract(correlation).mapped());
  if (answer.empty()) return unexpected(errc::timeout, "topics: the broker did not answer in time");
  return answer.front();
}

void CallerControl::close_board(std::uint64_t correlation) noexcept { tell(ClosedBoard{correlation}); }

// Whether it was about boards.
bool CallerControl::on_board_message(control::Received& received) {
  if (const auto* own = std::get_if<control::BoardOwn>(&received.message)) {
    boards_.on_own(*own, received.fds);
  } else if (const auto* view = std::get_if<control::BoardView>(&received.message)) {
    boards_.on_view(*view, received.fds);
  } else if (const auto* end = std::get_if<control::BoardEnd>(&received.message)) {
    boards_.on_end(*end);
  } else if (auto* list = std::get_if<control::BoardList>(&received.message)) {
    if (const auto found = lists_.find(list->correlation); found != lists_.end())
      found->second.push_back(std::move(*list));
  } else if (const auto* refused = std::get_if<control::Refused>(&received.message)) {
    return refused->correlation != 0 && boards_.on_refused(*refused);
  } else {
    return false;
  }
  return true;
}

}  // namespace symphony::detail
