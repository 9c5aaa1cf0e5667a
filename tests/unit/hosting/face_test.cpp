// What an author may rely on: typed handlers see verified messages only, failures of every kind become one status with
// a text, and nothing that is thrown leaves the pit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "pits/hosting/instance.hpp"
#include "tests/unit/hosting/probe_pit.hpp"
#include "tests/unit/hosting/scripted_pit.hpp"

namespace symphony {
namespace {

using pit::Instance;
using pit::Snapshot;
using pit::test::RecordingSink;
using ::testing::HasSubstr;

std::unique_ptr<Instance> running(const symphony_pit_entry& entry = probe::ProbeFace::entry) {
  std::unique_ptr<Instance> made;
  EXPECT_TRUE(Instance::make(entry, {.seed = 1}, made).ok());
  EXPECT_TRUE(made->init().ok() && made->start().ok());
  return made;
}

RecordingSink call(Instance& instance, std::uint32_t type, std::span<const std::byte> body) {
  RecordingSink sink;
  sink.room = type == pit_type_id<probe::Big>() ? 1 << 20 : 4096;
  instance.handle({1, 0, type, SYMPHONY_FLAG_REQUEST, 0, 0}, body, sink);
  EXPECT_EQ(sink.endings, 1);
  return sink;
}

template <class T>
RecordingSink call(Instance& instance, flatbuffers::FlatBufferBuilder& b, flatbuffers::Offset<T> root) {
  b.Finish(root);
  return call(instance, pit_type_id<T>(), std::as_bytes(std::span(b.GetBufferPointer(), b.GetSize())));
}

std::uint64_t total_of(const RecordingSink& sink) {
  EXPECT_EQ(sink.status, SYMPHONY_OK) << sink.text;
  EXPECT_EQ(sink.type, pit_type_id<probe::Total>());
  return flatbuffers::GetRoot<probe::Total>(sink.body.data())->value();
}
std::uint64_t add(Instance& instance, std::uint64_t value) {
  flatbuffers::FlatBufferBuilder b;
  return total_of(call(instance, b, probe::CreateAdd(b, value)));
}

std::vector<std::byte> tree_bytes() {
  flatbuffers::FlatBufferBuilder b;
  std::vector<flatbuffers::Offset<probe::Node>> leaves;
  for (std::uint32_t i = 0; i < 5; ++i) {
    const std::vector<std::uint32_t> numbers(i + 1, i);
    leaves.push_back(probe::CreateNodeDirect(b, ("leaf" + std::to_string(i)).c_str(), nullptr, &numbers, i));
  }
  const auto root = probe::CreateNodeDirect(b, "root", &leaves);
  b.Finish(probe::CreateTree(b, root, 77));
  const auto bytes = std::as_bytes(std::span(b.GetBufferPointer(), b.GetSize()));
  return {bytes.begin(), bytes.end()};
}

TEST(PitFace, AHandlerReadsItsMessageAndItsResultIsTheReply) {
  auto instance = running();
  const RecordingSink sink = call(*instance, pit_type_id<probe::Tree>(), tree_bytes());
  ASSERT_EQ(sink.status, SYMPHONY_OK) << sink.text;
  ASSERT_EQ(sink.type, pit_type_id<probe::Summary>());
  const auto* summary = flatbuffers::GetRoot<probe::Summary>(sink.body.data());
  EXPECT_EQ(summary->nodes(), 6U);
  EXPECT_EQ(summary->characters(), 29U);
  EXPECT_EQ(summary->sum(), 1U * 2 + 2U * 3 + 3U * 4 + 4U * 5);
  EXPECT_EQ(summary->tag(), 77U);
}

TEST(PitFace, RepliesOfOneInstanceDoNotLeakIntoEachOther) {
  auto instance = running();
  for (std::uint64_t i = 1; i <= 1000; ++i) ASSERT_EQ(add(*instance, 1), i);
}

TEST(PitFace, TwoInstancesOfOnePitKeepSeparateStates) {
  auto one = running();
  auto two = running();
  EXPECT_EQ(add(*one, 3), 3U);
  EXPECT_EQ(add(*two, 4), 4U);
  EXPECT_EQ(add(*one, 3), 6U);
}

TEST(PitFace, AFailureCarriesTheTextThatTheHandlerComposed) {
  auto instance = running();
  flatbuffers::FlatBufferBuilder b;
  const RecordingSink sink = call(*instance, b, probe::CreateAdd(b, 0));
  EXPECT_EQ(sink.status, 11);
  EXPECT_EQ(sink.text, "cannot add 0 to 0: true");
}

TEST(PitFace, AnExceptionEndsTheRequestAsInternalWithItsText) {
  auto instance = running();
  flatbuffers::FlatBufferBuilder b;
  RecordingSink sink = call(*instance, b, probe::CreateThrowDirect(b, "the disk is on fire"));
  EXPECT_EQ(sink.status, SYMPHONY_INTERNAL);
  EXPECT_EQ(sink.text, "the disk is on fire");
  b.Clear();
  sink = call(*instance, b, probe::CreateThrow(b));
  EXPECT_EQ(sink.status, SYMPHONY_INTERNAL);
  EXPECT_THAT(sink.text, HasSubstr("not a std::exception"));
  EXPECT_EQ(add(*instance, 1), 1U) << "and the pit goes on";
}

TEST(PitFace, AReplyAboveTheNotesLimitIsTooLarge) {
  auto instance = running();
  flatbuffers::FlatBufferBuilder b;
  EXPECT_EQ(call(*instance, b, probe::CreateBig(b, 1 << 20)).body.size(), std::size_t{1} << 20);
  b.Clear();
  EXPECT_EQ(call(*instance, b, probe::CreateBig(b, (1 << 20) + 1)).status, SYMPHONY_TOO_LARGE);
}

TEST(PitFace, AnUnlistedTypeGoesToOnRawAndWithoutOneIsUnknown) {
  auto instance = running();
  const std::string raw = "any bytes";
  RecordingSink sink = call(*instance, 1234, std::as_bytes(std::span(raw)));
  EXPECT_EQ(sink.body, raw);
  EXPECT_EQ(call(*instance, 1235, {}).text, "raw type 1235");

  struct Plain {
    Status on(In<probe::Add>, Ctx&) { return ok(); }
  };
  auto plain = running(pit::Face<Plain, "plain", "1.0.0", read<probe::Add>>::entry);
  sink = call(*plain, 1235, {});
  EXPECT_EQ(sink.status, SYMPHONY_UNKNOWN_TYPE);
  EXPECT_EQ(sink.text, "pit plain has no handler for message type 1235");
}

TEST(PitFace, ConfigurationReachesThePitAndOneThatItDoesNotTakeIsRefused) {
  std::unique_ptr<Instance> made;
  ASSERT_TRUE(Instance::make(probe::ProbeFace::entry, {.config = "{\"start\":5}", .seed = 1}, made).ok());
  ASSERT_TRUE(made->init().ok() && made->start().ok());
  EXPECT_EQ(add(*made, 1), 6U);
  std::unique_ptr<Instance> none;
  EXPECT_EQ(Instance::make(probe::ProbeFace::entry, {.config = "{}", .seed = 1}, none).status, 12);
  const pit::Outcome thrown = Instance::make(probe::ProbeFace::entry, {.config = "throw", .seed = 1}, none);
  EXPECT_EQ(thrown.status, SYMPHONY_INTERNAL);
  EXPECT_THAT(thrown.text, HasSubstr("bad config"));

  struct Plain {};
  const pit::Outcome refused =
      Instance::make(pit::Face<Plain, "plain", "1.0.0">::entry, {.config = "{}", .seed = 1}, none);
  EXPECT_EQ(refused.status, SYMPHONY_BAD_MESSAGE);
  EXPECT_THAT(refused.text, HasSubstr("takes no configuration"));
  EXPECT_EQ(none, nullptr);
}

TEST(PitFace, AConstructorThatThrowsIsAFailedCreate) {
  struct Fragile {
    Fragile() { throw std::runtime_error("no memory for tables"); }
  };
  std::unique_ptr<Instance> made;
  const pit::Outcome outcome = Instance::make(pit::Face<Fragile, "fragile", "1.0.0">::entry, {.seed = 1}, made);
  EXPECT_EQ(outcome.status, SYMPHONY_INTERNAL);
  EXPECT_THAT(outcome.text, HasSubstr("no memory for tables"));
}

TEST(PitFace, AHookThatThrowsFailsItsStep) {
  struct Hooked {
    Status init(Ctx&) { throw std::runtime_error("init threw"); }
  };
  std::unique_ptr<Instance> made;
  ASSERT_TRUE(Instance::make(pit::Face<Hooked, "hooked", "1.0.0">::entry, {.seed = 1}, made).ok());
  const pit::Outcome outcome = made->init();
  EXPECT_EQ(outcome.status, SYMPHONY_INTERNAL);
  EXPECT_THAT(outcome.text, HasSubstr("init threw"));
}

// --- bad messages ---------------------------------------------------------------------------------------------------

TEST(PitFace, EveryTruncationOfAMessageIsRefusedOrReadButNeverACrash) {
  auto instance = running();
  const std::vector<std::byte> whole = tree_bytes();
  std::size_t refused = 0;
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
    const RecordingSink sink = call(*instance, pit_type_id<probe::Tree>(), cut);
    if (sink.status == SYMPHONY_BAD_MESSAGE) {
      ++refused;
      EXPECT_THAT(sink.text, HasSubstr("not a valid probe.Tree"));
    } else {
      EXPECT_EQ(sink.status, SYMPHONY_OK);
    }
  }
  EXPECT_GT(refused, whole.size() * 3 / 4);
}

TEST(PitFace, EverySingleFlippedBitAndManyRandomBodiesNeverCrash) {
  auto instance = running();
  const std::vector<std::byte> whole = tree_bytes();
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::vector<std::byte> flipped = whole;
    flipped[bit / 8] ^= std::byte{1} << (bit % 8);
    const std::int32_t status = call(*instance, pit_type_id<probe::Tree>(), flipped).status;
    EXPECT_TRUE(status == SYMPHONY_OK || status == SYMPHONY_BAD_MESSAGE) << bit;
  }
  constexpr std::uint32_t seed = 20240229;
  std::mt19937 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::byte> body = whole;
    if (i % 2 == 0) body.resize(random() % 200);
    for (int k = 0; k < 1 + i % 7 && !body.empty(); ++k)
      body[random() % body.size()] = static_cast<std::byte>(random());
    const std::int32_t status = call(*instance, pit_type_id<probe::Tree>(), body).status;
    EXPECT_TRUE(status == SYMPHONY_OK || status == SYMPHONY_BAD_MESSAGE) << "seed " << seed << " body " << i;
  }
  EXPECT_EQ(add(*instance, 1), 1U) << "none of them changed the state";
}

