// Where the endings of a durable pit's requests go on their way out.   Layer: hosting/durable. Threads: as DurablePit.
#pragma once

#include <new>
#include <vector>

#include "pits/hosting/durable/durable_pit.hpp"
#include "pits/hosting/reply_bytes.hpp"

namespace symphony::pit {

[[nodiscard]] inline std::vector<std::byte> copy_of(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

// Of a request that the pit left for later: its ending joins what the event made, and leaves after it.
class DurablePit::Waiting final : public ReplySink {
 public:
  Waiting(DurablePit& pit, std::uint64_t request, const WaitingRequest& of) : pit_(pit), request_(request), of_(of) {}

  [[nodiscard]] const WaitingRequest& of() const noexcept { return of_; }
  bool claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept override {
    return bytes_.claim(size_min, out);
  }
  void commit(std::uint32_t used, std::uint32_t type) noexcept override {
    end(SYMPHONY_OK, type, [&] { return copy_of(bytes_.first(used)); });
  }
  void fail(std::int32_t status, std::string_view text) noexcept override {
    end(status, 0, [&] { return copy_of(std::as_bytes(std::span(text))); });
  }
  ReplySink* defer(std::uint64_t) noexcept override { return this; }

 private:
  template <class Body>
  void end(std::int32_t status, std::uint32_t type, Body&& body) noexcept {
    if (pit_.is_undone()) return;  // it waits in the next instance
    Owed ending{of_.link, of_.id, status, type, {}};
    try {
      ending.body = body();
    } catch (const std::bad_alloc&) {
      ending.status = SYMPHONY_OVERLOADED;
      ending.type = 0;
    }
    pit_.made_.push_back(std::move(ending));  // there is room for each that waits
    const auto found = pit_.waiting_.find(request_);
    pit_.spent_.push_back(std::move(found->second));  // likewise; this lives until the event is over
    pit_.waiting_.erase(found);
  }

  DurablePit& pit_;
  std::uint64_t request_;
  WaitingRequest of_;
  ReplyBytes bytes_;
};

// Of the request being handled: the event is committed before its ending leaves.
class DurablePit::Direct final : public ReplySink {
 public:
  // `to`: null in replay, where the ending joins what the event made.
  Direct(DurablePit& pit, std::uint64_t link, std::uint64_t id, DirectSink* to)
      : pit_(pit), link_(link), id_(id), to_(to), entries_(pit.instance_->entries()) {}

  bool claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept override {
    return to_ != nullptr ? to_->claim(size_min, out) : bytes_.claim(size_min, out);
  }
  void commit(std::uint32_t used, std::uint32_t type) noexcept override {
    if (to_ == nullptr) return keep(SYMPHONY_OK, type, [&] { return copy_of(bytes_.first(used)); });
    if (pit_.is_undone()) return to_->fail(SYMPHONY_TRAPPED, "the pit trapped after it had replied: that is undone");
    if (pit_.commit()) return to_->commit(used, type);
    to_->fail(SYMPHONY_INTERNAL, pit_.broken_);
  }
  void fail(std::int32_t status, std::string_view text) noexcept override {
    if (to_ == nullptr) return keep(status, 0, [&] { return copy_of(std::as_bytes(std::span(text))); });
    // Refused before the pit saw it: that changed nothing, so it is not kept.
    if (pit_.instance_->entries() == entries_ || pit_.commit()) return to_->fail(status, text);
    to_->fail(SYMPHONY_INTERNAL, pit_.broken_);
  }
  ReplySink* defer(std::uint64_t request) noexcept override { return pit_.leave(request, link_, id_, to_); }
  [[nodiscard]] bool abandoned() const noexcept override { return to_ != nullptr && to_->abandoned(); }

 private:
  template <class Body>
  void keep(std::int32_t status, std::uint32_t type, Body&& body) noexcept {
    Owed ending{link_, id_, status, type, {}};
    try {
      ending.body = body();
      pit_.made_.push_back(std::move(ending));
    } catch (const std::bad_alloc&) {
      pit_.broken_ = "no memory to replay the pit's journal: free memory";
    }
  }

  DurablePit& pit_;
  std::uint64_t link_;
  std::uint64_t id_;
  DirectSink* to_;
  std::uint64_t entries_;
  ReplyBytes bytes_;
};

}  // namespace symphony::pit
