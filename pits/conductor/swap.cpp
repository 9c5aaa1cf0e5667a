// Between close() and flip() or reopen() nothing may be thrown: the gate would stay closed. run() sees to it.
#include "pits/conductor/swap.hpp"

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <new>
#include <utility>

namespace symphony {

std::string_view to_string(SwapStep step) noexcept {
  constexpr std::string_view names[] = {"prepare", "rehearse", "cut", "transfer", "restore", "probation", "commit"};
  const auto index = static_cast<std::size_t>(step);
  return index < std::size(names) ? names[index] : "?";
}

namespace conductor {
namespace {

constexpr TimeNs look_again_ns = 5 * ms_ns;  // whether an instance on probation is there
constexpr TimeNs drain_timeout_ns = 10 * second_ns;

class Swap {
 public:
  Swap(Route& route, const SwapTarget& target, const SwapOptions& options)
      : route_(route), target_(target), options_(options), old_(route.place()) {}

  SwapReport run() {
    try {
      if (!prepare() || (options_.rehearse && !rehearse()) || !cut_over()) {
        drop_new();
        return std::move(report_);
      }
      if (is_on_probation_ && !stand_probation()) return std::move(report_);
      commit();
    } catch (const std::bad_alloc&) {
      if (is_closed_) {
        revive_old();
        route_.reopen();
      }
      report_.status = status::overloaded;
    }
    return std::move(report_);
  }

 private:
  bool fail(SwapStep step, CallStatus status, std::string text) {
    report_.step = step;
    report_.status = status;
    report_.text = std::move(text);
    return false;
  }
  bool fail(SwapStep step, pit::Outcome outcome) { return fail(step, outcome.status, std::move(outcome.text)); }
  void add(std::string_view more) {
    if (!report_.text.empty()) report_.text += "; ";
    report_.text += more;
  }

  bool prepare() {
    const TimeNs began = now_ns();
    const pit::PitInfo& from = old_.host->info();
    const auto no = [&](CallStatus status, std::string text) {
      return fail(SwapStep::prepare, status, std::move(text));
    };
    if (from.state_revision == 0) {
      return no(status::version, "pit '" + from.name +
                                     "' keeps no snapshots, so its state cannot go along: unmount it and mount the "
                                     "other one");
    }
    if (target_.mode == Mode::process && old_.mode == Mode::process && target_.broker_name == old_.broker_name) {
      return no(status::bad_state, "the broker's pit '" + old_.broker_name +
                                       "' is the one that runs: name another in broker_name, or restart it there");
    }
    new_ = {nullptr, target_.mode, target_.broker_name};
    if (StepResult made = target_.make(new_.host); !made.ok()) return no(made.status, std::move(made.text));
    const pit::PitInfo& to = new_.host->info();
    if (to.name != from.name) {
      return no(status::bad_message, "this is pit '" + to.name + "', and pit '" + from.name +
                                         "' is to be swapped: mount another pit under a name of its own");
    }
    if (from.state_revision < to.state_revision_min || from.state_revision > to.state_revision) {
      return no(status::version, "the new one restores snapshots of revision " + std::to_string(to.state_revision_min) +
                                     " to " + std::to_string(to.state_revision) +
                                     ", and the one that runs writes revision " + std::to_string(from.state_revision));
    }
    pit::Outcome made;
    if (const auto fed = route_.fed()) made = new_.host->feed(fed->first, fed->second);
    // It has the state of a new pit, and is not to do anything with it.
    if (made.ok()) made = new_.host->drain(deadline_after(drain_timeout_ns));
    report_.prepare_ns = now_ns() - began;
    return made.ok() || fail(SwapStep::prepare, std::move(made));
  }

