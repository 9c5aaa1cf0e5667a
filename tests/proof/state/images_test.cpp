// What a reader finds of a state whose writer died at any store, or whose bytes were damaged anywhere.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "bus/state/state_reader.hpp"
#include "bus/state/state_writer.hpp"
#include "tests/proof/crash/figures.hpp"
#include "tests/proof/crash/trace_mem.hpp"
#include "tests/support/samples.hpp"

namespace symphony::proof {
namespace {

using Bytes = std::vector<std::byte>;
constexpr StateGeometry geometry{4096, 4096};

// What a reader makes of the memory: the snapshot, and the records behind it.
struct Content {
  Bytes snapshot;
  std::vector<Bytes> records;
  friend bool operator==(const Content&, const Content&) = default;
};

struct Read {
  StateFound found = StateFound::nothing;
  Content content;
  bool damaged = false;
};

Read read(std::span<const std::byte> memory, bool torn_end = false) {
  StateReader<RealMem> reader(memory, torn_end);
  Read out;
  out.found = reader.found();
  if (out.found != StateFound::whole && out.found != StateFound::previous) return out;
  out.content.snapshot.assign(reader.snapshot().begin(), reader.snapshot().end());
  while (const auto record = reader.next()) out.content.records.emplace_back(record->begin(), record->end());
  out.damaged = reader.damaged();
  return out;
}

Bytes bytes_of(std::mt19937_64& random, std::size_t size) {
  Bytes out(size);
  for (std::byte& b : out) b = static_cast<std::byte>(random());
  return out;
}

// A writer's life: snapshots and records of random sizes. `before` and `after` stand for each step.
struct Life {
  explicit Life(std::uint64_t seed) : random(seed) {}

