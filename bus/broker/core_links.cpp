// Links: open, attach, next epochs, the end. See core.hpp for the states.
#include <algorithm>
#include <bit>
#include <limits>

#include "bus/base/check.hpp"
#include "bus/broker/core.hpp"
#include "bus/channel/layout.hpp"
#include "bus/control/codec.hpp"
#include "bus/memory/segment.hpp"

namespace symphony::detail::broker {
namespace {

constexpr std::uint64_t link_id_end = std::uint64_t{1} << 62;

bool has_own(LinkState s) {  // the pit was given its segment of the current epoch
  return s == LinkState::owning || s == LinkState::sealing || s == LinkState::peering || s == LinkState::open;
}
bool has_segments(LinkState s) { return s == LinkState::making || (has_own(s) && s != LinkState::open); }

bool may_call(const PitConfig& config, const std::string& pit) {
  return std::find(config.calls.begin(), config.calls.end(), pit) != config.calls.end();
}

// `pit`: whose calls the connection carries; null: a program's.
bool may_be_called(const PitConfig& config, const PitConfig* pit) {
  const std::string who = pit == nullptr ? "programs" : "pit:" + pit->name;
  return config.callers.empty() || std::find(config.callers.begin(), config.callers.end(), who) != config.callers.end();
}

std::uint32_t first_given(std::uint32_t by_caller, std::uint32_t by_operator, std::uint32_t otherwise) {
  return by_caller != 0 ? by_caller : by_operator != 0 ? by_operator : otherwise;
}

// The other way round: the ring for which largest_reply_in() is at least `size`.
std::uint64_t ring_for(std::uint32_t size) { return std::bit_ceil(4 * (std::uint64_t{size} + reply_overhead)); }

}  // namespace

void BrokerCore::caller_says(Conn& conn, const control::Open& m) {
  const auto no = [&](errc code, const char* text) { refuse_open(conn, m.correlation, code, text); };
  Pit* pit = pit_named(m.pit);
  if (pit == nullptr)
    return no(errc::not_found, "there is no pit of this name: `symphony status` lists those the broker knows");
  if (conn.pit && !may_call(pits_[*conn.pit].config, m.pit))
    return no(errc::refused, "the operator does not let this pit call that one: add it to the pit's `calls`");
  if (!may_be_called(pit->config, conn.pit ? &pits_[*conn.pit].config : nullptr))
    return no(errc::refused, "the operator does not let you call this pit: its manifest says who may (`callers`)");
  for (const std::uint32_t capacity : {m.request_capacity, m.reply_capacity}) {
    if (capacity != 0 && !is_ring_capacity(capacity)) {
      return no(errc::invalid_argument,
                "a ring's capacity is a power of two from 4096 to 1073741824, or 0 for the default");
    }
  }
  if (m.deadline_ns <= now_ns_)
    return no(errc::timeout, "the deadline to open the link was over when the broker read it");
  if (leaves_with(conn, m.pit))
    return no(errc::closed, "the pit begins anew, and so does this one: open it when it has");
  if (m.alone) pit = place_alone(conn, m);
  if (pit == nullptr) return;
  if (m.link != 0) {
    if (const auto found = links_.find(m.link); found != links_.end()) {
      Link& link = found->second;
      const auto holder = conns_.find(link.conn);
      const bool free = link.state == LinkState::closing || (holder != conns_.end() && holder->second.lost);
      const bool theirs = link.conn == conn.id || (free && link.uid == conn.uid);
      if (!theirs || (link.pit != pit->index && link.home != pit->config.name))
        return no(errc::refused, "this link belongs to another caller or pit: open a new one");
      return open_again(conn, link, m);
    }
  }
  if (links_.size() >= links_max) return no(errc::busy, "the broker has 4096 links, its maximum: close some");
  if (conn.links.size() >= control::links_per_caller_max) {
    return no(errc::busy, "this caller has 1024 links, its maximum: close some, or use another endpoint");
  }
  if (waiting_opens_ >= waiting_opens_max) {
    return no(errc::busy, "1024 opens wait for pits that are not ready, the maximum: try again later");
  }
  // A link this broker does not know keeps the id its caller knows it by: message ids and the pit's state go with it.
  const bool adopt = m.link != 0 && m.link < next_link_ && m.link < link_id_end && links_.count(m.link) == 0;
  const LinkId id = adopt ? m.link : next_link_++;
  pit->gone_links.erase(id);  // its caller came back: the pit's state goes on knowing it
  Link& link = links_[id];
  link.id = id;
  link.pit = pit->index;
  link.conn = conn.id;
  link.uid = conn.uid;
  link.correlation = m.correlation;
  // As long as the link lives: what is sent again after a death must fit as it did before.
  const RingSizes& rings = pit->config.rings;
  link.request_capacity = first_given(m.request_capacity, rings.request_capacity, ring_capacity_default);
  link.reply_capacity_wanted = first_given(m.reply_capacity, rings.reply_capacity, 0);
  link.heavy_barriers = m.heavy_barriers;
  ++waiting_opens_;
  conn.links.insert(id);
  pit->links.insert(id);
  set_timer(link, m.deadline_ns);
  settle(link);
}

void BrokerCore::open_again(Conn& conn, Link& link, const control::Open& m) {
  if (link.state == LinkState::closing) {
    // It was given up a moment ago. The pit was told to drop that epoch and will read so before it reads of the next
    // one.
    link.open_epoch = 0;
    move(link, LinkState::waiting);
    ++waiting_opens_;
    link.conn = conn.id;
    conn.links.insert(link.id);
  } else if (link.conn != conn.id) {
    claim(link, conn);
  }
  link.correlation = m.correlation;
  if (link.state == LinkState::open) {
    drop_at_pit(link, false);
    fall_back(link);
  }
  if (m.request_capacity != 0) link.request_capacity = m.request_capacity;
  if (m.reply_capacity != 0) link.reply_capacity_wanted = m.reply_capacity;
  link.heavy_barriers = m.heavy_barriers;
  set_timer(link, m.deadline_ns);
  if (link.state == LinkState::waiting) settle(link);
}

void BrokerCore::caller_says(Conn& conn, const control::Close& m) {
  if (Link* link = link_of(conn, m.link)) end_link(*link);
}

void BrokerCore::settle(Link& link) {
  if (!send_home(link)) (void)send_to_stand_in(link);
  Pit& pit = pits_[link.pit];
  if (const auto conn = conns_.find(link.conn); conn != conns_.end() && leaves_with(conn->second, pit.config.name)) {
    return refuse_leaving(link);
  }
  switch (pit.state) {
    case PitState::ready:
      return begin_attach(link);
    case PitState::known:
      return stopping_ ? refuse(link, errc::closed, "the broker stops") : start(pit);
    case PitState::quarantined:
    case PitState::stopped:
      return refuse(link, pit.end_code, "pit " + pit.config.name + ": " + pit.reason);
    case PitState::starting:
    case PitState::backoff:
    case PitState::stopping:
    case PitState::swapping:
      return;  // its next state settles the link
  }
}

void BrokerCore::begin_attach(Link& link) {
  const Pit& pit = pits_[link.pit];
  if (link.open_epoch == 0) --waiting_opens_;
  move(link, LinkState::making);
  link.epoch = std::max(link.epoch + 1, ++last_epoch_);
  link.instance = pit.instance;
  link.caller_done = link.pit_done = false;
  link.reply_capacity = link.reply_capacity_wanted;
  if (link.reply_capacity == 0) {
    link.reply_capacity = static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(ring_for(pit.reply_size_max), ring_capacity_default, auto_capacity_max));
  }
  act(MakeSegments{link.id, link.epoch, link.request_capacity, link.reply_capacity, random()});
}

