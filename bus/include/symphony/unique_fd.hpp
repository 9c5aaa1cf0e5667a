// Owns one file descriptor.   Layer: base.
// Every descriptor this project makes is close-on-exec from birth; an `int fd` parameter is borrowed until the call
// returns, a UniqueFd by value takes ownership.
#pragma once

#include <utility>

namespace symphony {

class UniqueFd {
 public:
  UniqueFd() noexcept = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  void reset(int fd = -1) noexcept;  // closes what is held, takes fd

  // Another descriptor of the same open file, close-on-exec; empty when the system has none left (errno is set).
  [[nodiscard]] UniqueFd duplicate() const noexcept;

 private:
  int fd_ = -1;
};

}  // namespace symphony
