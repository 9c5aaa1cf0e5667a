// bench_pools: how fast leases come and go in each mode, and what ten thousand waiters add to that.   Layer: bench.
//
// One turn is many times an Acquire and its Release, built, sent, verified and read as a caller does it. All ways take
// turns; a figure is the median over the turns, a ratio that of two ways in the same turn. Two ways differ in their
// waiters alone: in `waiters` 10,000 requests wait for more than is free and are passed; in `hand-off` each release
// grants the first of 10,000 in line, who is collected, and a new one comes to the end, against the same with one.
//
// Exit status: 0 measured, 1 could not measure, 2 wrong arguments, 3 inconclusive: others used the processors.
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <symphony/broker.hpp>
#include <symphony/clock.hpp>
#include <symphony/conductor.hpp>
#include <symphony/typed.hpp>

#include "bench/support/classes.hpp"
#include "bench/support/competing.hpp"
#include "bench/support/figure.hpp"
#include "pool_manager_generated.h"

SYMPHONY_DECLARE_PIT(pool_manager);

namespace symphony::bench {
namespace {

constexpr std::uint32_t waiters_many = 10'000;
constexpr std::uint32_t unlimited = 0xFFFFFFFF;

// A pool of a pit of its own, and its calls.
class Way {
 public:
  Way(Conductor& conductor, const std::string& name, const MountOptions& mount) {
    const StepResult mounted = conductor.mount(name, mount);
    if (!mounted.ok()) {
      fail(mounted.text);
      return;
    }
    caller_ = conductor.open(name);
    const auto made = call<pool::PoolInfo>(
        caller_, builder_, pool::CreateCreatePool(builder_, 0, pool::Kind::AMOUNT, 2, 0, 0, 0, unlimited));
    if (!made) {
      fail(made.reply.text);
      return;
    }
    pool_ = made->pool();
  }
  // One of two is held for good, and `count` wait for two.
  void crowd(std::uint32_t count) {
    std::uint64_t token = 0;
    std::uint32_t lease = 0;
    if (!acquire(1, &token, &lease)) return;
    for (std::uint32_t i = 0; i < count && ok(); ++i) (void)queue(2);
  }
  // Both are held, and `count` wait for them.
  void line_up(std::uint32_t count) {
    if (!acquire(2, &held_.token, &held_.lease)) return;
    for (std::uint32_t i = 0; i < count && ok(); ++i) line_.push_back(queue(2));
  }
  [[nodiscard]] bool ok() const noexcept { return failure_.empty(); }
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

  void pairs(std::size_t count) {
    for (std::size_t i = 0; i < count && ok(); ++i) {
      std::uint64_t token = 0;
      std::uint32_t lease = 0;
      if (acquire(1, &token, &lease)) release(token, lease);
    }
  }
  void hand_offs(std::size_t count) {
    for (std::size_t i = 0; i < count && ok(); ++i) {
      release(held_.token, held_.lease);
      const auto got = call<pool::Granted>(caller_, builder_, pool::CreateCollect(builder_, line_.front(), 1));
      if (!got) return fail("the first in line was not granted");
      held_ = {got->body()->token(), got->body()->lease()};
      line_.pop_front();
      line_.push_back(queue(2));
    }
  }

 private:
  struct Held {
    std::uint64_t token = 0;
    std::uint32_t lease = 0;
  };
  bool acquire(std::uint64_t amount, std::uint64_t* token, std::uint32_t* lease) {
    const pool::AcquireBody body(amount, 1, 0, 0, pool_, 1, 0, 0, pool::Mode::TRY);
    const auto got = call<pool::Granted>(caller_, builder_, pool::CreateAcquire(builder_, &body));
    if (!got) return fail("Acquire: " + std::string(got.reply.text)), false;
    *token = got->body()->token();
    *lease = got->body()->lease();
    return true;
  }
  void release(std::uint64_t token, std::uint32_t lease) {
    const pool::LeaseRef ref(token, 1, lease);
    builder_.Clear();
    builder_.Finish(pool::CreateRelease(builder_, &ref));
    const Reply reply =
        caller_.call(type_id_of<pool::Release>,
                     {reinterpret_cast<const std::byte*>(builder_.GetBufferPointer()), builder_.GetSize()});
    builder_.Clear();
    if (!reply.ok()) fail("Release: " + std::string(reply.text));
  }
  std::uint64_t queue(std::uint64_t amount) {
    const pool::AcquireBody body(amount, 1, 0, 0, pool_, 1, 0, 0, pool::Mode::TICKET);
    const auto got = call<pool::Queued>(caller_, builder_, pool::CreateAcquire(builder_, &body));
    if (!got) return fail("a ticket: " + std::string(got.reply.text)), 0;
    return got->wait();
  }
  void fail(std::string_view why) { failure_ = why.empty() ? "no reply of the type that was expected" : why; }

