// Reading inputs: files, pipes, standard input, compressed lists, and each thing the system can refuse.
#include "tools/symphony/graph/input_bytes.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <symphony/unique_fd.hpp>
#include <thread>

#include "tests/unit/tools_graph/graph_support.hpp"

namespace symphony::tools {
namespace {

class InputBytes : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "symphony-input-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    std::filesystem::permissions(folder_, std::filesystem::perms::all);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, std::string_view content) {
    std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  InputError error_of(const std::string& path, const InputLimits& limits = {}) {
    const auto bytes = read_input(path, limits);
    EXPECT_FALSE(bytes) << path;
    if (bytes) return {};
    testing::expect_one_line(bytes.error());
    return bytes.error();
  }

  std::filesystem::path folder_;
};

// Puts `fd` in the place of standard input while it lives.
class StdinIs {
 public:
  explicit StdinIs(int fd) : saved_(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)) { dup2(fd, STDIN_FILENO); }
  ~StdinIs() {
    if (saved_) {
      dup2(saved_.get(), STDIN_FILENO);
    } else {
      close(STDIN_FILENO);
    }
  }
  StdinIs(const StdinIs&) = delete;
  StdinIs& operator=(const StdinIs&) = delete;

 private:
  UniqueFd saved_;
};

TEST_F(InputBytes, FileIsReadWhole) {
  const std::string content(3'000'000, 'x');
  const auto bytes = read_input(file("big", content));
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->view(), content);
}

TEST_F(InputBytes, EmptyFileHasNoBytesAndThatIsAnEmptyGraphFile) {
  const std::string path = file("empty", "");
  ASSERT_TRUE(read_input(path));
  const auto graph = load_graph(path);
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.error().fault, InputFault::empty);
}

TEST_F(InputBytes, PipeIsReadToItsEndFromEitherNameOfStandardInput) {
  for (const char* name : {"-", "/dev/stdin"}) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd from(ends[0]);
    UniqueFd to(ends[1]);
    const StdinIs redirected(from.get());
    const std::string content(400'000, 'y');
    std::thread writer([&] {
      for (std::size_t at = 0; at < content.size();) {
        const ssize_t put = write(to.get(), content.data() + at, content.size() - at);
        if (put <= 0) break;
        at += static_cast<std::size_t>(put);
      }
      to.reset();
    });
    const auto bytes = read_input(name);
    writer.join();
    ASSERT_TRUE(bytes) << name;
    EXPECT_EQ(bytes->view(), content);
  }
}

TEST_F(InputBytes, ErrorsOfStandardInputCallItSo) {
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const StdinIs redirected(null.get());
  const auto graph = load_graph("-");
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.error().fault, InputFault::empty);
  EXPECT_EQ(graph.error().text.find("standard input: "), 0U) << graph.error().text;
}

TEST_F(InputBytes, MissingFileIsNamed) {
  const std::string path = folder_ / "absent";
  const InputError error = error_of(path);
  EXPECT_EQ(error.fault, InputFault::no_such_file);
  EXPECT_EQ(error.exit_status(), 2);
  EXPECT_NE(error.text.find(path), std::string::npos);
  EXPECT_EQ(error_of(file("plain", "x") + "/below").fault, InputFault::no_such_file);
  EXPECT_EQ(error_of("").fault, InputFault::no_such_file);
  EXPECT_EQ(error_of(std::string(5000, 'n')).fault, InputFault::no_such_file);
}

TEST_F(InputBytes, DirectoryIsToldFromAFile) { EXPECT_EQ(error_of(folder_).fault, InputFault::is_directory); }

TEST_F(InputBytes, FileWithoutPermissionSaysSo) {
  const std::string path = file("secret", "x");
  ASSERT_EQ(chmod(path.c_str(), 0), 0);
  const uid_t user = geteuid();
  constexpr uid_t nobody = 65534;
  if (user == 0 && seteuid(nobody) != 0) GTEST_SKIP() << "root cannot become another user here";
  const InputError error = error_of(path);
  ASSERT_TRUE(user != 0 || seteuid(user) == 0);
  EXPECT_EQ(error.fault, InputFault::no_permission);
  EXPECT_EQ(error.exit_status(), 2);
}

TEST_F(InputBytes, FileAboveTheLimitIsRefusedUnread) {
  const std::string path = file("sparse", "");
  std::filesystem::resize_file(path, (std::uintmax_t{1} << 30) + 1);
  EXPECT_EQ(error_of(path).fault, InputFault::too_large);
}

TEST_F(InputBytes, FileAtTheLimitIsReadAndOneByteMoreIsNot) {
  InputLimits limits;
  limits.size_max = 1000;
  EXPECT_TRUE(read_input(file("fits", std::string(1000, 'x')), limits));
  EXPECT_EQ(error_of(file("over", std::string(1001, 'x')), limits).fault, InputFault::too_large);
}

TEST_F(InputBytes, EndlessInputEndsAtTheLimit) {
  InputLimits limits;
  limits.size_max = 5'000'000;
  EXPECT_EQ(error_of("/dev/zero", limits).fault, InputFault::too_large);
}

