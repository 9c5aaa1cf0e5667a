#include "pits/hosting/sandbox/confine.hpp"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <malloc.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <string_view>

#include "pits/hosting/sandbox/filters.hpp"
#include "pits/hosting/sandbox/landlock.hpp"
#include "pits/hosting/sandbox/new_root.hpp"

#ifdef __has_feature
#define SYMPHONY_HAS_FEATURE(x) __has_feature(x)
#else
#define SYMPHONY_HAS_FEATURE(x) 0
#endif

namespace symphony::pit::sandbox {
namespace {

constexpr rlim_t descriptors_max = 128;             // of an attach: two, until they are mapped
constexpr rlim_t processes_max = 64;                // and threads, of this user here; root is not counted by the kernel
constexpr rlim_t memory_max = rlim_t{1} << 30;      // of its own; links are not counted
constexpr std::size_t ring_heap_size = 16UL << 20;  // for a pit that gets no more memory
// The run time of a sanitizer has its terabytes mapped already: no limit would leave it anything.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || SYMPHONY_HAS_FEATURE(address_sanitizer) || \
    SYMPHONY_HAS_FEATURE(thread_sanitizer)
constexpr bool limits_memory = false;
#else
constexpr bool limits_memory = true;
#endif

bool limit(__rlimit_resource_t what, rlim_t most) noexcept {
  rlimit now{};
  if (::getrlimit(what, &now) != 0) return false;
  const rlim_t value = now.rlim_max < most ? now.rlim_max : most;
  const rlimit wanted{value, value};
  return ::setrlimit(what, &wanted) == 0;
}

// The first process of a namespace: it takes in what has lost its parent, and ends as its pit did. When it has ended,
// however, the kernel has killed everything else there: who sees its end knows that the pit is dead.
[[noreturn]] void wait_for(pid_t pit) {
  ::prctl(PR_SET_NAME, "symphony-init");
  ::prctl(PR_SET_DUMPABLE, 0);
  ::close_range(0, ~0U, 0);
  for (;;) {
    int status = 0;
    const pid_t ended = ::wait4(-1, &status, 0, nullptr);
    if (ended < 0 && errno != EINTR) ::_exit(128 + SIGKILL);
    if (ended == pit) ::_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
  }
}

int install(const BpfProgram& program, unsigned flags) noexcept {
  const sock_fprog filter{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  const long done = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
  return done == 0 ? 0 : done > 0 ? EBUSY : errno;  // above 0: a thread whose filters are others
}

}  // namespace

bool read_plan(const char* sandbox, const char* namespaces, Plan& out) {
  const std::string_view text = sandbox;
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const auto profile = sandbox_profile_of(text.substr(0, colon));
  const std::string_view digits = text.substr(colon + 1);
  const auto [at, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.required);
  if (!profile || *profile == SandboxProfile::none || error != std::errc{} || at != digits.data() + digits.size() ||
      (out.required & ~sandbox_all_blocks) != 0) {
    return false;
  }
  out.profile = *profile;
  const std::string_view given = namespaces != nullptr ? namespaces : "";
  out.has_user_namespace = given == "user pid";
  out.has_pid_namespace = (out.has_user_namespace || given == "pid") && ::getpid() == 1;
  return true;
}

bool leave_out(const char* walls, Plan& plan) {
  if (walls == nullptr) return true;
  SandboxBlocks out = 0;
  const char* const end = walls + std::strlen(walls);
  const auto [at, error] = std::from_chars(walls, end, out);
  plan.wanted &= ~out;
  return error == std::errc{} && at == end;
}

bool Confinement::settle(SandboxBlock block, bool is_up, const char* what, int why) {
  if (is_up) {
    reached_ |= bit_of(block);
    return true;
  }
  if ((plan_.required & bit_of(block)) == 0) return true;
  refusal_ = std::string("no '").append(name_of(block)).append("' here: ").append(what);
  if (why != 0) refusal_.append(": ").append(std::strerror(why));
  return false;
}

bool Confinement::begin(std::span<const std::byte> pit_file) {
  using enum SandboxBlock;
  return settle(user_namespace, plan_.has_user_namespace, "clone: no namespace of users", 0) &&
         settle(pid_namespace, plan_.has_pid_namespace, "clone: no namespace of processes", 0) &&
         enter_namespaces(pit_file) && give_up_rights() && become_child() && close_landlock(true) && filter_start();
}

const char* Confinement::placed_at() const noexcept {
  return (reached_ & bit_of(SandboxBlock::mount_namespace)) != 0 ? placed_pit : nullptr;
}

bool Confinement::enter_namespaces(std::span<const std::byte> pit_file) {
  using enum SandboxBlock;
  const auto enter = [&](SandboxBlock block, int flag) {
    if (!wants(block)) return settle(block, false, "left out", 0);
    const bool is_in = ::unshare(flag) == 0;
    return settle(block, is_in, "unshare: refused", errno);
  };
  if (!enter(network_namespace, CLONE_NEWNET) || !enter(ipc_namespace, CLONE_NEWIPC)) return false;
  if (!wants(mount_namespace)) return settle(mount_namespace, false, "left out", 0);
  if (::unshare(CLONE_NEWNS) != 0) return settle(mount_namespace, false, "unshare: refused", errno);
  const auto root = enter_new_root(pit_file);
  if (!root) {  // half of a root: nothing can run here
    plan_.required |= bit_of(mount_namespace);
    return settle(mount_namespace, false, root.error().text, root.error().sys_errno);
  }
  return settle(mount_namespace, true, "", 0);
}

bool Confinement::give_up_rights() {
  using enum SandboxBlock;
  if (wants(limits)) {
    bool are_set = limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, descriptors_max) && limit(RLIMIT_MEMLOCK, 0) &&
                   limit(RLIMIT_NPROC, processes_max) && limit(RLIMIT_RTPRIO, 0) && limit(RLIMIT_MSGQUEUE, 0);
    if (limits_memory) are_set = are_set && limit(RLIMIT_DATA, memory_max);
    if (!settle(limits, are_set, "setrlimit: refused", errno)) return false;
  } else if (!settle(limits, false, "left out", 0)) {
    return false;
  }
  if (wants(capabilities)) {
    // Neither has it any, nor does a user of number 0 get them again by executing a program.
    ::prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                   SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED);
    for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability)
      ::prctl(PR_CAPBSET_DROP, capability);
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const __user_cap_data_struct none[2]{};
    ::prctl(PR_SET_DUMPABLE, 0);  // nor does another process of this user look into it
    if (!settle(capabilities, ::syscall(SYS_capset, &header, none) == 0, "capset: refused", errno)) return false;
  } else if (!settle(capabilities, false, "left out", 0)) {
    return false;
  }
  const bool is_set = wants(no_new_privileges) && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
  return settle(no_new_privileges, is_set, "prctl: refused", errno);
}

