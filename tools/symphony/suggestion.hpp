// What somebody meant who typed a name that there is not.   Layer: tools. Threads: pure functions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

namespace symphony::tools {

// How many letters must be changed, added or left out to make one word of the other.
[[nodiscard]] inline std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

// The one of `names` that is most like `name`; empty when there are none.
template <class Names>
[[nodiscard]] std::string_view nearest_to(std::string_view name, const Names& names) {
  const auto nearest =
      std::min_element(std::begin(names), std::end(names),
                       [&](std::string_view a, std::string_view b) { return distance(name, a) < distance(name, b); });
  return nearest == std::end(names) ? std::string_view() : std::string_view(*nearest);
}

}  // namespace symphony::tools
