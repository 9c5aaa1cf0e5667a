// What a module says of itself is read from bytes that may be anything.
#include "pits/hosting/wasm/sections.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "pits/hosting/note.hpp"
#include "pits/hosting/wasm/module_note.hpp"
#include "tests/support/samples.hpp"
#include "tests/unit/hosting/wasm/wasm_fixture.hpp"

SYMPHONY_DECLARE_PIT(trapper);

namespace symphony::pit::wasm {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

// A module put together by hand.
class Built {
 public:
  Built() { add({0, 'a', 's', 'm', 1, 0, 0, 0}); }
  Built& add(std::initializer_list<int> bytes) {
    for (const int b : bytes) bytes_.push_back(static_cast<std::byte>(b));
    return *this;
  }
  Built& section(int id, const std::string& body) {
    const auto size = static_cast<int>(body.size());
    add({id, 0x80 | (size & 0x7F), size >> 7});  // two bytes of LEB128
    for (const char c : body) bytes_.push_back(static_cast<std::byte>(c));
    return *this;
  }
  [[nodiscard]] const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};
std::string name(const std::string& text) { return std::string(1, static_cast<char>(text.size())) + text; }
std::string raw(std::initializer_list<int> bytes) {
  std::string out;
  for (const int b : bytes) out.push_back(static_cast<char>(b));
  return out;
}

Outcome read_and_check(std::span<const std::byte> bytes) {
  Sections sections;
  if (Outcome o = read_sections(bytes, sections); !o.ok()) return o;
  return check_sections(sections);
}

TEST(WasmSections, OfARealModuleAreWhatItsSourcesSay) {
  Sections sections;
  const Outcome outcome = read_sections(trapper_module().wasm(), sections);
  ASSERT_TRUE(outcome.ok()) << outcome.text;
  EXPECT_TRUE(check_sections(sections).ok());
  for (const Import& import : sections.imports) EXPECT_EQ(import.module, "symphony");
  EXPECT_GE(sections.imports.size(), 8u);
  ASSERT_EQ(sections.memories.size(), 1u);
  EXPECT_EQ(sections.memories[0].pages_max, 256u);  // 16 MiB
  ASSERT_TRUE(sections.note.has_value());
  PitNote note;
  ASSERT_TRUE(read_note(*sections.note, note).ok());
  symphony_pit_entry table{};
  PitInfo linked;
  ASSERT_TRUE(read_entry(*symphony_pit_trapper(), table, linked).ok());
  EXPECT_EQ(first_difference(note.info, linked), "");
}

// In a block of exactly that size, so that a read past the end is seen.
std::unique_ptr<std::byte[]> exactly(std::span<const std::byte> bytes) {
  auto copy = std::make_unique<std::byte[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy.get());
  return copy;
}

// Every place; under sanitizers, in the middle of the module, where its code is, only some.
std::size_t next_place(std::size_t at, std::size_t size) {
  return at + (at < 2048 || at + 2048 > size ? 1 : test_run::every());
}

TEST(WasmSections, EveryTruncationIsRefusedOrEndsBetweenSections) {
  const auto whole = trapper_module().wasm();
  std::size_t accepted = 0;
  for (std::size_t size = 0; size < whole.size(); size = next_place(size, whole.size())) {
    const auto copy = exactly(whole.first(size));
    Sections sections;
    if (read_sections({copy.get(), size}, sections).ok()) ++accepted;
    // The note is the last section: no beginning of the module is a pit.
    EXPECT_FALSE(sections.note.has_value()) << "cut at " << size;
  }
  EXPECT_LE(accepted, 16u) << "as many as there are sections, and the empty module";
}

TEST(WasmSections, NoChangedByteMakesItReadOutside) {
  const auto whole = trapper_module().wasm();
  const auto copy = exactly(whole);
  std::size_t refused = 0;
  for (std::size_t at = 0; at < whole.size(); at = next_place(at, whole.size())) {
    for (const int change : {0x01, 0x10, 0x80, 0xFF}) {
      copy[at] = whole[at] ^ static_cast<std::byte>(change);
      Sections sections;
      PitNote note;
      Outcome outcome = read_sections({copy.get(), whole.size()}, sections);
      if (outcome.ok()) outcome = check_sections(sections);
      if (outcome.ok() && sections.note) outcome = read_note(*sections.note, note);
      if (!outcome.ok()) {
        ++refused;
        EXPECT_FALSE(outcome.text.empty());
      }
    }
    copy[at] = whole[at];
  }
  EXPECT_GT(refused, 500u);
}

TEST(WasmSections, RandomBytesBehindTheHeadAreNeverReadOutside) {
  std::mt19937_64 random(test_run::seed());
  for (std::uint64_t round = test_run::samples(20'000); round > 0; --round) {
    Bytes bytes = Built().bytes();
    for (std::size_t n = random() % 64; n > 0; --n) bytes.push_back(static_cast<std::byte>(random() % 14));
    const auto copy = exactly(bytes);
    Sections sections;
    (void)read_sections({copy.get(), bytes.size()}, sections);
  }
}

TEST(WasmSections, AnImportOfAnythingElseIsRefusedByName) {
  const auto import_of = [](const std::string& module, const std::string& what, int kind = 0, int type = 0) {
    Built built;
    built.section(1, raw({2, 0x60, 0, 1, 0x7E, 0x60, 0, 1, 0x7F}));  // -> i64, -> i32
    const std::string of_kind = kind == 0 ? raw({0, type}) : raw({3, 0, 0});
    return read_and_check(built.section(2, raw({1}) + name(module) + name(what) + of_kind).bytes());
  };
  EXPECT_THAT(import_of("wasi_snapshot_preview1", "fd_write").text, HasSubstr("wasi_snapshot_preview1.fd_write"));
  EXPECT_EQ(import_of("wasi_snapshot_preview1", "fd_write").status, SYMPHONY_VERSION);
  EXPECT_THAT(import_of("symphony", "format_disk").text, HasSubstr("symphony.format_disk"));
  EXPECT_THAT(import_of("env", "now").text, HasSubstr("env.now"));
  EXPECT_THAT(import_of("symphony", "now", 3).text, HasSubstr("symphony.now"));  // a global of that name
  EXPECT_THAT(import_of("symphony", "now", 0, 1).text, HasSubstr("symphony.now (-> i32)"));
  EXPECT_THAT(import_of("symphony", "now", 0, 2).text, HasSubstr("a type that does not exist"));
  // This one is good; what it lacks is the rest.
  EXPECT_THAT(import_of("symphony", "now").text, HasSubstr("does not export"));
}

TEST(WasmSections, WhatIsNoModuleIsRefusedWithWhere) {
  EXPECT_THAT(read_and_check({}).text, HasSubstr("does not begin"));
  const auto text_of = [](const Built& built) { return read_and_check(built.bytes()).text; };
  EXPECT_THAT(text_of(Built().add({13, 0})), HasSubstr("kind that does not exist"));
  EXPECT_THAT(text_of(Built().add({2, 5, 1})), HasSubstr("past its end"));
  EXPECT_THAT(text_of(Built().add({2, 0x80, 0x80, 0x80, 0x80, 0x10})), HasSubstr("more than 32 bits"));
  EXPECT_THAT(text_of(Built().section(7, raw({0})).section(2, raw({0}))), HasSubstr("out of order"));
  EXPECT_THAT(text_of(Built().section(7, raw({0})).section(7, raw({0}))), HasSubstr("twice"));
  EXPECT_THAT(text_of(Built().section(7, raw({0, 0}))), HasSubstr("longer than what it holds"));
  EXPECT_THAT(text_of(Built().section(7, raw({2, 1}) + "a")), HasSubstr("ends in the middle"));
  EXPECT_THAT(text_of(Built().section(7, raw({100}))), HasSubstr("count"));
  EXPECT_THAT(text_of(Built().section(5, raw({1, 4, 1}))), HasSubstr("shared or 64-bit memory"));
  EXPECT_THAT(text_of(Built().section(0, name("symphony.pit")).section(0, name("symphony.pit"))),
              HasSubstr("two notes"));
}

TEST(WasmSections, TheNoteOfAModuleIsReadOrRefusedWithTheRemedy) {
  PitNote note;
  ASSERT_TRUE(read_module_note(trapper_module().wasm(), note).ok());
  EXPECT_EQ(note.info.name, "trapper");
  const auto refused = [&](const Bytes& bytes) { return read_module_note(bytes, note); };
  EXPECT_THAT(refused({}).text, HasSubstr("copy or build it again"));
  EXPECT_EQ(refused(Built().bytes()).status, SYMPHONY_BAD_MESSAGE);
  EXPECT_THAT(refused(Built().bytes()).text, HasSubstr("no pit"));
  EXPECT_THAT(refused(Built().section(0, name("symphony.pit") + "SPN1").bytes()).text,
              HasSubstr("build the pit again"));
  Bytes newer = Built().bytes();
  newer[4] = std::byte{2};
  EXPECT_EQ(refused(newer).status, SYMPHONY_VERSION);
  EXPECT_THAT(refused(newer).text, HasSubstr("module of version 2, and version 1 is read"));
}

TEST(WasmSections, AMemoryWithoutAMaximumBelowTheWindowsIsRefused) {
  const auto with_memory = [](const std::string& memory) {
    // A module without code, with every function that is wanted.
    const auto functions = static_cast<int>(lowered_exports().size());
    std::string types = raw({functions});
    std::string code = raw({functions});
    std::string exports = raw({functions + 1});
    int index = 0;
    for (const Lowered& at : lowered_exports()) {
      const std::size_t arrow = at.signature.find("->");
      const auto types_in = [](std::string_view text) {
        std::string out;
        for (std::size_t p = 0; (p = text.find('i', p)) != std::string_view::npos; ++p) {
          out += text[p + 1] == '3' ? raw({0x7F}) : raw({0x7E});
        }
        return name(out);  // a list of types is written as a name is
      };
      types += raw({0x60}) + types_in(at.signature.substr(0, arrow)) + types_in(at.signature.substr(arrow));
      code += raw({index});
      exports += name(std::string(at.name)) + raw({0, index++});
    }
    exports += name("memory") + raw({2, 0});
    return read_and_check(Built().section(1, types).section(3, code).section(5, memory).section(7, exports).bytes());
  };
  EXPECT_TRUE(with_memory(raw({1, 1, 1, 2})).ok()) << with_memory(raw({1, 1, 1, 2})).text;
  EXPECT_TRUE(with_memory(raw({1, 1, 1, 0x80, 0x80, 0x03})).ok());  // 49,152 pages: 3 GiB
  EXPECT_THAT(with_memory(raw({1, 1, 1, 0x81, 0x80, 0x03})).text, HasSubstr("--max-memory"));
  EXPECT_THAT(with_memory(raw({1, 0, 1})).text, HasSubstr("--max-memory"));
  EXPECT_THAT(with_memory(raw({1, 1, 3, 2})).text, HasSubstr("--max-memory"));
  EXPECT_THAT(with_memory(raw({0})).text, HasSubstr("exactly one memory"));
  EXPECT_THAT(with_memory(raw({2, 1, 1, 2, 1, 1, 2})).text, HasSubstr("exactly one memory"));
}

}  // namespace
}  // namespace symphony::pit::wasm
