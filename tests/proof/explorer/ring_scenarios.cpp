// One ring, two threads that only poll: order, wrap, space.   Layer: tests. Threads: fibers.
#include "tests/proof/explorer/ring_under_test.hpp"
#include "tests/proof/explorer/scenario.hpp"

namespace symphony::proof {
namespace {

// Records of these sizes, in lines, one after the other; `claimed` lines are reserved and written for each.
struct Stream {
  std::uint64_t capacity;
  std::vector<unsigned> lines;
  unsigned claimed = 0;
  bool give_back_each = true;
};

class StreamProgram : public Program {
 public:
  StreamProgram(Explorer& e, const Stream& s) : stream_(s), ring_(e, s.capacity, 0, 1) {}
  void run(int thread) override {
    for (unsigned i = 0; i < stream_.lines.size(); ++i) {
      if (thread == 0) {
        ring_.push(i, stream_.lines[i], stream_.claimed);
      } else {
        ring_.take(i, stream_.lines[i], stream_.give_back_each);
      }
    }
    if (thread == 1) ring_.require_empty();
  }

 private:
  const Stream& stream_;
  RingUnderTest ring_;
};

// A consumer that writes back: it takes several records before it gives their space back, and finds the next one
// waiting or not; the producer comes round to the lines that were written.
class WriteBackProgram : public Program {
 public:
  WriteBackProgram(Explorer& e, unsigned records, unsigned held)
      : records_(records), held_(held), ring_(e, 256, 0, 1, true) {}
  void run(int thread) override {
    for (unsigned i = 0; i < records_; ++i) {
      if (thread == 0) {
        ring_.push(i, 1);
      } else {
        ring_.take(i, 1, i % held_ == held_ - 1);
      }
    }
    if (thread == 1) ring_.require_empty();
  }

 private:
  unsigned records_, held_;
  RingUnderTest ring_;
};

// Batches of two records; who has seen the first sees the second.
class BatchProgram : public Program {
 public:
  BatchProgram(Explorer& e, const std::vector<unsigned>& lines, std::uint64_t capacity)
      : e_(e), lines_(lines), ring_(e, capacity, 0, 1) {}
  void run(int thread) override {
    for (unsigned i = 0; i < lines_.size(); i += 2) {
      if (thread == 0) {
        // Room for both first: a batch that waits for space half-way would wait for ever.
        while (!ring_.out.has_room(RingUnderTest::size_of(lines_[i]), 2 * std::uint64_t{lines_[i + 1]} * 64))
          e_.await();
        if (!e_.is(Mutation::Kind::batch_unbatched)) ring_.out.begin_batch();
        e_.require(ring_.try_push(i, lines_[i]) && ring_.try_push(i + 1, lines_[i + 1]), "no room that was there");
        ring_.out.publish_batch();
      } else {
        ring_.take(i, lines_[i]);
        e_.require(ring_.try_take(i + 1, lines_[i + 1]), "the second record of a batch came after the first");
      }
    }
  }

 private:
  Explorer& e_;
  const std::vector<unsigned>& lines_;
  RingUnderTest ring_;
};

// The producer reads the consumer's word in all the ways there are; the consumer gives back two records at once.
class SpaceProgram : public Program {
 public:
  SpaceProgram(Explorer& e, unsigned rounds) : e_(e), rounds_(rounds), ring_(e, 256, 0, 1) {}
  void run(int thread) override {
    for (unsigned round = 0; round < rounds_; ++round) {
      if (thread == 0) {
        while (!ring_.out.has_room(RingUnderTest::size_of(1), 64)) e_.await();
        e_.require(ring_.try_push(2 * round, 1) && ring_.try_push(2 * round + 1, 1), "has_room promised too much");
        while (!ring_.out.is_drained()) e_.await();
        e_.require(ring_.out.freed() == ring_.out.published(), "drained, and not all is free");
      } else {
        ring_.take(2 * round, 1, false);
        ring_.take(2 * round + 1, 1, true);
      }
    }
  }

 private:
  Explorer& e_;
  unsigned rounds_;
  RingUnderTest ring_;
};

std::string in_words(const Stream& s) {
  std::string text = std::to_string(s.capacity / 64) + "-line ring, records of";
  for (const unsigned lines : s.lines) text += " " + std::to_string(lines);
  return text + " lines";
}

}  // namespace

void add_ring_scenarios(std::vector<Scenario>& all, bool large) {
  const auto stream = [&](const char* name, const Stream& s) {
    all.push_back({name, in_words(s), {2}, [s](Explorer& e) { return std::make_unique<StreamProgram>(e, s); }});
  };
  const auto repeated = [&](unsigned count, std::vector<unsigned> lines) {
    std::vector<unsigned> out;
    while (out.size() < count) out.insert(out.end(), lines.begin(), lines.end());
    out.resize(count);
    return out;
  };
  stream("push_pop", {512, repeated(large ? 7 : 5, {1})});
  stream("full_ring", {256, repeated(large ? 8 : 6, {1})});
  stream("wrap_pad", {256, repeated(large ? 9 : 6, {1, 2, 2})});
  stream("trimmed_claim", {256, repeated(large ? 7 : 5, {1}), 2});
  stream("zero_ahead", {512, repeated(large ? 8 : 7, {3, 1, 1, 2}), 3});
  stream("free_many_at_once", {256, {1, 1, 1}, 0, false});

  const unsigned written = large ? 7 : 6;
  all.push_back({"write_back",
                 "4-line ring, " + std::to_string(written) + " records of 1 line, space given back by twos",
                 {2},
                 [written](Explorer& e) { return std::make_unique<WriteBackProgram>(e, written, 2); }});

  const std::vector<unsigned> batches = repeated(large ? 8 : 6, {1, 1});
  all.push_back({"batch",
                 "4-line ring, batches of 2 records of 1 line, " + std::to_string(batches.size()) + " records",
                 {2},
                 [batches](Explorer& e) { return std::make_unique<BatchProgram>(e, batches, 256); }});
  const std::vector<unsigned> padded = repeated(large ? 6 : 4, {1, 2, 2, 2});
  all.push_back(
      {"batch_with_pad",
       "8-line ring, batches of 2 records of 1 and 2, 2 and 2 lines, " + std::to_string(padded.size()) + " records",
       {2},
       [padded](Explorer& e) { return std::make_unique<BatchProgram>(e, padded, 512); }});
  const unsigned rounds = large ? 3 : 2;
  all.push_back({"space_refresh",
                 "4-line ring, " + std::to_string(rounds) + " rounds of 2 records, given back at once",
                 {2},
                 [rounds](Explorer& e) { return std::make_unique<SpaceProgram>(e, rounds); }});
}

}  // namespace symphony::proof
