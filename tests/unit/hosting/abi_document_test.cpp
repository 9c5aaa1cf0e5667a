// docs/formats/pit-abi.md is what other implementations are written from: each number in it is the code's.
#include <gtest/gtest.h>
#include <symphony/pit.h>

#include <cstddef>
#include <cstdio>
#include <fstream>
#include <map>
#include <span>
#include <sstream>
#include <string>
#include <symphony/message_type.hpp>

#include "pits/hosting/error_body.hpp"

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
// The size of a pointer is what is asked for.
// NOLINTBEGIN(bugprone-sizeof-expression)
std::map<std::string, int> layout_lines() {
  std::map<std::string, int> lines;
#define SIZE(type) lines["`" #type "`, " + std::to_string(sizeof(type)) + " bytes:"] = 0
#define FIELD(type, field)                                                              \
  lines["| `" #type "." #field "` | " + std::to_string(offsetof(type, field)) + " | " + \
        std::to_string(sizeof(type::field)) + " |"] = 0
  SIZE(symphony_span);
  FIELD(symphony_span, p);
  FIELD(symphony_span, n);
  FIELD(symphony_span, reserved);
  SIZE(symphony_mut_span);
  FIELD(symphony_mut_span, p);
  FIELD(symphony_mut_span, n);
  FIELD(symphony_mut_span, reserved);
  SIZE(symphony_envelope);
  FIELD(symphony_envelope, id);
  FIELD(symphony_envelope, deadline_ns);
  FIELD(symphony_envelope, type);
  FIELD(symphony_envelope, flags);
  FIELD(symphony_envelope, attempt);
  FIELD(symphony_envelope, reserved);
  SIZE(symphony_msg);
  FIELD(symphony_msg, struct_size);
  FIELD(symphony_msg, reserved);
  FIELD(symphony_msg, envelope);
  FIELD(symphony_msg, body);
  FIELD(symphony_msg, request);
  SIZE(symphony_call);
  FIELD(symphony_call, struct_size);
  FIELD(symphony_call, type);
  FIELD(symphony_call, effect);
  FIELD(symphony_call, reserved);
  FIELD(symphony_call, service);
  FIELD(symphony_call, body);
  FIELD(symphony_call, deadline_ns);
  FIELD(symphony_call, cookie);
  SIZE(symphony_sink);
  FIELD(symphony_sink, struct_size);
  FIELD(symphony_sink, reserved);
  FIELD(symphony_sink, context);
  FIELD(symphony_sink, write);
  SIZE(symphony_source);
  FIELD(symphony_source, struct_size);
  FIELD(symphony_source, reserved);
  FIELD(symphony_source, context);
  FIELD(symphony_source, read);
  SIZE(symphony_host);
  FIELD(symphony_host, struct_size);
  FIELD(symphony_host, abi_major);
  FIELD(symphony_host, abi_minor);
  FIELD(symphony_host, context);
  FIELD(symphony_host, log);
  FIELD(symphony_host, now);
  FIELD(symphony_host, claim);
  FIELD(symphony_host, commit);
  FIELD(symphony_host, error);
  FIELD(symphony_host, random);
  FIELD(symphony_host, get_extension);
  FIELD(symphony_host, publish);
  FIELD(symphony_host, call_async);
  FIELD(symphony_host, timer_set);
  FIELD(symphony_host, timer_cancel);
  FIELD(symphony_host, cancelled);
  FIELD(symphony_host, mark_dirty);
  FIELD(symphony_host, reply);
  SIZE(symphony_message_note);
  FIELD(symphony_message_note, type);
  FIELD(symphony_message_note, effect);
  SIZE(symphony_note);
  FIELD(symphony_note, struct_size);
  FIELD(symphony_note, abi_major);
  FIELD(symphony_note, abi_minor);
  FIELD(symphony_note, name);
  FIELD(symphony_note, version);
  FIELD(symphony_note, messages);
  FIELD(symphony_note, message_count);
  FIELD(symphony_note, reply_size_max);
  FIELD(symphony_note, state_revision);
  FIELD(symphony_note, state_revision_min);
  FIELD(symphony_note, needs);
  FIELD(symphony_note, need_count);
  FIELD(symphony_note, thread_model);
  FIELD(symphony_note, schema_hash);
  SIZE(symphony_pit_entry);
  FIELD(symphony_pit_entry, struct_size);
  FIELD(symphony_pit_entry, reserved);
  FIELD(symphony_pit_entry, note);
  FIELD(symphony_pit_entry, create);
  FIELD(symphony_pit_entry, init);
  FIELD(symphony_pit_entry, start);
  FIELD(symphony_pit_entry, handle);
  FIELD(symphony_pit_entry, drain);
  FIELD(symphony_pit_entry, snapshot);
  FIELD(symphony_pit_entry, restore);
  FIELD(symphony_pit_entry, stop);
  FIELD(symphony_pit_entry, destroy);
  FIELD(symphony_pit_entry, get_extension);
  FIELD(symphony_pit_entry, timer);
#undef SIZE
#undef FIELD
  return lines;
}
// NOLINTEND(bugprone-sizeof-expression)

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
