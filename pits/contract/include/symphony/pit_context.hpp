// What a pit's handlers are given and what they return: Status, Result, In, Raw, Answer, Sink, Source, Ctx.   Layer:
// contract. Authors include <symphony/pit.hpp>, which includes this. Nothing here throws; it compiles without
// exceptions and RTTI. Threads: an instance is serial; none of these objects may be kept after the call that handed it
// out.
#pragma once

#include <flatbuffers/flatbuffers.h>
#include <symphony/pit.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <symphony/message_type.hpp>

namespace symphony {

namespace pit {

inline constexpr std::uint32_t verify_depth_max = 16;
inline constexpr std::uint32_t verify_tables_max = 1'000'000;

}  // namespace pit

// 0, or a code (pit.h) with a reason. The text is borrowed: static, or made by Ctx::fail and valid until the handler
// returns.
class Status {
 public:
  constexpr Status() noexcept = default;
  constexpr Status(std::int32_t code, std::string_view text) noexcept : code_(code), text_(text) {}
  [[nodiscard]] constexpr bool ok() const noexcept { return code_ == SYMPHONY_OK; }
  [[nodiscard]] constexpr std::int32_t code() const noexcept { return code_; }
  [[nodiscard]] constexpr std::string_view text() const noexcept { return text_; }

 private:
  std::int32_t code_ = SYMPHONY_OK;
  std::string_view text_;
};

[[nodiscard]] constexpr Status ok() noexcept { return {}; }
// For texts that are fixed; Ctx::fail composes one.
[[nodiscard]] constexpr Status fail(std::int32_t code, std::string_view static_text) noexcept {
  return {code, static_text};
}

// What a handler with one kind of reply returns: the finished root table T, or why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(flatbuffers::Offset<T> root) noexcept : root_(root) {}  // NOLINT(google-explicit-constructor)
  Result(Status failure) noexcept                                // NOLINT(google-explicit-constructor)
      : failure_(failure.ok() ? Status(SYMPHONY_INTERNAL, "the handler returned success without a reply") : failure) {}
  [[nodiscard]] bool ok() const noexcept { return failure_.ok(); }
  [[nodiscard]] Status failure() const noexcept { return failure_; }
  [[nodiscard]] flatbuffers::Offset<T> root() const noexcept { return root_; }

 private:
  flatbuffers::Offset<T> root_;
  Status failure_;
};

// A verified message. The table lives until the handler returns.
template <class T>
class In {
 public:
  In(const T& table, const symphony_msg& message) noexcept : table_(&table), message_(&message) {}
  [[nodiscard]] const T* operator->() const noexcept { return table_; }
  [[nodiscard]] const T& operator*() const noexcept { return *table_; }
  [[nodiscard]] const symphony_envelope& envelope() const noexcept { return *message_->envelope; }
  [[nodiscard]] symphony_span bytes() const noexcept { return message_->body; }

 private:
  const T* table_;
  const symphony_msg* message_;
};

// A message of a type that the pit did not list, unverified: for pits that have on_raw().
class Raw {
 public:
  explicit Raw(const symphony_msg& message) noexcept : message_(&message) {}
  [[nodiscard]] const symphony_envelope& envelope() const noexcept { return *message_->envelope; }
  [[nodiscard]] symphony_span bytes() const noexcept { return message_->body; }

 private:
  const symphony_msg* message_;
};

// The one answer to a call of this pit's own (Ctx::call): with the cookie that the call was given, and the reply or why
// there is none.
class Answer {
 public:
  explicit Answer(const symphony_msg& message) noexcept : message_(&message) {
    if ((message.envelope->flags & SYMPHONY_FLAG_ERROR) == 0) return;
    std::memcpy(&status_, message.body.p, sizeof status_);
    text_ = {reinterpret_cast<const char*>(message.body.p) + error_head_size, message.body.n - error_head_size};
  }
  [[nodiscard]] std::uint64_t cookie() const noexcept { return message_->envelope->id; }
  [[nodiscard]] bool ok() const noexcept { return status_ == SYMPHONY_OK; }
  // OK, or the ending that the call had: the other pit's status, or one of the host's.
  [[nodiscard]] std::int32_t status() const noexcept { return status_; }
  [[nodiscard]] std::string_view text() const noexcept { return text_; }
  [[nodiscard]] std::uint32_t type() const noexcept { return message_->envelope->type; }
  [[nodiscard]] symphony_span bytes() const noexcept { return ok() ? message_->body : symphony_span{}; }
  // The reply as a table, verified; null when it is not a valid T, or the call failed.
  template <class T>
  [[nodiscard]] const T* get() const noexcept {
    if (!ok() || type() != pit::message_type(T::GetFullyQualifiedName())) return nullptr;
    flatbuffers::Verifier verifier(message_->body.p, message_->body.n, pit::verify_depth_max, pit::verify_tables_max);
    return verifier.VerifyBuffer<T>(nullptr) ? flatbuffers::GetRoot<T>(message_->body.p) : nullptr;
  }

