#include "bench/faults/world.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <symphony/pit.h>

SYMPHONY_DECLARE_PIT(culprit);
SYMPHONY_DECLARE_PIT(greeter);

namespace symphony::faults {
namespace {

constexpr char next_name[] = "next";  // of the culprit's build for another version

std::string beside(const std::string& file) {
  static const std::string folder = std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
  return folder + "/" + file;
}
std::string pit_file(const std::string& pit, Mode mode) {
  const std::string file = pit + (mode == Mode::wasm ? "_wasm.so" : ".so");
  return beside(pit == "greeter" ? "../pits/" + file : "../bench/" + file);
}

PitConfig config_of(const std::string& name, const std::string& file, const Hosting& hosting) {
  PitConfig config;
  config.name = name;
  config.executable = beside("symphony-pit-host");
  config.args = {file};
  config.trust = trust_of(hosting);
  config.sandbox.profile = hosting.profile;
  return config;
}

MountOptions options_of(const std::string& pit, const Hosting& hosting) {
  MountOptions options;
  options.mode = hosting.mode;
  if (hosting.mode == Mode::static_) options.entry = pit == "greeter" ? symphony_pit_greeter() : symphony_pit_culprit();
  if (hosting.mode == Mode::dynamic || hosting.mode == Mode::wasm) options.file = pit_file(pit, hosting.mode);
  if (pit == "culprit" && hosting.mode != Mode::process) options.budget_ms = budget_ms;
  if (hosting.mode == Mode::process) options.timeout_ns = 20 * second_ns;
  return options;
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
// How often `from` was there.
int replace_all(std::string& text, const std::string& from, const std::string& to) {
  int found = 0;
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + from.size()), ++found) {
    text.replace(at, from.size(), to);
  }
  return found;
}

}  // namespace

std::string World::build(const Hosting& hosting) {
  if (hosting.mode == Mode::wasm && ::access(pit_file("culprit", Mode::wasm).c_str(), R_OK) != 0) {
    return "this tree has no pits by way of WebAssembly: cmake says which packages are missing";
  }
  if (hosting.mode == Mode::process) {
    BrokerOptions options;
    options.pits = {config_of("honest", pit_file("greeter", Mode::process), hosting),
                    config_of("culprit", pit_file("culprit", Mode::process), hosting),
                    config_of(next_name, beside("../bench/culprit_next.so"), hosting)};
    options.pits[1].budgets.each_ns = budget_ms * ms_ns;
    options.pits[2].start_at_once = false;
    auto broker = EmbeddedBroker::start(std::move(options));
    if (!broker) return broker.error().text;
    broker_.emplace(*std::move(broker));
    auto for_calls = broker_->connect(), for_questions = broker_->connect();
    if (!for_calls || !for_questions) return "the broker gives no socket";
    auto endpoint = Endpoint::adopt(*std::move(for_calls));
    if (!endpoint) return endpoint.error().text;
    endpoint_.emplace(*std::move(endpoint));
    auto asked = Operator::adopt(*std::move(for_questions));
    if (!asked) return asked.error().text;
    operator_.emplace(*std::move(asked));
    for (const char* pit : {"honest", "culprit"}) {
      const OperatorAnswer started = operator_->start(pit, 30 * second_ns);
      if (started.ok()) continue;
      const std::string why = started.text.empty() ? started.pit.reason : started.text;
      // 125: its process could not put up a wall that is required.
      const bool lacks_walls = why.find("125") != std::string::npos || why.find("sandbox") != std::string::npos;
      return hosting.profile != SandboxProfile::none && lacks_walls ? "this machine gives no such sandbox: " + why
                                                                    : why;
    }
  }
  conductor_ = std::make_unique<Conductor>(endpoint_ ? &*endpoint_ : nullptr);
  for (const std::string pit : {"honest", "culprit"}) {
    const StepResult mounted = conductor_->mount(pit, options_of(pit == "honest" ? "greeter" : pit, hosting));
    if (!mounted.ok()) return mounted.text;
  }
  return {};
}

int World::culprit_pid() const {
  if (!broker_) return ::getpid();
  const auto pid = broker_->pit_pid("culprit");
  return pid ? *pid : 0;
}

std::optional<PitReport> World::report() {
  if (!operator_) return std::nullopt;
  const OperatorAnswer answer = operator_->show("culprit", 5 * second_ns);
  return answer.ok() ? std::optional(answer.pit) : std::nullopt;
}

StepResult World::mount_next_major(const Hosting& hosting) {
  MountOptions options = options_of("culprit", hosting);
  static symphony_pit_entry entry = *symphony_pit_culprit();
  static symphony_note note = *entry.note;
  note.abi_major = SYMPHONY_ABI_MAJOR + 1;
  entry.note = &note;
  if (hosting.mode == Mode::static_) options.entry = &entry;
  if (hosting.mode == Mode::dynamic) options.file = beside("../bench/culprit_next.so");
  if (hosting.mode == Mode::wasm) {
    // The build refuses to make one; what differs is the note, and notes of both are of one size.
    std::string module = bytes_of(options.file);
    const std::string is = bytes_of(beside("../bench/culprit.note"));
    const std::string next = bytes_of(beside("../bench/culprit_next.note"));
    if (is.size() != next.size() || is.empty() || replace_all(module, is, next) != 2) {
      return {status::internal, "no module for another version can be made of this one"};
    }
    options.file = "/dev/shm/next_wasm.so";
    std::ofstream(options.file, std::ios::binary) << module;
  }
  return conductor_->mount(next_name, options);
}

StepResult World::mount_that_imports(std::string_view name) {
  MountOptions options = options_of("culprit", {Mode::wasm, SandboxProfile::none});
  std::string module = bytes_of(options.file);
  // In a module's section of imports each name has its length in front.
  const std::string offered = std::string("\x08symphony\x06", 10) + "random";
  const std::string wanted = std::string("\x08symphony\x06", 10) + std::string(name);
  if (name.size() != 6 || replace_all(module, offered, wanted) != 1) {
    return {status::internal, "no module that imports it can be made of this one"};
  }
  options.file = "/dev/shm/wants_" + std::string(name) + ".so";
  std::ofstream(options.file, std::ios::binary) << module;
  return conductor_->mount("wants", options);
}

}  // namespace symphony::faults
