// Whether bytes are a message of a schema that is known only when the program runs.   Layer: schemas/verifier.
//
// The library's own reflection verifier is not for bytes of strangers: it believes the root and reads a vector's
// elements before it knows that they are there. This one walks tables of its own, compiled once, and gives each message
// the verdict that the generated C++ verifier gives it, with the same limits; a test compares the two. Threads: any,
// once it is made.   Trust: the bytes may be anything, and must not change meanwhile; the schema is the user's own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace symphony::detail {

class SchemaVerifier {
 public:
  static constexpr std::uint32_t depth_max = 64;
  static constexpr std::uint32_t tables_max = 1'000'000;

  // Of a binary schema (flatc --binary --schema); nothing: it is none. May throw std::bad_alloc.
  [[nodiscard]] static std::optional<SchemaVerifier> compile(std::span<const std::byte> bfbs);

  [[nodiscard]] bool has(const std::string& table) const { return tables_.contains(table); }
  [[nodiscard]] const std::map<std::string, std::uint32_t>& tables() const noexcept { return tables_; }
  // Precondition: has(table).
  [[nodiscard]] bool verify(const std::string& table, std::span<const std::byte> bytes) const;
  // The same, and what the library's writer of text reads beyond the generated code: fields that are deprecated, and
  // the type of each member of a union, for which it looks elsewhere where there is none.
  [[nodiscard]] bool verify_for_text(const std::string& table, std::span<const std::byte> bytes) const;

 private:
  enum class Kind : std::uint8_t { scalar, structure, string, table, union_, vector };
  // What a field, an element or a member of a union is. `size` and `alignment` in the message, of what is inline.
  struct Shape {
    Kind kind = Kind::scalar;
    Kind element = Kind::scalar;  // of a vector
    std::uint32_t size = 1;       // of a vector: of an element
    std::uint32_t alignment = 1;
    std::uint32_t index = 0;  // of the table or union
  };
  struct Field {
    std::uint16_t offset = 0;  // in the vtable
    bool required = false;
    bool deprecated = false;
    Shape shape;
  };
  using Table = std::vector<Field>;
  using Union = std::map<std::uint8_t, Shape>;  // by its type; unknown ones are valid, as a newer schema may have them
  class Walk;
  struct Compiler;

  std::map<std::string, std::uint32_t> tables_;
  std::vector<Table> fields_;  // of each table
  std::vector<Union> unions_;
};

}  // namespace symphony::detail
