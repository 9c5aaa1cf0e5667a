#include "tools/symphony/run/run_pits.hpp"

#include <algorithm>

#include "pool_manager_generated.h"
#include "tools/symphony/graph/input_error.hpp"
#include "tools/symphony/programs.hpp"
#include "tools/symphony/run/run_sides.hpp"

SYMPHONY_DECLARE_PIT(dag_tracker);
SYMPHONY_DECLARE_PIT(pool_manager);

namespace symphony::tools {
RunPits::RunPits() : sides_(std::make_unique<Sides>()) {}
RunPits::~RunPits() {
  tracker_ = Caller();
  pools_ = Caller();
  sides_->conductor.reset();
}

bool RunPits::mount(Mode mode) {
  if (mode == Mode::process) {
    BrokerOptions options;
    const std::string host = find_program(pit_host_program);
    for (const char* name : {"dag_tracker", "pool_manager"}) {
      const std::string file = find_pit_file(name);
      if (host.empty() || file.empty()) {
        why_ =
            std::string("the pit ") + name + " or symphony-pit-host is not where this program is; run it --mode static";
        return false;
      }
      PitConfig pit;
      pit.name = name;
      pit.executable = host;
      pit.args = {file};
      pit.state.durability = Durability::journal;  // a pit that is killed goes on as it was
      options.pits.push_back(std::move(pit));
    }
    options.keeper_executable = find_program("symphony-keeper");
    auto broker = EmbeddedBroker::start(std::move(options));
    if (!broker) return why_ = broker.error().text, false;
    sides_->broker.emplace(*std::move(broker));
    auto socket = sides_->broker->connect();
    if (!socket) return why_ = socket.error().text, false;
    auto endpoint = Endpoint::adopt(*std::move(socket));
    if (!endpoint) return why_ = endpoint.error().text, false;
    sides_->endpoint.emplace(*std::move(endpoint));
  }
  sides_->conductor = std::make_unique<Conductor>(sides_->endpoint ? &*sides_->endpoint : nullptr);
  for (const auto& [name, entry, caller] : {std::tuple{"dag_tracker", symphony_pit_dag_tracker(), &tracker_},
                                            std::tuple{"pool_manager", symphony_pit_pool_manager(), &pools_}}) {
    MountOptions options;
    options.mode = mode;
    if (mode == Mode::static_) options.entry = entry;
    if (const StepResult mounted = sides_->conductor->mount(name, options); !mounted.ok()) {
      why_ = std::string(name) + ": " + mounted.text;
      return false;
    }
    *caller = sides_->conductor->open(name);
    if (!caller->ok()) return why_ = std::string(name) + ": " + caller->why().text, false;
  }
  return true;
}

bool RunPits::failed(std::string_view name, const Reply& reply) {
  why_ = std::string(name) + ": " +
         (reply.ok() ? "the pit's answer is not understood"
                     : std::string(reply.text) + " (" + status_name(reply.status) + ")");
  is_input_ = reply.status > 0;
  return false;
}

bool RunPits::load(const Work& work, const std::vector<std::uint32_t>& weights, std::uint32_t cpus,
                   std::uint32_t failures_max) {
  return make_pools(work, cpus) && make_graph(work, weights, failures_max) && seal(work);
}

bool RunPits::make_pools(const Work& work, std::uint32_t cpus) {
  auto& b = sides_->builder;
  Reply reply = sides_->ask(pools_, pool::CreateCreatePool(b, b.CreateString("cpu"), pool::Kind::AMOUNT, cpus));
  const auto* made = root_of<pool::PoolInfo>(reply);
  if (made == nullptr) return failed("the pool cpu", reply);
  cpu_pool_ = made->pool();
  for (const WorkPool& one : work.pools) {
    const auto name = b.CreateString(one.name);
    if (one.units.empty()) {
      reply = sides_->ask(pools_, pool::CreateCreatePool(b, name, pool::Kind::AMOUNT, one.amount));
    } else {
      const auto units = b.CreateVectorOfStrings(one.units);
      reply = sides_->ask(pools_, pool::CreateCreatePool(b, name, pool::Kind::UNITS, 0, units));
    }
    made = root_of<pool::PoolInfo>(reply);
    if (made == nullptr) return failed("the pool " + printable(one.name), reply);
    pool_numbers_.push_back(made->pool());
    units_.emplace_back();
    for (std::uint32_t first = 0; !one.units.empty();) {
      reply = sides_->ask(pools_, pool::CreateListUnits(b, pool_numbers_.back(), first));
      const auto* units = root_of<pool::Units>(reply);
      if (units == nullptr) return failed("the units of " + printable(one.name), reply);
      for (std::uint32_t i = 0; units->units() != nullptr && i < units->units()->size(); ++i) {
        const auto* unit = units->units()->Get(i);
        units_.back().push_back({unit->unit(), unit->name() == nullptr ? "" : unit->name()->str()});
      }
      first = units->next();
      if (first == 0) break;
    }
  }
  return true;
}

bool RunPits::acquire(std::uint32_t seat, std::uint32_t epoch, const WorkTask& task, SeatLease& out) {
  auto& b = sides_->builder;
  std::vector<pool::Want> more;
  for (const WorkWant& want : task.wants) more.emplace_back(want.amount, pool_numbers_[want.pool]);
  const pool::AcquireBody body(task.cpu, seat + 1, 0, 0, cpu_pool_, epoch, 0, 0, pool::Mode::TICKET);
  const auto wants = more.empty() ? 0 : b.CreateVectorOfStructs(more);
  const auto tag = b.CreateString(task.id.substr(0, 63));
  return read_lease(sides_->ask(pools_, pool::CreateAcquire(b, &body, wants, tag)), out);
}

bool RunPits::collect(std::uint32_t seat, SeatLease& lease) {
  return read_lease(sides_->ask(pools_, pool::CreateCollect(sides_->builder, lease.wait, seat + 1)), lease);
}

bool RunPits::read_lease(const Reply& reply, SeatLease& out) {
  if (const auto* granted = root_of<pool::Granted>(reply)) {
    out.token = granted->body()->token();
    out.lease = granted->body()->lease();
    out.wait = 0;
    out.units.clear();
    if (granted->units() != nullptr) out.units.assign(granted->units()->begin(), granted->units()->end());
    return true;
  }
  const auto* queued = root_of<pool::Queued>(reply);
  if (queued == nullptr) return failed("Acquire", reply);
  out.wait = queued->wait();
  return true;
}

bool RunPits::release(std::uint32_t seat, const SeatLease& lease) {
  const pool::LeaseRef ref(lease.token, seat + 1, lease.lease);
  const Reply reply = sides_->ask(pools_, pool::CreateRelease(sides_->builder, &ref));
  return reply.ok() || failed("Release", reply);
}

bool RunPits::cancel(std::uint32_t seat, const SeatLease& lease) {
  const Reply reply = sides_->ask(pools_, pool::CreateCancelWait(sides_->builder, lease.wait, seat + 1));
  return reply.ok() || failed("CancelWait", reply);
}

bool RunPits::free_cpus(std::uint64_t& out) {
  const Reply reply = sides_->ask(pools_, pool::CreateDescribePool(sides_->builder, cpu_pool_));
  const auto* info = root_of<pool::PoolInfo>(reply);
  if (info == nullptr) return failed("DescribePool", reply);
  out = info->free();
  return true;
}

bool RunPits::holder_died(std::uint32_t seat, std::uint32_t epoch) {
  const Reply reply = sides_->ask(pools_, pool::CreateHolderGone(sides_->builder, seat + 1, epoch));
  return root_of<pool::Reclaimed>(reply) != nullptr || failed("HolderGone", reply);
}

const std::string& RunPits::unit_name(std::uint32_t pool, std::uint32_t unit) const {
  static const std::string unknown;
  const auto found =
      std::find_if(units_[pool].begin(), units_[pool].end(), [unit](const Unit& u) { return u.number == unit; });
  return found == units_[pool].end() ? unknown : found->name;
}

}  // namespace symphony::tools
