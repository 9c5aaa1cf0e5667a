// The page: everything in it, nothing from elsewhere, and no text of a file that becomes markup.
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "tests/unit/tools_decision/documents.hpp"
#include "tools/symphony/decision/chart.hpp"
#include "tools/symphony/decision/report.hpp"
#include "tools/symphony/decision/verdict.hpp"

namespace symphony::tools {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t out = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++out;
  return out;
}

TEST(Report, IsOneFileThatAsksForNothing) {
  const std::string page = report_html(usual_result());
  EXPECT_LT(page.size(), report_size_max);
  for (const char* banned :
       {"http://", "https://", "src=", "@import", "url(", "<link", "<img", "<iframe", "javascript:"}) {
    EXPECT_EQ(page.find(banned), std::string::npos) << banned;
  }
  EXPECT_EQ(count(page, "<script"), 2u) << "only the two documents";
  EXPECT_EQ(count(page, "<script type=\"application/json\""), 2u);
}

TEST(Report, HasATitleADescriptionAndATableForEachChart) {
  const std::string page = report_html(usual_result());
  EXPECT_GE(count(page, "<svg"), 5u);
  EXPECT_EQ(count(page, "<svg"), count(page, "<title id="));
  EXPECT_EQ(count(page, "<svg"), count(page, "<desc id="));
  EXPECT_GE(count(page, "<table"), count(page, "<svg"));
  EXPECT_NE(page.find("prefers-color-scheme:dark"), std::string::npos);
  EXPECT_FALSE(std::regex_search(page, std::regex("[^a-z](nan|inf)[^a-z]")));
}

TEST(Report, ShowsTheNumbersOfTheDocument) {
  const HostingResult result = usual_result();
  const std::string page = report_html(result);
  for (const ModeResult& row : result.pits[0].modes) {
    EXPECT_NE(page.find(">" + ns_text(row.decisive()->p99_ns) + "<"), std::string::npos) << row.mode;
    EXPECT_NE(page.find(">" + score_text(row) + "<"), std::string::npos) << row.mode;
  }
  EXPECT_NE(page.find("use process+ring: it contained 5 of 5 faults with a p99 of 5.00 µs"), std::string::npos);
  EXPECT_NE(page.find("next best static, which contained 0 of 5 and gains"), std::string::npos);
}

// A fault that a way makes impossible cannot be tried in it.
TEST(Verdict, ComparesShares) {
  HostingResult result = usual_result();
  std::vector<ModeResult>& modes = result.pits[0].modes;
  const auto row = [&](std::string_view name) -> ModeResult& {
    return *std::find_if(modes.begin(), modes.end(), [&](const ModeResult& mode) { return mode.mode == name; });
  };
  row("wasm").contained = row("wasm").faults = 19;
  row("process").contained = 19;
  row("process").faults = 20;
  row("process+ring").contained = row("process+ring").faults = 20;
  ASSERT_LT(row("wasm").decisive()->p99_ns, row("process").decisive()->p99_ns);
  EXPECT_NE(verdict_of(result, result.pits[0]).find("use wasm: it contained 19 of 19 faults"), std::string::npos);
  EXPECT_EQ(pareto_of(result.pits[0]).back()->mode, "wasm") << "20 of 20 are no more, and slower";
}

TEST(Report, IsTheRecord) {
  const HostingResult result = usual_result();
  HostingResult again;
  const ReadFault fault = parse_result(report_html(result), "page", again);
  ASSERT_TRUE(fault.ok()) << fault.text;
  EXPECT_EQ(again.raw, result.raw);
  EXPECT_EQ(again.raw_faults, result.raw_faults);
  EXPECT_EQ(again.pits[0].modes[4].contained, 5u);
}

TEST(Report, OfHostileTextsIsStillTheSamePage) {
  auto document = document_json(usual_rows(), "<script>alert(1)</script>", "\"><img src=x onerror=1>");
  document["pits"][0]["modes"][0]["mode"] = "</svg><svg onload=1>";
  document["machine"]["cpu"] = "</script><script>1";
  document["pits"][0]["modes"][1]["status"] = "failed";
  document["pits"][0]["modes"][1]["why"] = "<b>|\x1B[2J";
  HostingResult result;
  ASSERT_TRUE(parse_result(document.dump(), "file", result).ok());
  const std::string page = report_html(result);
  EXPECT_EQ(count(page, "<script"), 1u);
  for (const char* banned : {"<img", "<svg onload", "<b>|", "\x1B"})
    EXPECT_EQ(page.find(banned), std::string::npos) << banned;
  HostingResult again;
  ASSERT_TRUE(parse_result(page, "page", again).ok());
  EXPECT_EQ(again.cpu, "</script><script>1");
  EXPECT_EQ(report_term(result).find('\x1B'), std::string::npos);
  EXPECT_EQ(report_markdown(result).find("\n\x1B"), std::string::npos);
  EXPECT_EQ(report_markdown(result).find("<img"), report_markdown(result).find("\\<img") + 1);
}

TEST(Report, DrawsNoWayThatFailedOrMissedTheRateAndSaysWhy) {
  auto document = document_json(usual_rows());
  document["pits"][0]["modes"][2]["status"] = "failed";
  document["pits"][0]["modes"][2]["why"] = "its replies differ from the baseline's at byte 7 of 90";
  document["pits"][0]["modes"][3]["open"]["missed"] = true;
  HostingResult result;
  ASSERT_TRUE(parse_result(document.dump(), "file", result).ok());
  const std::string page = report_html(result);
  const std::string scatter =
      page.substr(page.find("<svg id=\"scatter\""), page.find("</svg>") - page.find("<svg id=\"scatter\""));
  EXPECT_EQ(scatter.find(">wasm"), std::string::npos);
  EXPECT_EQ(scatter.find(">process ("), std::string::npos);
  EXPECT_NE(scatter.find(">static"), std::string::npos);
  EXPECT_NE(page.find("failed: its replies differ"), std::string::npos);
}

TEST(Report, WithoutAMatrixClaimsNothingAboutFaults) {
  const std::string page = report_html(usual_result(false));
  EXPECT_NE(page.find("which way contains faults is not in this result"), std::string::npos);
  EXPECT_EQ(count(page, "<script"), 1u);
}

TEST(Report, OfABadEnvironmentSaysSo) {
  auto document = document_json(usual_rows());
  document["disturbed"] = true;
  document["competing"] = 0.42;
  HostingResult result;
  ASSERT_TRUE(parse_result(document.dump(), "file", result).ok());
  EXPECT_NE(report_html(result).find("<span class=\"bad\">BAD ENVIRONMENT: others used 42 % of the processors"),
            std::string::npos);
  EXPECT_NE(report_term(result).find("BAD ENVIRONMENT"), std::string::npos);
}

}  // namespace
}  // namespace symphony::tools
