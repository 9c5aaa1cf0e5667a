#include "tools/symphony/run/runner.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

#include <symphony/unique_fd.hpp>

#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/graph/input_error.hpp"
#include "tools/symphony/run/attempt.hpp"
#include "tools/symphony/run/children.hpp"
#include "tools/symphony/run/journal_sync.hpp"
#include "tools/symphony/run/run_journal.hpp"
#include "tools/symphony/run/run_look.hpp"
#include "tools/symphony/run/run_pits.hpp"
#include "tools/symphony/run/worker_process.hpp"

namespace symphony::tools {
namespace {

constexpr std::uint32_t waiting_seats = 64;        // claimed tasks that may wait for a lease while others pass
constexpr TimeNs journal_wait_ns = 3 * second_ns;  // for workers of a run that was killed a moment ago
constexpr TimeNs stop_grace_ns = 5 * second_ns;    // between the signal that stops a command and SIGKILL

int complain(int exit_status, const std::string& text) {
  std::fprintf(stderr, "symphony run: %s\n", text.c_str());
  return exit_status;
}

enum class SeatState : std::uint8_t { empty, waiting, running };

// A claimed task: it waits for its lease, or runs.
struct Seat {
  SeatState state = SeatState::empty;
  std::uint32_t task = 0;
  std::uint32_t epoch = 1;  // rises with each worker that dies in it
  std::uint32_t attempt = 0;
  std::uint64_t token = 0;
  SeatLease lease;
  std::size_t worker = 0;
};

struct Slot {
  WorkerProcess process;
  std::optional<std::uint32_t> seat;
};

class Runner {
 public:
  Runner(const Work& work, const RunnerOptions& options)
      : work_(work),
        options_(options),
        report_(options.format, options.quiet),
        seats_(options.jobs + waiting_seats),
        cached_(work.tasks.size()),
        failures_(work.tasks.size()),
        losses_(work.tasks.size()) {}

  int run() {
    const TimeNs begin = now_ns();
    if (const int status = prepare(); status != 0) return status;
    report_.started_run(work_, options_.jobs, options_.journal);
    if (!dispatch()) return give_up();
    while (!is_over()) {
      if (!report_.flush()) return lost_reader();
      if (!step()) return give_up();
    }
    slots_.clear();
    const int disk = sync_->finish();
    if (!account_rest()) return give_up();
    report_.ended_run(counts_, now_ns() - begin);
    if (!report_.flush()) return lost_reader();
    if (disk != 0)
      return complain(exit_internal, std::string("the journal is not safe on the disk: ") + std::strerror(disk) +
                                         "; the tasks are done");
    if (stop_signal_ != 0) return 128 + stop_signal_;
    if (!fatal_.empty()) return complain(exit_internal, fatal_);
    return counts_.failed != 0 ? exit_bad : exit_ok;
  }

 private:
  int prepare() {
    sigset_t taken;
    sigemptyset(&taken);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&taken, number);
    sigprocmask(SIG_BLOCK, &taken, nullptr);
    signals_.reset(signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
    signal(SIGPIPE, SIG_IGN);
    if (!signals_ || !adopt_orphans())
      return complain(exit_internal, std::string("signals cannot be taken: ") + std::strerror(errno));
    if (const std::string why = journal_.open(options_.journal, options_.resume, journal_wait_ns); !why.empty()) {
      return complain(exit_usage, why);
    }
    for (const WorkTask& task : work_.tasks) {
      if (task.cpu <= options_.jobs) continue;
      return complain(exit_usage, "task '" + printable(task.id) + "' wants " + std::to_string(task.cpu) +
                                      " of the pool cpu, which has " + std::to_string(options_.jobs) +
                                      ": it could never start; give --jobs " + std::to_string(task.cpu) + " or more");
    }
    if (!pits_.mount(options_.mode)) return complain(exit_internal, pits_.why());
    std::vector<TimeNs> known(work_.tasks.size());
    for (std::size_t i = 0; i < known.size(); ++i) {
      const auto found = journal_.finished().find(work_.tasks[i].id);
      if (found != journal_.finished().end()) known[i] = found->second.duration_ns;
    }
    if (!pits_.load(work_, weights_of(known), options_.jobs, options_.failures_max))
      return complain(pits_.is_input() ? exit_usage : exit_internal, pits_.why());
    kept_children_ = children_of_this();  // the keeper of mode process
    sync_.emplace(journal_);
    return 0;
  }

