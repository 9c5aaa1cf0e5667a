// docs/formats/control.md, line by line, against the codec and the schema.
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <sstream>
#include <string>

#include <symphony/result.hpp>
#include <symphony/trust.hpp>

#include "bus/control/codec.hpp"
#include "bus/control/rendezvous.hpp"
#include "control_generated.h"
#include "tests/docs/document.hpp"

namespace symphony::docs::control_format {
namespace {

using namespace detail::control;

constexpr const char* document = "docs/formats/control.md";

TEST(ControlFormat, ShowsEveryByteOfAnOpen) {
  const auto bytes = encode(Open{77, "greeter", 0, 262144, 65536, 30'000'000'000});
  ASSERT_TRUE(bytes);
  const HexBlock block = hex_block(document, "open");
  EXPECT_TRUE(shows(block, *bytes));
  EXPECT_EQ(block.bytes.size(), bytes->size()) << "a message is shown whole, its zeros too";
}

TEST(ControlFormat, ShowsEveryByteOfAnOwn) {
  const auto bytes = encode(Own{{3, 5, 1}, 77, 262144, 65536, 0x5eed0001, 0x5eed0002, 256, 65536, 1});
  ASSERT_TRUE(bytes);
  const HexBlock block = hex_block(document, "own");
  EXPECT_TRUE(shows(block, *bytes));
  EXPECT_EQ(block.bytes.size(), bytes->size()) << "a message is shown whole, its zeros too";
}

// `name field:type ...` of each message of the block of fields; a line that begins with a space goes on.
std::map<std::string, std::string> fields_in(const std::string& block) {
  std::map<std::string, std::string> fields;
  std::istringstream in(block);
  std::string name, word;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    if (line.rfind(' ', 0) != 0) words >> name;
    while (words >> word) fields[name] += word + " ";
  }
  return fields;
}

TEST(ControlFormat, ListsEveryMessageWithItsNumber) {
  std::vector<Numbers> expected;
  for (const wire::Body body : wire::EnumValuesBody()) {
    if (body != wire::Body::NONE) expected.push_back({wire::EnumNameBody(body), {static_cast<std::uint64_t>(body)}});
  }
  EXPECT_TRUE(holds(table(document, "Messages"), expected));
}

TEST(ControlFormat, ListsTheFieldsOfEveryMessageAsTheSchemaDeclaresThem) {
  const auto listed = blocks(document, "fields");
  ASSERT_EQ(listed.size(), 1u);
  const auto fields = fields_in(listed[0]);
  const std::string schema = read_file("schemas/control.fbs");
  for (const wire::Body body : wire::EnumValuesBody()) {
    if (body == wire::Body::NONE) continue;
    const std::string name = wire::EnumNameBody(body);
    std::smatch found;
    ASSERT_TRUE(std::regex_search(schema, found, std::regex("table " + name + " \\{([^}]*)\\}"))) << name;
    std::istringstream declared(std::regex_replace(found[1].str(), std::regex("\\(required\\)|;"), " "));
    std::string wanted, word;
    while (declared >> word) wanted += word + " ";
    ASSERT_TRUE(fields.contains(name)) << name;
    EXPECT_EQ(fields.at(name), wanted) << name;
  }
  EXPECT_EQ(fields.size(), std::size(wire::EnumValuesBody()) - 1);
}

TEST(ControlFormat, SaysEveryMaximum) {
  EXPECT_TRUE(holds(table(document, "Limits"), {{"message_size_max", {message_size_max}},
                                                {"fds_max", {fds_max}},
                                                {"pit_name_size_max", {pit_name_size_max}},
                                                {"version_size_max", {version_size_max}},
                                                {"state_size_max", {state_size_max}},
                                                {"text_size_max", {text_size_max}},
                                                {"links_per_caller_max", {links_per_caller_max}},
                                                {"pits_in_status_max", {pits_in_status_max}},
                                                {"deaths_max", {deaths_max}},
                                                {"last_lines_size_max", {last_lines_size_max}},
                                                {"core_size_max", {core_size_max}},
                                                {"path_size_max", {path_size_max}},
                                                {"calls_in_report_max", {calls_in_report_max}},
                                                {"letter_body_size_max", {letter_body_size_max}},
                                                {"letters_in_answer_max", {letters_in_answer_max}},
                                                {"realm_size_max", {realm_size_max}},
                                                {"protocol_min", {protocol_min}},
                                                {"protocol_max", {protocol_max}},
                                                {"protocol_of_swap", {protocol_of_swap}},
                                                {"protocol_of_letters", {protocol_of_letters}},
                                                {"protocol_of_probation", {protocol_of_probation}},
                                                {"protocol_of_rehearsal", {protocol_of_rehearsal}},
                                                {"protocol_of_causes", {protocol_of_causes}},
                                                {"protocol_of_watchdog", {protocol_of_watchdog}},
                                                {"protocol_of_boards", {protocol_of_boards}},
                                                {"board_name_size_max", {board_name_size_max}},
                                                {"boards_in_list_max", {boards_in_list_max}}}));
}

TEST(ControlFormat, SaysTheNumberOfEachVerbAndCause) {
  const auto verb = [](Verb value) { return std::vector<std::uint64_t>{static_cast<std::uint64_t>(value)}; };
  EXPECT_TRUE(holds(table(document, "Commands"), {{"start", verb(Verb::start)},
                                                  {"stop", verb(Verb::stop)},
                                                  {"restart", verb(Verb::restart)},
                                                  {"show", verb(Verb::show)},
                                                  {"end_broker", verb(Verb::end_broker)},
                                                  {"reload", verb(Verb::reload)},
                                                  {"swap", verb(Verb::swap)},
                                                  {"letters", verb(Verb::letters)},
                                                  {"letter", verb(Verb::letter)},
                                                  {"drop_letter", verb(Verb::drop_letter)}}));
  const std::string text = read_file(document);
  const char* names[] = {"crash",   "exit",          "start_timeout", "protocol", "link_fault", "hang_up",
                         "stop",    "cannot_start",  "unseen",        "state",    "swap",       "alone_too_long",
                         "sandbox", "out_of_memory", "try_again",     "hang",     "needed",     "exception_storm"};
  static_assert(std::size(names) == death_cause_count);
  for (std::size_t i = 0; i < std::size(names); ++i) {
    const std::string row = "| `" + std::string(names[i]) + "` | " + std::to_string(i) + " |";
    EXPECT_NE(text.find(row), std::string::npos) << row;
  }
}

TEST(ControlFormat, SaysTheNumberOfEachOutcome) {
  const auto outcome = [](AloneOutcome value) { return std::vector<std::uint64_t>{static_cast<std::uint64_t>(value)}; };
  EXPECT_TRUE(holds(table(document, "Messages that kill"), {{"not_run", outcome(AloneOutcome::not_run)},
                                                            {"killed", outcome(AloneOutcome::killed)},
                                                            {"answered", outcome(AloneOutcome::answered)},
                                                            {"late", outcome(AloneOutcome::late)}}));
}

TEST(ControlFormat, SaysTheNumberOfEachCodeAndTrust) {
  const auto code = [](errc value) { return static_cast<std::uint64_t>(value); };
  EXPECT_TRUE(holds(table(document, "Codes of Refused"), {{"invalid_argument", {code(errc::invalid_argument)}},
                                                          {"out_of_memory", {code(errc::out_of_memory)}},
                                                          {"out_of_descriptors", {code(errc::out_of_descriptors)}},
                                                          {"refused", {code(errc::refused)}},
                                                          {"not_found", {code(errc::not_found)}},
                                                          {"unreachable", {code(errc::unreachable)}},
                                                          {"timeout", {code(errc::timeout)}},
                                                          {"closed", {code(errc::closed)}},
                                                          {"version_mismatch", {code(errc::version_mismatch)}},
                                                          {"peer_fault", {code(errc::peer_fault)}},
                                                          {"forked", {code(errc::forked)}},
                                                          {"busy", {code(errc::busy)}},
                                                          {"too_large", {code(errc::too_large)}},
                                                          {"quarantined", {code(errc::quarantined)}},
                                                          {"system", {code(errc::system)}},
                                                          {"internal", {code(errc::internal)}}}));
  EXPECT_TRUE(holds(table(document, "Trust"), {{"trusted", {static_cast<std::uint64_t>(Trust::trusted)}},
                                               {"cooperative", {static_cast<std::uint64_t>(Trust::cooperative)}},
                                               {"hostile", {static_cast<std::uint64_t>(Trust::hostile)}}}));
}

}  // namespace
}  // namespace symphony::docs::control_format
