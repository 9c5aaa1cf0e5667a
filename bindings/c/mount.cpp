// A pit as a whole: loaded into this program, or of a broker; its state saved and restored.
#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "bindings/c/failure.hpp"
#include "bindings/c/handles.hpp"
#include "bindings/c/link.hpp"
#include "pits/hosting/dynamic/dynamic_host.hpp"
#include "pits/hosting/pit_file.hpp"
#include "pits/hosting/process/process_host.hpp"
#include "pits/hosting/process/snapshot_frame.hpp"

namespace symphony::c_abi {
namespace {

// The bus goes last: the host speaks over it.
struct MountObject {
  std::optional<BusPin> bus;
  std::unique_ptr<pit::Host> host;
  std::unique_ptr<pit::Link> link;  // of a pit in this program: opened with it
  std::uint64_t calls = 0;
};

constinit Lasting<MountObject, 1024> lasting_mounts;
auto& mounts = lasting_mounts.table;

std::int32_t fail_with(const pit::Outcome& outcome) noexcept {
  return outcome.text.empty() ? fail(outcome.status) : fail(outcome.status, outcome.text);
}

template <class Work>
auto with_mount(symphony_mount handle, bool arguments_are_right, Work&& work) noexcept
    -> decltype(work(std::declval<MountObject&>())) {
  return guarded([&]() -> decltype(work(std::declval<MountObject&>())) {
    if (!arguments_are_right)
      return fail(SYMPHONY_E_INVALID_ARGUMENT, "a null pointer where something is read or written");
    const auto pin = mounts.enter(handle, true);
    if (!pin) return fail(pin.status());
    return std::forward<Work>(work)(*pin.operator->());
  });
}

std::int32_t give_mount(std::unique_ptr<MountObject> object, symphony_mount* mount) {
  const std::uint64_t handle = mounts.put(std::move(object));
  if (handle == 0) return fail(SYMPHONY_E_OUT_OF_MEMORY, "too many pits are mounted: close some");
  *mount = handle;
  return SYMPHONY_OK;
}

std::byte* copy_of(std::span<const std::byte> bytes) {
  auto* const memory = new std::byte[bytes.size() + 1];  // symphony_free()
  std::ranges::copy(bytes, memory);
  return memory;
}

// The reply as the _into functions return it.
std::int64_t give_reply(const pit::Reply& from, std::uint64_t id, void* out, std::size_t capacity, symphony_reply* to) {
  *to = {};
  to->id = id;
  to->type = from.type;
  to->status = from.status;
  to->text = from.text.data();
  to->text_size = from.text.size();
  if (!from.ok()) {
    (void)(from.text.empty() ? fail(from.status) : fail(from.status, from.text));
    return from.status > 0 ? SYMPHONY_PIT_STATUS : from.status;
  }
  to->size = from.body.size();
  if (from.body.size() <= capacity) {
    std::ranges::copy(from.body, static_cast<std::byte*>(out));
  } else {
    to->body = copy_of(from.body);
  }
  return static_cast<std::int64_t>(from.body.size());
}

}  // namespace
}  // namespace symphony::c_abi

using namespace symphony;
using namespace symphony::c_abi;

int32_t symphony_mount_file(const char* file, const char* config, symphony_mount* mount) {
  return guarded([&]() -> std::int32_t {
    if (file == nullptr || mount == nullptr)
      return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_mount_file: name a file, and a place for the handle");
    pit::PitFile read;
    if (const pit::Outcome o = pit::read_pit_file(file, read); !o.ok()) {
      return o.status == SYMPHONY_UNREACHABLE ? fail(SYMPHONY_E_NOT_FOUND, o.text) : fail_with(o);
    }
    if (!read.notes[0].info.needs.empty())
      return fail(SYMPHONY_E_REFUSED, "this pit calls other pits: run it behind a broker, which introduces them");
    std::unique_ptr<pit::DynamicHost> host;
    if (const pit::Outcome o = pit::DynamicHost::mount(read, {.config = config == nullptr ? "" : config}, host);
        !o.ok())
      return fail_with(o);
    auto object = std::make_unique<MountObject>();
    object->host = std::move(host);
    if (const pit::Outcome o = object->host->open(object->link); !o.ok()) return fail_with(o);
    return give_mount(std::move(object), mount);
  });
}

int32_t symphony_mount_pit(symphony_bus bus, const char* pit, int64_t timeout_ns, symphony_mount* mount) {
  return guarded([&]() -> std::int32_t {
    if (pit == nullptr || mount == nullptr)
      return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_mount_pit: name a pit, and a place for the handle");
    auto object = std::make_unique<MountObject>();
    if (!object->bus.emplace(enter_bus(bus))) return fail(object->bus->status());
    pit::ProcessOptions options;
    if (timeout_ns >= 0) options.open_timeout_ns = timeout_ns;
    std::unique_ptr<pit::ProcessHost> host;
    const pit::Outcome o = pit::ProcessHost::mount(**object->bus, pit, options, host);
    if (!o.ok()) return fail_with(o);
    object->host = std::move(host);
    return give_mount(std::move(object), mount);
  });
}

int64_t symphony_mount_call_into(symphony_mount mount, uint32_t type, const void* body, size_t size,
                                 const symphony_call_options* options, void* out, size_t capacity,
                                 symphony_reply* reply) {
  const bool right = (body != nullptr || size == 0) && (out != nullptr || capacity == 0) && reply != nullptr;
  return with_mount(mount, right, [&](MountObject& object) -> std::int64_t {
    symphony_call_options given;
    if (!read_options(options, given) && options != nullptr)
      return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_mount_call_into: options without a size");
    if (object.link == nullptr)
      return fail(SYMPHONY_E_INVALID_ARGUMENT, "a broker's pit is called by a link: symphony_bus_open");
    const pit::Request request{.type = type,
                               .effect = given.effect,
                               .body = {static_cast<const std::byte*>(body), size},
                               .deadline_ns = given.timeout_ns > 0 ? deadline_after(given.timeout_ns) : no_deadline_ns};
    return give_reply(object.link->call(request), ++object.calls, out, capacity, reply);
  });
}

int32_t symphony_mount_save(symphony_mount mount, uint32_t* revision, void** bytes, size_t* size) {
  const bool right = revision != nullptr && bytes != nullptr && size != nullptr;
  return with_mount(mount, right, [&](MountObject& object) -> std::int32_t {
    pit::Snapshot taken;
    if (const pit::Outcome o = object.host->snapshot(taken); !o.ok()) return fail_with(o);
    const auto frame = pit::runtime::write_frame(taken);
    *bytes = copy_of(frame);
    *size = frame.size();
    *revision = taken.revision;
    return SYMPHONY_OK;
  });
}

int32_t symphony_mount_restore(symphony_mount mount, uint32_t revision, const void* bytes, size_t size) {
  return with_mount(mount, bytes != nullptr, [&](MountObject& object) -> std::int32_t {
    const auto read = pit::runtime::read_frame(revision, {static_cast<const std::byte*>(bytes), size});
    if (!read) return fail(SYMPHONY_BAD_MESSAGE, "these bytes are no saved state: take what symphony_mount_save gave");
    const pit::Outcome o = object.host->restore(*read);
    return o.ok() ? SYMPHONY_OK : fail_with(o);
  });
}

int32_t symphony_mount_close(symphony_mount mount) {
  const std::int32_t closed = mounts.close(mount, true);
  return closed == SYMPHONY_OK ? closed : fail(closed);
}
