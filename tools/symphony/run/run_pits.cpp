#include "tools/symphony/run/run_pits.hpp"

#include <flatbuffers/flatbuffers.h>

#include <algorithm>
#include <optional>

#include <symphony/broker.hpp>
#include <symphony/endpoint.hpp>
#include <symphony/typed.hpp>

#include "dag_tracker_generated.h"
#include "pool_manager_generated.h"
#include "tools/symphony/graph/input_error.hpp"
#include "tools/symphony/programs.hpp"

SYMPHONY_DECLARE_PIT(dag_tracker);
SYMPHONY_DECLARE_PIT(pool_manager);

namespace symphony::tools {
namespace {

constexpr std::size_t run_batch_bytes_max = 32UL * 1024;
constexpr std::size_t path_ids_shown = 12;

template <class Table>
const Table* root_of(const Reply& reply) {
  if (!reply.ok() || reply.type != type_id_of<Table>) return nullptr;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(reply.body.data());
  flatbuffers::Verifier verifier(bytes, reply.body.size(), reply_depth_max, reply_tables_max);
  return verifier.VerifyBuffer<Table>(nullptr) ? flatbuffers::GetRoot<Table>(bytes) : nullptr;
}

}  // namespace

// What must outlive the callers, in the order in which it is made.
struct RunPits::Sides {
  std::optional<EmbeddedBroker> broker;
  std::optional<Endpoint> endpoint;
  std::unique_ptr<Conductor> conductor;
  flatbuffers::FlatBufferBuilder builder;

  // A call that ended as `crashed` is not in the state of a pit that keeps a journal, so it is made again.
  template <class Table>
  Reply ask(Caller& pit, flatbuffers::Offset<Table> request) {
    constexpr int deaths_max = 20;
    builder.Finish(request);
    const std::span body(reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize());
    Reply reply = pit.call(type_id_of<Table>, body);
    for (int again = 0; reply.status == status::crashed && again < deaths_max; ++again) {
      reply = pit.call(type_id_of<Table>, body);
    }
    builder.Clear();
    return reply;
  }
};

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

bool RunPits::load(const Work& work, const std::vector<std::uint32_t>& weights, std::uint32_t cpus) {
  return make_pools(work, cpus) && make_graph(work, weights) && seal(work);
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

bool RunPits::make_graph(const Work& work, const std::vector<std::uint32_t>& weights) {
  auto& b = sides_->builder;
  Reply reply = sides_->ask(tracker_, dag::CreateCreateGraph(b));
  const auto* made = root_of<dag::GraphInfo>(reply);
  if (made == nullptr) return failed("the graph", reply);
  graph_ = made->graph();
  const std::size_t tasks = work.tasks.size();
  for (std::size_t i = 0; i < tasks;) {
    std::vector<flatbuffers::Offset<flatbuffers::String>> names;
    std::vector<std::uint32_t> batch;
    for (std::size_t bytes = 0; i < tasks && bytes < run_batch_bytes_max; ++i) {
      names.push_back(b.CreateString(work.tasks[i].id));
      if (!weights.empty()) batch.push_back(weights[i]);
      bytes += work.tasks[i].id.size() + 16;
    }
    const auto named = b.CreateVector(names);
    reply = sides_->ask(tracker_, dag::CreateAddTasks(b, graph_, named, batch.empty() ? 0 : b.CreateVector(batch)));
    if (root_of<dag::Added>(reply) == nullptr) return failed("the tasks", reply);
  }
  std::vector<std::uint32_t> before, after;
  const auto send = [&] {
    reply = sides_->ask(tracker_, dag::CreateAddEdges(b, graph_, b.CreateVector(before), b.CreateVector(after)));
    before.clear();
    after.clear();
    return root_of<dag::Added>(reply) != nullptr;
  };
  for (std::uint32_t task = 0; task < tasks; ++task) {
    for (const std::uint32_t need : work.tasks[task].needs) {
      before.push_back(need);
      after.push_back(task);
      if (before.size() * 8 >= run_batch_bytes_max && !send()) return failed("the edges", reply);
    }
  }
  return before.empty() || send() || failed("the edges", reply);
}

bool RunPits::seal(const Work& work) {
  const Reply reply = sides_->ask(tracker_, dag::CreateSeal(sides_->builder, graph_));
  if (root_of<dag::Sealed>(reply) != nullptr) return true;
  const auto* cycle = root_of<dag::CycleRejected>(reply);
  if (cycle == nullptr || cycle->path() == nullptr) return failed("the graph", reply);
  // The first again at the end, so that the circle is seen.
  why_ = "the tasks wait for each other in a circle: ";
  const std::uint32_t count = cycle->path()->size();
  for (std::uint32_t i = 0; i <= count; ++i) {
    if (i == path_ids_shown && i < count) {
      why_ += "... (" + std::to_string(cycle->length()) + " tasks) -> ";
      i = count;
    }
    const std::uint32_t task = cycle->path()->Get(i % count);
    if (task < work.tasks.size()) why_ += printable(work.tasks[task].id);
    if (i < count) why_ += " -> ";
  }
  why_ += "; take one of these needs out";
  is_input_ = true;
  return false;
}

bool RunPits::claim(std::uint32_t seat, SeatClaim& out) {
  const dag::ClaimBody body(graph_, seat + 1, 1);
  const Reply reply = sides_->ask(tracker_, dag::CreateClaim(sides_->builder, &body));
  const auto* tasks = root_of<dag::Tasks>(reply);
  if (tasks == nullptr) return failed("Claim", reply);
  out = {tasks->grant()->token(), tasks->grant()->task(), tasks->grant()->unfinished()};
  return true;
}

bool RunPits::complete(std::uint32_t task, std::uint64_t token, std::uint32_t& unfinished) {
  const dag::CompleteBody body(token, graph_, task);
  const Reply reply = sides_->ask(tracker_, dag::CreateComplete(sides_->builder, &body));
  const auto* done = root_of<dag::Completed>(reply);
  if (done == nullptr) return failed("Complete", reply);
  unfinished = done->body()->unfinished();
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

bool RunPits::seat_died(std::uint32_t seat, std::uint32_t epoch, bool give_back) {
  Reply reply = sides_->ask(pools_, pool::CreateHolderGone(sides_->builder, seat + 1, epoch));
  if (root_of<pool::Reclaimed>(reply) == nullptr) return failed("HolderGone", reply);
  if (!give_back) return true;
  reply = sides_->ask(tracker_, dag::CreateRelease(sides_->builder, graph_, seat + 1));
  return root_of<dag::Released>(reply) != nullptr || failed("Release", reply);
}

const std::string& RunPits::unit_name(std::uint32_t pool, std::uint32_t unit) const {
  static const std::string unknown;
  const auto found =
      std::find_if(units_[pool].begin(), units_[pool].end(), [unit](const Unit& u) { return u.number == unit; });
  return found == units_[pool].end() ? unknown : found->name;
}

}  // namespace symphony::tools
