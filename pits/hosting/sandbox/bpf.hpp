// Programs of seccomp filters, made of rules.   Layer: hosting/sandbox (base).
// A rule names one system call and what is answered to it, where all of its conditions hold; the first rule that does
// decides. Calls of another architecture's numbering (i386, x32) kill. A condition sees one half of an argument: the
// low one is enough for what the kernel takes as int or as flags of 32 bits; a pointer needs one for each half.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>

namespace symphony::pit::sandbox {

// What a filter answers. `refuse` is ENOSYS, which libraries take as an older kernel's word and do without; `deny` is
// EPERM, for what everybody knows to exist.
enum class Verdict : std::uint32_t {
  allow = SECCOMP_RET_ALLOW,
  refuse = SECCOMP_RET_ERRNO | 38,
  deny = SECCOMP_RET_ERRNO | 1,
  nothing = SECCOMP_RET_ERRNO | 0,  // 0: of brk, which knows no errors, what libraries take as "no more memory"
  kill = SECCOMP_RET_KILL_PROCESS,
};

// One of `values` is what the bits of `mask` of the argument are.
struct Condition {
  std::uint32_t argument = 0;
  std::uint32_t mask = ~0U;
  std::vector<std::uint32_t> values{};
  bool upper_half = false;
};

struct Rule {
  std::uint32_t number = 0;
  Verdict verdict = Verdict::allow;
  std::vector<Condition> conditions{};
};

using BpfProgram = std::vector<sock_filter>;

// Precondition: a rule's conditions have less than 60 values in all, so that each jump fits its 8 bits.
[[nodiscard]] BpfProgram compile(const std::vector<Rule>& rules, Verdict otherwise);

}  // namespace symphony::pit::sandbox
