#include "bus/endpoint/caller_links.hpp"

#include <poll.h>
#include <sys/epoll.h>

#include <cerrno>
#include <utility>

#include "bus/endpoint/waiting.hpp"

namespace symphony::detail {
namespace {

using namespace control;

CallStatus ending_of(errc code) noexcept {
  switch (code) {
    case errc::quarantined:
      return status::quarantined;
    case errc::closed:
      return status::closed;
    default:
      return status::unreachable;
  }
}

constexpr char text_older_broker[] = "the broker is of an older release, which starts no instance for one message";

}  // namespace

// ---- asked by the program

bool CallerLinks::is_impossible(bool alone) const noexcept { return alone && broker_ && !broker_.keeps_letters(); }

void CallerLinks::ask(const std::string& pit, const LinkOptions& options, bool alone, LinkId link,
                      std::uint64_t correlation, TimeNs deadline_ns) {
  broker_.send(Open{correlation, pit, link, options.request_capacity, options.reply_capacity, deadline_ns,
                    offer_heavy_barriers(options.waiting, options.placement), alone});
}

std::uint64_t CallerLinks::begin_opening(Opening& opening, TimeNs deadline_ns) {
  const std::uint64_t correlation = next_correlation();
  openings_[correlation] = &opening;
  if (is_impossible(opening.alone)) {
    opening.failure = error{errc::version_mismatch, 0, text_older_broker};
    return correlation;
  }
  ask(opening.pit, opening.options, opening.alone, 0, correlation, deadline_ns);
  return correlation;
}

void CallerLinks::end_opening(std::uint64_t correlation, const Opening& opening) {
  openings_.erase(correlation);
  if (!opening.attached && opening.link != 0) close(opening.link);
}

void CallerLinks::report_fault(const Attachment& at, RingFault fault) {
  if (Entry* entry = entry_of(at); entry != nullptr && entry->epoch == at.epoch) entry->live = false;
  broker_.send(PeerFault{at, static_cast<std::uint32_t>(fault)});
}

void CallerLinks::close(LinkId link) {
  forget(link);
  broker_.send(Close{link});
}

std::string CallerLinks::pit_of(LinkId link) const {
  const auto found = links_.find(link);
  return found == links_.end() ? std::string() : found->second.pit;
}

void CallerLinks::forget(LinkId link) {
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  if (found->second.pidfd) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, found->second.pidfd.get(), nullptr);
  links_.erase(found);
}

// ---- said by the broker

CallerLinks::Entry* CallerLinks::entry_of(const Attachment& at) {
  const auto found = links_.find(at.link);
  return found == links_.end() ? nullptr : &found->second;
}

void CallerLinks::on_own(const Own& own, std::vector<UniqueFd> fds) {
  Entry* entry = entry_of(own.at);
  if (entry == nullptr) {
    const auto opening = openings_.find(own.correlation);
    if (opening == openings_.end()) {  // its open() gave up
      broker_.send(Close{own.at.link});
      return;
    }
    Opening& waiting = *opening->second;
    waiting.link = own.at.link;
    entry = &links_[own.at.link];
    entry->pit = waiting.pit;
    entry->options = waiting.options;
    entry->alone = waiting.alone;
    entry->mailbox = waiting.mailbox;
    entry->correlation = own.correlation;
  }
  if (own.at.epoch <= entry->epoch) return;
  fds.resize(2);  // the second, if any: the pit's segment, of a link of write-back
  auto mapped = map_own(own, std::move(fds[0]), Side::caller, std::move(fds[1]));
  if (!mapped) {
    broker_.send(MapFailed{own.at, mapped.error().sys_errno});
    return;
  }
  entry->forming = *std::move(mapped);
  broker_.send(Mapped{own.at});
}

void CallerLinks::on_peer(const Peer& peer, std::vector<UniqueFd> fds) {
  Entry* const entry = entry_of(peer.at);
  if (entry == nullptr || !entry->forming || entry->forming->at != peer.at) return;
  if (fds.size() < 2) {
    entry->forming.reset();
    broker_.send(MapFailed{peer.at, EMFILE});
    return;
  }
  if (const auto mapped = map_peer(*entry->forming, std::move(fds[0]), Side::caller); !mapped) {
    entry->forming.reset();
    broker_.send(MapFailed{peer.at, mapped.error().sys_errno});
    return;
  }
  entry->forming_pidfd = std::move(fds[1]);
  broker_.send(Ready{peer.at, 0});
}

void CallerLinks::on_go(const Go& go) {
  Entry* const entry = entry_of(go.at);
  if (entry == nullptr || !entry->forming || entry->forming->at != go.at) return;
  went_down(*entry);  // an epoch that was never told dead: a swap
  entry->forming->last_id = go.last_id;
  entry->epoch = go.at.epoch;
  entry->live = true;
  entry->saw_death = false;
  entry->pidfd = std::move(entry->forming_pidfd);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = go.at.link;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, entry->pidfd.get(), &event);
  for (auto& [correlation, opening] : openings_) {
    if (opening->link == go.at.link) {
      opening->attached = std::move(entry->forming);
      return;
    }
  }
  entry->mailbox->post(link_event::NewEpoch{std::move(entry->forming)});
}

