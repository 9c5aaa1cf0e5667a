// What a file says of the pit in it, and what is no pit's file: each with its own text and remedy. Damage is tried
// completely: every cut of a real shared object, every flipped bit of its headers and its note.
#include "pits/hosting/pit_file.hpp"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/samples.hpp"

namespace symphony::pit {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string test_pit(const std::string& name) { return std::string(SYMPHONY_TEST_PITS) + "/" + name + ".so"; }

std::vector<std::byte> bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> chars{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::vector<std::byte> bytes(chars.size());
  std::memcpy(bytes.data(), chars.data(), chars.size());
  return bytes;
}

template <class T>
T value_at(const std::vector<std::byte>& bytes, std::uint64_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::vector<std::string> exported(const ElfFile& elf) {
  std::vector<std::string> names;
  for (const ElfSymbol& symbol : elf.exported) names.emplace_back(symbol.name);
  return names;
}

// Reads the bytes as a file that has one sound note, or says why it is not one.
Outcome read_one(std::span<const std::byte> bytes, PitNote& note) {
  ElfFile elf;
  if (Outcome read = read_elf(bytes, elf); !read.ok()) return read;
  if (elf.notes.size() != 1) return {SYMPHONY_BAD_MESSAGE, "not one note"};
  return read_note(elf.notes[0], note);
}

class TemporaryFile {
 public:
  explicit TemporaryFile(std::span<const std::byte> bytes)
      : path_(std::filesystem::temp_directory_path() / ("symphony_pit_" + std::to_string(::getpid()))) {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST(PitFile, OfASharedPitSaysWhoItIsAndExportsOneSymbolThatIsNotUnique) {
  for (const char* name : {"greeter", "dag_tracker"}) {
    PitFile file;
    const Outcome read = read_pit_file(std::string(SYMPHONY_PITS) + "/" + name + ".so", file);
    ASSERT_TRUE(read.ok()) << read.text;
    ASSERT_EQ(file.notes.size(), 1U);
    EXPECT_EQ(file.notes[0].info.name, name);
    EXPECT_EQ(file.notes[0].info.version, std::string(name) == "greeter" ? "1.0.0" : "1.1.0");
    EXPECT_NE(file.notes[0].info.schema_hash, 0U);
    EXPECT_TRUE(file.elf.shared_object);
    ASSERT_THAT(exported(file.elf), ElementsAre("symphony_pit_entry_v1"));
    EXPECT_FALSE(file.elf.exported[0].unique);
  }
}

// What a WebAssembly module of the pit carries.
TEST(PitFile, NoteIsTakenOutOfItByTheBuildAsItStands) {
  const std::string base = std::string(SYMPHONY_PITS) + "/greeter";
  PitFile file;
  ASSERT_TRUE(read_pit_file(base + ".so", file).ok());
  const auto taken = bytes_of(base + ".note");
  const std::span<const std::byte> note = file.elf.notes[0];
  EXPECT_TRUE(std::equal(taken.begin(), taken.end(), note.begin(), note.end()));
}

TEST(PitFile, OfAProgramListsEveryPitThatIsLinkedIn) {
  PitFile file;
  ASSERT_TRUE(read_pit_file(test_pit("two_pits"), file).ok());
  ASSERT_EQ(file.notes.size(), 2U);
  EXPECT_EQ(file.notes[0].info.name, "second");
  EXPECT_EQ(file.notes[1].info.name, "counter");
}

TEST(PitFile, TellsUniqueSymbolsFromOthers) {
  PitFile file;
  ASSERT_TRUE(read_pit_file(test_pit("unique"), file).ok());
  for (const ElfSymbol& symbol : file.elf.exported) {
    if (symbol.name == "one_for_the_whole_process") {
      EXPECT_TRUE(symbol.unique);
    } else if (symbol.name == "symphony_pit_entry_v1") {
      EXPECT_FALSE(symbol.unique);
    }
  }
  EXPECT_THAT(exported(file.elf), testing::Contains("one_for_the_whole_process"));
}

TEST(PitFile, ReadsHowMuchRunsWhenItIsLoaded) {
  PitFile quiet, busy;
  ASSERT_TRUE(read_pit_file(test_pit("counter_1"), quiet).ok());
  ElfFile elf;
  const auto bytes = bytes_of(test_pit("plain"));
  ASSERT_TRUE(read_elf(bytes, elf).ok());
  EXPECT_GT(elf.init_array_size, quiet.elf.init_array_size) << "it has one more constructor";
}

TEST(PitFile, ThatIsNoneIsRefusedWithItsPathAndARemedy) {
  PitFile file;
  Outcome read = read_pit_file("/no/such/pit.so", file);
  EXPECT_EQ(read.status, SYMPHONY_UNREACHABLE);
  EXPECT_THAT(read.text, AllOf(HasSubstr("/no/such/pit.so: cannot be read"), HasSubstr("name a pit's file")));
  read = read_pit_file("/tmp", file);
  EXPECT_THAT(read.text, HasSubstr("no regular file"));
  read = read_pit_file(std::string(SYMPHONY_SOURCE_DIR) + "/README.md", file);
  EXPECT_EQ(read.status, SYMPHONY_BAD_MESSAGE);
  EXPECT_THAT(read.text, AllOf(HasSubstr("README.md: "), HasSubstr("no ELF file: name the .so")));
  read = read_pit_file(test_pit("plain"), file);
  EXPECT_EQ(read.status, SYMPHONY_BAD_MESSAGE);
  EXPECT_THAT(read.text, AllOf(HasSubstr("plain.so: no pit"), HasSubstr("symphony_add_pit")));
  read = read_pit_file(test_pit("other_major"), file);
  EXPECT_EQ(read.status, SYMPHONY_VERSION);
  EXPECT_THAT(read.text, AllOf(HasSubstr("pit 'future' needs ABI 2.0"), HasSubstr("build both from one release")));
}

TEST(PitFile, AnEmptyOrShortFileIsNoElfFile) {
  const auto whole = bytes_of(test_pit("counter_1"));
  for (const std::size_t size : {0U, 1U, 4U, 15U}) {
    const TemporaryFile part({whole.data(), size});
    PitFile file;
    EXPECT_THAT(read_pit_file(part.path(), file).text, HasSubstr("no ELF file")) << size;
  }
}

TEST(PitFile, ForAnotherMachineOrWordSizeIsRefusedAsSuch) {
  const auto sound = bytes_of(test_pit("counter_1"));
  const auto spoiled = [&](std::size_t at, unsigned value) {
    auto bytes = sound;
    bytes[at] = std::byte(value);
    ElfFile elf;
    return read_elf(bytes, elf);
  };
  for (const auto& [at, value] : {std::pair{std::size_t{EI_CLASS}, unsigned{ELFCLASS32}},
                                  {std::size_t{EI_DATA}, unsigned{ELFDATA2MSB}},
                                  {offsetof(Elf64_Ehdr, e_machine), unsigned{EM_RISCV & 0xFFU}}}) {
    const Outcome read = spoiled(at, value);
    EXPECT_EQ(read.status, SYMPHONY_VERSION) << at;
    EXPECT_THAT(read.text, HasSubstr("another machine: build it for this one"));
  }
}

TEST(PitFile, WithoutSectionHeadersIsRefusedWithTheReason) {
  auto bytes = bytes_of(test_pit("counter_1"));
  std::memset(bytes.data() + offsetof(Elf64_Ehdr, e_shoff), 0, sizeof(Elf64_Off));
  ElfFile elf;
  EXPECT_THAT(read_elf(bytes, elf).text, HasSubstr("do not strip them"));
}

// A vector of its own for each size: AddressSanitizer sees a read behind its end. The section headers stand at the end
// of the file, so that each cut is seen.
TEST(PitFile, CutAnywhereIsRefused) {
  const auto bytes = bytes_of(test_pit("counter_1"));
  ASSERT_GT(bytes.size(), 4096U);
  for (std::size_t size = 0; size < bytes.size(); size += test_run::every()) {
    const std::vector<std::byte> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    PitNote note;
    const Outcome read = read_one(part, note);
    ASSERT_FALSE(read.ok()) << size;
    ASSERT_THAT(read.text, HasSubstr(size < EI_NIDENT ? "no ELF file" : "truncated")) << size;
  }
}

// One bit wrong in the ELF header, a section header, the names of sections or the note: the file is refused, or its
// note is what it was. Never is a wrong note believed, nothing outside the file is read.
TEST(PitFile, WithOneBitFlippedIsRefusedOrSaysTheSame) {
  auto bytes = bytes_of(test_pit("counter_1"));
  PitNote sound;
  ASSERT_TRUE(read_one(bytes, sound).ok());
  const auto header = value_at<Elf64_Ehdr>(bytes, 0);
  const auto section = [&](std::uint64_t i) {
    return value_at<Elf64_Shdr>(bytes, header.e_shoff + i * sizeof(Elf64_Shdr));
  };
  std::vector<std::pair<std::uint64_t, std::uint64_t>> places{
      {0, sizeof header},
      {header.e_phoff, std::uint64_t{header.e_phnum} * header.e_phentsize},
      {header.e_shoff, std::uint64_t{header.e_shnum} * header.e_shentsize},
      {section(header.e_shstrndx).sh_offset, section(header.e_shstrndx).sh_size}};
  std::pair<std::uint64_t, std::uint64_t> note_place;
  for (std::uint64_t i = 1; i < header.e_shnum; ++i) {
    const Elf64_Shdr here = section(i);
    if (here.sh_type == SHT_NOTE && here.sh_size > 100) places.push_back(note_place = {here.sh_offset, here.sh_size});
    if (here.sh_type == SHT_DYNSYM) places.emplace_back(here.sh_offset, here.sh_size);
  }
  ASSERT_NE(note_place.first, 0U);
  std::size_t accepted = 0, refused = 0;
  for (const auto& [begin, size] : places) {
    for (std::uint64_t bit = begin * 8; bit < (begin + size) * 8; bit += test_run::every()) {
      bytes[bit / 8] ^= std::byte{1} << (bit % 8);
      PitNote note;
      const Outcome read = read_one(bytes, note);
      bytes[bit / 8] ^= std::byte{1} << (bit % 8);
      ++(read.ok() ? accepted : refused);
      if (!read.ok()) continue;
      ASSERT_EQ(first_difference(note.info, sound.info), "") << "bit " << bit;
      ASSERT_EQ(note.build, sound.build) << "bit " << bit;
      // The 3 zeroes behind the owner's name are nobody's.
      const std::uint64_t padding = note_place.first + 21;
      const bool inside = bit / 8 >= note_place.first && bit / 8 < note_place.first + note_place.second;
      ASSERT_TRUE(!inside || (bit / 8 >= padding && bit / 8 < padding + 3))
          << "a flipped bit of the note was believed: " << bit;
    }
  }
  EXPECT_GT(accepted, test_run::samples(1000));
  EXPECT_GT(refused, test_run::samples(1000));
}

}  // namespace
}  // namespace symphony::pit
