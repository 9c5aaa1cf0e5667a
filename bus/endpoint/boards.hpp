// What the public handles of boards own.   Layer: endpoint. Threads: as the handles.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "bus/endpoint/board_sight.hpp"
#include "bus/endpoint/board_source.hpp"
#include "bus/endpoint/caller_control.hpp"

namespace symphony::detail {

template <class End>
class OwnedBoard {
 public:
  OwnedBoard(std::shared_ptr<CallerControl> control, std::uint64_t correlation, std::shared_ptr<End> end) noexcept
      : control_(std::move(control)), correlation_(correlation), end_(std::move(end)) {}
  OwnedBoard(const OwnedBoard&) = delete;
  OwnedBoard& operator=(const OwnedBoard&) = delete;
  ~OwnedBoard() {
    if (closes && !is_forked()) control_->close_board(correlation_);
  }
  // Its memory is not there in a forked child.
  [[nodiscard]] bool is_forked() const noexcept { return control_->fork_guard().in_child(); }
  bool closes = true;
  [[nodiscard]] End& end() const noexcept { return *end_; }

 private:
  std::shared_ptr<CallerControl> control_;
  std::uint64_t correlation_;
  std::shared_ptr<End> end_;
};

class WrittenBoard : public OwnedBoard<BoardSource> {
  using OwnedBoard::OwnedBoard;
};
class ReadBoard : public OwnedBoard<BoardSight> {
  using OwnedBoard::OwnedBoard;
};

}  // namespace symphony::detail