  [[nodiscard]] bool stopping() const noexcept { return stop_signal_ != 0 || !fatal_.empty() || pits_.is_halted(); }
  [[nodiscard]] bool is_over() const noexcept {
    if (running_ != 0) return false;
    if (stopping()) return true;
    return unfinished_ == 0 && is_idle();
  }
  // Nothing runs, waits for a lease or is known to rest.
  [[nodiscard]] bool is_idle() const noexcept {
    return running_ == 0 && dues_.empty() &&
           std::all_of(seats_.begin(), seats_.end(), [](const Seat& seat) { return seat.state == SeatState::empty; });
  }
  // The tracker has tasks and gives out none: something rests longer than it said, as after the death of its process.
  bool wait_for_rests() {
    if (unfinished_ == 0 || stopping() || !is_idle()) return true;
    std::vector<std::uint8_t> states;
    if (!pits_.states(states)) return false;
    if (is_any_resting(states)) {
      dues_.push_back(now_ns() + 20 * ms_ns);
    } else {
      fatal_ = std::to_string(unfinished_) + " tasks are left that never become ready; this is a fault of the tracker";
    }
    return true;
  }
  // In the journal with the same command, as is everything that it needs.
  [[nodiscard]] bool is_finished_before(std::uint32_t task) const {
    return options_.resume && is_finished(journal_.finished(), work_, task, cached_);
  }

  // Claims while a command may start. False: a pit failed.
  bool dispatch() {
    while (!stopping() && running_ < options_.jobs) {
      const auto free =
          std::find_if(seats_.begin(), seats_.end(), [](const Seat& s) { return s.state == SeatState::empty; });
      if (free == seats_.end()) break;
      const auto number = static_cast<std::uint32_t>(free - seats_.begin());
      SeatClaim claim;
      if (!pits_.claim(number, claim)) return false;
      unfinished_ = claim.unfinished;
      if (claim.token == 0) break;
      if (is_finished_before(claim.task)) {
        cached_[claim.task] = true;
        ++counts_.cached;
        report_.cached(work_.tasks[claim.task]);
        if (!pits_.complete(claim.task, claim.token, true, 0, unfinished_)) return false;
        continue;
      }
      free->task = claim.task;
      free->attempt = failures_[claim.task] + 1;
      free->token = claim.token;
      if (!seek_lease(number)) return false;
    }
    return true;
  }

  bool seek_lease(std::uint32_t number) {
    Seat& seat = seats_[number];
    seat.lease = {};
    seat.state = SeatState::waiting;
    if (!pits_.acquire(number, seat.epoch, work_.tasks[seat.task], seat.lease)) return false;
    return seat.lease.token == 0 || start(number);
  }

  // After something came free: who waited longest first.
  bool collect() {
    std::vector<std::uint32_t> waiting;
    for (std::uint32_t i = 0; i < seats_.size(); ++i) {
      if (seats_[i].state == SeatState::waiting) waiting.push_back(i);
    }
    std::sort(waiting.begin(), waiting.end(),
              [this](std::uint32_t a, std::uint32_t b) { return seats_[a].lease.wait < seats_[b].lease.wait; });
    for (const std::uint32_t number : waiting) {
      if (!pits_.collect(number, seats_[number].lease)) return false;
      if (seats_[number].lease.token != 0 && !start(number)) return false;
    }
    return true;
  }

  bool start(std::uint32_t number) {
    Seat& seat = seats_[number];
    if (stopping()) {  // granted in the moment of a failure
      if (!pits_.release(number, seat.lease)) return false;
      seat.state = SeatState::empty;
      return true;
    }
    const WorkTask& task = work_.tasks[seat.task];
    std::vector<std::string> units;
    const std::vector<std::string> environment = environment_of(task, seat, units);
    report_.started(task, seat.attempt, seat.lease.token, units);
    for (int tries = 0; tries < 3; ++tries) {
      auto slot = std::find_if(slots_.begin(), slots_.end(), [](const Slot& s) { return !s.seat; });
      if (slot == slots_.end()) {
        slots_.emplace_back();
        slot = slots_.end() - 1;
      }
      if (slot->process.fd() < 0 && !slot->process.start(journal_.fd())) break;
      seat.worker = static_cast<std::size_t>(slot - slots_.begin());
      if (slot->process.give(task, environment)) {
        slot->seat = number;
        seat.state = SeatState::running;
        ++running_;
        return true;
      }
      slot->process.close();  // it died idle: another one
      sweep();
    }
    fatal_ = std::string("no worker process can be started: ") + std::strerror(errno) + "; lower --jobs";
    if (!pits_.release(number, seat.lease)) return false;
    seat.state = SeatState::empty;
    return true;
  }

