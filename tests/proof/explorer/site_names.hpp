// The names of the sites of bus/ring/mem.hpp, read off the enumeration itself: a new site needs no line here.
// Layer: tests. Threads: pure functions.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bus/ring/mem.hpp"

namespace symphony::proof {

inline constexpr std::size_t site_count_max = 64;

// "header" of Site::header; "(…)3" where there is no such site.
template <detail::Site site>
constexpr std::string_view spelled_site() {
  const std::string_view text = __PRETTY_FUNCTION__;
  const auto begin = text.find("site = ") + 7;
  const auto name = text.substr(begin, text.find_first_of(";]", begin) - begin);
  return name.front() == '(' ? name : name.substr(name.rfind(':') + 1);
}

template <std::size_t... i>
constexpr auto spelled_sites(std::index_sequence<i...>) {
  return std::array<std::string_view, sizeof...(i)>{spelled_site<static_cast<detail::Site>(i)>()...};
}

inline const std::string& site_name(detail::Site site) {
  static const auto names = [] {
    std::array<std::string, site_count_max> all;
    const auto spelled = spelled_sites(std::make_index_sequence<site_count_max>());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = spelled[i];
    return all;
  }();
  return names[static_cast<std::size_t>(site)];
}

inline std::vector<detail::Site> all_sites() {
  std::vector<detail::Site> sites;
  for (std::size_t i = 0; i < site_count_max; ++i) {
    const auto site = static_cast<detail::Site>(i);
    if (site_name(site).front() != '(') sites.push_back(site);
  }
  return sites;
}

inline const char* order_name(detail::Order order) {
  constexpr std::array names{"relaxed", "acquire", "release", "seq_cst", "light"};
  return names[static_cast<std::size_t>(order)];
}

}  // namespace symphony::proof
