// Messages through file descriptors, one system call each as a rule; both sides sleep in it.   Layer: bench.
// Threads: as Link.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include <symphony/unique_fd.hpp>

#include "bench/peers/link_of.hpp"
#include "bench/peers/payload.hpp"

namespace symphony::bench::peers {

class FdWire {
 public:
  // `out` empty: `in` goes both ways.
  FdWire(UniqueFd in, UniqueFd out, std::size_t size)
      : in_(std::move(in)), out_(std::move(out)), buffer_(size / sizeof(std::uint64_t)), size_(size) {}

  bool send(std::uint64_t number) noexcept {
    fill(buffer_.data(), size_, number);
    const int fd = out_ ? out_.get() : in_.get();
    return whole([&](std::byte* at, std::size_t left) { return ::write(fd, at, left); });
  }
  Outcome receive(std::uint64_t number) noexcept {
    if (!whole([&](std::byte* at, std::size_t left) { return ::read(in_.get(), at, left); })) return Outcome::failed;
    return judged(is_right(buffer_.data(), size_, number));
  }

 private:
  template <class Call>
  bool whole(Call&& call) noexcept {
    auto* const bytes = reinterpret_cast<std::byte*>(buffer_.data());
    for (std::size_t done = 0; done < size_;) {
      const ssize_t some = call(bytes + done, size_ - done);
      if (some > 0) {
        done += static_cast<std::size_t>(some);
      } else if (some == 0 || errno != EINTR) {
        return false;
      }
    }
    return true;
  }

  UniqueFd in_;
  UniqueFd out_;
  std::vector<std::uint64_t> buffer_;
  std::size_t size_;
};

}  // namespace symphony::bench::peers
