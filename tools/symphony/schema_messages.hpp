// Messages of FlatBuffers schemas that are read when the program runs: JSON to bytes, bytes to JSON.   Layer: tools.
// Threads: one at a time.   Trust: schemas and JSON are the user's own; bytes may be anything: they are verified
// against the schema before they are read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/symphony/graph/input_error.hpp"

namespace symphony::tools {

class SchemaMessages {
 public:
  // All tables of these files and of what they include; `folders` are searched for that, after the file's own.
  [[nodiscard]] static InputResult<SchemaMessages> read(const std::vector<std::string>& files,
                                                        const std::vector<std::string>& folders);
  SchemaMessages(SchemaMessages&&) noexcept;
  SchemaMessages& operator=(SchemaMessages&&) noexcept;
  ~SchemaMessages();

  // The table of that full name, or the only one whose last part it is.
  [[nodiscard]] InputResult<std::string> table_named(const std::string& name) const;
  // The one whose type_id it is; empty: none.
  [[nodiscard]] std::string table_of(std::uint32_t type) const;

  // A message of that table. Fields that it does not have are an error.
  [[nodiscard]] InputResult<std::vector<std::byte>> to_bytes(const std::string& table, const std::string& json);
  // The message as JSON, with the fields that have their default too.
  [[nodiscard]] InputResult<std::string> to_json(const std::string& table, std::span<const std::byte> bytes);

 private:
  struct State;
  explicit SchemaMessages(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace symphony::tools
