// A file of lines that is not allowed to grow: what it holds goes to PATH.1, then to PATH.2, then away.   Layer:
// broker.
//
// Each line is whole in one file. A file is at most log_size_max long, and one line more. What cannot be written (a
// full disk, a folder that is gone) is dropped by whole lines and counted, and the file says so once it can be written
// again; no call fails or waits. Threads: one.   Trust: the bytes may be anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <symphony/unique_fd.hpp>

namespace symphony::detail::broker {

inline constexpr std::size_t log_size_max = 1024UL * 1024;
inline constexpr std::size_t log_line_size_max = 64UL * 1024;  // a longer one is cut where a file ends
inline constexpr int old_logs = 2;

class LogFile {
 public:
  explicit LogFile(std::string path) : path_(std::move(path)) {}

  void append(std::string_view bytes);
  // The next line opens it again, should somebody have moved it away.
  void close() noexcept { file_.reset(); }
  // One line of ours, also behind one that has no end yet.
  void append_line(std::string line);
  [[nodiscard]] std::uint64_t lines_lost() const noexcept { return lines_lost_; }
  // Of the last failure to write; 0: there was none since the last success.
  [[nodiscard]] int trouble() const noexcept { return trouble_; }
  // The last bytes of the file on disk, at most `size`.
  [[nodiscard]] std::string tail(std::size_t size) const;

 private:
  bool open();
  [[nodiscard]] bool rotate();
  bool say_loss();
  void lose(std::string_view bytes);
  std::size_t write_out(std::string_view bytes);  // how many bytes are written
  [[nodiscard]] std::size_t fitting(std::string_view bytes) const;

  std::string path_;
  UniqueFd file_;
  std::size_t size_ = 0;
  bool at_line_start_ = true;
  bool skipping_ = false;  // the rest of a line whose beginning was lost
  std::uint64_t lines_lost_ = 0;
  std::uint64_t unsaid_ = 0;  // of these, not yet said in the file
  int trouble_ = 0;
};

// Makes the folder with its missing parents, each closed to others. False: errno says why.
[[nodiscard]] bool make_log_folder(const std::string& path);

}  // namespace symphony::detail::broker
