// A result file may be anybody's: each way of being wrong is named, and none is believed.
#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/tools_decision/documents.hpp"

namespace symphony::tools {
namespace {

std::string refusal(const ResultJson& document) {
  HostingResult out;
  return parse_result(document.dump(), "file", out).text;
}

TEST(Results, AreReadBackAsTheyWereWritten) {
  HostingResult out;
  ASSERT_TRUE(parse_result(document_json(usual_rows()).dump(), "file", out).ok());
  ASSERT_EQ(out.pits[0].modes.size(), 6u);
  const ModeResult& row = out.pits[0].modes[3];
  EXPECT_EQ(row.mode, "process");
  EXPECT_EQ(row.decisive()->p99_ns, 3000);
  EXPECT_EQ(row.ratio.n, 3u);
  EXPECT_FALSE(out.pits[0].modes[0].restart_ms.has_value());
  EXPECT_FALSE(row.closed.curve.empty());
}

TEST(Results, OfAnotherVersionAreNamedAsThat) {
  auto document = document_json(usual_rows());
  document["version"] = 2;
  HostingResult out;
  const ReadFault fault = parse_result(document.dump(), "file", out);
  EXPECT_TRUE(fault.is_version);
  EXPECT_EQ(fault.text, "file: a result of version 2, this release reads 1: measure again");
}

TEST(Results, ThatAreWrongAreRefusedAndNameTheFile) {
  const std::vector<std::function<void(ResultJson&)>> damages{
      [](ResultJson& d) { d.erase("pits"); },
      [](ResultJson& d) { d["pits"] = ResultJson::array(); },
      [](ResultJson& d) { d["rate"] = 0; },
      [](ResultJson& d) { d["rate"] = "many"; },
      [](ResultJson& d) { d["machine"].erase("cpu"); },
      [](ResultJson& d) { d["pits"][0]["modes"][0]["call_ns"] = -1; },
      [](ResultJson& d) { d["pits"][0]["modes"][0]["ratio"]["rounds"] = ResultJson::array(); },
      [](ResultJson& d) { d["pits"][0]["modes"][0]["ratio"]["rounds"][0] = 0; },
      [](ResultJson& d) { d["pits"][0]["modes"][0]["closed"]["histogram"] = "nonsense"; },
      [](ResultJson& d) { d["pits"][0]["modes"][0]["open"].erase("missed"); },
      [](ResultJson& d) { d["pits"][0]["modes"] = 7; },
      [](ResultJson& d) { d["format"] = "symphony-faults"; },
  };
  for (std::size_t i = 0; i < damages.size(); ++i) {
    auto document = document_json(usual_rows());
    damages[i](document);
    const std::string text = refusal(document);
    EXPECT_TRUE(text.starts_with("file: ")) << i << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << i;
  }
  HostingResult out;
  EXPECT_FALSE(parse_result("{\"format\": ", "file", out).ok());
  EXPECT_FALSE(read_result("/nowhere/at/all", out).ok());
}

TEST(Matrices, GiveTheirScoreToTheWaysThatWereTried) {
  const HostingResult result = usual_result();
  EXPECT_EQ(result.pits[0].modes[3].contained, 4u);
  EXPECT_EQ(result.pits[0].modes[4].contained, 5u);
  EXPECT_EQ(result.pits[0].modes[4].faults, 5u);
  EXPECT_FALSE(result.pits[0].modes[5].contained.has_value()) << "nobody tried a socket";
}

TEST(Matrices, WhoseSumIsNotThatOfTheirCellsAreRefused) {
  auto faults = faults_json(usual_faults());
  faults["modes"][0]["contained"] = 5;
  HostingResult result = usual_result(false);
  EXPECT_NE(parse_faults(faults.dump(), "m", result).text.find("not that of its cells"), std::string::npos);
  EXPECT_TRUE(result.faults.empty());
  faults = faults_json(usual_faults());
  faults["modes"][0]["cells"][1]["fault"] = "null_write";
  EXPECT_NE(parse_faults(faults.dump(), "m", result).text.find("twice"), std::string::npos);
  faults = faults_json(usual_faults());
  faults["modes"][0]["cells"][1]["class"] = "fine";
  EXPECT_FALSE(parse_faults(faults.dump(), "m", result).ok());
  faults["version"] = 9;
  EXPECT_TRUE(parse_faults(faults.dump(), "m", result).is_version);
}

}  // namespace
}  // namespace symphony::tools
