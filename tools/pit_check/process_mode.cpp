// Mode process: an embedded broker starts symphony-pit-host with the file.
#include <optional>
#include <utility>

#include <symphony/broker.hpp>
#include <symphony/endpoint.hpp>

#include "pits/hosting/process/process_host.hpp"
#include "pits/hosting/process/python.hpp"
#include "tools/pit_check/modes.hpp"

namespace symphony::pit_check {
namespace {

using pit::Outcome;

constexpr TimeNs open_timeout_ns = 20 * second_ns;

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
  [[nodiscard]] std::string_view symbol() const noexcept override {
    return pit::is_python_pit(file().path) ? std::string_view() : Stage::symbol();
  }
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

}  // namespace

std::string make_process(const Subject& subject, std::unique_ptr<Stage>& out) {
  const Programs& programs = subject.programs;
  if (programs.pit_host.empty()) return "symphony-pit-host is not beside this program: build or install the whole tree";
  if (programs.keeper.empty()) return "symphony-keeper is not beside this program: build or install the whole tree";
  if (pit::is_python_pit(subject.file.path)) {
    out = std::make_unique<ProcessStage>(subject.file, programs);
    return {};
  }
  if (std::string why = not_native(subject.file); !why.empty()) return why;
  out = std::make_unique<ProcessStage>(subject.file, programs);
  return {};
}

}  // namespace symphony::pit_check
