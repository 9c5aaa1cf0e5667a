#include "tools/pit_check/between.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <iterator>
#include <list>

namespace symphony::pit_check {

std::string_view to_string(Hook hook) noexcept {
  static constexpr std::string_view names[] = {"none",    "create", "init",    "start",
                                               "handle",  "timer",  "drain",   "snapshot",
                                               "restore", "stop",   "destroy", "create(), init() or start"};
  return names[static_cast<std::size_t>(hook) % std::size(names)];
}

Between& Between::of_this_process() noexcept {
  static Between one;
  return one;
}

// relaxed: read when this process is gone, or stands still.
Between::Asked::Asked(Hook hook) noexcept
    : outer_(of_this_process().mark_->exchange(static_cast<std::uint8_t>(hook), std::memory_order_relaxed)) {}
// relaxed: as above.
Between::Asked::~Asked() { of_this_process().mark_->store(outer_, std::memory_order_relaxed); }

template <class Call>
std::int32_t Between::run(Hook hook, Call&& call) noexcept {
  // relaxed: read when this process is gone, or stands still.
  const std::uint8_t outer = mark_->exchange(static_cast<std::uint8_t>(hook), std::memory_order_relaxed);
  std::int32_t status = SYMPHONY_INTERNAL;
  const auto keep = [&](const char* what) {
    if (escaped_.empty()) escaped_ = std::string(to_string(hook)) + "() let an exception out: " + what;
  };
  try {
    status = call();
  } catch (const std::exception& e) {
    keep(e.what());
  } catch (...) {
    keep("of no known type");
  }
  // relaxed: as above.
  mark_->store(outer, std::memory_order_relaxed);
  return status;
}

namespace {

// A sink or a source that stops in the middle.
struct Stopping {
  const symphony_sink* sink = nullptr;
  const symphony_source* source = nullptr;
  std::size_t left = 0;
  std::uint64_t refused = 0;
};

std::int32_t write_some(void* context, symphony_span bytes) {
  auto& self = *static_cast<Stopping*>(context);
  if (bytes.n > self.left) {
    ++self.refused;
    return SYMPHONY_OVERLOADED;
  }
  self.left -= bytes.n;
  return self.sink->write(self.sink->context, bytes);
}

std::int64_t read_some(void* context, symphony_mut_span out) {
  auto& self = *static_cast<Stopping*>(context);
  if (out.n > 0 && self.left == 0) {
    ++self.refused;
    return SYMPHONY_OVERLOADED;
  }
  out.n = static_cast<std::uint32_t>(std::min<std::size_t>(out.n, self.left));
  const std::int64_t got = self.source->read(self.source->context, out);
  if (got > 0) self.left -= static_cast<std::size_t>(got);
  return got;
}

}  // namespace

struct Between::Functions {
  static Between& self() noexcept { return of_this_process(); }

  // ---- the host's, as the pit calls them; an instance's table is behind its own

  // The tables that instances have, each as long as its instance: its context is the true host's.
  struct Given {
    symphony_host table;
    void* pit = nullptr;
  };
  static std::list<Given>& given() {
    static std::list<Given> all;
    return all;
  }
  // The true ones: the same functions for every instance.
  static symphony_host& behind() {
    static symphony_host functions{};
    return functions;
  }

  static std::int32_t claim(void* context, std::uint32_t size_min, symphony_mut_span* out) {
    if (!self().refusals_.claims) return behind().claim(context, size_min, out);
    *out = {};
    return self().refusal(SYMPHONY_OVERLOADED);
  }
  static std::int32_t publish(void* context, std::uint32_t type, symphony_span body) {
    return self().refusals_.publishing ? self().refusal(SYMPHONY_DENIED) : behind().publish(context, type, body);
  }
  static std::int32_t call_async(void* context, const symphony_call* call) {
    return self().refusals_.calls ? self().refusal(SYMPHONY_OVERLOADED) : behind().call_async(context, call);
  }
  static std::int32_t timer_set(void* context, std::uint64_t id, std::uint64_t at_ns) {
    return self().refusals_.timers ? self().refusal(SYMPHONY_OVERLOADED) : behind().timer_set(context, id, at_ns);
  }

