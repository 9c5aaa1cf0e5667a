// What hosting a pit linked in costs beside the pit's own work: an empty echo, a small typed call, and the direct call
// of the same function for comparison.
#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <span>
#include <symphony/pit.hpp>
#include <vector>

#include "greeter_generated.h"
#include "pits/hosting/static/static_host.hpp"

SYMPHONY_DECLARE_PIT(greeter);

namespace symphony::pit {
namespace {

// The least a handler can do: succeed.
struct Echo {
  Status on_raw(Raw, Ctx&) { return ok(); }
};
using EchoFace = Face<Echo, "echo", "1.0.0">;

// A handler that copies 64 bytes that lie ready.
struct Ready {
  Status on_raw(Raw, Ctx& ctx) { return ctx.reply_bytes(1, bytes, sizeof bytes); }
  alignas(8) unsigned char bytes[64] = {1, 2, 3};
};
using ReadyFace = Face<Ready, "ready", "1.0.0">;

std::unique_ptr<StaticHost> mounted(const symphony_pit_entry& entry) {
  std::unique_ptr<StaticHost> host;
  if (!StaticHost::mount(entry, {}, host).ok()) std::abort();
  return host;
}
std::unique_ptr<Link> link_to(Host& host) {
  std::unique_ptr<Link> link;
  if (!host.open(link).ok()) std::abort();
  return link;
}

void direct_call(benchmark::State& state) {
  const symphony_host host{};
  Ctx ctx(host);
  Echo echo;
  const symphony_envelope envelope{};
  const symphony_msg message{sizeof message, 0, &envelope, {}, 1};
  Status (Echo::*call)(Raw, Ctx&) = &Echo::on_raw;
  for (auto _ : state) {
    benchmark::DoNotOptimize(call);
    Status status = (echo.*call)(Raw(message), ctx);
    benchmark::DoNotOptimize(status);
  }
}

void empty_echo(benchmark::State& state, TimeNs deadline_ns) {
  auto host = mounted(EchoFace::entry);
  auto link = link_to(*host);
  const Request request{1, SYMPHONY_EFFECT_READ, {}, deadline_ns};
  for (auto _ : state) {
    Reply reply = link->call(request);
    benchmark::DoNotOptimize(reply);
  }
}

void ready_reply(benchmark::State& state) {
  auto host = mounted(ReadyFace::entry);
  auto link = link_to(*host);
  const Request request{1, SYMPHONY_EFFECT_READ, {}, no_deadline_ns};
  for (auto _ : state) {
    Reply reply = link->call(request);
    if (!reply.ok()) state.SkipWithError("a call failed");
    benchmark::DoNotOptimize(reply);
  }
}

void greeting(benchmark::State& state) {
  auto host = mounted(*symphony_pit_greeter());
  auto link = link_to(*host);
  flatbuffers::FlatBufferBuilder b;
  b.Finish(greeter::CreateHelloDirect(b, "world"));
  const auto body = std::as_bytes(std::span(b.GetBufferPointer(), b.GetSize()));
  const Request request{pit_type_id<greeter::Hello>(), SYMPHONY_EFFECT_ONCE, body, no_deadline_ns};
  for (auto _ : state) {
    Reply reply = link->call(request);
    if (!reply.ok()) state.SkipWithError("the greeter failed");
    benchmark::DoNotOptimize(reply);
  }
}

std::unique_ptr<StaticHost>& shared_host() {
  static std::unique_ptr<StaticHost> host = mounted(EchoFace::entry);
  return host;
}
void empty_echo_contended(benchmark::State& state) {
  auto link = link_to(*shared_host());
  const Request request{1, SYMPHONY_EFFECT_READ, {}, no_deadline_ns};
  for (auto _ : state) {
    Reply reply = link->call(request);
    if (!reply.ok()) state.SkipWithError("a call failed");
    benchmark::DoNotOptimize(reply);
  }
}

BENCHMARK(direct_call);
BENCHMARK_CAPTURE(empty_echo, no_deadline, no_deadline_ns);
BENCHMARK_CAPTURE(empty_echo, deadline, no_deadline_ns - 1);
BENCHMARK(ready_reply);
BENCHMARK(greeting);
BENCHMARK(empty_echo_contended)->Threads(1)->Threads(2)->Threads(4)->Threads(8)->UseRealTime();

}  // namespace
}  // namespace symphony::pit
