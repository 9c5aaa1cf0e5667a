// Pits that call pits, where one of the two lies, or both: scribbles over all that it can write, speaks nonsense to the
// broker, refuses what it is asked for. What could go wrong: it costs anybody more than the links that the liar has.
#include <cstdio>
#include <filesystem>
#include <string_view>

#include "relay_generated.h"
#include "tests/e2e/bus_fixture.hpp"
#include "tests/support/samples.hpp"

namespace symphony {
namespace {

namespace fs = std::filesystem;

enum class Liars : std::uint8_t { caller, callee, both };
struct Scene {
  Liars liars;
  Trust trust;
  const char* how;
};
std::string name_of(const testing::TestParamInfo<Scene>& info) {
  const char* const who[] = {"Caller", "Callee", "Both"};
  const char* const trusts[] = {"Trusted", "Cooperative", "Hostile"};
  return std::string(who[static_cast<int>(info.param.liars)]) + trusts[static_cast<int>(info.param.trust)] +
         info.param.how;
}

class LyingPits : public BusTest, public testing::WithParamInterface<Scene> {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/symphony-lying-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    greeter_.reset(), probe_.reset(), relay_.reset();
    endpoint.reset();
    broker.reset();
    fs::remove_all(folder_);
  }
  PitConfig liar(const std::string& name, const std::string& called = {}) {
    PitConfig config;
    config.name = name;
    config.executable = program("lying_pit");
    config.args = {GetParam().how, std::to_string(test_run::seed()), progress_of(name)};
    if (!called.empty()) {
      config.args.push_back(called);
      config.calls = {called};
    }
    config.trust = GetParam().trust;
    config.restart.failures_max = 16;
    config.restart.window_ns = 1;  // it is killed for its lies, and is to go on lying
    config.restart.backoff_max_ns = config.restart.backoff_first_ns;
    std::fclose(std::fopen(progress_of(name).c_str(), "w"));
    return config;
  }
  std::string progress_of(const std::string& name) const { return folder_ + "/" + name; }
  std::uint64_t lied_on(const std::string& name) const {
    std::error_code ignored;
    const auto size = fs::file_size(progress_of(name), ignored);
    return ignored ? 0 : size;
  }
  PitInfo info_of(const std::string& name) {
    for (const PitInfo& pit : broker->status()) {
      if (pit.name == name) return pit;
    }
    return {};
  }
  void expect_untouched(const std::string& name) {
    EXPECT_EQ(info_of(name).state, "ready") << name;
    EXPECT_EQ(info_of(name).instance, 1u) << name;
  }
  // One round of those who have nothing to do with the liars.
  void third_parties_call() {
    if (greeter_) {
      const auto reply = greet(*greeter_, "third");
      ASSERT_TRUE(reply) << reply.reply.status << ": " << reply.reply.text;
      ASSERT_GT(reply->count(), count_);
      count_ = reply->count();
    }
    const auto done = probe_do(*probe_, probe::Act::NOTHING);
    ASSERT_TRUE(done) << done.reply.status << ": " << done.reply.text;
    ++calls_;
  }
  std::string folder_;
  std::optional<Link> greeter_, probe_, relay_;
  std::uint64_t count_ = 0, calls_ = 0;
};

TEST_P(LyingPits, HarmTheirOwnLinksAndNobodyElse) {
  const Scene scene = GetParam();
  // Each that refuses is waited for.
  const std::uint64_t wanted = test_run::samples(std::string_view(scene.how) == "refuses" ? 40 : 200);
  std::string liar_name = "liar";
  std::vector<PitConfig> pits{pit_config("probe")};
  if (scene.liars == Liars::callee) {  // relay calls greeter, and that is the liar
    liar_name = "greeter";
    PitConfig relay = pit_config("relay");
    relay.calls = {"greeter"};
    pits.push_back(liar("greeter"));
    pits.push_back(relay);
  } else {
    pits.push_back(pit_config("greeter"));
    pits.push_back(liar("liar", scene.liars == Liars::both ? "other_liar" : "greeter"));
    if (scene.liars == Liars::both) pits.push_back(liar("other_liar"));
  }
  start(std::move(pits));
  probe_.emplace(open("probe"));
  if (scene.liars != Liars::callee) greeter_.emplace(open("greeter"));
  if (scene.liars == Liars::callee) relay_.emplace(open("relay"));
  std::uint64_t asked = 0, ended = 0;
  std::optional<CallId> waits;
  const auto relay_goes_on = [&] {
    // What it asks the liar ends somehow; what it does by itself is done.
    flatbuffers::FlatBufferBuilder arm;
    const auto ticks = call<relay::Ticks>(*relay_, arm, relay::CreateArm(arm, 0, 0));
    ASSERT_TRUE(ticks) << ticks.reply.status << ": " << ticks.reply.text;
    if (waits && relay_->try_take(*waits)) waits.reset(), ++ended;
    if (waits) return;
    flatbuffers::FlatBufferBuilder b;
    const std::uint8_t body[64] = {};
    b.Finish(relay::CreateAsk(b, 9, b.CreateVector(body, sizeof body)));
    waits = relay_->try_start(type_id_of<relay::Ask>, std::as_bytes(std::span(b.GetBufferPointer(), b.GetSize())),
                              {.timeout_ns = 100 * ms_ns});
    ++asked;
  };
  // A program's own link to the liar: broken as often as it likes, and asked for again.
  std::optional<Link> to_liar;
  const auto lie_to_us = [&] {
    if (!to_liar || to_liar->has_ended()) {
      to_liar.reset();
      if (auto link = endpoint->open(liar_name, {.request_capacity = 4096, .reply_capacity = 4096}, 100 * ms_ns)) {
        to_liar.emplace(*std::move(link));
      }
    }
    if (to_liar) (void)greet(*to_liar, "x", {.timeout_ns = 10 * ms_ns});
  };
  const TimeNs until = deadline_after(100 * second_ns);
  while (lied_on(liar_name) < wanted && now_ns() < until) {
    third_parties_call();
    if (relay_) relay_goes_on();
    if (scene.liars == Liars::callee && calls_ % 4 == 0) lie_to_us();
    if (HasFatalFailure()) return;
    if (to_liar && calls_ % 64 == 0) to_liar.reset();
    if (info_of(liar_name).state == "quarantined") FAIL() << "it broke the control protocol and is out of it";
  }
  EXPECT_GE(lied_on(liar_name), wanted) << info_of(liar_name).state;
  expect_untouched("probe");
  if (scene.liars == Liars::callee) {
    expect_untouched("relay");
    EXPECT_GT(asked, 0u);
  } else {
    expect_untouched("greeter");
  }
  std::printf("%llu attachments lied on; %llu rounds of third parties; asked through an honest pit: %llu, ended %llu\n",
              static_cast<unsigned long long>(lied_on(liar_name)), static_cast<unsigned long long>(calls_),
              static_cast<unsigned long long>(asked), static_cast<unsigned long long>(ended));
}

INSTANTIATE_TEST_SUITE_P(
    Pits, LyingPits,
    testing::Values(Scene{Liars::caller, Trust::hostile, "all"}, Scene{Liars::caller, Trust::cooperative, "all"},
                    Scene{Liars::caller, Trust::cooperative, "scribbles"},
                    Scene{Liars::caller, Trust::hostile, "speaks"}, Scene{Liars::callee, Trust::hostile, "all"},
                    Scene{Liars::callee, Trust::cooperative, "scribbles"},
                    Scene{Liars::callee, Trust::cooperative, "refuses"}, Scene{Liars::both, Trust::hostile, "all"},
                    Scene{Liars::both, Trust::cooperative, "scribbles"}),
    name_of);

}  // namespace
}  // namespace symphony
