// An honest pit beside one that attacks, and a program that calls both.   Layer: tests.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <symphony/operator.hpp>

#include "tests/e2e/bus_fixture.hpp"

namespace symphony {

// The honest pit is `greeter`, the other one `attacker` (attacker.cpp), which does `attack`.
struct HostileBus : BusTest {
  void SetUp() override {
    char pattern[] = "/tmp/symphony-hostile-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    honest_.reset(), attacked_.reset();
    endpoint.reset();
    broker.reset();
    std::filesystem::remove_all(folder_);
  }

  void meet(const std::string& attack, Trust trust = Trust::hostile) {
    honest_.reset(), attacked_.reset();
    endpoint.reset();
    broker.reset();
    progress_ = folder_ + "/progress";
    std::ofstream(progress_).flush();
    PitConfig config;
    config.name = "attacker";
    config.executable = program("attacker");
    config.args = {attack, progress_};
    config.trust = trust;
    config.restart.failures_max = 16;
    config.restart.window_ns = 1;  // it is killed for what it does, and is to go on
    config.restart.backoff_max_ns = config.restart.backoff_first_ns;
    PitConfig greeter = pit_config("greeter");
    greeter.trust = Trust::hostile;
    start({greeter, config});
    honest_.emplace(open("greeter"));
    count_ = faults_ = ended_ = unanswered_ = 0;
  }

  // One call to each. The honest one is answered, as the next after the one before; of the other it ends, somehow.
  void round() {
    const TimeNs from = now_ns();
    const auto reply = greet(*honest_, "canary of another link");
    took_.push_back(now_ns() - from);
    ASSERT_TRUE(reply) << reply.reply.status << ": " << reply.reply.text;
    ASSERT_EQ(reply->count(), ++count_);
    if (!attacked_ || attacked_->has_ended()) {
      let_go();
      auto link = endpoint->open("attacker", {.request_capacity = 4096, .reply_capacity = 4096}, 200 * ms_ns);
      if (link) attacked_.emplace(*std::move(link));
    }
    if (!attacked_) return;
    const std::byte body[64] = {};
    const Reply of_it = attacked_->call(9, body, {.timeout_ns = 5 * ms_ns});
    ++ended_;
    if (of_it.status != status::ok) ++unanswered_;
  }
  [[nodiscard]] std::uint64_t faults() const { return faults_ + (attacked_ ? attacked_->counters().peer_faults : 0); }
  void let_go() {
    faults_ = faults();
    attacked_.reset();
  }

  [[nodiscard]] std::string progress() const {
    std::ifstream file(progress_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] std::size_t attacks() const {
    std::error_code ignored;
    const auto size = std::filesystem::file_size(progress_, ignored);
    return ignored ? 0 : size;
  }
  PitReport report(const char* pit) {
    auto asked = Operator::adopt(broker->connect().value());
    EXPECT_TRUE(asked) << asked.error().text;
    return asked->show(pit, 30 * second_ns).pit;
  }
  bool died_of(DeathCause cause) {
    const auto deaths = report("attacker").deaths;
    return std::any_of(deaths.begin(), deaths.end(), [&](const PitDeath& d) { return d.cause == cause; });
  }
  // Of the broker's own list: no connection is made for it.
  std::string report_state() {
    for (const PitInfo& pit : broker->status()) {
      if (pit.name == "attacker") return pit.state;
    }
    return {};
  }
  static std::size_t own_memory_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmRSS:")) return std::strtoull(line.c_str() + 6, nullptr, 10);
    }
    return 0;
  }
  static std::size_t own_descriptors() {
    const auto all = std::filesystem::directory_iterator("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }

  std::string folder_, progress_;
  std::optional<Link> honest_, attacked_;
  std::uint64_t count_ = 0, faults_ = 0, ended_ = 0, unanswered_ = 0;
  std::vector<TimeNs> took_;  // by calls of the honest pit
};

}  // namespace symphony
