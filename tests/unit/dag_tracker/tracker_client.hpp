// The DagTracker's requests as functions, for tests that speak to it in messages.   Layer: tests.
#pragma once

#include <string>
#include <vector>

#include "dag_tracker_generated.h"
#include "tests/unit/dag_tracker/pit_driver.hpp"

extern "C" const symphony_pit_entry* symphony_pit_dag_tracker(void);

namespace symphony::pit::testing {

// Each returns the status; replies are read from `pit`.
class TrackerClient {
 public:
  PitDriver pit{*symphony_pit_dag_tracker()};

  std::int32_t create(const char* name = nullptr, std::uint64_t fence = 0) {
    auto& b = pit.builder();
    return pit.send(dag::CreateCreateGraphDirect(b, name, fence));
  }
  std::int32_t find(const char* name) {
    auto& b = pit.builder();
    return pit.send(dag::CreateFindGraphDirect(b, name));
  }
  std::int32_t add_tasks(std::uint32_t graph, std::uint32_t count) {
    return pit.send(dag::CreateAddTasks(pit.builder(), graph, 0, 0, count));
  }
  std::int32_t add_named(std::uint32_t graph, const std::vector<std::string>& names,
                         const std::vector<std::uint32_t>* weights = nullptr, std::uint32_t count = 0) {
    auto& b = pit.builder();
    const auto labels = b.CreateVectorOfStrings(names);
    const auto heavy = weights == nullptr ? 0 : b.CreateVector(*weights);
    return pit.send(dag::CreateAddTasks(b, graph, labels, heavy, count));
  }
  std::int32_t add_edges(std::uint32_t graph, const std::vector<std::uint32_t>& before,
                         const std::vector<std::uint32_t>& after) {
    auto& b = pit.builder();
    return pit.send(dag::CreateAddEdgesDirect(b, graph, &before, &after));
  }
  std::int32_t seal(std::uint32_t graph) { return pit.send(dag::CreateSeal(pit.builder(), graph)); }
  std::int32_t claim(std::uint32_t graph, std::uint32_t worker, std::uint32_t max) {
    const dag::ClaimBody body(graph, worker, max);
    return pit.send(dag::CreateClaim(pit.builder(), &body));
  }
  std::int32_t complete(std::uint32_t graph, std::uint32_t task, std::uint64_t token) {
    const dag::CompleteBody body(token, graph, task);
    return pit.send(dag::CreateComplete(pit.builder(), &body));
  }
  std::int32_t release(std::uint32_t graph, std::uint32_t worker) {
    return pit.send(dag::CreateRelease(pit.builder(), graph, worker));
  }
  std::int32_t status(std::uint32_t graph) { return pit.send(dag::CreateStatus(pit.builder(), graph)); }
  std::int32_t ask_export(std::uint32_t graph, std::uint32_t first, std::uint32_t max, bool names, bool attempts) {
    return pit.send(dag::CreateExport(pit.builder(), graph, first, max, names, attempts));
  }
  std::int32_t drop(std::uint32_t graph) { return pit.send(dag::CreateDropGraph(pit.builder(), graph)); }
};

}  // namespace symphony::pit::testing
