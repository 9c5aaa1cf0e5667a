// docs/formats/pit-abi.md is what other implementations are written from: each number in it is the code's.
#include <gtest/gtest.h>
#include <symphony/pit.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <span>
#include <sstream>
#include <string>
#include <symphony/message_type.hpp>

#include "pits/hosting/error_body.hpp"
#include "tests/support/abi_structs.hpp"

namespace symphony::pit {
namespace {

std::string document() {
  std::ifstream file(SYMPHONY_PIT_ABI_DOCUMENT);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string hex(std::span<const std::byte> bytes) {
  std::string text;
  char two[4];
  for (const std::byte b : bytes) {
    std::snprintf(two, sizeof two, "%02x", std::to_integer<unsigned>(b));
    text.append(text.empty() ? "" : " ").append(two);
  }
  return text;
}

// The layout lines of this build, as the document writes them.
std::map<std::string, int> layout_lines() {
  std::map<std::string, int> lines;
  for (const test::AbiStruct& type : test::abi_structs()) {
    lines["`" + type.name + "`, " + std::to_string(type.size) + " bytes:"] = 0;
    for (const test::AbiField& field : type.fields) {
      lines["| `" + type.name + "." + field.name + "` | " + std::to_string(field.offset) + " | " +
            std::to_string(field.size) + " |"] = 0;
    }
  }
  return lines;
}

TEST(PitAbiDocument, HasTheOffsetAndSizeOfEachFieldAndNothingElse) {
  std::map<std::string, int> lines = layout_lines();
  std::istringstream text(document());
  bool layouts = false;
  for (std::string line; std::getline(text, line);) {
    if (line == "## Layouts") layouts = true;
    if (!layouts || !(line.starts_with("| `") || line.starts_with("`symphony"))) continue;
    const auto found = lines.find(line);
    EXPECT_NE(found, lines.end()) << "in the document, not in the code: " << line;
    if (found != lines.end()) ++found->second;
  }
  for (const auto& [line, times] : lines) EXPECT_EQ(times, 1) << "in the code: " << line;
}

TEST(PitAbiDocument, ShowsTheBytesThatTheCodeWrites) {
  const std::string text = document();
  std::byte body[64];
  const std::size_t size = write_error_body(body, 17, "no such task");
  EXPECT_NE(text.find("error body: " + hex(std::span(body).first(size)) + "\n"), std::string::npos);

  const std::uint32_t type = message_type("greeter.Hello");
  const symphony_envelope envelope{258, 1'000'000'000, type, SYMPHONY_FLAG_REQUEST | SYMPHONY_FLAG_REDELIVERED, 1, 0};
  EXPECT_NE(text.find("envelope: " + hex(std::as_bytes(std::span(&envelope, 1))) + "\n"), std::string::npos);
  char type_text[16];
  std::snprintf(type_text, sizeof type_text, "`0x%08x`", type);
  EXPECT_NE(text.find(type_text), std::string::npos);
}

}  // namespace
}  // namespace symphony::pit
