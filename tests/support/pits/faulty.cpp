// A pit that keeps to the contract but for one fault, named by SYMPHONY_TEST_FAULT in the environment; a guest, which
// has none, is compiled with its fault. For the tests of the conformance suite: each case has a fault that it must
// find. In plain C terms, so that nothing catches a fault. With FAULTY_NAME it is linked in, or compiled for wasm32,
// under that name.
#if !defined(__wasm__)
#include <fcntl.h>
#include <unistd.h>
#include <ctime>
#include <stdexcept>
#include <thread>
#endif

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <symphony/pit.h>
#include <symphony/pit_note.hpp>

namespace {

#if defined(__wasm__)
#if !defined(FAULTY_FAULT)
#define FAULTY_FAULT ""
#endif
std::string_view chosen() { return FAULTY_FAULT; }
[[noreturn]] void die() { std::abort(); }
[[noreturn]] void throw_something() { std::abort(); }
void hang() {
  for (;;) asm volatile("");
}
void open_something() {}
void start_a_thread() {}
std::uint64_t number_of_this_process() { return 0; }
std::uint64_t wall_clock() { return 0; }
#else
std::string_view chosen() {
  const char* name = std::getenv("SYMPHONY_TEST_FAULT");
  return name != nullptr ? name : "";
}
[[noreturn]] void throw_something() { throw std::runtime_error("faulty.cpp throws"); }
[[noreturn]] void die() {
  (void)!::write(STDERR_FILENO, "faulty.cpp aborts\n", 18);
  std::abort();
}
void hang() {
  for (volatile bool for_ever = true; for_ever;) ::pause();
}
void open_something() { (void)!::open("/dev/null", O_RDONLY | O_CLOEXEC); }
void start_a_thread() { std::thread(&hang).detach(); }
std::uint64_t number_of_this_process() { return static_cast<std::uint64_t>(::getpid()); }
std::uint64_t wall_clock() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_nsec);
}
#endif
bool fault(std::string_view name) { return name == chosen(); }

// The faults of a whole function: throw_in_init, hang_in_init and so on.
void enter(std::string_view hook) {
  const std::string_view name = chosen();
  const auto is = [&](std::string_view what) {
    return name.size() == what.size() + hook.size() && name.starts_with(what) && name.ends_with(hook);
  };
  if (is("throw_in_")) throw_something();
  if (is("hang_in_")) hang();
}

constexpr symphony_message_note messages[] = {{7, SYMPHONY_EFFECT_READ}, {9, SYMPHONY_EFFECT_ONCE}};
#if defined(FAULTY_WITHOUT_STATE)
constexpr std::uint32_t revision_newest = 0;
constexpr std::uint32_t revision_oldest = 0;
#else
constexpr std::uint32_t revision_newest = 2;
constexpr std::uint32_t revision_oldest = 1;  // without the check
#endif
constexpr symphony_note note = {sizeof(symphony_note),
                                SYMPHONY_ABI_MAJOR,
                                SYMPHONY_ABI_MINOR,
                                "faulty",
                                "1.0.0",
                                messages,
                                2,
                                64,
                                revision_newest,
                                revision_oldest,
                                nullptr,
                                0,
                                SYMPHONY_THREAD_MODEL_SERIAL,
                                0};

struct State {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  std::uint64_t check = 1;  // of the other two
};
[[maybe_unused]] std::uint64_t check_of(const State& state) { return state.count * 31 + state.sum * 17 + 1; }

struct Pit {
  const symphony_host* host;
  State state;
  std::uint64_t hidden = 0;
  int starts = 0;
  bool was_cancelled = false;
};
[[maybe_unused]] std::uint64_t shared_count = 0;
[[maybe_unused]] std::uint64_t highest = 0;
[[maybe_unused]] void* volatile lost = nullptr;

std::int32_t create(const symphony_host* host, symphony_span config, void** self) {
  enter("create");
  if (config.n != 0 && fault("crash_on_configuration")) die();
  auto* pit = new Pit{host, {}};
  if (fault("leak_memory")) lost = std::malloc(16);
  if (fault("leak_descriptor")) open_something();
  if (fault("thread")) start_a_thread();
  if (fault("not_fresh")) pit->state = {number_of_this_process(), 0, 0};
  *self = pit;
  return SYMPHONY_OK;
}
Pit& of(void* self) { return *static_cast<Pit*>(self); }

