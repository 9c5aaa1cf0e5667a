#include "tools/symphony/message_names.hpp"

#include <algorithm>
#include <utility>

#include <symphony/type_id.hpp>

namespace symphony::tools {
namespace {

constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";

}  // namespace

bool is_message_name(std::string_view name) noexcept {
  char before = '.';
  for (const char c : name) {
    if (letters.find(c) == std::string_view::npos || (c == '.' && before == '.')) return false;
    before = c;
  }
  return before != '.';
}

std::string message_name_near(std::string_view name, std::string_view space, const std::vector<std::uint32_t>& types) {
  const auto is_one = [&](const std::string& candidate) {
    return is_message_name(candidate) && std::find(types.begin(), types.end(), type_id(candidate)) != types.end();
  };
  const std::string typed(name);
  std::string other = std::string(space) + "." + typed;
  if (is_one(other)) return other;
  for (std::size_t i = 0; i <= typed.size(); ++i) {
    for (const char c : letters) {
      other = typed;
      if (is_one(other.insert(i, 1, c))) return other;
      if (i == typed.size()) continue;
      other = typed;
      other[i] = c;
      if (is_one(other)) return other;
    }
    if (i == typed.size()) continue;
    other = typed;
    if (is_one(other.erase(i, 1))) return other;
    if (i + 1 == typed.size()) continue;
    other = typed;
    std::swap(other[i], other[i + 1]);
    if (is_one(other)) return other;
  }
  return {};
}

}  // namespace symphony::tools
