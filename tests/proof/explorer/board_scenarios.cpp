// One writer of a board and readers that it does not know of: no torn value, no step back, and a death at any step.
// Layer: tests. Threads: fibers.
#include "bus/topic/board_reader.hpp"
#include "bus/topic/board_writer.hpp"
#include "tests/proof/explorer/model_mem.hpp"
#include "tests/proof/explorer/scenario.hpp"

namespace symphony::proof {
namespace {

constexpr detail::BoardGeometry two_slots{2, 16};
constexpr std::uint32_t type_of(std::uint64_t number) { return static_cast<std::uint32_t>(7 * number); }

// What the mutants of this folder change in the writer.
struct BoardMem : ModelMem {
  Explorer* e = nullptr;
  std::byte* base = nullptr;

  [[nodiscard]] std::byte* folded(const void* at) const noexcept {  // every slot onto the first
    const auto offset = static_cast<std::uint64_t>(static_cast<const std::byte*>(at) - base);
    if (offset < detail::board_slots_offset || !e->is(Mutation::Kind::one_slot)) return base + offset;
    return base + detail::board_slots_offset + (offset - detail::board_slots_offset) % two_slots.stride();
  }
  template <Order order, Site site, class T>
  [[nodiscard]] T load(const T* word) const noexcept {
    return ModelMem::load<order, site>(reinterpret_cast<const T*>(folded(word)));
  }
  template <Order order, Site site, class T>
  void store(T* word, T value) const noexcept {
    if (e->is(Mutation::Kind::begin_after_value) && site == Site::slot_begun) return;
    ModelMem::store<order, site>(reinterpret_cast<T*>(folded(word)), value);
  }
};

class BoardUnderTest {
 public:
  BoardUnderTest(Explorer& e, int writer)
      : e_(e),
        mem_{{}, &e, e.allocate(two_slots.size(), static_cast<ThreadSet>(1u << writer))},
        writer_(mem_.base, two_slots, mem_) {}

  void write() noexcept {
    const std::uint64_t number = writer_.written() + 1;
    const std::array<std::uint64_t, 2> words{number, number << 32};
    begun = number;
    writer_.write(type_of(number), std::as_bytes(std::span(words)));
    if (e_.is(Mutation::Kind::begin_after_value)) {
      ModelMem::store<Order::release, Site::slot_begun>(
          reinterpret_cast<std::uint64_t*>(mem_.base + two_slots.slot(number)), number);
    }
    if (!e_.is_doomed()) completed = number;
  }
  // The number of a value that was there and is as it was written; 0: none was got this time.
  std::uint64_t read() noexcept {
    const detail::BoardReader<BoardMem> reader(mem_.base, two_slots, mem_);
    const std::uint64_t number = reader.latest();
    if (number == 0) return 0;
    std::array<std::uint64_t, 2> words{};
    detail::BoardValue value;
    const auto got = reader.read(number, std::as_writable_bytes(std::span(words)), value);
    e_.require(got != detail::BoardRead::fault, "the reader found its honest writer at fault");
    if (got != detail::BoardRead::value) {
      e_.require(begun >= number + two_slots.slot_count, "a value was gone before anything was written over it");
      return 0;
    }
    e_.require(value.size == sizeof words && value.type == type_of(number), "another value's size or type");
    e_.require(words[0] == number && words[1] == number << 32, "a torn value");
    return number;
  }

  std::uint64_t begun = 0;
  std::uint64_t completed = 0;

 private:
  Explorer& e_;
  BoardMem mem_;
  detail::BoardWriter<BoardMem> writer_;
};

// Each reader goes on until it has the last value; the writer does not wait for any.
class BoardProgram : public Program {
 public:
  BoardProgram(Explorer& e, unsigned values) : e_(e), values_(values), board_(e, 0) {}
  void run(int thread) override {
    if (thread == 0) {
      for (unsigned i = 0; i < values_; ++i) board_.write();
      return;
    }
    std::uint64_t last = 0;
    while (last < values_) {
      const std::uint64_t number = board_.read();
      e_.require(number == 0 || number >= last, "an older value after a newer one");
      if (number > last) {
        last = number;
      } else {
        e_.await();
      }
    }
  }

 private:
  Explorer& e_;
  unsigned values_;
  BoardUnderTest board_;
};

// The writer dies at any step: the last value that it completed is there, or the next one.
class DeadBoard : public Program {
 public:
  DeadBoard(Explorer& e, unsigned values) : e_(e), values_(values), board_(e, 0) {}
  void run(int thread) override {
    if (thread == 0) {
      for (unsigned i = 0; i < values_; ++i) board_.write();
      return;
    }
    while (!e_.is_dead()) {
      if (board_.read() == values_) return;
      e_.await();
    }
    const std::uint64_t found = board_.read();
    e_.require(found >= board_.completed, "a completed value died with its writer");
    e_.require(found <= board_.begun, "a value that was never made");
  }

 private:
  Explorer& e_;
  unsigned values_;
  BoardUnderTest board_;
};

}  // namespace

void add_board_scenarios(std::vector<Scenario>& all, bool large) {
  const unsigned values = large ? 5 : 4;
  const std::string bounds = "2 slots, " + std::to_string(values) + " values of 2 words";
  all.push_back({"board", bounds, {2}, [values](Explorer& e) { return std::make_unique<BoardProgram>(e, values); }});
  all.push_back({"dead_board", bounds + ", the writer dies at any step", {2, 0}, [values](Explorer& e) {
                   return std::make_unique<DeadBoard>(e, values);
                 }});
}

}  // namespace symphony::proof
