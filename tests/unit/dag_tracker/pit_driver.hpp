// Calls a pit through its C table, with the least host that keeps the contract.   Layer: tests.
// One request at a time on one thread. A reply's bytes are valid until the next call.
#pragma once

#include <flatbuffers/flatbuffers.h>
#include <symphony/pit.h>

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <symphony/message_type.hpp>

namespace symphony::pit::testing {

class PitDriver {
 public:
  explicit PitDriver(const symphony_pit_entry& entry) : entry_(entry) {
    host_.struct_size = sizeof host_;
    host_.abi_major = SYMPHONY_ABI_MAJOR;
    host_.abi_minor = SYMPHONY_ABI_MINOR;
    host_.context = this;
    host_.log = [](void*, std::int32_t, symphony_span) {};
    host_.now = [](void*) { return std::uint64_t{1}; };
    host_.claim = &claim;
    host_.commit = &commit;
    host_.error = &error;
    host_.random = [](void*) { return std::uint64_t{4}; };
    host_.get_extension = [](void*, std::uint64_t) -> const void* { return nullptr; };
    reply_.resize(entry.note->reply_size_max / 8);
    ready_ = entry_.create(&host_, {}, &self_) == SYMPHONY_OK && entry_.init(self_) == SYMPHONY_OK;
  }
  ~PitDriver() {
    if (self_ != nullptr) entry_.destroy(self_);
  }
  PitDriver(const PitDriver&) = delete;
  PitDriver& operator=(const PitDriver&) = delete;

  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] bool start() { return entry_.start(self_) == SYMPHONY_OK; }

  // For building a request; emptied here.
  flatbuffers::FlatBufferBuilder& builder() {
    builder_.Clear();
    return builder_;
  }

  // Sends what builder() made. The status; the reply is then in size(), type() and as<T>().
  template <class T>
  std::int32_t send(flatbuffers::Offset<T> request) {
    builder_.Finish(request);
    return send_bytes(symphony::pit::message_type(T::GetFullyQualifiedName()), builder_.GetBufferPointer(),
                      builder_.GetSize());
  }
  std::int32_t send_bytes(std::uint32_t type, const void* bytes, std::size_t size) {
    envelope_.type = type;
    ++envelope_.id;
    reply_type_ = 0;
    reply_size_ = 0;
    text_.clear();
    const symphony_msg message{sizeof(symphony_msg),
                               0,
                               &envelope_,
                               {static_cast<const std::uint8_t*>(bytes), static_cast<std::uint32_t>(size), 0},
                               1};
    return entry_.handle(self_, &message);
  }

  // The reply when it is a valid T, else null.
  template <class T>
  [[nodiscard]] const T* as() const {
    if (reply_type_ != symphony::pit::message_type(T::GetFullyQualifiedName())) return nullptr;
    flatbuffers::Verifier verifier(bytes(), reply_size_);
    return verifier.VerifyBuffer<T>(nullptr) ? flatbuffers::GetRoot<T>(bytes()) : nullptr;
  }
  // The reply as T, unverified, for measuring.
  template <class T>
  [[nodiscard]] const T& get() const {
    return *flatbuffers::GetRoot<T>(bytes());
  }
  [[nodiscard]] const std::uint8_t* bytes() const { return reinterpret_cast<const std::uint8_t*>(reply_.data()); }
  [[nodiscard]] std::uint32_t size() const { return reply_size_; }
  [[nodiscard]] std::uint32_t request_size() const { return builder_.GetSize(); }
  // The bytes of the last request that send() made.
  [[nodiscard]] std::span<const std::uint8_t> request() const {
    return {builder_.GetBufferPointer(), builder_.GetSize()};
  }
  [[nodiscard]] const std::string& text() const { return text_; }

  std::int32_t snapshot(std::vector<std::uint8_t>& out) {
    const symphony_sink sink{sizeof(symphony_sink), 0, &out, [](void* context, symphony_span more) {
                               auto& to = *static_cast<std::vector<std::uint8_t>*>(context);
                               to.insert(to.end(), more.p, more.p + more.n);
                               return std::int32_t{SYMPHONY_OK};
                             }};
    return entry_.snapshot(self_, entry_.note->state_revision, &sink);
  }

  // Hands the bytes over in pieces of at most `piece`; `end_status` below 0 is what the source says at their end.
  std::int32_t restore(const std::vector<std::uint8_t>& bytes, std::size_t piece = 7, std::int64_t end_status = 0) {
    Source from{bytes.data(), bytes.size(), piece, end_status};
    const symphony_source source{sizeof(symphony_source), 0, &from, [](void* context, symphony_mut_span out) {
                                   auto& left = *static_cast<Source*>(context);
                                   if (left.size == 0) return left.end_status;
                                   std::size_t now = left.size < left.piece ? left.size : left.piece;
                                   now = now < out.n ? now : out.n;
                                   std::memcpy(out.p, left.at, now);
                                   left.at += now;
                                   left.size -= now;
                                   return static_cast<std::int64_t>(now);
                                 }};
    text_.clear();
    return entry_.restore(self_, entry_.note->state_revision, &source);
  }

 private:
  struct Source {
    const std::uint8_t* at;
    std::size_t size;
    std::size_t piece;
    std::int64_t end_status;
  };

  static PitDriver& of(void* context) { return *static_cast<PitDriver*>(context); }
  static std::int32_t claim(void* context, std::uint32_t size_min, symphony_mut_span* out) {
    PitDriver& self = of(context);
    if (self.reply_type_ != 0) return SYMPHONY_BAD_STATE;
    if (size_min > self.entry_.note->reply_size_max) return SYMPHONY_TOO_LARGE;
    *out = {reinterpret_cast<std::uint8_t*>(self.reply_.data()), self.entry_.note->reply_size_max, 0};
    return SYMPHONY_OK;
  }
  static std::int32_t commit(void* context, std::uint32_t used, std::uint32_t type) {
    PitDriver& self = of(context);
    if (self.reply_type_ != 0) return SYMPHONY_BAD_STATE;
    self.reply_size_ = used;
    self.reply_type_ = type;
    return SYMPHONY_OK;
  }
  static void error(void* context, symphony_span text) {
    of(context).text_.assign(reinterpret_cast<const char*>(text.p), text.n);
  }

  const symphony_pit_entry& entry_;
  symphony_host host_{};
  void* self_ = nullptr;
  bool ready_ = false;
  symphony_envelope envelope_{};
  flatbuffers::FlatBufferBuilder builder_;
  std::vector<std::uint64_t> reply_;  // 64-bit elements for alignment
  std::uint32_t reply_size_ = 0;
  std::uint32_t reply_type_ = 0;
  std::string text_;
};

}  // namespace symphony::pit::testing
