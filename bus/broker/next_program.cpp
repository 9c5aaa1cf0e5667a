#include "bus/broker/next_program.hpp"

#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace symphony {
namespace {

constexpr const char* variable = "SYMPHONY_NEXT_BROKER";  // version:parent:keeper:listener:slots:letters

}  // namespace

ProgramStart this_program() {
  std::error_code failed;
  ProgramStart out;
  out.file = std::filesystem::read_symlink("/proc/self/exe", failed).string();
  std::ifstream words("/proc/self/cmdline", std::ios::binary);
  for (std::string word; std::getline(words, word, '\0');) out.arguments.push_back(word);
  if (failed || out.arguments.empty()) return {};
  return out;
}

bool is_next_broker() noexcept { return std::getenv(variable) != nullptr; }

namespace detail::broker {
namespace {

constexpr std::size_t number_count = 6;

std::optional<std::array<int, number_count>> numbers_in(std::string_view text) {
  std::array<int, number_count> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out.at(i));
    if (failed != std::errc() || out.at(i) < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const bool is_last = i + 1 == out.size();
    if (is_last ? !text.empty() : text.empty() || text.front() != ':') return std::nullopt;
    if (!is_last) text.remove_prefix(1);
  }
  return out;
}

// Open, and closed in what this process may start.
UniqueFd adopted(int fd) {
  const int flags = ::fcntl(fd, F_GETFD);
  if (flags < 0 || ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC) != 0) return {};
  return UniqueFd(fd);
}

}  // namespace

std::optional<ProgramFile::Identity> ProgramFile::identity_of(const std::string& path) {
  struct stat s {};
  if (path.empty() || ::stat(path.c_str(), &s) != 0 || !S_ISREG(s.st_mode)) return std::nullopt;
  return Identity{s.st_dev, s.st_ino, s.st_size, s.st_mtim.tv_sec * second_ns + s.st_mtim.tv_nsec};
}

ProgramFile::ProgramFile(ProgramStart program) : program_(std::move(program)), own_(identity_of(program_.file)) {}

bool ProgramFile::is_new() const {
  if (!own_) return false;
  const auto now = identity_of(program_.file);
  return now && now != own_ && now != distrusted_;
}

void ProgramFile::distrust() { distrusted_ = identity_of(program_.file); }

void ProgramFile::execute(const Inheritance& inheritance) const {
  std::string text = std::to_string(handover_version) + ":" + std::to_string(inheritance.parent);
  for (const UniqueFd* fd : {&inheritance.keeper, &inheritance.listener, &inheritance.slots, &inheritance.letters}) {
    if (::fcntl(fd->get(), F_SETFD, 0) != 0) return;
    text += ":" + std::to_string(fd->get());
  }
  if (::setenv(variable, text.c_str(), 1) != 0) return;
  std::vector<std::string> words = program_.arguments;
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  ::execv(program_.file.c_str(), pointers.data());
}

std::optional<result<Inheritance>> inheritance_from_environment() {
  const char* const given = std::getenv(variable);
  if (given == nullptr) return std::nullopt;
  const std::string text = given;
  ::unsetenv(variable);
  // The number first: what follows it is another version's to say.
  int version = -1;
  (void)std::from_chars(text.data(), text.data() + text.size(), version);
  if (version != handover_version) {
    return unexpected(errc::version_mismatch,
                      "this release cannot go on where a broker of that one ended: stop the daemon and start it again");
  }
  const auto numbers = numbers_in(text);
  if (!numbers) return unexpected(errc::invalid_argument, "SYMPHONY_NEXT_BROKER is a daemon's to set: take it out");
  Inheritance out;
  out.parent = (*numbers)[1];
  out.keeper = adopted((*numbers)[2]);
  out.listener = adopted((*numbers)[3]);
  out.slots = adopted((*numbers)[4]);
  out.letters = adopted((*numbers)[5]);
  if (!out.keeper || !out.listener || !out.slots || !out.letters) {
    return unexpected(errc::invalid_argument, "SYMPHONY_NEXT_BROKER names descriptors that are not there: take it out");
  }
  return out;
}

}  // namespace detail::broker
}  // namespace symphony
