// The modes of hosting, by way of a conductor as programs mount them.
#include <filesystem>
#include <optional>

#include <symphony/broker.hpp>
#include <symphony/operator.hpp>

#include "bench/decision/door.hpp"

namespace symphony::bench {
namespace {

constexpr TimeNs start_limit_ns = 20 * second_ns;

std::string beside(const char* name) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

class ConductorDoor final : public Door {
 public:
  ~ConductorDoor() override {
    caller_ = {};
    conductor_.reset();  // before what it lends
  }
  [[nodiscard]] bool open(const DoorPlan& plan, std::string& why) {
    pit_ = plan.pit;
    mount_.timeout_ns = start_limit_ns;
    const bool is_process = plan.name.starts_with("process");
    if (plan.name == "static") {
      if (plan.entry == nullptr) return why = "not linked into this program: only the pits of this build are", false;
      mount_.entry = plan.entry;
    } else if (plan.name == "dynamic") {
      mount_.mode = Mode::dynamic;
      mount_.file = plan.file;
    } else if (plan.name == "wasm") {
      mount_.mode = Mode::wasm;
      const bool has_ending = plan.file.ends_with(".so");
      mount_.file = plan.file.substr(0, plan.file.size() - (has_ending ? 3 : 0)) + "_wasm.so";
      if (!std::filesystem::exists(mount_.file)) {
        return why = "not built: " + mount_.file + " is missing; symphony_add_pit makes it where the tools are", false;
      }
    } else if (is_process) {
      mount_.mode = Mode::process;
      if (!start_broker(plan, why)) return false;
    } else {
      return why = "there is no way of hosting called " + plan.name, false;
    }
    conductor_.emplace(endpoint_ ? &*endpoint_ : nullptr, operator_ ? &*operator_ : nullptr);
    const StepResult mounted = conductor_->mount(pit_, mount_);
    if (!mounted.ok()) return why = "cannot be hosted so: " + mounted.text, false;
    caller_ = conductor_->open(pit_);
    if (!caller_.ok()) return why = caller_.why().text, false;
    return true;
  }

  Reply call(const TracedCall& call) noexcept override {
    return caller_.call(call.type, call.body,
                        {.timeout_ns = start_limit_ns, .effect = static_cast<Effect>(call.effect)});
  }
  StepResult snapshot(PitState& out) override { return conductor_->snapshot(pit_, out); }
  StepResult restore(const PitState& from) override { return conductor_->restore(pit_, from); }
  [[nodiscard]] pid_t process() const override { return broker_ ? broker_->pit_pid(pit_).value_or(0) : 0; }
  StepResult kill() override {
    if (!broker_) return Door::kill();
    const auto killed = broker_->kill_pit(pit_);
    return killed ? StepResult{} : StepResult{status::unreachable, killed.error().text};
  }
  StepResult swap(TimeNs& pause_ns) override {
    if (operator_) {
      const OperatorAnswer answer = operator_->swap(pit_, {}, start_limit_ns, 10 * second_ns);
      pause_ns = answer.pause_ns;
      return answer.ok() ? StepResult{} : StepResult{status::bad_state, answer.text};
    }
    const SwapReport report = conductor_->swap(pit_, mount_, {.cut_budget_ns = 10 * second_ns, .probation_ns = 0});
    pause_ns = report.pause_ns;
    return {report.status, report.text};
  }

 private:
  [[nodiscard]] bool start_broker(const DoorPlan& plan, std::string& why) {
    BrokerOptions options;
    PitConfig& pit = options.pits.emplace_back();
    pit.name = pit_;
    pit.executable = beside("symphony-pit-host");
    pit.args = {plan.file};
    pit.restart.failures_max = 16;  // it is killed on purpose
    pit.restart.backoff_first_ns = ms_ns;
    const std::string more = plan.name.size() > 8 ? plan.name.substr(8) : "";
    if (const auto waiting = waiting_of(more)) {
      pit.waiting = *waiting;
      mount_.link.waiting = *waiting;
    } else if (const auto profile = sandbox_profile_of(more)) {
      pit.sandbox.profile = *profile;
      pit.trust = Trust::hostile;
    } else if (!more.empty()) {
      return why = "there is no profile called " + more, false;
    }
    auto broker = EmbeddedBroker::start(std::move(options));
    if (!broker) return why = broker.error().text, false;
    broker_.emplace(*std::move(broker));
    auto socket = broker_->connect();
    auto second = broker_->connect();
    if (!socket || !second) return why = "the broker takes no connection", false;
    auto endpoint = Endpoint::adopt(*std::move(socket));
    auto commander = Operator::adopt(*std::move(second));
    if (!endpoint || !commander) return why = "the broker does not answer", false;
    endpoint_.emplace(*std::move(endpoint));
    operator_.emplace(*std::move(commander));
    return true;
  }

  std::string pit_;
  MountOptions mount_;
  std::optional<EmbeddedBroker> broker_;
  std::optional<Endpoint> endpoint_;
  std::optional<Operator> operator_;
  std::optional<Conductor> conductor_;
  Caller caller_;
};

}  // namespace

std::unique_ptr<Door> open_conductor_door(const DoorPlan& plan, std::string& why) {
  auto door = std::make_unique<ConductorDoor>();
  return door->open(plan, why) ? std::move(door) : nullptr;
}

std::unique_ptr<Door> open_door(const DoorPlan& plan, std::string& why) {
  if (plan.name == "grpc") return open_grpc_door(plan, why);
  return plan.name.starts_with("uds+") ? open_socket_door(plan, why) : open_conductor_door(plan, why);
}

}  // namespace symphony::bench
