// The policy that puts the explorer's memory under the production templates.   Layer: tests. Threads: fibers.
#pragma once

#include "tests/proof/explorer/explorer.hpp"

namespace symphony::proof {

struct ModelMem {
  template <Order order, Site site, class T>
  [[nodiscard]] static T load(const T* word) noexcept {
    return static_cast<T>(Explorer::current().load(word, sizeof(T), order, site));
  }
  template <Order order, Site site, class T>
  static void store(T* word, T value) noexcept {
    Explorer::current().store(word, sizeof(T), order, site, value);
  }
  static void copy_in(std::byte* shared, const void* from, std::size_t size) noexcept {
    Explorer::current().copy_in(shared, from, size);
  }
  static void copy_out(void* to, const std::byte* shared, std::size_t size) noexcept {
    Explorer::current().copy_out(to, shared, size);
  }
  // Whether somebody slept is only counted, and no scenario looks at the count.
  static bool wake_all(const std::uint32_t* word) noexcept {
    Explorer::current().wake(word);
    return true;
  }
};

}  // namespace symphony::proof
