// A broker in this process, real pit processes behind it, and endpoints to call them.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include <symphony/broker.hpp>
#include <symphony/endpoint.hpp>
#include <symphony/typed.hpp>

#include "greeter_generated.h"
#include "probe_generated.h"

namespace symphony {

inline std::string program(const char* name) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

// Starts bus_program in a process of its own; `inherited` is the one descriptor it keeps, `quiet` closes its stderr.
inline pid_t start_bus_program(const char* mode, const std::string& argument, int inherited = -1, bool quiet = false) {
  const std::string executable = program("bus_program");
  const pid_t child = ::fork();
  if (child == 0) {
    if (inherited >= 0) ::fcntl(inherited, F_SETFD, 0);
    if (quiet) ::close(STDERR_FILENO);
    ::execl(executable.c_str(), executable.c_str(), mode, argument.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  return child;
}

// The process of this name that `parent` started; 0: there is none.
inline pid_t child_named(pid_t parent, std::string_view name) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::string found, line;
    std::ifstream(entry.path() / "comm") >> found;
    if (found != name) continue;
    std::ifstream stat(entry.path() / "stat");
    std::getline(stat, line);
    if (line.find(") ") == std::string::npos) continue;
    if (std::atoi(line.c_str() + line.rfind(')') + 4) == parent) return std::atoi(entry.path().filename().c_str());
  }
  return 0;
}

// Waits for a condition that must come true; the deadline only ends a test that failed.
inline bool comes_true(const std::function<bool()>& condition, TimeNs timeout_ns = 30 * second_ns) {
  for (const TimeNs deadline = deadline_after(timeout_ns); now_ns() < deadline; std::this_thread::yield()) {
    if (condition()) return true;
  }
  return condition();
}

// A pit of this build, in a process of its own.
inline PitConfig pit_config(const char* name) {
  PitConfig config;
  config.name = name;
  config.executable = program("symphony-pit-host");
  config.args = {program("../pits/") + name + ".so"};
  return config;
}

struct BusTest : testing::Test {
  void SetUp() override { start({pit_config("greeter"), pit_config("probe")}); }
  void start(std::vector<PitConfig> pits) {
    BrokerOptions options;
    options.pits = std::move(pits);
    auto started = EmbeddedBroker::start(std::move(options));
    ASSERT_TRUE(started) << started.error().text;
    broker.emplace(*std::move(started));
    endpoint.emplace(connect());
  }
  Endpoint connect() { return Endpoint::adopt(broker->connect().value()).value(); }
  Link open(const char* pit, const LinkOptions& options = {}) { return endpoint->open(pit, options).value(); }

  std::optional<EmbeddedBroker> broker;
  std::optional<Endpoint> endpoint;
};

inline TypedReply<greeter::Greeting> greet(Link& link, const std::string& name, const CallOptions& options = {}) {
  flatbuffers::FlatBufferBuilder builder;
  return call<greeter::Greeting>(link, builder, greeter::CreateHello(builder, builder.CreateString(name)), options);
}

// Asks the probe pit to do something to itself.
inline TypedReply<probe::Done> probe_do(Link& link, probe::Act act, std::uint32_t argument = 0,
                                        const CallOptions& options = {}) {
  flatbuffers::FlatBufferBuilder builder;
  return call<probe::Done>(link, builder, probe::CreateDo(builder, act, argument), options);
}
inline TypedReply<probe::Done> probe_read(Link& link, probe::Act act, std::uint32_t argument = 0,
                                          const CallOptions& options = {.effect = Effect::read}) {
  flatbuffers::FlatBufferBuilder builder;
  return call<probe::Done>(link, builder, probe::CreateDoAgain(builder, act, argument), options);
}

}  // namespace symphony
