#include "bench/decision/session.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <thread>

#include "bench/latency/histogram.hpp"
#include "bench/support/classes.hpp"
#include "bench/support/yardstick.hpp"

namespace symphony::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t line_trips = 512;  // of the yardstick, between two passes
constexpr std::size_t cold_calls = 4;
constexpr TimeNs recovery_limit_ns = 20 * second_ns;
constexpr TimeNs hiccup_ns = 30 * ms_ns;

double ms_of(TimeNs ns) { return static_cast<double>(ns) / 1e6; }

Json json_of(const Histogram& h) {
  return {{"n", h.count()},
          {"p50_ns", h.percentile_ns(50)},
          {"p99_ns", h.percentile_ns(99)},
          {"p999_ns", h.percentile_ns(99.9)},
          {"max_ns", h.max_ns()},
          {"histogram", h.to_text()}};
}

// A process and those that it made: a confined pit is the child of the one that its broker knows.
std::vector<pid_t> family(pid_t pid) {
  std::vector<pid_t> out{pid};
  for (std::size_t i = 0; i < out.size() && out.size() < 16; ++i) {
    const std::string one = std::to_string(out[i]);
    std::ifstream children("/proc/" + one + "/task/" + one + "/children");
    for (pid_t child = 0; children >> child;) out.push_back(child);
  }
  return out;
}

// Kibibytes that this process alone, or its share, has in memory; 0: the kernel does not say.
std::uint64_t pss_kib(pid_t pid) {
  std::ifstream file("/proc/" + (pid == 0 ? std::string("self") : std::to_string(pid)) + "/smaps_rollup");
  for (std::string word; file >> word;) {
    std::uint64_t size = 0;
    if (word == "Pss:" && file >> size) return size;
  }
  return 0;
}

// Processor time of all threads of a process, in nanoseconds as the scheduler counts it.
std::uint64_t cpu_ns(pid_t pid) {
  if (pid == 0) {
    timespec t{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(t.tv_nsec);
  }
  std::uint64_t sum = 0;
  std::error_code none;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", none)) {
    std::ifstream file(task.path() / "schedstat");
    std::uint64_t one = 0;
    if (file >> one) sum += one;
  }
  return sum;
}

// What the machine itself does to a thread that only reads the clock.
std::uint64_t hiccup_p999_ns() {
  Histogram gaps;
  const TimeNs end = now_ns() + hiccup_ns;
  for (TimeNs last = now_ns(); last < end;) {
    const TimeNs now = now_ns();
    gaps.record(static_cast<std::uint64_t>(now - last));
    last = now;
  }
  return gaps.percentile_ns(99.9);
}

void put(std::string& to, const void* at, std::size_t size) { to.append(static_cast<const char*>(at), size); }

class Session {
 public:
  Session(const SessionPlan& plan, const Trace& trace) : plan_(plan), trace_(trace) {}

  Json run() {
    const std::uint64_t before_kib = pss_kib(0);
    const TimeNs began = now_ns();
    std::string why;
    door_ = open_door(plan_.door, why);
    if (door_ == nullptr) return {{"status", "not_hosted"}, {"why", why}};
    out_["status"] = "ok";
    const bool begun = replay_all(began);
    const pid_t process = door_->process();
    if (process != 0) family_ = family(process);
    std::uint64_t after_kib = process == 0 ? pss_kib(0) : 0;
    for (const pid_t one : family_) after_kib += pss_kib(one);
    out_["memory_kib"] = process != 0 ? after_kib : after_kib - std::min(after_kib, before_kib);
    if (!begun || !measure_closed() || !measure_open() || !measure_cold()) return failure();
    out_["hiccup_p999_ns"] = hiccup_p999_ns();
    measure_steps();
    return out_;
  }

 private:
  Json failure() const { return {{"status", "failed"}, {"why", why_}}; }
  bool fail(const std::string& why) { return why_ = why, false; }
  bool fail_call(std::size_t i, const Reply& reply) {
    return fail("call " + std::to_string(i) + " ended as " + status_name(reply.status) + ": " +
                std::string(reply.text));
  }