TEST_F(InputBytes, NameOfAFileCannotDriveTheTerminal) {
  const InputError error = error_of(folder_ / "a\x1B[2J\nb");
  EXPECT_EQ(error.text.find('\x1B'), std::string::npos);
}

TEST_F(InputBytes, CompressionIsToldByTheFirstBytes) {
  using namespace std::string_view_literals;
  EXPECT_EQ(compression_of("\x1F\x8B\x08"sv), "gzip");
  EXPECT_EQ(compression_of("\xFD\x37\x7A\x58\x5A\x00more"sv), "xz");
  EXPECT_EQ(compression_of("\x04\x22\x4D\x18"sv), "lz4");
  EXPECT_EQ(compression_of("\x28\xB5\x2F\xFD"sv), "zstd");
  EXPECT_EQ(compression_of("BZh9"sv), "bzip2");
  EXPECT_EQ(compression_of("Package: a"sv), "");
  EXPECT_EQ(compression_of(""sv), "");
}

// `content` stored uncompressed inside a gzip file: enough for any unpacker, with no library here.
std::string stored_gzip(std::string_view content) {
  std::uint32_t crc = ~0U;
  for (const char c : content) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ (0xEDB88320U & (0U - (crc & 1U)));
  }
  crc = ~crc;
  std::string out("\x1F\x8B\x08\0\0\0\0\0\0\x03\x01", 11);
  const auto put = [&](std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFFU);
  };
  const auto size = static_cast<std::uint32_t>(content.size());
  put(size, 2);
  put(~size & 0xFFFFU, 2);
  out += content;
  put(crc, 4);
  put(size, 4);
  return out;
}

class CompressedInput : public InputBytes {
 protected:
  void SetUp() override {
    InputBytes::SetUp();
    if (access(InputLimits().unpack_helper.c_str(), X_OK) != 0) GTEST_SKIP() << "apt is not installed here";
  }
};

TEST_F(CompressedInput, PackageListIsUnpacked) {
  const std::string list = testing::sample("apt-packages");
  const auto bytes = read_input(file("Packages.gz", stored_gzip(list)));
  ASSERT_TRUE(bytes) << bytes.error().text;
  EXPECT_EQ(bytes->view(), list);
}

TEST_F(CompressedInput, CutFileIsAnErrorAndNotAShorterList) {
  const std::string whole = stored_gzip(testing::sample("apt-packages"));
  for (const std::size_t size : {std::size_t{12}, whole.size() / 2, whole.size() - 1}) {
    EXPECT_EQ(error_of(file("Packages.gz", whole.substr(0, size))).fault, InputFault::unpack_failed) << size;
  }
}

TEST_F(CompressedInput, DamagedFileIsAnError) {
  std::string damaged = stored_gzip(testing::sample("apt-packages"));
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
  EXPECT_EQ(error_of(file("Packages.gz", damaged)).fault, InputFault::unpack_failed);
}

TEST_F(CompressedInput, FileOfSeveralPartsIsRefusedRatherThanTakenForCut) {
  const InputError error = error_of(file("Two.gz", stored_gzip("Package: a\n\n") + stored_gzip("Package: bc\n\n")));
  EXPECT_EQ(error.fault, InputFault::unpack_failed);
  EXPECT_NE(error.text.find("several parts"), std::string::npos);
}

TEST_F(CompressedInput, NameWithoutTheUsualEndingGetsTheRemedy) {
  const InputError error = error_of(file("Packages", stored_gzip("Package: a\n\n")));
  EXPECT_EQ(error.fault, InputFault::compressed);
  EXPECT_NE(error.text.find("unpack it first"), std::string::npos);
}

TEST_F(InputBytes, CompressedFileWithoutAHelperGetsTheRemedy) {
  InputLimits limits;
  limits.unpack_helper = folder_ / "no-helper";
  const InputError error = error_of(file("Packages.gz", stored_gzip("Package: a\n\n")), limits);
  EXPECT_EQ(error.fault, InputFault::compressed);
  EXPECT_EQ(error.exit_status(), 2);
  EXPECT_NE(error.text.find("unpack it first"), std::string::npos);
}

TEST_F(InputBytes, CompressedStandardInputGetsTheRemedy) {
  const UniqueFd packed(open(file("x", stored_gzip("Package: a\n\n")).c_str(), O_RDONLY | O_CLOEXEC));
  const StdinIs redirected(packed.get());
  EXPECT_EQ(error_of("-").fault, InputFault::compressed);
}

TEST_F(InputBytes, HelperThatNeverStopsIsEnded) {
  const std::string helper = file("helper", "#!/bin/sh\nexec cat /dev/zero\n");
  ASSERT_EQ(chmod(helper.c_str(), 0755), 0);
  InputLimits limits;
  limits.unpack_helper = helper;
  limits.size_max = 3'000'000;
  EXPECT_EQ(error_of(file("bomb.gz", stored_gzip("x")), limits).fault, InputFault::too_large);
}

}  // namespace
}  // namespace symphony::tools
