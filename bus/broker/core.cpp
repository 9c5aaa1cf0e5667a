#include "bus/broker/core.hpp"

#include <algorithm>
#include <array>

#include "bus/base/check.hpp"
#include "bus/broker/pit_slots.hpp"

namespace symphony::detail::broker {
namespace {

constexpr std::uint8_t timer_of_conn = 0, timer_of_link = 1, timer_of_pit = 2, timer_of_command = 3,
                       timer_of_probation = 4, timer_of_watch = 5;

template <class State, std::size_t n>
using Table = std::array<std::array<bool, n>, n>;

// Rows: from; columns: to. known, starting, ready, backoff, quarantined, stopping, stopped, swapping.
constexpr Table<PitState, pit_state_count> pit_table{{
    {false, true, false, false, false, false, true, false},   // known
    {false, false, true, true, true, true, true, false},      // starting
    {false, false, false, true, true, true, true, true},      // ready
    {false, true, false, false, false, false, true, false},   // backoff
    {false, true, false, false, false, false, true, false},   // quarantined
    {false, true, false, true, true, false, true, false},     // stopping
    {false, true, false, false, false, false, false, false},  // stopped
    {false, false, true, true, true, true, true, false}       // swapping
}};

// waiting, making, owning, sealing, peering, open, closing.
constexpr Table<LinkState, link_state_count> link_table{{
    {false, true, false, false, false, false, false},  // waiting
    {true, false, true, false, false, false, false},   // making
    {true, false, false, true, false, false, true},    // owning
    {true, false, false, false, true, false, true},    // sealing
    {true, false, false, false, false, true, true},    // peering
    {true, false, false, false, false, false, true},   // open
    {true, false, false, false, false, false, false}   // closing
}};

// FNV-1a over 64-bit words: small, and the same everywhere.
struct Hash {
  std::uint64_t value = 0xcbf29ce484222325;
  void add(std::uint64_t word) noexcept {
    for (int i = 0; i < 8; ++i) value = (value ^ ((word >> (8 * i)) & 0xff)) * 0x100000001b3;
  }
  template <class... T>
  void all(T... words) noexcept {
    (add(static_cast<std::uint64_t>(words)), ...);
  }
};

}  // namespace

const char* name_of(PitState state) noexcept {
  constexpr const char* names[] = {"known",       "starting", "ready",   "backoff",
                                   "quarantined", "stopping", "stopped", "swapping"};
  return names[static_cast<std::size_t>(state)];
}

bool may_become(PitState from, PitState to) noexcept {
  return pit_table[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
}

bool may_become(LinkState from, LinkState to) noexcept {
  return link_table[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
}

BrokerCore::BrokerCore(CoreConfig config)
    : config_(std::move(config)), random_(config_.seed + config_.generation * 0x9e3779b97f4a7c15) {
  SYMPHONY_CHECK(config_.generation >= 1 && config_.pits.size() <= places_max &&
                 check_pits(in_use(config_.pits)).has_value());
  for (PitIndex i = 0; i < config_.pits.size(); ++i) {
    Pit& pit = pits_.emplace_back();
    pit.index = i;
    pit.config = config_.pits[i];
    pit.removed = pit.config.name.empty();
    if (pit.removed) pit.state = PitState::stopped;
  }
  last_epoch_ = (config_.generation - 1) << 32;
  next_link_ = last_epoch_ + 1;
  next_swap_ = static_cast<std::uint32_t>(config_.generation << 16);
}

void BrokerCore::step(const Event& event, TimeNs now_ns) {
  now_ns_ = std::max(now_ns_, now_ns);
  std::visit([this](const auto& e) { on(e); }, event);
  for (Pit& pit : pits_) note_arrivals(pit);
  settle_commands();
  finish_if_stopped();
  const TimeNs next = timers_.empty() ? no_deadline_ns : timers_.begin()->at_ns;
  if (next != armed_ns_) {
    armed_ns_ = next;
    act(ArmTimer{next});
  }
}

bool BrokerCore::pop(Action& action) {
  if (actions_.empty()) return false;
  action = std::move(actions_.front());
  actions_.pop_front();
  return true;
}

std::uint64_t BrokerCore::random() noexcept {  // splitmix64
  random_ += 0x9e3779b97f4a7c15;
  std::uint64_t z = random_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::uint64_t BrokerCore::state_hash() const noexcept {
  Hash h;
  h.all(now_ns_, random_, next_link_, last_epoch_, waiting_opens_, stopping_, finished_, armed_ns_, keeper_lost_,
        next_command_, next_swap_, fatal_.size(), alone_ends_.size(), letters_.suspects().size());
  for (const Pit& p : pits_) {
    h.all(p.state, p.after_exit, p.alive, p.was_ready, p.has_served, p.hung_up, p.instance, p.state_instance, p.pid,
          p.reply_size_max, p.heavy_barriers, p.sandbox, p.ready_since_ns, p.timer_ns, p.end_code, p.links.size(),
          p.cause, p.started_with, p.removed, p.alone_of.value_or(places_max), p.alone_until_ns, p.protocol,
          p.heir_of.value_or(places_max), p.moved_to.value_or(places_max), p.tries, p.arriving.since_ns,
          p.arriving.links.size(), p.probation_timer_ns, p.watch.timer_ns, p.watch.looked_ns, p.watch.was_stopped,
          p.failed_too_often, p.words.size(), p.words_said, p.hung_on ? p.hung_on->id : 0);
    for (const auto& [id, s] : p.watch.standing) h.all(id, s.seen.epoch, s.seen.begun, s.stood_ns, s.is_cancelled);
    for (const TimeNs t : p.excused) h.all(t);
    if (p.swap)
      h.all(p.swap->heir, p.swap->phase, p.swap->number, p.swap->pause_max_ns, p.swap->froze_at_ns, p.swap->rehearses,
            p.swap->rehearsed_ns);
    for (const TimeNs t : p.failures) h.all(t);
    for (const LinkId id : p.gone_links) h.all(id);
    for (const PitDeath& d : p.deaths) h.all(d.at_ns, d.instance, d.cause, d.value, d.executing_count);
  }
  for (const auto& [id, c] : commands_) {
    h.all(id, c.conn, c.correlation, c.verb, c.pit, c.instance, c.timer_ns, c.failure, c.pause_ns, c.rehearsed_ns);
  }
  for (const auto& [id, c] : conns_) {
    h.all(id, c.uid, c.protocol, c.greeted, c.lost, c.timer_ns, c.links.size());
  }
  for (const auto& [id, l] : links_) {
    h.all(id, l.pit, l.conn, l.uid, l.state, l.epoch, l.open_epoch, l.instance, l.recorded, l.caller_done, l.pit_done,
          l.correlation, l.last_id, l.request_capacity, l.reply_capacity_wanted, l.reply_capacity, l.heavy_barriers,
          l.timer_ns, l.home.size());
  }
  return h.value;
}

std::vector<PitInfo> BrokerCore::status() const {
  std::vector<PitInfo> all;
  for (const Pit& p : pits_) {
    if (p.heir_of || p.alone_of || p.moved_to || (p.removed && !p.alive)) continue;  // of a swapped pit one is told
    const std::string& name = p.config.name;
    all.push_back({name.empty() ? "(removed)" : name, name_of(p.state), p.pid, p.instance,
                   static_cast<std::uint32_t>(p.links.size())});
  }
  return all;
}

std::optional<PitIndex> BrokerCore::index_of(std::string_view name) const {
  for (const Pit& p : pits_) {
    if (!p.removed && p.config.name == name) return p.index;
  }
  return std::nullopt;
}

std::uint16_t BrokerCore::protocol_of(ConnId conn) const {
  const auto found = conns_.find(conn);
  return found != conns_.end() && found->second.greeted && !found->second.lost ? found->second.protocol : 0;
}

std::string BrokerCore::pit_of(ConnId conn) const {
  const auto found = conns_.find(conn);
  return found != conns_.end() && found->second.pit ? pits_.at(*found->second.pit).config.name : std::string();
}

// ---- callers ----

void BrokerCore::on(const CallerConnected& e) {
  const char* refusal = nullptr;
  if (e.uid != config_.owner && e.uid != 0) refusal = "this broker serves another user: start your own";
  if (conns_.size() >= callers_max)
    refusal = "the broker has 1024 callers, its maximum: close some, or share an endpoint";
  if (refusal != nullptr) {
    act(SendToCaller{e.conn, control::Refused{0, 0, errc::refused, refusal}, 0, 0, 0, {}});
    act(DisconnectCaller{e.conn});
    return;
  }
  Conn& conn = conns_[e.conn];
  conn.id = e.conn;
  conn.uid = e.uid;
  conn.pit = e.pit;
}

void BrokerCore::on(const CallerLeft& e) {
  const auto found = conns_.find(e.conn);
  if (found == conns_.end()) return;
  Conn& conn = found->second;
  if (e.dead || !config_.may_reconnect || !conn.greeted) {
    if (!conn.lost) act(DisconnectCaller{e.conn});
    return forget_conn(e.conn);
  }
  if (conn.lost) return;
  // Its links stay for a while: attachments that were open as they are, those under way fall back.
  conn.lost = true;
  for (const LinkId id : std::set<LinkId>(conn.links)) {
    Link& link = links_.at(id);
    if (link.open_epoch == 0) {
      end_link(link);
    } else if (link.state != LinkState::open) {
      drop_at_pit(link, false);
      fall_back(link);
    }
  }
  act(DisconnectCaller{e.conn});
  if (conn.links.empty()) return forget_conn(e.conn);
  set_timer(conn, now_ns_ + reconnect_grace_ns);
}

void BrokerCore::on(const CallerFaulted& e) {
  if (const auto found = conns_.find(e.conn); found != conns_.end() && !found->second.lost) give_up(found->second);
}

void BrokerCore::on(const CallerMessage& e) {
  const auto found = conns_.find(e.conn);
  if (found == conns_.end() || found->second.lost) return;
  Conn& conn = found->second;
  if (!conn.greeted && !std::holds_alternative<control::Hello>(e.message)) return give_up(conn);
  // What is about an attachment that is not the current one was overtaken by a death or a close, and means nothing.
  const auto current = [&](const Attachment& a) -> Link* {
    Link* link = link_of(conn, a.link);
    return link != nullptr && at(*link) == a ? link : nullptr;
  };
  if (const auto* hello = std::get_if<control::Hello>(&e.message)) {
    caller_says(conn, *hello);
  } else if (const auto* open = std::get_if<control::Open>(&e.message)) {
    caller_says(conn, *open);
  } else if (const auto* mapped = std::get_if<control::Mapped>(&e.message)) {
    if (Link* link = current(mapped->at)) side_mapped(*link, true);
  } else if (const auto* ready = std::get_if<control::Ready>(&e.message)) {
    if (Link* link = current(ready->at)) side_ready(*link, true, 0);
  } else if (const auto* failed = std::get_if<control::MapFailed>(&e.message)) {
    Link* link = current(failed->at);
    if (link != nullptr && link->state != LinkState::open) refuse_unmapped(*link, *failed, "the caller");
  } else if (const auto* fault = std::get_if<control::PeerFault>(&e.message)) {
    Link* link = link_of(conn, fault->at.link);
    if (link != nullptr && link->epoch == fault->at.epoch && link->state == LinkState::open) {
      Pit& pit = pits_[link->pit];
      if (conn.pit && !outranks(*conn.pit, link->pit)) {
        refuse(*link, errc::peer_fault, "the pit broke the ring protocol on this link");
        note_word(pits_[*conn.pit].config.name, pit.config.name);
      } else if (pit.instance == link->instance) {
        kill(pit, AfterExit::restart, "it broke the ring protocol on a link", DeathCause::link_fault);
      }
    }
  } else if (const auto* close = std::get_if<control::Close>(&e.message)) {
    caller_says(conn, *close);
  } else if (const auto* query = std::get_if<control::StatusQuery>(&e.message)) {
    caller_says(conn, *query);
  } else if (const auto* command = std::get_if<control::Command>(&e.message)) {
    caller_says(conn, *command);
  } else if (const auto* executing = std::get_if<control::Executing>(&e.message)) {
    caller_says(conn, *executing);
  } else if (const auto* park = std::get_if<control::Park>(&e.message)) {
    caller_says(conn, *park);
  } else if (const auto* still = std::get_if<control::StandsStill>(&e.message)) {
    caller_says(conn, *still);
  } else {
    give_up(conn);  // a message only pits or brokers say
  }
}

void BrokerCore::caller_says(Conn& conn, const control::Hello& m) {
  if (conn.greeted) return give_up(conn);
  const char* refusal = nullptr;
  errc code = errc::version_mismatch;
  if (m.protocol_min > control::protocol_max || m.protocol_max < control::protocol_min ||
      m.protocol_min > m.protocol_max) {
    refusal = "caller and broker have no protocol version in common: update the older one";
  } else if (m.clock_ns - now_ns_ > clock_ahead_max_ns || now_ns_ - m.clock_ns > clock_behind_max_ns) {
    refusal = "the caller's monotonic clock differs: run caller and broker in one time namespace";
    code = errc::refused;
  }
  if (refusal != nullptr) {
    act(SendToCaller{conn.id, control::Refused{0, 0, code, refusal}, 0, 0, 0, {}});
    return give_up(conn);
  }
  conn.greeted = true;
  conn.protocol = std::min(m.protocol_max, control::protocol_max);
  act(SendToCaller{conn.id, control::Welcome{config_.generation, conn.protocol}, 0, 0, 0, {}});
  constexpr Epoch epoch_max = Epoch{1} << 62;
  for (const control::HeldLink& held : m.links) {
    if (held.link == 0 || held.epoch == 0 || held.epoch >= epoch_max) continue;
    if (!may_claim(conn, held)) {
      const Attachment gone{config_.generation, held.link, held.epoch};
      act(SendToCaller{conn.id, control::Drop{gone, false}, 0, 0, 0, {}});
      continue;
    }
    Link& link = links_.at(held.link);
    claim(link, conn);
    act(SendToCaller{conn.id, control::Keep{config_.generation, link.id, held.epoch}, 0, 0, 0, {}});
    if (link.state == LinkState::open && link.open_epoch != held.epoch) {  // its Go was lost: nothing was sent on it
      drop_at_pit(link, false);
      fall_back(link);
    }
    if (link.state == LinkState::waiting) settle(link);
  }
}

void BrokerCore::caller_says(Conn& conn, const control::StatusQuery& m) {
  control::Status status{m.correlation, config_.generation, {}};
  for (const PitInfo& p : this->status()) status.pits.push_back({p.name, p.state, p.pid, p.instance, p.links});
  act(SendToCaller{conn.id, std::move(status), 0, 0, 0, {}});
}

// Of two pits that differ about a link the operator's trust decides; of equals nobody, and only their link is over: a
// liar must not end others by its word.
bool BrokerCore::outranks(PitIndex accuser, PitIndex accused) const {
  return pits_[accuser].config.trust < pits_[accused].config.trust;
}

void BrokerCore::note_word(const std::string& accuser, const std::string& accused) {
  act(Note{"pit " + accuser + " says that " + accused + " broke the ring protocol on their link, which is ended"});
}

void BrokerCore::give_up(Conn& conn) {
  act(DisconnectCaller{conn.id});
  forget_conn(conn.id);
}

void BrokerCore::forget_conn(ConnId id) {
  Conn& conn = conns_.at(id);
  conn.lost = true;  // nothing is said to it any more
  for (const LinkId link : std::set<LinkId>(conn.links)) end_link(links_.at(link));
  forget_deaths_of(id);
  set_timer(conn, no_deadline_ns);
  conns_.erase(id);
}

void BrokerCore::on(const StopAll&) {
  if (stopping_) return;
  stopping_ = true;
  act(Stopping{});
  for (Pit& pit : pits_) {
    switch (pit.state) {
      case PitState::ready:
      case PitState::swapping:
        ask_to_stop(pit, stop_grace_ns, AfterExit::stop, "the broker stops");
        break;
      case PitState::starting:
        kill(pit, AfterExit::stop, "", DeathCause::stop);
        break;
      case PitState::stopping:  // an operator may have given it longer
        pit.after_exit = AfterExit::stop;
        if (pit.timer_ns != no_deadline_ns) set_timer(pit, std::min(pit.timer_ns, now_ns_ + stop_grace_ns));
        break;
      case PitState::known:
      case PitState::backoff:
        end_pit(pit, PitState::stopped, errc::closed, "the broker stops");
        break;
      case PitState::quarantined:
      case PitState::stopped:
        break;
    }
  }
}

void BrokerCore::on(const KeeperLost&) {
  keeper_lost_ = true;
  for (Pit& pit : pits_) pit.alive = false;  // all of them, before one ends another
  for (Pit& pit : pits_) forget_all_words(pit);
  for (Pit& pit : pits_) {
    pit.pid = 0;
    for (const LinkId id : std::set<LinkId>(pit.links)) fall_back(links_.at(id));
    if (pit.state != PitState::stopped) {
      end_pit(pit, PitState::stopped, errc::unreachable,
              "the keeper process died and its pits with it: start the program again");
    }
  }
}

void BrokerCore::finish_if_stopped() {
  if (!stopping_ || finished_) return;
  if (std::any_of(pits_.begin(), pits_.end(), [](const Pit& p) { return p.alive; })) return;
  finished_ = true;
  act(Finished{});
}

// ---- timers ----

void BrokerCore::on(const TimerFired&) {
  armed_ns_ = no_deadline_ns;  // a timer that fired is not armed any more
  while (!timers_.empty() && timers_.begin()->at_ns <= now_ns_) {
    const Timer due = *timers_.begin();
    if (due.kind == timer_of_conn) {
      forget_conn(due.id);
    } else if (due.kind == timer_of_link) {
      Link& link = links_.at(due.id);
      set_timer(link, no_deadline_ns);
      const Pit& pit = pits_[link.pit];
      refuse(link, errc::timeout,
             "pit " + pit.config.name + " is " + name_of(pit.state) +
                 ": the deadline to open it is over, allow more time");
    } else if (due.kind == timer_of_probation) {
      probation_is_over(pits_.at(due.id));
    } else if (due.kind == timer_of_watch) {
      look(pits_.at(due.id));
    } else if (due.kind == timer_of_command) {
      command_late(due.id);
    } else {
      Pit& pit = pits_[due.id];
      set_timer(pit, no_deadline_ns);
      pit_timer(pit);
    }
  }
}

void BrokerCore::replace_timer(TimeNs& held, TimeNs at_ns, std::uint8_t kind, std::uint64_t id) {
  if (held != no_deadline_ns) timers_.erase(Timer{held, kind, id});
  held = at_ns;
  if (at_ns != no_deadline_ns) timers_.insert(Timer{at_ns, kind, id});
}

void BrokerCore::set_timer(Conn& conn, TimeNs at_ns) { replace_timer(conn.timer_ns, at_ns, timer_of_conn, conn.id); }
void BrokerCore::set_timer(Link& link, TimeNs at_ns) { replace_timer(link.timer_ns, at_ns, timer_of_link, link.id); }
void BrokerCore::set_timer(Pit& pit, TimeNs at_ns) { replace_timer(pit.timer_ns, at_ns, timer_of_pit, pit.index); }

void BrokerCore::set_probation_timer(Pit& pit, TimeNs at_ns) {
  replace_timer(pit.probation_timer_ns, at_ns, timer_of_probation, pit.index);
}
void BrokerCore::set_watch_timer(Pit& pit, TimeNs at_ns) {
  replace_timer(pit.watch.timer_ns, at_ns, timer_of_watch, pit.index);
}
void BrokerCore::set_timer(PendingCommand& waiting, std::uint64_t id, TimeNs at_ns) {
  replace_timer(waiting.timer_ns, at_ns, timer_of_command, id);
}

void BrokerCore::move(Pit& pit, PitState to) {
  SYMPHONY_CHECK(may_become(pit.state, to));
  pit.state = to;
  if (to != PitState::ready && to != PitState::swapping) stop_watching(pit);
  // Whatever it is: nobody takes over from one that does not serve.
  if (pit.swap && to != PitState::ready && to != PitState::swapping) {
    end_swap(pit, errc::closed, std::string("it is ") + name_of(to) + " now");
  }
}

}  // namespace symphony::detail::broker
