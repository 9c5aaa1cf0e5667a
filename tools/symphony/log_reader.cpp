#include "tools/symphony/log_reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace symphony::tools {
namespace {

constexpr std::array<std::string_view, 3> oldest_first{".2", ".1", ""};

struct OpenFile {
  UniqueFd fd;
  std::uint64_t inode = 0;
};

OpenFile open_file(const std::string& path) {
  OpenFile out{UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK))};
  struct stat s {};
  if (!out.fd || ::fstat(out.fd.get(), &s) != 0 || !S_ISREG(s.st_mode)) return {};
  out.inode = s.st_ino;
  return out;
}

}  // namespace

std::optional<LogReader> LogReader::open(const std::string& path) {
  LogReader reader(path);
  if (!reader.go_on()) return std::nullopt;
  return reader;
}

bool LogReader::go_on() {
  std::array<OpenFile, oldest_first.size()> files;
  for (std::size_t i = 0; i < files.size(); ++i) {
    files[i] = open_file(path_ + std::string(oldest_first[i]));
    // Moved between two looks: it was seen under its old name already, or will be seen a second time.
    if (i > 0 && files[i].inode == files[i - 1].inode) files[i] = {};
  }
  std::size_t next = 0;  // the oldest, if the one that was read is not there any more
  for (std::size_t i = 0; file_ && i < files.size(); ++i) {
    if (files[i].inode == inode_) next = i + 1;
  }
  while (next < files.size() && !files[next].fd) ++next;
  if (next == files.size()) return false;
  file_ = std::move(files[next].fd);
  inode_ = files[next].inode;
  return true;
}

bool LogReader::fill() {
  std::array<char, 64UL * 1024> buffer;
  read_.erase(0, std::exchange(at_, 0));
  for (;;) {
    const ssize_t n = ::read(file_.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n > 0) read_.append(buffer.data(), static_cast<std::size_t>(n));
    return n > 0;
  }
}

std::optional<std::string> LogReader::try_next() {
  for (;;) {
    if (const auto end = read_.find('\n', at_); end != std::string::npos) {
      std::string line = read_.substr(at_, end - at_);
      at_ = end + 1;
      return line;
    }
    if (fill()) continue;
    // Its end. Has it been moved, so that nothing more comes? Then it ends with a line; what came meanwhile first.
    const OpenFile now = open_file(path_);
    if (now.inode == inode_ || !now.fd) return std::nullopt;
    if (fill()) continue;
    if (!go_on()) return std::nullopt;
  }
}

std::string LogReader::rest() {
  read_.erase(0, std::exchange(at_, 0));
  return std::exchange(read_, {});
}

}  // namespace symphony::tools