  bool rehearse() {
    const auto no = [&](pit::Outcome outcome) { return fail(SwapStep::rehearse, std::move(outcome)); };
    pit::Snapshot first, second;
    const TimeNs began = now_ns();
    if (pit::Outcome o = old_.host->snapshot(first); !o.ok()) return no(std::move(o));
    first.timers.clear();  // or they would run, in two instances
    if (pit::Outcome o = new_.host->resume(first, restore_deadline()); !o.ok()) return no(std::move(o));
    report_.rehearse_ns = now_ns() - began;
    if (pit::Outcome o = new_.host->snapshot(second); !o.ok()) return no(std::move(o));
    if (first.revision == second.revision && first.bytes != second.bytes) {
      return no({SYMPHONY_BAD_MESSAGE, difference(first.bytes, second.bytes)});
    }
    pit::Outcome o = new_.host->drain(deadline_after(drain_timeout_ns));
    return o.ok() || no(std::move(o));
  }
  static std::string difference(const std::vector<std::byte>& a, const std::vector<std::byte>& b) {
    const auto at = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
    return "the new one writes another snapshot than it restored: " + std::to_string(b.size()) + " bytes for " +
           std::to_string(a.size()) + ", the first difference at " + std::to_string(at) +
           ": mend snapshot() or restore()";
  }

  // Everything for which callers wait.
  bool cut_over() {
    const std::uint64_t alive = old_.host->incarnation();
    if (alive == 0)
      return fail(
          SwapStep::cut, status::overloaded,
          "busy: the running instance does not answer: it is in a long call or stopped; try again when it answers");
    const TimeNs began = now_ns();
    route_.close();
    is_closed_ = true;
    if (!come_to_rest(began + options_.cut_budget_ns)) return go_on(began);
    report_.cut_ns = now_ns() - began;
    if (pit::Outcome o = old_.host->snapshot(state_); !o.ok()) {
      fail(SwapStep::transfer, std::move(o));
      return go_on(began);
    }
    if (old_.host->incarnation() != alive) {
      fail(SwapStep::transfer, status::crashed,
           "the running instance died or trapped at the cut: what follows it goes on, as without a swap");
      return go_on(began);
    }
    old_incarnation_ = alive;
    report_.state_size = state_.bytes.size();
    report_.transfer_ns = now_ns() - began - report_.cut_ns;
    if (pit::Outcome o = new_.host->resume(state_, restore_deadline()); !o.ok()) {
      fail(SwapStep::restore, std::move(o));
      return go_on(began);
    }
    report_.restore_ns = now_ns() - began - report_.cut_ns - report_.transfer_ns;
    is_on_probation_ = options_.probation_ns > 0 && options_.probation_messages > 0;
    std::optional<std::uint64_t> expected;
    if (is_on_probation_) {
      expected = expected_ = new_.host->incarnation();
      if (expected_ == 0) {
        fail(SwapStep::restore, status::crashed, "the new instance gives no sign of life after it took the state");
        return go_on(began);
      }
    }
    route_.flip(new_, expected);
    is_closed_ = false;
    report_.pause_ns = now_ns() - began;
    return true;
  }

