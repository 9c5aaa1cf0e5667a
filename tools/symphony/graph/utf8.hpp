// Where a text stops being UTF-8.   Layer: tools. Threads: any.
#pragma once

#include <cstddef>
#include <string_view>

namespace symphony::tools {

inline constexpr std::size_t all_utf8 = static_cast<std::size_t>(-1);

// The offset of the first byte that does not begin or continue a well-formed character (no overlong forms, no
// surrogates, nothing above U+10FFFF), or all_utf8.
[[nodiscard]] std::size_t first_bad_utf8(std::string_view text) noexcept;

// A character that the end of `text` cuts in two is reported at its first byte by first_bad_utf8(); this says whether
// `bad` is such a place, so that a cut file is called cut.
[[nodiscard]] bool is_cut_utf8(std::string_view text, std::size_t bad) noexcept;

}  // namespace symphony::tools