  // Everything once: the state, what is compared, and what later passes begin from.
  bool replay_all(TimeNs began) {
    std::string replies;
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < trace_.calls.size(); ++i) {
      if (i == trace_.set_up && !keep_state()) return false;
      const Reply reply = door_->call(trace_.calls[i]);
      if (i == 0) out_["start_ms"] = ms_of(now_ns() - began);
      if (reply.status < 0) return fail_call(i, reply);
      const std::int64_t head[4] = {reply.status, reply.type, static_cast<std::int64_t>(reply.body.size()),
                                    static_cast<std::int64_t>(reply.text.size())};
      put(replies, head, sizeof head);
      put(replies, reply.body.data(), reply.body.size());
      put(replies, reply.text.data(), reply.text.size());
      if (door_->compares_json()) texts.push_back(door_->json_of(reply.type, reply.body));
    }
    out_["replies"] = trace_.calls.size();
    out_["reply_bytes"] = replies.size();
    return plan_.baseline ? write_replies(replies) : compare(replies, texts);
  }
  bool keep_state() {
    PitState state;
    if (!door_->snapshot(state).ok()) return true;  // a pit without snapshots: passes follow each other
    kept_ = std::move(state);
    out_["state_bytes"] = kept_->bytes.size();
    return true;
  }
  bool write_replies(const std::string& replies) {
    std::ofstream file(plan_.replies, std::ios::binary);
    file << replies;
    out_["outputs"] = "baseline";
    return file.flush() ? true : fail(plan_.replies + ": cannot be written");
  }
  bool compare(const std::string& replies, const std::vector<std::string>& texts) {
    std::ifstream file(plan_.replies, std::ios::binary);
    const std::string wanted{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (wanted.empty()) return fail("no replies of a baseline to compare with");
    if (!door_->compares_json()) {
      if (wanted == replies) return out_["outputs"] = "equal bytes", true;
      const auto at =
          std::mismatch(wanted.begin(), wanted.end(), replies.begin(), replies.end()).first - wanted.begin();
      return fail("its replies differ from the baseline's at byte " + std::to_string(at) + " of " +
                  std::to_string(wanted.size()));
    }
    std::size_t at = 0;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      std::int64_t head[4];
      if (at + sizeof head > wanted.size()) return fail("the baseline has fewer replies");
      std::memcpy(head, wanted.data() + at, sizeof head);
      at += sizeof head;
      const auto size = static_cast<std::size_t>(head[2]);
      if (size + static_cast<std::size_t>(head[3]) > wanted.size() - at) return fail("the baseline is cut");
      const auto body = std::as_bytes(std::span(wanted.data() + at, size));
      if (texts[i] != door_->json_of(static_cast<std::uint32_t>(head[1]), body)) {
        return fail("its reply " + std::to_string(i) + ", as JSON, differs from the baseline's");
      }
      at += size + static_cast<std::size_t>(head[3]);
    }
    return at == wanted.size() ? (out_["outputs"] = "equal as JSON", true) : fail("the baseline has more replies");
  }

  bool rewind() {
    if (!kept_) return true;
    const StepResult done = door_->restore(*kept_);
    return done.ok() ? true : fail("restore between two passes: " + done.text);
  }
  // The measured calls once; `each` sees every one's begin and end where it wants to.
  bool pass(Histogram* stamped) {
    for (std::size_t i = trace_.set_up; i < trace_.calls.size(); ++i) {
      const TimeNs began = stamped != nullptr ? now_ns() : 0;
      const Reply reply = door_->call(trace_.calls[i]);
      if (stamped != nullptr) stamped->record(static_cast<std::uint64_t>(now_ns() - began));
      if (reply.status < 0) return fail_call(i, reply);
    }
    return true;
  }

  // Back-to-back calls of one caller, stamped and in whole passes by turns, with the cache line's round trip between.
  bool measure_closed() {
    auto started = Yardsticks::start({.pin = true});
    if (!started) return fail(std::string("the yardstick: ") + started.error().text);
    Yardsticks yardstick = *std::move(started);
    Histogram stamped;
    std::vector<double> whole, lines;
    std::uint64_t cpu = 0;
    const auto calls = static_cast<double>(trace_.calls.size() - trace_.set_up);
    const TimeNs end = now_ns() + plan_.closed_ns;
    std::size_t passes = 0;
    do {
      const auto line = yardstick.measure_line(line_trips);
      if (!line) return fail(std::string("the yardstick: ") + line.error().text);
      lines.push_back(line->batch_p50_ns);
      if (!rewind() || !pass(passes == 0 ? nullptr : &stamped) || !rewind()) return false;
      const std::uint64_t own = cpu_ns(0), pit = pit_cpu_ns();
      const TimeNs began = now_ns();
      if (!pass(nullptr)) return false;
      const auto took = static_cast<double>(now_ns() - began);
      if (passes++ == 0) continue;  // warms up
      whole.push_back(took / calls);
      cpu += cpu_ns(0) - own + (pit_cpu_ns() - pit);
    } while (now_ns() < end || passes < 3);
    const double line_ns = quantiles_of(lines).p50, batch_ns = quantiles_of(whole).p50;
    out_["line_ns"] = line_ns;
    out_["call_ns"] = batch_ns;
    out_["ratio"] = batch_ns / line_ns;
    out_["per_s"] = 1e9 / batch_ns;
    out_["cpu_ns"] = static_cast<double>(cpu) / (calls * static_cast<double>(whole.size()));
    out_["closed"] = json_of(stamped);
    return true;
  }
  std::uint64_t pit_cpu_ns() const {
    std::uint64_t sum = 0;
    for (const pid_t one : family_) sum += cpu_ns(one);
    return sum;
  }

  static void wait_until(TimeNs at, bool sleeps) {
    if (sleeps && at - now_ns() > ms_ns)
      std::this_thread::sleep_for(std::chrono::nanoseconds(at - now_ns() - ms_ns / 2));
    while (now_ns() < at) {
    }
  }

  // Calls at a rate: time counts from when each was to be made, so that one that waits for another counts as late.
  bool measure_open() {
    if (plan_.open_ns == 0 || plan_.rate <= 0 || !rewind()) return why_.empty();
    Histogram late;
    const auto step = static_cast<TimeNs>(1e9 / plan_.rate);
    const auto wanted = static_cast<std::uint64_t>(static_cast<double>(plan_.open_ns) * plan_.rate / 1e9) + 1;
    TimeNs start = now_ns() + step;
    TimeNs due = start, spent_elsewhere = 0;
    std::size_t i = trace_.set_up;
    const TimeNs give_up = start + 2 * plan_.open_ns;
    std::uint64_t made = 0;
    for (; made < wanted && now_ns() < give_up + spent_elsewhere; ++made, due += step) {
      if (i == trace_.calls.size()) {  // the state is set back, and the schedule stands still meanwhile
        const TimeNs paused = now_ns();
        if (!rewind()) return false;
        i = trace_.set_up;
        const TimeNs pause = now_ns() - paused;
        due += pause;
        spent_elsewhere += pause;
      }
      wait_until(due, false);
      const Reply reply = door_->call(trace_.calls[i++]);
      if (reply.status < 0) return fail_call(i - 1, reply);
      late.record(static_cast<std::uint64_t>(now_ns() - due));
    }
    const auto took = static_cast<double>(now_ns() - start - spent_elsewhere);
    Json open = json_of(late);
    open["rate"] = plan_.rate;
    open["reached"] = static_cast<double>(made) * 1e9 / took;
    open["missed"] = static_cast<double>(made) * 1e9 / took < 0.95 * plan_.rate;
    out_["open"] = std::move(open);
    return true;
  }

  bool measure_cold() {
    out_["cold"] = Json::array();
    for (const double hz : plan_.cold_hz) {
      if (!rewind()) return false;
      Histogram cold;
      TimeNs due = now_ns();
      for (std::size_t k = 0; k < cold_calls; ++k) {
        due += static_cast<TimeNs>(1e9 / hz);
        std::this_thread::sleep_for(std::chrono::nanoseconds(std::max<TimeNs>(0, due - now_ns())));
        const std::size_t i = trace_.set_up + k % (trace_.calls.size() - trace_.set_up);
        const TimeNs began = now_ns();
        const Reply reply = door_->call(trace_.calls[i]);
        if (reply.status < 0) return fail_call(i, reply);
        cold.record(static_cast<std::uint64_t>(now_ns() - began));
      }
      Json one = json_of(cold);
      one["hz"] = hz;
      out_["cold"].push_back(std::move(one));
    }
    return true;
  }

  // Snapshot, restore, swap and the way back from a kill. What a way does not have stays null, with the reason.
  void measure_steps() {
    step("snapshot_ms", [&](double& ms) {
      PitState state;
      const TimeNs began = now_ns();
      StepResult done = door_->snapshot(state);
      ms = ms_of(now_ns() - began);
      return done;
    });
    step("restore_ms", [&](double& ms) -> StepResult {
      if (!kept_) return {status::bad_state, "the pit keeps no snapshots"};
      const TimeNs began = now_ns();
      StepResult done = door_->restore(*kept_);
      ms = ms_of(now_ns() - began);
      return done;
    });
    step("swap_pause_ms", [&](double& ms) {
      TimeNs pause_ns = 0;
      StepResult done = door_->swap(pause_ns);
      ms = ms_of(pause_ns);
      return done;
    });
    step("restart_ms", [&](double& ms) -> StepResult {
      if (StepResult killed = door_->kill(); !killed.ok()) return killed;
      const TimeNs began = now_ns();
      // Any answer of the pit itself says that it serves, also a refusal: its state is another matter.
      while (door_->call(trace_.calls.front()).status < 0) {
        if (now_ns() - began > recovery_limit_ns) return {status::crashed, "it did not come back within 20 s"};
      }
      ms = ms_of(now_ns() - began);
      return {};
    });
  }
  template <class Step>
  void step(const char* name, Step&& once) {
    std::vector<double> all;
    out_[name] = nullptr;
    for (std::uint32_t i = 0; i < plan_.repeats; ++i) {
      double ms = 0;
      const StepResult done = once(ms);
      if (!done.ok()) {
        out_["missing"][name] = done.text;
        return;
      }
      all.push_back(ms);
    }
    if (!all.empty()) out_[name] = quantiles_of(std::move(all)).p50;
  }

  const SessionPlan& plan_;
  const Trace& trace_;
  std::unique_ptr<Door> door_;
  std::vector<pid_t> family_;
  std::optional<PitState> kept_;
  std::string why_;
  Json out_;
};

}  // namespace

nlohmann::ordered_json run_session(const SessionPlan& plan, const Trace& trace) { return Session(plan, trace).run(); }

}  // namespace symphony::bench
