// What could go wrong: a message loses a field on its way, or bytes of a hostile peer reach a reader unchecked.
// Shown by encoding again what was decoded (equal bytes = equal messages) and by every truncation and every damaged
// byte.
#include "bus/control/codec.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <tuple>

#include <gtest/gtest.h>

#include "tests/support/samples.hpp"
#include "tests/unit/control/samples.hpp"

namespace symphony::detail::control {
namespace {

TEST(ControlCodec, HasASampleOfEveryMessage) {
  const auto all = samples();
  ASSERT_EQ(all.size(), std::variant_size_v<Message>);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].index(), i);
}

TEST(ControlCodec, BringsEveryFieldOfEveryMessageBack) {
  for (const auto& set : {samples(), largest_samples()}) {
    for (const Message& sample : set) {
      const auto bytes = encode(sample);
      ASSERT_TRUE(bytes) << sample.index();
      const auto back = decode(*bytes);
      ASSERT_TRUE(back) << sample.index() << ": " << back.error().text;
      EXPECT_EQ(back->index(), sample.index());
      const auto again = encode(*back);
      ASSERT_TRUE(again);
      EXPECT_EQ(*again, *bytes) << sample.index();
    }
  }
}

TEST(ControlCodec, TellsTheFieldsOfAnOwnApart) {
  const auto sample = std::get<Own>(samples()[11]);
  const auto back = decode(*encode(sample));
  ASSERT_TRUE(back);
  const auto& own = std::get<Own>(*back);
  EXPECT_EQ(own.at, sample.at);
  EXPECT_EQ(own.correlation, 77U);
  EXPECT_EQ(own.request_capacity, 262144U);
  EXPECT_EQ(own.reply_capacity, 65536U);
  EXPECT_EQ(own.request_salt, 0xdeadbeefU);
  EXPECT_EQ(own.reply_salt, 0xfeedfaceU);
  EXPECT_EQ(own.in_flight_max, 256U);
  EXPECT_EQ(own.reply_size_max, 1000U);
  EXPECT_EQ(own.trust, 2U);
}

TEST(ControlCodec, RefusesToSendWhatIsOverAMaximum) {
  Hello hello;
  hello.links.assign(links_per_caller_max + 1, {});
  Status status;
  status.pits.assign(pits_in_status_max + 1, {});
  Answer calls, deaths, lines, path;
  calls.pit.calls.assign(calls_in_report_max + 1, "p");
  deaths.pit.deaths.assign(deaths_max + 1, {});
  lines.pit.deaths.resize(1);
  lines.pit.deaths[0].last_lines = std::string(last_lines_size_max + 1, 'x');
  path.pit.executable = std::string(path_size_max + 1, 'x');
  Answer letters, bodies;
  letters.letters.assign(letters_in_answer_max + 1, {});
  bodies.letters.resize(1);
  bodies.letters[0].body.resize(letter_body_size_max + 1);
  Park park;
  park.size = ~0U;
  park.body.resize(letter_body_size_max + 1);
  const Message over[] = {letters,
                          bodies,
                          park,
                          hello,
                          status,
                          calls,
                          deaths,
                          lines,
                          path,
                          Command{1, Verb::show, std::string(pit_name_size_max + 1, 'x'), 0, 0, 0},
                          Command{1, Verb::swap, "p", 0, 0, 0, std::string(path_size_max + 1, 'x')},
                          Frozen{1, errc::busy, std::string(text_size_max + 1, 'x')},
                          Rehearsed{1, errc::busy, std::string(text_size_max + 1, 'x')},
                          PitReady{1, 1, 0, std::string(pit_name_size_max + 1, 'x'), "", 0},
                          PitReady{1, 1, 0, "", std::string(version_size_max + 1, 'x'), 0},
                          Open{1, std::string(pit_name_size_max + 1, 'x'), 0, 0, 0, 0},
                          BoardWrite{1, std::string(board_name_size_max + 1, 'x'), BoardKind::cell, 0, 0, 0},
                          BoardRead{1, std::string(board_name_size_max + 1, 'x'), BoardKind::cell},
                          BoardList{1, std::vector<BoardStatus>(boards_in_list_max + 1)},
                          Refused{1, 1, errc::busy, std::string(text_size_max + 1, 'x')},
                          Status{1, 1, {{"p", std::string(state_size_max + 1, 'x'), 0, 0, 0}}}};
  for (const Message& m : over) {
    const auto bytes = encode(m);
    ASSERT_FALSE(bytes) << m.index();
    EXPECT_EQ(bytes.error().code, errc::too_large);
  }
}

TEST(ControlCodec, RefusesAnUnknownEnumerator) {
  const auto trust = encode(Own{{}, 0, 0, 0, 0, 0, 0, 0, 3});
  ASSERT_TRUE(trust);
  EXPECT_EQ(decode(*trust).error().code, errc::peer_fault);
  for (const auto kind : {BoardKind{0}, BoardKind{3}}) {
    EXPECT_EQ(decode(*encode(BoardRead{1, "b", kind})).error().code, errc::peer_fault);
  }
  for (const auto code : {errc{0}, errc{17}, errc{0xffff}}) {
    const auto refused = encode(Refused{1, 1, code, ""});
    ASSERT_TRUE(refused);
    const auto back = decode(*refused);
    ASSERT_FALSE(back) << static_cast<int>(code);
    EXPECT_EQ(back.error().code, errc::peer_fault);
  }
}

