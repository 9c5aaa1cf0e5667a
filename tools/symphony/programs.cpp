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

}  // namespace symphony::tools
