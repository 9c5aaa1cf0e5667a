#include "bus/broker/letter_file.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/state/boot.hpp"
#include "bus/state/checksum.hpp"
#include "bus/state/state_memory.hpp"

namespace symphony::detail::broker {
namespace {

struct Header {
  std::array<char, 8> magic{};
  std::uint64_t size = 0;  // of what follows
  std::uint64_t boot = 0;  // of the machine: times are of its clock
  std::uint64_t hash = 0;  // of what follows, with the boot for its place
};
constexpr std::array<char, 8> letters_magic{'S', 'Y', 'M', 'L', 'T', 'R', 'S', '1'};

// More than those of one pit take.
constexpr std::size_t file_size_max = letters_size_max + letters_per_pit_max * 4096 + 4096;

std::uint64_t sum_of(std::uint64_t boot, std::span<const std::byte> bytes) {
  return Checksum(boot, bytes.size()).add(bytes).value();
}

unexpected no_file(int why) {
  const bool no_room = why == ENOSPC || why == EDQUOT || why == EFBIG;
  return {no_room ? errc::out_of_memory : errc::system,
          "its dead letters could not be written to the folder of its state: make room there", why};
}

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

std::optional<std::vector<std::byte>> read_all(int fd) {
  std::vector<std::byte> bytes(file_size_max);
  std::size_t size = 0;
  for (ssize_t n = 1; n != 0 && size < bytes.size();) {
    n = ::read(fd, bytes.data() + size, bytes.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::nullopt;
    size += static_cast<std::size_t>(n);
  }
  bytes.resize(size);
  return bytes;
}

std::optional<DeadLetters> parse(std::span<const std::byte> bytes, std::string_view pit) {
  Header header;
  if (bytes.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof header);
  bytes = bytes.subspan(sizeof header);
  if (header.magic != letters_magic || header.size != bytes.size() || header.hash != sum_of(header.boot, bytes)) {
    return std::nullopt;
  }
  auto letters = DeadLetters::decode(bytes);
  if (!letters || !letters->are_of(pit)) return std::nullopt;
  if (header.boot != boot_of_this_machine()) letters->forget_times();
  return letters;
}

}  // namespace

result<UniqueFd> lock_letter_file(const std::string& folder, const std::string& pit) {
  const auto at = open_state_folder(folder);
  if (!at) return unexpected(at.error());
  const std::string name = pit + ".letters.lock";
  UniqueFd fd(::openat(at->get(), name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return no_file(errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno != EWOULDBLOCK) return no_file(errno);
  return unexpected(errc::busy,
                    "another broker keeps dead letters of a pit of this name in the folder of its state, so those of "
                    "this one end with it: give each a state_folder of its own");
}

result<void> write_letter_file(const std::string& folder, const std::string& pit, std::span<const std::byte> letters) {
  const auto at = open_state_folder(folder);
  if (!at) return unexpected(at.error());
  const std::string name = pit + ".letters", next = name + ".next";
  ::unlinkat(at->get(), next.c_str(), 0);
  const UniqueFd file(::openat(at->get(), next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return no_file(errno);
  Header header{letters_magic, letters.size(), boot_of_this_machine(), 0};
  header.hash = sum_of(header.boot, letters);
  const bool is_whole = write_all(file.get(), std::as_bytes(std::span(&header, 1))) && write_all(file.get(), letters) &&
                        ::fsync(file.get()) == 0 && ::renameat(at->get(), next.c_str(), at->get(), name.c_str()) == 0;
  if (is_whole && ::fsync(at->get()) == 0) return {};
  const int why = errno;
  ::unlinkat(at->get(), next.c_str(), 0);
  return no_file(why);
}

result<std::optional<DeadLetters>> read_letter_file(const std::string& folder, const std::string& pit) {
  const auto at = open_state_folder(folder);
  if (!at) return unexpected(at.error());
  const std::string name = pit + ".letters", aside = name + ".refused";
  const UniqueFd file(::openat(at->get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::optional<DeadLetters>();
  const auto bytes = file ? read_all(file.get()) : std::nullopt;
  if (!bytes) return unexpected(errc::system, "its dead letters in the folder of its state cannot be read", errno);
  auto letters = parse(*bytes, pit);
  if (letters) return letters;
  ::renameat(at->get(), name.c_str(), at->get(), aside.c_str());
  return unexpected(errc::refused,
                    "its dead letters are damaged or of another release: none of them is used, and the "
                    "file is kept beside its state with the ending .letters.refused");
}

}  // namespace symphony::detail::broker
