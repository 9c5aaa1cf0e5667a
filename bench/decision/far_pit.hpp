// A pit in another process that no bus leads to: what crosses, and both ends of it but for the carrying. No restart:
// nobody watches over it.   Layer: bench. Threads: one a process.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include <symphony/unique_fd.hpp>

#include "bench/decision/door.hpp"
#include "tools/symphony/schema_messages.hpp"

namespace symphony::bench {

enum class FarKind : std::uint32_t { call, snapshot, restore };

// In front of each message, a body and a text behind it.
struct FarHead {
  FarKind kind = FarKind::call;
  std::uint32_t type = 0;
  std::uint32_t effect = 0;
  std::int32_t status = 0;
  std::uint32_t revision = 0;
  std::uint32_t timers = 0;
  std::uint64_t body = 0;  // bytes
  std::uint64_t text = 0;
};

struct FarMessage {
  FarHead head;
  std::vector<std::byte> body;
  std::string text;
};
// The same, lent.
struct FarView {
  FarHead head;
  std::span<const std::byte> body{};
  std::string_view text{};
};

// JSON by the schema, with the table of a type looked up once.
class Translator {
 public:
  explicit Translator(tools::SchemaMessages schema) : schema_(std::move(schema)) {}
  // False: not in the schema.
  [[nodiscard]] bool to_json(std::uint32_t type, std::span<const std::byte> bytes, std::string& out) {
    if (bytes.empty()) return out.clear(), true;
    auto text = schema_.to_json(table(type), bytes);
    if (text) out = std::move(*text);
    return static_cast<bool>(text);
  }
  [[nodiscard]] bool to_bytes(std::uint32_t type, const std::string& json, std::vector<std::byte>& out) {
    if (json.empty()) return out.clear(), true;
    auto bytes = schema_.to_bytes(table(type), json);
    if (bytes) out = std::move(*bytes);
    return static_cast<bool>(bytes);
  }

 private:
  const std::string& table(std::uint32_t type) {
    const auto [at, is_new] = tables_.try_emplace(type);
    if (is_new) at->second = schema_.table_of(type);
    return at->second;
  }
  tools::SchemaMessages schema_;
  std::map<std::uint32_t, std::string> tables_;
};

// The pit's end: what is to be answered to each message.
class FarPit {
 public:
  FarPit(Door& pit, Translator* json) noexcept : pit_(pit), json_(json) {}
  // The answer holds until the next call; the message's body may be taken. False: not in the schema.
  [[nodiscard]] bool answer(FarMessage& message, FarView& out);

 private:
  Door& pit_;
  Translator* json_;  // null: bodies cross as they are
  TracedCall call_{};
  PitState state_{};
  StepResult done_{};
  std::string as_json_;
};

// The caller's end, and the process of the pit's.
class FarDoor : public Door {
 public:
  ~FarDoor() override;
  Reply call(const TracedCall& call) noexcept override;
  StepResult snapshot(PitState& out) override;
  StepResult restore(const PitState& from) override;
  [[nodiscard]] pid_t process() const override { return pid_; }
  [[nodiscard]] bool compares_json() const noexcept override { return json_.has_value(); }
  [[nodiscard]] std::string json_of(std::uint32_t type, std::span<const std::byte> bytes) override;

 protected:
  // Opens the pit in a process of its own and runs `serve` there, whose return is the end of that process. With a
  // schema of the plan, messages cross as JSON where `as_json` is set. `line()` is a stream socket to it.
  [[nodiscard]] bool start(const DoorPlan& plan, bool as_json, std::string& why,
                           const std::function<int(int line, FarPit&)>& serve);
  [[nodiscard]] int line() const noexcept { return line_.get(); }
  // Sends the message and waits for the answer, which goes into answer_. False: the other process is gone.
  [[nodiscard]] virtual bool exchange(const FarView& message) noexcept = 0;

  FarMessage answer_;

 private:
  std::optional<Translator> json_;
  UniqueFd line_;
  pid_t pid_ = -1;
  std::vector<std::byte> request_bytes_;
  std::string request_, reply_json_;
};

// One message on a stream socket: one write each. False: the other end is gone, or it is no message.
[[nodiscard]] bool send_message(int fd, const FarView& message) noexcept;
[[nodiscard]] bool read_message(int fd, FarMessage& message);

[[nodiscard]] inline std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace symphony::bench
