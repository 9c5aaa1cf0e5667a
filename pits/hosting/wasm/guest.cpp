#include "pits/hosting/wasm/guest.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <utility>

namespace symphony::pit::wasm {
namespace {

std::atomic<std::uint32_t> instances{0};

constexpr std::uint32_t buffer_size_min = 1024;

}  // namespace

// relaxed: a count, compared with a limit.
std::uint32_t wasm_instances() noexcept { return instances.load(std::memory_order_relaxed); }

Guest::Guest(const WasmModule& module, const symphony_host& host, const WasmLimits& limits) noexcept
    : module_(module), table_(module.table()), host_(host), limits_(limits) {
  // relaxed: as above.
  instances.fetch_add(1, std::memory_order_relaxed);
}

Guest::~Guest() {
  if (instance_ != nullptr) {
    table_.free(instance_);
    std::free(instance_);
  }
  // relaxed: as above.
  instances.fetch_sub(1, std::memory_order_relaxed);
}

void Guest::explain(std::string_view text) const noexcept {
  host_.error(host_.context,
              {reinterpret_cast<const std::uint8_t*>(text.data()), static_cast<std::uint32_t>(text.size()), 0});
}

template <class Call>
std::int32_t Guest::run(std::string_view step, Call&& call) noexcept {
  if (trapped_) [[unlikely]] {
    explain({reason_.data(), reason_size_});
    return SYMPHONY_TRAPPED;
  }
  said_size_ = 0;
  std::uint32_t status = 0;
  auto code = [&] { status = call(); };
  Activation at;
  at.guest = this;
  at.memory = reinterpret_cast<std::uintptr_t>(memory());
  at.text = module_.text();
  at.budget_ms = limits_.budget_ms;
  const Trap trap = enter(
      at, [](void* f) { (*static_cast<decltype(code)*>(f))(); }, &code);
  if (trap != Trap::none) [[unlikely]]
    return die(trap, step, at);
  return static_cast<std::int32_t>(status);
}

std::int32_t Guest::die(Trap trap, std::string_view step, const Activation& at) noexcept {
  trapped_ = true;
  const std::string_view what = describe(trap);
  char detail[64] = "";
  if (at.faulted) {
    std::snprintf(detail, sizeof detail, " (at 0x%llx)", static_cast<unsigned long long>(at.fault_address));
  } else if (trap == Trap::interrupted) {
    std::snprintf(detail, sizeof detail, " (%u ms)", limits_.budget_ms);
  }
  const int n = std::snprintf(reason_.data(), reason_.size(), "the pit trapped in %.*s(): %.*s%s%s%.*s",
                              static_cast<int>(step.size()), step.data(), static_cast<int>(what.size()), what.data(),
                              detail, said_size_ > 0 ? ": " : "", static_cast<int>(said_size_), said_.data());
  reason_size_ = std::min(static_cast<std::size_t>(std::max(n, 0)), reason_.size() - 1);
  explain({reason_.data(), reason_size_});
  return SYMPHONY_TRAPPED;
}

// Bytes where the guest can read them: in place if they lie in its window, else copied.
std::int32_t Guest::bring_in(symphony_span bytes, std::string_view step, std::uint32_t& at) noexcept {
  if (limits_.window != nullptr && limits_.window->holds(bytes.p, bytes.n, at)) return SYMPHONY_OK;
  return copy_in(bytes, step, at);
}

// Copies bytes into the guest's input buffer, which grows for it; `at` is where they are.
std::int32_t Guest::copy_in(symphony_span bytes, std::string_view step, std::uint32_t& at) noexcept {
  if (bytes.n > buffer_size_ || buffer_ == 0) [[unlikely]] {
    const std::uint32_t size = std::max(bytes.n, buffer_size_min);
    std::uint32_t place = 0;
    const std::int32_t status = run(step, [&] {
      place = table_.pit_buffer(instance_, size);
      return std::uint32_t{0};
    });
    if (status != SYMPHONY_OK) return status;
    if (place == 0) {
      explain("the pit has no memory for a message of this size: raise its --max-memory");
      return SYMPHONY_OVERLOADED;
    }
    if (place % 8 != 0 || !contains(place, size)) {
      explain("the pit's side of the mode gave an input buffer that is not in its memory");
      return SYMPHONY_INTERNAL;
    }
    buffer_ = place;
    buffer_size_ = size;
  }
  if (bytes.n > 0) std::memcpy(memory() + buffer_, bytes.p, bytes.n);
  at = buffer_;
  return SYMPHONY_OK;
}

std::int32_t Guest::instantiate() noexcept {
  reservation_ = Reservation::make();
  instance_ = static_cast<Instance*>(std::calloc(1, table_.instance_size));
  if (!reservation_ || instance_ == nullptr) {
    explain("no address space for another WebAssembly instance: 8 GiB each; raise RLIMIT_AS, or keep fewer");
    return SYMPHONY_OVERLOADED;
  }
  if (limits_.window != nullptr && !limits_.window->show_to(reservation_)) {
    explain("no memory to map the window of messages: keep fewer instances, or raise vm.max_map_count");
    return SYMPHONY_OVERLOADED;
  }
  memory_ = table_.memory(instance_);
  return run("instantiate", [&] {
    table_.instantiate(instance_, reinterpret_cast<Z_symphony_instance_t*>(this));
    table_.pit_initialize(instance_);
    return std::uint32_t{0};
  });
}

std::int32_t Guest::begin(symphony_span config) noexcept {
  if (const std::int32_t status = instantiate(); status != SYMPHONY_OK) return status;
  std::uint32_t at = 0;
  if (const std::int32_t copied = copy_in(config, "create", at); copied != SYMPHONY_OK) return copied;
  return run("create", [&] { return table_.pit_create(instance_, at, config.n); });
}

Outcome Guest::functions_of(const WasmModule& module, std::uint32_t& out) {
  // Nobody is there for what a constructor of the module may ask; its reason for a trap is kept.
  std::string reason;
  symphony_host nobody{};
  nobody.struct_size = sizeof nobody;
  nobody.context = &reason;
  nobody.log = [](void*, std::int32_t, symphony_span) {};
  nobody.now = [](void*) { return std::uint64_t{0}; };
  nobody.claim = [](void*, std::uint32_t, symphony_mut_span*) -> std::int32_t { return SYMPHONY_BAD_STATE; };
  nobody.commit = [](void*, std::uint32_t, std::uint32_t) -> std::int32_t { return SYMPHONY_BAD_STATE; };
  nobody.error = [](void* context, symphony_span text) {
    static_cast<std::string*>(context)->assign(reinterpret_cast<const char*>(text.p), text.n);
  };
  nobody.random = [](void*) { return std::uint64_t{0}; };
  nobody.publish = [](void*, std::uint32_t, symphony_span) -> std::int32_t { return SYMPHONY_BAD_STATE; };
  nobody.call_async = [](void*, const symphony_call*) -> std::int32_t { return SYMPHONY_BAD_STATE; };
  nobody.timer_set = [](void*, std::uint64_t, std::uint64_t) -> std::int32_t { return SYMPHONY_BAD_STATE; };
  nobody.timer_cancel = [](void*, std::uint64_t) -> std::int32_t { return SYMPHONY_BAD_STATE; };
  nobody.cancelled = [](void*) { return std::int32_t{0}; };
  nobody.mark_dirty = [](void*) {};
  nobody.reply = [](void*, std::uint64_t, std::int32_t, std::uint32_t, symphony_span) -> std::int32_t {
    return SYMPHONY_BAD_STATE;
  };
  Guest guest(module, nobody, WasmLimits{});
  std::int32_t status = guest.instantiate();
  if (status == SYMPHONY_OK) {
    status = guest.run("functions", [&] {
      out = guest.table_.pit_functions(guest.instance_);
      return std::uint32_t{0};
    });
  }
  if (status != SYMPHONY_OK) return {status, "it cannot be asked for its functions: " + reason};
  return {};
}

std::int32_t Guest::create(void* module, const symphony_host* host, symphony_span config, void** self) noexcept {
  WasmLimits limits;
  if (const void* offered = host->get_extension(host->context, wasm_limits_extension); offered != nullptr) {
    limits = *static_cast<const WasmLimits*>(offered);
  }
  std::unique_ptr<Guest> made(new (std::nothrow) Guest(*static_cast<const WasmModule*>(module), *host, limits));
  if (made == nullptr) return SYMPHONY_OVERLOADED;
  if (wasm_instances() > limits.instances_max) {
    made->explain("as many WebAssembly instances are alive as may be (instances_max): end some, or raise it");
    return SYMPHONY_OVERLOADED;
  }
  const std::int32_t status = made->begin(config);
  if (status == SYMPHONY_OK) *self = made.release();
  return status;
}

std::int32_t Guest::init(void* self) noexcept {
  Guest& g = of(self);
  return g.run("init", [&] { return g.table_.pit_init(g.instance_); });
}
std::int32_t Guest::start(void* self) noexcept {
  Guest& g = of(self);
  return g.run("start", [&] { return g.table_.pit_start(g.instance_); });
}
std::int32_t Guest::drain(void* self, std::uint64_t deadline_ns) noexcept {
  Guest& g = of(self);
  return g.run("drain", [&] { return g.table_.pit_drain(g.instance_, deadline_ns); });
}
std::int32_t Guest::stop(void* self) noexcept {
  Guest& g = of(self);
  return g.run("stop", [&] { return g.table_.pit_stop(g.instance_); });
}

std::int32_t Guest::timer(void* self, std::uint64_t id, std::uint64_t now_ns) noexcept {
  Guest& g = of(self);
  return g.run("timer", [&] { return g.table_.pit_timer(g.instance_, id, now_ns); });
}

std::int32_t Guest::handle(void* self, const symphony_msg* message) noexcept {
  Guest& g = of(self);
  std::uint32_t at = 0;
  if (const std::int32_t status = g.bring_in(message->body, "handle", at); status != SYMPHONY_OK) [[unlikely]]
    return status;
  g.claimed_ = {};
  const symphony_envelope& envelope = *message->envelope;
  return g.run("handle", [&] {
    return g.table_.pit_handle(g.instance_, envelope.id, envelope.deadline_ns, envelope.type, envelope.flags,
                               envelope.attempt, message->request, at, message->body.n);
  });
}

std::int32_t Guest::snapshot(void* self, std::uint32_t revision, const symphony_sink* to) noexcept {
  Guest& g = of(self);
  g.sink_ = to;
  const std::int32_t status = g.run("snapshot", [&] { return g.table_.pit_snapshot(g.instance_, revision); });
  g.sink_ = nullptr;
  return status;
}
std::int32_t Guest::restore(void* self, std::uint32_t revision, const symphony_source* from) noexcept {
  Guest& g = of(self);
  g.source_ = from;
  const std::int32_t status = g.run("restore", [&] { return g.table_.pit_restore(g.instance_, revision); });
  g.source_ = nullptr;
  return status;
}

void Guest::destroy(void* self) noexcept {
  const std::unique_ptr<Guest> g(&of(self));
  if (g->trapped_) return;
  (void)g->run("destroy", [&] {
    g->table_.pit_destroy(g->instance_);
    return std::uint32_t{0};
  });
}

// --- imports: on the guest's stack, inside enter() -------------------------------------------------------------------
struct Guest::Imports {
  using Handle = Z_symphony_instance_t*;
  static Guest& of(Handle handle) noexcept { return *reinterpret_cast<Guest*>(handle); }
  static Activation& here() noexcept { return *this_thread.current.get(); }

