// The control side of a caller: one thread that speaks with the broker and watches the pits' pidfds.   Layer: endpoint.
//
// It attaches links (A1-A5), tells their owners of deaths and new epochs through mailboxes, and finds the next broker
// when this one dies. It is never on the data path. Threads: public functions from any thread; everything else on the
// control thread, state under one mutex.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <symphony/endpoint.hpp>

#include "bus/control/socket.hpp"
#include "bus/endpoint/attachment.hpp"
#include "bus/endpoint/fork_guard.hpp"
#include "bus/endpoint/link_core.hpp"

namespace symphony::detail {

class CallerControl : public LinkControl, public std::enable_shared_from_this<CallerControl> {
 public:
  // `path`: where to find the next broker; empty: there will be none. Says hello and waits for the welcome.
  [[nodiscard]] static result<std::shared_ptr<CallerControl>> start(control::ControlSocket socket, std::string path,
                                                                    TimeNs deadline_ns);
  ~CallerControl() override;

  [[nodiscard]] result<std::unique_ptr<LinkCore>> open(std::string_view pit, const LinkOptions& options,
                                                       TimeNs deadline_ns);
  [[nodiscard]] result<BrokerStatus> status(TimeNs deadline_ns);

  void report_fault(const control::Attachment& at, RingFault fault) noexcept override;
  void close_link(control::LinkId link) noexcept override;
  [[nodiscard]] const ForkGuard& fork_guard() const noexcept override { return guard_; }

 private:
  struct LinkEntry {
    std::string pit;
    LinkOptions options;
    std::uint64_t correlation = 0;      // of its latest Open
    control::Epoch epoch = 0;           // of the latest epoch that went live
    bool live = false;                  // false: waiting for its next epoch
    bool saw_death = false;             // of the pit of that epoch, by its pidfd
    std::unique_ptr<Attached> forming;  // OWN came, GO not yet
    UniqueFd forming_pidfd;
    UniqueFd pidfd;
    std::shared_ptr<LinkMailbox> mailbox;
  };
  // An open() that waits.
  struct Opening {
    std::string pit;
    LinkOptions options;
    control::LinkId link = 0;            // known from OWN on
    std::unique_ptr<Attached> attached;  // GO came
    std::shared_ptr<LinkMailbox> mailbox;
    std::optional<error> failure;
  };

  CallerControl(control::ControlSocket socket, std::string path, ForkGuard guard, UniqueFd epoll,
                UniqueFd wake) noexcept;

  void run() noexcept;
  void on_readable();
  void on_message(control::Received received);
  void on_own(const control::Own& own, std::vector<UniqueFd> fds);
  void on_peer(const control::Peer& peer, std::vector<UniqueFd> fds);
  void on_go(const control::Go& go);
  void on_drop(const control::Drop& drop);
  void on_refused(const control::Refused& refused);
  void on_pit_died(control::LinkId link);
  void on_broker_gone();
  [[nodiscard]] bool find_next_broker();
  void lose_broker(const char* static_text);
  [[nodiscard]] LinkEntry* entry_of(const control::Attachment& at);
  void went_down(LinkEntry& entry);
  [[nodiscard]] static bool is_dead(const LinkEntry& entry);
  void forget(control::LinkId link);
  void reopen(control::LinkId link, LinkEntry& entry);
  [[nodiscard]] control::Open open_message(const std::string& pit, const LinkOptions& options, control::LinkId link,
                                           std::uint64_t correlation, TimeNs deadline_ns) const;
  bool send(const control::Message& message);
  void watch(int fd, std::uint64_t tag);

  const ForkGuard guard_;
  const std::string path_;
  UniqueFd epoll_;
  UniqueFd wake_;  // eventfd: stop

  std::mutex mutex_;
  std::condition_variable changed_;
  control::ControlSocket socket_;
  control::Generation generation_ = 0;
  bool connected_ = true;
  bool stopping_ = false;
  std::uint64_t next_correlation_ = 1;
  std::map<control::LinkId, LinkEntry> links_;
  std::map<std::uint64_t, Opening*> openings_;
  std::map<std::uint64_t, std::optional<control::Status>> queries_;
  std::thread thread_;
};

}  // namespace symphony::detail