bool Confinement::become_child() {
  using enum SandboxBlock;
  if (plan_.has_pid_namespace) {
    const pid_t pit = ::fork();
    if (pit < 0) return settle(pid_namespace, false, "fork: refused", errno);
    if (pit != 0) wait_for(pit);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  }
  int on_death = 0;
  ::prctl(PR_GET_PDEATHSIG, &on_death);
  const bool are_closed = wants(closed_descriptors) && ::close_range(plan_.first_closed_fd, ~0U, 0) == 0;
  return settle(parent_death, on_death == SIGKILL, "prctl: nobody's death ends it", 0) &&
         settle(closed_descriptors, are_closed, "close_range: refused", errno);
}

bool Confinement::close_landlock(bool is_start) {
  using enum SandboxBlock;
  const int abi = wants(landlock) ? landlock_abi() : 0;
  const auto closed = restrict_files(abi, is_start ? Reading::libraries : Reading::nothing);
  const char* const what = closed ? "" : closed.error().text;
  if (!settle(landlock, closed.has_value(), what, closed ? 0 : closed.error().sys_errno)) return false;
  return settle(landlock_network, closed && abi >= 4, "Linux 6.7 has it first", 0) &&
         settle(landlock_scope, closed && abi >= 6, "Linux 6.12 has it first", 0);
}

bool Confinement::filter_start() {
  if (!wants(SandboxBlock::start_filter)) return settle(SandboxBlock::start_filter, false, "left out", 0);
  FilterOptions options;
  options.own_pid = static_cast<std::uint32_t>(::getpid());
  const int why = install(compile(start_rules(options), unlisted), 0);
  return settle(SandboxBlock::start_filter, why == 0, "seccomp: no filter", why);
}

bool Confinement::close_files() {
  if (plan_.profile == SandboxProfile::ring) {
    // One heap for all threads, and all of it now: later the kernel is not asked.
    ::mallopt(M_ARENA_MAX, 1);
    ::mallopt(M_MMAP_MAX, 0);
    ::mallopt(M_TRIM_THRESHOLD, static_cast<int>(2 * ring_heap_size));
    if (void* all = std::malloc(ring_heap_size); all != nullptr) {
      std::memset(all, 1, ring_heap_size);
      std::free(all);
    }
  }
  // Of the files that were there to be read, and whatever the first phase could not keep away.
  if ((reached_ & bit_of(SandboxBlock::limits)) != 0 && !limit(RLIMIT_FSIZE, 0))
    return settle(SandboxBlock::limits, false, "setrlimit: refused", errno);
  return close_landlock(false);
}

bool Confinement::finish() {
  if (!wants(SandboxBlock::filter)) return settle(SandboxBlock::filter, false, "left out", 0);
  FilterOptions options;
  options.control_fd = static_cast<std::uint32_t>(plan_.control_fd);
  options.own_pid = static_cast<std::uint32_t>(::getpid());
  const int why = install(compile(serving_rules(plan_.profile, options), unlisted), SECCOMP_FILTER_FLAG_TSYNC);
  return settle(SandboxBlock::filter, why == 0, "seccomp: no filter for all threads", why);
}

}  // namespace symphony::pit::sandbox
