#include "pits/hosting/pit_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <symphony/unique_fd.hpp>
#include <utility>

namespace symphony::pit {
namespace {

Outcome unreadable(const std::string& path, const char* why) {
  return {SYMPHONY_UNREACHABLE, path + ": cannot be read: " + why + "; name a pit's file"};
}

}  // namespace

Outcome read_bytes_of(const std::string& path, std::vector<std::byte>& out) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return unreadable(path, std::strerror(errno));
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) return unreadable(path, std::strerror(errno));
  if (!S_ISREG(about.st_mode)) return unreadable(path, "it is no regular file");
  if (static_cast<std::uint64_t>(about.st_size) > pit_file_size_max)
    return {SYMPHONY_TOO_LARGE, path + ": larger than 256 MiB: build it without debug information"};
  out.resize(static_cast<std::size_t>(about.st_size));
  std::size_t got = 0;
  while (got < out.size()) {
    const ssize_t n = ::read(file.get(), out.data() + got, out.size() - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return unreadable(path, std::strerror(errno));
    if (n == 0) break;  // it became shorter: the headers will tell
    got += static_cast<std::size_t>(n);
  }
  out.resize(got);
  return {};
}

Outcome read_pit_file(const std::string& path, PitFile& out) {
  const auto at = [&](Outcome wrong) { return Outcome{wrong.status, path + ": " + std::move(wrong.text)}; };
  PitFile file;
  file.path = path;
  try {
    if (Outcome read = read_bytes_of(path, file.bytes); !read.ok()) return read;
    if (Outcome read = read_elf(file.bytes, file.elf); !read.ok()) return at(std::move(read));
    if (file.elf.notes.empty())
      return at({SYMPHONY_BAD_MESSAGE, "no pit: it has no note of one; build it with symphony_add_pit"});
    for (const std::span<const std::byte> bytes : file.elf.notes) {
      if (Outcome read = read_note(bytes, file.notes.emplace_back()); !read.ok()) return at(std::move(read));
    }
  } catch (const std::bad_alloc&) {
    return at({SYMPHONY_OVERLOADED, "no memory to read it"});
  }
  out = std::move(file);
  return {};
}

}  // namespace symphony::pit
