#include "pits/hosting/sandbox/filters.hpp"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <initializer_list>

namespace symphony::pit::sandbox {
namespace {

// Commands of fcntl that are harmless on what a pit has, by number: F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC,
// F_GET_SEALS. Not F_SETFL: the description of the control socket is shared with the keeper.
constexpr std::initializer_list<std::uint32_t> fcntl_commands = {1, 2, 3, 1030, 1034};
constexpr std::uint32_t thread_flags = 0x3d0f00;  // of pthread_create(): VM FS FILES SIGHAND THREAD SYSVSEM SETTLS ...
constexpr std::uint32_t empty_path = 0x1000;      // AT_EMPTY_PATH: fstat() of glibc 2.36

// Lists of names, as many a line as there is room for.
// clang-format off
struct Rules {
  std::vector<Rule> all;

  void allow(std::initializer_list<std::uint32_t> numbers) {
    for (const std::uint32_t n : numbers) all.push_back({n, Verdict::allow, {}});
  }
  void allow(std::uint32_t number, std::vector<Condition> conditions) {
    all.push_back({number, Verdict::allow, std::move(conditions)});
  }
  void answer(Verdict verdict, std::initializer_list<std::uint32_t> numbers) {
    for (const std::uint32_t n : numbers) all.push_back({n, verdict, {}});
  }
};

// For whoever waits, ends, maps what it is handed, and says what it has to say.
void add_common(Rules& r, const FilterOptions& options) {
  // A futex may be waited for and woken, not requeued: a peer's word is readable, and so its sleepers could be moved.
  r.allow(SYS_futex, {{1,
                       ~std::uint32_t{FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME},
                       {FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET}}});
  r.allow({
           SYS_futex_waitv, SYS_membarrier, SYS_clock_gettime, SYS_read, SYS_write, SYS_writev, SYS_poll, SYS_ppoll,
           SYS_epoll_wait, SYS_epoll_ctl,
           SYS_restart_syscall, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_exit, SYS_exit_group,
           SYS_close, SYS_munmap, SYS_madvise, SYS_msync, SYS_fdatasync, SYS_fstat, SYS_getpid, SYS_gettid,
           SYS_getcpu, SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_clock_nanosleep,
           SYS_nanosleep, SYS_gettimeofday, SYS_time, SYS_getrandom, SYS_clock_getres});
  // What a thread says as it begins, which may have been started just before: where its rseq is refused glibc aborts.
  r.allow({SYS_set_robust_list, SYS_rseq});
  r.allow(SYS_newfstatat, {{3, ~0U, {empty_path}}});
  r.allow(SYS_fallocate, {{1, ~0U, {0}}});  // room for a state, no holes
  r.allow(SYS_fcntl, {{1, ~0U, fcntl_commands}});
  r.allow(SYS_tgkill, {{0, ~0U, {options.own_pid}}});  // abort(), raise()
  r.allow(SYS_kill, {{0, ~0U, {options.own_pid}}});
}

// Memory of its own, never to be executed.
void add_heap(Rules& r) {
  r.allow({SYS_brk, SYS_mremap});
  r.allow(SYS_mmap, {{2, PROT_EXEC, {0}}});
  r.allow(SYS_mprotect, {{2, PROT_EXEC, {0}}});
}

void add_threads(Rules& r) {
  r.allow(SYS_clone, {{0, ~0U, {thread_flags}}});
  r.allow({SYS_eventfd2});
  r.allow(SYS_prlimit64, {{0, ~0U, {0}}, {2, ~0U, {0}}, {2, ~0U, {0}, true}});  // reads its own: pthread_getattr_np()
  r.allow(SYS_prctl, {{0, ~0U, {15}}});                                         // PR_SET_NAME
}

void add_refusals(Rules& r) {
  // Known to every kernel: "not permitted" is the answer that programs understand.
  r.answer(Verdict::deny, {
           SYS_open, SYS_openat, SYS_openat2, SYS_creat, SYS_stat, SYS_lstat, SYS_access, SYS_faccessat,
           SYS_faccessat2, SYS_readlink, SYS_readlinkat, SYS_unlink, SYS_unlinkat, SYS_rename, SYS_renameat,
           SYS_renameat2, SYS_mkdir, SYS_mkdirat, SYS_rmdir, SYS_link, SYS_linkat, SYS_symlink, SYS_symlinkat,
           SYS_mknod, SYS_mknodat, SYS_chmod, SYS_fchmod, SYS_fchmodat, SYS_chown, SYS_fchown, SYS_lchown,
           SYS_fchownat, SYS_truncate, SYS_ftruncate, SYS_fallocate, SYS_chdir, SYS_fchdir, SYS_utimensat,
           SYS_setxattr, SYS_getdents64, SYS_socket, SYS_socketpair, SYS_connect, SYS_bind, SYS_listen, SYS_accept,
           SYS_accept4, SYS_sendto, SYS_recvfrom, SYS_sendmsg, SYS_recvmsg, SYS_sendmmsg, SYS_recvmmsg,
           SYS_setsockopt, SYS_getsockopt, SYS_execve, SYS_execveat, SYS_fork, SYS_vfork, SYS_clone, SYS_kill,
           SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_pidfd_send_signal, SYS_pidfd_open,
           SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setfsuid,
           SYS_setfsgid, SYS_setgroups, SYS_capset, SYS_setpgid, SYS_setsid, SYS_setrlimit, SYS_prlimit64,
           SYS_setpriority, SYS_sched_setscheduler, SYS_sched_setparam, SYS_sched_setattr, SYS_prctl, SYS_mmap,
           SYS_mprotect, SYS_mlock, SYS_mlock2, SYS_mlockall, SYS_memfd_create, SYS_fcntl, SYS_dup, SYS_dup2,
           SYS_dup3, SYS_ioctl, SYS_shmget, SYS_shmat, SYS_shmctl, SYS_semget, SYS_semop, SYS_semctl, SYS_msgget,
           SYS_msgsnd, SYS_msgrcv, SYS_msgctl, SYS_mq_open, SYS_mq_unlink, SYS_mq_notify, SYS_timer_create,
           SYS_inotify_init1, SYS_newfstatat, SYS_tee, SYS_splice, SYS_vmsplice, SYS_sendfile, SYS_copy_file_range});
  // The short list: no pit needs them, and each has been a way out.
  r.answer(Verdict::kill, {
           SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_pidfd_getfd, SYS_bpf,
           SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
           SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_open_tree, SYS_move_mount, SYS_fsopen,
           SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_mount_setattr, SYS_setns, SYS_unshare, SYS_init_module,
           SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_kexec_file_load, SYS_reboot, SYS_swapon,
           SYS_swapoff, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_iopl, SYS_ioperm, SYS_modify_ldt,
           SYS_personality, SYS_acct, SYS_quotactl, SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime,
           SYS_adjtimex, SYS_syslog, SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_fanotify_init, SYS_vhangup,
           SYS_sethostname, SYS_setdomainname, SYS_process_madvise, SYS_migrate_pages, SYS_move_pages});
}

}  // namespace

std::vector<Rule> start_rules(const FilterOptions& options) {
  Rules r;
  add_common(r, options);
  // The system's loader maps what it loads executable, and so may the pit until it serves.
  r.allow({SYS_brk, SYS_mremap, SYS_mmap, SYS_mprotect});
  add_threads(r);
  r.allow({
           SYS_recvmsg, SYS_sendmsg, SYS_openat, SYS_access, SYS_faccessat, SYS_faccessat2, SYS_readlink,
           SYS_readlinkat, SYS_pread64, SYS_lseek, SYS_getcwd, SYS_newfstatat, SYS_statfs, SYS_fstatfs, SYS_uname,
           SYS_sysinfo, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getppid, SYS_dup, SYS_fcntl,
           SYS_set_tid_address, SYS_sigaltstack, SYS_times, SYS_getrusage, SYS_sched_getscheduler, SYS_sched_getparam,
           SYS_epoll_create1});
  // The second filter and the second set of Landlock's rules; limits, which only become less.
  r.allow({SYS_seccomp, SYS_landlock_create_ruleset, SYS_landlock_restrict_self, SYS_prlimit64});
  // A copy of a state that is being written; where the pit has no root of its own, a copy of its file.
  r.allow({SYS_memfd_create, SYS_ftruncate, SYS_pwrite64});
  add_refusals(r);
  return std::move(r.all);
}

std::vector<Rule> serving_rules(SandboxProfile profile, const FilterOptions& options) {
  Rules r;
  add_common(r, options);
  if (profile == SandboxProfile::threads) {
    r.allow({SYS_recvmsg, SYS_sendmsg});  // also a caller's socket, for the calls of its own
  } else {
    r.allow(SYS_recvmsg, {{0, ~0U, {options.control_fd}}});
    r.allow(SYS_sendmsg, {{0, ~0U, {options.control_fd}}});
  }
  if (profile == SandboxProfile::ring) {
    // Only what came over the control socket.
    r.allow(SYS_mmap, {{2, PROT_EXEC, {0}}, {3, MAP_TYPE | MAP_ANONYMOUS, {MAP_SHARED, MAP_SHARED_VALIDATE}}});
    // An errno would be taken for an address, and the memory up to there for its own.
    r.answer(Verdict::nothing, {SYS_brk});
  } else {
    add_heap(r);
  }
  if (profile == SandboxProfile::threads) add_threads(r);
  add_refusals(r);
  return std::move(r.all);
}

// clang-format on

}  // namespace symphony::pit::sandbox