  template <class Writer>
  void step(Writer& writer, Content& now) {
    const bool is_snapshot = writer.generation() == 0 || random() % 5 == 0;
    const Bytes next = bytes_of(random, is_snapshot ? random() % 300 : 8 + random() % 200);
    if (is_snapshot) {
      ASSERT_TRUE(writer.write_snapshot(next));
      now = {next, {}};
    } else if (writer.has_room(next.size())) {
      writer.append(std::span(next).first(8), std::span(next).subspan(8));
      now.records.push_back(next);
    }
  }
  std::mt19937_64 random;
};

struct Images {
  const Bytes* memory = nullptr;
  const Content* before = nullptr;
  std::vector<Read> seen;
  std::size_t count = 0;
};

TEST(State, WhoeverDiesAtAnyStoreLeavesTheStateBeforeOrAfterIt) {
  const TimeNs start = now_ns();
  std::size_t images = 0, steps = 0;
  const std::uint64_t lives = test_run::samples(60);
  for (std::uint64_t seed = 1; seed <= lives; ++seed) {
    Bytes memory(state_size(geometry));
    Tracer tracer;
    Images at{&memory, nullptr, {}, 0};
    tracer.context = &at;
    tracer.after_store = [](void* context, const Tracer::Store&) {
      auto& all = *static_cast<Images*>(context);
      all.seen.push_back(read(*all.memory));
    };
    StateWriter<TraceMem> writer(memory.data(), geometry, TraceMem{&tracer});
    for (const Read& r : at.seen) ASSERT_TRUE(r.found == StateFound::nothing || r.found == StateFound::foreign);
    Life life(seed);
    Content now;
    for (int i = 0; i < 40; ++i, ++steps) {
      at.seen.clear();
      const bool is_first = writer.generation() == 0;
      const Content before = now;
      life.step(writer, now);
      bool is_done = false;
      for (const Read& r : at.seen) {
        ++images;
        if (is_first && r.found == StateFound::nothing) continue;
        ASSERT_EQ(r.found, StateFound::whole) << "seed " << seed << " step " << i;
        ASSERT_FALSE(r.damaged) << "seed " << seed << " step " << i;
        is_done = is_done || r.content == now;
        ASSERT_TRUE(r.content == (is_done ? now : before)) << "seed " << seed << " step " << i << ": neither";
      }
      ASSERT_TRUE(read(memory).content == now);
    }
  }
  write_count(
      "state.crash_images", images, std::nullopt, steps, start,
      "states of memory after each store of a writer, in each of which a reader finds the state before or after");
}

struct Damage {
  std::size_t refused = 0, exact = 0, prefix = 0;
};

// Whatever is damaged, what is read is what was written, or it is refused; torn: or the last record is missing.
void expect_honest(const Bytes& memory, const Content& written, bool torn_end, const std::string& what, Damage& count) {
  const Read r = read(memory, torn_end);
  if ((r.found != StateFound::whole && r.found != StateFound::previous) || r.damaged) {
    ++count.refused;
    return;
  }
  if (r.found == StateFound::whole && r.content == written) {
    ++count.exact;
    return;
  }
  if (r.found == StateFound::whole && torn_end) {
    Content shorter = written;
    shorter.records.pop_back();
    ASSERT_TRUE(r.content == shorter) << what;
    ++count.prefix;
    return;
  }
  FAIL() << what << ": read as something that was not written";
}

TEST(State, EachBitOfAFileThatIsDamagedIsNoticedOrHarmless) {
  const TimeNs start = now_ns();
  Bytes memory(state_size(geometry));
  StateWriter<RealMem> writer(memory.data(), geometry);
  Life life(7);
  Content now, before;
  while (writer.generation() < 3 || now.records.size() < 4) {
    if (writer.generation() < 2) before = now;
    life.step(writer, now);
  }
  ASSERT_TRUE(read(memory).content == now);
  Damage count;
  std::size_t cases = 0;
  for (const bool torn_end : {false, true}) {
    for (std::size_t bit = 0; bit < memory.size() * 8; bit += test_run::every(), ++cases) {
      std::byte& at = memory[bit / 8];
      at ^= std::byte{1} << (bit % 8);
      const Read r = read(memory, torn_end);
      if (r.found == StateFound::previous && !r.damaged) {
        // The newest snapshot is damaged: the one before, with both journals, leads to the same state.
        ASSERT_GE(r.content.records.size(), now.records.size());
        ASSERT_TRUE(std::equal(now.records.rbegin(), now.records.rend(), r.content.records.rbegin()));
      } else {
        expect_honest(memory, now, torn_end, "bit " + std::to_string(bit), count);
      }
      at ^= std::byte{1} << (bit % 8);
    }
  }
  EXPECT_GT(count.refused, 0u);
  EXPECT_GT(count.prefix, 0u) << "no torn end was tried";
  write_count("state.bit_flips", cases, std::nullopt, memory.size(), start,
              "damaged bits of a state, none of which led to a state that was not written");
}

TEST(State, AFileCutAnywhereIsRefused) {
  Bytes memory(state_size(geometry));
  StateWriter<RealMem> writer(memory.data(), geometry);
  Life life(1);
  ASSERT_TRUE(writer.write_snapshot(bytes_of(life.random, 100)));
  for (std::size_t size = 0; size < memory.size(); size += test_run::every()) {
    const auto found = StateReader<RealMem>(std::span(memory).first(size)).found();
    ASSERT_EQ(found, StateFound::foreign) << size;
  }
}

TEST(State, RandomBytesAreRefusedAndCrashNothing) {
  std::mt19937_64 random(test_run::seed());
  for (std::uint64_t i = 0; i < test_run::samples(2000); ++i) {
    Bytes memory = bytes_of(random, state_size(geometry));
    const StateIdentity identity{state_magic, state_revision, geometry};
    if (i % 2 == 0) std::memcpy(memory.data(), &identity, sizeof identity);
    const Read r = read(memory, i % 4 < 2);
    ASSERT_NE(r.found, StateFound::whole);
    ASSERT_NE(r.found, StateFound::previous);
  }
}

}  // namespace
}  // namespace symphony::proof
