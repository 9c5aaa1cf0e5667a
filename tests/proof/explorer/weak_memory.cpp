#include "tests/proof/explorer/weak_memory.hpp"

#include <algorithm>
#include <cstring>

namespace symphony::proof {
namespace {

constexpr bool releases(Order order) { return order == Order::release || order == Order::seq_cst; }
constexpr bool acquires(Order order) { return order == Order::acquire || order == Order::seq_cst; }
constexpr std::size_t at(int i) { return static_cast<std::size_t>(i); }

}  // namespace

WeakMemory::WeakMemory() : arena_storage_(arena_bytes + 4096), cells_(2 * arena_bytes / cell_bytes), words_(words_max) {
  const auto address = reinterpret_cast<std::uintptr_t>(arena_storage_.data());
  arena_ = arena_storage_.data() + ((4096 - address % 4096) % 4096);
  messages_.reserve(256);
}

void WeakMemory::forget_everything() noexcept {
  begin_run();
  std::fill(cells_.begin(), cells_.end(), Cell{});
  word_count_ = 0;
}

void WeakMemory::begin_run() noexcept {
  for (const std::uint32_t index : touched_) {
    Cell& cell = cells_[index];
    const std::int16_t word = cell.word;
    cell = {};
    cell.word = word;
    if (index < arena_bytes / cell_bytes) std::memset(arena_ + index * cell_bytes, 0, 8);
  }
  touched_.clear();
  for (int w = 0; w < word_count_; ++w) {
    words_[at(w)].count = 1;
    words_[at(w)].sc_count = 0;
    words_[at(w)].stores[0] = {};
  }
  messages_.clear();
  threads_ = {};
  sc_count_ = {};
  regions_.clear();
  allocated_ = 0;
  fault_ = nullptr;
}

std::byte* WeakMemory::allocate(std::size_t bytes, ThreadSet writers) noexcept {
  std::byte* const memory = arena_ + allocated_;
  if (allocated_ + bytes > arena_bytes) {
    fail("the model's memory is too small for this scenario");
    return arena_;
  }
  regions_.push_back({allocated_, allocated_ + bytes, writers});
  allocated_ += (bytes + 63) / 64 * 64;
  return memory;
}

ThreadSet WeakMemory::writers_at(std::uint32_t cell) const noexcept {
  const std::size_t offset = cell * cell_bytes % arena_bytes;
  for (const Region& region : regions_) {
    if (offset >= region.begin && offset < region.end) return region.writers;
  }
  return 0;
}

void WeakMemory::touch(std::uint32_t cell) noexcept {
  if (cells_[cell].touched) return;
  cells_[cell].touched = true;
  cells_[cell].writers = writers_at(cell);
  touched_.push_back(cell);
}

int WeakMemory::word_in_cell(std::uint32_t index, std::byte* memory, std::size_t bytes) noexcept {
  Cell& cell = cells_[index];
  if (cell.word >= 0) return cell.word;
  if (word_count_ == words_max) {
    fail("more atomic words than the model has");
    return 0;
  }
  cell.word = static_cast<std::int16_t>(word_count_);
  Word& w = words_[at(word_count_)];
  w = {};
  w.writers = writers_at(index);
  w.bytes = static_cast<std::uint8_t>(bytes);
  w.memory = memory;
  w.cell = index;
  w.count = 1;
  // Only plain stores can have come before; those are ordered before this access, or it is a race.
  if (memory != nullptr) std::memcpy(&w.stores[0].value, memory, bytes);
  return word_count_++;
}

int WeakMemory::word_at(const void* address, std::size_t bytes) noexcept {
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - arena_);
  if (offset + bytes > arena_bytes || offset % bytes != 0) {
    fail("an atomic access outside the shared memory, or misaligned");
    return 0;
  }
  return word_in_cell(static_cast<std::uint32_t>(offset / cell_bytes), arena_ + offset, bytes);
}

int WeakMemory::kernel_word_at(const void* address) noexcept {
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - arena_);
  return word_in_cell(static_cast<std::uint32_t>((arena_bytes + offset) / cell_bytes), nullptr, 8);
}

bool WeakMemory::same_as_before(const Word& w, int index) noexcept {
  const Store& now = w.stores[at(index)];
  const Store& before = w.stores[at(index - 1)];
  return now.value == before.value && now.knowledge < 0 && before.knowledge < 0;
}

bool WeakMemory::has_news(int word, int index) const noexcept {
  const Word& w = words_[at(word)];
  for (int i = index + 1; i < w.count; ++i) {
    if (!same_as_before(w, i)) return true;
  }
  return false;
}

