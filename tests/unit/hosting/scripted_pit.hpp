// A pit in plain C terms whose every function is the test's, and a sink that counts endings.   Layer: tests.
#pragma once

#include <symphony/pit.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pits/hosting/instance.hpp"

namespace symphony::pit::test {

inline symphony_span span_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), static_cast<std::uint32_t>(text.size()), 0};
}

// What the next instances of scripted_entry() do. Functions that are not set succeed.
struct Script {
  const symphony_host* host = nullptr;  // filled in by create
  int created = 0;
  int destroyed = 0;
  std::function<std::int32_t(std::string_view step)> step;  // init, start, drain, stop
  std::function<std::int32_t(const symphony_host&, const symphony_msg&)> handle;
  std::function<std::int32_t(std::uint64_t id, std::uint64_t now_ns)> timer;
  std::function<std::int32_t(const symphony_sink&)> snapshot;
  std::function<std::int32_t(std::uint32_t, const symphony_source&)> restore;

  std::int32_t run_step(std::string_view name) { return step ? step(name) : SYMPHONY_OK; }
};

inline Script*& script() {
  static Script* current = nullptr;
  return current;
}

inline symphony_note& scripted_note() {
  static constexpr symphony_message_note messages[] = {{7, SYMPHONY_EFFECT_READ}, {9, SYMPHONY_EFFECT_ONCE}};
  static constexpr const char* needs[] = {"pool"};
  static symphony_note note;
  note = {sizeof(symphony_note),
          SYMPHONY_ABI_MAJOR,
          SYMPHONY_ABI_MINOR,
          "scripted",
          "1.2.3",
          messages,
          2,
          4096,
          3,
          2,
          needs,
          1,
          0,
          0};
  return note;
}

inline symphony_pit_entry scripted_entry() {
  symphony_pit_entry e{};
  e.struct_size = sizeof e;
  e.note = &scripted_note();
  e.create = [](const symphony_host* host, symphony_span, void** self) -> std::int32_t {
    script()->host = host;
    ++script()->created;
    *self = script();
    return SYMPHONY_OK;
  };
  e.init = [](void* self) { return static_cast<Script*>(self)->run_step("init"); };
  e.start = [](void* self) { return static_cast<Script*>(self)->run_step("start"); };
  e.drain = [](void* self, std::uint64_t) { return static_cast<Script*>(self)->run_step("drain"); };
  e.stop = [](void* self) { return static_cast<Script*>(self)->run_step("stop"); };
  e.handle = [](void* self, const symphony_msg* m) -> std::int32_t {
    auto& s = *static_cast<Script*>(self);
    return s.handle ? s.handle(*s.host, *m) : SYMPHONY_OK;
  };
  e.snapshot = [](void* self, std::uint32_t, const symphony_sink* to) -> std::int32_t {
    auto& s = *static_cast<Script*>(self);
    return s.snapshot ? s.snapshot(*to) : SYMPHONY_OK;
  };
  e.restore = [](void* self, std::uint32_t revision, const symphony_source* from) -> std::int32_t {
    auto& s = *static_cast<Script*>(self);
    return s.restore ? s.restore(revision, *from) : SYMPHONY_OK;
  };
  e.timer = [](void* self, std::uint64_t id, std::uint64_t now_ns) -> std::int32_t {
    auto& s = *static_cast<Script*>(self);
    return s.timer ? s.timer(id, now_ns) : SYMPHONY_OK;
  };
  e.destroy = [](void* self) { ++static_cast<Script*>(self)->destroyed; };
  return e;
}

class LogLines final : public LogSink {
 public:
  void write(std::int32_t level, std::string_view pit, std::string_view line) noexcept override {
    std::string& whole = lines.emplace_back(std::to_string(level));
    whole.append(" ").append(pit).append(": ").append(line);
  }
  [[nodiscard]] bool contains(std::string_view part) const {
    for (const std::string& line : lines) {
      if (line.find(part) != std::string::npos) return true;
    }
    return false;
  }
  std::vector<std::string> lines;
};

// Keeps the last ending, and how many there were.
class RecordingSink final : public ReplySink {
 public:
  bool claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept override {
    ++claims;
    if (size_min > room) return false;
    bytes.assign(room, std::byte{0});
    out = bytes;
    return true;
  }
  void commit(std::uint32_t used, std::uint32_t reply_type) noexcept override {
    ++endings;
    status = SYMPHONY_OK;
    type = reply_type;
    body.assign(reinterpret_cast<const char*>(bytes.data()), used);
  }
  void fail(std::int32_t failed, std::string_view why) noexcept override {
    ++endings;
    status = failed;
    text = why;
  }
  ReplySink* defer(std::uint64_t request) noexcept override {
    deferred = request;
    return this;
  }
  [[nodiscard]] bool abandoned() const noexcept override { return is_abandoned; }
  std::size_t room = 8192;
  std::uint64_t deferred = 0;  // the request that was left for later
  bool is_abandoned = false;
  int claims = 0;
  int endings = 0;
  std::int32_t status = 12345;
  std::uint32_t type = 0;
  std::string body;
  std::string text;
  std::vector<std::byte> bytes;
};

}  // namespace symphony::pit::test