TEST(PitFace, ATableDeeperThanTheLimitIsRefusedAndOneAtTheLimitIsNot) {
  auto instance = running();
  const auto status_at = [&](std::uint32_t tables) {  // the Tree itself is the first
    flatbuffers::FlatBufferBuilder b;
    auto node = probe::CreateNode(b);
    for (std::uint32_t i = 2; i < tables; ++i) {
      const std::vector<flatbuffers::Offset<probe::Node>> children{node};
      node = probe::CreateNodeDirect(b, nullptr, &children);
    }
    return call(*instance, b, probe::CreateTree(b, node)).status;
  };
  EXPECT_EQ(status_at(pit::verify_depth_max), SYMPHONY_OK);
  EXPECT_EQ(status_at(pit::verify_depth_max + 1), SYMPHONY_BAD_MESSAGE);
}

TEST(PitFace, AMisalignedBodyIsReadAsWell) {
  auto instance = running();
  const std::vector<std::byte> whole = tree_bytes();
  std::vector<std::byte> room(whole.size() + 8);
  for (std::size_t shift = 1; shift < 8; ++shift) {
    std::copy(whole.begin(), whole.end(), room.begin() + static_cast<std::ptrdiff_t>(shift));
    const auto body = std::span<const std::byte>(room).subspan(shift, whole.size());
    EXPECT_EQ(call(*instance, pit_type_id<probe::Tree>(), body).status, SYMPHONY_OK) << shift;
  }
}