 private:
  static constexpr std::size_t error_head_size = 8;

  const symphony_msg* message_;
  std::int32_t status_ = SYMPHONY_OK;
  std::string_view text_;
};

namespace pit {

struct SinkState {
  const symphony_sink* to;
  Status status;
};
struct SourceState {
  const symphony_source* from;
  Status status;
};

// Bytes with a fixed image: what write_value and read_value may move.
template <class T>
concept Plain = std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>;

}  // namespace pit

// Where snapshot() writes. After a failure further writes do nothing and return that failure, so the last one's status
// is the status of all and the others may be ignored.
class Sink {
 public:
  explicit Sink(pit::SinkState& state) noexcept : state_(&state) {}
  Status write(const void* bytes, std::size_t size) noexcept {
    const auto* at = static_cast<const std::uint8_t*>(bytes);
    while (state_->status.ok() && size > 0) {
      const std::size_t now = size < chunk_size_max ? size : chunk_size_max;
      const std::int32_t code = state_->to->write(state_->to->context, {at, static_cast<std::uint32_t>(now), 0});
      if (code != SYMPHONY_OK) state_->status = fail(code, "the host did not take the snapshot");
      at += now;
      size -= now;
    }
    return state_->status;
  }
  Status write(const flatbuffers::FlatBufferBuilder& finished) noexcept {
    return write(finished.GetBufferPointer(), finished.GetSize());
  }
  template <pit::Plain T>
  Status write_value(const T& value) noexcept {
    return write(&value, sizeof value);
  }
  [[nodiscard]] Status status() const noexcept { return state_->status; }

  static constexpr std::size_t chunk_size_max = std::size_t{1} << 30;

 private:
  pit::SinkState* state_;
};

// Where restore() reads. Short reads of the host are joined; a failure stays.
class Source {
 public:
  explicit Source(pit::SourceState& state) noexcept : state_(&state) {}
  // Bytes read: `size`, or fewer at the end of the snapshot or after a failure.
  [[nodiscard]] std::size_t read(void* out, std::size_t size) noexcept {
    std::size_t got = 0;
    while (state_->status.ok() && got < size) {
      const std::size_t want = size - got < Sink::chunk_size_max ? size - got : Sink::chunk_size_max;
      const std::int64_t n = state_->from->read(
          state_->from->context, {static_cast<std::uint8_t*>(out) + got, static_cast<std::uint32_t>(want), 0});
      if (n == 0) break;
      if (n < 0 || static_cast<std::uint64_t>(n) > want) {
        state_->status =
            fail(n < 0 ? static_cast<std::int32_t>(n) : SYMPHONY_INTERNAL, "the host's snapshot source failed");
        break;
      }
      got += static_cast<std::size_t>(n);
    }
    return got;
  }
  // Exactly `size` bytes; BAD_MESSAGE when the snapshot ends before them.
  [[nodiscard]] Status read_exact(void* out, std::size_t size) noexcept {
    const std::size_t got = read(out, size);
    if (state_->status.ok() && got != size) state_->status = fail(SYMPHONY_BAD_MESSAGE, "the snapshot ends too early");
    return state_->status;
  }
  // Leaves `value` alone on failure.
  template <pit::Plain T>
  [[nodiscard]] Status read_value(T& value) noexcept {
    alignas(T) unsigned char image[sizeof(T)];
    const Status status = read_exact(image, sizeof image);
    if (status.ok()) std::memcpy(&value, image, sizeof image);
    return status;
  }
  // All that is left, appended to `out`; TOO_LARGE when that is more than `size_max`.
  [[nodiscard]] Status read_all(std::vector<std::uint8_t>& out, std::size_t size_max) {
    std::uint8_t chunk[4096];
    for (std::size_t total = 0;;) {
      const std::size_t n = read(chunk, sizeof chunk);
      if (!state_->status.ok() || n == 0) return state_->status;
      total += n;
      if (total > size_max)
        return state_->status = fail(SYMPHONY_TOO_LARGE, "the snapshot is larger than this pit allows");
      out.insert(out.end(), chunk, chunk + n);
    }
  }
  [[nodiscard]] Status status() const noexcept { return state_->status; }

 private:
  pit::SourceState* state_;
};

