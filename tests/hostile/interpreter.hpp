// What a seccomp filter answers, worked out as the kernel does: classic BPF over one seccomp_data. For tests.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include <linux/filter.h>
#include <linux/seccomp.h>

namespace symphony::pit::sandbox {

// Nothing: an instruction that no filter of ours has, a jump or a load outside, or no answer.
inline std::optional<std::uint32_t> answer_of(std::span<const sock_filter> program, const seccomp_data& data) {
  std::uint32_t a = 0;
  for (std::size_t at = 0; at < program.size();) {
    const sock_filter& i = program[at++];
    switch (i.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (i.k % 4 != 0 || i.k > sizeof data - 4) return std::nullopt;
        std::memcpy(&a, reinterpret_cast<const char*>(&data) + i.k, 4);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        a &= i.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        at += a == i.k ? i.jt : i.jf;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        at += a >= i.k ? i.jt : i.jf;
        break;
      case BPF_RET | BPF_K:
        return i.k;
      default:
        return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace symphony::pit::sandbox
