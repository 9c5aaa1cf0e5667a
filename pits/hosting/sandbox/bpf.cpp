#include "pits/hosting/sandbox/bpf.hpp"

#include <cstddef>

#include <linux/audit.h>

namespace symphony::pit::sandbox {
namespace {

constexpr std::uint32_t x32_bit = 0x40000000;

struct Emitter {
  BpfProgram out;

  void load(std::size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }
  void load_number() { load(offsetof(seccomp_data, nr)); }
  void answer(Verdict verdict) { add(BPF_RET | BPF_K, static_cast<std::uint32_t>(verdict)); }
  void add(std::uint16_t code, std::uint32_t k, std::uint8_t if_true = 0, std::uint8_t if_false = 0) {
    out.push_back({code, if_true, if_false, k});
  }
  void set_jump_if_false(std::size_t at) { out[at].jf = static_cast<std::uint8_t>(out.size() - at - 1); }

  void rule(const Rule& rule) {
    const std::size_t test = out.size();
    add(BPF_JMP | BPF_JEQ | BPF_K, rule.number);
    if (rule.conditions.empty()) {
      answer(rule.verdict);
      return set_jump_if_false(test);
    }
    std::vector<std::size_t> misses;
    for (const Condition& condition : rule.conditions) {
      const std::size_t half = condition.upper_half ? sizeof(std::uint32_t) : 0;  // little endian
      load(offsetof(seccomp_data, args) + condition.argument * sizeof(std::uint64_t) + half);
      if (condition.mask != ~0U) add(BPF_ALU | BPF_AND | BPF_K, condition.mask);
      for (std::size_t i = 0; i < condition.values.size(); ++i) {
        const std::size_t left = condition.values.size() - i - 1;
        add(BPF_JMP | BPF_JEQ | BPF_K, condition.values[i], static_cast<std::uint8_t>(left));
      }
      misses.push_back(out.size() - 1);
    }
    answer(rule.verdict);
    for (const std::size_t miss : misses) set_jump_if_false(miss);
    load_number();  // the conditions overwrote it
    set_jump_if_false(test);
  }
};

}  // namespace

BpfProgram compile(const std::vector<Rule>& rules, Verdict otherwise) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  Emitter e;
  e.load(offsetof(seccomp_data, arch));
  e.add(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1);
  e.answer(Verdict::kill);
  e.load_number();
  e.add(BPF_JMP | BPF_JGE | BPF_K, x32_bit, 0, 1);
  e.answer(Verdict::kill);
  for (const Rule& rule : rules) e.rule(rule);
  e.answer(otherwise);
  return std::move(e.out);
}

}  // namespace symphony::pit::sandbox
