// What a program does with a DagTracker pit, over any caller: load a graph, take tasks, complete them, look at the end.
// Layer: tools.   Threads: one DagClient a thread.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstdint>
#include <string>
#include <vector>

#include <symphony/conductor.hpp>
#include <symphony/typed.hpp>

#include "bench/latency/histogram.hpp"
#include "dag_tracker_generated.h"
#include "tools/symphony/graph/task_graph.hpp"

namespace symphony::tools {

// Every reply of a caller in order: status, type, size, bytes. Two runs of the same calls compare byte for byte.
class ReplyLog {
 public:
  static constexpr std::size_t size_max = std::size_t{64} << 20;
  void add(const Reply& reply);
  [[nodiscard]] const std::vector<std::byte>& bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint64_t replies() const noexcept { return replies_; }

 private:
  std::vector<std::byte> bytes_;
  std::uint64_t replies_ = 0;
};

// A caller that measures each call and may log each reply. The pit keeps a journal, so a call that ended as CRASHED is
// not in its state, and is made again.
class MeasuredCaller {
 public:
  explicit MeasuredCaller(Caller caller) : caller_(std::move(caller)) {}
  Reply call(std::uint32_t type, std::span<const std::byte> body, const CallOptions& options);

  // Only calls made while measuring count.
  bool measuring = false;
  ReplyLog* log = nullptr;
  [[nodiscard]] const bench::Histogram& latency() const noexcept { return latency_; }
  [[nodiscard]] const Caller& caller() const noexcept { return caller_; }

 private:
  Caller caller_;
  bench::Histogram latency_;
};

// What came of a step, as far as the demo must tell them apart.
enum class DagOutcome : std::uint8_t {
  ok,
  stale,   // the attempt is not the current one: drop the result
  failed,  // anything else: `why` says it
};

class DagClient {
 public:
  explicit DagClient(Caller caller) : caller_(std::move(caller)) {}

  struct Loaded {
    std::uint32_t graph = 0;
    std::uint32_t levels = 0;
  };
  // Makes, fills and seals a graph. A cycle is `failed` and names its path.
  [[nodiscard]] DagOutcome load(const TaskGraph& graph, Loaded& out);

  struct Claimed {
    std::uint64_t token = 0;  // 0: nothing is ready
    std::uint32_t task = 0;
    std::uint32_t unfinished = 0;
  };
  [[nodiscard]] DagOutcome claim(std::uint32_t graph, std::uint32_t worker, Claimed& out);
  [[nodiscard]] DagOutcome complete(std::uint32_t graph, std::uint32_t task, std::uint64_t token);
  [[nodiscard]] DagOutcome transitions(std::uint32_t graph, std::uint64_t& out);
  // Names and states of all tasks in order, without anything that differs between two runs.
  [[nodiscard]] DagOutcome export_state(std::uint32_t graph, std::vector<std::byte>& out);
  [[nodiscard]] DagOutcome drop(std::uint32_t graph);

  [[nodiscard]] const std::string& why() const noexcept { return why_; }
  [[nodiscard]] MeasuredCaller& caller() noexcept { return caller_; }

 private:
  template <class ReplyTable, class RequestTable>
  DagOutcome call(flatbuffers::Offset<RequestTable> request, Effect effect, const ReplyTable*& root);
  DagOutcome outcome_of(const Reply& reply, std::string_view request);
  DagOutcome add_tasks(std::uint32_t graph, const TaskGraph& from);
  DagOutcome add_edges(std::uint32_t graph, const TaskGraph& from);

  MeasuredCaller caller_;
  flatbuffers::FlatBufferBuilder builder_;
  std::string why_;
};

}  // namespace symphony::tools