void CallerLinks::on_drop(const Drop& drop) {
  Entry* const entry = entry_of(drop.at);
  if (entry == nullptr) return;
  if (entry->forming && entry->forming->at.epoch == drop.at.epoch) entry->forming.reset();
  if (entry->epoch != drop.at.epoch) return;
  // A broker that has no record of a link we hold: the pit will not serve this epoch to its end, so ask for the next.
  // Also where the pit has died or was reported since we listed it: this broker will not do it by itself.
  went_down(*entry);
  reopen(drop.at.link, *entry);
}

// Asks for the next epoch of a link that has none, under the number its open() waits with.
void CallerLinks::reopen(LinkId link, Entry& entry) {
  if (is_impossible(entry.alone)) {
    entry.mailbox->post(link_event::Ended{status::unreachable, text_older_broker, entry.saw_death});
    return;
  }
  entry.correlation = 0;
  for (const auto& [correlation, opening] : openings_) {
    if (opening->link == link) entry.correlation = correlation;
  }
  if (entry.correlation == 0) entry.correlation = next_correlation();
  ask(entry.pit, entry.options, entry.alone, link, entry.correlation, no_deadline_ns);
}

void CallerLinks::on_refused(const Refused& refused) {
  // One that has its Go is a link, whether its open() has returned or not.
  if (const auto opening = openings_.find(refused.correlation);
      refused.correlation != 0 && opening != openings_.end() && !opening->second->attached) {
    opening->second->failure = refusal_of(refused.code);
    return;
  }
  auto found = links_.find(refused.link);
  for (auto link = links_.begin(); found == links_.end() && link != links_.end(); ++link) {
    if (refused.correlation != 0 && link->second.correlation == refused.correlation) found = link;
  }
  if (found == links_.end()) return;
  Entry& entry = found->second;
  entry.saw_death = entry.saw_death || is_dead(entry);
  went_down(entry);
  entry.mailbox->post(link_event::Ended{ending_of(refused.code), refused.text, entry.saw_death});
}

// ---- deaths

// The epoch is over for this caller: its owner may stop using it. Called for each way to learn it, acts once.
void CallerLinks::went_down(Entry& entry) {
  entry.live = false;
  if (!entry.pidfd) return;
  // Closing is not enough: the broker's descriptor of the same pidfd would keep this one in the epoll set.
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, entry.pidfd.get(), nullptr);
  entry.pidfd.reset();
  entry.mailbox->post(link_event::PeerDied{entry.epoch});
}

// Whether the pit of the link's current epoch is dead, as the kernel says.
bool CallerLinks::is_dead(const Entry& entry) {
  pollfd pit{entry.pidfd.get(), POLLIN, 0};
  return entry.pidfd && ::poll(&pit, 1, 0) == 1;
}

void CallerLinks::on_pit_died(LinkId link) {
  const auto found = links_.find(link);
  if (found == links_.end()) return;
  // The event may be of an epoch that ended while it waited in the batch.
  if (!is_dead(found->second)) return;
  found->second.saw_death = true;
  went_down(found->second);
  if (ended_text_ != nullptr) {
    found->second.mailbox->post(link_event::Ended{status::unreachable, ended_text_, true});
  }
}

// ---- another broker

void CallerLinks::forget_forming() noexcept {
  for (auto& [id, entry] : links_) entry.forming.reset();
}

void CallerLinks::end_all(const error& why) {
  ended_text_ = why.text;
  for (auto& [correlation, opening] : openings_) opening->failure = why;
  // A broker that is gone, or that gave up this connection, has its pits drain our links: they will not be served
  // again.
  for (auto& [id, entry] : links_) {
    entry.mailbox->post(link_event::Ended{status::unreachable, why.text, entry.saw_death || is_dead(entry)});
  }
}

std::vector<HeldLink> CallerLinks::held() const {
  std::vector<HeldLink> held;
  for (const auto& [id, entry] : links_) {
    if (entry.live) held.push_back({id, entry.epoch});
  }
  return held;
}

void CallerLinks::ask_again(const std::vector<HeldLink>& told) {
  for (const HeldLink& link : told) {
    if (links_.count(link.link) == 0) broker_.send(Close{link.link});
  }
  for (auto& [id, entry] : links_) {
    if (!entry.live) reopen(id, entry);
  }
  for (auto& [correlation, opening] : openings_) {
    if (opening->link != 0) continue;
    if (is_impossible(opening->alone)) {
      opening->failure = error{errc::version_mismatch, 0, text_older_broker};
    } else {
      ask(opening->pit, opening->options, opening->alone, 0, correlation, no_deadline_ns);
    }
  }
}

}  // namespace symphony::detail