int WeakMemory::readable(int thread, int word, Order order, int from, bool waited, std::uint8_t* out) noexcept {
  const Word& w = words_[at(word)];
  int count = 0;
  bool head_readable = waited;  // of the run of equal stores that i belongs to
  for (int i = from; i < w.count; ++i) {
    const bool same = i > 0 && (i > from || waited) && same_as_before(w, i);
    // A relaxed store of the value that was there before: reading the older one allows everything that follows.
    if (same && head_readable) continue;
    const bool allowed = order != Order::seq_cst || sc_allows(thread, word, i);
    head_readable = allowed;
    if (allowed) out[count++] = static_cast<std::uint8_t>(i);
  }
  return count;
}

std::uint64_t WeakMemory::read(int thread, int word, Order order, int index) noexcept {
  Word& w = words_[at(word)];
  Thread& t = threads_[at(thread)];
  Cell& cell = cells_[w.cell];
  touch(w.cell);
  ++t.knows.clock[at(thread)];
  if (!ordered(cell.plain_write, thread)) fail("a data race: an atomic load of bytes that are being written");
  cell.atomic_reads[at(thread)] = t.knows.clock[at(thread)];
  t.looked.set(at(word));
  if (has_news(word, index)) t.passed_news = true;
  for (int i = t.last_read[at(word)] + 1; i <= index; ++i) t.read_news = t.read_news || !same_as_before(w, i);
  t.last_read[at(word)] = static_cast<std::uint8_t>(index);
  t.knows.view[at(word)] = static_cast<std::uint8_t>(index);
  const Store from = w.stores[at(index)];
  if (order == Order::seq_cst) sc_add(thread, word, index, false);
  if (acquires(order) && from.knowledge >= 0) {
    const Knowledge& message = messages_[at(from.knowledge)];
    join(t.knows.view, message.view);
    t.knows.clock.join(message.clock);
    t.knows.strong.join(message.strong);
    // Both seq_cst: the store itself strongly happens before what comes after the load.
    if (order == Order::seq_cst && from.order == Order::seq_cst) {
      auto& known = t.knows.strong[at(from.thread)];
      known = std::max(known, static_cast<std::uint8_t>(from.sc + 1));
    }
  }
  return from.value;
}

void WeakMemory::push(Word& w, std::uint64_t value) noexcept {
  if (w.count == stores_max) {
    fail("more stores to one word than the model keeps");
    return;
  }
  w.stores[w.count] = {.value = value};
  ++w.count;
}

void WeakMemory::write(int thread, int word, Order order, std::uint64_t value) noexcept {
  Word& w = words_[at(word)];
  Thread& t = threads_[at(thread)];
  Cell& cell = cells_[w.cell];
  touch(w.cell);
  if ((w.writers & 1u << thread) == 0) fail("a store to a word of another side");
  const auto time = ++t.knows.clock[at(thread)];
  if (!ordered(cell.write, thread)) fail("two stores to one word that nothing orders");
  if (!ordered(cell.plain_reads, thread)) fail("a data race: a store to bytes that are being read");
  cell.write = {static_cast<std::int8_t>(thread), time};
  push(w, value);
  t.read_news = true;
  const int index = w.count - 1;
  t.knows.view[at(word)] = static_cast<std::uint8_t>(index);
  Store& s = w.stores[at(index)];
  s.order = order;
  s.thread = static_cast<std::int8_t>(thread);
  if (releases(order)) {
    s.knowledge = static_cast<std::int32_t>(messages_.size());
    t.knows.strong[at(thread)] = sc_count_[at(thread)];
    messages_.push_back(t.knows);
  }
  if (order == Order::seq_cst) s.sc = sc_add(thread, word, index, true);
  if (w.memory != nullptr) std::memcpy(w.memory, &value, w.bytes);
}

void WeakMemory::advance_view(int thread, int word, int index) noexcept {
  std::uint8_t& seen = threads_[at(thread)].knows.view[at(word)];
  seen = std::max(seen, static_cast<std::uint8_t>(index));
}

// ---- plain bytes

bool WeakMemory::ordered(const Stamp& stamp, int thread) const noexcept {
  return stamp.thread < 0 || threads_[at(thread)].knows.clock[at(stamp.thread)] >= stamp.time;
}

bool WeakMemory::ordered(const std::array<std::uint16_t, threads_max>& reads, int thread) const noexcept {
  const Clock& clock = threads_[at(thread)].knows.clock;
  for (int t = 0; t < threads_max; ++t) {
    if (reads[at(t)] > clock[at(t)]) return false;
  }
  return true;
}

