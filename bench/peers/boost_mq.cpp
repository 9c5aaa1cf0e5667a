// Boost.Interprocess's message_queue as a peer: sleeping in it, and polling it.
#include <boost/interprocess/ipc/message_queue.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include <symphony/clock.hpp>

#include "bench/peers/link_of.hpp"
#include "bench/peers/payload.hpp"
#include "bus/base/platform.hpp"

namespace symphony::bench::peers {
namespace {

namespace ipc = boost::interprocess;

constexpr std::size_t messages_max = 1024;

template <bool polls>
class MessageQueueWire {
 public:
  MessageQueueWire(ipc::message_queue& in, ipc::message_queue& out, std::size_t size)
      : in_(in), out_(out), buffer_(size / sizeof(std::uint64_t)), size_(size) {}

  bool send(std::uint64_t number) {
    fill(buffer_.data(), size_, number);
    if constexpr (polls) {
      while (!out_.try_send(buffer_.data(), size_, 0)) detail::cpu_relax();
    } else {
      out_.send(buffer_.data(), size_, 0);
    }
    return true;
  }
  Outcome receive(std::uint64_t number) {
    std::size_t got = 0;
    unsigned priority = 0;
    if constexpr (polls) {
      while (!in_.try_receive(buffer_.data(), size_, got, priority)) detail::cpu_relax();
    } else {
      in_.receive(buffer_.data(), size_, got, priority);
    }
    return judged(got == size_ && is_right(buffer_.data(), size_, number));
  }

 private:
  ipc::message_queue& in_;
  ipc::message_queue& out_;
  std::vector<std::uint64_t> buffer_;
  std::size_t size_;
};

// Its queues have names; these lose theirs before anybody else could open them, and the mapping is inherited.
template <bool polls>
class MessageQueues final : public Adapter {
 public:
  result<void> prepare(std::size_t size) override {
    size_ = size;
    const std::size_t count = std::clamp<std::size_t>(buffer_bytes / size, 2, messages_max);
    for (auto& queue : queues_) {
      const std::string name = "symphony-peer-" + std::to_string(::getpid()) + "-" + std::to_string(now_ns());
      try {
        queue.emplace(ipc::create_only, name.c_str(), count, size);
      } catch (const ipc::interprocess_exception& e) {
        ipc::message_queue::remove(name.c_str());
        return unexpected(errc::system, "no message_queue to be had; is /dev/shm full?", e.get_native_error());
      }
      ipc::message_queue::remove(name.c_str());
    }
    return {};
  }
  std::unique_ptr<Link> open(End end) override {
    auto& in = *queues_[end == End::caller ? 0 : 1];
    auto& out = *queues_[end == End::caller ? 1 : 0];
    return std::make_unique<LinkOf<MessageQueueWire<polls>>>(in, out, size_);
  }

 private:
  std::optional<ipc::message_queue> queues_[2];  // to the caller, to the helper
  std::size_t size_ = 0;
};

constexpr std::array<AdapterEntry, 2> all{{
    {"boost_mq", []() -> std::unique_ptr<Adapter> { return std::make_unique<MessageQueues<false>>(); }},
    {"boost_mq_poll", []() -> std::unique_ptr<Adapter> { return std::make_unique<MessageQueues<true>>(); }},
}};

}  // namespace

std::span<const AdapterEntry> adapters() noexcept { return all; }

}  // namespace symphony::bench::peers
