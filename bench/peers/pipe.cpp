// Pipes as a peer, one each way.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "bench/peers/adapter.hpp"
#include "bench/peers/fd_wire.hpp"

namespace symphony::bench::peers {
namespace {

class Pipes final : public Adapter {
 public:
  result<void> prepare(std::size_t size) override {
    size_ = size;
    for (Pipe& pipe : pipes_) {
      int ends[2] = {-1, -1};
      if (::pipe2(ends, O_CLOEXEC) != 0) return unexpected(errc::out_of_descriptors, "no pipe to be had", errno);
      pipe.read.reset(ends[0]);
      pipe.write.reset(ends[1]);
      // Where the limit of a user is lower it keeps its 64 KiB, and says so nowhere: it is a wish.
      (void)::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(buffer_bytes));
    }
    return {};
  }
  std::unique_ptr<Link> open(End end) override {
    Pipe& in = pipes_[end == End::caller ? 0 : 1];
    Pipe& out = pipes_[end == End::caller ? 1 : 0];
    return std::make_unique<LinkOf<FdWire>>(std::move(in.read), std::move(out.write), size_);
  }

 private:
  struct Pipe {
    UniqueFd read;
    UniqueFd write;
  };
  Pipe pipes_[2];  // to the caller, to the helper
  std::size_t size_ = 0;
};

constexpr std::array<AdapterEntry, 1> all{
    {{"pipe", []() -> std::unique_ptr<Adapter> { return std::make_unique<Pipes>(); }}}};

}  // namespace

std::span<const AdapterEntry> adapters() noexcept { return all; }

}  // namespace symphony::bench::peers
