// The calls of a run to its two pits: DagTracker says what is ready, PoolManager who may start.   Layer: tools.
//
// A seat is a place for one claimed task: it is DagTracker's worker and PoolManager's holder of that number.
// Threads: one. Every function that returns false has said why in why().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <symphony/conductor.hpp>

#include "tools/symphony/run/run_report.hpp"
#include "tools/symphony/run/work.hpp"

namespace symphony::tools {

struct SeatClaim {
  std::uint64_t token = 0;  // 0: nothing is ready
  std::uint32_t task = 0;
  std::uint32_t unfinished = 0;
};

struct SeatLease {
  std::uint64_t token = 0;  // 0: not granted yet
  std::uint64_t wait = 0;
  std::uint32_t lease = 0;
  std::vector<std::uint32_t> units;  // of all wants of units, in their order, the lowest number first
};

// What a failure made of its task.
struct TaskFailure {
  bool is_final = false;
  std::uint32_t failures = 0;
  std::uint32_t unfinished = 0;
  TimeNs retry_in_ns = 0;
};

// From a task to the cause why it does not run: number and state (TaskState of schemas/dag_tracker.fbs).
struct TaskWhy {
  std::vector<std::pair<std::uint32_t, std::uint8_t>> chain;
  std::uint32_t waits_for = 0;  // tasks directly before it
  std::uint32_t ahead = 0;      // of a cause that is ready: those before it in the line
};

class RunPits {
 public:
  RunPits();
  ~RunPits();
  RunPits(const RunPits&) = delete;
  RunPits& operator=(const RunPits&) = delete;

  // static_: both in this program; process: each a process, behind a broker in this program.
  [[nodiscard]] bool mount(Mode mode);
  // Makes the pools and the graph. A cycle is said with its path. weights: one a task, or none.
  [[nodiscard]] bool load(const Work& work, const std::vector<std::uint32_t>& weights, std::uint32_t cpus,
                          std::uint32_t failures_max);

  [[nodiscard]] bool claim(std::uint32_t seat, SeatClaim& out);
  // `cached`: it did not run.
  [[nodiscard]] bool complete(std::uint32_t task, std::uint64_t token, bool cached, TimeNs duration_ns,
                              std::uint32_t& unfinished);
  [[nodiscard]] bool fail(std::uint32_t task, std::uint64_t token, bool retry, std::string_view error,
                          TaskFailure& out);
  // The seat's task is ready again, or has failed, as that was one death too many.
  [[nodiscard]] bool worker_died(std::uint32_t seat, bool& has_failed);
  // The seat's tasks are ready again.
  [[nodiscard]] bool give_back(std::uint32_t seat);
  // Whether the tracker gives out nothing more, as too many tasks have failed. As of the last call.
  [[nodiscard]] bool is_halted() const noexcept { return is_halted_; }

  // How long the rest takes.
  [[nodiscard]] bool progress(std::uint32_t jobs, RunProgress& out);
  [[nodiscard]] bool states(std::vector<std::uint8_t>& out);
  [[nodiscard]] bool explain(std::uint32_t task, TaskWhy& out);
  [[nodiscard]] bool export_text(bool json, std::string& out);

  // Everything that the task wants, or a place in the line.
  [[nodiscard]] bool acquire(std::uint32_t seat, std::uint32_t epoch, const WorkTask& task, SeatLease& out);
  [[nodiscard]] bool collect(std::uint32_t seat, SeatLease& lease);
  [[nodiscard]] bool release(std::uint32_t seat, const SeatLease& lease);
  // What was not granted yet is not waited for any more.
  [[nodiscard]] bool cancel(std::uint32_t seat, const SeatLease& lease);
  [[nodiscard]] bool free_cpus(std::uint64_t& out);
  // The seat's worker died in this epoch: its leases are free.
  [[nodiscard]] bool holder_died(std::uint32_t seat, std::uint32_t epoch);
  // What a unit is called.
  [[nodiscard]] const std::string& unit_name(std::uint32_t pool, std::uint32_t unit) const;

  [[nodiscard]] const std::string& why() const noexcept { return why_; }
  // A pit refused what was asked of it, rather than failed: the input's fault.
  [[nodiscard]] bool is_input() const noexcept { return is_input_; }

 private:
  struct Sides;
  [[nodiscard]] bool failed(std::string_view name, const Reply& reply);
  [[nodiscard]] bool make_pools(const Work& work, std::uint32_t cpus);
  [[nodiscard]] bool make_graph(const Work& work, const std::vector<std::uint32_t>& weights,
                                std::uint32_t failures_max);
  [[nodiscard]] bool seal(const Work& work);
  [[nodiscard]] bool read_lease(const Reply& reply, SeatLease& out);

  std::unique_ptr<Sides> sides_;
  Caller tracker_, pools_;
  std::uint32_t graph_ = 0;
  std::uint32_t cpu_pool_ = 0;
  std::vector<std::uint32_t> pool_numbers_;
  struct Unit {
    std::uint32_t number = 0;
    std::string name;
  };
  std::vector<std::vector<Unit>> units_;  // of each pool
  std::string why_;
  bool is_input_ = false;
  bool is_halted_ = false;
};

}  // namespace symphony::tools
