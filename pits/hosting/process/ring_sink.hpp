// Where replies go in a pit's process: straight into the reply ring, or, of requests that were left for later, by way
// of the service.   Layer: hosting/process. Threads: the data thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <new>
#include <span>

#include <symphony/service.hpp>

#include "pits/hosting/durable/durable_pit.hpp"
#include "pits/hosting/instance.hpp"
#include "pits/hosting/reply_bytes.hpp"

namespace symphony::pit {

// The requests that the pit left for later. Each goes when it has its ending.
class LaterSinks {
 public:
  class Sink final : public ReplySink {
   public:
    LaterReply to;

    Sink(LaterSinks& all, std::uint64_t request) : all_(all), request_(request) {}
    bool claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept override {
      return bytes_.claim(size_min, out);
    }
    void commit(std::uint32_t used, std::uint32_t type) noexcept override {
      end(SYMPHONY_OK, type, bytes_.first(used));
    }
    void fail(std::int32_t ending, std::string_view text) noexcept override {
      end(ending, 0, std::as_bytes(std::span(text)));
    }
    ReplySink* defer(std::uint64_t) noexcept override { return this; }

   private:
    void end(std::int32_t ending, std::uint32_t type, std::span<const std::byte> body) noexcept {
      if (all_.service_->reply(to, ending, type, body) == LaterOutcome::refused) {
        (void)all_.service_->reply(to, SYMPHONY_OVERLOADED, 0, {});
      }
      all_.sinks_.erase(request_);  // the end of this
    }
    LaterSinks& all_;
    std::uint64_t request_;
    ReplyBytes bytes_;
  };

  // Before the first request.
  void use(Service& service) noexcept { service_ = &service; }
  [[nodiscard]] bool empty() const noexcept { return sinks_.empty(); }
  // Throws bad_alloc.
  [[nodiscard]] Sink& add(std::uint64_t request) { return sinks_.try_emplace(request, *this, request).first->second; }

 private:
  Service* service_ = nullptr;
  std::map<std::uint64_t, Sink> sinks_;
};

// The pit's reply goes straight into the reply ring.
class RingSink final : public ReplySink {
 public:
  RingSink(ReplyWriter& writer, LaterSinks& later) : writer_(writer), later_(later) {}
  bool claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept override {
    out = writer_.claim(size_min);
    return out.size() >= size_min;
  }
  void commit(std::uint32_t used, std::uint32_t type) noexcept override { writer_.commit(used, type); }
  void fail(std::int32_t ending, std::string_view text) noexcept override {
    has_thrown_ |= ending == SYMPHONY_INTERNAL;
    writer_.fail(ending, text);
  }
  // Or said itself that something of it is broken.
  [[nodiscard]] bool has_thrown() const noexcept { return has_thrown_; }
  ReplySink* defer(std::uint64_t request) noexcept override {
    try {
      auto& sink = later_.add(request);
      sink.to = writer_.defer();
      return &sink;
    } catch (const std::bad_alloc&) {
      writer_.fail(SYMPHONY_OVERLOADED, "the pit runtime has no memory to keep this request for later");
      return nullptr;
    }
  }
  [[nodiscard]] bool abandoned() const noexcept override { return writer_.is_abandoned(); }

 private:
  bool has_thrown_ = false;
  ReplyWriter& writer_;
  LaterSinks& later_;
};

// The same of a pit whose state outlives its process, which keeps what it leaves for later itself.
class DurableRingSink final : public DirectSink {
 public:
  explicit DurableRingSink(ReplyWriter& writer) : writer_(writer) {}
  bool claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept override {
    out = writer_.claim(size_min);
    return out.size() >= size_min;
  }
  void commit(std::uint32_t used, std::uint32_t type) noexcept override { writer_.commit(used, type); }
  void fail(std::int32_t ending, std::string_view text) noexcept override {
    has_thrown_ |= ending == SYMPHONY_INTERNAL;
    writer_.fail(ending, text);
  }
  // Or said itself that something of it is broken.
  [[nodiscard]] bool has_thrown() const noexcept { return has_thrown_; }
  void leave() noexcept override { (void)writer_.defer(); }
  [[nodiscard]] bool abandoned() const noexcept override { return writer_.is_abandoned(); }

 private:
  bool has_thrown_ = false;
  ReplyWriter& writer_;
};

}  // namespace symphony::pit
