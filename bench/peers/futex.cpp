// A futex alone as a peer: the payload lies in shared memory, the word beside it is its number. One message at a time,
// so what it costs is two wake-ups and the copying; no library can sleep and be cheaper.
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cerrno>

#include <symphony/clock.hpp>

#include "bench/peers/link_of.hpp"
#include "bench/peers/payload.hpp"
#include "bus/base/platform.hpp"
#include "bus/wait/futex.hpp"

namespace symphony::bench::peers {
namespace {

struct Mailbox {
  alignas(detail::cache_line_size) std::uint32_t number;
  alignas(detail::cache_line_size) std::byte body[size_max];
};

class FutexWire {
 public:
  FutexWire(Mailbox& in, Mailbox& out, std::size_t size) noexcept : in_(in), out_(out), size_(size) {}

  bool send(std::uint64_t number) noexcept {
    fill(out_.body, size_, number);
    // sync peers.futex release: the body is there for whoever sees its number.
    std::atomic_ref(out_.number).store(static_cast<std::uint32_t>(number), std::memory_order_release);
    detail::wake_all(&out_.number);
    return true;
  }
  Outcome receive(std::uint64_t number) noexcept {
    for (;;) {
      // sync peers.futex acquire: from here the body may be read.
      const std::uint32_t seen = std::atomic_ref(in_.number).load(std::memory_order_acquire);
      if (seen == static_cast<std::uint32_t>(number)) break;
      const detail::WaitWord word{&in_.number, seen};
      (void)detail::wait_any({&word, 1}, deadline_after(100 * ms_ns));
    }
    return judged(is_right(in_.body, size_, number));
  }

 private:
  Mailbox& in_;
  Mailbox& out_;
  std::size_t size_;
};

class FutexAlone final : public Adapter {
 public:
  ~FutexAlone() override {
    if (boxes_ != nullptr) ::munmap(boxes_, 2 * sizeof(Mailbox));
  }
  result<void> prepare(std::size_t size) override {
    size_ = size;
    void* const at =
        ::mmap(nullptr, 2 * sizeof(Mailbox), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (at == MAP_FAILED) return unexpected(errc::out_of_memory, "no shared memory", errno);
    boxes_ = static_cast<Mailbox*>(at);
    return {};
  }
  std::unique_ptr<Link> open(End end) override {
    Mailbox& in = boxes_[end == End::caller ? 0 : 1];
    Mailbox& out = boxes_[end == End::caller ? 1 : 0];
    return std::make_unique<LinkOf<FutexWire>>(in, out, size_);
  }

 private:
  Mailbox* boxes_ = nullptr;
  std::size_t size_ = 0;
};

constexpr std::array<AdapterEntry, 1> all{
    {{"futex", []() -> std::unique_ptr<Adapter> { return std::make_unique<FutexAlone>(); }}}};

}  // namespace

std::span<const AdapterEntry> adapters() noexcept { return all; }

}  // namespace symphony::bench::peers
