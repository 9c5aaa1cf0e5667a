#include "bench/hosting/thread_doors.hpp"

#include <poll.h>

#include <utility>

#include <symphony/clock.hpp>
#include <symphony/pit.hpp>

#include "bench/hosting/mutex_link.hpp"
#include "pits/hosting/process/process_host.hpp"
#include "pits/hosting/static/static_host.hpp"

SYMPHONY_DECLARE_PIT(echo);

namespace symphony::bench {
namespace {

constexpr std::array<std::byte, 32> body{};
constexpr std::uint64_t warm_up_calls = 50;  // of each thread and turn: links are opened, pits woken
constexpr int pause_ms = 1;                  // until the pit of the turn before sleeps

error failed(const char* what) { return {errc::unreachable, 0, what}; }

}  // namespace

result<std::unique_ptr<Doors>> Doors::open(const std::string& pit_host, const std::string& pit_file) {
  std::unique_ptr<Doors> doors(new Doors);
  BrokerOptions options;
  for (const char* name : {"mutex", "queue", "own"}) {
    PitConfig& pit = options.pits.emplace_back();
    pit.name = name;
    pit.executable = pit_host;
    pit.args = {pit_file};
  }
  auto broker = EmbeddedBroker::start(std::move(options));
  if (!broker) return unexpected(broker.error());
  doors->broker_.emplace(*std::move(broker));
  auto socket = doors->broker_->connect();
  if (!socket) return unexpected(socket.error());
  auto endpoint = Endpoint::adopt(*std::move(socket));
  if (!endpoint) return unexpected(endpoint.error());
  doors->endpoint_.emplace(*std::move(endpoint));

  for (const auto& [door, name] : {std::pair{mutex_door, "mutex"}, {queue_door, "queue"}, {own_door, "own"}}) {
    pit::ProcessOptions of_host;
    if (door == queue_door) of_host.threads_max = 0;
    std::unique_ptr<pit::ProcessHost> host;
    if (!pit::ProcessHost::mount(*doors->endpoint_, name, of_host, host).ok()) {
      return unexpected(failed("an echo pit could not be mounted as a process"));
    }
    doors->hosts_[door] = std::move(host);
  }
  std::unique_ptr<pit::StaticHost> linked;
  if (!pit::StaticHost::mount(*symphony_pit_echo(), {}, linked).ok()) {
    return unexpected(failed("the linked-in echo pit could not be mounted"));
  }
  doors->hosts_[static_door] = std::move(linked);

  std::unique_ptr<pit::Link> link;
  if (!doors->hosts_[mutex_door]->open(link).ok()) return unexpected(failed("no link to an echo pit"));
  doors->links_[mutex_door] = std::make_unique<MutexLink>(std::move(link));
  for (const std::size_t door : {queue_door, own_door, static_door}) {
    if (!doors->hosts_[door]->share(doors->links_[door]).ok()) return unexpected(failed("no link to an echo pit"));
  }
  return doors;
}

Workers::Workers(Doors& doors, std::size_t count)
    : doors_(doors), begin_(static_cast<std::ptrdiff_t>(count) + 1), end_(static_cast<std::ptrdiff_t>(count) + 1) {
  for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
}

Workers::~Workers() {
  door_ = door_count;
  begin_.arrive_and_wait();
  for (std::thread& thread : threads_) thread.join();
}

double Workers::turn(std::size_t door, TimeNs length_ns) {
  (void)::poll(nullptr, 0, pause_ms);
  door_ = door;
  calls_ = 0;
  stop_ = false;
  begin_.arrive_and_wait();
  end_.arrive_and_wait();  // warm
  const TimeNs start = now_ns();
  begin_.arrive_and_wait();
  while (now_ns() < start + length_ns) (void)::poll(nullptr, 0, static_cast<int>(length_ns / ms_ns));
  stop_ = true;
  end_.arrive_and_wait();
  const TimeNs took = now_ns() - start;
  if (failed_) return 0;
  return static_cast<double>(calls_) * static_cast<double>(second_ns) / static_cast<double>(took);
}

void Workers::work() {
  const pit::Request request{.type = 1, .effect = SYMPHONY_EFFECT_READ, .body = body};
  for (;;) {
    begin_.arrive_and_wait();
    if (door_ == door_count) return;
    pit::SharedLink& link = doors_.at(door_);
    bool ok = true;
    for (std::uint64_t i = 0; i < warm_up_calls; ++i) ok = link.call(request).ok() && ok;
    end_.arrive_and_wait();
    begin_.arrive_and_wait();
    std::uint64_t calls = 0;
    for (; ok && !stop_.load(std::memory_order_relaxed); ++calls) ok = link.call(request).ok();
    if (!ok) failed_ = true;
    calls_ += calls;
    end_.arrive_and_wait();
  }
}

}  // namespace symphony::bench