TEST(ControlCodec, TellsTheFieldsOfAReportApart) {
  const auto back = decode(*encode(samples()[22]));
  ASSERT_TRUE(back);
  const auto& answer = std::get<Answer>(*back);
  EXPECT_EQ(std::tie(answer.daemon_pid, answer.added, answer.removed, answer.changed, answer.pause_ns),
            std::tuple(4711, 1, 2, 3, 4'000));
  const PitReport& r = answer.pit;
  const PitReport was = sample_report();
  EXPECT_EQ(std::tie(r.info.name, r.info.state, r.info.pid, r.info.instance, r.info.links),
            std::tie(was.info.name, was.info.state, was.info.pid, was.info.instance, was.info.links));
  EXPECT_EQ(
      std::tie(r.reason, r.version, r.ready_since_ns, r.executable, r.trust, r.waiting, r.placement),
      std::tie(was.reason, was.version, was.ready_since_ns, was.executable, was.trust, was.waiting, was.placement));
  EXPECT_EQ(
      std::tie(r.arguments, r.start_at_once, r.calls, r.restart, r.failures, r.log, r.log_lines_lost),
      std::tie(was.arguments, was.start_at_once, was.calls, was.restart, was.failures, was.log, was.log_lines_lost));
  ASSERT_EQ(r.deaths.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const PitDeath &d = r.deaths[i], &e = was.deaths[i];
    EXPECT_EQ(std::tie(d.at_ns, d.instance, d.cause, d.signalled, d.value, d.ready_ns, d.last_lines),
              std::tie(e.at_ns, e.instance, e.cause, e.signalled, e.value, e.ready_ns, e.last_lines));
    EXPECT_EQ(std::tie(d.executing.link, d.executing.id, d.executing.type, d.executing.size, d.executing.attempt,
                       d.executing_count),
              std::tie(e.executing.link, e.executing.id, e.executing.type, e.executing.size, e.executing.attempt,
                       e.executing_count));
  }
  EXPECT_EQ(std::tie(r.sandbox, r.sandbox_reached), std::tie(was.sandbox, was.sandbox_reached));
  EXPECT_EQ(std::tie(r.budgets, r.overruns, r.hangs), std::tie(was.budgets, was.overruns, was.hangs));
  EXPECT_EQ(r.rings, was.rings);
  EXPECT_EQ(std::tie(r.letters, r.letters_lost, r.runs_alone), std::tie(was.letters, was.letters_lost, was.runs_alone));
}

// An empty list stands wherever the message has room, aligned or not.
TEST(ControlCodec, TakesAReportWithSomeTimeBudgetsOrNoneWhateverStandsBefore) {
  for (std::size_t budgets = 0; budgets < 3; ++budgets) {
    for (std::size_t size = 0; size < 16; ++size) {
      Answer answer;
      answer.pit = sample_report();
      answer.pit.log = std::string(size, 'l');
      answer.pit.budgets.of_types.assign(budgets, {7, 8});
      const auto back = decode(*encode(answer));
      ASSERT_TRUE(back) << budgets << " budgets, " << size << " bytes before: " << back.error().text;
      EXPECT_EQ(std::get<Answer>(*back).pit.budgets, answer.pit.budgets);
    }
  }
}

TEST(ControlCodec, TellsTheFieldsOfALetterApart) {
  const auto back = decode(*encode(samples()[22]));
  ASSERT_TRUE(back);
  const auto& letters = std::get<Answer>(*back).letters;
  ASSERT_EQ(letters.size(), 2U);
  const DeadLetter &l = letters[0], was = sample_letters()[0];
  EXPECT_EQ(std::tie(l.id, l.pit, l.version, l.at_ns, l.link, l.message, l.type, l.effect, l.attempts, l.outcome),
            std::tie(was.id, was.pit, was.version, was.at_ns, was.link, was.message, was.type, was.effect, was.attempts,
                     was.outcome));
  EXPECT_EQ(std::tie(l.size, l.kept_size, l.body, l.death.value, l.death.executing.id),
            std::tie(was.size, was.kept_size, was.body, was.death.value, was.death.executing.id));
  EXPECT_EQ(letters[1].id, 2U);
}

TEST(ControlCodec, TellsTheFieldsOfWhatACallerSaysOfADeathApart) {
  const auto executing = decode(*encode(samples()[28]));
  ASSERT_TRUE(executing);
  const auto& e = std::get<Executing>(*executing);
  EXPECT_EQ(std::tuple(e.at.link, e.id, e.type, e.size, e.attempt, e.effect),
            std::tuple(0x1122334455667788U, 1U, 2U, 3U, 4U, Effect::idempotent));
  const auto park = decode(*encode(samples()[29]));
  ASSERT_TRUE(park);
  const auto& p = std::get<Park>(*park);
  EXPECT_EQ(std::tuple(p.link, p.id, p.type, p.size, p.attempts, p.effect, p.outcome, p.alone_link),
            std::tuple(1U, 2U, 3U, 4U, 5U, Effect::read, AloneOutcome::answered, 6U));
  EXPECT_EQ(p.body, (std::vector<std::byte>{std::byte{0}, std::byte{9}}));
}

TEST(ControlCodec, RefusesWhatNoDeadLetterIs) {
  Park longer{1, 2, 3, 1, 5, Effect::read, AloneOutcome::answered, 6, {std::byte{0}, std::byte{9}}};
  Park outcome, effect;
  outcome.outcome = AloneOutcome{alone_outcome_count};
  effect.effect = Effect{3};
  for (const Message& m :
       {Message{longer}, Message{outcome}, Message{effect}, Message{Executing{{}, 1, 2, 3, 4, Effect{3}}}}) {
    const auto bytes = encode(m);
    ASSERT_TRUE(bytes);
    EXPECT_EQ(decode(*bytes).error().code, errc::peer_fault);
  }
}

TEST(ControlCodec, RefusesAnUnknownVerbOrCause) {
  for (const auto verb : {Verb{0}, Verb{11}}) {
    const auto bytes = encode(Command{1, verb, "", 0, 0, 0});
    ASSERT_TRUE(bytes);
    EXPECT_EQ(decode(*bytes).error().code, errc::peer_fault) << static_cast<int>(verb);
  }
  Answer answer;
  answer.pit.deaths.resize(1);
  answer.pit.deaths[0].cause = DeathCause{death_cause_count};
  const auto bytes = encode(answer);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(decode(*bytes).error().code, errc::peer_fault);
}

TEST(ControlCodec, RefusesATextWithAZeroInIt) {
  const auto bytes = encode(Open{1, std::string("gree\0ter", 8), 0, 0, 0, 0});
  ASSERT_TRUE(bytes);
  EXPECT_FALSE(decode(*bytes));
}

TEST(ControlCodec, ReadsAtAnyAlignment) {
  const auto bytes = *encode(samples()[11]);
  std::vector<std::byte> room(bytes.size() + 8);
  for (std::size_t shift = 0; shift < 8; ++shift) {
    std::memcpy(room.data() + shift, bytes.data(), bytes.size());
    EXPECT_TRUE(decode({room.data() + shift, bytes.size()})) << shift;
  }
}

// Valid or an error, never a crash: and what is valid must be sendable again.
void expect_harmless(std::span<const std::byte> bytes) {
  const auto message = decode(bytes);
  if (!message) {
    EXPECT_EQ(message.error().code, errc::peer_fault);
    return;
  }
  EXPECT_TRUE(encode(*message));
}

TEST(ControlCodec, RefusesEveryTruncation) {
  std::size_t accepted = 0;
  for (const Message& sample : samples()) {
    const auto bytes = *encode(sample);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const std::vector<std::byte> cut(bytes.begin(),
                                       bytes.begin() + static_cast<std::ptrdiff_t>(size));  // ends with the heap block
      expect_harmless(cut);
      accepted += decode(cut).has_value() ? 1 : 0;
    }
  }
  // A cut that only loses padding at the end is still whole; nothing else is.
  EXPECT_LE(accepted, samples().size() * 7);
}

TEST(ControlCodec, SurvivesEveryDamagedByte) {
  for (const Message& sample : samples()) {
    const auto whole = *encode(sample);
    for (std::size_t i = 0; i < whole.size(); ++i) {
      auto bytes = whole;
      for (std::uint64_t value = 0; value < 256; value += test_run::every()) {
        bytes[i] = static_cast<std::byte>(value);
        expect_harmless(bytes);
      }
    }
  }
}

TEST(ControlCodec, SurvivesNoise) {
  std::mt19937_64 random(20240607);
  const auto all = samples();
  for (int round = 0; round < 20'000; ++round) {
    auto bytes = *encode(all[random() % all.size()]);
    for (std::uint64_t n = random() % 6; n > 0; --n) bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    if (random() % 4 == 0) bytes.resize(random() % (bytes.size() + 32));
    expect_harmless(bytes);
  }
}

TEST(ControlCodec, RefusesAnUnknownKindOfMessage) {
  // One byte of the datagram is the kind; tried at every place, the one that hits it is answered with what it is.
  auto bytes = *encode(StatusQuery{0});
  std::size_t unknown = 0;
  for (auto& b : bytes) {
    const auto old = b;
    b = static_cast<std::byte>(std::variant_size_v<Message> + 1);
    const auto message = decode(bytes);
    unknown += !message && std::string(message.error().text).find("kind") != std::string::npos ? 1 : 0;
    b = old;
  }
  EXPECT_EQ(unknown, 1U);
}

}  // namespace
}  // namespace symphony::detail::control