// The host as a handler sees it, with the instance's reused reply builder.
class Ctx {
 public:
  explicit Ctx(const symphony_host& host) noexcept : host_(&host) {}
  Ctx(const Ctx&) = delete;
  Ctx& operator=(const Ctx&) = delete;

  // --- replying -----------------------------------------------------------------------------------------------------
  // Empty at the first use in each call; keeps its memory between calls. Alignment up to 8 is kept on the way.
  [[nodiscard]] flatbuffers::FlatBufferBuilder& builder() {
    if (!builder_used_) {
      builder_.Clear();
      builder_used_ = true;
    }
    return builder_;
  }
  // A string in the builder, from texts and integers in order.
  template <class... Parts>
  [[nodiscard]] flatbuffers::Offset<flatbuffers::String> text(const Parts&... parts) {
    scratch_.clear();
    (append(scratch_, parts), ...);
    return builder().CreateString(scratch_.data(), scratch_.size());
  }
  // Ends the request with this table, for handlers with more than one kind of reply. Return what it returns.
  template <class T>
  [[nodiscard]] Status reply(flatbuffers::Offset<T> root) {
    static_assert(pit::message_type(T::GetFullyQualifiedName()) != 0, "this table's name hashes to 0: rename it");
    builder().Finish(root);
    return reply_bytes(pit::message_type(T::GetFullyQualifiedName()), builder_.GetBufferPointer(), builder_.GetSize());
  }
  // Ends the request with raw bytes.
  [[nodiscard]] Status reply_bytes(std::uint32_t type, const void* bytes, std::size_t size) noexcept {
    if (size > UINT32_MAX) return symphony::fail(SYMPHONY_TOO_LARGE, "a reply of 4 GiB or more");
    symphony_mut_span to{};
    const Status claimed = claim(static_cast<std::uint32_t>(size), to);
    if (!claimed.ok()) return claimed;
    if (size > 0) std::memcpy(to.p, bytes, size);
    return commit(static_cast<std::uint32_t>(size), type);
  }
  // To build a reply in the host's own bytes (in process mode: the ring): claim, write, commit.
  [[nodiscard]] Status claim(std::uint32_t size_min, symphony_mut_span& out) noexcept {
    const std::int32_t code = host_->claim(host_->context, size_min, &out);
    return code == SYMPHONY_OK
               ? ok()
               : symphony::fail(code, "the reply was refused: larger than reply_size_max, or a second one");
  }
  [[nodiscard]] Status commit(std::uint32_t used, std::uint32_t type) noexcept {
    const std::int32_t code = host_->commit(host_->context, used, type);
    return code == SYMPHONY_OK ? ok() : symphony::fail(code, "the reply was refused: not claimed, or a second one");
  }
  // A failure whose text is put together from texts and integers.
  template <class... Parts>
  [[nodiscard]] Status fail(std::int32_t code, const Parts&... parts) {
    failure_.clear();
    (append(failure_, parts), ...);
    return {code, failure_};
  }

  // --- replying later ------------------------------------------------------------------------------------------------
  // A handler returns this to end its request later, with end(); keep request() for it. Whoever calls waits until then,
  // or until the deadline.
  [[nodiscard]] Status later() const noexcept { return {SYMPHONY_PENDING, {}}; }
  // Names the request being handled; 0 outside a request's handler.
  [[nodiscard]] std::uint64_t request() const noexcept { return request_; }
  // Ends a request of before with this table. In a handler that has a reply of its own: end the other one first, for
  // both use the builder.
  template <class T>
  Status end(std::uint64_t request, flatbuffers::Offset<T> root) {
    builder().Finish(root);
    const symphony_span bytes{builder_.GetBufferPointer(), builder_.GetSize(), 0};
    const std::int32_t code =
        host_->reply(host_->context, request, SYMPHONY_OK, pit::message_type(T::GetFullyQualifiedName()), bytes);
    builder_used_ = false;
    return of_reply(code);
  }
  // Ends a request of before without a body, or with a failure.
  Status end(std::uint64_t request, Status ending) noexcept {
    return of_reply(host_->reply(host_->context, request, ending.code(), 0, span(ending.text())));
  }

