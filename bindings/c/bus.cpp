// The library itself, brokers and connections to them.
#include <algorithm>
#include <climits>
#include <string>
#include <vector>

#include <symphony/broker.hpp>
#include <symphony/endpoint.hpp>
#include <symphony/type_id.hpp>

#include "bindings/c/board.hpp"
#include "bindings/c/failure.hpp"
#include "bindings/c/handles.hpp"
#include "bindings/c/link.hpp"

namespace symphony::c_abi {
namespace {

constinit Lasting<EmbeddedBroker, 64> lasting_brokers;
constinit Lasting<Endpoint, 256> lasting_buses;
auto& brokers = lasting_brokers.table;
auto& buses = lasting_buses.table;

constexpr std::string_view no_place = "too many handles are open: close some";

template <class Table, class Object>
std::int32_t give_handle(Table& table, Object&& object, std::uint64_t* out) {
  const std::uint64_t handle = table.put(std::make_unique<std::decay_t<Object>>(std::forward<Object>(object)));
  if (handle == 0) return fail(SYMPHONY_E_OUT_OF_MEMORY, no_place);
  *out = handle;
  return SYMPHONY_OK;
}

std::string text_or_empty(const char* text) { return text == nullptr ? std::string() : std::string(text); }

void read_words(const char* const* from, std::vector<std::string>& to) {
  for (; from != nullptr && *from != nullptr; ++from) to.emplace_back(*from);
}

std::int32_t read_pit(const symphony_pit_config& from, PitConfig& to) {
  symphony_pit_config given;
  if (!read_options(&from, given)) return fail(SYMPHONY_E_INVALID_ARGUMENT, "pits: set struct_size to its sizeof");
  if (given.name == nullptr || given.executable == nullptr) {
    return fail(SYMPHONY_E_INVALID_ARGUMENT, "pits: each needs a name and an executable");
  }
  if (given.trust > SYMPHONY_TRUST_HOSTILE) return fail(SYMPHONY_E_INVALID_ARGUMENT, "pits: trust is 0, 1 or 2");
  to.name = given.name;
  to.executable = given.executable;
  read_words(given.arguments, to.args);
  read_words(given.environment, to.environment);
  to.config = text_or_empty(given.config);
  constexpr Trust trusts[] = {Trust::cooperative, Trust::trusted, Trust::hostile};
  to.trust = trusts[given.trust];
  to.instances = given.instances == 0 ? 1 : given.instances;
  to.start_at_once = given.is_lazy == 0;
  return SYMPHONY_OK;
}

// A terminated copy of what fits.
template <std::size_t size>
void put_text(char (&to)[size], const std::string& from) {
  const std::size_t length = std::min(from.size(), size - 1);
  std::memcpy(to, from.data(), length);
}

}  // namespace

BusPin enter_bus(symphony_bus bus) noexcept { return buses.enter(bus, false); }

}  // namespace symphony::c_abi

using namespace symphony;
using namespace symphony::c_abi;

uint32_t symphony_abi_version(void) { return SYMPHONY_C_ABI_MAJOR << 16 | SYMPHONY_C_ABI_MINOR; }
const char* symphony_version(void) { return SYMPHONY_PROJECT_VERSION; }
uint32_t symphony_type_id(const char* table) { return table == nullptr ? 0 : type_id(table); }
void symphony_free(const void* memory) { delete[] static_cast<const std::byte*>(memory); }

int32_t symphony_broker_start(const symphony_broker_options* options, symphony_broker* broker) {
  return guarded([&]() -> std::int32_t {
    symphony_broker_options given;
    if (broker == nullptr || !read_options(options, given) || (given.pit_count != 0 && given.pits == nullptr)) {
      return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_broker_start: wants options with a size, pits and a handle");
    }
    BrokerOptions made;
    made.keeper_executable = text_or_empty(given.keeper_executable);
    const auto* next = reinterpret_cast<const unsigned char*>(given.pits);
    for (std::uint32_t i = 0; i < given.pit_count; ++i) {
      const auto& pit = *reinterpret_cast<const symphony_pit_config*>(next);
      const std::int32_t read = read_pit(pit, made.pits.emplace_back());
      if (read != SYMPHONY_OK) return read;
      next += pit.struct_size;
    }
    auto started = EmbeddedBroker::start(std::move(made));
    return started ? give_handle(brokers, *std::move(started), broker) : fail(started.error());
  });
}

