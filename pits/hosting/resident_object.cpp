#include "pits/hosting/resident_object.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace symphony::pit {
namespace {

constexpr int all_seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

std::string system_text(const PitFile& file, const char* what) {
  return file.path + ": " + what + ": " + std::strerror(errno);
}

// The bytes in memory, sealed.
Outcome copy_to_memory(const PitFile& file, UniqueFd& out) {
  UniqueFd copy(::memfd_create(("pit:" + file.notes[0].info.name).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!copy) return {SYMPHONY_OVERLOADED, system_text(file, "no descriptor for a copy in memory")};
  std::size_t written = 0;
  while (written < file.bytes.size()) {
    const ssize_t n = ::write(copy.get(), file.bytes.data() + written, file.bytes.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return {SYMPHONY_OVERLOADED, system_text(file, "no memory for a copy")};
    written += static_cast<std::size_t>(n);
  }
  if (::fcntl(copy.get(), F_ADD_SEALS, all_seals) != 0)
    return {SYMPHONY_INTERNAL, system_text(file, "the copy in memory cannot be sealed")};
  out = std::move(copy);
  return {};
}

}  // namespace

bool ResidentObject::holds(std::span<const std::byte> bytes) const {
  struct stat about {};
  if (::fstat(copy.get(), &about) != 0 || static_cast<std::uint64_t>(about.st_size) != bytes.size()) return false;
  std::vector<std::byte> part(std::size_t{64} * 1024);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t want = std::min(part.size(), bytes.size() - at);
    const ssize_t n = ::pread(copy.get(), part.data(), want, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || std::memcmp(part.data(), bytes.data() + at, static_cast<std::size_t>(n)) != 0) return false;
    at += static_cast<std::size_t>(n);
  }
  return true;
}

const void* ResidentObject::symbol(const char* name) const noexcept { return ::dlsym(handle, name); }

Outcome load_resident(const PitFile& file, ResidentObject& out) {
  ResidentObject object;
  if (file.placed_at.empty()) {
    if (Outcome copied = copy_to_memory(file, object.copy); !copied.ok()) return copied;
  }
  const std::string name =
      file.placed_at.empty() ? "/proc/self/fd/" + std::to_string(object.copy.get()) : file.placed_at;
  object.handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (object.handle == nullptr) {
    const char* why = ::dlerror();
    return {SYMPHONY_UNREACHABLE,
            file.path + ": the system's loader refused it: " + (why != nullptr ? why : "no reason given") +
                "; build it on this system, and see that /proc is mounted"};
  }
  out = std::move(object);
  return {};
}

}  // namespace symphony::pit
