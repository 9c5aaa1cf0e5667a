#include "tools/symphony/programs.hpp"

#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace symphony::tools {

std::string find_program(std::string_view name) {
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  if (self.empty()) return {};
  for (const auto& folder : {self.parent_path(), self.parent_path() / ".." / "libexec" / "symphony"}) {
    const auto path = folder / name;
    if (::access(path.c_str(), X_OK) == 0) return path.lexically_normal().string();
  }
  return {};
}

std::string pit_folder() {
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  if (self.empty()) return {};
  const auto root = self.parent_path() / "..";
  for (const auto& folder : {root / "pits", root / "lib" / "symphony" / "pits"}) {
    if (std::filesystem::is_directory(folder, ignored)) return folder.lexically_normal().string();
  }
  return {};
}

std::string find_pit_file(std::string_view name) {
  const std::string folder = pit_folder();
  if (folder.empty()) return {};
  const std::string path = folder + "/" + std::string(name) + ".so";
  return ::access(path.c_str(), R_OK) == 0 ? path : std::string();
}

std::string template_folder() {
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  if (self.empty()) return {};
  const auto folder = self.parent_path() / ".." / "share" / "symphony" / "template";
  return std::filesystem::is_directory(folder, ignored) ? folder.lexically_normal().string() : std::string();
}

std::string install_prefix() {
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  if (self.empty()) return {};
  // A build tree has bin/ and pits/ beside each other.
  const auto root = self.parent_path().parent_path();
  return std::filesystem::is_directory(root / "lib" / "symphony" / "pits", ignored) ? root.string() : std::string();
}

}  // namespace symphony::tools
