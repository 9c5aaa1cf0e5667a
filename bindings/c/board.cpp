#include "bindings/c/board.hpp"

#include <poll.h>

#include <algorithm>
#include <cstring>

#include "bindings/c/failure.hpp"
#include "bindings/c/handles.hpp"

namespace symphony::c_abi {
namespace {

constinit Lasting<AnyWriter, 1024> lasting_writers;
constinit Lasting<AnyReader, 1024> lasting_readers;
auto& writers = lasting_writers.table;
auto& readers = lasting_readers.table;

// Of a cell the newest value; waits only where there is none yet.
TopicValue get(CellReader& cell, std::span<std::byte> into, TimeNs deadline_ns) {
  for (;;) {
    const TopicValue value = cell.read(into);
    if (value.outcome != ReadOutcome::none || now_ns() >= deadline_ns) return value;
    (void)::poll(nullptr, 0, 1);
  }
}
TopicValue get(Subscription& topic, std::span<std::byte> into, TimeNs deadline_ns) {
  return topic.wait_next(into, deadline_ns);
}

std::int32_t status_of_read(ReadOutcome outcome) noexcept {
  switch (outcome) {
    case ReadOutcome::value:
      return SYMPHONY_OK;
    case ReadOutcome::none:
      return SYMPHONY_PENDING;
    case ReadOutcome::busy:
      return SYMPHONY_PENDING;
    case ReadOutcome::too_big:
      return SYMPHONY_TOO_LARGE;
    case ReadOutcome::fault:
      return SYMPHONY_PEER_FAULT;
  }
  return SYMPHONY_E_INTERNAL;
}

}  // namespace

std::uint64_t put_writer(AnyWriter writer) { return writers.put(std::make_unique<AnyWriter>(std::move(writer))); }
std::uint64_t put_reader(AnyReader reader) { return readers.put(std::make_unique<AnyReader>(std::move(reader))); }

}  // namespace symphony::c_abi

using namespace symphony;
using namespace symphony::c_abi;

int32_t symphony_writer_put(symphony_writer writer, uint32_t type, const void* value, size_t size, uint64_t* number) {
  return guarded([&]() -> std::int32_t {
    if (value == nullptr && size != 0) return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_writer_put: no value");
    const auto pin = writers.enter(writer, true);
    if (!pin) return fail(pin.status());
    const std::span<const std::byte> bytes(static_cast<const std::byte*>(value), size);
    const auto written = std::visit([&](auto& end) { return end.write(type, bytes); }, *pin.operator->());
    if (!written) {
      const bool is_too_large = written.error().code == errc::too_large;
      return fail(is_too_large ? SYMPHONY_TOO_LARGE : status_of(written.error().code), written.error().text);
    }
    if (number != nullptr) *number = *written;
    return SYMPHONY_OK;
  });
}

int32_t symphony_writer_close(symphony_writer writer) {
  const std::int32_t closed = writers.close(writer, true);
  return closed == SYMPHONY_OK ? closed : fail(closed);
}

int32_t symphony_reader_get(symphony_reader reader, int64_t wait_ns, void* out, size_t capacity, symphony_value* value,
                            size_t value_size) {
  return guarded([&]() -> std::int32_t {
    if (value == nullptr || value_size == 0 || (out == nullptr && capacity != 0)) {
      return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_reader_get: no place for the value");
    }
    const auto pin = readers.enter(reader, true);
    if (!pin) return fail(pin.status());
    AnyReader& any = *pin.operator->();
    const TimeNs deadline = wait_ns < 0 ? no_deadline_ns : deadline_after(wait_ns);
    const std::span<std::byte> into(static_cast<std::byte*>(out), capacity);
    const TopicValue got = std::visit([&](auto& end) { return get(end, into, deadline); }, any);
    symphony_value to{got.number, got.source, got.dropped, got.type, got.size};
    const std::int32_t status = status_of_read(got.outcome);
    if (status == SYMPHONY_TOO_LARGE) to.size = std::visit([](auto& end) { return end.value_size_max(); }, any);
    std::memset(value, 0, value_size);
    std::memcpy(value, &to, std::min(value_size, sizeof to));
    return status == SYMPHONY_OK || status == SYMPHONY_PENDING ? status : fail(status);
  });
}

int32_t symphony_reader_close(symphony_reader reader) {
  const std::int32_t closed = readers.close(reader, true);
  return closed == SYMPHONY_OK ? closed : fail(closed);
}
