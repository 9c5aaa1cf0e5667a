// The guest's side of WebAssembly mode: compiled for wasm32 into each module, with SYMPHONY_PIT_NAME set to the pit's
// name.   Layer: hosting/wasm (contract).
// It gives the pit a symphony_host whose functions are imports of the module "symphony", and exports what the host
// calls. Only integers and spans of guest memory pass; docs/formats/pit-wasm.md lists them.
#include <symphony/pit.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#include "pits/hosting/wasm/module_table.h"

SYMPHONY_DECLARE_PIT(SYMPHONY_PIT_NAME);

#define SYMPHONY_IMPORT(name) __attribute__((import_module("symphony"), import_name(#name)))
#define SYMPHONY_EXPORT(name) extern "C" __attribute__((export_name("symphony_" #name), used))

namespace {
namespace host {
extern "C" {
SYMPHONY_IMPORT(log) void import_log(std::int32_t level, const std::uint8_t* p, std::uint32_t n);
SYMPHONY_IMPORT(now) std::uint64_t import_now();
SYMPHONY_IMPORT(claim) std::int32_t import_claim(std::uint32_t size_min);
SYMPHONY_IMPORT(commit) std::int32_t import_commit(const void* p, std::uint32_t used, std::uint32_t type);
SYMPHONY_IMPORT(error) void import_error(const std::uint8_t* p, std::uint32_t n);
SYMPHONY_IMPORT(random) std::uint64_t import_random();
SYMPHONY_IMPORT(snapshot_write) std::int32_t import_snapshot_write(const std::uint8_t* p, std::uint32_t n);
SYMPHONY_IMPORT(restore_read) std::int64_t import_restore_read(std::uint8_t* p, std::uint32_t n);
SYMPHONY_IMPORT(publish) std::int32_t import_publish(std::uint32_t type, const std::uint8_t* p, std::uint32_t n);
SYMPHONY_IMPORT(call_async)
std::int32_t import_call_async(const std::uint8_t* service_p, std::uint32_t service_n, std::uint32_t type,
                               std::uint32_t effect, const std::uint8_t* body_p, std::uint32_t body_n,
                               std::uint64_t deadline_ns, std::uint64_t cookie);
SYMPHONY_IMPORT(timer_set) std::int32_t import_timer_set(std::uint64_t id, std::uint64_t at_ns);
SYMPHONY_IMPORT(timer_cancel) std::int32_t import_timer_cancel(std::uint64_t id);
SYMPHONY_IMPORT(cancelled) std::int32_t import_cancelled();
SYMPHONY_IMPORT(mark_dirty) void import_mark_dirty();
SYMPHONY_IMPORT(reply)
std::int32_t import_reply(std::uint64_t request, std::int32_t status, std::uint32_t type, const std::uint8_t* p,
                          std::uint32_t n);
}
}  // namespace host

// 8-byte aligned bytes that only grow. What they held is lost when they do.
class Buffer {
 public:
  // At least `size` bytes, or null: no memory, and then the old ones stay.
  std::uint8_t* at_least(std::uint32_t size) {
    if (size > size_) {
      const std::uint32_t rounded = size <= first_size ? first_size : (size + 7) & ~7U;
      void* grown = rounded < size ? nullptr : std::malloc(rounded);
      if (grown == nullptr) return nullptr;
      std::free(bytes_);
      bytes_ = static_cast<std::uint8_t*>(grown);
      size_ = rounded;
    }
    return bytes_;
  }
  [[nodiscard]] std::uint8_t* bytes() const { return bytes_; }

 private:
  static constexpr std::uint32_t first_size = 1024;
  std::uint8_t* bytes_ = nullptr;
  std::uint32_t size_ = 0;
};

constinit Buffer input;  // what the host passes in
constinit Buffer reply;  // what the pit claims
void* self = nullptr;

std::int32_t claim(void*, std::uint32_t size_min, symphony_mut_span* out) {
  *out = {};
  if (const std::int32_t status = host::import_claim(size_min); status != SYMPHONY_OK) return status;
  std::uint8_t* bytes = reply.at_least(size_min == 0 ? 1 : size_min);
  if (bytes == nullptr) return SYMPHONY_OVERLOADED;
  *out = {bytes, size_min, 0};
  return SYMPHONY_OK;
}

constexpr symphony_host make_host() {
  symphony_host made{};
  made.struct_size = sizeof made;
  made.abi_major = SYMPHONY_ABI_MAJOR;
  made.abi_minor = SYMPHONY_ABI_MINOR;
  made.log = [](void*, std::int32_t level, symphony_span text) { host::import_log(level, text.p, text.n); };
  made.now = [](void*) { return host::import_now(); };
  made.claim = &claim;
  made.commit = [](void*, std::uint32_t used, std::uint32_t type) {
    return host::import_commit(reply.bytes(), used, type);
  };
  made.error = [](void*, symphony_span text) { host::import_error(text.p, text.n); };
  made.random = [](void*) { return host::import_random(); };
  made.get_extension = [](void*, std::uint64_t) -> const void* { return nullptr; };
  made.publish = [](void*, std::uint32_t type, symphony_span body) {
    return host::import_publish(type, body.p, body.n);
  };
  made.call_async = [](void*, const symphony_call* call) {
    return host::import_call_async(call->service.p, call->service.n, call->type, call->effect, call->body.p,
                                   call->body.n, call->deadline_ns, call->cookie);
  };
  made.timer_set = [](void*, std::uint64_t id, std::uint64_t at_ns) { return host::import_timer_set(id, at_ns); };
  made.timer_cancel = [](void*, std::uint64_t id) { return host::import_timer_cancel(id); };
  made.cancelled = [](void*) { return host::import_cancelled(); };
  made.mark_dirty = [](void*) { host::import_mark_dirty(); };
  made.reply = [](void*, std::uint64_t request, std::int32_t status, std::uint32_t type, symphony_span body) {
    return host::import_reply(request, status, type, body.p, body.n);
  };
  return made;
}
constexpr symphony_host services = make_host();

// One step more than in pit.h, so that the name is replaced before it is pasted.
#define SYMPHONY_ACCESSOR_OF(name) SYMPHONY_PIT_ACCESSOR(name)
const symphony_pit_entry& pit() { return *SYMPHONY_ACCESSOR_OF(SYMPHONY_PIT_NAME)(); }

// Where a step that the pit left out is a success that does nothing.
std::int32_t step(std::int32_t (*of_pit)(void*)) { return of_pit == nullptr ? SYMPHONY_OK : of_pit(self); }

}  // namespace

