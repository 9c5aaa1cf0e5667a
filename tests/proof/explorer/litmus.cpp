#include "tests/proof/explorer/litmus.hpp"

#include <array>

#include "tests/proof/explorer/model_mem.hpp"

namespace symphony::proof {
namespace {

constexpr int words = 4;

template <Order order>
void run_op(const LitmusOp& op, std::uint64_t* word, char& read) {
  if (op.access == Access::store) {
    ModelMem::store<order, Site::tail>(word, op.value);
  } else {
    read = static_cast<char>('0' + ModelMem::load<order, Site::tail>(word));
  }
}

class LitmusProgram : public Program {
 public:
  LitmusProgram(Explorer& explorer, const Litmus& ops, Outcomes& outcomes) : ops_(ops), outcomes_(outcomes) {
    for (int w = 0; w < words; ++w) {
      unsigned writers = 0;
      for (const LitmusOp& op : ops) {
        if (op.access == Access::store && op.word == w) writers |= 1u << op.thread;
      }
      words_[static_cast<std::size_t>(w)] =
          reinterpret_cast<std::uint64_t*>(explorer.allocate(64, static_cast<ThreadSet>(writers)));
    }
  }
  void run(int thread) override {
    for (std::size_t i = 0; i < ops_.size(); ++i) {
      const LitmusOp& op = ops_[i];
      if (op.thread != thread) continue;
      std::uint64_t* const word = words_[static_cast<std::size_t>(op.word)];
      switch (op.order) {
        case Order::relaxed:
          run_op<Order::relaxed>(op, word, read_[i]);
          break;
        case Order::acquire:
          run_op<Order::acquire>(op, word, read_[i]);
          break;
        case Order::release:
          run_op<Order::release>(op, word, read_[i]);
          break;
        case Order::seq_cst:
          run_op<Order::seq_cst>(op, word, read_[i]);
          break;
        case Order::light:  // not of the standard's orders; how it is explored: Explorer::effective
          break;
      }
    }
  }
  void at_end() override {
    std::string outcome;
    for (std::size_t i = 0; i < ops_.size(); ++i) {
      if (ops_[i].access == Access::load) outcome += read_[i];
    }
    outcomes_.insert(outcome);
  }

 private:
  const Litmus& ops_;
  Outcomes& outcomes_;
  std::array<std::uint64_t*, words> words_{};
  std::array<char, 32> read_{};
};

// Relations over the operations of one candidate execution.
class Relation {
 public:
  explicit Relation(std::size_t n) : n_(n), bits_(n * n) {}
  bool operator()(std::size_t a, std::size_t b) const { return bits_[a * n_ + b]; }
  void add(std::size_t a, std::size_t b) { bits_[a * n_ + b] = true; }
  void close() {
    for (std::size_t k = 0; k < n_; ++k) {
      for (std::size_t a = 0; a < n_; ++a) {
        for (std::size_t b = 0; b < n_ && (*this)(a, k); ++b) {
          if ((*this)(k, b)) add(a, b);
        }
      }
    }
  }
  [[nodiscard]] bool has_cycle() const {
    for (std::size_t a = 0; a < n_; ++a) {
      if ((*this)(a, a)) return true;
    }
    return false;
  }

 private:
  std::size_t n_;
  std::vector<bool> bits_;
};

// `from[i]`: the operation that load i reads from, or -1 for the 0 at the beginning; of a store: itself.
bool is_consistent(const Litmus& ops, const std::vector<int>& from) {
  const std::size_t n = ops.size();
  const auto is_load = [&](std::size_t i) { return ops[i].access == Access::load; };
  const auto is_sc = [&](std::size_t i) { return ops[i].order == Order::seq_cst; };
  Relation sb(n), causes(n), hb(n), eco(n), strong(n);
  for (std::size_t a = 0; a < n; ++a) {
    for (std::size_t b = a + 1; b < n; ++b) {
      if (ops[a].thread == ops[b].thread) sb.add(a, b);
    }
  }
  for (std::size_t a = 0; a < n; ++a) {
    for (std::size_t b = 0; b < n; ++b) {
      const bool reads = is_load(b) && from[b] == static_cast<int>(a);
      const bool releases = ops[a].order == Order::release || is_sc(a);
      const bool acquires = ops[b].order == Order::acquire || is_sc(b);
      if (sb(a, b) || reads) causes.add(a, b);
      if (sb(a, b) || (reads && releases && acquires)) hb.add(a, b);
      if (sb(a, b) || (reads && is_sc(a) && is_sc(b))) strong.add(a, b);
      if (ops[a].word != ops[b].word || a == b) continue;
      // One writer: its program order is the modification order.
      const bool newer = !is_load(b) && from[a] < static_cast<int>(b);
      if (reads || newer) eco.add(a, b);
    }
  }
  causes.close();
  hb.close();
  eco.close();
  if (causes.has_cycle() || eco.has_cycle()) return false;
  for (std::size_t a = 0; a < n; ++a) {
    for (std::size_t b = 0; b < n; ++b) {
      if (hb(a, b) && eco(b, a)) return false;  // coherence
      for (std::size_t c = 0; c < n; ++c) {
        for (std::size_t d = 0; d < n; ++d) {
          if (sb(a, b) && hb(b, c) && sb(c, d)) strong.add(a, d);
        }
      }
    }
  }
  strong.close();
  Relation total(n);
  for (std::size_t a = 0; a < n; ++a) {
    for (std::size_t b = 0; b < n; ++b) {
      if (is_sc(a) && is_sc(b) && (strong(a, b) || eco(a, b))) total.add(a, b);
    }
  }
  total.close();
  return !total.has_cycle();
}

}  // namespace

Outcomes explored(Explorer& explorer, const Litmus& program) {
  Outcomes outcomes;
  int threads = 0;
  for (const LitmusOp& op : program) threads = std::max(threads, op.thread + 1);
  const Exploration result = explorer.explore(
      {threads, -1}, [&](Explorer& e) { return std::make_unique<LitmusProgram>(e, program, outcomes); });
  if (!result.violation.empty()) outcomes.insert(result.violation);
  if (result.executions != outcomes.size()) outcomes.insert("the same execution twice");
  return outcomes;
}

Outcomes by_the_standard(const Litmus& program) {
  Outcomes outcomes;
  std::vector<int> from(program.size(), -1);
  for (std::size_t i = 0; i < program.size(); ++i) {
    if (program[i].access == Access::store) from[i] = static_cast<int>(i);
  }
  const auto next_assignment = [&] {
    for (std::size_t i = 0; i < program.size(); ++i) {
      if (program[i].access != Access::load) continue;
      for (auto s = static_cast<std::size_t>(from[i] + 1); s < program.size(); ++s) {
        if (program[s].access == Access::store && program[s].word == program[i].word) {
          from[i] = static_cast<int>(s);
          return true;
        }
      }
      from[i] = -1;
    }
    return false;
  };
  do {
    if (!is_consistent(program, from)) continue;
    std::string outcome;
    for (std::size_t i = 0; i < program.size(); ++i) {
      if (program[i].access != Access::load) continue;
      outcome += static_cast<char>('0' + (from[i] < 0 ? 0 : program[static_cast<std::size_t>(from[i])].value));
    }
    outcomes.insert(outcome);
  } while (next_assignment());
  return outcomes;
}

}  // namespace symphony::proof