  // The host's view of a span of the guest; a trap where the guest has no such bytes.
  static symphony_span span(const Guest& g, std::uint32_t p, std::uint32_t n) noexcept {
    if (n == 0) return {};
    if (!g.sees(p, n)) leave(here(), Trap::bad_span);
    return {reinterpret_cast<const std::uint8_t*>(g.memory() + p), n, 0};
  }
  static std::uint32_t word(std::int32_t status) noexcept { return static_cast<std::uint32_t>(status); }

  static void trap(std::int32_t why) { leave(here(), static_cast<Trap>(why)); }
  static void allocate_memory(symphony_wasm_memory* memory, std::uint32_t pages, std::uint32_t pages_max) {
    Activation& at = here();
    const bool allowed = outside([&] { return at.guest->reservation_.allow(pages); });
    if (!allowed) leave(at, Trap::no_memory);
    *memory = {reinterpret_cast<std::uint8_t*>(at.guest->memory()), pages, std::min(pages_max, guest_pages_max),
               pages * guest_page_size};
  }
  static std::uint32_t grow_memory(symphony_wasm_memory* memory, std::uint32_t more) {
    const std::uint32_t before = memory->pages;
    const std::uint64_t after = std::uint64_t{before} + more;
    if (after > memory->pages_max) return UINT32_MAX;
    Guest& g = *here().guest;
    if (!outside([&] { return g.reservation_.allow(static_cast<std::uint32_t>(after)); })) return UINT32_MAX;
    memory->pages = static_cast<std::uint32_t>(after);
    memory->size = memory->pages * guest_page_size;
    return before;
  }
  static std::int32_t create(void* module, const symphony_host* host, symphony_span config, void** self) {
    return Guest::create(module, host, config, self);
  }

