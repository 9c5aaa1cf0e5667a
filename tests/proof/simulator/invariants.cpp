// What must hold of the core after each of its steps, and of everybody when all has come to rest.
#include <algorithm>
#include <cstring>

#include "tests/proof/simulator/world.hpp"

namespace symphony::proof {
namespace {

bool is_attaching(LinkState s) {
  return s == LinkState::making || s == LinkState::owning || s == LinkState::sealing || s == LinkState::peering;
}

std::string text_of(const Caller& c, const Owner& o) {
  return "caller " + std::to_string(c.conn == nullptr ? 0 : c.conn->id) + ", link " + std::to_string(o.link) +
         ", epoch " + std::to_string(o.attached ? o.attached->at.epoch : 0);
}

}  // namespace

// The core's own members: its list of timers is that of its parts, its counts are those of its links, and what it says
// it holds is what shell and keeper hold.
void World::check_core() {
  const BrokerCore& c = *core_;
  if (c.timers_.empty() ? c.armed_ns_ != no_deadline_ns : c.timers_.begin()->at_ns != c.armed_ns_) {
    violation("the timer that is armed is not the next one");
  }
  std::size_t waiting = 0, words = 0, segments = 0, timers = 0, records = 0, of_pits = 0, of_conns = 0;
  for (const auto& [id, conn] : c.conns_) {
    timers += conn.timer_ns != no_deadline_ns;
    of_conns += conn.links.size();
    if (conn.lost && conn.timer_ns == no_deadline_ns) violation("a caller is lost and nothing ends it");
    if (!conn.lost && conn.timer_ns != no_deadline_ns) violation("a caller that is there has a timer");
  }
  for (const auto& [id, command] : c.commands_) timers += command.timer_ns != no_deadline_ns;
  for (const BrokerCore::Pit& pit : c.pits_) {
    timers += pit.timer_ns != no_deadline_ns;
    timers += pit.probation_timer_ns != no_deadline_ns;
    timers += pit.watch.timer_ns != no_deadline_ns;
    words += pit.words.size();
    of_pits += pit.links.size();
    check_pit(pit);
  }
  check_letters();
  std::size_t held = 0;
  for (const auto& [id, link] : c.links_) {
    timers += link.timer_ns != no_deadline_ns;
    waiting += link.state == LinkState::waiting && link.open_epoch == 0;
    segments += is_attaching(link.state);
    records += link.recorded;
    held += link.state != LinkState::closing;
    check_link(link);
  }
  if (of_pits != c.links_.size()) violation("a pit counts links that are not there");
  if (of_conns != held) violation("a caller counts links that are not there");
  if (timers != c.timers_.size()) violation("the list of timers is not that of its parts");
  if (waiting != c.waiting_opens_) violation("the number of waiting opens is wrong");
  if (words != words_seen_.size()) violation("the broker sees words of links that are not open");
  if (segments != segments_.size()) violation("the broker holds segments of no attach");
  if (keeper_lost_) return;
  for (const auto& [key, blob] : records_) {
    if (is_state_key(key)) {
      const auto is_wanted = [&, k = key](const BrokerCore::Pit& p) {
        return (p.state_instance != 0 && k == state_key(p.index, p.state_instance)) ||
               (p.alive && k == state_key(p.index, p.instance)) || (p.heir_of && k == state_key(p.index, 0));
      };
      if (std::none_of(c.pits_.begin(), c.pits_.end(), is_wanted)) violation("memory of a state is kept for nobody");
    } else if (!is_pit_key(key)) {
      --records;
    }
  }
  if (records != 0) violation("the keeper's records are not those of the core");
}

// Only what was being executed at a death may be tried alone or parked, and each of its deaths counts once.
void World::check_letters() {
  const auto& letters = core_->letters_;
  for (const Suspect& s : letters.suspects()) {
    const LinkHistory* const history = history_of(s.link);
    if (history == nullptr || s.deaths > history->deaths)
      violation("a message is blamed for more deaths than there were");
    for (const BrokerCore::Pit& pit : core_->pits_) {
      if (pit.config.name != s.pit || pit.removed) continue;
      if (std::find(pit.failures.begin(), pit.failures.end(), s.death.at_ns) != pit.failures.end()) {
        violation("a death that a message is to blame for counts towards quarantine");
      }
    }
  }
  const auto all = letters.list("", letters_seen_, 100000);
  for (std::size_t i = 0; i < all.size(); ++i) {
    letters_seen_ = std::max(letters_seen_, all[i].id);
    ++seen.parked;
    if (!parked_.insert({all[i].link, all[i].message}).second) violation("a message is parked twice");
  }
}

void World::check_pit(const BrokerCore::Pit& pit) {
  const bool has_process = pit.state == PitState::starting || pit.state == PitState::ready ||
                           pit.state == PitState::stopping || pit.state == PitState::swapping;
  if (pit.alive != has_process) violation("a pit's state says that it is dead or alive, and it is not");
  const bool has_others_end = pit.heir_of && core_->pits_[*pit.heir_of].state == PitState::swapping;
  if (pit.state == PitState::starting && pit.timer_ns == no_deadline_ns && !has_others_end) {
    violation("a start without an end");
  }
  if (pit.state == PitState::swapping && (!pit.swap || pit.timer_ns == no_deadline_ns)) {
    violation("a pit stands still without an end");
  }
  const bool is_named = !pit.removed && !pit.alone_of && !pit.heir_of;
  if (is_named && (pit.index >= pits_.size() || pits_[pit.index].executable != pit.config.executable)) {
    violation("the next broker starts a pit from another file");
  }
  const bool is_kept = std::any_of(probations_.begin(), probations_.end(),
                                   [&](const Probation& p) { return p.pit == pit.index && p.pit < pits_.size(); });
  if (is_named && pit.probation && !is_kept) violation("the next broker does not know of a probation");
  if (pit.probation.has_value() != (pit.probation_timer_ns != no_deadline_ns)) violation("a probation has no end");
  if (pit.swap && core_->pits_[pit.swap->heir].heir_of != pit.index) violation("a swap without who takes over");
  if (pit.heir_of && !core_->pits_[*pit.heir_of].swap) violation("a pit waits to take over from nobody");
  if (pit.removed && !pit.alone_of && !pit.links.empty()) violation("a place of no pit has links");
  if (pit.state == PitState::backoff) {
    const TimeNs longest = pit.config.restart.backoff_max_ns + pit.config.restart.backoff_max_ns / 4 + ms_ns;
    if (pit.timer_ns == no_deadline_ns) violation("a back-off without an end");
    if (pit.timer_ns - now_ns_ > longest) violation("a back-off longer than the policy's longest");
  }
  if ((pit.state == PitState::quarantined || pit.state == PitState::stopped) && pit.timer_ns != no_deadline_ns) {
    violation("a pit that will not come back has a timer");
  }
  if (pit.state == PitState::ready && pit.hung_up && pit.timer_ns == no_deadline_ns) {
    violation("a pit that hung up lives on for ever");
  }
  const bool may_be_watched = pit.state == PitState::ready || pit.state == PitState::swapping;
  const bool is_watched = pit.watch.timer_ns != no_deadline_ns || !local_.empty();  // or a look is under way
  if (pit.watch.timer_ns != no_deadline_ns && !may_be_watched) violation("a pit that does not serve is watched");
  if (may_be_watched && !pit.config.budgets.empty() && !is_watched) {
    if (!pit.watch.standing.empty()) violation("a request stands, and nobody looks any more");
    if (core_->owes_a_word(pit)) violation("a pit owes a word, and nobody looks whether it can say it");
  }
  if (pit.alone_of) {
    if (pit.state == PitState::backoff) {
      violation("an instance for one message is to be started again");
    }
    if ((pit.state == PitState::starting || pit.state == PitState::ready) && pit.links.empty()) {
      violation("an instance for one message outlives its link");
    }
    if (pit.state == PitState::ready && pit.timer_ns == no_deadline_ns) {
      violation("an instance for one message has no end");
    }
  }
  // What is configured nowhere may be on record, or not: an instance for one message, who is to take over, what is
  // gone.
  if (!keeper_lost_ && !pit.removed && pit.state != PitState::known && pit.state != PitState::stopping) {
    // The first bytes of a record (records.cpp): the state, then the instance.
    const auto record = records_.find(pit_key(pit.index));
    std::uint32_t instance = 0;
    if (record == records_.end() || record->second.size() < 5) return violation("a pit is not on record");
    std::memcpy(&instance, record->second.data() + 1, sizeof instance);
    const bool is_found = generation_ > 1 && pit.state == PitState::starting;  // by an earlier broker's record
    if ((record->second[0] != static_cast<std::byte>(pit.state) && !is_found) || instance != pit.instance) {
      violation("a pit's record is not what the pit is");
    }
  }
  const bool failed_too_often = pit.failures.size() >= pit.config.restart.failures_max;
  if (pit.state == PitState::backoff || pit.state == PitState::starting || pit.state == PitState::ready) {
    if (failed_too_often) violation("a pit that failed too often is started again");
  }
  if (pit.state == PitState::quarantined && pit.reason.starts_with("it failed")) {
    // Or one of its deaths was excused when nothing was to be started any more.
    if (!failed_too_often && !core_->stopping_ && !keeper_lost_) {
      violation("a pit is quarantined before it failed too often");
    }
    if (!pit.failures.empty() && pit.failures.back() - pit.failures.front() >= pit.config.restart.window_ns) {
      violation("a pit is quarantined for failures of long ago");
    }
  }
}

void World::check_link(const BrokerCore::Link& link) {
  const BrokerCore& c = *core_;
  const BrokerCore::Pit& pit = c.pits_[link.pit];
  const auto conn = c.conns_.find(link.conn);
  if (pit.links.count(link.id) == 0) violation("a link is not in its pit's list");
  if (link.state == LinkState::closing) {
    if (link.conn != 0 || link.recorded || link.timer_ns != no_deadline_ns) violation("a closing link has an owner");
    if (!pit.alive || pit.instance != link.instance) violation("a closing link waits for an instance that is dead");
    return;
  }
  if (conn == c.conns_.end() || conn->second.links.count(link.id) == 0) return violation("a link has no caller");
  if (conn->first != 0 && conn->second.uid != link.uid) violation("a link is in the hands of another user");
  if (link.state == LinkState::waiting) {
    if (conn->second.lost) return;
    const auto home = link.home.empty() ? std::nullopt : c.index_of(link.home);
    if (home && c.pits_[*home].state == PitState::ready) violation("a link waits away from its pit, which is back");
    if (pit.state == PitState::ready) violation("a link waits, and its pit is ready");
    if (pit.state == PitState::known) violation("a link waits for a pit that nobody starts");
    if (pit.state == PitState::quarantined || pit.state == PitState::stopped) {
      violation("a link waits for a pit that will not come back");
    }
    return;
  }
  if (!pit.alive || pit.instance != link.instance) violation("a link is attached to an instance that is dead");
  if (!link.home.empty() && link.home == pit.config.name) violation("a link stands in for itself");
  const bool is_seen = pit.words.contains({link.id, link.open_epoch});
  if (link.state == LinkState::open && !pit.config.budgets.empty() && !is_seen) {
    violation("of an open link of a pit with budgets nobody sees the words");
  }
  if (link.state == LinkState::open && link.timer_ns != no_deadline_ns) violation("an open link has a deadline");
  if (is_attaching(link.state)) {
    if (conn->second.lost) violation("a link attaches, and its caller is lost");
    if (segments_of(link.id, link.epoch) == nullptr) violation("an attach has no segments");
  }
  if (keeper_lost_ || link.state == LinkState::making || pit.alone_of) return;
  const auto blob = records_.find(link_key(link.id));
  const auto record = blob == records_.end() ? std::nullopt : decode_link(blob->second);
  const bool is_open = link.state == LinkState::open;
  if (!record || !link.recorded) return violation("a link is not on record");
  if (record->open != link.open_epoch || record->attaching != (is_open ? 0 : link.epoch) ||
      record->instance != link.instance || record->pit != link.pit || record->uid != link.uid ||
      record->home != link.home) {
    violation("a link's record is not what the link is");
  }
}

// ---- at rest ----

// Nothing is under way, and an open() waits: for a pit that is not ready, or that does not answer.
void World::check_known(const Caller& c, const Owner& o) {
  for (const auto& [id, link] : core_->links_) {
    if (link.conn == c.conn->id && link.correlation == o.correlation) return;
  }
  violation("an open waits, and the broker does not know of it: " + text_of(c, o));
}

void World::check_settled() {
  for (const Process* p : active_) {
    if (core_ && p->alive && p->frozen) violation("a pit stands still for ever: " + p->name);
    const Memory* const worked_on = memory_of(p->working_at.link, p->working_at.epoch);
    const bool lies = worked_on != nullptr && worked_on->is_scribbled;  // nobody can see what it works on
    if (core_ && p->alive && p->hung && p->is_told && !lies) violation("a pit hangs, and is not replaced: " + p->name);
  }
  if (core_ && !segments_.empty()) violation("the broker holds segments of no attach");
  if (core_ && !copies_.empty()) violation("the broker holds a copy of a state for no rehearsal");
  for (const auto& c : callers_) {
    if (!c->alive || c->is_stranger) continue;
    if (c->by_path && !broker_over_ && c->state != Caller::State::connected) violation("a caller finds no broker");
    for (const auto& o : c->owners) {
      if (o->phase == Owner::Phase::opening) violation("an open has no end: " + text_of(*c, *o));
      if (std::any_of(o->calls.begin(), o->calls.end(),
                      [](const SimCall& call) { return call.state != SimCall::State::ended; })) {
        violation("a call has no end");
      }
      if (broker_over_ || c->state != Caller::State::connected) continue;
      if (o->phase == Owner::Phase::down) violation("a link waits for ever for its next epoch: " + text_of(*c, *o));
      // A broker that dies of the report's first action takes it with it: who broke the ring waits for nothing then.
      if (o->phase != Owner::Phase::open || o->memory->is_reported) continue;
      const auto serves = [&](const Process* p) {
        return p->alive && std::any_of(p->links.begin(), p->links.end(),
                                       [&](const Process::Served& link) { return link.at == o->attached->at; });
      };
      if (std::none_of(active_.begin(), active_.end(), serves))
        violation("a link is open at one end only: " + text_of(*c, *o));
    }
  }
}

void World::check_closed() {
  if (core_ && core_->link_count() != 0) {
    const BrokerCore::Link& link = core_->links_.begin()->second;
    violation("the broker has a link of nobody: " + std::to_string(link.id) + ", of caller " +
              std::to_string(link.conn));
  }
  if (!segments_.empty()) violation("segments are left");
  for (PitIndex i = 0; core_ && core_->link_count() == 0 && i < core_->pits_.size(); ++i) {
    const auto is_in_one = [&](const Process* p) { return p->pit == i && p->alive && p->hung; };
    if (core_->pits_[i].words.empty() || std::any_of(active_.begin(), active_.end(), is_in_one)) continue;
    violation("words are kept of links that are gone");
  }
  if (core_ || !by_path_) {
    for (const auto& [key, blob] : records_) {
      if (!is_pit_key(key) && !is_state_key(key)) violation("the keeper has a record of a link that is gone");
    }
  }
  if (!broker_over_ && Kernel::get().open_fds() != 0) violation("a caller has descriptors left");
  for (const Process* p : active_) {
    // Whoever knew that it had to let go is dead, and nobody waits: it is found when somebody does.
    if (p->hung && core_ && core_->pits_[p->pit].links.empty()) continue;
    if (!broker_over_ && p->alive && p->serves && !p->hung_up && (!p->links.empty() || !p->forming.empty())) {
      const control::Attachment at = p->links.empty() ? p->forming.front() : p->links.front().at;
      violation("a pit has mappings of a link that is gone: pit" + std::to_string(p->pit) + ", link " +
                std::to_string(at.link) + ", epoch " + std::to_string(at.epoch));
    }
  }
}

}  // namespace symphony::proof
