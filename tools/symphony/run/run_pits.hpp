// The calls of a run to its two pits: DagTracker says what is ready, PoolManager who may start.   Layer: tools.
//
// A seat is a place for one claimed task: it is DagTracker's worker and PoolManager's holder of that number.
// Threads: one. Every function that returns false has said why in why().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/conductor.hpp>

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

class RunPits {
 public:
  RunPits();
  ~RunPits();
  RunPits(const RunPits&) = delete;
  RunPits& operator=(const RunPits&) = delete;

  // static_: both in this program; process: each a process, behind a broker in this program.
  [[nodiscard]] bool mount(Mode mode);
  // Makes the pools and the graph. A cycle is said with its path. weights: one a task, or none.
  [[nodiscard]] bool load(const Work& work, const std::vector<std::uint32_t>& weights, std::uint32_t cpus);

  [[nodiscard]] bool claim(std::uint32_t seat, SeatClaim& out);
  [[nodiscard]] bool complete(std::uint32_t task, std::uint64_t token, std::uint32_t& unfinished);
  // Everything that the task wants, or a place in the line.
  [[nodiscard]] bool acquire(std::uint32_t seat, std::uint32_t epoch, const WorkTask& task, SeatLease& out);
  [[nodiscard]] bool collect(std::uint32_t seat, SeatLease& lease);
  [[nodiscard]] bool release(std::uint32_t seat, const SeatLease& lease);
  // What was not granted yet is not waited for any more.
  [[nodiscard]] bool cancel(std::uint32_t seat, const SeatLease& lease);
  [[nodiscard]] bool free_cpus(std::uint64_t& out);
  // The seat's worker died in this epoch: its leases are free, and its tasks ready again where `give_back`.
  [[nodiscard]] bool seat_died(std::uint32_t seat, std::uint32_t epoch, bool give_back);
  // What a unit is called.
  [[nodiscard]] const std::string& unit_name(std::uint32_t pool, std::uint32_t unit) const;

  [[nodiscard]] const std::string& why() const noexcept { return why_; }
  // A pit refused what was asked of it, rather than failed: the input's fault.
  [[nodiscard]] bool is_input() const noexcept { return is_input_; }

 private:
  struct Sides;
  [[nodiscard]] bool failed(std::string_view name, const Reply& reply);
  [[nodiscard]] bool make_pools(const Work& work, std::uint32_t cpus);
  [[nodiscard]] bool make_graph(const Work& work, const std::vector<std::uint32_t>& weights);
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
};

}  // namespace symphony::tools
