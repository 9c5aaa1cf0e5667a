// What a call of a loaded pit costs beside a call of the same pit linked in: an empty echo and a small typed call. Run
// it with --benchmark_enable_random_interleaving=true --benchmark_repetitions=20: the difference is what counts.
#include <benchmark/benchmark.h>

#include <memory>
#include <span>
#include <string>
#include <symphony/pit.hpp>

#include "greeter_generated.h"
#include "pits/hosting/dynamic/dynamic_host.hpp"
#include "pits/hosting/static/static_host.hpp"

SYMPHONY_DECLARE_PIT(echo);
SYMPHONY_DECLARE_PIT(greeter);

namespace symphony::pit {
namespace {

std::unique_ptr<Host> linked(const symphony_pit_entry& entry) {
  std::unique_ptr<StaticHost> host;
  if (!StaticHost::mount(entry, {}, host).ok()) std::abort();
  return host;
}
std::unique_ptr<Host> loaded(const std::string& path) {
  PitFile file;
  std::unique_ptr<DynamicHost> host;
  if (!read_pit_file(path, file).ok() || !DynamicHost::mount(file, {}, host).ok()) std::abort();
  return host;
}

void call(benchmark::State& state, Host& host, const Request& request) {
  std::unique_ptr<Link> link;
  if (!host.open(link).ok()) std::abort();
  for (auto _ : state) {
    Reply reply = link->call(request);
    if (!reply.ok()) state.SkipWithError("a call failed");
    benchmark::DoNotOptimize(reply);
  }
}

void empty(benchmark::State& state, std::unique_ptr<Host> (*make)()) {
  call(state, *make(), {1, SYMPHONY_EFFECT_READ, {}, no_deadline_ns});
}
void greeting(benchmark::State& state, std::unique_ptr<Host> (*make)()) {
  flatbuffers::FlatBufferBuilder b;
  b.Finish(greeter::CreateHelloDirect(b, "world"));
  const auto body = std::as_bytes(std::span(b.GetBufferPointer(), b.GetSize()));
  call(state, *make(), {pit_type_id<greeter::Hello>(), SYMPHONY_EFFECT_ONCE, body, no_deadline_ns});
}

BENCHMARK_CAPTURE(empty, linked, [] { return linked(*symphony_pit_echo()); });
BENCHMARK_CAPTURE(empty, loaded, [] { return loaded(SYMPHONY_ECHO_FILE); });
BENCHMARK_CAPTURE(greeting, linked, [] { return linked(*symphony_pit_greeter()); });
BENCHMARK_CAPTURE(greeting, loaded, [] { return loaded(SYMPHONY_GREETER_FILE); });

}  // namespace
}  // namespace symphony::pit