  // --- timers, calls, events -----------------------------------------------------------------------------------------
  // Calls on_timer(id) once, not before that point of now_ns()'s clock. Armed timers travel with the state.
  Status set_timer(std::uint64_t id, std::uint64_t at_ns) noexcept {
    const std::int32_t code = host_->timer_set(host_->context, id, at_ns);
    return code == SYMPHONY_OK ? ok() : symphony::fail(code, "the timer was refused: too many are armed");
  }
  // BAD_STATE where it is not armed.
  Status cancel_timer(std::uint64_t id) noexcept {
    const std::int32_t code = host_->timer_cancel(host_->context, id);
    return code == SYMPHONY_OK ? ok() : symphony::fail(code, "no such timer is armed");
  }
  // Calls another pit, one of this pit's needs. Its answer comes to on_answer() with the cookie, once.
  template <class T>
  Status call(std::string_view service, flatbuffers::Offset<T> root, std::uint64_t cookie,
              std::uint32_t effect = SYMPHONY_EFFECT_ONCE, std::uint64_t deadline_ns = 0) {
    builder().Finish(root);
    const Status made = call_bytes(service, pit::message_type(T::GetFullyQualifiedName()),
                                   {builder_.GetBufferPointer(), builder_.GetSize(), 0}, cookie, effect, deadline_ns);
    builder_used_ = false;
    return made;
  }
  Status call_bytes(std::string_view service, std::uint32_t type, symphony_span body, std::uint64_t cookie,
                    std::uint32_t effect = SYMPHONY_EFFECT_ONCE, std::uint64_t deadline_ns = 0) noexcept {
    const symphony_call call{sizeof call, type, effect, 0, span(service), body, deadline_ns, cookie};
    const std::int32_t code = host_->call_async(host_->context, &call);
    return code == SYMPHONY_OK ? ok() : symphony::fail(code, "the call of another pit was refused");
  }
  // Tells this pit's subscribers. DENIED where the operator granted none.
  template <class T>
  Status publish(flatbuffers::Offset<T> root) {
    builder().Finish(root);
    const Status told = publish_bytes(pit::message_type(T::GetFullyQualifiedName()),
                                      {builder_.GetBufferPointer(), builder_.GetSize(), 0});
    builder_used_ = false;
    return told;
  }
  Status publish_bytes(std::uint32_t type, symphony_span body) noexcept {
    const std::int32_t code = host_->publish(host_->context, type, body);
    return code == SYMPHONY_OK ? ok()
                               : symphony::fail(code, "the event was refused: nobody may hear this pit's events");
  }
  // True when nobody waits for the request being handled any more, or its time budget is used up.
  [[nodiscard]] bool is_cancelled() const noexcept { return host_->cancelled(host_->context) != 0; }
  // The state changed and is worth keeping: see pit.h.
  void mark_dirty() noexcept { host_->mark_dirty(host_->context); }

  // --- the host's services ------------------------------------------------------------------------------------------
  // The envelope of the message being handled; null in the other hooks.
  [[nodiscard]] const symphony_envelope* envelope() const noexcept { return envelope_; }
  [[nodiscard]] std::uint64_t now_ns() const noexcept { return host_->now(host_->context); }
  [[nodiscard]] std::uint64_t random() const noexcept { return host_->random(host_->context); }
  [[nodiscard]] const void* extension(std::uint64_t id) const noexcept {
    return host_->get_extension(host_->context, id);
  }
  void log(std::int32_t level, std::string_view line) const noexcept { host_->log(host_->context, level, span(line)); }

  // --- for the generated wrappers -----------------------------------------------------------------------------------
  void begin(const symphony_msg* message) noexcept {
    envelope_ = message != nullptr ? message->envelope : nullptr;
    request_ = message != nullptr ? message->request : 0;
    builder_used_ = false;
  }
  void explain(std::string_view reason) const noexcept { host_->error(host_->context, span(reason)); }
  [[nodiscard]] static symphony_span span(std::string_view text) noexcept {
    const std::size_t size = text.size() < UINT32_MAX ? text.size() : UINT32_MAX;
    return {reinterpret_cast<const std::uint8_t*>(text.data()), static_cast<std::uint32_t>(size), 0};
  }

 private:
  static void append(std::string& to, const flatbuffers::String* part) {
    if (part != nullptr) to.append(part->c_str(), part->size());
  }
  static void append(std::string& to, std::string_view part) { to.append(part); }
  template <class Integer>
  requires std::is_integral_v<Integer>
  static void append(std::string& to, Integer part) {
    char digits[24];
    if constexpr (std::is_same_v<Integer, bool>) {
      to.append(part ? "true" : "false");
    } else {
      const char* end = std::to_chars(digits, digits + sizeof digits, part).ptr;
      to.append(digits, static_cast<std::size_t>(end - digits));
    }
  }

  static Status of_reply(std::int32_t code) noexcept {
    return code == SYMPHONY_OK ? ok() : symphony::fail(code, "the later reply was refused: no such request waits");
  }

  const symphony_host* host_;
  const symphony_envelope* envelope_ = nullptr;
  std::uint64_t request_ = 0;
  bool builder_used_ = true;
  flatbuffers::FlatBufferBuilder builder_;
  std::string scratch_;
  std::string failure_;
};

}  // namespace symphony
