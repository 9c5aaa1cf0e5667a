// The lines of a log that is moved to PATH.1 and PATH.2 while it is read.   Layer: tools. Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <symphony/unique_fd.hpp>

namespace symphony::tools {

class LogReader {
 public:
  // Nothing: there is no file of this log.
  [[nodiscard]] static std::optional<LogReader> open(const std::string& path);

  // The next whole line, without its end; nothing when none is there now. When no more comes, the rest without an end
  // is what rest() gives.
  [[nodiscard]] std::optional<std::string> try_next();
  [[nodiscard]] std::string rest();

 private:
  explicit LogReader(std::string path) : path_(std::move(path)) {}
  // The file behind the one that is read, once that was moved away. False: there is none.
  bool go_on();
  bool fill();

  std::string path_;
  UniqueFd file_;
  std::uint64_t inode_ = 0;
  std::string read_;
  std::size_t at_ = 0;  // of what is read: the next line
};

}  // namespace symphony::tools
