#include "tools/symphony/pit_new.hpp"

#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/graph/input_error.hpp"
#include "tools/symphony/programs.hpp"

namespace symphony::tools {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t name_size_max = 63;

struct NewArguments {
  std::string name;
  std::string language = "cpp";
};

// The name becomes a namespace in C++ and in the schema: none of their own words.
constexpr std::string_view taken_names[] = {"alignas",
                                            "alignof",
                                            "and",
                                            "asm",
                                            "auto",
                                            "bitand",
                                            "bitor",
                                            "bool",
                                            "break",
                                            "byte",
                                            "case",
                                            "catch",
                                            "char",
                                            "class",
                                            "compl",
                                            "concept",
                                            "const",
                                            "consteval",
                                            "constexpr",
                                            "constinit",
                                            "continue",
                                            "decltype",
                                            "default",
                                            "delete",
                                            "do",
                                            "double",
                                            "else",
                                            "enum",
                                            "explicit",
                                            "export",
                                            "extern",
                                            "false",
                                            "float",
                                            "for",
                                            "friend",
                                            "goto",
                                            "if",
                                            "include",
                                            "inline",
                                            "int",
                                            "long",
                                            "main",
                                            "mutable",
                                            "namespace",
                                            "new",
                                            "noexcept",
                                            "not",
                                            "nullptr",
                                            "operator",
                                            "or",
                                            "private",
                                            "protected",
                                            "public",
                                            "register",
                                            "requires",
                                            "return",
                                            "short",
                                            "signed",
                                            "sizeof",
                                            "static",
                                            "struct",
                                            "switch",
                                            "table",
                                            "template",
                                            "this",
                                            "throw",
                                            "true",
                                            "try",
                                            "typedef",
                                            "typeid",
                                            "typename",
                                            "union",
                                            "unsigned",
                                            "using",
                                            "virtual",
                                            "void",
                                            "volatile",
                                            "while",
                                            "xor",
                                            "std",
                                            "symphony",
                                            "flatbuffers",
                                            "linux",
                                            "unix",
                                            "errno",
                                            "string",
                                            "ubyte",
                                            "ushort",
                                            "uint",
                                            "ulong",
                                            "int8",
                                            "uint8",
                                            "int16",
                                            "uint16",
                                            "int32",
                                            "uint32",
                                            "int64",
                                            "uint64",
                                            "float32",
                                            "float64",
                                            "root_type",
                                            "attribute",
                                            "rpc_service",
                                            "native_include",
                                            "file_identifier",
                                            "file_extension"};

bool is_pit_name(std::string_view name) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  return !name.empty() && name.size() <= name_size_max && is_letter(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '_'; });
}

// my_pit -> MyPit
std::string class_name(std::string_view name) {
  std::string made;
  bool begins = true;
  for (const char c : name) {
    if (c == '_') {
      begins = true;
      continue;
    }
    made += begins && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    begins = false;
  }
  return made;
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

int fail(int exit_status, const std::string& text) {
  std::fprintf(stderr, "symphony pit new: %s\n", printable(text, 4096).c_str());
  return exit_status;
}

// A folder that goes again unless it is kept.
class Draft {
 public:
  explicit Draft(std::string folder) : folder_(std::move(folder)) {}
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  ~Draft() {
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
  }
  void keep() noexcept { folder_.clear(); }

 private:
  std::string folder_;
};

// False: errno says why.
bool copy_with_names(const fs::path& from, const fs::path& to, const std::string& name) {
  std::ifstream in(from, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) return false;
  replace_all(text, "greeter", name);
  replace_all(text, "Greeter", class_name(name));
  std::ofstream out(to, std::ios::binary);
  out << text << std::flush;
  return out.good();
}

int make(const NewArguments& arguments) {
  const std::string& name = arguments.name;
  if (!is_pit_name(name)) {
    return fail(exit_usage,
                "'" + name + "' is no pit name: a lower-case letter, then lower-case letters, digits or _; at most 63");
  }
  if (std::find(std::begin(taken_names), std::end(taken_names), name) != std::end(taken_names)) {
    return fail(exit_usage,
                "'" + name + "' is a word of C++ or of schemas, and a pit's name becomes a namespace: choose another");
  }
  const std::string from = template_folder();
  if (from.empty()) {
    return fail(exit_not_found,
                "there is no ../share/symphony/template beside this program: build or install the whole tree");
  }
  struct stat about {};
  if (::lstat(name.c_str(), &about) == 0) {
    return fail(exit_usage, name + " exists already: choose another name, or another folder to begin in");
  }
  ::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is then an error like a full disk
  // Made under another name, so that the folder is there whole or not at all.
  std::string draft_name = "." + name + ".XXXXXX";
  if (::mkdtemp(draft_name.data()) == nullptr) {
    return fail(exit_usage, "no folder can be made here: " + std::string(std::strerror(errno)) +
                                "; begin in a folder that you may write to");
  }
  Draft draft(draft_name);
  const std::array<std::array<std::string, 2>, 4> files{{{"pit.fbs", name + ".fbs"},
                                                         {"pit.cpp", name + ".cpp"},
                                                         {"CMakeLists.txt", "CMakeLists.txt"},
                                                         {"README.md", "README.md"}}};
  for (const auto& [source, target] : files) {
    errno = 0;
    if (!copy_with_names(fs::path(from) / source, fs::path(draft_name) / target, name)) {
      return fail(exit_usage, name + "/" + target + " cannot be written: " + std::strerror(errno));
    }
  }
  const mode_t mask = ::umask(0);
  ::umask(mask);
  (void)::chmod(draft_name.c_str(), 0777 & ~mask);
  if (::syscall(SYS_renameat2, AT_FDCWD, draft_name.c_str(), AT_FDCWD, name.c_str(), RENAME_NOREPLACE) != 0) {
    return fail(exit_usage, name + " cannot be made: " + std::strerror(errno) + "; choose another name");
  }
  draft.keep();

  const std::string prefix = install_prefix();
  const bool usual = prefix == "/usr" || prefix == "/usr/local";
  std::printf("made %s: %s.fbs, %s.cpp, CMakeLists.txt, README.md\n\n", name.c_str(), name.c_str(), name.c_str());
  if (prefix.empty()) std::printf("  cmake --install BUILD --prefix PREFIX    Symphony, from its build tree\n");
  const std::string where = usual ? "" : " -DCMAKE_PREFIX_PATH=" + (prefix.empty() ? "PREFIX" : prefix);
  std::printf("  cmake -S %s -B %s/build%s && cmake --build %s/build\n", name.c_str(), name.c_str(), where.c_str(),
              name.c_str());
  std::printf("  symphony pit check %s/build/pits/%s.so\n", name.c_str(), name.c_str());
  return exit_ok;
}

}  // namespace

void add_pit_new_verb(CLI::App& pit, int& exit_status) {
  auto arguments = std::make_shared<NewArguments>();
  auto* verb = pit.add_subcommand("new", "A folder with a pit of that name that builds and passes `pit check` at once");
  verb->add_option("name", arguments->name, "A lower-case letter, then lower-case letters, digits or _")
      ->required()
      ->type_name("NAME");
  verb->add_option("--lang", arguments->language, "Its language")->check(CLI::IsMember({"cpp"}))->capture_default_str();
  verb->callback([arguments, &exit_status] { exit_status = make(*arguments); });
}

}  // namespace symphony::tools
