// docs/formats/snapshot.md, line by line, against tools/symphony/snapshot_file.
#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "tests/docs/document.hpp"
#include "tools/symphony/snapshot_file.hpp"

namespace symphony::docs::snapshot_format {
namespace {

using namespace tools;

constexpr const char* document = "docs/formats/snapshot.md";

TEST(SnapshotFormat, SaysItsConstants) {
  EXPECT_TRUE(holds(table(document, "Constants"), {{"snapshot_file_magic", {snapshot_file_magic}},
                                                   {"snapshot_file_format", {snapshot_file_format}}}));
}

TEST(SnapshotFormat, ListsEveryFieldOfTheHead) {
  using H = SnapshotFileHead;
  const auto& [magic, format, revision, name_size, frame_size, checksum] = H{};  // a field more does not compile
  EXPECT_TRUE(holds(table(document, "Head"), {{"magic", {offsetof(H, magic), sizeof magic}},
                                              {"format", {offsetof(H, format), sizeof format}},
                                              {"revision", {offsetof(H, revision), sizeof revision}},
                                              {"name_size", {offsetof(H, name_size), sizeof name_size}},
                                              {"frame_size", {offsetof(H, frame_size), sizeof frame_size}},
                                              {"checksum", {offsetof(H, checksum), sizeof checksum}}}));
  const Table parts = table(document, "Snapshot files");
  EXPECT_EQ(parts.cell("0", "Size"), std::to_string(sizeof(H)));
  EXPECT_EQ(parts.cell(std::to_string(sizeof(H)), "Size"), "name_size, up to a multiple of 8");
}

TEST(SnapshotFormat, ShowsEveryByteOfAFileThatItTells) {
  const std::vector<std::byte> state{std::byte{'a'}, std::byte{'b'}, std::byte{'c'}};
  const SnapshotFile file{"greeter", {1, state, {{7, 1000}}}};
  EXPECT_TRUE(shows(hex_block(document, "file"), write_snapshot_file(file)));
}

}  // namespace
}  // namespace symphony::docs::snapshot_format
