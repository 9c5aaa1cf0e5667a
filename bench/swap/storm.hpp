// A ledger that is called by threads and swapped meanwhile.   Layer: bench.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <symphony/broker.hpp>
#include <symphony/conductor.hpp>
#include <symphony/operator.hpp>

namespace symphony::bench {

// What one swap cost.
struct Cut {
  Mode to = Mode::static_;
  double pause_us = 0;     // with the gate closed
  double cut_us = 0;       // of it: until nothing was under way
  double transfer_us = 0;  // of it: until the state was written
  double restore_us = 0;   // of it: until the new instance had it
  double longest_us = 0;   // the longest call of any thread, from before the cut until after it
  double prepare_ms = 0;
};

class Storm {
 public:
  // `program`: of this one, beside which the pits are. Aborts nothing: false from the functions below says why on
  // stderr.
  explicit Storm(const std::string& program) : program_(program) {}
  ~Storm() { stop(); }
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;

  [[nodiscard]] bool start(std::uint32_t threads, std::uint64_t entries);
  // static -> dynamic -> wasm -> process -> static.
  [[nodiscard]] bool round(std::vector<Cut>& out);
  void stop();

  struct Tally {
    std::uint64_t calls = 0;
    std::uint64_t lost = 0;        // acknowledged, and not in the last state
    std::uint64_t duplicated = 0;  // in it, and not acknowledged
    std::uint64_t wrong = 0;       // calls that did not end well
  };
  // After stop(): what the pit has, compared with what its callers know.
  [[nodiscard]] Tally tally();

 private:
  [[nodiscard]] bool start_broker();
  [[nodiscard]] MountOptions in(Mode mode) const;
  void call_on(std::uint32_t thread);

  const std::string program_;
  std::optional<EmbeddedBroker> broker_;
  std::optional<Endpoint> endpoint_;
  std::optional<Operator> operator_;
  std::optional<Conductor> conductor_;
  std::atomic<bool> stop_{false};
  std::atomic<TimeNs> longest_ns_{0};
  std::atomic<std::uint64_t> wrong_{0};
  std::vector<std::atomic<std::uint64_t>> acknowledged_;
  std::vector<std::thread> threads_;
};

}  // namespace symphony::bench
