// Messages of a schema that is read at run time: what could go wrong is that they differ from those of generated code,
// or that bytes of a pit are read before they are checked.
#include "tools/symphony/schema_messages.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "greeter_generated.h"
#include "symphony/type_id.hpp"
#include "tests/support/samples.hpp"

namespace symphony::tools {
namespace {

namespace fs = std::filesystem;

std::string source(const std::string& path) { return std::string(SYMPHONY_SOURCE_DIR) + "/" + path; }

SchemaMessages greeter() { return std::move(*SchemaMessages::read({source("pits/template/greeter.fbs")}, {})); }

std::vector<std::byte> greeting(const std::string& text, std::uint64_t count) {
  flatbuffers::FlatBufferBuilder b;
  b.Finish(greeter::CreateGreeting(b, b.CreateString(text), count));
  const auto* first = reinterpret_cast<const std::byte*>(b.GetBufferPointer());
  return {first, first + b.GetSize()};
}

TEST(SchemaMessages, AreWhatGeneratedCodeReadsAndWrites) {
  auto messages = greeter();
  const auto bytes = messages.to_bytes("greeter.Hello", R"({"name": "wörld"})");
  ASSERT_TRUE(bytes) << bytes.error().text;
  const auto* first = reinterpret_cast<const std::uint8_t*>(bytes->data());
  flatbuffers::Verifier verifier(first, bytes->size());
  ASSERT_TRUE(verifier.VerifyBuffer<greeter::Hello>(nullptr));
  EXPECT_EQ(flatbuffers::GetRoot<greeter::Hello>(first)->name()->str(), "wörld");
  const auto json = messages.to_json("greeter.Greeting", greeting("hi", 0));
  ASSERT_TRUE(json) << json.error().text;
  EXPECT_NE(json->find("\"text\": \"hi\""), std::string::npos) << *json;
  EXPECT_NE(json->find("\"count\": 0"), std::string::npos) << "a default is said too: " << *json;
}

TEST(SchemaMessages, AreFoundByNameOrTypeId) {
  const auto messages = greeter();
  EXPECT_EQ(*messages.table_named("greeter.Hello"), "greeter.Hello");
  EXPECT_EQ(*messages.table_named("Hello"), "greeter.Hello");
  EXPECT_EQ(messages.table_of(type_id_of<greeter::Greeting>), "greeter.Greeting");
  EXPECT_EQ(messages.table_of(1), "");
  const auto none = messages.table_named("Helo");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().text.find("did you mean 'greeter.Hello'?"), std::string::npos) << none.error().text;
}

TEST(SchemaMessages, RefuseJsonThatIsNotOne) {
  auto messages = greeter();
  for (const auto& [json, word] : {std::pair{"", "JSON object"},
                                   {"[1]", "JSON object"},
                                   {"{", "no greeter.Hello"},
                                   {R"({"name": 3, "nmae": 1})", "no greeter.Hello"},
                                   {R"({"nmae": "x"})", "nmae"},
                                   {"{}", "name"},
                                   {R"({"name": "x"} table Evil {})", "no greeter.Hello"},
                                   {R"({"name": "x"} garbage)", "no greeter.Hello"}}) {
    const auto bytes = messages.to_bytes("greeter.Hello", json);
    ASSERT_FALSE(bytes) << json;
    EXPECT_NE(bytes.error().text.find(word), std::string::npos) << bytes.error().text;
    EXPECT_EQ(bytes.error().text.find('\n'), std::string::npos);
  }
  EXPECT_TRUE(messages.to_bytes("greeter.Hello", R"({"name": "x"})")) << "an error leaves nothing behind";
}

TEST(SchemaMessages, OfAPitAreCheckedBeforeTheyAreRead) {
  auto messages = greeter();
  const auto whole = greeting("hello", 7);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    (void)messages.to_json("greeter.Greeting", cut);  // AddressSanitizer looks on
  }
  EXPECT_FALSE(messages.to_json("greeter.Greeting", {}));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (std::uint64_t value = 0; value < 256; value += test_run::every()) {
      auto bytes = whole;
      bytes[i] = static_cast<std::byte>(value);
      (void)messages.to_json("greeter.Greeting", bytes);
    }
  }
  EXPECT_FALSE(messages.to_json("greeter.Greeting", greeting("\xff\xfe", 1))) << "a text that is no UTF-8";
}