void BrokerCore::on(const SegmentsMade& e) {
  const auto found = links_.find(e.link);
  if (found == links_.end() || found->second.epoch != e.epoch || found->second.state != LinkState::making) return;
  Link& link = found->second;
  const Pit& pit = pits_[link.pit];
  move(link, LinkState::owning);
  record_link(link);  // before the pit hears of it: the next broker tells it to forget
  control::Own own;
  own.at = at(link);
  own.request_capacity = link.request_capacity;
  own.reply_capacity = link.reply_capacity;
  own.request_salt = static_cast<std::uint32_t>(random());
  own.reply_salt = static_cast<std::uint32_t>(random());
  own.in_flight_max = std::min(in_flight_limit, link.reply_capacity / 256);
  own.reply_size_max = largest_reply_in(link.reply_capacity);
  if (pit.reply_size_max != 0) own.reply_size_max = std::min(own.reply_size_max, pit.reply_size_max);
  // A hostile pit is one at either end: nothing of the other's is mapped writable then.
  const auto conn = conns_.find(link.conn);
  const bool is_of_hostile =
      conn != conns_.end() && conn->second.pit && pits_[*conn->second.pit].config.trust == Trust::hostile;
  const Trust trust = is_of_hostile ? Trust::hostile : pit.config.trust;
  own.trust = static_cast<std::uint8_t>(trust);
  own.heavy_barriers = link.heavy_barriers && pit.heavy_barriers;
  own.look_after_ms = look_after_ms(pit.config.budgets);
  std::vector<FdName> for_pit{FdName::pit_segment_rw}, for_caller{FdName::caller_segment_rw};
  if (trust != Trust::hostile) {  // write-back: each may write into the data it has consumed
    for_pit.push_back(FdName::caller_segment_rw);
    for_caller.push_back(FdName::pit_segment_rw);
  }
  act(SendToPit{pit.index, pit.instance, own, link.id, link.epoch, std::move(for_pit)});
  own.correlation = link.correlation;
  act(SendToCaller{link.conn, own, link.id, link.epoch, link.pit, std::move(for_caller)});
}

