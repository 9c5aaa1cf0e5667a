// Messages that kill: named at each death, tried alone, parked, shown to operators. See core.hpp and dead_letters.hpp.
//
// What callers say of their messages is believed within bounds: only of an attachment whose pit died with it, once for
// each death. So a caller that lies costs itself its own suspects and a bounded number of letters, and has no more
// instances started than its pit died.
#include <algorithm>
#include <utility>

#include "bus/base/check.hpp"
#include "bus/broker/core.hpp"
#include "bus/control/codec.hpp"

namespace symphony::detail::broker {
namespace {

constexpr std::size_t alone_ends_max = 4 * alone_max;

}  // namespace

// ---- deaths, and what callers say of them

void BrokerCore::note_fatal(const Pit& pit) {
  if (pit.alone_of) return;
  for (const LinkId id : pit.links) {
    const Link& link = links_.at(id);
    if (link.state != LinkState::open) continue;
    fatal_[id] = {link.epoch, pit.index, pit.instance, link.conn, pit.version};
    if (fatal_.size() > links_max) fatal_.erase(fatal_.begin());
  }
}

bool BrokerCore::may_speak_of(const Conn& conn, LinkId link, ConnId said_by) {
  return said_by == conn.id || link_of(conn, link) != nullptr;
}

void BrokerCore::caller_says(Conn& conn, const control::Executing& m) {
  const auto found = fatal_.find(m.at.link);
  if (found == fatal_.end() || found->second.epoch != m.at.epoch) return;
  const FatalEpoch& fatal = found->second;
  if (!may_speak_of(conn, m.at.link, fatal.conn)) return;
  Pit& pit = pits_[fatal.pit];
  const auto death = std::find_if(pit.deaths.begin(), pit.deaths.end(),
                                  [&](const PitDeath& d) { return d.instance == fatal.instance; });
  if (death == pit.deaths.end()) return;  // too long ago
  if (const Suspect* known = letters_.suspect(m.at.link, m.id); known && known->death.instance == fatal.instance)
    return;
  const ExecutingMessage executing{m.at.link, m.id, m.type, m.size, m.attempt};
  const bool was_seen = death->executing.link == m.at.link && death->executing.id == m.id;  // by the watchdog
  if (!was_seen && death->executing_count++ == 0) death->executing = executing;
  if (m.effect == Effect::once) return;  // it is never run again
  Suspect& suspect = letters_.accuse(m.at.link, m.id);
  suspect.conn = conn.id;
  ++suspect.deaths;
  suspect.pit = pit.config.name;
  suspect.version = fatal.version;
  suspect.death = *death;
  suspect.death.executing = executing;
  excuse(pit, death->at_ns);  // on record before the letters say why
  keep_letters();
}

void BrokerCore::caller_says(Conn& conn, const control::Park& m) {
  const Suspect* const suspect = letters_.suspect(m.link, m.id);
  if (suspect == nullptr || !may_speak_of(conn, m.link, suspect->conn)) return;
  DeadLetter letter;
  letter.pit = suspect->pit;
  letter.version = suspect->version;
  letter.at_ns = now_ns_;
  letter.link = m.link;
  letter.message = m.id;
  letter.type = m.type;
  letter.effect = m.effect;
  letter.attempts = m.attempts;
  letter.outcome = m.outcome;
  letter.size = m.size;
  letter.body = m.body;
  letter.death = suspect->death;
  if (const auto end = alone_ends_.find(m.alone_link); end != alone_ends_.end() && end->second.first == conn.id) {
    if (m.outcome == AloneOutcome::killed) {
      letter.death = end->second.second;
      if (letter.death.cause == DeathCause::alone_too_long) letter.outcome = AloneOutcome::late;
    }
    alone_ends_.erase(end);
  }
  const std::string pit = letter.pit;
  const std::uint64_t id = letters_.park(std::move(letter));
  letters_.acquit(m.link, m.id);
  keep_letters(pit);
  act(Note{"pit " + pit + ": a message that killed it is parked: `symphony dlq show " + pit + " " + std::to_string(id) +
           "`"});
}

void BrokerCore::keep_letters(const std::string& pit) {
  KeepLetters keep{letters_.encode()};
  if (const Pit* const of = pit_named(pit); of != nullptr && !of->config.state.folder.empty()) {
    keep.pit = of->index;
    keep.of_pit = letters_.of(pit).encode();
  }
  act(std::move(keep));
}

// ---- an instance for one message

BrokerCore::Pit* BrokerCore::place_alone(Conn& conn, const control::Open& m) {
  const auto no = [&](errc code, const char* text) -> Pit* {
    refuse_open(conn, m.correlation, code, text);
    return nullptr;
  };
  const Pit* const main = pit_named(m.pit);
  if (main == nullptr) return no(errc::not_found, "there is no pit of this name any more");
  const auto is_reason = [&](const Suspect& s) { return s.pit == m.pit && may_speak_of(conn, s.link, s.conn); };
  if (std::none_of(letters_.suspects().begin(), letters_.suspects().end(), is_reason)) {
    return no(errc::refused, "no message of this caller was being executed when the pit died");
  }
  if (stopping_ || keeper_lost_) return no(errc::closed, "the broker stops");
  const auto running = std::count_if(pits_.begin(), pits_.end(),
                                     [](const Pit& p) { return p.alone_of && (p.alive || !p.links.empty()); });
  if (running >= static_cast<std::ptrdiff_t>(alone_max)) {
    return no(errc::busy, "4 messages are tried alone at this time, the maximum: try again when one is done");
  }
  const PitIndex of = main->index;
  auto place =
      std::find_if(pits_.begin(), pits_.end(), [](const Pit& p) { return p.removed && !p.alive && p.links.empty(); });
  if (place == pits_.end() && pits_.size() < places_max) {
    place = pits_.insert(pits_.end(), Pit{});  // main is not valid any more
    place->index = static_cast<PitIndex>(pits_.size() - 1);
  }
  if (place == pits_.end()) return no(errc::busy, "all places for pits are taken: try again when one is free");
  const PitIndex index = place->index;
  // Goes on, as free_place() says; above what earlier brokers handed out, who left no record of it.
  const auto first = static_cast<std::uint32_t>((config_.generation & 0xffff) << 16);
  const std::uint32_t instance = std::max(place->instance, first);
  *place = Pit{};
  place->index = index;
  place->instance = instance;
  place->removed = true;  // nobody finds it by a name, and the next broker ends it
  place->alone_of = of;
  place->alone_until_ns = std::min(m.deadline_ns, now_ns_ + alone_time_max_ns);
  place->config = pits_[of].config;
  place->config.name += "!alone";
  place->config.calls.clear();         // what it restored of its own calls is the other's to make
  place->config.state.folder.clear();  // its state is not kept
  return &*place;
}

// Its link is over: nobody will hear of it.
void BrokerCore::end_alone(Pit& pit) {
  if (pit.state == PitState::known) return move(pit, PitState::stopped);
  kill(pit, AfterExit::stop, "", DeathCause::stop);
}

// Before its links are refused: what its death was like stands in the letter, if there is to be one.
void BrokerCore::note_alone_end(const Pit& pit) {
  if (!pit.alone_of || pit.deaths.empty()) return;
  for (const LinkId id : pit.links) {
    alone_ends_[id] = {links_.at(id).conn, pit.deaths.back()};
    if (alone_ends_.size() > alone_ends_max) alone_ends_.erase(alone_ends_.begin());
  }
}

void BrokerCore::forget_deaths_of(ConnId conn) {
  letters_.forget_suspects_if([&](const Suspect& s) {
    return s.conn == 0 ? !links_.contains(s.link) : s.conn == conn;  // 0: its caller may have come back
  });
  std::erase_if(fatal_, [&](const auto& entry) { return entry.second.conn == conn; });
  std::erase_if(alone_ends_, [&](const auto& entry) { return entry.second.first == conn; });
}

// Those that an earlier broker was told of, as long as their link is on record.
void BrokerCore::restore_letters() {
  if (auto kept = DeadLetters::decode(config_.letters)) letters_ = *std::move(kept);
  config_.letters.clear();
  adopt_letters(std::exchange(config_.letters_in_folders, {}));
  letters_.forget_suspects_if([&](const Suspect& s) { return !links_.contains(s.link); });
}

// What an earlier broker of this daemon left is newer than what is in a folder.
void BrokerCore::adopt_letters(const std::vector<std::vector<std::byte>>& found) {
  for (const auto& bytes : found) {
    if (const auto kept = DeadLetters::decode(bytes)) letters_.adopt(*kept);
  }
}

// ---- operators

void BrokerCore::letter_command(const Conn& conn, const control::Command& m) {
  control::Answer done;
  done.correlation = m.correlation;
  done.daemon_pid = config_.daemon;
  const auto no = [&](const char* text) { answer(conn.id, m.correlation, errc::not_found, text); };
  const bool is_of_all = m.verb == control::Verb::letters && m.pit.empty();
  if (!is_of_all && pit_named(m.pit) == nullptr && !letters_.knows(m.pit)) {
    return no("there is no pit of this name: `symphony pit list` shows those the broker knows");
  }
  if (m.verb == control::Verb::letters) {
    done.letters = letters_.list(m.pit, m.letter, control::letters_in_answer_max);
  } else if (m.verb == control::Verb::letter) {
    const DeadLetter* const letter = letters_.find(m.pit, m.letter);
    if (letter == nullptr) {
      return no("the pit has no dead letter of this number: `symphony dlq list` shows those that are kept");
    }
    done.letters.push_back(*letter);
  } else {
    done.removed = static_cast<std::uint32_t>(letters_.drop(m.pit, m.letter));
    if (m.letter != 0 && done.removed == 0) {
      return no("the pit has no dead letter of this number: `symphony dlq list` shows those that are kept");
    }
    if (done.removed != 0) keep_letters(m.pit);
  }
  send_answer(conn, std::move(done));
}

}  // namespace symphony::detail::broker
