// The bounded memory of messages that kill: what could go wrong is that it grows, that a flood of one pit's letters
// costs another its own, and that what is handed to the next broker is something else.
#include <gtest/gtest.h>

#include "bus/broker/dead_letters.hpp"
#include "bus/broker/kept_file.hpp"

namespace symphony::detail::broker {
namespace {

DeadLetter letter(const std::string& pit, std::size_t size = 1) {
  DeadLetter l;
  l.pit = pit;
  l.body.assign(size, std::byte{7});
  l.size = static_cast<std::uint32_t>(size);
  return l;
}

TEST(DeadLetters, KeepsTheNewestOfAPitAndCountsTheRest) {
  DeadLetters d;
  d.park(letter("other"));
  for (std::size_t n = 0; n < letters_per_pit_max + 3; ++n) d.park(letter("pit"));
  EXPECT_EQ(d.counts("pit").kept, letters_per_pit_max);
  EXPECT_EQ(d.counts("pit").lost, 3U);
  EXPECT_EQ(d.counts("other").kept, 1U) << "one pit's flood is not another's";
  EXPECT_EQ(d.list("pit", 0, 1).at(0).id, 5U);
}

TEST(DeadLetters, KeepsNoMoreBytesOfAPitThanItsShare) {
  DeadLetters d;
  constexpr std::size_t whole = 16UL * 1024;
  for (std::size_t n = 0; n < letters_size_max / whole + 2; ++n) d.park(letter("pit", whole));
  EXPECT_EQ(d.counts("pit").kept, letters_size_max / whole);
  EXPECT_EQ(d.counts("pit").lost, 2U);
}

TEST(DeadLetters, ForgetsPitsThatAreLongGone) {
  DeadLetters d;
  for (std::size_t n = 0; n < letter_boxes_max + 5; ++n) d.park(letter("pit" + std::to_string(n)));
  EXPECT_FALSE(d.knows("pit0"));
  EXPECT_TRUE(d.knows("pit" + std::to_string(letter_boxes_max + 4)));
  EXPECT_EQ(d.list("", 0, 1000).size(), letter_boxes_max);
}

TEST(DeadLetters, ListsBehindALetterUpToAPage) {
  DeadLetters d;
  for (int n = 0; n < 10; ++n) d.park(letter(n % 2 == 0 ? "a" : "b"));
  const auto page = d.list("a", 3, 3);
  ASSERT_EQ(page.size(), 3U);
  EXPECT_EQ(page[0].id, 5U);
  EXPECT_EQ(page[2].id, 9U);
  EXPECT_EQ(d.list("", 8, 100).size(), 2U);
}

TEST(DeadLetters, BoundsTheSuspectsOfALinkAndOfAll) {
  DeadLetters d;
  for (std::uint64_t id = 1; id <= suspects_per_link_max + 2; ++id) d.accuse(1, id);
  EXPECT_EQ(d.suspects().size(), suspects_per_link_max);
  EXPECT_EQ(d.suspect(1, 2), nullptr) << "the oldest go";
  EXPECT_NE(d.suspect(1, 3), nullptr);
  for (LinkId link = 2; link < suspects_max + 10; ++link) d.accuse(link, 1);
  EXPECT_EQ(d.suspects().size(), suspects_max);
}

TEST(DeadLetters, ComeBackFromTheirBytes) {
  DeadLetters d;
  DeadLetter l = letter("pit", 100);
  l.version = "1.2";
  l.at_ns = 5;
  l.link = 6;
  l.message = 7;
  l.type = 8;
  l.effect = Effect::read;
  l.attempts = 9;
  l.outcome = AloneOutcome::answered;
  l.size = 1000;
  l.death = {10, 11, DeathCause::crash, true, 12, 13, "lines", {14, 15, 16, 17, 18}, 19, ""};
  const auto id = d.park(l);
  for (std::size_t n = 0; n < letters_per_pit_max + 3; ++n) d.park(letter("other"));
  Suspect& s = d.accuse(20, 21);
  s.deaths = 22;
  s.pit = "pit";
  s.death.value = 23;
  auto back = DeadLetters::decode(d.encode());
  ASSERT_TRUE(back);
  const DeadLetter* const found = back->find("pit", id);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(std::tie(found->version, found->at_ns, found->link, found->message, found->type, found->effect,
                     found->attempts, found->outcome, found->size, found->body),
            std::tie(l.version, l.at_ns, l.link, l.message, l.type, l.effect, l.attempts, l.outcome, l.size, l.body));
  EXPECT_EQ(std::tie(found->death.at_ns, found->death.instance, found->death.value, found->death.last_lines,
                     found->death.executing.id, found->death.executing_count),
            std::tie(l.death.at_ns, l.death.instance, l.death.value, l.death.last_lines, l.death.executing.id,
                     l.death.executing_count));
  EXPECT_EQ(back->counts("other").lost, 3U);
  ASSERT_NE(back->suspect(20, 21), nullptr);
  EXPECT_EQ(back->suspect(20, 21)->deaths, 22U);
  EXPECT_EQ(back->suspect(20, 21)->death.value, 23);
  EXPECT_GT(back->park(letter("pit")), d.list("other", 0, 100).back().id) << "no number serves twice";
}

TEST(DeadLetters, AreNotReadFromBytesThatAreCutOrDamaged) {
  DeadLetters d;
  d.park(letter("pit", 10));
  d.accuse(1, 2);
  const auto bytes = d.encode();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DeadLetters::decode(std::span(bytes).first(size))) << size;
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto damaged = bytes;
    damaged[i] ^= std::byte{0x80};
    (void)DeadLetters::decode(damaged);  // no crash, whatever it says
  }
}

TEST(DeadLetters, FitIntoTheirFileWhenAllIsFull) {
  DeadLetters d;
  for (std::size_t pit = 0; pit < letter_boxes_max; ++pit) {
    DeadLetter l = letter(std::string(57, 'n') + std::to_string(100000 + pit), 4096);
    l.version = std::string(63, 'v');
    l.death.last_lines = std::string(1024, 'l');
    for (std::size_t n = 0; n < letters_per_pit_max; ++n) d.park(l);
  }
  for (LinkId link = 1; link <= suspects_max; ++link) {
    Suspect& s = d.accuse(link, 1);
    s.pit = std::string(63, 'n');
    s.version = std::string(63, 'v');
    s.death.last_lines = std::string(1024, 'l');
  }
  const auto bytes = d.encode();
  EXPECT_LE(bytes.size(), letters_file_size_max);
  const auto file = KeptFile::make("letters", letters_file_size_max);
  ASSERT_TRUE(file);
  EXPECT_FALSE(file->read());
  ASSERT_TRUE(file->write(bytes));
  EXPECT_EQ(file->read(), bytes);
  const std::vector<std::byte> other(3, std::byte{1});
  ASSERT_TRUE(file->write(other));
  EXPECT_EQ(file->read(), other);
  EXPECT_EQ(file->write(std::vector<std::byte>(letters_file_size_max + 1)).error().code, errc::too_large);
  EXPECT_EQ(file->read(), other);
}

}  // namespace
}  // namespace symphony::detail::broker
