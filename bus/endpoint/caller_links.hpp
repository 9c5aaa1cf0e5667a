// The links of one caller as its control side knows them: attached (A1-A5), dead, attached again.   Layer: endpoint.
//
// Owners of links hear of deaths, new epochs and the end through their mailboxes; an open() that waits finds its answer
// in its Opening. Threads: all members under the mutex of their owner.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <symphony/endpoint.hpp>

#include "bus/endpoint/attachment.hpp"
#include "bus/endpoint/broker_connection.hpp"
#include "bus/endpoint/link_core.hpp"

namespace symphony::detail {

// An open() that waits.
struct Opening {
  std::string pit;
  LinkOptions options;
  bool alone = false;  // to an instance for one message
  std::shared_ptr<LinkMailbox> mailbox = std::make_shared<LinkMailbox>();
  control::LinkId link = 0;            // known from OWN on
  std::unique_ptr<Attached> attached;  // GO came
  std::optional<error> failure;
};

class CallerLinks {
 public:
  // `epoll` reports the pidfd of each link's pit under the link's number. Both must live longer.
  CallerLinks(BrokerConnection& broker, int epoll) noexcept : broker_(broker), epoll_(epoll) {}

  // Asks the broker; `opening` stays known, by the number returned, until end_opening().
  [[nodiscard]] std::uint64_t begin_opening(Opening& opening, TimeNs deadline_ns);
  void end_opening(std::uint64_t correlation, const Opening& opening);
  void report_fault(const control::Attachment& at, RingFault fault);
  void close(control::LinkId link);
  // Empty: it is not known.
  [[nodiscard]] std::string pit_of(control::LinkId link) const;

  // What the broker says.
  void on_own(const control::Own& own, std::vector<UniqueFd> fds);
  void on_peer(const control::Peer& peer, std::vector<UniqueFd> fds);
  void on_go(const control::Go& go);
  void on_drop(const control::Drop& drop);
  void on_refused(const control::Refused& refused);
  // What the kernel says: the link's pidfd was readable.
  void on_pit_died(control::LinkId link);

  // The broker is gone: an epoch without GO never was (A6). Then either no other one will come, or one is there.
  void forget_forming() noexcept;
  void end_all(const error& why);
  [[nodiscard]] std::vector<control::HeldLink> held() const;
  // `told`: what held() was when the new broker was greeted. Links that were closed since then are closed there too.
  void ask_again(const std::vector<control::HeldLink>& told);

  [[nodiscard]] std::uint64_t next_correlation() noexcept { return next_correlation_++; }

 private:
  struct Entry {
    std::string pit;
    LinkOptions options;
    bool alone = false;
    std::uint64_t correlation = 0;      // of its latest Open
    control::Epoch epoch = 0;           // of the latest epoch that went live
    bool live = false;                  // false: waiting for its next epoch
    bool saw_death = false;             // of the pit of that epoch, by its pidfd
    std::unique_ptr<Attached> forming;  // OWN came, GO not yet
    UniqueFd forming_pidfd;
    UniqueFd pidfd;
    std::shared_ptr<LinkMailbox> mailbox;
  };

  [[nodiscard]] Entry* entry_of(const control::Attachment& at);
  void ask(const std::string& pit, const LinkOptions& options, bool alone, control::LinkId link,
           std::uint64_t correlation, TimeNs deadline_ns);
  // An Open that the broker there is would take for another one.
  [[nodiscard]] bool is_impossible(bool alone) const noexcept;
  void reopen(control::LinkId link, Entry& entry);
  void forget(control::LinkId link);
  void went_down(Entry& entry);
  [[nodiscard]] static bool is_dead(const Entry& entry);

  BrokerConnection& broker_;
  const int epoll_;
  std::uint64_t next_correlation_ = 1;
  const char* ended_text_ = nullptr;  // no broker will come any more
  std::map<control::LinkId, Entry> links_;
  std::map<std::uint64_t, Opening*> openings_;
};

// What an open() that the broker refused ends with. Texts of errors are static, the broker's come over the wire: known
// codes have one sentence each.
[[nodiscard]] error refusal_of(errc code) noexcept;

}  // namespace symphony::detail