int32_t symphony_broker_connect(symphony_broker broker, symphony_bus* bus) {
  return guarded([&]() -> std::int32_t {
    if (bus == nullptr) return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_broker_connect: no place for the handle");
    const auto pin = brokers.enter(broker, false);
    if (!pin) return fail(pin.status());
    auto socket = pin->connect();
    if (!socket) return fail(socket.error());
    auto endpoint = Endpoint::adopt(*std::move(socket));
    return endpoint ? give_handle(buses, *std::move(endpoint), bus) : fail(endpoint.error());
  });
}

int32_t symphony_broker_kill_pit(symphony_broker broker, const char* pit, int32_t* pid) {
  return guarded([&]() -> std::int32_t {
    if (pit == nullptr) return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_broker_kill_pit: name a pit");
    const auto pin = brokers.enter(broker, false);
    if (!pin) return fail(pin.status());
    const auto killed = pin->kill_pit(pit);
    if (!killed) return fail(killed.error());
    if (pid != nullptr) *pid = *killed;
    return SYMPHONY_OK;
  });
}

int32_t symphony_broker_stop(symphony_broker broker) {
  const std::int32_t closed = brokers.close(broker, false);
  return closed == SYMPHONY_OK ? closed : fail(closed);
}

int32_t symphony_bus_connect(const symphony_connect_options* options, symphony_bus* bus) {
  return guarded([&]() -> std::int32_t {
    symphony_connect_options given;
    if (bus == nullptr || !read_options(options, given)) {
      return fail(SYMPHONY_E_INVALID_ARGUMENT,
                  "symphony_bus_connect: wants options with a size, and a place for the handle");
    }
    ConnectOptions made;
    if (given.realm != nullptr) made.realm = given.realm;
    if (given.path != nullptr) made.path = given.path;
    if (given.timeout_ns > 0) made.timeout_ns = given.timeout_ns;
    auto endpoint = Endpoint::connect(made);
    return endpoint ? give_handle(buses, *std::move(endpoint), bus) : fail(endpoint.error());
  });
}

int32_t symphony_bus_adopt(int fd, symphony_bus* bus) {
  return guarded([&]() -> std::int32_t {
    UniqueFd socket(fd);
    if (bus == nullptr || fd < 0)
      return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_bus_adopt: wants a descriptor and a place");
    auto endpoint = Endpoint::adopt(std::move(socket));
    return endpoint ? give_handle(buses, *std::move(endpoint), bus) : fail(endpoint.error());
  });
}

int32_t symphony_bus_list(symphony_bus bus, int64_t timeout_ns, symphony_pit_info* pits, size_t info_size,
                          size_t capacity, size_t* count, uint64_t* generation) {
  return guarded([&]() -> std::int32_t {
    if (count == nullptr || (capacity != 0 && (pits == nullptr || info_size == 0))) {
      return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_bus_list: no place for the answer");
    }
    const auto pin = buses.enter(bus, false);
    if (!pin) return fail(pin.status());
    const auto answer = pin->status(timeout_ns < 0 ? 5 * second_ns : timeout_ns);
    if (!answer) return fail(answer.error());
    auto* next = reinterpret_cast<unsigned char*>(pits);
    for (std::size_t i = 0; i < answer->pits.size() && i < capacity; ++i, next += info_size) {
      const PitInfo& from = answer->pits[i];
      symphony_pit_info to{};
      put_text(to.name, from.name);
      put_text(to.state, from.state);
      to.pid = from.pid;
      to.instance = from.instance;
      to.links = from.links;
      std::memset(next, 0, info_size);
      std::memcpy(next, &to, std::min(info_size, sizeof to));
    }
    *count = answer->pits.size();
    if (generation != nullptr) *generation = answer->generation;
    return SYMPHONY_OK;
  });
}