  Caller caller_;
  flatbuffers::FlatBufferBuilder builder_;
  std::uint32_t pool_ = 0;
  std::deque<std::uint64_t> line_;
  Held held_;
  std::string failure_;
};

enum Which : std::size_t {
  in_static,
  waiters,
  hand_off_one,
  hand_off_many,
  in_dynamic,
  in_wasm,
  in_process,
  way_count
};
constexpr std::array<const char*, way_count> names{
    "static", "static, 10,000 waiters", "hand-off, one waiter", "hand-off, 10,000 waiters", "dynamic", "wasm",
    "process"};

class Table {
 public:
  [[nodiscard]] bool measure(std::array<std::unique_ptr<Way>, way_count>& ways, std::size_t rounds) {
    const TimeNs start = now_ns();
    for (std::size_t round = 0; round <= rounds; ++round) {
      for (std::size_t k = 0; k < way_count; ++k) {
        const std::size_t which = (k + round) % way_count;
        if (ways[which] == nullptr) continue;
        const bool is_apart = which == in_process;
        const std::size_t turn = is_apart ? 200 : 1'000;
        go(*ways[which], which, is_apart ? 200 : 20);  // the other side has to be awake
        const TimeNs began = now_ns();
        go(*ways[which], which, turn);
        const auto ns = static_cast<double>(now_ns() - began) / static_cast<double>(turn);
        if (!ways[which]->ok()) {
          std::fprintf(stderr, "bench_pools: %s: %s\n", names[which], ways[which]->failure().c_str());
          return false;
        }
        if (round != 0) times_[which].push_back(ns);                              // the first one warms up
        if (is_apart) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // until the other side sleeps
      }
    }
    seconds_ = static_cast<double>(now_ns() - start) / static_cast<double>(second_ns);
    return true;
  }
  [[nodiscard]] bool has(std::size_t which) const noexcept { return !times_[which].empty(); }
  [[nodiscard]] Quantiles ns(std::size_t which) const { return quantiles_of(times_[which]); }
  [[nodiscard]] Quantiles ratio(std::size_t which, std::size_t other) const {
    std::vector<double> values;
    for (std::size_t i = 0; i < times_[which].size(); ++i) values.push_back(times_[which][i] / times_[other][i]);
    return quantiles_of(std::move(values));
  }
  [[nodiscard]] Quantiles per_s(std::size_t which) const {
    std::vector<double> values;
    for (const double ns : times_[which]) values.push_back(1e9 / ns);
    return quantiles_of(std::move(values));
  }
  [[nodiscard]] double seconds() const noexcept { return seconds_; }
  [[nodiscard]] std::size_t rounds() const noexcept { return times_[in_static].size(); }