  // What tells a command which units it has: SYMPHONY_UNITS_GPU="gpu0 gpu1", and the token that rises with each lease.
  [[nodiscard]] std::vector<std::string> environment_of(const WorkTask& task, const Seat& seat,
                                                        std::vector<std::string>& all) const {
    std::vector<std::string> out{"SYMPHONY_LEASE_TOKEN=" + std::to_string(seat.lease.token)};
    std::size_t next = 0;
    for (const WorkWant& want : task.wants) {
      const WorkPool& pool = work_.pools[want.pool];
      if (pool.units.empty()) continue;
      std::string name = "SYMPHONY_UNITS_";
      for (const char c : pool.name) {
        const bool is_lower = c >= 'a' && c <= 'z';
        const bool is_kept = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        name += is_lower ? static_cast<char>(c - 'a' + 'A') : is_kept ? c : '_';
      }
      std::string names;
      for (std::uint64_t i = 0; i < want.amount && next < seat.lease.units.size(); ++i, ++next) {
        const std::string& unit = pits_.unit_name(want.pool, seat.lease.units[next]);
        names += (names.empty() ? "" : " ") + unit;
        all.push_back(unit);
      }
      out.push_back(name + "=" + names);
    }
    return out;
  }

  // Waits for one thing to happen and deals with it. False: a pit failed.
  bool step() {
    std::vector<pollfd>& watched = watched_;
    watched.assign(1, {signals_.get(), POLLIN, 0});
    for (const Slot& slot : slots_) watched.push_back({slot.process.fd(), POLLIN, 0});
    const int ready = poll(watched.data(), watched.size(), patience_ms());
    if (ready < 0 && errno != EINTR) return fatal_ = std::string("poll: ") + std::strerror(errno), true;
    const std::size_t slots = slots_.size();
    if (watched[0].revents != 0) take_signals();
    for (std::size_t i = 0; i < slots; ++i) {
      if (watched[i + 1].revents != 0 && slots_[i].process.fd() >= 0 && !hear(i)) return false;
    }
    if (const int error = sync_->error(); error != 0 && fatal_.empty()) {
      fatal_ = "journal " + printable(options_.journal) + ": cannot be written: " + std::strerror(error) +
               "; make room and go on with --resume";
    }
    const TimeNs now = now_ns();
    std::erase_if(dues_, [now](TimeNs due_ns) { return due_ns <= now; });  // ready again: dispatch() claims them
    if (!dispatch() || !wait_for_rests()) return false;
    if (stop_signal_ != 0 && !is_killed_ && now >= kill_at_ns_) {
      is_killed_ = true;
      for (Slot& slot : slots_) {
        if (slot.seat) slot.process.signal(SIGKILL);
      }
    }
    if (report_.wants_progress() &&
        now - drawn_ns_ >= (options_.format == RunFormat::jsonl ? second_ns : RunReport::redraw_ns)) {
      drawn_ns_ = now;
      RunProgress progress;
      if (!look(progress)) return false;
      report_.progress(progress);
    }
    return true;
  }