// --- snapshots ------------------------------------------------------------------------------------------------------

std::unique_ptr<Instance> inited() {
  std::unique_ptr<Instance> made;
  EXPECT_TRUE(Instance::make(probe::ProbeFace::entry, {.seed = 1}, made).ok());
  EXPECT_TRUE(made->init().ok());
  return made;
}

TEST(PitSnapshot, RestoredInPiecesOfAnySizeGivesTheSameStateAndTheSameBytes) {
  auto from = running();
  add(*from, 41);
  Snapshot taken;
  ASSERT_TRUE(from->snapshot(taken).ok());
  EXPECT_EQ(taken.revision, 3U);
  for (const std::uint32_t piece : {1U, 2U, 3U, 5U, 7U, 13U, 64U, 999U, 1007U, 1008U, 1009U, 65536U}) {
    auto to = inited();
    ASSERT_TRUE(to->restore(taken, piece).ok()) << piece;
    ASSERT_TRUE(to->start().ok());
    Snapshot again;
    ASSERT_TRUE(to->snapshot(again).ok());
    EXPECT_EQ(again.bytes, taken.bytes) << piece;
    EXPECT_EQ(add(*to, 1), 42U) << piece;
  }
}

TEST(PitSnapshot, ThatIsTruncatedExtendedOrDamagedFailsAndLeavesTheState) {
  auto from = running();
  add(*from, 41);
  Snapshot taken;
  ASSERT_TRUE(from->snapshot(taken).ok());
  for (std::size_t n = 0; n < taken.bytes.size(); ++n) {
    auto to = inited();
    const Snapshot cut{3, {taken.bytes.begin(), taken.bytes.begin() + static_cast<std::ptrdiff_t>(n)}};
    const pit::Outcome outcome = to->restore(cut);
    ASSERT_EQ(outcome.status, SYMPHONY_BAD_MESSAGE) << n;
    ASSERT_THAT(outcome.text, HasSubstr("ends too early"));
    ASSERT_TRUE(to->start().ok());
    ASSERT_EQ(add(*to, 1), 1U);
  }
  Snapshot more = taken;
  more.bytes.push_back(std::byte{0});
  EXPECT_THAT(inited()->restore(more).text, HasSubstr("more bytes"));
  Snapshot damaged = taken;
  damaged.bytes.back() ^= std::byte{1};
  EXPECT_THAT(inited()->restore(damaged).text, HasSubstr("padding"));
}

