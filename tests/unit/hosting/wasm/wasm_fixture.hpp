// Pits compiled by way of WebAssembly, loaded and run.   Layer: tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>

#include "pits/hosting/instance.hpp"
#include "pits/hosting/wasm/wasm_module.hpp"
#include "tests/unit/hosting/scripted_pit.hpp"
#include "tests/unit/hosting/wasm/trapper.hpp"

namespace symphony::pit::wasm {

inline const WasmModule& loaded(const char* path) {
  const WasmModule* module = nullptr;
  const Outcome outcome = WasmModule::load(path, module);
  if (!outcome.ok()) ADD_FAILURE() << outcome.text;
  return *module;
}
inline const WasmModule& trapper_module() { return loaded(SYMPHONY_WASM_TRAPPER); }

// An instance, RUNNING.
class Running {
 public:
  explicit Running(const symphony_pit_entry& entry, WasmLimits with = {}, std::string_view config = {},
                   LogSink* log = nullptr, InstanceServices* services = nullptr)
      : limits_(with), extension_{wasm_limits_extension, &limits_} {
    const auto make = [&] {
      outcome = Instance::make(
          entry, {.config = config, .services = services, .log = log, .seed = 1, .extensions = {&extension_, 1}},
          instance);
      if (outcome.ok()) outcome = instance->init();
      if (outcome.ok()) outcome = instance->start();
    };
    make();
    // A busy machine may take the thread away for longer than a short budget before the pit has begun.
    for (int again = 0; again < 100 && config.empty() && outcome.status == SYMPHONY_TRAPPED; ++again) make();
    EXPECT_TRUE(!config.empty() || outcome.status != SYMPHONY_TRAPPED) << outcome.text;
  }
  // The ending of one request.
  test::RecordingSink& send(std::uint32_t type, std::span<const std::byte> body = {}) {
    sink = {};
    sink.room = room;
    const symphony_envelope envelope{++id_, 0, type, SYMPHONY_FLAG_REQUEST, 0, 0};
    instance->handle(envelope, body, sink);
    EXPECT_EQ(sink.endings, 1);
    return sink;
  }
  test::RecordingSink& send(std::uint32_t type, std::uint64_t number) {
    return send(type, std::as_bytes(std::span(&number, 1)));
  }
  std::uint64_t count() {
    send(trapper::count);
    std::uint64_t sum = 0;
    EXPECT_EQ(sink.status, SYMPHONY_OK) << sink.text;
    if (sink.body.size() == sizeof sum) std::memcpy(&sum, sink.body.data(), sizeof sum);
    return sum;
  }

  Outcome outcome;
  std::unique_ptr<Instance> instance;
  test::RecordingSink sink;
  std::size_t room = 65'536;  // for a reply

 private:
  WasmLimits limits_;
  Extension extension_;
  std::uint64_t id_ = 0;
};

// Sends the order; it must end as TRAPPED for that reason, and so must every later call, with the same words.
inline void expect_trap(trapper::Order order, const char* why, std::uint64_t number = 0) {
  Running pit(trapper_module().entry());
  ASSERT_TRUE(pit.outcome.ok()) << pit.outcome.text;
  EXPECT_EQ(pit.count(), 1u);
  pit.send(order, number);
  EXPECT_EQ(pit.sink.status, SYMPHONY_TRAPPED);
  EXPECT_THAT(pit.sink.text, ::testing::StartsWith("the pit trapped in handle(): "));
  EXPECT_THAT(pit.sink.text, ::testing::HasSubstr(why));
  EXPECT_EQ(pit.instance->state(), State::trapped);
  pit.send(trapper::count);
  EXPECT_EQ(pit.sink.status, SYMPHONY_BAD_STATE) << "an instance that trapped is never entered again";
  Running next(trapper_module().entry());
  EXPECT_EQ(next.count(), 1u) << "another instance has nothing of it";
}

}  // namespace symphony::pit::wasm
