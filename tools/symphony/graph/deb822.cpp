#include "tools/symphony/graph/deb822.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace symphony::tools {
namespace {

bool is_white(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_white(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_white(text.back())) text.remove_suffix(1);
  return text;
}

bool equal_ignoring_case(std::string_view field, std::string_view lower) {
  if (field.size() != lower.size()) return false;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const char c = field[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c) != lower[i]) return false;
  }
  return true;
}

// Where the value of `field` goes; null for a field that no graph needs.
std::string_view* place_of(Stanza& stanza, std::string_view field) {
  switch (field.size()) {
    case 6:
      return equal_ignoring_case(field, "status") ? &stanza.status : nullptr;
    case 7:
      if (equal_ignoring_case(field, "package")) return &stanza.package;
      return equal_ignoring_case(field, "depends") ? &stanza.depends : nullptr;
    case 8:
      return equal_ignoring_case(field, "provides") ? &stanza.provides : nullptr;
    case 11:
      return equal_ignoring_case(field, "pre-depends") ? &stanza.pre_depends : nullptr;
    case 12:
      return equal_ignoring_case(field, "architecture") ? &stanza.architecture : nullptr;
    default:
      return nullptr;
  }
}

// The name before the ':' of a field line; empty when this is not one.
std::string_view field_name(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto c = static_cast<unsigned char>(line[i]);
    if (c == ':') return line.front() == '-' ? std::string_view() : line.substr(0, i);
    if (c < 33 || c > 126) return {};
  }
  return {};
}

// One pass over the text. A failed step leaves the error in error_.
class Reader {
 public:
  Reader(std::string_view text, std::string_view label) : text_(text), label_(label) {}

  InputResult<Stanzas> run() {
    result_.list.reserve(text_.size() / 700);  // a real stanza has about 800 bytes
    const char* at = text_.data();
    const char* const end = at + text_.size();
    while (at != end) {
      const auto* line_end = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
      if (line_end == nullptr) return cut(at);
      std::string_view line(at, static_cast<std::size_t>(line_end - at));
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      if (!take(line)) return std::move(error_);
      at = line_end + 1;
    }
    result_.ends_complete = !open_;
    if (open_ && !close()) return std::move(error_);
    if (result_.list.empty()) return unknown();
    return std::move(result_);
  }

 private:
  bool take(std::string_view line) {
    if (line.empty()) return !open_ || close();
    if (line.front() == '#') return true;
    if (line.front() == ' ' || line.front() == '\t') {
      if (!open_) return fail(line.data(), "continues a field, but none is open");
      // Up to the end of this line; a comment between stays in, which no field of ours has.
      if (value_ != nullptr) {
        *value_ = {value_->data(), static_cast<std::size_t>(line.data() + line.size() - value_->data())};
      }
      return true;
    }
    const std::string_view name = field_name(line);
    if (name.empty()) return fail(line.data(), "is neither 'Field: value' nor the continuation of one");
    if (!open_) {
      open_ = true;
      stanza_ = Stanza{};
      stanza_at_ = line.data();
    }
    value_ = place_of(stanza_, name);
    if (value_ == nullptr) return true;
    if (value_->data() != nullptr)
      return fail(line.data(), "repeats a field of its stanza, so an empty line may be missing");
    *value_ = line.substr(name.size() + 1);
    return true;
  }

  bool close() {
    open_ = false;
    value_ = nullptr;
    stanza_.package = trimmed(stanza_.package);
    stanza_.architecture = trimmed(stanza_.architecture);
    stanza_.status = trimmed(stanza_.status);
    if (stanza_.package.empty()) return fail(stanza_at_, "begins a stanza without a Package field");
    if (std::any_of(stanza_.package.begin(), stanza_.package.end(), is_white)) {
      return fail(stanza_at_, "begins a stanza whose Package name holds a space");
    }
    result_.has_status = result_.has_status || !stanza_.status.empty();
    result_.list.push_back(stanza_);
    return true;
  }

  [[nodiscard]] bool saw_package() const {
    return !result_.list.empty() || (open_ && stanza_.package.data() != nullptr);
  }

  bool fail(const char* at, std::string_view what) {
    if (!saw_package()) {
      error_ = unknown();
      return false;
    }
    error_ = {InputFault::malformed,
              fmt::format("{}: line {} {}; fetch or write the file again", label_, line_of(at), what)};
    return false;
  }

  // Precondition: the text ends in the line that begins at `at`.
  InputError cut(const char* at) {
    const std::string_view line(at, static_cast<std::size_t>(text_.data() + text_.size() - at));
    const bool begins_package = equal_ignoring_case(line.substr(0, 8), "package:");
    if (!saw_package() && !begins_package) return unknown();
    return {InputFault::truncated,
            fmt::format("{}: ends in the middle of line {}; fetch the file again, or add the missing line end", label_,
                        line_of(at))};
  }

  [[nodiscard]] InputError unknown() const {
    return {
        InputFault::unknown_format,
        fmt::format(
            "{}: is neither a dpkg status file, an apt Packages file nor a JSON edge list; see --help for the formats",
            label_)};
  }

  // Counted only for an error.
  [[nodiscard]] std::size_t line_of(const char* at) const {
    return 1 + static_cast<std::size_t>(std::count(text_.data(), at, '\n'));
  }

  std::string_view text_;
  std::string_view label_;
  Stanzas result_;
  Stanza stanza_;
  std::string_view* value_ = nullptr;  // the value that a continuation line makes longer
  const char* stanza_at_ = nullptr;
  bool open_ = false;
  InputError error_;
};

}  // namespace

InputResult<Stanzas> read_stanzas(std::string_view text, std::string_view label) { return Reader(text, label).run(); }

}  // namespace symphony::tools