 private:
  static void go(Way& way, std::size_t which, std::size_t count) {
    if (which == hand_off_one || which == hand_off_many) return way.hand_offs(count);
    way.pairs(count);
  }
  std::array<std::vector<double>, way_count> times_;
  double seconds_ = 0;
};

struct Result {
  std::string name;
  const char* unit;
  const char* what;
  Quantiles value;
};
std::vector<Result> results_of(const Table& table) {
  std::vector<Result> results;
  for (const auto& [mode, which] :
       {std::pair{"static", in_static}, {"dynamic", in_dynamic}, {"wasm", in_wasm}, {"process", in_process}}) {
    if (!table.has(which)) continue;
    results.push_back({std::string("pool.ops_per_s.") + mode, "1/s", "Acquire and Release, both", table.per_s(which)});
    if (which == in_static) continue;
    results.push_back(
        {std::string("pool.mode_ratio.") + mode, "ratio", "time over static", table.ratio(which, in_static)});
  }
  results.push_back({"pool.waiters_10k_ratio", "ratio", "time of Acquire and Release with 10,000 waiters over none",
                     table.ratio(waiters, in_static)});
  results.push_back({"pool.handoff_10k_ratio", "ratio", "Release, Collect, ticket: time with 10,000 waiters over one",
                     table.ratio(hand_off_many, hand_off_one)});
  return results;
}

bool report(const Table& table, bool conclusive) {
  const char* verdict = conclusive ? "conclusive" : "inconclusive";
  for (std::size_t which = 0; which < way_count; ++which) {
    if (!table.has(which)) continue;
    const Quantiles ns = table.ns(which);
    std::printf("%-26s %9.1f ns  p5 %9.1f  p95 %9.1f\n", names[which], ns.p50, ns.p5, ns.p95);
  }
  for (const Result& one : results_of(table)) {
    std::printf("%-26s %12.3f %-5s  p5 %.3f  p95 %.3f  %s\n", one.name.c_str(), one.value.p50, one.unit, one.value.p5,
                one.value.p95, one.what);
    Figure figure;
    figure.name = one.name;
    figure.value = one.value.p50;
    figure.unit = one.unit;
    figure.n = table.rounds();
    figure.seconds = table.seconds();
    char text[160];
    std::snprintf(text, sizeof text, "%s; %s; p5 %.3f, p95 %.3f", verdict, one.what, one.value.p5, one.value.p95);
    figure.note = text;
    if (const auto written = write_figure(figure); !written) {
      std::fprintf(stderr, "bench_pools: %s\n", written.error().text);
      return false;
    }
  }
  std::printf("%zu turns of each: %s\n", table.rounds(), verdict);
  return true;
}

int said(const symphony::error& why) {
  std::fprintf(stderr, "bench_pools: %s\n", why.text);
  return 1;
}

int run(std::size_t rounds) {
  const CompetingCpu others;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  const std::string pit = (folder / "../pits/pool_manager").string();
  Table table;
  {
    BrokerOptions options;
    options.pits.emplace_back();
    options.pits[0].name = "pool_manager";
    options.pits[0].executable = (folder / "symphony-pit-host").string();
    options.pits[0].args = {pit + ".so"};
    auto broker = EmbeddedBroker::start(std::move(options));
    if (!broker) return said(broker.error());
    auto socket = broker->connect();
    if (!socket) return said(socket.error());
    auto endpoint = Endpoint::adopt(*std::move(socket));
    if (!endpoint) return said(endpoint.error());
    Conductor conductor(&*endpoint);
    const MountOptions linked{.mode = Mode::static_, .entry = symphony_pit_pool_manager()};
    std::array<std::unique_ptr<Way>, way_count> ways;
    for (const Which which : {in_static, waiters, hand_off_one, hand_off_many}) {
      ways[which] = std::make_unique<Way>(conductor, "static" + std::to_string(which), linked);
    }
    ways[waiters]->crowd(waiters_many);
    ways[hand_off_one]->line_up(1);
    ways[hand_off_many]->line_up(waiters_many);
    ways[in_dynamic] =
        std::make_unique<Way>(conductor, "dynamic", MountOptions{.mode = Mode::dynamic, .file = pit + ".so"});
#if defined(SYMPHONY_WASM_BUILT)
    ways[in_wasm] =
        std::make_unique<Way>(conductor, "wasm", MountOptions{.mode = Mode::wasm, .file = pit + "_wasm.so"});
#endif
    ways[in_process] = std::make_unique<Way>(conductor, "pool_manager", MountOptions{.mode = Mode::process});
    if (!table.measure(ways, rounds)) return 1;
  }  // ends the pit, whose time is then ours
  const bool conclusive = !others.disturbed();
  if (!report(table, conclusive)) return 1;
  return conclusive ? 0 : 3;
}

std::optional<std::size_t> read_arguments(int argc, char** argv) {
  if (argc == 1) return 200;
  if (argc != 3 || std::string_view(argv[1]) != "--rounds") return std::nullopt;
  const std::string_view value = argv[2];
  if (value.find_first_not_of("0123456789") != std::string_view::npos || value.size() > 5) return std::nullopt;
  const std::size_t rounds = std::strtoull(argv[2], nullptr, 10);
  return rounds >= 1 ? std::optional(rounds) : std::nullopt;
}

}  // namespace
}  // namespace symphony::bench

int main(int argc, char** argv) {
  const auto rounds = symphony::bench::read_arguments(argc, argv);
  if (!rounds) {
    const bool help = argc == 2 && std::string_view(argv[1]) == "--help";
    std::fputs("usage: bench_pools [--rounds 1..99999]\n  --rounds  turns of each way (200)\n", help ? stdout : stderr);
    return help ? 0 : 2;
  }
  return symphony::bench::run(*rounds);
}
