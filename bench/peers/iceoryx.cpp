// iceoryx as a peer: a publisher and a subscriber each way, polling and with a WaitSet.
//
// Set as its benchmark iceperf does it, which its documentation refers to for latency: untyped chunks loaned, written
// in place and read in place, take() polled, or the subscriber's state attached to a WaitSet; no history.
// No message may be lost here, so queues that are full block the publisher. The memory pool is cut for the size asked.
#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/mepoo/chunk_header.hpp>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <thread>

#include "bench/peers/known.hpp"
#include "bench/peers/link_of.hpp"
#include "bench/peers/payload.hpp"
#include "bench/peers/roudi.hpp"
#include "bus/base/platform.hpp"

namespace symphony::bench::peers {
namespace {

constexpr std::size_t queue_max = iox::MAX_SUBSCRIBER_QUEUE_CAPACITY;
// Of one direction, besides those in the queue: with the writer, with the reader, kept by the publisher as its last.
constexpr std::size_t chunks_around = 16;

std::size_t queue_for(std::size_t size) noexcept { return std::clamp<std::size_t>(buffer_bytes / size, 2, queue_max); }

iox::popo::PublisherOptions publisher_options() {
  iox::popo::PublisherOptions options;
  options.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
  return options;
}
iox::popo::SubscriberOptions subscriber_options(std::size_t size) {
  iox::popo::SubscriberOptions options;
  options.queueCapacity = queue_for(size);
  options.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
  return options;
}
iox::capro::ServiceDescription service_to(End end) {
  return {"symphony", "peer", end == End::caller ? "to caller" : "to helper"};
}

template <Wait wait>
class IceoryxWire {
 public:
  IceoryxWire(End end, std::size_t size)
      : in_(service_to(end), subscriber_options(size)),
        out_(service_to(end == End::caller ? End::helper : End::caller), publisher_options()),
        size_(static_cast<std::uint32_t>(size)) {
    if constexpr (wait == Wait::sleep) {
      waits_.emplace();
      attached_ = !waits_->attachState(in_, iox::popo::SubscriberState::HAS_DATA).has_error();
    }
  }
  [[nodiscard]] bool is_attached() const noexcept { return attached_; }
  [[nodiscard]] bool is_connected() const noexcept {
    return out_.hasSubscribers() && in_.getSubscriptionState() == iox::SubscribeState::SUBSCRIBED;
  }

  bool send(std::uint64_t number) {
    auto chunk = out_.loan(size_);
    if (chunk.has_error()) return false;
    fill(chunk.value(), size_, number);
    out_.publish(chunk.value());
    return true;
  }
  Outcome receive(std::uint64_t number) {
    for (;;) {
      const auto chunk = in_.take();
      if (!chunk.has_error()) {
        const void* const body = chunk.value();
        const bool right =
            iox::mepoo::ChunkHeader::fromUserPayload(body)->userPayloadSize() == size_ && is_right(body, size_, number);
        in_.release(body);
        return judged(right);
      }
      if (chunk.get_error() != iox::popo::ChunkReceiveResult::NO_CHUNK_AVAILABLE) return Outcome::failed;
      if constexpr (wait == Wait::spin) {
        detail::cpu_relax();
      } else {
        (void)waits_->wait();
      }
    }
  }

 private:
  iox::popo::UntypedSubscriber in_;
  iox::popo::UntypedPublisher out_;
  std::optional<iox::popo::WaitSet<1>> waits_;
  bool attached_ = true;
  std::uint32_t size_;
};

template <Wait wait>
class Iceoryx final : public Adapter {
 public:
  result<void> prepare(std::size_t size) override {
    size_ = size;
    return roudi_.start(size, 2 * (queue_for(size) + chunks_around));
  }
  // Never closed: the processes end, and their names with their namespace.
  std::unique_ptr<Link> open(End end) override {
    iox::log::LogManager::GetLogManager().SetDefaultLogLevel(iox::log::LogLevel::kError,
                                                             iox::log::LogLevelOutput::kHideLogLevel);
    iox::runtime::PoshRuntime::initRuntime(end == End::caller ? "caller" : "helper");
    auto link = std::make_unique<LinkOf<IceoryxWire<wait>>>(end, size_);
    if (!link->wire().is_attached()) return nullptr;
    // The daemon brings the two together, ten times a second.
    while (!link->wire().is_connected()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return link;
  }

 private:
  Roudi roudi_;
  std::size_t size_ = 0;
};

constexpr std::array<AdapterEntry, 2> all{{
    {"iceoryx", []() -> std::unique_ptr<Adapter> { return std::make_unique<Iceoryx<Wait::spin>>(); }},
    {"iceoryx_waitset", []() -> std::unique_ptr<Adapter> { return std::make_unique<Iceoryx<Wait::sleep>>(); }},
}};

}  // namespace

std::span<const AdapterEntry> adapters() noexcept { return all; }

}  // namespace symphony::bench::peers
