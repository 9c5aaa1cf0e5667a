#include "tools/pit_check/modes.hpp"

#include <array>
#include <optional>
#include <utility>

#include <symphony/broker.hpp>
#include <symphony/endpoint.hpp>

#include "pits/hosting/dynamic/dynamic_host.hpp"
#include "pits/hosting/dynamic/library.hpp"
#include "pits/hosting/process/process_host.hpp"

namespace symphony::pit_check {
namespace {

using pit::Outcome;

constexpr TimeNs open_timeout_ns = 20 * second_ns;

// ---- dynamic: the file is loaded into this process -----------------------------------------------------------------

class LoadedPit final : public Mounted {
 public:
  [[nodiscard]] pit::Host& host() noexcept override { return *made; }
  std::unique_ptr<pit::DynamicHost> made;
};

class DynamicStage final : public Stage {
 public:
  using Stage::Stage;
  [[nodiscard]] std::string_view mode() const noexcept override { return "dynamic"; }
  [[nodiscard]] bool has_instances() const noexcept override { return true; }
  Outcome make_instance(const pit::InstanceOptions& options, std::unique_ptr<pit::Instance>& out) override {
    if (library_ == nullptr) {
      if (Outcome loaded = pit::PitLibrary::load(file(), library_); !loaded.ok()) return loaded;
    }
    return pit::Instance::make(library_->entry(), options, out);
  }
  Outcome mount(pit::LogSink* log, std::unique_ptr<Mounted>& out) override {
    auto mounted = std::make_unique<LoadedPit>();
    Outcome outcome = pit::DynamicHost::mount(file(), {.log = log}, mounted->made);
    if (outcome.ok()) out = std::move(mounted);
    return outcome;
  }

 private:
  std::shared_ptr<const pit::PitLibrary> library_;
};

// ---- process: an embedded broker starts symphony-pit-host with it --------------------------------------------------

class ProcessPit final : public Mounted {
 public:
  ~ProcessPit() override {
    made.reset();
    endpoint.reset();
  }
  [[nodiscard]] pit::Host& host() noexcept override { return *made; }
  Outcome kill() override {
    const auto killed = broker->kill_pit(name);
    return killed ? Outcome{} : Outcome{SYMPHONY_UNREACHABLE, killed.error().text};
  }
  [[nodiscard]] pid_t process() override { return broker->pit_pid(name).value_or(0); }

  std::string name;
  std::optional<EmbeddedBroker> broker;
  std::optional<Endpoint> endpoint;
  std::unique_ptr<pit::ProcessHost> made;
};

class ProcessStage final : public Stage {
 public:
  ProcessStage(const pit::PitFile& file, const Programs& programs) : Stage(file), programs_(programs) {}
  [[nodiscard]] std::string_view mode() const noexcept override { return "process"; }
  [[nodiscard]] bool has_instances() const noexcept override { return false; }
  Outcome make_instance(const pit::InstanceOptions&, std::unique_ptr<pit::Instance>&) override {
    return {SYMPHONY_BAD_STATE, "instances of mode process are in another process"};
  }
  Outcome mount(pit::LogSink*, std::unique_ptr<Mounted>& out) override {
    auto mounted = std::make_unique<ProcessPit>();
    mounted->name = file().notes[0].info.name;
    BrokerOptions options;
    options.keeper_executable = programs_.keeper;
    PitConfig& config = options.pits.emplace_back();
    config.name = mounted->name;
    config.executable = programs_.pit_host;
    config.args = {file().path};
    // It is killed on purpose, often, and that is no reason to give up on it.
    config.restart.failures_max = 16;
    config.restart.window_ns = ms_ns;
    auto broker = EmbeddedBroker::start(std::move(options));
    if (!broker) return {SYMPHONY_UNREACHABLE, broker.error().text};
    mounted->broker.emplace(*std::move(broker));
    auto socket = mounted->broker->connect();
    if (!socket) return {SYMPHONY_UNREACHABLE, socket.error().text};
    auto endpoint = Endpoint::adopt(*std::move(socket));
    if (!endpoint) return {SYMPHONY_UNREACHABLE, endpoint.error().text};
    mounted->endpoint.emplace(*std::move(endpoint));
    Outcome outcome =
        pit::ProcessHost::mount(*mounted->endpoint, mounted->name, {.open_timeout_ns = open_timeout_ns}, mounted->made);
    if (outcome.ok()) out = std::move(mounted);
    return outcome;
  }

 private:
  const Programs programs_;
};

// ---- the list ------------------------------------------------------------------------------------------------------

std::string not_loadable(const pit::PitFile& file) {
  return file.elf.shared_object ? "" : "the file is no shared object: name the .so that symphony_add_pit makes";
}
std::string dynamic_missing(const pit::PitFile& file, const Programs&) { return not_loadable(file); }
std::string process_missing(const pit::PitFile& file, const Programs& programs) {
  if (programs.pit_host.empty()) return "symphony-pit-host is not beside this program: build or install the whole tree";
  if (programs.keeper.empty()) return "symphony-keeper is not beside this program: build or install the whole tree";
  return not_loadable(file);
}
std::string static_missing(const pit::PitFile&, const Programs&) {
  return "a file is not linked in: link symphony_static_NAME into a test of your own";
}
std::string wasm_missing(const pit::PitFile&, const Programs&) { return "this build has no host for WebAssembly"; }

template <class AStage>
std::unique_ptr<Stage> make_with_programs(const pit::PitFile& file, const Programs& programs) {
  return std::make_unique<AStage>(file, programs);
}
std::unique_ptr<Stage> make_dynamic(const pit::PitFile& file, const Programs&) {
  return std::make_unique<DynamicStage>(file);
}

constexpr std::array<ModeKind, 4> kinds{{
    {"static", &static_missing, nullptr},
    {"dynamic", &dynamic_missing, &make_dynamic},
    {"wasm", &wasm_missing, nullptr},
    {"process", &process_missing, &make_with_programs<ProcessStage>},
}};

}  // namespace

std::span<const ModeKind> mode_kinds() noexcept { return kinds; }

void Blames::write(std::int32_t level, std::string_view, std::string_view line) noexcept {
  if (level < SYMPHONY_LOG_ERROR || line.find("the pit misbehaved") == std::string_view::npos) return;
  constexpr std::size_t lines_max = 16;
  if (lines_.size() < lines_max) lines_.emplace_back(line);
}

Outcome Mounted::kill() { return {SYMPHONY_BAD_STATE, "this mode's pit has no process of its own"}; }

}  // namespace symphony::pit_check
