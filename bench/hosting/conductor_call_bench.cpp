// What a program's call of a linked-in pit costs by way of the conductor: an empty echo by a caller of its own, and by
// one that threads share.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <symphony/conductor.hpp>
#include <symphony/pit.hpp>

namespace symphony {
namespace {

struct Echo {
  Status on_raw(Raw, Ctx&) { return ok(); }
};

Conductor& mounted() {
  static Conductor conductor;
  static const bool is_mounted = conductor.mount("echo", {.entry = &pit::Face<Echo, "echo", "1.0.0">::entry}).ok();
  if (!is_mounted) std::abort();
  return conductor;
}

template <class AnyCaller>
void call_empty(benchmark::State& state, AnyCaller caller) {
  const CallOptions options{.deadline_ns = no_deadline_ns};  // no look at the clock
  for (auto _ : state) {
    Reply reply = caller.call(1, {}, options);
    benchmark::DoNotOptimize(reply);
  }
}
void own_caller(benchmark::State& state) { call_empty(state, mounted().open("echo")); }
void shared_caller(benchmark::State& state) { call_empty(state, mounted().share("echo")); }
BENCHMARK(own_caller);
BENCHMARK(shared_caller);

}  // namespace
}  // namespace symphony
