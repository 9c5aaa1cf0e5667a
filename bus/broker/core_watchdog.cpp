// Requests that stand still: looked at, cancelled, ended with their pit's process. See core.hpp.
//
//   nobody looks --a caller says that it waits; a pit owes a word about a link--> a look each tick
//   a look each tick --nothing with a budget is executed, and no word is owed--> nobody looks
//   a request that stood through its budget --> cancelled --and through its grace--> its pit is killed, as hanging
//   no request is executed, and a word is owed for the longest budget --> the same
//   no request is executed, and one waits that could be, so long       --> the same: a timer of its own hangs
//
// Counted is the time between two looks at both of which the pit could run. While it is stopped nothing is: a stopped
// pit is suspect, never dead. A look that is late by more than a tick says that this process or the machine stood still
// itself; it counts as one tick, so all that stands has so much longer.
#include <algorithm>
#include <cstdio>
#include <utility>

#include "bus/broker/core.hpp"

namespace symphony::detail::broker {
namespace {

TimeNs look_every(const TimeBudgets& budgets) {
  return std::clamp(budgets.smallest() / 8, look_every_min_ns, look_every_max_ns);
}

std::string text_of(const ExecutingMessage& message, TimeNs budget_ns) {
  if (message.link == 0) {
    return "it stood still for " + std::to_string(budget_ns / ms_ns) +
           " ms in no request: a timer or other work of its own hangs, while callers waited for it";
  }
  char type[16];
  std::snprintf(type, sizeof type, "0x%08x", message.type);
  return "it stood still in message " + std::to_string(message.id) + " of link " + std::to_string(message.link) +
         ", type " + type + ", for longer than its budget of " + std::to_string(budget_ns / ms_ns) + " ms";
}

}  // namespace

std::uint32_t look_after_ms(const TimeBudgets& budgets) {
  if (budgets.empty()) return 0;
  return static_cast<std::uint32_t>(std::clamp<TimeNs>(budgets.smallest() / 4 / ms_ns, 1, 100));
}

// ---- who looks, and when

void BrokerCore::caller_says(Conn& conn, const control::StandsStill& m) {
  const Link* const link = link_of(conn, m.at.link);
  // Of whatever generation: an open link outlives its broker.
  if (link != nullptr && link->state == LinkState::open && link->epoch == m.at.epoch) watch(pits_[link->pit]);
}

void BrokerCore::watch(Pit& pit) {
  const bool is_up = pit.state == PitState::ready || pit.state == PitState::swapping;
  if (!is_up || pit.config.budgets.empty() || pit.watch.timer_ns != no_deadline_ns) return;
  set_watch_timer(pit, now_ns_ + look_every(pit.config.budgets));
}

void BrokerCore::stop_watching(Pit& pit) {
  set_watch_timer(pit, no_deadline_ns);
  pit.watch = Watch{};
}

void BrokerCore::look(Pit& pit) {
  set_watch_timer(pit, no_deadline_ns);
  LookAtPit asked{pit.index, pit.instance, {}, (pit.sandbox & bit_of(SandboxBlock::pid_namespace)) != 0};
  asked.links.assign(pit.words.begin(), pit.words.end());
  act(std::move(asked));
}

// It has something to say about a link, which it does between two requests.
bool BrokerCore::owes_a_word(const Pit& pit) const {
  return std::any_of(pit.links.begin(), pit.links.end(), [&](LinkId id) {
    const Link& link = links_.at(id);
    return link.state == LinkState::closing || (link.state == LinkState::peering && !link.pit_done);
  });
}

// Not before the pit says so is it surely in no request of an epoch that is over.
void BrokerCore::keep_words(const Link& link) {
  Pit& pit = pits_[link.pit];
  if (pit.config.budgets.empty()) return;
  pit.words.emplace(link.id, link.open_epoch);
  act(KeepWords{link.id, link.open_epoch, link.request_capacity});
}

void BrokerCore::forget_words(Pit& pit, LinkId link, Epoch first, Epoch end) {
  std::erase_if(pit.words, [&](const auto& words) {
    if (words.first != link || words.second < first || words.second >= end) return false;
    act(ForgetWords{words.first, words.second});
    return true;
  });
}

void BrokerCore::forget_all_words(Pit& pit) {
  for (const auto& [link, epoch] : std::exchange(pit.words, {})) act(ForgetWords{link, epoch});
}

// ---- what is seen

void BrokerCore::on(const PitSeen& e) {
  Pit* const pit = live_pit(e.pit, e.instance);
  if (pit == nullptr || (pit->state != PitState::ready && pit->state != PitState::swapping)) return;
  const TimeBudgets& budgets = pit->config.budgets;
  if (budgets.empty()) return stop_watching(*pit);  // its manifest changed, and it is about to end
  Watch& watch = pit->watch;
  const TimeNs every = look_every(budgets);
  TimeNs ran_ns = watch.looked_ns == 0 ? 0 : now_ns_ - watch.looked_ns;
  if (ran_ns > 2 * every) ran_ns = every;
  if (e.is_stopped || watch.was_stopped) ran_ns = 0;
  watch.looked_ns = now_ns_;
  watch.was_stopped = e.is_stopped;
  const auto before = std::exchange(watch.standing, {});
  for (const ExecutionSeen& seen : e.executing) {
    const auto known = before.find(seen.message.link);
    const bool is_same = known != before.end() && known->second.seen.epoch == seen.epoch &&
                         known->second.seen.begun == seen.begun && known->second.seen.message.id == seen.message.id;
    const TimeNs budget = budgets.of(seen.message.type);
    if (!is_same && budget == 0) continue;
    Standing& standing = watch.standing[seen.message.link];
    standing = is_same ? known->second : Standing{seen, budget, 0, budget, false};
    if (is_same) standing.stood_ns += ran_ns;
  }
  const bool owes = owes_a_word(*pit);
  // Between two requests of a pit that writes down what it keeps, a disk may be slow.
  const TimeNs silence_min = owes || !pit->is_durable() ? silence_min_ns : silence_of_durable_min_ns;
  // In a timer, or in a request of an epoch that an earlier broker had ended. While a type may take as long as it likes
  // nobody can say that it is not one of those. Nor of one that was asked for a copy of its state, which has a time of
  // its own: a rehearsal must cost nobody anything.
  const bool may_be_busy = pit->state != PitState::ready || (pit->swap && pit->swap->phase == SwapPhase::copying);
  if (e.executing.empty() && (owes || e.waits) && budgets.each_ns != 0 && !may_be_busy && !pit->hung_up) {
    const auto known = before.find(0);
    Standing& standing = watch.standing[0];
    standing.seen.begun = pit->words_said + e.progress;
    standing.budget_ns = standing.until_ns = std::max(budgets.largest(), silence_min);
    if (known != before.end() && known->second.seen.begun == standing.seen.begun) {
      standing.stood_ns = known->second.stood_ns + ran_ns;
    }
  }
  for (auto& [link, standing] : watch.standing) {
    if (standing.stood_ns < standing.until_ns) continue;
    const bool may_cancel = link != 0 && pit->protocol >= control::protocol_of_watchdog;
    if (standing.is_cancelled || !may_cancel) return hangs(*pit, standing);
    standing.is_cancelled = true;
    ++pit->overruns;
    standing.until_ns += std::min(standing.budget_ns, cancel_grace_max_ns);
    const Attachment at{config_.generation, link, standing.seen.epoch};
    act(SendToPit{pit->index, pit->instance, control::CancelRequest{at, standing.seen.message.id}, 0, 0, {}});
  }
  const bool is_left = owes || (e.waits && may_be_busy);
  if (watch.standing.empty() && !is_left) return stop_watching(*pit);
  set_watch_timer(*pit, now_ns_ + every);
}

void BrokerCore::hangs(Pit& pit, const Standing& standing) {
  pit.hung_on = standing.seen.message;
  ++pit.hangs;
  kill(pit, AfterExit::restart, text_of(*pit.hung_on, standing.budget_ns), DeathCause::hang);
}

// ---- whose fault a death was

// Of a message that is counted itself, and ends as poisoned: it says nothing of the pit. The back-off goes on counting
// it, so that whoever sends such messages one after the other has no process started for each.
void BrokerCore::excuse(Pit& pit, TimeNs died_at_ns) {
  const auto counted = std::find(pit.failures.begin(), pit.failures.end(), died_at_ns);
  if (counted == pit.failures.end()) return;
  pit.failures.erase(counted);
  pit.excused.push_back(died_at_ns);
  if (pit.excused.size() > excused_max) pit.excused.erase(pit.excused.begin());
  if (pit.removed) return;
  const bool serves_again = pit.state == PitState::quarantined && pit.failed_too_often &&
                            pit.failures.size() < pit.config.restart.failures_max && !stopping_ && !keeper_lost_;
  if (serves_again) return start(pit);  // it was that death which was one too many
  record_pit(pit);
}

}  // namespace symphony::detail::broker
