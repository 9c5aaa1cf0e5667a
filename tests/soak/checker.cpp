#include "tests/soak/checker.hpp"

#include <algorithm>
#include <set>

namespace symphony::soak {
namespace {

// What an ending says of the state.
enum class Ending { acknowledged, unknown, failed, odd };

Ending ending_of(const Call& call) {
  if (!call.has_ended) return Ending::unknown;
  switch (call.status) {
    case status::ok:
      return Ending::acknowledged;
    case status::overloaded:  // the pit, its runtime or the link had no room: nothing was done
      return Ending::failed;
    case status::crashed:  // only what must not run twice may end so
      return call.kind == Kind::once ? Ending::unknown : Ending::odd;
    default:
      return Ending::odd;
  }
}

class Incarnation {
 public:
  Incarnation(const History& history, const std::vector<Run>& runs, Verdict& out) : history_(history), out_(out) {
    for (const Call& call : history.calls) {
      if (call.kind != Kind::read) last_made_ = std::max(last_made_, call.number);
    }
    places_.resize(last_made_ + 1);
    for (const Run& run : runs) {
      for (std::uint32_t i = 0; i < run.count; ++i) handle(run.first + i);
    }
    // How many of 1..n are in the state.
    counts_.resize(last_made_ + 1);
    for (std::uint32_t n = 1; n <= last_made_; ++n) counts_[n] = counts_[n - 1] + (places_[n] != 0 ? 1 : 0);
  }

  void judge() {
    for (const Call& call : history_.calls) {
      ++out_.calls;
      if (call.kind == Kind::read) {
        judge_read(call);
      } else {
        judge_call(call);
      }
    }
  }

 private:
  void handle(std::uint32_t number) {
    ++handled_;
    if (number == 0 || number > last_made_) return say(out_.unexpected, "unexpected", number);
    if (places_[number] != 0) return say(out_.duplicated, "duplicated", number);
    if (number < last_handled_) say(out_.reordered, "reordered", number);
    last_handled_ = std::max(last_handled_, number);
    places_[number] = handled_;
  }

  void judge_call(const Call& call) {
    const std::uint64_t place = places_[call.number];
    const Ending ending = ending_of(call);
    switch (ending) {
      case Ending::acknowledged:
        ++out_.acknowledged;
        if (place == 0) say(out_.lost, "lost", call.number);
        if (place != 0 && place != call.answer) say(out_.moved, "moved", call.number);
        return;
      case Ending::failed:
        ++out_.failed;
        if (place != 0) say(out_.contradicted, "contradicted", call.number);
        return;
      case Ending::odd:
        say(out_.odd, "odd ending " + std::to_string(call.status), call.number);
        break;
      case Ending::unknown:
        break;
    }
    ++out_.unknown;
    out_.unknown_in_state += place != 0 ? 1 : 0;
    // With a journal the state contains nothing of a call that ended so (docs/guarantees.md, 181).
    if (call.has_ended && call.status == status::crashed && place != 0) {
      say(out_.contradicted, "contradicted", call.number);
    }
    if (place == 0 && call.number < last_handled_ && call.kind != Kind::once) say(out_.hole, "hole", call.number);
  }

  void judge_read(const Call& call) {
    ++out_.reads;
    const Ending ending = ending_of(call);
    if (ending == Ending::odd) say(out_.odd, "odd ending of a read " + std::to_string(call.status), call.number);
    if (ending != Ending::acknowledged) return;
    if (call.answer != counts_[std::min(call.number, last_made_)]) say(out_.stale, "stale", call.number);
  }

  void say(std::uint64_t& count, const std::string& what, std::uint32_t number) {
    ++count;
    if (out_.examples.size() >= examples_max) return;
    out_.examples.push_back(what + ": call " + std::to_string(number) + " of incarnation " +
                            std::to_string(history_.incarnation));
  }

  const History& history_;
  Verdict& out_;
  std::uint32_t last_made_ = 0;
  std::uint32_t last_handled_ = 0;
  std::uint64_t handled_ = 0;
  std::vector<std::uint64_t> places_;  // 0: not in the state
  std::vector<std::uint64_t> counts_;
};

}  // namespace

Verdict check(const std::vector<History>& histories, const State& state) {
  Verdict out;
  std::set<std::uint32_t> known;
  for (const History& history : histories) {
    known.insert(history.incarnation);
    const auto found = state.handled.find(history.incarnation);
    static const std::vector<Run> nothing;
    Incarnation(history, found == state.handled.end() ? nothing : found->second, out).judge();
  }
  for (const auto& [incarnation, runs] : state.handled) {
    if (known.contains(incarnation)) continue;
    Incarnation(History{incarnation, {}}, runs, out).judge();
  }
  out.torn = state.torn;
  return out;
}

void Verdict::add(const Verdict& other) {
  calls += other.calls, acknowledged += other.acknowledged, unknown += other.unknown, failed += other.failed;
  reads += other.reads, unknown_in_state += other.unknown_in_state;
  lost += other.lost, duplicated += other.duplicated, unexpected += other.unexpected, hole += other.hole;
  reordered += other.reordered, moved += other.moved, stale += other.stale, contradicted += other.contradicted;
  odd += other.odd, torn += other.torn;
  for (const std::string& example : other.examples) {
    if (examples.size() < examples_max) examples.push_back(example);
  }
}

}  // namespace symphony::soak