  bool come_to_rest(TimeNs deadline_ns) {
    if (!route_.wait_empty(deadline_ns)) {
      return fail(SwapStep::cut, status::overloaded,
                  "busy: " + std::to_string(route_.inside()) +
                      " callers had calls under way when the budget was over: try again, or raise cut_budget_ns");
    }
    for (;;) {
      pit::Outcome o = old_.host->rest(deadline_ns);
      is_at_rest_ = o.ok() || o.status == SYMPHONY_DEADLINE;  // a process that is late with it may rest all the same
      if (o.ok()) return true;
      const bool is_busy = o.status == SYMPHONY_OVERLOADED || o.status == SYMPHONY_DEADLINE;
      if (!is_busy || now_ns() >= deadline_ns) {
        return fail(SwapStep::cut, is_busy ? status::overloaded : o.status,
                    is_busy ? "busy: " + o.text + ": try again, or raise cut_budget_ns" : std::move(o.text));
      }
      const timespec while_answers_come{0, 200'000};
      ::nanosleep(&while_answers_come, nullptr);
    }
  }

  // The old one has its calls again, as it was at the cut.
  bool go_on(TimeNs began) {
    revive_old();
    route_.reopen();
    is_closed_ = false;
    report_.pause_ns = now_ns() - began;
    return false;
  }
  // BAD_STATE: it runs. So it is where it did not come to rest, and where another instance followed a dead one.
  void revive_old() {
    if (!std::exchange(is_at_rest_, false)) return;
    pit::Outcome o = old_.host->start();
    if (o.ok() || o.status == SYMPHONY_BAD_STATE) return;
    if (state_.revision != 0) o = old_.host->resume(state_, no_deadline_ns);
    if (!o.ok()) add("and the old instance does not go on: " + o.text);
  }

  // True: it passed.
  bool stand_probation() {
    const TimeNs end = deadline_after(options_.probation_ns);
    for (;;) {
      const TimeNs until = std::min(end, deadline_after(look_again_ns));
      const bool is_told = route_.wait_trial(options_.probation_messages, until);
      const std::uint64_t seen = new_.host->incarnation();
      Route::Trial trial = route_.trial();
      const bool is_over = is_told || now_ns() >= end;
      if (trial.has_failed || (seen != 0 && seen != expected_) || (seen == 0 && is_over)) {
        return go_back("the new instance died, trapped or gave no sign of life while it was on probation", false);
      }
      if (!is_over) continue;
      report_.probation = trial.so_far;
      if (is_accepted(trial.so_far)) return true;
      return go_back("the program did not accept the new instance", true);
    }
  }

  bool is_accepted(const Probation& so_far) {
    try {
      return !options_.accept || options_.accept(so_far);
    } catch (...) {
      return false;
    }
  }

  // False: the old one has the calls, with all that was acknowledged or a list of what is lost.
  bool go_back(std::string_view why, bool is_alive) {
    fail(SwapStep::probation, is_alive ? status::cancelled : status::crashed, std::string(why));
    route_.close();
    is_closed_ = true;
    // Calls on a dead instance end when the next one is there, or at their deadlines; all that ended were counted.
    if (!is_alive && target_.end_process && new_.mode == Mode::process) (void)target_.end_process(new_.broker_name);
    if (!route_.wait_empty(is_alive ? restore_deadline() : no_deadline_ns)) {
      route_.reopen();
      is_closed_ = false;
      report_.status = status::overloaded;
      add("calls on it did not end in time, so it stays");
      commit();
      return false;
    }
    const Route::Trial trial = route_.trial();
    report_.probation = trial.so_far;
    if (!is_alive || !take_state_back()) {
      if (old_.host->incarnation() != old_incarnation_) {  // it died while it was kept
        if (const pit::Outcome o = old_.host->resume(state_, no_deadline_ns); !o.ok()) add(o.text);
      } else {
        revive_old();
      }
      report_.effects_lost = trial.effects;
      report_.lost = trial.listed;
    }
    route_.flip(old_, std::nullopt);
    is_closed_ = false;
    report_.rolled_back = true;
    drop_new();
    return false;
  }
  bool take_state_back() {
    pit::Snapshot last;
    const pit::PitInfo& old = old_.host->info();
    pit::Outcome o = new_.host->rest(restore_deadline());
    if (o.ok()) o = new_.host->snapshot(last);
    if (o.ok() && (last.revision < old.state_revision_min || last.revision > old.state_revision)) {
      o = {SYMPHONY_VERSION, "the old one does not restore revision " + std::to_string(last.revision)};
    }
    if (o.ok()) o = old_.host->resume(last, restore_deadline());
    if (!o.ok()) add("the old instance goes on from the cut: " + o.text);
    return o.ok();
  }

  void commit() {
    if (is_on_probation_) route_.end_probation();
    drop(old_);
  }
  void drop_new() {
    if (new_.host != nullptr) drop(new_);
  }
  // A process that ends needs no farewell; and one that died cannot take it.
  void drop(Route::Place& place) {
    StepResult ended{status::unreachable, {}};
    if (place.mode == Mode::process && target_.end_process) ended = target_.end_process(place.broker_name);
    if (!ended.ok()) {
      if (!ended.text.empty()) add(ended.text);
      if (const pit::Outcome o = place.host->retire(); !o.ok() && report_.ok()) add(o.text);
    }
    place.host.reset();
  }

  [[nodiscard]] TimeNs restore_deadline() const { return deadline_after(options_.restore_timeout_ns); }

  Route& route_;
  const SwapTarget& target_;
  const SwapOptions& options_;
  Route::Place old_, new_;
  pit::Snapshot state_;  // at the cut
  SwapReport report_;
  bool is_closed_ = false;
  bool is_at_rest_ = false;  // the old one
  bool is_on_probation_ = false;
  std::uint64_t old_incarnation_ = 0;
  std::uint64_t expected_ = 0;
};

}  // namespace

SwapReport swap_along(Route& route, const SwapTarget& target, const SwapOptions& options) {
  return Swap(route, target, options).run();
}

}  // namespace conductor
}  // namespace symphony
