#include "bench/swap/storm.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include <symphony/typed.hpp>

#include "ledger_generated.h"

SYMPHONY_DECLARE_PIT(ledger);

namespace symphony::bench {
namespace {

template <class T>
bool said(const result<T>& outcome) {
  if (!outcome) std::fprintf(stderr, "bench_swap: %s\n", outcome.error().text);
  return static_cast<bool>(outcome);
}

TypedReply<ledger::Done> act(Caller& caller, flatbuffers::FlatBufferBuilder& builder, ledger::Act what,
                             std::uint64_t number, std::uint32_t thread) {
  return call<ledger::Done>(caller, builder, ledger::CreateDo(builder, what, thread, number));
}

}  // namespace

MountOptions Storm::in(Mode mode) const {
  const std::string pits = (std::filesystem::path(program_).parent_path() / "../pits/ledger").string();
  MountOptions out{.mode = mode};
  if (mode == Mode::static_) out.entry = symphony_pit_ledger();
  if (mode == Mode::dynamic) out.file = pits + ".so";
  if (mode == Mode::wasm) out.file = pits + "_wasm.so";
  return out;
}

bool Storm::start_broker() {
  BrokerOptions options;
  PitConfig& pit = options.pits.emplace_back();
  pit.name = "ledger";
  pit.executable = (std::filesystem::path(program_).parent_path() / "symphony-pit-host").string();
  pit.args = {(std::filesystem::path(program_).parent_path() / "../pits/ledger.so").string()};
  pit.start_at_once = false;
  auto broker = EmbeddedBroker::start(std::move(options));
  if (!said(broker)) return false;
  broker_.emplace(*std::move(broker));
  auto socket = broker_->connect(), second = broker_->connect();
  if (!said(socket) || !said(second)) return false;
  auto endpoint = Endpoint::adopt(*std::move(socket));
  auto commander = Operator::adopt(*std::move(second));
  if (!said(endpoint) || !said(commander)) return false;
  endpoint_.emplace(*std::move(endpoint));
  operator_.emplace(*std::move(commander));
  return true;
}

bool Storm::start(std::uint32_t threads, std::uint64_t entries) {
  if (!start_broker()) return false;
  conductor_.emplace(&*endpoint_, &*operator_);
  if (const StepResult mounted = conductor_->mount("ledger", in(Mode::static_)); !mounted.ok()) {
    std::fprintf(stderr, "bench_swap: %s\n", mounted.text.c_str());
    return false;
  }
  Caller caller = conductor_->open("ledger");
  flatbuffers::FlatBufferBuilder builder;
  if (!act(caller, builder, ledger::Act::FILL, entries, 0)) return false;
  acknowledged_ = std::vector<std::atomic<std::uint64_t>>(threads);
  for (std::uint32_t t = 0; t < threads; ++t) threads_.emplace_back([this, t] { call_on(t); });
  return true;
}

void Storm::call_on(std::uint32_t thread) {
  Caller caller = conductor_->open("ledger");
  flatbuffers::FlatBufferBuilder builder;
  while (!stop_) {
    const std::uint64_t number = acknowledged_[thread] + 1;
    const TimeNs began = now_ns();
    const auto done = act(caller, builder, ledger::Act::ADD, number, thread);
    const TimeNs took = now_ns() - began;
    if (done && done->number() == number) {
      acknowledged_[thread] = number;
    } else if (wrong_++ == 0) {
      std::fprintf(stderr, "bench_swap: a call ended with %d: %.*s\n", done.reply.status,
                   static_cast<int>(done.reply.text.size()), done.reply.text.data());
    }
    TimeNs longest = longest_ns_;
    while (took > longest && !longest_ns_.compare_exchange_weak(longest, took)) {
    }
  }
}

bool Storm::round(std::vector<Cut>& out) {
#if defined(SYMPHONY_WASM_BUILT)
  constexpr Mode cycle[] = {Mode::dynamic, Mode::wasm, Mode::process, Mode::static_};
#else
  constexpr Mode cycle[] = {Mode::dynamic, Mode::process, Mode::static_};
#endif
  for (const Mode to : cycle) {
    longest_ns_ = 0;
    // Long, so that a machine on which others work gives a figure and no refusal; what it took is in the figure.
    const SwapReport report = conductor_->swap("ledger", in(to), {.cut_budget_ns = 10 * second_ns, .probation_ns = 0});
    if (!report.ok()) {
      std::fprintf(stderr, "bench_swap: to %s: %s: %s\n", to_string(to).data(), to_string(report.step).data(),
                   report.text.c_str());
      return false;
    }
    // Each thread's call that waited has ended when it has made another one.
    const std::vector<std::uint64_t> before(acknowledged_.begin(), acknowledged_.end());
    for (std::size_t t = 0; t < before.size(); ++t) {
      while (acknowledged_[t] < before[t] + 2 && wrong_ == 0) std::this_thread::yield();
    }
    const auto us = [](TimeNs ns) { return static_cast<double>(ns) / 1e3; };
    out.push_back({to, us(report.pause_ns), us(report.cut_ns), us(report.transfer_ns), us(report.restore_ns),
                   us(longest_ns_), us(report.prepare_ns) / 1e3});
  }
  return true;
}

void Storm::stop() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

Storm::Tally Storm::tally() {
  Tally tally;
  Caller caller = conductor_->open("ledger");
  flatbuffers::FlatBufferBuilder builder;
  for (std::uint32_t t = 0; t < acknowledged_.size(); ++t) {
    const std::uint64_t known = acknowledged_[t];
    const auto done = call<ledger::Done>(caller, builder, ledger::CreateLook(builder, t), {.effect = Effect::read});
    const std::uint64_t there = done ? done->number() : 0;
    tally.calls += known;
    tally.lost += known - std::min(known, there);
    tally.duplicated += there - std::min(known, there);
  }
  tally.wrong = wrong_;
  return tally;
}

}  // namespace symphony::bench
