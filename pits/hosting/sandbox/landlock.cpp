#include "pits/hosting/sandbox/landlock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <symphony/unique_fd.hpp>

namespace symphony::pit::sandbox {
namespace {

// include/uapi/linux/landlock.h of Linux 6.18.
struct RulesetAttributes {
  std::uint64_t handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;  // from ABI 4
  std::uint64_t scoped = 0;              // from ABI 6
};
struct [[gnu::packed]] PathBeneath {
  std::uint64_t allowed_access = 0;
  std::int32_t parent_fd = -1;
};
constexpr unsigned version_flag = 1;
constexpr int rule_path_beneath = 1;
constexpr std::uint64_t execute = 1U << 0, read_file = 1U << 2, read_dir = 1U << 3;
// By ABI: 13 rights of 5.13, refer, truncate, (networks), ioctl on devices.
constexpr std::array<std::uint64_t, 6> file_rights{0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff};
constexpr std::uint64_t bind_and_connect_tcp = 3;
constexpr std::uint64_t abstract_sockets_and_signals = 3;
constexpr int abi_of_network = 4;
constexpr int abi_of_scopes = 6;

constexpr std::array<const char*, 7> readable = {
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/pit.so", "/proc/sys/kernel/random/boot_id"};

void allow_reading(int ruleset, const char* path) noexcept {
  const UniqueFd at(::open(path, O_PATH | O_CLOEXEC));
  struct stat about {};
  if (!at || ::fstat(at.get(), &about) != 0) return;  // there is none: nothing to read
  const std::uint64_t rights = execute | read_file | (S_ISDIR(about.st_mode) ? read_dir : 0);
  const PathBeneath rule{rights, at.get()};
  // One that is refused leaves less to read: the loader will say what it misses.
  (void)::syscall(SYS_landlock_add_rule, ruleset, rule_path_beneath, &rule, 0);
}

}  // namespace

int landlock_abi() noexcept {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, version_flag);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

result<void> restrict_files(int abi, Reading reading) noexcept {
  if (abi < 1) return unexpected(errc::refused, "landlock: this kernel has none, or it is switched off", EOPNOTSUPP);
  RulesetAttributes all;
  all.handled_access_fs = file_rights.at(abi < 5 ? static_cast<std::size_t>(abi) : 5);
  if (abi >= abi_of_network) all.handled_access_net = bind_and_connect_tcp;
  if (abi >= abi_of_scopes) all.scoped = abstract_sockets_and_signals;
  const std::size_t size = abi >= abi_of_scopes ? 24 : abi >= abi_of_network ? 16 : 8;  // what that kernel reads
  const UniqueFd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &all, size, 0)));
  if (!ruleset) return unexpected(errc::refused, "landlock_create_ruleset: refused", errno);
  if (reading == Reading::libraries) {
    for (const char* path : readable) allow_reading(ruleset.get(), path);
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0)
    return unexpected(errc::refused, "landlock_restrict_self: refused", errno);
  return {};
}

}  // namespace symphony::pit::sandbox
