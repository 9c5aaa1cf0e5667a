// The control side of a caller: one thread that speaks with the broker and watches the pits' pidfds.   Layer: endpoint.
//
// It feeds the links (caller_links.hpp) with what it reads, and finds the next broker when this one dies. It is never
// on the data path. Threads: public functions from any thread; everything else on the control thread, state under one
// mutex. That mutex is held while segments are mapped, so what a data thread has to say (a fault, a close) goes into a
// box of its own and is heard by whoever holds the mutex next.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <symphony/endpoint.hpp>

#include "bus/endpoint/broker_connection.hpp"
#include "bus/endpoint/caller_boards.hpp"
#include "bus/endpoint/caller_links.hpp"
#include "bus/endpoint/fork_guard.hpp"

namespace symphony::detail {

class WrittenBoard;
class ReadBoard;

class CallerControl : public LinkControl, public std::enable_shared_from_this<CallerControl> {
 public:
  // `path`: where to find the next broker; empty: there will be none. Says hello and waits for the welcome.
  [[nodiscard]] static result<std::shared_ptr<CallerControl>> start(control::ControlSocket socket, std::string path,
                                                                    TimeNs deadline_ns);
  ~CallerControl() override;

  [[nodiscard]] result<std::unique_ptr<LinkCore>> open(std::string_view pit, const LinkOptions& options,
                                                       TimeNs deadline_ns);
  [[nodiscard]] result<BrokerStatus> status(TimeNs deadline_ns);

  // caller_control_boards.cpp
  [[nodiscard]] result<std::unique_ptr<WrittenBoard>> write_board(std::shared_ptr<BoardSource> source,
                                                                  TimeNs deadline_ns);
  [[nodiscard]] result<std::unique_ptr<ReadBoard>> read_board(std::shared_ptr<BoardSight> sight, TimeNs deadline_ns);
  [[nodiscard]] result<control::BoardList> list_boards(const std::string& after, TimeNs deadline_ns);
  void close_board(std::uint64_t correlation) noexcept;

  void report_fault(const control::Attachment& at, RingFault fault) noexcept override;
  void close_link(control::LinkId link) noexcept override;
  void report_executing(const control::Executing& executing) noexcept override { tell(executing); }
  void report_still(const control::StandsStill& still) noexcept override { tell(still); }
  void park(control::Park&& letter) noexcept override { tell(std::move(letter)); }
  [[nodiscard]] result<std::unique_ptr<LinkCore>> open_alone(control::LinkId of, const LinkOptions& options,
                                                             TimeNs deadline_ns, const OpenCancel& cancel) override;
  void wake_openings() noexcept override;
  [[nodiscard]] bool keeps_letters() const noexcept override {
    return keeps_letters_.load(std::memory_order_relaxed);  // relaxed: see be_connected()
  }
  [[nodiscard]] const ForkGuard& fork_guard() const noexcept override { return guard_; }

 private:
  CallerControl(std::string path, ForkGuard guard, UniqueFd epoll, UniqueFd wake) noexcept;

  struct Fault {
    control::Attachment at;
    RingFault kind;
  };
  struct ClosedBoard {
    std::uint64_t correlation;
  };
  using Told =
      std::variant<Fault, control::LinkId, control::Executing, control::Park, control::StandsStill, ClosedBoard>;
  // A question that waits; lost: no broker will answer it.
  struct Query {
    std::optional<control::Status> answer;
    bool lost = false;
  };

  // Precondition: `lock` holds mutex_.
  [[nodiscard]] result<std::unique_ptr<LinkCore>> open(std::unique_lock<std::mutex>& lock, Opening& opening,
                                                       TimeNs deadline_ns, const OpenCancel* cancel);
  [[nodiscard]] result<void> may_ask_for_boards();
  template <class Owned, class End, class Begin>
  [[nodiscard]] result<std::unique_ptr<Owned>> take_board(std::shared_ptr<End> end, TimeNs deadline_ns,
                                                          const error& late, const Begin& begin);
  [[nodiscard]] bool on_board_message(control::Received& received);
  void be_connected(control::ControlSocket socket, const control::Welcome& welcome) noexcept;
  void tell(Told told) noexcept;
  void wake() noexcept;
  void hear();  // precondition: mutex_ is held

  void run() noexcept;
  void on_socket(bool readable);
  [[nodiscard]] bool on_wake();  // true: stop
  void on_message(control::Received received);
  void on_pit_died(control::LinkId link);
  // Another broker: caller_reconnect.cpp.
  void on_broker_gone();
  [[nodiscard]] bool find_next_broker();

  const ForkGuard guard_;
  const std::string path_;
  UniqueFd epoll_;
  UniqueFd wake_;  // eventfd: something was told, or stop

  std::mutex mutex_;
  std::condition_variable changed_;  // an answer came
  BrokerConnection broker_;
  CallerLinks links_;
  CallerBoards boards_;
  std::map<std::uint64_t, std::vector<control::BoardList>> lists_;  // asked for; empty: no answer yet
  bool stopping_ = false;
  std::atomic<bool> keeps_letters_{false};  // what broker_ says, for threads without the mutex
  std::map<std::uint64_t, Query> queries_;

  std::mutex told_mutex_;   // held for a push or a swap
  std::vector<Told> told_;  // at most a fault an epoch and a close for each link, what killed its pit, and a
                            // StandsStill a second
  std::thread thread_;
};

// Tags of the control thread's epoll set; every other one is the number of a link.
inline constexpr std::uint64_t tag_socket = 0;
inline constexpr std::uint64_t tag_wake = ~std::uint64_t{0};

[[nodiscard]] error unreachable_error() noexcept;

}  // namespace symphony::detail
