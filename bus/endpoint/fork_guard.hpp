// Notices that this process is a forked child of the one that made the handle.   Layer: endpoint.
// One page that the kernel zeroes in every child (MADV_WIPEONFORK): the check is one load. Threads: any.
#pragma once

#include <cstdint>

#include <symphony/result.hpp>

namespace symphony::detail {

class ForkGuard {
 public:
  [[nodiscard]] static result<ForkGuard> make();
  ForkGuard(ForkGuard&& other) noexcept;
  ForkGuard& operator=(ForkGuard&& other) noexcept;
  ~ForkGuard();

  [[nodiscard]] bool in_child() const noexcept { return *page_ == 0; }

 private:
  explicit ForkGuard(std::uint32_t* page) noexcept : page_(page) {}
  std::uint32_t* page_ = nullptr;  // written once, before any other thread knows it
};

}  // namespace symphony::detail
