#include "tools/symphony/schema_messages.hpp"

#include <flatbuffers/idl.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>

#include <symphony/type_id.hpp>

#include "schemas/verifier/schema_verifier.hpp"
#include "tools/symphony/suggestion.hpp"

namespace symphony::tools {
namespace {

flatbuffers::IDLOptions json_options() {
  flatbuffers::IDLOptions options;
  options.strict_json = true;
  options.output_default_scalars_in_json = true;
  return options;
}

InputError malformed(const std::string& text) { return {InputFault::malformed, text}; }

// The library's error without the absolute path and the level that it begins with.
std::string error_of(const flatbuffers::Parser& parser) {
  std::string text = parser.error_;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return printable(text, 400);
}

}  // namespace

struct SchemaMessages::State {
  flatbuffers::Parser parser{json_options()};
  std::optional<detail::SchemaVerifier> verifier;
  std::map<std::string, std::uint32_t> tables;
};

SchemaMessages::SchemaMessages(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
SchemaMessages::SchemaMessages(SchemaMessages&&) noexcept = default;
SchemaMessages& SchemaMessages::operator=(SchemaMessages&&) noexcept = default;
SchemaMessages::~SchemaMessages() = default;

InputResult<SchemaMessages> SchemaMessages::read(const std::vector<std::string>& files,
                                                 const std::vector<std::string>& folders) {
  auto state = std::make_unique<State>();
  for (const std::string& path : files) {
    std::ifstream file(path, std::ios::binary);
    const int why = file.is_open() ? EIO : errno;
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (!file.is_open() || file.bad()) {
      return InputError{InputFault::no_such_file,
                        printable(path) + ": cannot be read: " + std::strerror(why) + "; name a schema that exists"};
    }
    if (text.find('\0') != std::string::npos) return malformed(printable(path) + ": is no schema: name a .fbs file");
    const auto slash = path.rfind('/');
    const std::string own = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    std::vector<const char*> searched{own.c_str()};
    for (const std::string& folder : folders) searched.push_back(folder.c_str());
    searched.push_back(nullptr);
    if (!state->parser.Parse(text.c_str(), searched.data(), path.c_str())) return malformed(error_of(state->parser));
  }
  for (const flatbuffers::StructDef* def : state->parser.structs_.vec) {
    if (def->fixed) continue;
    const std::string name = def->defined_namespace->GetFullyQualifiedName(def->name);
    state->tables[name] = type_id(name);
  }
  if (state->tables.empty()) return malformed("the schema has no tables: name the .fbs file of the pit");
  // One that reflects it needs some root; any will do, as each message is verified as what it is.
  state->parser.SetRootType(state->tables.begin()->first.c_str());
  state->parser.Serialize();
  state->verifier = detail::SchemaVerifier::compile(
      std::as_bytes(std::span(state->parser.builder_.GetBufferPointer(), state->parser.builder_.GetSize())));
  if (!state->verifier) return malformed("the schema is more than this version reads: name the .fbs file of the pit");
  state->parser.builder_.Clear();
  state->parser.file_identifier_.clear();  // what travels to pits has none
  return SchemaMessages(std::move(state));
}

InputResult<std::string> SchemaMessages::table_named(const std::string& name) const {
  if (state_->tables.count(name) != 0) return name;
  std::vector<std::string> same, all;
  for (const auto& [table, type] : state_->tables) {
    all.push_back(table);
    if (table.size() > name.size() && table.ends_with("." + name)) same.push_back(table);
  }
  if (same.size() == 1) return same[0];
  if (same.size() > 1)
    return malformed("'" + printable(name) + "' may be " + same[0] + " or " + same[1] + ": name it whole");
  return malformed("the schema has no table '" + printable(name) + "'; did you mean '" +
                   std::string(nearest_to(name, all)) + "'?");
}

std::string SchemaMessages::table_of(std::uint32_t type) const {
  for (const auto& [table, id] : state_->tables) {
    if (id == type) return table;
  }
  return {};
}

InputResult<std::vector<std::byte>> SchemaMessages::to_bytes(const std::string& table, const std::string& json) {
  flatbuffers::Parser& parser = state_->parser;
  if (json.find('\0') != std::string::npos) return malformed("the message is no JSON: it has a zero byte");
  // Else the parser takes more of a schema for what follows.
  const auto first = json.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || json[first] != '{') return malformed("the message must be a JSON object: {...}");
  parser.SetRootType(table.c_str());
  if (!parser.ParseJson(json.c_str())) return malformed("the message is no " + table + ": " + error_of(parser));
  const auto* bytes = reinterpret_cast<const std::byte*>(parser.builder_.GetBufferPointer());
  return std::vector<std::byte>(bytes, bytes + parser.builder_.GetSize());
}

InputResult<std::string> SchemaMessages::to_json(const std::string& table, std::span<const std::byte> bytes) {
  const std::vector<std::byte> aligned(bytes.begin(), bytes.end());
  if (!state_->verifier->has(table) || !state_->verifier->verify_for_text(table, aligned)) {
    return malformed("these bytes are no " + table + ": is this the schema that the pit was built with?");
  }
  state_->parser.SetRootType(table.c_str());
  std::string text;
  if (!flatbuffers::GenerateText(state_->parser, aligned.data(), &text)) {
    return malformed("a text in this " + table + " is no UTF-8, or a union has an unknown type");
  }
  return text;
}

}  // namespace symphony::tools
