// The calls of one link that are not ended or whose ending was not taken.   Layer: endpoint.
// Slots are found by id: ids rise by one, so a table of 2^n slots holds any 2^n neighbours. No allocation per call once
// the buffers have grown. Large bodies do not stay with their slots, through which the ids go round: a program that
// makes one large call after the other has the memory of one or two, not of all slots. A call that takes long for a
// reason of its own can be set aside: then its slot does not keep the calls behind it from being made.
// Threads: the thread that owns the link.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <symphony/reply.hpp>

namespace symphony::detail {

// Bytes that only grow. 16-byte aligned, not cleared.
class Buffer {
 public:
  Buffer() noexcept = default;
  Buffer(Buffer&& other) noexcept
      : bytes_(std::move(other.bytes_)), capacity_(std::exchange(other.capacity_, std::size_t{0})) {}
  Buffer& operator=(Buffer&& other) noexcept {
    bytes_ = std::move(other.bytes_);
    capacity_ = std::exchange(other.capacity_, std::size_t{0});
    return *this;
  }
  ~Buffer() = default;

  [[nodiscard]] std::span<std::byte> ensure(std::size_t size) {
    if (size > capacity_) {
      const std::size_t grown = size + size / 2;
      bytes_.reset(new std::byte[grown]);  // may throw: until then nothing has changed
      capacity_ = grown;
    }
    return {bytes_.get(), size};
  }
  [[nodiscard]] std::span<std::byte> first(std::size_t size) const noexcept { return {bytes_.get(), size}; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::unique_ptr<std::byte[]> release() noexcept { return capacity_ = 0, std::move(bytes_); }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  std::size_t capacity_ = 0;
};

struct Call {
  enum class State : std::uint8_t { free, queued, sent, ended, alone };  // alone: AloneRuns has it

  State state = State::free;
  std::uint8_t attempt = 0;
  Effect effect = Effect::once;
  bool redelivered = false;
  bool was_in_state = false;  // of an instance that began after it was sent: it stands in no request ring
  std::uint32_t type = 0;
  std::uint64_t id = 0;
  std::uint64_t position = 0;  // sent: where it stands in the request ring
  std::uint32_t body_size = 0;
  TimeNs deadline_ns = no_deadline_ns;
  Reply reply;  // ended
  Buffer body;  // queued: the request; ended: the reply
};

class CallTable {
 public:
  static constexpr std::size_t body_kept_max = 16UL * 1024;  // a buffer up to this size stays with its slot

  explicit CallTable(std::uint32_t slots) : slots_(slots) {}

  // The slot for the next id, or null when the call that had it before has not ended or was not taken.
  [[nodiscard]] Call* next() noexcept {
    Call& call = slot(next_id_);
    return call.state == Call::State::free ? &call : nullptr;
  }
  // Gives the slot of next() its id.
  void open(Call& call) noexcept {
    call.id = next_id_++;
    call.attempt = 0;
    call.redelivered = call.was_in_state = false;
    ++live_;
    reusable_ = large_.size();
    if (!taken_aside_.empty()) taken_aside_.clear();
  }
  // Where the call's body goes; may throw std::bad_alloc.
  [[nodiscard]] std::span<std::byte> room(Call& call, std::size_t size) {
    if (size > body_kept_max && size > call.body.capacity() && reusable_ != 0) {
      --reusable_;
      call.body = std::move(large_[reusable_]);
      if (reusable_ + 1 != large_.size()) large_[reusable_] = std::move(large_.back());
      large_.pop_back();
    }
    return call.body.ensure(size);
  }
  // The call of that id, if it is known and in that state.
  [[nodiscard]] Call* find(std::uint64_t id, Call::State state) noexcept {
    Call& call = slot(id);
    if (call.id == id && call.state == state) return &call;
    for (const auto& other : aside_) {
      if (other->id == id && other->state == state) return other.get();
    }
    return nullptr;
  }
  // The call has a place of its own from now on, and is `alone`.   May throw std::bad_alloc; then nothing has changed.
  void set_aside(Call& call) {
    taken_aside_.reserve(aside_.size() + 1);
    Call& moved = *aside_.emplace_back(std::make_unique<Call>());
    moved = std::move(call);
    moved.state = Call::State::alone;
    call = Call{};
  }
  template <class F>
  void for_each_alone(F&& f) {
    for (const auto& call : aside_) {
      if (call->state == Call::State::alone) f(*call);
    }
  }
  // One without an ending.
  [[nodiscard]] Call* find_live(std::uint64_t id) noexcept {
    for (const Call::State state : {Call::State::sent, Call::State::queued, Call::State::alone}) {
      if (Call* const call = find(id, state)) return call;
    }
    return nullptr;
  }
  void end(Call& call) noexcept {
    call.state = Call::State::ended;
    --live_;
  }
  // The ending is handed out, and the slot serves another call. Its bytes stay until the next call is opened.
  void take(Call& call) noexcept {
    call.state = Call::State::free;
    for (auto it = aside_.begin(); it != aside_.end(); ++it) {
      if (it->get() != &call) continue;
      taken_aside_.push_back(std::move(*it));  // room was reserved
      aside_.erase(it);
      return;
    }
    if (call.body.capacity() <= body_kept_max) return;
    try {
      large_.push_back(std::move(call.body));
    } catch (const std::bad_alloc&) {
      // It stays with its slot.
    }
  }

  // Takes the bytes of the call's ending, which was handed out, out of the table. Null: they serve another call.
  [[nodiscard]] std::unique_ptr<std::byte[]> release(std::uint64_t id, const std::byte* bytes) noexcept {
    const auto is_it = [&](const Buffer& buffer) { return buffer.first(0).data() == bytes; };
    if (id + 1 != next_id_ && next_id_ - id > slots_.size()) return nullptr;
    Call& call = slot(id);
    if (call.id == id && call.state == Call::State::free && is_it(call.body)) return call.body.release();
    for (std::size_t i = large_.size(); i > reusable_; --i) {
      if (is_it(large_[i - 1])) {
        Buffer found = std::move(large_[i - 1]);
        large_.erase(large_.begin() + static_cast<std::ptrdiff_t>(i - 1));
        return found.release();
      }
    }
    for (const auto& other : taken_aside_) {
      if (other->id == id && is_it(other->body)) return other->body.release();
    }
    return nullptr;
  }

  // Calls f for each call in one of two states, in id order.
  template <class F>
  void for_each(Call::State a, Call::State b, F&& f) {
    const std::uint64_t first = next_id_ > slots_.size() ? next_id_ - slots_.size() : 1;
    for (std::uint64_t id = first; id < next_id_; ++id) {
      Call& call = slot(id);
      if (call.id == id && (call.state == a || call.state == b)) f(call);
    }
  }
  [[nodiscard]] std::uint64_t peek_next_id() const noexcept { return next_id_; }
  [[nodiscard]] std::uint64_t live() const noexcept { return live_; }  // without an ending

 private:
  [[nodiscard]] Call& slot(std::uint64_t id) noexcept { return slots_[id & (slots_.size() - 1)]; }
  std::vector<Call> slots_;
  std::vector<std::unique_ptr<Call>> aside_;
  std::vector<std::unique_ptr<Call>> taken_aside_;  // until the next call is opened, like all bytes that are handed out
  std::vector<Buffer> large_;                       // of calls that were taken
  std::size_t reusable_ = 0;                        // so many of them, the first: nobody looks at them any more
  std::uint64_t next_id_ = 1;
  std::uint64_t live_ = 0;
};

}  // namespace symphony::detail