SYMPHONY_EXPORT(functions) std::uint32_t symphony_functions() {
  std::uint32_t there = 0;
  if (pit().init != nullptr) there |= SYMPHONY_WASM_HAS_INIT;
  if (pit().start != nullptr) there |= SYMPHONY_WASM_HAS_START;
  if (pit().drain != nullptr) there |= SYMPHONY_WASM_HAS_DRAIN;
  if (pit().snapshot != nullptr) there |= SYMPHONY_WASM_HAS_SNAPSHOT;
  if (pit().restore != nullptr) there |= SYMPHONY_WASM_HAS_RESTORE;
  if (pit().stop != nullptr) there |= SYMPHONY_WASM_HAS_STOP;
  if (pit().timer != nullptr) there |= SYMPHONY_WASM_HAS_TIMER;
  return there;
}

SYMPHONY_EXPORT(buffer) std::uint8_t* symphony_buffer(std::uint32_t size) { return input.at_least(size); }

SYMPHONY_EXPORT(create) std::int32_t symphony_create(const std::uint8_t* p, std::uint32_t n) {
  const std::int32_t status = pit().create(&services, {p, n, 0}, &self);
  return status == SYMPHONY_OK && self == nullptr ? SYMPHONY_INTERNAL : status;
}
SYMPHONY_EXPORT(init) std::int32_t symphony_init() { return step(pit().init); }
SYMPHONY_EXPORT(start) std::int32_t symphony_start() { return step(pit().start); }
SYMPHONY_EXPORT(stop) std::int32_t symphony_stop() { return step(pit().stop); }
SYMPHONY_EXPORT(destroy) void symphony_destroy() { pit().destroy(self); }

SYMPHONY_EXPORT(handle)
std::int32_t symphony_handle(std::uint64_t id, std::uint64_t deadline_ns, std::uint32_t type, std::uint32_t flags,
                             std::uint32_t attempt, std::uint64_t request, const std::uint8_t* body_p,
                             std::uint32_t body_n) {
  const symphony_envelope envelope{
      id, deadline_ns, type, static_cast<std::uint16_t>(flags), static_cast<std::uint8_t>(attempt), 0};
  const symphony_msg message{sizeof(symphony_msg), 0, &envelope, {body_p, body_n, 0}, request};
  return pit().handle(self, &message);
}

SYMPHONY_EXPORT(drain) std::int32_t symphony_drain(std::uint64_t deadline_ns) {
  return pit().drain == nullptr ? SYMPHONY_OK : pit().drain(self, deadline_ns);
}

SYMPHONY_EXPORT(timer) std::int32_t symphony_timer(std::uint64_t id, std::uint64_t now_ns) {
  return pit().timer == nullptr ? SYMPHONY_OK : pit().timer(self, id, now_ns);
}

SYMPHONY_EXPORT(snapshot) std::int32_t symphony_snapshot(std::uint32_t revision) {
  if (pit().snapshot == nullptr) return SYMPHONY_VERSION;
  const symphony_sink to{sizeof(symphony_sink), 0, nullptr,
                         [](void*, symphony_span bytes) { return host::import_snapshot_write(bytes.p, bytes.n); }};
  return pit().snapshot(self, revision, &to);
}

SYMPHONY_EXPORT(restore) std::int32_t symphony_restore(std::uint32_t revision) {
  if (pit().restore == nullptr) return SYMPHONY_VERSION;
  const symphony_source from{sizeof(symphony_source), 0, nullptr,
                             [](void*, symphony_mut_span out) { return host::import_restore_read(out.p, out.n); }};
  return pit().restore(self, revision, &from);
}

// Without exceptions, the library's operator new would hand out null and its callers would write to address 0, which a
// guest may. So running out of memory ends the instance here, and says so.
void* operator new(std::size_t size) {
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) {
    static constexpr char why[] = "out of memory: raise the module's --max-memory";
    host::import_error(reinterpret_cast<const std::uint8_t*>(why), sizeof why - 1);
    __builtin_trap();
  }
  return memory;
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size == 0 ? 1 : size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return std::malloc(size == 0 ? 1 : size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
