// Pits that are swapped, and threads that call them meanwhile.   Layer: tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <symphony/broker.hpp>
#include <symphony/conductor.hpp>
#include <symphony/operator.hpp>
#include <symphony/typed.hpp>

#include "ledger_generated.h"

SYMPHONY_DECLARE_PIT(ledger);

namespace symphony {

inline std::string swap_program(const std::string& name) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}
inline std::string swap_file(const std::string& name) { return swap_program("../pits/" + name + ".so"); }

// Those of this build: a tree without the tools for WebAssembly says so when it is configured.
inline std::vector<Mode> swap_modes() {
#if defined(SYMPHONY_WASM_BUILT)
  return {Mode::static_, Mode::dynamic, Mode::wasm, Mode::process};
#else
  return {Mode::static_, Mode::dynamic, Mode::process};
#endif
}

inline bool comes_true(const std::function<bool()>& condition) {
  for (const TimeNs deadline = deadline_after(60 * second_ns); now_ns() < deadline; std::this_thread::yield()) {
    if (condition()) return true;
  }
  return condition();
}

// A conductor whose broker has the pit under `ledger-a` and `ledger-b` (or another pit's name in the place of ledger).
class Swapped {
 public:
  explicit Swapped(const std::string& pit = "ledger", const symphony_pit_entry* entry = symphony_pit_ledger(),
                   const std::string& config_of_b = "")
      : pit_(pit), entry_(entry) {
    BrokerOptions options;
    for (const char* one : {"a", "b"}) {
      PitConfig& process = options.pits.emplace_back();
      process.name = pit + "-" + one;
      process.executable = swap_program("symphony-pit-host");
      process.args = {swap_file(pit)};
      process.start_at_once = false;
      if (*one == 'b') process.config = config_of_b;
    }
    broker.emplace(EmbeddedBroker::start(std::move(options)).value());
    endpoint_.emplace(Endpoint::adopt(broker->connect().value()).value());
    operator_.emplace(Operator::adopt(broker->connect().value()).value());
    conductor.emplace(&*endpoint_, &*operator_);
  }
  // `one`: a or b, which process it is where it is one.
  [[nodiscard]] MountOptions in(Mode mode, const std::string& one = "b", const std::string& config = "") const {
    MountOptions out{.mode = mode, .config = config};
    if (mode == Mode::static_) out.entry = entry_;
    if (mode == Mode::dynamic) out.file = swap_file(pit_);
    if (mode == Mode::wasm) out.file = swap_file(pit_ + "_wasm");
    if (mode == Mode::process) out.broker_name = pit_ + "-" + one;
    return out;
  }
  void mount(Mode mode) {
    const StepResult mounted = conductor->mount(pit_, in(mode, "a"));
    ASSERT_TRUE(mounted.ok()) << mounted.text;
  }
  [[nodiscard]] std::string state_of_process(const std::string& one) const {
    for (const PitInfo& pit : broker->status()) {
      if (pit.name == pit_ + "-" + one) return pit.state;
    }
    return "";
  }
  [[nodiscard]] Caller open() { return conductor->open(pit_); }

 private:
  const std::string pit_;
  const symphony_pit_entry* entry_;

 public:
  std::optional<EmbeddedBroker> broker;

 private:
  std::optional<Endpoint> endpoint_;
  std::optional<Operator> operator_;

 public:
  std::optional<Conductor> conductor;
};

inline const SwapOptions no_probation{.cut_budget_ns = 30 * second_ns, .probation_ns = 0};
// Longer than any test: it ends by what the test does.
inline const SwapOptions long_probation{
    .cut_budget_ns = 30 * second_ns, .probation_ns = 120 * second_ns, .probation_messages = 1'000'000'000};

template <class AnyCaller>
TypedReply<ledger::Done> act(AnyCaller& caller, ledger::Act what, std::uint64_t number = 0, std::uint32_t thread = 0,
                             const CallOptions& options = {}) {
  flatbuffers::FlatBufferBuilder b;
  return call<ledger::Done>(caller, b, ledger::CreateDo(b, what, thread, number), options);
}
template <class AnyCaller>
TypedReply<ledger::Done> act_again(AnyCaller& caller, ledger::Act what, std::uint64_t number = 0,
                                   std::uint32_t thread = 0) {
  flatbuffers::FlatBufferBuilder b;
  return call<ledger::Done>(caller, b, ledger::CreateDoAgain(b, what, thread, number), {.effect = Effect::idempotent});
}
template <class AnyCaller>
std::uint64_t last_of(AnyCaller& caller, std::uint32_t thread = 0) {
  flatbuffers::FlatBufferBuilder b;
  const auto done = call<ledger::Done>(caller, b, ledger::CreateLook(b, thread), {.effect = Effect::read});
  EXPECT_TRUE(done) << done.reply.status << " " << done.reply.text;
  return done ? done->number() : 0;
}

// Threads that add to the ledger until they are stopped: some with a caller each, the others with one for all.
class Load {
 public:
  Load(Conductor& conductor, std::uint32_t own, std::uint32_t sharing, std::string name = "ledger")
      : conductor_(conductor), name_(std::move(name)), added_(own + sharing), shared_(conductor.share(name_)) {
    EXPECT_TRUE(shared_.ok()) << shared_.why().text;
    for (std::uint32_t t = 0; t < own + sharing; ++t) threads_.emplace_back([this, t, own] { run(t, t < own); });
  }
  ~Load() { stop(); }
  void stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  // Each thread's acknowledged calls; and that each goes on.
  [[nodiscard]] bool moves() {
    std::vector<std::uint64_t> before(added_.begin(), added_.end());
    return comes_true([&] {
      for (std::size_t t = 0; t < before.size(); ++t) {
        if (added_[t] < before[t] + 5) return false;
      }
      return true;
    });
  }
  // Stops; every acknowledged call is in the state, once.
  void expect_exact() {
    stop();
    EXPECT_EQ(wrong, 0u) << first_wrong_;
    Caller caller = conductor_.open(name_);
    for (std::uint32_t t = 0; t < added_.size(); ++t) EXPECT_EQ(last_of(caller, t), added_[t]) << "thread " << t;
  }
  std::atomic<std::uint64_t> wrong{0};

 private:
  void run(std::uint32_t t, bool has_own) {
    Caller own = has_own ? conductor_.open(name_) : Caller();
    while (!stop_) {
      const std::uint64_t number = added_[t] + 1;
      const auto done = has_own ? act(own, ledger::Act::ADD, number, t) : act(shared_, ledger::Act::ADD, number, t);
      if (done && done->number() == number) {
        added_[t] = number;
        continue;
      }
      if (wrong++ == 0) first_wrong_ = std::to_string(done.reply.status) + " " + std::string(done.reply.text);
    }
    if (has_own && own.tally().calls != own.tally().ended) ++wrong;
  }

  Conductor& conductor_;
  const std::string name_;
  std::vector<std::atomic<std::uint64_t>> added_;
  SharedCaller shared_;
  std::atomic<bool> stop_{false};
  std::string first_wrong_;
  std::vector<std::thread> threads_;
};

}  // namespace symphony
