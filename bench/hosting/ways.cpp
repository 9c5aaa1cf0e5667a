#include "bench/hosting/ways.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <symphony/pit.hpp>
#include <symphony/service.hpp>

#include "pits/hosting/dynamic/dynamic_host.hpp"
#include "pits/hosting/process/process_host.hpp"
#include "pits/hosting/static/static_host.hpp"
#if defined(SYMPHONY_WASM_BUILT)
#include "pits/hosting/wasm/wasm_host.hpp"
#endif

SYMPHONY_DECLARE_PIT(prepared);

namespace symphony::bench {
namespace {

constexpr std::uint32_t raw_type = 1;

class Prepared final : public Direct {
 public:
  std::size_t call(std::span<const std::byte>, std::span<std::byte> reply) noexcept override {
    std::memcpy(reply.data(), reply_.data(), reply_.size());
    return reply_.size();
  }

 private:
  alignas(8) std::array<std::byte, reply_size> reply_{std::byte{1}, std::byte{2}, std::byte{3}};
};

class Echo final : public RequestHandler {
 public:
  void on_request(const Request& request, ReplyWriter& reply) noexcept override {
    const auto out = reply.claim(static_cast<std::uint32_t>(request.body.size()));
    if (out.size() != request.body.size()) return reply.fail(status::too_large, "larger than reply_size_max");
    std::memcpy(out.data(), request.body.data(), out.size());
    reply.commit(static_cast<std::uint32_t>(out.size()), raw_type);
  }
};

bool said(const char* what, const pit::Outcome& outcome) {
  if (!outcome.ok()) std::fprintf(stderr, "bench_modes: %s: %s\n", what, outcome.text.c_str());
  return outcome.ok();
}
template <class T>
bool said(const char* what, const result<T>& outcome) {
  if (!outcome) std::fprintf(stderr, "bench_modes: %s: %s\n", what, outcome.error().text);
  return static_cast<bool>(outcome);
}

}  // namespace

std::unique_ptr<Direct> make_direct() { return std::make_unique<Prepared>(); }

Ways::Ways() : cpus_(two_cpus()), direct_(make_direct()), small_(small_size), large_(large_size) {}

std::unique_ptr<Ways> Ways::make(const std::string& program) {
  std::unique_ptr<Ways> ways(new Ways());
  const std::string folder = std::filesystem::path(program).parent_path().string();
  if (!ways->mount_here(folder) || !ways->mount_apart(program, folder)) return nullptr;
  for (std::size_t way = 0; way < way_count; ++way) {
    if (ways->hosts_[way] != nullptr && !said("link", ways->hosts_[way]->open(ways->links_[way]))) return nullptr;
  }
  return ways;
}

bool Ways::mount_here(const std::string& folder) {
  std::unique_ptr<pit::StaticHost> linked;
  if (!said("static", pit::StaticHost::mount(*symphony_pit_prepared(), {}, linked))) return false;
  hosts_[in_static] = std::move(linked);
  pit::PitFile file;
  std::unique_ptr<pit::DynamicHost> loaded;
  if (!said("dynamic", pit::read_pit_file(folder + "/../pits/prepared.so", file)) ||
      !said("dynamic", pit::DynamicHost::mount(file, {}, loaded))) {
    return false;
  }
  hosts_[in_dynamic] = std::move(loaded);
#if defined(SYMPHONY_WASM_BUILT)
  for (const Way way : {in_wasm, in_wasm_window, wasm_large, wasm_window_large}) {
    pit::WasmOptions options;
    if (way == in_wasm_window || way == wasm_window_large) options.window_size = large_size;
    std::unique_ptr<pit::WasmHost> contained;
    if (!said("wasm", pit::WasmHost::mount(folder + "/../pits/prepared_wasm.so", options, contained))) return false;
    hosts_[way] = std::move(contained);
  }
#endif
  return true;
}

bool Ways::mount_apart(const std::string& program, const std::string& folder) {
  BrokerOptions options;
  options.pits.resize(2);
  options.pits[0].name = "ring";
  options.pits[0].executable = program;
  options.pits[0].args = {"--pit"};
  options.pits[1].name = "prepared";
  options.pits[1].executable = folder + "/symphony-pit-host";
  options.pits[1].args = {folder + "/../pits/prepared.so"};
  {
    // Pits run where the thread ran that started the broker.
    const Pinned there(cpus_ ? std::optional(cpus_->helper) : std::nullopt);
    auto broker = EmbeddedBroker::start(std::move(options));
    if (!said("broker", broker)) return false;
    broker_.emplace(*std::move(broker));
    auto socket = broker_->connect();
    if (!said("broker", socket)) return false;
    auto endpoint = Endpoint::adopt(*std::move(socket));
    if (!said("broker", endpoint)) return false;
    endpoint_.emplace(*std::move(endpoint));
    auto link = endpoint_->open("ring", {});
    if (!said("the bus's other side", link)) return false;
    ring_ = *std::move(link);
    std::unique_ptr<pit::ProcessHost> process;
    if (!said("process", pit::ProcessHost::mount(*endpoint_, "prepared", {}, process))) return false;
    hosts_[in_process] = std::move(process);
  }
  return !cpus_ || pin_to(0, cpus_->caller);
}

bool Ways::has(std::size_t way) const noexcept {
  return way == direct || way == message_work || way == ring || links_[way] != nullptr;
}

bool Ways::go(std::size_t way, std::size_t count) noexcept {
  switch (way) {
    case direct:
      for (std::size_t i = 0; i < count; ++i) {
        Direct* there = direct_.get();
        asm volatile("" : "+r"(there));  // so that it stays a virtual call
        if (there->call(small_, reply_) != reply_size) return false;
        asm volatile("" : : "r"(reply_.data()) : "memory");
      }
      return true;
    case message_work:
      for (std::size_t i = 0; i < count; ++i) {
        if (!bench::build_verify_read(builder_, ++serial_)) return false;
      }
      return true;
    case ring:
      return over_ring(count);
    case in_process:
      return typed(count);
    case wasm_large:
      return call(*links_[way], large_, count);
    case in_wasm_window:
    case wasm_window_large:
      return call(*links_[way], hosts_[way]->input_window().first(way == in_wasm_window ? small_size : large_size),
                  count);
    default:
      return call(*links_[way], small_, count);
  }
}

bool Ways::call(pit::Link& link, std::span<const std::byte> body, std::size_t count) noexcept {
  const pit::Request request{.type = raw_type, .effect = SYMPHONY_EFFECT_READ, .body = body};
  for (std::size_t i = 0; i < count; ++i) {
    const pit::Reply reply = link.call(request);
    if (!reply.ok() || reply.body.size() != reply_size) return false;
  }
  return true;
}

bool Ways::over_ring(std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    std::array<std::byte, order_size> body{};
    const std::uint64_t number = ++serial_;
    std::memcpy(body.data(), &number, sizeof number);
    const Reply reply = ring_.call(raw_type, body);
    if (!reply.ok() || reply.body.size() != order_size || std::memcmp(reply.body.data(), &number, sizeof number) != 0) {
      return false;
    }
  }
  return true;
}

bool Ways::typed(std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t number = ++serial_;
    builder_.Finish(order_of(builder_, number));
    const std::span body(reinterpret_cast<const std::byte*>(builder_.GetBufferPointer()), builder_.GetSize());
    const pit::Reply reply = links_[in_process]->call({.type = type_id_of<Order>, .body = body});
    const Order* const order = reply.ok() ? verified_order(reply.body) : nullptr;
    if (order == nullptr || !is_order(*order, number + 1)) return false;
    builder_.Clear();
  }
  return true;
}

int be_ring_pit() {
  const char* control = std::getenv("SYMPHONY_CONTROL_FD");
  if (control == nullptr) return 2;
  auto service = Service::adopt(UniqueFd(std::atoi(control)), {.name = "ring", .version = "1.0.0"});
  if (!service) return 1;
  Echo echo;
  service->run(echo);
  return 0;
}

}  // namespace symphony::bench
