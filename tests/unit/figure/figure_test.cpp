// What could go wrong: a figure that a reader misreads, half a file, or a figure that does not say where it is from.
#include "bench/support/figure.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <memory>
#include <sstream>

namespace symphony::bench {
namespace {

namespace fs = std::filesystem;

Figure a_figure() { return {"test.demo_ratio", 1.5, 2.0, "ratio", 7, 42, 0.25, "a note"}; }

class Figures : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "figure_test.XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  static std::string read(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  // What a command printed, and its exit status.
  static std::pair<std::string, int> run(const std::string& command) {
    std::FILE* pipe = ::popen(command.c_str(), "re");
    std::string text;
    std::array<char, 4096> part{};
    for (std::size_t n = 0; (n = std::fread(part.data(), 1, part.size(), pipe)) > 0;) text.append(part.data(), n);
    return {text, WEXITSTATUS(::pclose(pipe))};
  }
  fs::path folder_;
};

TEST(FigureJson, HoldsEveryFieldInOneFlatObject) {
  EXPECT_EQ(
      to_json(a_figure(), {"a cpu", 2, "6.1"}, "abc"),
      "{\"name\": \"test.demo_ratio\", \"value\": 1.5, \"of\": 2, \"unit\": \"ratio\", \"n\": 7, \"seed\": 42, "
      "\"commit\": \"abc\", \"seconds\": 0.25, \"host\": {\"cpu\": \"a cpu\", \"cores\": 2, \"kernel\": \"6.1\"}, "
      "\"note\": \"a note\"}\n");
}

TEST(FigureJson, WritesWhatIsNotKnownAsNull) {
  Figure figure = a_figure();
  figure.of.reset();
  figure.seed.reset();
  const std::string json = to_json(figure, {}, "abc");
  EXPECT_NE(json.find("\"of\": null"), std::string::npos);
  EXPECT_NE(json.find("\"seed\": null"), std::string::npos);
}

TEST(FigureJson, EscapesQuotesControlCharactersAndBytesThatAreNotText) {
  Figure figure = a_figure();
  figure.note = "q\" b\\ n\n z";
  figure.note += std::string("\0", 1) + "\xC3\xA4 \xFF \xC0\xAF \xED\xA0\x80 \xE2\x82";
  const std::string json = to_json(figure, {}, "abc");
  EXPECT_NE(json.find(R"("q\" b\\ n\u000a z\u0000)"
                      "\xC3\xA4"
                      R"( \ufffd \ufffd\ufffd \ufffd\ufffd\ufffd \ufffd\ufffd")"),
            std::string::npos)
      << json;
}

TEST(FigureJson, NumbersReadBackEqual) {
  for (const double value : {0.1, 1e300, 123456789.125, 1.0 / 3, -0.0, 5e-324}) {
    Figure figure = a_figure();
    figure.value = value;
    const std::string json = to_json(figure, {}, "abc");
    EXPECT_EQ(std::strtod(json.c_str() + json.find("\"value\": ") + 9, nullptr), value);
  }
}

TEST_F(Figures, AreWrittenUnderTheirNameAndNothingElseStays) {
  ASSERT_TRUE(write_figure(a_figure(), folder_ / "new" / "folder"));
  const fs::path folder = folder_ / "new" / "folder";
  EXPECT_EQ(read(folder / "test.demo_ratio.json"), to_json(a_figure(), this_host(), built_commit()));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}

TEST_F(Figures, AreReplacedByTheNextOfTheirName) {
  ASSERT_TRUE(write_figure(a_figure(), folder_));
  Figure next = a_figure();
  next.value = 3;
  ASSERT_TRUE(write_figure(next, folder_));
  EXPECT_NE(read(folder_ / "test.demo_ratio.json").find("\"value\": 3,"), std::string::npos);
}

TEST_F(Figures, WithoutSamplesANameOrAFiniteValueAreRefused) {
  const auto refused = [&](auto change) {
    Figure figure = a_figure();
    change(figure);
    const auto written = write_figure(figure, folder_);
    return !written && written.error().code == errc::invalid_argument;
  };
  EXPECT_TRUE(refused([](Figure& f) { f.n = 0; }));
  EXPECT_TRUE(refused([](Figure& f) { f.value = std::numeric_limits<double>::quiet_NaN(); }));
  EXPECT_TRUE(refused([](Figure& f) { f.of = std::numeric_limits<double>::infinity(); }));
  EXPECT_TRUE(refused([](Figure& f) { f.seconds = -1; }));
  for (const char* name : {"", ".", "a.", ".a", "a..b", "A", "a b", "../a", "a/b", "a-b"}) {
    EXPECT_TRUE(refused([&](Figure& f) { f.name = name; })) << name;
  }
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(Figures, ThatCannotBeWrittenSaySo) {
  std::ofstream(folder_ / "file") << "not a folder";
  const auto written = write_figure(a_figure(), folder_ / "file");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, errc::system);
  EXPECT_NE(written.error().sys_errno, 0);
}

TEST_F(Figures, GoWhereTheEnvironmentSaysElseIntoTheBuildTreeOfTheProgram) {
  ::unsetenv("SYMPHONY_FIGURES");
  const auto own = figures_folder();
  ASSERT_TRUE(own);
  EXPECT_TRUE(fs::exists(own->parent_path() / "CMakeCache.txt"));
  ::setenv("SYMPHONY_FIGURES", folder_.c_str(), 1);
  ASSERT_TRUE(write_figure(a_figure()));
  ::unsetenv("SYMPHONY_FIGURES");
  EXPECT_TRUE(fs::exists(folder_ / "test.demo_ratio.json"));
}

TEST_F(Figures, AreAcceptedByTheToolThatPrintsThem) {
  Figure figure = a_figure();
  figure.note = "\"\\\n\x01 \xC3\xA4 \xFF";
  ASSERT_TRUE(write_figure(figure, folder_));
  const std::string command = std::string("python3 ") + SYMPHONY_FIGURES_TOOL + " -o json --dir '" + folder_.string();
  const auto [text, status] = run(command + "' --commit '" + std::string(built_commit()) + "'");
  EXPECT_EQ(status, 0) << text;
  EXPECT_NE(text.find("\"test.demo_ratio\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"counts\": true"), std::string::npos) << text;
  const auto other = run(command + "' --commit another");
  EXPECT_NE(other.first.find("\"counts\": false"), std::string::npos) << other.first;
}

TEST(HostFacts, NameTheCpuItsCoresAndTheKernel) {
  const HostFacts host = this_host();
  EXPECT_FALSE(host.cpu.empty());
  EXPECT_GE(host.cores, 1U);
  EXPECT_FALSE(host.kernel.empty());
}

TEST(BuiltCommit, IsACommitOrSaysThatThereIsNone) {
  const std::string_view commit = built_commit();
  if (commit == "unknown") return;
  EXPECT_EQ(commit.substr(0, 40).find_first_not_of("0123456789abcdef"), std::string_view::npos);
  EXPECT_TRUE(commit.size() == 40 || commit.substr(40) == "-dirty") << commit;
}

}  // namespace
}  // namespace symphony::bench