  // ---- the pit's, as the host calls them

  static std::int32_t create(const symphony_host* host, symphony_span config, void** made) {
    behind() = *host;
    Given& instance = given().emplace_back(Given{*host});
    instance.table.claim = &claim;
    instance.table.publish = &publish;
    instance.table.call_async = &call_async;
    instance.table.timer_set = &timer_set;
    const auto* seen = &instance.table;
    const std::int32_t status = self().run(Hook::create, [&] { return self().pit_.create(seen, config, made); });
    instance.pit = *made;
    if (status != SYMPHONY_OK) given().pop_back();
    return status;
  }
  static std::int32_t init(void* pit) {
    return self().run(Hook::init, [&] { return self().pit_.init(pit); });
  }
  static std::int32_t start(void* pit) {
    return self().run(Hook::start, [&] { return self().pit_.start(pit); });
  }
  static std::int32_t handle(void* pit, const symphony_msg* message) {
    return self().run(Hook::handle, [&] { return self().pit_.handle(pit, message); });
  }
  static std::int32_t timer(void* pit, std::uint64_t id, std::uint64_t now_ns) {
    return self().run(Hook::timer, [&] { return self().pit_.timer(pit, id, now_ns); });
  }
  static std::int32_t drain(void* pit, std::uint64_t deadline_ns) {
    return self().run(Hook::drain, [&] { return self().pit_.drain(pit, deadline_ns); });
  }
  static std::int32_t stop(void* pit) {
    return self().run(Hook::stop, [&] { return self().pit_.stop(pit); });
  }
  static void destroy(void* pit) {
    (void)self().run(Hook::destroy, [&] {
      self().pit_.destroy(pit);
      return SYMPHONY_OK;
    });
    given().remove_if([&](const Given& instance) { return instance.pit == pit; });
  }
  static std::int32_t snapshot(void* pit, std::uint32_t revision, const symphony_sink* to) {
    Stopping stopping{.sink = to, .left = self().refusals_.sink_room.value_or(SIZE_MAX)};
    const symphony_sink sink{sizeof sink, 0, &stopping, &write_some};
    const std::int32_t status = self().run(Hook::snapshot, [&] { return self().pit_.snapshot(pit, revision, &sink); });
    self().refused_ += stopping.refused;
    return status;
  }
  static std::int32_t restore(void* pit, std::uint32_t revision, const symphony_source* from) {
    Stopping stopping{.source = from, .left = self().refusals_.source_gives.value_or(SIZE_MAX)};
    const symphony_source source{sizeof source, 0, &stopping, &read_some};
    const std::int32_t status = self().run(Hook::restore, [&] { return self().pit_.restore(pit, revision, &source); });
    self().refused_ += stopping.refused;
    return status;
  }
};

const symphony_pit_entry& Between::show(const symphony_pit_entry& pit) {
  pit_ = {};
  std::memcpy(&pit_, &pit, std::min<std::size_t>(pit.struct_size, sizeof pit_));
  shown_ = pit_;
  shown_.struct_size = sizeof shown_;
  const auto stand_before = [](auto& function, auto ours) {
    if (function != nullptr) function = ours;  // what the pit left out stays null
  };
  stand_before(shown_.create, &Functions::create);
  stand_before(shown_.init, &Functions::init);
  stand_before(shown_.start, &Functions::start);
  stand_before(shown_.handle, &Functions::handle);
  stand_before(shown_.timer, &Functions::timer);
  stand_before(shown_.drain, &Functions::drain);
  stand_before(shown_.snapshot, &Functions::snapshot);
  stand_before(shown_.restore, &Functions::restore);
  stand_before(shown_.stop, &Functions::stop);
  stand_before(shown_.destroy, &Functions::destroy);
  return shown_;
}

}  // namespace symphony::pit_check
