// The verifier of schemas against the verifiers that flatc generates. What could go wrong: one of them takes a message
// that the other refuses, or what was taken is read outside its bytes.
#include <flatbuffers/flatbuffers.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <symphony.h>

#include "sample_cpp_generated.h"
#include "sample_generated.h"
#include "tests/support/samples.hpp"

namespace symphony {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct SchemaTest : testing::Test {
  void SetUp() override { open("/sample_cpp.bfbs"); }
  void open(const char* name) {
    (void)symphony_schema_close(schema);
    std::ifstream file(std::string(SYMPHONY_SCHEMAS) + name, std::ios::binary);
    bfbs.assign(std::istreambuf_iterator<char>(file), {});
    ASSERT_EQ(symphony_schema_open(bfbs.data(), bfbs.size(), &schema), SYMPHONY_OK) << symphony_last_error();
  }
  void TearDown() override { EXPECT_EQ(symphony_schema_close(schema), SYMPHONY_OK); }

  template <class Table>
  static bool generated(const Bytes& bytes) {
    flatbuffers::Verifier verifier(bytes.data(), bytes.size());
    return verifier.VerifyBuffer<Table>(nullptr);
  }
  // Both verdicts; what is taken is read whole. The bytes end where their memory ends, so that AddressSanitizer sees
  // what is read behind them.
  template <class Table>
  bool same(const Bytes& bytes) {
    const bool wanted = generated<Table>(bytes);
    const std::int32_t found =
        symphony_schema_verify(schema, Table::GetFullyQualifiedName(), bytes.data(), bytes.size());
    EXPECT_EQ(found, wanted ? SYMPHONY_OK : SYMPHONY_BAD_MESSAGE);
    if (wanted) {
      ++taken;
      char* json = nullptr;
      std::size_t size = 0;
      if (symphony_schema_to_json(schema, Table::GetFullyQualifiedName(), bytes.data(), bytes.size(), &json, &size) ==
          SYMPHONY_OK) {
        symphony_free(json);
      }
    }
    return wanted;
  }
  // Each byte with each other value.
  template <class Table>
  void sweep(Bytes bytes) {
    ASSERT_TRUE(same<Table>(bytes));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      for (int change = 1; change < 256; ++change) {
        bytes[i] = static_cast<std::uint8_t>(bytes[i] ^ change);
        (void)same<Table>(bytes);
        ASSERT_FALSE(HasFailure()) << "byte " << i << " as " << int{bytes[i]};
        bytes[i] = static_cast<std::uint8_t>(bytes[i] ^ change);
        ++tried;
      }
    }
  }

  static Bytes all(int depth = 2) {
    flatbuffers::FlatBufferBuilder b;
    b.Finish(build(b, depth));
    return {b.GetBufferPointer(), b.GetBufferPointer() + b.GetSize()};
  }
  static flatbuffers::Offset<sample_cpp::All> build(flatbuffers::FlatBufferBuilder& b, int depth) {
    std::vector<flatbuffers::Offset<sample_cpp::All>> children;
    if (depth != 0) children.push_back(build(b, depth - 1));
    const sample_cpp::Point point(1.5, 2.5F);
    const auto leaf = sample_cpp::CreateLeaf(b, b.CreateString("leaf"), 9);
    const auto other = sample_cpp::CreateOther(b, b.CreateVector(std::vector<float>{1, 2}));
    const auto in_union = b.CreateStruct(point).Union();
    const std::vector<std::uint8_t> types{1, 2, 3, 4};
    const std::vector<flatbuffers::Offset<void>> members{leaf.Union(), other.Union(), in_union,
                                                         b.CreateString("member").Union()};
    const auto numbers = b.CreateVector(std::vector<std::uint64_t>{1, 2, 3});
    const auto points = b.CreateVectorOfStructs(std::vector<sample_cpp::Point>{point, point});
    const auto names = b.CreateVectorOfStrings(std::vector<std::string>{"a", "bc", ""});
    const auto leaves = b.CreateVector(std::vector{leaf, leaf});
    const auto many_types = b.CreateVectorScalarCast<sample_cpp::Any>(types.data(), types.size());
    const auto many = b.CreateVector(members);
    const auto below = b.CreateVector(children);
    const auto name = b.CreateString("name");
    sample_cpp::AllBuilder made(b);
    made.add_flag(true);
    made.add_color(sample_cpp::Color::GREEN);
    made.add_small(-3);
    made.add_point(&point);
    made.add_name(name);
    made.add_leaf(leaf);
    made.add_any_type(static_cast<sample_cpp::Any>(1 + depth % 4));
    made.add_any(members[static_cast<std::size_t>(depth % 4)]);
    made.add_numbers(numbers);
    made.add_points(points);
    made.add_names(names);
    made.add_leaves(leaves);
    made.add_many_type(many_types);
    made.add_many(many);
    made.add_children(below);
    return made.Finish();
  }

  std::vector<char> bfbs;
  symphony_schema schema = 0;
  std::uint64_t tried = 0, taken = 0;
};