void WeakMemory::copy_in(int thread, std::byte* shared, const void* from, std::size_t size) noexcept {
  const auto offset = static_cast<std::size_t>(shared - arena_);
  if (offset % 8 != 0 || size % 8 != 0 || offset + size > arena_bytes)
    return fail("copy_in: not whole words of memory");
  Thread& t = threads_[at(thread)];
  const auto time = ++t.knows.clock[at(thread)];
  t.read_news = true;
  for (std::size_t done = 0; done < size; done += 8) {
    const auto index = static_cast<std::uint32_t>((offset + done) / cell_bytes);
    Cell& cell = cells_[index];
    touch(index);
    if ((cell.writers & 1u << thread) == 0) fail("bytes of another side are written");
    if (!ordered(cell.write, thread)) fail("a data race: bytes are written twice at once");
    if (!ordered(cell.plain_reads, thread)) fail("a data race: bytes are written while they are being read");
    if (!ordered(cell.atomic_reads, thread)) fail("a data race: bytes are written where another looks for a header");
    cell.write = cell.plain_write = {static_cast<std::int8_t>(thread), time};
    std::memcpy(arena_ + offset + done, static_cast<const std::byte*>(from) + done, 8);
    if (cell.word >= 0) {
      std::uint64_t value = 0;
      std::memcpy(&value, arena_ + offset + done, 8);
      Word& w = words_[at(cell.word)];
      push(w, value);
      t.knows.view[at(cell.word)] = static_cast<std::uint8_t>(w.count - 1);
    }
  }
}

void WeakMemory::copy_out(int thread, void* to, const std::byte* shared, std::size_t size) noexcept {
  const auto offset = static_cast<std::size_t>(shared - arena_);
  if (offset % 8 != 0 || size % 8 != 0 || offset + size > arena_bytes)
    return fail("copy_out: not whole words of memory");
  Thread& t = threads_[at(thread)];
  const auto time = ++t.knows.clock[at(thread)];
  for (std::size_t done = 0; done < size; done += 8) {
    const auto index = static_cast<std::uint32_t>((offset + done) / cell_bytes);
    Cell& cell = cells_[index];
    touch(index);
    if (!ordered(cell.write, thread)) fail("a data race: bytes are read while they are being written");
    cell.plain_reads[at(thread)] = time;
    // Ordered after the last store, and before the next, so memory holds what this thread must see.
    std::memcpy(static_cast<std::byte*>(to) + done, arena_ + offset + done, 8);
  }
}

// ---- seq_cst: a graph of "comes before in every total order", closed under transitivity

// All that must come before a new operation of `thread` on `word` that makes or reads store `index`.
ScClock WeakMemory::sc_before(int thread, int word, int index, bool is_store) const noexcept {
  ScClock before = threads_[at(thread)].knows.strong;
  before[at(thread)] = sc_count_[at(thread)];
  const Word& w = words_[at(word)];
  for (int i = 0; i < w.sc_count; ++i) {
    const ScAccess& other = w.sc[at(i)];
    // Stores up to the one that is read; loads that read older ones.
    if (is_store || other.index < index || (other.is_store && other.index == index)) {
      auto& number = before[at(other.thread)];
      number = std::max(number, static_cast<std::uint8_t>(other.number + 1));
    }
  }
  ScClock closed = before;
  for (int t = 0; t < threads_max; ++t) {
    if (before[at(t)] != 0) closed.join(sc_pre_[at(t)][at(before[at(t)] - 1)]);
  }
  return closed;
}

// Whether a seq_cst load may read store `index`: no operation that must come after it comes before it.
bool WeakMemory::sc_allows(int thread, int word, int index) const noexcept {
  const Word& w = words_[at(word)];
  if (index == w.count - 1) return true;
  const ScClock before = sc_before(thread, word, index, false);
  for (int i = 0; i < w.sc_count; ++i) {
    const ScAccess& other = w.sc[at(i)];
    if (other.index > index && other.number < before[at(other.thread)]) return false;
  }
  return true;
}

std::uint8_t WeakMemory::sc_add(int thread, int word, int index, bool is_store) noexcept {
  const std::uint8_t number = sc_count_[at(thread)];
  Word& w = words_[at(word)];
  if (number + 1 == sc_max || w.sc_count == w.sc.size()) {
    fail("more seq_cst operations than the model keeps");
    return 0;
  }
  const ScClock before = sc_before(thread, word, index, is_store);
  sc_pre_[at(thread)][number] = before;
  ++sc_count_[at(thread)];
  if (!is_store && index != w.count - 1) {
    // It reads an old store: what is newer, and all behind that, comes after it.
    ScClock upto = before;
    upto[at(thread)] = static_cast<std::uint8_t>(number + 1);
    for (int i = 0; i < w.sc_count; ++i) {
      const ScAccess& newer = w.sc[at(i)];
      if (newer.index <= index) continue;
      for (int t = 0; t < threads_max; ++t) {
        for (int k = 0; k < sc_count_[at(t)]; ++k) {
          ScClock& pre = sc_pre_[at(t)][at(k)];
          const bool is_newer = t == newer.thread && k >= newer.number;
          if (is_newer || pre[at(newer.thread)] > newer.number) pre.join(upto);
        }
      }
    }
  }
  w.sc[w.sc_count++] = {static_cast<std::int8_t>(thread), number, static_cast<std::uint8_t>(index), is_store};
  return number;
}

}  // namespace symphony::proof
