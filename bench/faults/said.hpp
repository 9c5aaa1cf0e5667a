// Lines of `key value` by which the processes of a cell tell what they saw.   Layer: bench. Threads: one at a time.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace symphony::faults {

// One whole line, in one write: whoever dies leaves no half of one. A line break in `value` becomes a space.
void say(int fd, std::string_view key, std::string_view value) noexcept;

// Takes bytes as they come, hands out whole lines.
class Lines {
 public:
  using Take = std::function<void(std::string_view key, std::string_view value)>;
  void add(std::string_view bytes, const Take& take);

 private:
  std::string rest_;
};

}  // namespace symphony::faults