void BrokerCore::side_mapped(Link& link, bool caller) {
  if (link.state != LinkState::owning) return;
  (caller ? link.caller_done : link.pit_done) = true;
  if (!link.caller_done || !link.pit_done) return;
  link.caller_done = link.pit_done = false;
  move(link, LinkState::sealing);
  act(SealSegments{link.id, link.epoch});
}

void BrokerCore::on(const SegmentsSealed& e) {
  const auto found = links_.find(e.link);
  if (found == links_.end() || found->second.epoch != e.epoch || found->second.state != LinkState::sealing) return;
  Link& link = found->second;
  move(link, LinkState::peering);
  const control::Peer peer{at(link)};
  act(SendToPit{link.pit, link.instance, peer, link.id, link.epoch, {FdName::caller_segment_ro}});
  act(SendToCaller{link.conn, peer, link.id, link.epoch, link.pit, {FdName::pit_segment_ro, FdName::pit_pidfd}});
  watch(pits_[link.pit]);
}

void BrokerCore::on(const SegmentsFailed& e) {
  const auto found = links_.find(e.link);
  if (found == links_.end() || found->second.epoch != e.epoch) return;
  if (!has_segments(found->second.state)) return;
  refuse(found->second, errc::out_of_memory,
         "the broker could not make the link's shared memory: free memory or descriptors, or open a smaller link");
}

void BrokerCore::side_ready(Link& link, bool caller, std::uint64_t last_id) {
  if (link.state != LinkState::peering) return;
  (caller ? link.caller_done : link.pit_done) = true;
  if (!caller) link.last_id = last_id;
  if (!link.caller_done || !link.pit_done) return;
  move(link, LinkState::open);
  link.open_epoch = link.epoch;
  record_link(link);  // before Go: whoever gets it is known to the next broker
  send_go(link);
  keep_words(link);
  act(ForgetSegments{link.id, link.epoch});
}

void BrokerCore::send_go(Link& link) {
  link.correlation = 0;
  set_timer(link, no_deadline_ns);
  act(SendToCaller{link.conn, control::Go{at(link), link.last_id}, 0, 0, 0, {}});
}

void BrokerCore::fall_back(Link& link) {
  if (link.state == LinkState::closing) return erase_link(link);
  if (link.state == LinkState::waiting) return;
  if (has_segments(link.state)) act(ForgetSegments{link.id, link.epoch});
  move(link, LinkState::waiting);
  link.caller_done = link.pit_done = false;
  if (link.open_epoch == 0) ++waiting_opens_;
}

void BrokerCore::drop_at_pit(const Link& link, bool drain) {
  const Pit& pit = pits_[link.pit];
  if (!has_own(link.state) || !pit.alive || pit.instance != link.instance) return;
  act(SendToPit{pit.index, pit.instance, control::Drop{at(link), drain}, 0, 0, {}});
}

void BrokerCore::end_link(Link& link) {
  if (link.state == LinkState::closing) return;
  const Pit& pit = pits_[link.pit];
  if (const auto conn = conns_.find(link.conn); conn != conns_.end()) conn->second.links.erase(link.id);
  link.conn = 0;
  set_timer(link, no_deadline_ns);
  if (has_segments(link.state)) act(ForgetSegments{link.id, link.epoch});
  drop_at_pit(link, true);
  if (link.recorded) {  // after the Drop: should this broker die between the two, the next one knows what to say
    act(DeleteRecord{link_key(link.id)});
    link.recorded = false;
  }
  const PitIndex of = link.pit;
  if (!has_own(link.state) || !pit.alive || pit.instance != link.instance) {
    erase_link(link);
  } else {
    move(link, LinkState::closing);
    watch(pits_[of]);
    bound_closing(of);
  }
  if (pits_[of].alone_of) end_alone(pits_[of]);
}

