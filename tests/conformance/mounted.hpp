// Pits mounted in any mode, as the tests of this folder call them.   Layer: tests.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <symphony/broker.hpp>
#include <symphony/conductor.hpp>
#include <symphony/typed.hpp>

#include "dag_tracker_generated.h"
#include "greeter_generated.h"
#include "relay_generated.h"

SYMPHONY_DECLARE_PIT(greeter);
SYMPHONY_DECLARE_PIT(dag_tracker);
SYMPHONY_DECLARE_PIT(relay);

namespace symphony {

inline std::string program(const std::string& name) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}
inline std::string pit_file(const std::string& name) { return program("../pits/" + name + ".so"); }
inline std::string file_for(Mode mode, const std::string& name) {
  if (mode == Mode::wasm) return pit_file(name + "_wasm");
  return mode == Mode::dynamic ? pit_file(name) : "";
}

// Those of this build: a tree without the tools for WebAssembly says so when it is configured.
inline std::vector<Mode> modes_built() {
#if defined(SYMPHONY_WASM_BUILT)
  return {Mode::static_, Mode::dynamic, Mode::wasm, Mode::process};
#else
  return {Mode::static_, Mode::dynamic, Mode::process};
#endif
}

// One pit mounted, ready to call.
class Mounted {
 public:
  Mounted(Mode mode, const char* name, const symphony_pit_entry* entry) {
    MountOptions mount{.mode = mode, .entry = entry, .file = file_for(mode, name)};
    if (mode == Mode::process) {
      BrokerOptions options;
      options.pits.emplace_back();
      options.pits[0].name = name;
      options.pits[0].executable = program("symphony-pit-host");
      options.pits[0].args = {pit_file(name)};
      broker_.emplace(EmbeddedBroker::start(std::move(options)).value());
      endpoint_.emplace(Endpoint::adopt(broker_->connect().value()).value());
    }
    conductor.emplace(endpoint_ ? &*endpoint_ : nullptr);
    const StepResult mounted = conductor->mount(name, mount);
    EXPECT_TRUE(mounted.ok()) << mounted.text;
    caller = conductor->open(name);
    EXPECT_TRUE(caller.ok()) << caller.why().text;
  }
  Endpoint* endpoint() { return &*endpoint_; }

 private:
  std::optional<EmbeddedBroker> broker_;
  std::optional<Endpoint> endpoint_;

 public:
  std::optional<Conductor> conductor;
  Caller caller;
};

// relay, which asks greeter for its callers and has timers.
class Relay {
 public:
  explicit Relay(Mode mode, bool may_call = true) {
    if (mode == Mode::process) {
      BrokerOptions options;
      for (const char* name : {"greeter", "relay"}) {
        PitConfig& pit = options.pits.emplace_back();
        pit.name = name;
        pit.executable = program("symphony-pit-host");
        pit.args = {pit_file(name)};
      }
      if (may_call) options.pits[1].calls = {"greeter"};
      broker_.emplace(EmbeddedBroker::start(std::move(options)).value());
      endpoint_.emplace(Endpoint::adopt(broker_->connect().value()).value());
    }
    conductor.emplace(endpoint_ ? &*endpoint_ : nullptr);
    for (const auto& [name, entry] : {std::pair{"greeter", symphony_pit_greeter()}, {"relay", symphony_pit_relay()}}) {
      const StepResult mounted = conductor->mount(name, {.mode = mode, .entry = entry, .file = file_for(mode, name)});
      EXPECT_TRUE(mounted.ok()) << mounted.text;
    }
    caller = conductor->open("relay");
  }
  // greeter's reply by way of relay.
  TypedReply<relay::Said> ask(const std::string& name) {
    flatbuffers::FlatBufferBuilder hello;
    hello.Finish(greeter::CreateHello(hello, hello.CreateString(name)));
    return call<relay::Said>(caller, builder_,
                             relay::CreateAsk(builder_, type_id_of<greeter::Hello>,
                                              builder_.CreateVector(hello.GetBufferPointer(), hello.GetSize())));
  }
  // Arms a timer, or with id 0 only looks.
  TypedReply<relay::Ticks> arm(std::uint64_t id, std::uint64_t after_ns) {
    return call<relay::Ticks>(caller, builder_, relay::CreateArm(builder_, id, after_ns));
  }

 private:
  std::optional<EmbeddedBroker> broker_;
  std::optional<Endpoint> endpoint_;
  flatbuffers::FlatBufferBuilder builder_;

 public:
  std::optional<Conductor> conductor;
  Caller caller;
};

}  // namespace symphony