std::int32_t init(void*) {
  enter("init");
  return fault("init_fails") ? 5 : SYMPHONY_OK;
}
std::int32_t start(void* self) {
  enter("start");
  Pit& pit = of(self);
  ++pit.starts;
  if (pit.starts > 1 && fault("starts_once")) return 5;
  if (pit.starts > 1 && fault("start_counts")) ++pit.state.count;
  return SYMPHONY_OK;
}
std::int32_t drain(void*, std::uint64_t deadline_ns) {
  enter("drain");
  if (fault("drain_fails") || (deadline_ns != 0 && fault("drain_wants_no_deadline"))) return 5;
  return SYMPHONY_OK;
}
std::int32_t stop(void*) {
  enter("stop");
  return fault("stop_fails") ? 5 : SYMPHONY_OK;
}
void destroy(void* self) {
  enter("destroy");
  if (of(self).starts == 0 && fault("destroy_wants_start")) die();
  delete &of(self);
}

// Faults of messages that are none. The status to end with; 1: none of them.
std::int32_t judge(const symphony_msg& message) {
  const symphony_span body = message.body;
  const std::uint32_t type = message.envelope->type;
  if (type != 7 && type != 9) {
    if (fault("crash_on_unknown")) die();
    return fault("odd_status") ? -1'000 : SYMPHONY_UNKNOWN_TYPE;
  }
  if (type == 9 && fault("unhandled")) return SYMPHONY_UNKNOWN_TYPE;
  if (body.n == 0 && fault("hang_on_empty")) hang();
  if (body.n > 0 && body.n < 8 && fault("crash_on_short")) die();
  if (body.n > 50'000 && fault("crash_on_large")) die();
  if (body.n < 8) return SYMPHONY_BAD_MESSAGE;
  std::uint32_t root = 0;
  std::memcpy(&root, body.p, sizeof root);
  if (root == 0 && fault("crash_on_zeroes")) die();
  if (root >= body.n && fault("crash_on_far_root")) die();
  if (body.n % 4 != 0 && fault("crash_on_odd_size")) die();
  if (type == 9 && root < 64 && fault("crash_on_message")) die();
  return root > 0 && root < body.n ? 1 : SYMPHONY_BAD_MESSAGE;
}

// Faults of a pit that does not hear the host's no. The status to end with; 1: none of them.
std::int32_t ask_for_more(const symphony_host& host) {
  if (fault("insists_on_publishing") && host.publish(host.context, 3, {}) == SYMPHONY_DENIED) return -1'000;
  if (fault("insists_on_calls")) {
    const symphony_call call{sizeof call, 7, SYMPHONY_EFFECT_READ, 0, {}, {}, 0, 0};
    if (host.call_async(host.context, &call) == SYMPHONY_OVERLOADED) die();
  }
  const bool wants_timer = fault("timer") || fault("insists_on_timers") || chosen().ends_with("_in_timer");
  if (wants_timer && host.timer_set(host.context, 1, host.now(host.context) + 1'000) == SYMPHONY_OVERLOADED) die();
  return 1;
}

std::int32_t handle(void* self, const symphony_msg* message) {
  enter("handle");
  Pit& pit = of(self);
  if (pit.host->cancelled(pit.host->context) != 0) {
    if (fault("crash_when_cancelled")) die();
    pit.was_cancelled = true;
    return SYMPHONY_CANCELLED;
  }
  if (pit.was_cancelled && fault("stays_cancelled")) return SYMPHONY_CANCELLED;
  if (const std::int32_t status = judge(*message); status != 1) {
    if (status == SYMPHONY_BAD_MESSAGE && fault("not_utf8")) {
      pit.host->error(pit.host->context, {reinterpret_cast<const std::uint8_t*>("\xC0\x80"), 2, 0});
    }
    return status == SYMPHONY_BAD_MESSAGE && fault("internal") ? SYMPHONY_INTERNAL : status;
  }
  std::uint64_t& count = fault("shared_state") ? shared_count : pit.state.count;
  ++count;
  pit.state.sum += message->body.n;
  pit.hidden += count;
  highest = highest > count ? highest : count;
  if (count % 50 == 49 && fault("odd_ending")) return -1'000;
  if (const std::int32_t status = ask_for_more(*pit.host); status != 1) return status;
  if (fault("open_per_message")) open_something();
  std::uint64_t reply[] = {count, pit.state.sum};
  if (fault("own_clock")) reply[0] = wall_clock();
  if (fault("address")) reply[0] = reinterpret_cast<std::uintptr_t>(message->body.p);
  if (fault("hidden_state")) reply[0] = pit.hidden;
  symphony_mut_span out{};
  const std::uint32_t size = fault("large_reply") ? 65 : sizeof reply;
  const std::int32_t claimed = pit.host->claim(pit.host->context, size, &out);
  if (claimed != SYMPHONY_OK && !fault("insists_on_claims")) return claimed;
  std::memcpy(out.p, reply, sizeof reply);
  const std::int32_t committed = pit.host->commit(pit.host->context, sizeof reply, 1);
  if (fault("second_commit")) pit.host->commit(pit.host->context, sizeof reply, 1);
  return committed;
}
std::int32_t timer(void*, std::uint64_t, std::uint64_t) {
  enter("timer");
  die();
}

#if !defined(FAULTY_WITHOUT_STATE)
std::int32_t snapshot(void* self, std::uint32_t, const symphony_sink* to) {
  enter("snapshot");
  Pit& pit = of(self);
  if (fault("snapshot_fails")) return 5;
  if (fault("snapshot_counts")) ++pit.state.count;
  State saved = pit.state;
  if (fault("address_in_snapshot")) saved.sum = reinterpret_cast<std::uintptr_t>(self);
  saved.check = check_of(saved);
  const std::int32_t written = to->write(to->context, {reinterpret_cast<const std::uint8_t*>(&saved), sizeof saved, 0});
  return fault("insists_on_snapshots") ? SYMPHONY_OK : written;
}

std::int32_t restore(void* self, std::uint32_t revision, const symphony_source* from) {
  enter("restore");
  Pit& pit = of(self);
  if (revision == revision_oldest && fault("crash_on_old")) die();
  State read;
  auto* bytes = reinterpret_cast<std::uint8_t*>(&read);
  std::uint32_t size = 0;
  const std::uint32_t want = revision == revision_oldest ? 16 : sizeof read;
  while (size < want) {
    const auto n = from->read(from->context, {bytes + size, want - size, 0});
    if (n < 0 && fault("insists_on_restores")) break;
    if (n < 0) return static_cast<std::int32_t>(n);
    if (n == 0) break;
    size += static_cast<std::uint32_t>(n);
    if (fault("one_read")) break;
  }
  if (size == 0 && fault("takes_empty")) return SYMPHONY_OK;
  if (size < want && !fault("takes_truncated")) return SYMPHONY_BAD_MESSAGE;
  std::uint8_t more = 0;
  if (from->read(from->context, {&more, 1, 0}) != 0 && !fault("takes_more")) return SYMPHONY_BAD_MESSAGE;
  if (revision == revision_newest && read.check != check_of(read) && !fault("takes_truncated")) {
    if (fault("crash_on_bad_state")) die();
    return SYMPHONY_BAD_MESSAGE;
  }
  if (read.count > 0 && fault("restore_refuses")) return SYMPHONY_BAD_MESSAGE;
  pit.state = read;
  if (fault("restore_forgets")) pit.state.sum = 0;
  if (read.count == 0 && fault("restore_begins_at_one")) pit.state.count = 1;
  if (fault("restore_keeps_highest")) {
    pit.state.count = highest > read.count ? highest : read.count;
  }
  return SYMPHONY_OK;
}
#endif

#if defined(FAULTY_NAME)
#define FAULTY_ENTRY constexpr symphony_pit_entry entry
#else
}  // namespace
#define FAULTY_ENTRY \
  extern "C" __attribute__((visibility("default"))) constinit const symphony_pit_entry symphony_pit_entry_v1
#endif

FAULTY_ENTRY = {sizeof(symphony_pit_entry),
                0,
                &note,
                &create,
                &init,
                &start,
                &handle,
                &drain,
#if defined(FAULTY_WITHOUT_STATE)
                nullptr,
                nullptr,
#else
                &snapshot,
                &restore,
#endif
                &stop,
                &destroy,
                nullptr,
                &timer};

#if defined(FAULTY_NAME)
}  // namespace
#define FAULTY_ACCESSOR(name) SYMPHONY_PIT_ACCESSOR(name)  // of what FAULTY_NAME stands for
SYMPHONY_DECLARE_PIT(FAULTY_NAME);
const symphony_pit_entry* FAULTY_ACCESSOR(FAULTY_NAME)(void) { return &entry; }
#endif

#if !defined(__wasm__)
namespace symphony::pit {
SYMPHONY_PIT_NOTE_PLACE auto image = elf_note<note>;
}  // namespace symphony::pit
#endif