// Of those that a pit was told to drop and has not, the oldest are forgotten: one that never answers must not use up
// what there is for everybody. It reads its word all the same, if it ever reads.
void BrokerCore::bound_closing(PitIndex pit) {
  std::vector<LinkId> closing;
  for (const LinkId id : pits_[pit].links) {
    if (links_.at(id).state == LinkState::closing) closing.push_back(id);
  }
  for (std::size_t i = 0; i + closing_per_pit_max < closing.size(); ++i) {
    forget_words(pits_[pit], closing[i], 0, std::numeric_limits<Epoch>::max());
    erase_link(links_.at(closing[i]));
  }
}

void BrokerCore::erase_link(Link& link, bool pit_knows) {
  if (link.state == LinkState::waiting && link.open_epoch == 0) --waiting_opens_;
  Pit& pit = pits_[link.pit];
  if (pit.is_durable() && !pit_knows && (link.open_epoch != 0 || link.state == LinkState::closing)) {
    pit.gone_links.insert(link.id);
  }
  if (Pit* const home = link.home.empty() ? nullptr : pit_named(link.home); home != nullptr && home->is_durable()) {
    home->gone_links.insert(link.id);
  }
  pit.links.erase(link.id);
  links_.erase(link.id);
}

void BrokerCore::refuse(Link& link, errc code, const std::string& text) {
  const auto conn = conns_.find(link.conn);
  if (link.state != LinkState::closing && conn != conns_.end() && !conn->second.lost) {
    act(SendToCaller{link.conn,
                     control::Refused{link.correlation, link.id, code, text.substr(0, control::text_size_max)},
                     0,
                     0,
                     0,
                     {}});
  }
  end_link(link);
}

void BrokerCore::refuse_unmapped(Link& link, const control::MapFailed& failed, const std::string& whose) {
  if (failed.lacks_descriptors()) {
    return refuse(link, errc::out_of_descriptors,
                  whose + " has no file descriptor left for the link: raise its limit (ulimit -n)");
  }
  refuse(link, errc::out_of_memory, whose + " could not map its ring: raise its memory limit or open a smaller link");
}

void BrokerCore::refuse_open(const Conn& conn, std::uint64_t correlation, errc code, const std::string& text) {
  act(SendToCaller{
      conn.id, control::Refused{correlation, 0, code, text.substr(0, control::text_size_max)}, 0, 0, 0, {}});
}

void BrokerCore::record_link(const Link& link) {
  if (pits_[link.pit].alone_of) return;  // it ends with this broker
  LinkRecord r{link.pit,
               link.instance,
               link.uid,
               link.request_capacity,
               link.reply_capacity_wanted,
               link.heavy_barriers,
               link.open_epoch,
               0,
               link.last_id,
               link.home};
  std::vector<FdName> fds;
  if (link.state == LinkState::open) {
    fds = {FdName::caller_segment_rw, FdName::pit_segment_rw};
  } else {
    r.attaching = link.epoch;
  }
  act(PutRecord{link_key(link.id), encode(r), link.id, link.epoch, std::move(fds)});
  links_.at(link.id).recorded = true;
}

bool BrokerCore::may_claim(const Conn& conn, const control::HeldLink& held) const {
  const auto found = links_.find(held.link);
  if (found == links_.end() || found->second.state == LinkState::closing) return false;
  const auto holder = conns_.find(found->second.conn);
  return holder != conns_.end() && holder->second.lost && found->second.uid == conn.uid &&
         held.epoch <= found->second.epoch;
}

void BrokerCore::claim(Link& link, Conn& conn) {
  const ConnId before = link.conn;
  Conn& old = conns_.at(before);
  old.links.erase(link.id);
  link.conn = conn.id;
  conn.links.insert(link.id);
  if (old.lost && old.links.empty()) forget_conn(before);
}

BrokerCore::Link* BrokerCore::link_of(const Conn& conn, LinkId id) {
  const auto found = links_.find(id);
  return found != links_.end() && found->second.conn == conn.id && conn.links.count(id) != 0 ? &found->second : nullptr;
}

void BrokerCore::move(Link& link, LinkState to) {
  SYMPHONY_CHECK(may_become(link.state, to));
  link.state = to;
}

}  // namespace symphony::detail::broker