  [[nodiscard]] int patience_ms() const {
    TimeNs until = no_deadline_ns;
    if (report_.wants_progress()) until = drawn_ns_ + RunReport::redraw_ns;
    for (const TimeNs due_ns : dues_) {
      if (!stopping()) until = std::min(until, due_ns);
    }
    if (stop_signal_ != 0 && !is_killed_) until = std::min(until, kill_at_ns_);
    if (until == no_deadline_ns) return -1;
    return static_cast<int>(std::clamp<TimeNs>((until - now_ns()) / ms_ns + 1, 0, 60'000));
  }

  bool look(RunProgress& out) {
    out.done = counts_.succeeded + counts_.cached;
    out.total = static_cast<std::uint32_t>(work_.tasks.size());
    out.running = running_;
    out.failed = counts_.failed;
    return pits_.progress(options_.jobs, out);
  }

  void take_signals() {
    signalfd_siginfo info;
    while (read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      const bool again = stop_signal_ != 0;
      stop_signal_ = static_cast<int>(info.ssi_signo);
      kill_at_ns_ = again ? 0 : now_ns() + stop_grace_ns;  // asked twice: at once
      for (Slot& slot : slots_) {
        if (slot.seat) slot.process.signal(stop_signal_);
      }
      if (!again) report_.note("stopping: no task is started any more; go on later with --resume");
    }
  }

  bool hear(std::size_t index) {
    std::optional<CommandEnding> ending;
    if (!slots_[index].process.receive(ending)) return lost(index);
    if (!ending || !slots_[index].seat) return true;
    const std::uint32_t number = *slots_[index].seat;
    slots_[index].seat.reset();
    --running_;
    return ended(number, *ending);
  }

  bool ended(std::uint32_t number, const CommandEnding& ending) {
    Seat& seat = seats_[number];
    if (!pits_.release(number, seat.lease)) return false;
    const WorkTask& task = work_.tasks[seat.task];
    AttemptEnding told = told_of(task, seat.attempt, ending);
    const bool went_well = told.what.empty();
    seat.state = SeatState::empty;
    if (went_well) {
      if (!pits_.complete(seat.task, seat.token, false, ending.head.duration_ns, unfinished_)) return false;
      ++counts_.succeeded;
      sync_->ask();
    } else if (ending.head.step == WorkerStep::journal) {
      fatal_ = "journal " + printable(options_.journal) + ": cannot be written: " + std::strerror(ending.head.error) +
               "; make room and go on with --resume";
    } else if (stop_signal_ != 0) {
      told.state = "cancelled";
    } else {
      TaskFailure failure;
      if (!pits_.fail(seat.task, seat.token, !stopping(), told.what, failure)) return false;
      failures_[seat.task] = failure.failures;
      unfinished_ = failure.unfinished;
      if (failure.is_final) {
        ++counts_.failed;
      } else {
        told.retry_in_ns = failure.retry_in_ns;
        dues_.push_back(now_ns() + failure.retry_in_ns);
        ++counts_.retries;
      }
    }
    report_.ended(
        task, told,
        {.done = counts_.succeeded + counts_.cached, .total = static_cast<std::uint32_t>(work_.tasks.size())});
    return collect();
  }

  // A worker died: the kernel has killed its command, and what that left is this process's now.
  bool lost(std::size_t index) {
    Slot& slot = slots_[index];
    slot.process.close();
    sweep();
    if (!slot.seat) return true;
    const std::uint32_t number = *slot.seat;
    slot.seat.reset();
    --running_;
    Seat& seat = seats_[number];
    const std::uint32_t losses = ++losses_[seat.task];
    ++counts_.worker_losses;
    bool has_failed = false;
    if (!pits_.holder_died(number, seat.epoch++) || !pits_.worker_died(number, has_failed)) return false;
    seat.state = SeatState::empty;
    if (!has_failed) {
      report_.lost_worker(work_.tasks[seat.task], losses);
      return collect();
    }
    AttemptEnding told;
    told.state = "failed";
    told.what = "its worker died " + std::to_string(losses) + " times";
    ++counts_.failed;
    report_.ended(work_.tasks[seat.task], told, {});
    return collect();
  }

  void sweep() {
    std::vector<pid_t> keep = kept_children_;
    for (const Slot& slot : slots_) {
      if (slot.process.fd() >= 0) keep.push_back(slot.process.pid());
    }
    end_children_except(keep);
  }

  // What became of those that never ran: each task has one ending in the events.
  bool account_rest() {
    std::vector<std::uint8_t> states;
    if (!pits_.states(states)) return false;
    for (const auto& [task, because] : blamed(work_, states)) {
      ++counts_.upstream_failed;
      report_.upstream_failed(work_.tasks[task], work_.tasks[because]);
    }
    const auto total = static_cast<std::uint32_t>(work_.tasks.size());
    const std::uint32_t ended = counts_.succeeded + counts_.cached + counts_.failed + counts_.upstream_failed;
    counts_.cancelled = total - std::min(total, ended);
    return true;
  }

  int give_up() {
    slots_.clear();
    (void)report_.flush();
    return complain(pits_.is_input() ? exit_usage : exit_internal, pits_.why());
  }
  int lost_reader() {
    slots_.clear();
    return complain(exit_internal, std::string("standard output cannot be written: ") + std::strerror(errno) +
                                       "; go on with --resume");
  }

  const Work& work_;
  const RunnerOptions& options_;
  RunReport report_;
  RunJournal journal_;
  RunPits pits_;
  std::optional<JournalSync> sync_;
  UniqueFd signals_;
  std::vector<pid_t> kept_children_;
  std::vector<Slot> slots_;
  std::vector<Seat> seats_;
  std::vector<pollfd> watched_;
  std::vector<bool> cached_;
  std::vector<std::uint32_t> failures_, losses_;  // of each task
  std::vector<TimeNs> dues_;                      // when those that rest are ready again
  RunCounts counts_;
  std::uint32_t unfinished_ = 0;
  std::uint32_t running_ = 0;
  int stop_signal_ = 0;
  bool is_killed_ = false;
  TimeNs kill_at_ns_ = 0;
  TimeNs drawn_ns_ = 0;
  std::string fatal_;
};

}  // namespace

int run_work(const Work& work, const RunnerOptions& options) { return Runner(work, options).run(); }

}  // namespace symphony::tools