  static void log(Handle handle, std::uint32_t level, std::uint32_t p, std::uint32_t n) {
    const Guest& g = of(handle);
    const symphony_span text = span(g, p, n);
    outside([&] {
      g.host_.log(g.host_.context, static_cast<std::int32_t>(level), text);
      return 0;
    });
  }
  static std::uint64_t now(Handle handle) {
    const Guest& g = of(handle);
    return outside([&] { return g.host_.now(g.host_.context); });
  }
  static std::uint32_t claim(Handle handle, std::uint32_t size_min) {
    Guest& g = of(handle);
    return word(outside([&] {
      g.claimed_ = {};
      return g.host_.claim(g.host_.context, size_min, &g.claimed_);
    }));
  }
  static std::uint32_t commit(Handle handle, std::uint32_t p, std::uint32_t used, std::uint32_t type) {
    Guest& g = of(handle);
    const symphony_span reply = used <= g.claimed_.n ? span(g, p, used) : symphony_span{};
    return word(outside([&] {
      // A claim that is too small, or none, is the host's to refuse.
      if (reply.n > 0) std::memcpy(g.claimed_.p, reply.p, reply.n);
      const std::int32_t status = g.host_.commit(g.host_.context, used, type);
      g.claimed_ = {};
      return status;
    }));
  }
  static void error(Handle handle, std::uint32_t p, std::uint32_t n) {
    Guest& g = of(handle);
    const symphony_span text = span(g, p, n);
    g.said_size_ = std::min<std::size_t>(text.n, g.said_.size());
    if (g.said_size_ > 0) std::memcpy(g.said_.data(), text.p, g.said_size_);
    outside([&] {
      g.host_.error(g.host_.context, text);
      return 0;
    });
  }
  static std::uint32_t publish(Handle handle, std::uint32_t type, std::uint32_t p, std::uint32_t n) {
    const Guest& g = of(handle);
    const symphony_span body = span(g, p, n);
    return word(outside([&] { return g.host_.publish(g.host_.context, type, body); }));
  }
  static std::uint32_t call_async(Handle handle, std::uint32_t service_p, std::uint32_t service_n, std::uint32_t type,
                                  std::uint32_t effect, std::uint32_t body_p, std::uint32_t body_n,
                                  std::uint64_t deadline_ns, std::uint64_t cookie) {
    const Guest& g = of(handle);
    const symphony_call call{sizeof call, type,  effect, 0, span(g, service_p, service_n), span(g, body_p, body_n),
                             deadline_ns, cookie};
    return word(outside([&] { return g.host_.call_async(g.host_.context, &call); }));
  }
  static std::uint32_t timer_set(Handle handle, std::uint64_t id, std::uint64_t at_ns) {
    const Guest& g = of(handle);
    return word(outside([&] { return g.host_.timer_set(g.host_.context, id, at_ns); }));
  }
  static std::uint32_t timer_cancel(Handle handle, std::uint64_t id) {
    const Guest& g = of(handle);
    return word(outside([&] { return g.host_.timer_cancel(g.host_.context, id); }));
  }
  static std::uint32_t cancelled(Handle handle) {
    const Guest& g = of(handle);
    return word(outside([&] { return g.host_.cancelled(g.host_.context); }));
  }
  static void mark_dirty(Handle handle) {
    const Guest& g = of(handle);
    outside([&] {
      g.host_.mark_dirty(g.host_.context);
      return 0;
    });
  }
  static std::uint32_t reply(Handle handle, std::uint64_t request, std::uint32_t status, std::uint32_t type,
                             std::uint32_t p, std::uint32_t n) {
    const Guest& g = of(handle);
    const symphony_span body = span(g, p, n);
    return word(outside(
        [&] { return g.host_.reply(g.host_.context, request, static_cast<std::int32_t>(status), type, body); }));
  }
  static std::uint64_t random(Handle handle) {
    const Guest& g = of(handle);
    return outside([&] { return g.host_.random(g.host_.context); });
  }
  static std::uint32_t snapshot_write(Handle handle, std::uint32_t p, std::uint32_t n) {
    const Guest& g = of(handle);
    if (g.sink_ == nullptr) return word(SYMPHONY_BAD_STATE);
    const symphony_span bytes = span(g, p, n);
    return word(outside([&] { return g.sink_->write(g.sink_->context, bytes); }));
  }
  static std::uint64_t restore_read(Handle handle, std::uint32_t p, std::uint32_t n) {
    const Guest& g = of(handle);
    if (g.source_ == nullptr) return static_cast<std::uint64_t>(std::int64_t{SYMPHONY_BAD_STATE});
    if (!g.contains(p, n)) leave(here(), Trap::bad_span);
    const symphony_mut_span out{reinterpret_cast<std::uint8_t*>(g.memory() + p), n, 0};
    return static_cast<std::uint64_t>(outside([&] { return g.source_->read(g.source_->context, out); }));
  }
};

const symphony_wasm_runtime& Guest::runtime() noexcept {
  static constexpr symphony_wasm_runtime functions{
      .trap = &Imports::trap,
      .allocate_memory = &Imports::allocate_memory,
      .grow_memory = &Imports::grow_memory,
      .create = &Imports::create,
      .log = &Imports::log,
      .now = &Imports::now,
      .claim = &Imports::claim,
      .commit = &Imports::commit,
      .error = &Imports::error,
      .random = &Imports::random,
      .snapshot_write = &Imports::snapshot_write,
      .restore_read = &Imports::restore_read,
      .publish = &Imports::publish,
      .call_async = &Imports::call_async,
      .timer_set = &Imports::timer_set,
      .timer_cancel = &Imports::timer_cancel,
      .cancelled = &Imports::cancelled,
      .mark_dirty = &Imports::mark_dirty,
      .reply = &Imports::reply,
  };
  return functions;
}

}  // namespace symphony::pit::wasm