// What the library's writer of text reads, and no generated code looks at: a field that was taken out of use, and the
// member of a union whose type is not there or unknown. Written by an earlier schema, for which they are plain fields.
TEST(SchemaMessages, WithFieldsThatNobodyReadsAnyMoreOrOddUnionsAreWrittenAsTextOrRefused) {
  char pattern[] = "/tmp/symphony-test-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern), nullptr);
  const std::string folder = pattern;
  std::ofstream(folder + "/then.fbs") << "namespace a;\ntable L { text: string; }\n"
                                         "table M { old: string; names: [string]; kind: ubyte; member: L; }\n";
  std::ofstream(folder + "/now.fbs")
      << "namespace a;\ntable L { text: string; }\nunion U { L }\n"
         "table M { old: string (deprecated); names: [string] (deprecated); member: U; }\n";
  auto then = SchemaMessages::read({folder + "/then.fbs"}, {});
  auto now = SchemaMessages::read({folder + "/now.fbs"}, {});
  fs::remove_all(folder);
  ASSERT_TRUE(then) << then.error().text;
  ASSERT_TRUE(now) << now.error().text;
  for (const auto& [json, taken] :
       {std::pair{R"({"old": "o", "names": ["a", "b"], "kind": 1, "member": {"text": "t"}})", true},
        {R"({"old": "o", "kind": 9, "member": {"text": "t"}})", false},
        {R"({"old": "o", "member": {"text": "t"}})", false},
        {R"({"names": ["a"], "kind": 1})", true}}) {
    const auto whole = then->to_bytes("a.M", json);
    ASSERT_TRUE(whole) << whole.error().text;
    EXPECT_EQ(now->to_json("a.M", *whole).has_value(), taken) << json;
    for (std::size_t i = 0; i < whole->size(); ++i) {
      for (std::uint64_t value = 0; value < 256; value += test_run::every()) {
        auto bytes = *whole;
        bytes[i] = static_cast<std::byte>(value);
        (void)now->to_json("a.M", bytes);  // AddressSanitizer looks on
      }
    }
  }
}

TEST(SchemaMessages, MayIncludeOthersFromTheirOwnFolderOrANamedOne) {
  char pattern[] = "/tmp/symphony-test-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern), nullptr);
  const std::string folder = pattern;
  fs::create_directory(folder + "/more");
  std::ofstream(folder + "/a.fbs")
      << "include \"b.fbs\";\ninclude \"c.fbs\";\nnamespace a;\ntable A { b: b.B; c: c.C; }\n";
  std::ofstream(folder + "/b.fbs") << "namespace b;\ntable B { x: int; }\n";
  std::ofstream(folder + "/more/c.fbs") << "namespace c;\ntable C { x: int; }\ntable B { y: int; }\n";
  auto messages = SchemaMessages::read({folder + "/a.fbs"}, {folder + "/more"});
  ASSERT_TRUE(messages) << messages.error().text;
  const auto bytes = messages->to_bytes("a.A", R"({"b": {"x": 1}, "c": {"x": 2}})");
  ASSERT_TRUE(bytes) << bytes.error().text;
  const auto json = messages->to_json("a.A", *bytes);
  ASSERT_TRUE(json) << json.error().text;
  EXPECT_NE(json->find("\"x\": 2"), std::string::npos) << *json;
  const auto both = messages->table_named("B");
  ASSERT_FALSE(both);
  EXPECT_NE(both.error().text.find("b.B or c.B"), std::string::npos) << both.error().text;
  EXPECT_FALSE(SchemaMessages::read({folder + "/a.fbs"}, {})) << "c.fbs is nowhere";
  fs::remove_all(folder);
}

TEST(SchemaMessages, OfNoSchemaAreRefusedInOneLine) {
  EXPECT_EQ(SchemaMessages::read({"/no/such.fbs"}, {}).error().fault, InputFault::no_such_file);
  for (const char* file : {"README.md", "schemas/README.md"}) {
    const auto messages = SchemaMessages::read({source(file)}, {});
    ASSERT_FALSE(messages) << file;
    EXPECT_EQ(messages.error().text.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace symphony::tools
