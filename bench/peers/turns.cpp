#include "bench/peers/turns.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <random>
#include <vector>

#include "bench/support/raw_line.hpp"

namespace symphony::bench::peers {
namespace {

constexpr Failure no_failure{Outcome::ok, 0};
constexpr Failure control_lost{Outcome::failed, 0};

enum class Task : std::uint32_t { raw, trips, stream, stop };
struct Order {
  Task task = Task::stop;
  std::uint32_t of_peer = 0;  // stream
  std::uint64_t count = 0;    // of one turn
  std::uint64_t rounds = 0;   // trips: each is one turn of ours and one of the peer's
  std::uint64_t seed = 0;     // trips: of the order of turns
};

// The helper's answers to a stream order: ready to receive, then when the last message was read.
struct Received {
  TimeNs end_ns = 0;
};

template <class Message>
bool tell(int control, const Message& message) noexcept {
  ssize_t sent = 0;
  do {
    sent = ::send(control, &message, sizeof message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(sizeof message);
}

template <class Message>
bool hear(int control, Message& message) noexcept {
  ssize_t size = 0;
  do {
    size = ::recv(control, &message, sizeof message, 0);
  } while (size < 0 && errno == EINTR);
  return size == static_cast<ssize_t>(sizeof message);
}

// Both sides draw the same order.
class Drawing {
 public:
  explicit Drawing(std::uint64_t seed) : random_(seed) {}
  std::array<std::uint32_t, 2> next() {
    const auto first = static_cast<std::uint32_t>(random_() & 1U);
    return {first, 1 - first};
  }

 private:
  std::mt19937_64 random_;
};

// The numbers of the messages of one side: each connection counts its own, from 1.
struct Numbers {
  std::uint64_t next[2] = {1, 1};
  std::uint64_t raw = 1;
  std::uint64_t take(std::uint32_t which, std::uint64_t count) noexcept {
    return std::exchange(next[which], next[which] + count);
  }
};

using Line = RawLine<56>;
constexpr auto never = [] { return false; };  // the supervisor ends a side whose other one is gone

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

class Caller {
 public:
  Caller(const PairPlan& plan, const Links& links, int control, std::byte* raw) noexcept
      : plan_(plan), links_(links), control_(control), line_(raw, raw + raw_bytes, raw_bytes) {}

  Failure run(PairResult& measured) {
    if (!raw(measured.raw_before_ns)) return control_lost;
    const Failure failure = plan_.pattern == Pattern::rtt ? trips(measured) : streams(measured);
    if (failure.outcome != Outcome::ok) return failure;
    if (!raw(measured.raw_after_ns) || !tell(control_, Order{})) return control_lost;
    measured.ours_ns = median_of(times_[0]);
    measured.peer_ns = median_of(times_[1]);
    measured.turns = times_[0].size();
    std::vector<double> halves[2];
    for (std::size_t i = 0; i < times_[0].size(); ++i) halves[i & 1U].push_back(times_[0][i]);
    measured.self_ratio = median_of(halves[0]) / median_of(halves[1]);
    return no_failure;
  }

 private:
  static constexpr std::uint64_t raw_turn = 64;
  static constexpr std::uint64_t raw_turns = 32;
  static constexpr int calibrations = 3;
  static constexpr TimeNs stream_turn_ns = 3 * ms_ns;
  static constexpr std::uint64_t stream_count_max = 4'000'000;

  bool raw(double& ns) {
    if (!tell(control_, Order{.task = Task::raw, .count = raw_turn * raw_turns})) return false;
    std::vector<double> times;
    for (std::uint64_t turn = 0; turn < raw_turns; ++turn) {
      const TimeNs start = now_ns();
      for (std::uint64_t i = 0; i < raw_turn; ++i) {
        if (!line_.round_trip(numbers_.raw++, never)) return false;
      }
      times.push_back(static_cast<double>(now_ns() - start) / raw_turn);
    }
    ns = median_of(std::move(times));
    return true;
  }

  Failure some_trips(std::uint64_t count, std::uint64_t rounds, std::uint64_t seed, bool keep) {
    if (!tell(control_, Order{.task = Task::trips, .count = count, .rounds = rounds, .seed = seed})) {
      return control_lost;
    }
    Drawing drawing(seed);
    for (std::uint64_t round = 0; round < rounds; ++round) {
      for (const std::uint32_t which : drawing.next()) {
        const TimeNs start = now_ns();
        const Outcome outcome = links_.of[which]->call(numbers_.take(which, count), count);
        const TimeNs took = now_ns() - start;
        if (outcome != Outcome::ok) return {outcome, which};
        if (keep) times_[which].push_back(static_cast<double>(took) / static_cast<double>(count));
      }
    }
    return no_failure;
  }

  Failure trips(PairResult& measured) {
    const std::uint64_t count = plan_.peer->wait == Wait::sleep ? 8 : plan_.size <= 4096 ? 64 : 16;
    measured.ours_count = measured.peer_count = count;
    if (const Failure f = some_trips(count, 2, plan_.seed, false); f.outcome != Outcome::ok) return f;
    // The shortest of a few: what else runs on the machine only ever adds.
    TimeNs shortest = plan_.budget_ns;
    for (int attempt = 0; attempt < calibrations; ++attempt) {
      const TimeNs start = now_ns();
      if (const Failure f = some_trips(count, 1, plan_.seed, false); f.outcome != Outcome::ok) return f;
      shortest = std::min(shortest, now_ns() - start);
    }
    const auto round_ns = static_cast<std::uint64_t>(std::max<TimeNs>(shortest, 1));
    const auto rounds = std::clamp(static_cast<std::uint64_t>(plan_.budget_ns) / round_ns, turns_min, turns_max);
    return some_trips(count, rounds, plan_.seed, true);
  }

  // One turn of a stream, in all.
  Failure stream(std::uint32_t which, std::uint64_t count, TimeNs& took) {
    if (!tell(control_, Order{.task = Task::stream, .of_peer = which, .count = count})) return control_lost;
    Received received;
    if (!hear(control_, received)) return control_lost;
    const TimeNs start = now_ns();
    const Outcome outcome = links_.of[which]->send(numbers_.take(which, count), count);
    if (outcome != Outcome::ok) return {outcome, which};
    if (!hear(control_, received)) return control_lost;
    took = std::max<TimeNs>(received.end_ns - start, 1);
    return no_failure;
  }

  // As many messages as take a turn's time, and several times what the connection holds.
  Failure stream_count(std::uint32_t which, std::uint64_t& count) {
    TimeNs took = 0;
    for (count = 64;; count *= 2) {
      took = plan_.timeout_ns;
      for (int attempt = 0; attempt < calibrations; ++attempt) {
        TimeNs one = 0;
        if (const Failure f = stream(which, count, one); f.outcome != Outcome::ok) return f;
        took = std::min(took, one);
      }
      if (took >= stream_turn_ns / 3 || count >= stream_count_max / 2) break;
    }
    const double wanted = static_cast<double>(count) * static_cast<double>(stream_turn_ns) / static_cast<double>(took);
    count = std::clamp(static_cast<std::uint64_t>(wanted), std::uint64_t{64}, stream_count_max);
    return no_failure;
  }

  Failure streams(PairResult& measured) {
    std::uint64_t counts[2];
    for (std::uint32_t which = 0; which < 2; ++which) {
      if (const Failure f = stream_count(which, counts[which]); f.outcome != Outcome::ok) return f;
    }
    measured.ours_count = counts[0];
    measured.peer_count = counts[1];
    const auto budget = static_cast<std::uint64_t>(plan_.budget_ns / (2 * stream_turn_ns));
    Drawing drawing(plan_.seed);
    for (std::uint64_t round = 0; round < std::clamp(budget, turns_min, turns_max); ++round) {
      for (const std::uint32_t which : drawing.next()) {
        TimeNs took = 0;
        if (const Failure f = stream(which, counts[which], took); f.outcome != Outcome::ok) return f;
        times_[which].push_back(static_cast<double>(took) / static_cast<double>(counts[which]));
      }
    }
    return no_failure;
  }

  const PairPlan& plan_;
  const Links& links_;
  int control_;
  Line line_;
  Numbers numbers_;
  std::vector<double> times_[2];
};

}  // namespace

Failure serve_turns(const Links& links, int control, std::byte* raw) {
  Line line(raw + raw_bytes, raw, raw_bytes);
  Numbers numbers;
  for (Order order; hear(control, order);) {
    switch (order.task) {
      case Task::stop:
        return no_failure;
      case Task::raw:
        for (std::uint64_t i = 0; i < order.count; ++i) {
          if (!line.answer(numbers.raw++, never)) return control_lost;
        }
        break;
      case Task::trips: {
        Drawing drawing(order.seed);
        for (std::uint64_t round = 0; round < order.rounds; ++round) {
          for (const std::uint32_t which : drawing.next()) {
            const Outcome outcome = links.of[which]->answer(numbers.take(which, order.count), order.count);
            if (outcome != Outcome::ok) return {outcome, which};
          }
        }
        break;
      }
      case Task::stream: {
        const std::uint32_t which = order.of_peer & 1U;
        if (!tell(control, Received{})) return control_lost;
        const Outcome outcome = links.of[which]->receive(numbers.take(which, order.count), order.count);
        if (outcome != Outcome::ok) return {outcome, which};
        if (!tell(control, Received{now_ns()})) return control_lost;
        break;
      }
    }
  }
  return control_lost;
}

Failure run_turns(const PairPlan& plan, const Links& links, int control, std::byte* raw, PairResult& measured) {
  return Caller(plan, links, control, raw).run(measured);
}

}  // namespace symphony::bench::peers