TEST_F(SchemaTest, EachByteOfTheReferenceMessageChangedInEachWayHasTheGeneratedVerdict) {
  open("/sample.bfbs");
  flatbuffers::FlatBufferBuilder b;
  const auto name = b.CreateString("letters");
  const std::uint32_t numbers[] = {1, 2};
  b.Finish(sample::CreateReference(b, 7, 3, 1, name, b.CreateVector(numbers, 2)));
  const Bytes bytes(b.GetBufferPointer(), b.GetBufferPointer() + b.GetSize());
  ASSERT_EQ(bytes.size(), 72u) << "the table of figures names this size";
  sweep<sample::Reference>(bytes);
  EXPECT_EQ(tried, 72u * 255u);
  EXPECT_GT(taken, 1'000u) << "a changed number is a valid message";
  EXPECT_LT(taken, tried);
}

TEST_F(SchemaTest, EachByteOfAMessageWithEveryKindOfFieldHasTheGeneratedVerdict) { sweep<sample_cpp::All>(all()); }

TEST_F(SchemaTest, ManyBytesChangedAtOnceHaveTheGeneratedVerdict) {
  std::mt19937_64 random(test_run::seed());
  const Bytes right = all();
  for (std::uint64_t i = 0, rounds = test_run::samples(40'000); i < rounds; ++i) {
    Bytes bytes = right;
    for (std::uint64_t changes = 2 + random() % 4; changes != 0; --changes) {
      // Mostly small values where offsets and sizes stand: those lead somewhere.
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random() % 3 == 0 ? random() : random() % 64);
    }
    (void)same<sample_cpp::All>(bytes);
    ASSERT_FALSE(HasFailure());
  }
}

TEST_F(SchemaTest, AMessageCutAnywhereHasTheGeneratedVerdict) {
  const Bytes right = all();
  for (std::size_t size = 0; size < right.size(); ++size) {
    (void)same<sample_cpp::All>(Bytes(right.begin(), right.begin() + static_cast<std::ptrdiff_t>(size)));
    ASSERT_FALSE(HasFailure()) << size;
  }
}

TEST_F(SchemaTest, TablesAreAsDeepAndAsManyAsTheGeneratedVerifierAllows) {
  for (int depth = 60; depth < 68; ++depth) {
    const Bytes bytes = all(depth);
    (void)same<sample_cpp::All>(bytes);
    ASSERT_FALSE(HasFailure()) << depth;
  }
  EXPECT_GT(taken, 0u);
  EXPECT_LT(taken, 8u);
}

TEST_F(SchemaTest, JsonGoesThereAndBack) {
  void* bytes = nullptr;
  std::size_t size = 0;
  const char* const given =
      R"({"flag": true, "name": "wörld", "any_type": "Leaf", "any": {"name": "x"}, "names": ["a"]})";
  ASSERT_EQ(symphony_schema_from_json(schema, "sample_cpp.All", given, &bytes, &size), SYMPHONY_OK)
      << symphony_last_error();
  char* json = nullptr;
  std::size_t json_size = 0;
  ASSERT_EQ(symphony_schema_to_json(schema, "sample_cpp.All", bytes, size, &json, &json_size), SYMPHONY_OK);
  const std::string text(json, json_size);
  EXPECT_EQ(json[json_size], '\0');
  for (const char* part : {"\"flag\": true", "w\\u00F6rld", "\"any_type\": \"Leaf\"", "\"value\": 7"}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  symphony_free(json);
  symphony_free(bytes);
}

TEST_F(SchemaTest, WhatIsWrongIsToldInOneLine) {
  void* bytes = nullptr;
  std::size_t size = 0;
  for (const char* wrong : {"", "[]", "table X {}", "{\"nmae\": 1}", "{\"flag\": ", "{\"small\": 99999}"}) {
    EXPECT_EQ(symphony_schema_from_json(schema, "sample_cpp.All", wrong, &bytes, &size), SYMPHONY_BAD_MESSAGE) << wrong;
    EXPECT_EQ(std::string(symphony_last_error()).find('\n'), std::string::npos) << symphony_last_error();
  }
  EXPECT_EQ(symphony_schema_from_json(schema, "sample_cpp.None", "{}", &bytes, &size), SYMPHONY_E_NOT_FOUND);
  EXPECT_EQ(symphony_schema_verify(schema, "sample_cpp.Point", "", 0), SYMPHONY_E_NOT_FOUND)
      << "a struct is no message";
  EXPECT_EQ(symphony_schema_verify(schema, nullptr, "", 0), SYMPHONY_E_INVALID_ARGUMENT);
  EXPECT_EQ(symphony_schema_verify(0, "sample_cpp.All", "", 0), SYMPHONY_E_CLOSED);
  char name[32];
  EXPECT_EQ(symphony_schema_find(schema, "Leaf", name, sizeof name), SYMPHONY_OK);
  EXPECT_STREQ(name, "sample_cpp.Leaf");
  EXPECT_EQ(symphony_schema_find(schema, "Leaf", name, 5), SYMPHONY_E_TOO_LARGE);
  EXPECT_EQ(symphony_schema_find(schema, "eaf", name, sizeof name), SYMPHONY_E_NOT_FOUND);
  EXPECT_EQ(symphony_schema_table_of(schema, symphony_type_id("sample_cpp.All"), name, sizeof name), SYMPHONY_OK);
  EXPECT_STREQ(name, "sample_cpp.All");
  EXPECT_EQ(symphony_schema_table_of(schema, 5, name, sizeof name), SYMPHONY_E_NOT_FOUND);
}

TEST_F(SchemaTest, BytesThatAreNoSchemaAreRefused) {
  symphony_schema none = 0;
  for (std::size_t size = 0; size < bfbs.size(); size += 7) {
    EXPECT_EQ(symphony_schema_open(bfbs.data(), size, &none), SYMPHONY_BAD_MESSAGE) << size;
  }
  EXPECT_EQ(symphony_schema_open(nullptr, 0, &none), SYMPHONY_E_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace symphony
