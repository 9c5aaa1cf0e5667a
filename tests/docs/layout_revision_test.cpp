// What could go wrong: a shared layout changes and keeps its number, so that a dump is read by the wrong document. The
// tables of the formats, which other tests compare with the code, are held against those of each revision.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "bus/memory/layout.hpp"
#include "tests/docs/document.hpp"

namespace symphony::docs {
namespace {

struct Revision {
  std::uint64_t fingerprint;
  std::uint64_t digest;  // of the tables as they were
};

// A row stays once it is here; a change of a shared layout adds one.
constexpr std::array revisions{
    Revision{0x53594d50'00000001, 0xeeab3806979be61e},
    Revision{0x53594d50'00000002, 0x8e7987f31d3429dd},  // the caller's `placement`
};

class Digest {
 public:
  void add(const std::string& text) {
    for (const char c : text + '\n') value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;  // FNV-1a
  }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

bool is_number(const std::string& cell) {
  return !cell.empty() && cell.find_first_not_of("0123456789abcdefx-") == std::string::npos;
}

// Names and numbers; the words beside them may be put better at any time.
std::uint64_t digest_of_layout() {
  constexpr const char* segment = "docs/formats/segment.md";
  constexpr const char* ring = "docs/formats/ring.md";
  const std::pair<const char*, const char*> tables[] = {{segment, "Constants"},
                                                        {segment, "Page 0: identity"},
                                                        {segment, "Page 1 of the caller's segment"},
                                                        {segment, "Page 1 of the pit's segment"},
                                                        {ring, "Record header"},
                                                        {ring, "Envelope"},
                                                        {ring, "Flags"}};
  Digest digest;
  for (const auto& [path, heading] : tables) {
    for (const auto& [name, cells] : table(path, heading).rows) {
      if (name == "layout_fingerprint") continue;
      digest.add(name);
      for (std::size_t i = 1; i < cells.size(); ++i) digest.add(is_number(cells[i]) ? cells[i] : "");
    }
  }
  return digest.value();
}

TEST(LayoutRevision, RisesWithEveryChangeOfASharedLayout) {
  EXPECT_EQ(revisions.back().digest, digest_of_layout())
      << "a shared layout changed: raise layout_fingerprint (bus/memory/layout.hpp) and add a row here";
  EXPECT_EQ(revisions.back().fingerprint, detail::layout_fingerprint);
}

TEST(LayoutRevision, NoTwoLayoutsShareANumber) {
  for (std::size_t i = 1; i < revisions.size(); ++i) {
    EXPECT_EQ(revisions[i].fingerprint, revisions[i - 1].fingerprint + 1);
    EXPECT_NE(revisions[i].digest, revisions[i - 1].digest);
  }
}

}  // namespace
}  // namespace symphony::docs