int32_t symphony_bus_close(symphony_bus bus) {
  const std::int32_t closed = buses.close(bus, false);
  return closed == SYMPHONY_OK ? closed : fail(closed);
}

int32_t symphony_bus_open(symphony_bus bus, const char* pit, const symphony_link_options* options, int64_t timeout_ns,
                          symphony_link* link) {
  return guarded([&]() -> std::int32_t {
    symphony_link_options given;
    if (link == nullptr || pit == nullptr || !read_options(options, given) || given.waiting > SYMPHONY_WAIT_SLEEP ||
        given.attempts_max > UINT8_MAX) {
      return fail(SYMPHONY_E_INVALID_ARGUMENT,
                  "symphony_bus_open: wants a pit's name, options with a size, and a place");
    }
    LinkOptions made;
    made.request_capacity = given.request_capacity;
    made.reply_capacity = given.reply_capacity;
    if (given.in_flight_max != 0) made.in_flight_max = given.in_flight_max;
    if (given.attempts_max != 0) made.attempts_max = static_cast<std::uint8_t>(given.attempts_max);
    constexpr Waiting ways[] = {Waiting::adaptive, Waiting::spin, Waiting::sleep};
    made.waiting = ways[given.waiting];
    const auto pin = buses.enter(bus, false);
    if (!pin) return fail(pin.status());
    auto opened = pin->open(pit, made, timeout_ns < 0 ? default_call_timeout_ns : timeout_ns);
    if (!opened) return fail(opened.error());
    *link = put_link(*std::move(opened));
    return *link != 0 ? SYMPHONY_OK : fail(SYMPHONY_E_OUT_OF_MEMORY, no_place);
  });
}

int32_t symphony_bus_write(symphony_bus bus, const char* name, const symphony_board_options* options,
                           int64_t timeout_ns, symphony_writer* writer) {
  return guarded([&]() -> std::int32_t {
    symphony_board_options given;
    if (writer == nullptr || name == nullptr || !read_options(options, given) || given.kind > SYMPHONY_TOPIC) {
      return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_bus_write: wants a name, options with a size, and a place");
    }
    const auto pin = buses.enter(bus, false);
    if (!pin) return fail(pin.status());
    const TimeNs timeout = timeout_ns < 0 ? 5 * second_ns : timeout_ns;
    const std::uint32_t size = given.value_size_max == 0 ? CellOptions{}.value_size_max : given.value_size_max;
    const std::uint32_t history = given.history == 0 ? TopicOptions{}.history : given.history;
    if (given.kind == SYMPHONY_CELL) {
      auto made = pin->write_cell(name, {.value_size_max = size}, timeout);
      if (!made) return fail(made.error());
      *writer = put_writer(*std::move(made));
    } else {
      auto made = pin->publish(name, {.value_size_max = size, .history = history}, timeout);
      if (!made) return fail(made.error());
      *writer = put_writer(*std::move(made));
    }
    return *writer != 0 ? SYMPHONY_OK : fail(SYMPHONY_E_OUT_OF_MEMORY, no_place);
  });
}

int32_t symphony_bus_read(symphony_bus bus, const char* name, const symphony_board_options* options, int64_t timeout_ns,
                          symphony_reader* reader) {
  return guarded([&]() -> std::int32_t {
    symphony_board_options given;
    if (reader == nullptr || name == nullptr || !read_options(options, given) || given.kind > SYMPHONY_TOPIC) {
      return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_bus_read: wants a name, options with a size, and a place");
    }
    const auto pin = buses.enter(bus, false);
    if (!pin) return fail(pin.status());
    const TimeNs timeout = timeout_ns < 0 ? 5 * second_ns : timeout_ns;
    if (given.kind == SYMPHONY_CELL) {
      auto made = pin->read_cell(name, timeout);
      if (!made) return fail(made.error());
      *reader = put_reader(*std::move(made));
    } else {
      auto made = pin->subscribe(name, given.history, timeout);
      if (!made) return fail(made.error());
      *reader = put_reader(*std::move(made));
    }
    return *reader != 0 ? SYMPHONY_OK : fail(SYMPHONY_E_OUT_OF_MEMORY, no_place);
  });
}
