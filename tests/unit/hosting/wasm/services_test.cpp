// What a pit asks of its host passes in WebAssembly as it does linked in: the same orders to both, and all that the
// host saw is the same.
#include <gmock/gmock.h>

#include <string>
#include <symphony/clock.hpp>
#include <vector>

#include "tests/unit/hosting/wasm/wasm_fixture.hpp"

SYMPHONY_DECLARE_PIT(trapper);

namespace symphony::pit::wasm {
namespace {

// Writes down what it is asked.
class Diary final : public InstanceServices, public LogSink {
 public:
  std::int32_t call_async(const AsyncCall& call) noexcept override {
    line("call " + std::string(call.service) + " type " + std::to_string(call.type) + " effect " +
         std::to_string(call.effect) + " deadline " + std::to_string(call.deadline_ns) + " cookie " +
         std::to_string(call.cookie) + " body " + text(call.body));
    return refusal;
  }
  std::int32_t publish(std::uint32_t type, std::span<const std::byte> body) noexcept override {
    line("publish " + std::to_string(type) + " " + text(body));
    return refusal;
  }
  void timer_due(TimeNs due_ns) noexcept override { line("timer due " + std::to_string(due_ns)); }
  void write(std::int32_t level, std::string_view pit, std::string_view what) noexcept override {
    line("log " + std::to_string(level) + " " + std::string(pit) + " " + std::string(what));
  }
  void line(std::string what) { lines.push_back(std::move(what)); }
  static std::string text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::int32_t refusal = SYMPHONY_OK;
  std::vector<std::string> lines;
};

// One pit with its diary; every ending is a line of it.
class Told {
 public:
  explicit Told(const symphony_pit_entry& entry) : pit(entry, {}, {}, &diary, &diary) {
    EXPECT_TRUE(pit.outcome.ok()) << pit.outcome.text;
    pit.instance->feed(99, 1'000);
  }
  void send(std::uint32_t type, std::span<const std::byte> body, test::RecordingSink& sink) {
    pit.instance->handle({++id, 0, type, SYMPHONY_FLAG_REQUEST, 0, 0}, body, sink);
    if (sink.endings > 0) write(sink);
  }
  void send(std::uint32_t type, std::span<const std::byte> body = {}) {
    test::RecordingSink sink;
    send(type, body, sink);
  }
  void send(std::uint32_t type, std::uint64_t number) { send(type, std::as_bytes(std::span(&number, 1))); }
  void write(const test::RecordingSink& sink) {
    diary.line("ending " + std::to_string(sink.status) + " type " + std::to_string(sink.type) + " [" + sink.body +
               "] " + sink.text);
  }

  Diary diary;
  Running pit;
  std::uint64_t id = 0;
};

void play(Told& told) {
  Instance& instance = *told.pit.instance;
  const std::string body = "some bytes for somebody";
  const auto bytes = std::as_bytes(std::span(body.data(), body.size()));
  told.send(trapper::count);
  told.send(trapper::ask_random);
  told.send(trapper::ask_random);
  told.send(trapper::publish_body, bytes);
  told.send(trapper::publish_body);
  told.send(trapper::call_other, bytes);
  instance.answer(1000, SYMPHONY_OK, 5, bytes);
  told.send(trapper::call_other);
  instance.answer(1000, SYMPHONY_DEADLINE, 0, bytes);
  told.send(trapper::count);
  told.diary.refusal = SYMPHONY_DENIED;
  told.send(trapper::publish_body, bytes);
  told.send(trapper::call_other, bytes);

  told.send(trapper::arm_timer, std::uint64_t{2'000});
  told.send(trapper::disarm_timer);
  told.send(trapper::disarm_timer);
  told.send(trapper::arm_timer, std::uint64_t{3'000});
  told.diary.line(instance.run_timer(2'999) ? "a timer ran" : "no timer");
  told.diary.line(instance.run_timer(3'000) ? "a timer ran" : "no timer");
  told.diary.line(instance.run_timer(3'000) ? "a timer ran" : "no timer");
  told.send(trapper::count);

  for (const std::int32_t status : {0, 17}) {
    test::RecordingSink later;
    told.send(trapper::answer_later, {}, later);
    told.diary.line("pending " + std::to_string(instance.pending()) + " ended " + std::to_string(later.endings) +
                    " request " + std::to_string(later.deferred));
    told.send(trapper::end_later, static_cast<std::uint64_t>(status));
    told.write(later);
    told.send(trapper::end_later, static_cast<std::uint64_t>(status));  // there is nothing to end any more
  }

  test::RecordingSink gone;
  gone.is_abandoned = true;
  told.send(trapper::ask_cancelled, {}, gone);
  told.send(trapper::ask_cancelled);
  const std::uint64_t before = instance.changes();
  told.send(trapper::count);
  told.diary.line("changes " + std::to_string(instance.changes() - before));
  told.send(trapper::set_dirty);
  told.diary.line("changes " + std::to_string(instance.changes()));
  told.send(trapper::count);
  told.diary.line("changes " + std::to_string(instance.changes()));

  told.send(trapper::arm_timer, std::uint64_t{9'000});
  Snapshot state;
  EXPECT_TRUE(instance.snapshot(state).ok());
  told.diary.line("state " + Diary::text(state.bytes) + " timers " + std::to_string(state.timers.size()));
}

TEST(WasmServices, AreThoseOfAPitLinkedIn) {
  Told guest(trapper_module().entry());
  Told linked(*symphony_pit_trapper());
  play(guest);
  play(linked);
  EXPECT_EQ(guest.diary.lines, linked.diary.lines);
  EXPECT_GT(linked.diary.lines.size(), 40u);
}

TEST(WasmServices, FunctionsThatThePitLeftOutAreNullAsTheyAreLinkedIn) {
  const auto shape = [](const symphony_pit_entry& entry) {
    return std::vector<bool>{entry.init != nullptr,     entry.start != nullptr,        entry.drain != nullptr,
                             entry.snapshot != nullptr, entry.restore != nullptr,      entry.stop != nullptr,
                             entry.timer != nullptr,    entry.get_extension != nullptr};
  };
  EXPECT_EQ(shape(trapper_module().entry()), shape(*symphony_pit_trapper()));
  const WasmModule& greeter = loaded(SYMPHONY_WASM_GREETER);
  EXPECT_EQ(greeter.entry().timer, nullptr);
  EXPECT_NE(trapper_module().entry().timer, nullptr);
}

TEST(WasmTraps, InATimerEndsTheInstanceLikeAnyOther) {
  Running pit(trapper_module().entry());
  pit.instance->feed(1, 1'000);
  pit.send(trapper::arm_timer, std::uint64_t{2'000});
  pit.send(trapper::in_next_hook, trapper::call_abort);
  EXPECT_TRUE(pit.instance->run_timer(2'000));
  EXPECT_EQ(pit.instance->state(), State::trapped);
}

}  // namespace
}  // namespace symphony::pit::wasm
