// What hosting a pit in WebAssembly costs beside the pit's own work: the calls of static_call_bench.cpp, linked in and
// in WebAssembly side by side; a new instance; a trap.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <symphony/pit.hpp>

#include "greeter_generated.h"
#include "pits/hosting/static/static_host.hpp"
#include "pits/hosting/wasm/wasm_host.hpp"
#include "pits/hosting/wasm/wasm_module.hpp"

SYMPHONY_DECLARE_PIT(echo);
SYMPHONY_DECLARE_PIT(greeter);

namespace symphony::pit {
namespace {

std::unique_ptr<Host> linked_in(const symphony_pit_entry& entry) {
  std::unique_ptr<StaticHost> host;
  if (!StaticHost::mount(entry, {}, host).ok()) std::abort();
  return host;
}
std::unique_ptr<Host> in_wasm(const char* path, std::uint32_t budget_ms = 0) {
  WasmOptions options;
  options.budget_ms = budget_ms;
  std::unique_ptr<WasmHost> host;
  if (!WasmHost::mount(path, options, host).ok()) std::abort();
  return host;
}

void call_with(benchmark::State& state, Host& host, const Request& request) {
  std::unique_ptr<Link> link;
  if (!host.open(link).ok()) std::abort();
  for (auto _ : state) {
    Reply reply = link->call(request);
    if (!reply.ok()) state.SkipWithError("a call failed");
    benchmark::DoNotOptimize(reply);
  }
}

void empty_echo(benchmark::State& state, Host& host) {
  call_with(state, host, {.type = 1, .effect = SYMPHONY_EFFECT_READ});
}

void greeting(benchmark::State& state, Host& host) {
  flatbuffers::FlatBufferBuilder b;
  b.Finish(greeter::CreateHelloDirect(b, "world"));
  const auto body = std::as_bytes(std::span(b.GetBufferPointer(), b.GetSize()));
  call_with(state, host, {.type = pit_type_id<greeter::Hello>(), .body = body});
}

void empty_echo_static(benchmark::State& state) { empty_echo(state, *linked_in(*symphony_pit_echo())); }
void empty_echo_wasm(benchmark::State& state) { empty_echo(state, *in_wasm(SYMPHONY_WASM_ECHO)); }
void empty_echo_wasm_budget(benchmark::State& state) { empty_echo(state, *in_wasm(SYMPHONY_WASM_ECHO, 1000)); }
void greeting_static(benchmark::State& state) { greeting(state, *linked_in(*symphony_pit_greeter())); }
void greeting_wasm(benchmark::State& state) { greeting(state, *in_wasm(SYMPHONY_WASM_GREETER)); }

void make_instance(benchmark::State& state) {
  const wasm::WasmModule* module = nullptr;
  if (!wasm::WasmModule::load(SYMPHONY_WASM_GREETER, module).ok()) std::abort();
  for (auto _ : state) {
    std::unique_ptr<Instance> instance;
    if (!Instance::make(module->entry(), {.seed = 1}, instance).ok()) std::abort();
  }
}

BENCHMARK(empty_echo_static);
BENCHMARK(empty_echo_wasm);
BENCHMARK(empty_echo_wasm_budget);
BENCHMARK(greeting_static);
BENCHMARK(greeting_wasm);
BENCHMARK(make_instance);

}  // namespace
}  // namespace symphony::pit
