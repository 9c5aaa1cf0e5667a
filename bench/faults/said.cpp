#include "bench/faults/said.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>

namespace symphony::faults {

void say(int fd, std::string_view key, std::string_view value) noexcept {
  std::array<char, 3072> line{};  // below PIPE_BUF: written whole
  const std::size_t fits = std::min(value.size(), line.size() - key.size() - 2);
  char* at = std::copy(key.begin(), key.end(), line.data());
  *at++ = ' ';
  at = std::replace_copy(value.data(), value.data() + fits, at, '\n', ' ');
  *at++ = '\n';
  (void)!::write(fd, line.data(), static_cast<std::size_t>(at - line.data()));
}

void Lines::add(std::string_view bytes, const Take& take) {
  rest_.append(bytes);
  std::size_t begin = 0;
  for (std::size_t end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
    const std::string_view line(rest_.data() + begin, end - begin);
    const std::size_t space = line.find(' ');
    if (space != std::string_view::npos) take(line.substr(0, space), line.substr(space + 1));
    begin = end + 1;
  }
  rest_.erase(0, begin);
}

}  // namespace symphony::faults