TEST(PitSnapshot, OfAnOlderRevisionReachesThePitAndOneOutsideItsRangeDoesNot) {
  auto from = running();
  add(*from, 4);
  Snapshot taken;
  ASSERT_TRUE(from->snapshot(taken).ok());
  auto to = inited();
  taken.revision = 2;
  ASSERT_TRUE(to->restore(taken).ok());
  ASSERT_TRUE(to->start().ok());
  EXPECT_EQ(add(*to, 1), 41U);
  for (const std::uint32_t revision : {0U, 1U, 4U}) {
    taken.revision = revision;
    const pit::Outcome outcome = inited()->restore(taken);
    EXPECT_EQ(outcome.status, SYMPHONY_VERSION) << revision;
    EXPECT_THAT(outcome.text, HasSubstr("2 to 3"));
  }
}

TEST(PitSnapshot, AHostThatDoesNotTakeItStopsThePit) {
  // Straight through the table, as another host would: the second write is refused, and that is what comes back.
  struct Greedy {
    Status snapshot(Sink out) const {
      for (int i = 0; i < 5; ++i) {
        if (const Status s = out.write("12345678", 8); !s.ok()) break;
      }
      return ok();  // an author who forgets the status
    }
    Status restore(Source, std::uint32_t) { return ok(); }
  };
  auto instance = running(pit::Face<Greedy, "greedy", "1.0.0">::entry);
  Snapshot out;
  EXPECT_TRUE(instance->snapshot(out).ok());
  EXPECT_EQ(out.bytes.size(), 40U);

  int writes = 0;
  const symphony_sink full{sizeof full, 0, &writes, [](void* context, symphony_span) -> std::int32_t {
                             return ++*static_cast<int*>(context) == 2 ? SYMPHONY_OVERLOADED : SYMPHONY_OK;
                           }};
  pit::SinkState state{&full, {}};
  Sink sink(state);
  EXPECT_TRUE(sink.write("a", 1).ok());
  EXPECT_EQ(sink.write("b", 1).code(), SYMPHONY_OVERLOADED);
  EXPECT_EQ(sink.write("c", 1).code(), SYMPHONY_OVERLOADED) << "and stays so";
  EXPECT_EQ(writes, 2);
}

TEST(PitSnapshot, ReadAllStopsAtTheLimitThatThePitNames) {
  struct Bounded {
    Status snapshot(Sink out) const { return out.write(bytes.data(), bytes.size()); }
    Status restore(Source in, std::uint32_t) {
      std::vector<std::uint8_t> read;
      const Status s = in.read_all(read, 10'000);
      if (s.ok()) bytes = read;
      return s;
    }
    std::vector<std::uint8_t> bytes;
  };
  using BoundedFace = pit::Face<Bounded, "bounded", "1.0.0">;
  for (const std::size_t size : {0UL, 1UL, 4096UL, 9'999UL, 10'000UL}) {
    std::unique_ptr<Instance> made;
    ASSERT_TRUE(Instance::make(BoundedFace::entry, {.seed = 1}, made).ok());
    ASSERT_TRUE(made->init().ok());
    const Snapshot from{1, std::vector<std::byte>(size, std::byte{3})};
    ASSERT_TRUE(made->restore(from, 777).ok()) << size;
    ASSERT_TRUE(made->start().ok());
    Snapshot again;
    ASSERT_TRUE(made->snapshot(again).ok());
    EXPECT_EQ(again.bytes, from.bytes);
  }
  std::unique_ptr<Instance> made;
  ASSERT_TRUE(Instance::make(BoundedFace::entry, {.seed = 1}, made).ok());
  ASSERT_TRUE(made->init().ok());
  EXPECT_EQ(made->restore({1, std::vector<std::byte>(10'001)}).status, SYMPHONY_TOO_LARGE);
}

}  // namespace
}  // namespace symphony
