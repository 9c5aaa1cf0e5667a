// Messages of schemas that are read when the program runs: verified, and to and from JSON.
#include <flatbuffers/idl.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>

#include <symphony/type_id.hpp>

#include "bindings/c/failure.hpp"
#include "bindings/c/handles.hpp"
#include "schemas/verifier/schema_verifier.hpp"

namespace symphony::c_abi {
namespace {

using detail::SchemaVerifier;

struct SchemaObject {
  explicit SchemaObject(SchemaVerifier v) : verifier(std::move(v)) {}
  const SchemaVerifier verifier;
  std::mutex mutex;  // for the parser, which keeps its last message
  flatbuffers::Parser parser{[] {
    flatbuffers::IDLOptions options;
    options.strict_json = true;
    options.output_default_scalars_in_json = true;
    return options;
  }()};
};

constinit Lasting<SchemaObject, 1024> lasting_schemas;
auto& schemas = lasting_schemas.table;

constexpr std::string_view no_table = "the schema has no table of that name: write it whole, as 'pool.Take'";

// Copies the bytes to memory of their own.
std::int32_t give_bytes(const void* from, std::size_t size, void** out, std::size_t* out_size) {
  auto* const memory = new std::byte[size + 1]();  // of text: with a zero byte behind it
  if (size != 0) std::memcpy(memory, from, size);
  *out = memory;
  *out_size = size;
  return SYMPHONY_OK;
}

std::int32_t put_name(const std::string& name, char* out, std::size_t capacity) noexcept {
  if (name.size() >= capacity)
    return fail(SYMPHONY_E_TOO_LARGE, "the name of the table does not fit: give it more room");
  std::memcpy(out, name.c_str(), name.size() + 1);
  return SYMPHONY_OK;
}

// The parser's error without its leading position and without control characters.
std::string text_of(const flatbuffers::Parser& parser) {
  std::string text = parser.error_;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20; }, ' ');
  return text;
}

// Enters the schema and does `work` with it.
template <class Work>
std::int32_t with_schema(symphony_schema handle, bool arguments_are_right, Work&& work) noexcept {
  return guarded([&]() -> std::int32_t {
    if (!arguments_are_right)
      return fail(SYMPHONY_E_INVALID_ARGUMENT, "a null pointer where something is read or written");
    const auto pin = schemas.enter(handle, false);
    if (!pin) return fail(pin.status());
    return std::forward<Work>(work)(*pin.operator->());
  });
}

std::span<const std::byte> bytes_of(const void* bytes, std::size_t size) noexcept {
  return {static_cast<const std::byte*>(bytes), size};
}

}  // namespace
}  // namespace symphony::c_abi

using namespace symphony;
using namespace symphony::c_abi;

int32_t symphony_schema_open(const void* bfbs, size_t size, symphony_schema* schema) {
  return guarded([&]() -> std::int32_t {
    if (bfbs == nullptr || schema == nullptr)
      return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_schema_open: no schema");
    auto compiled = SchemaVerifier::compile(bytes_of(bfbs, size));
    if (!compiled) {
      return fail(SYMPHONY_BAD_MESSAGE,
                  "these bytes are no binary schema: make one by flatc --binary --schema FILE.fbs");
    }
    auto object = std::make_unique<SchemaObject>(*std::move(compiled));
    if (!object->parser.Deserialize(static_cast<const std::uint8_t*>(bfbs), size)) {
      return fail(SYMPHONY_BAD_MESSAGE, "this binary schema is of another version of flatc");
    }
    object->parser.file_identifier_.clear();  // what travels to pits has none
    const std::uint64_t handle = schemas.put(std::move(object));
    if (handle == 0) return fail(SYMPHONY_E_OUT_OF_MEMORY, "too many schemas are open: close some");
    *schema = handle;
    return SYMPHONY_OK;
  });
}

int32_t symphony_schema_close(symphony_schema schema) {
  const std::int32_t closed = schemas.close(schema, false);
  return closed == SYMPHONY_OK ? closed : fail(closed);
}

int32_t symphony_schema_find(symphony_schema schema, const char* name, char* table, size_t capacity) {
  return with_schema(schema, name != nullptr && table != nullptr, [&](SchemaObject& object) {
    const std::string given(name), ending = "." + given;
    if (object.verifier.has(given)) return put_name(given, table, capacity);
    const std::string* found = nullptr;
    for (const auto& [full, index] : object.verifier.tables()) {
      if (!full.ends_with(ending)) continue;
      if (found != nullptr) return fail(SYMPHONY_E_NOT_FOUND, "more than one table of the schema has that last name");
      found = &full;
    }
    return found == nullptr ? fail(SYMPHONY_E_NOT_FOUND, no_table) : put_name(*found, table, capacity);
  });
}

int32_t symphony_schema_table_of(symphony_schema schema, uint32_t type, char* table, size_t capacity) {
  return with_schema(schema, table != nullptr, [&](SchemaObject& object) {
    for (const auto& [full, index] : object.verifier.tables()) {
      if (type_id(full) == type) return put_name(full, table, capacity);
    }
    return fail(SYMPHONY_E_NOT_FOUND, "the message is of a type that no table of the schema has");
  });
}

int32_t symphony_schema_verify(symphony_schema schema, const char* table, const void* bytes, size_t size) {
  return with_schema(schema, table != nullptr && (bytes != nullptr || size == 0), [&](SchemaObject& object) {
    if (!object.verifier.has(table)) return fail(SYMPHONY_E_NOT_FOUND, no_table);
    if (object.verifier.verify(table, bytes_of(bytes, size))) return SYMPHONY_OK;
    return fail(SYMPHONY_BAD_MESSAGE, "these bytes are no message of that table");
  });
}

int32_t symphony_schema_from_json(symphony_schema schema, const char* table, const char* json, void** bytes,
                                  size_t* size) {
  const bool right = table != nullptr && json != nullptr && bytes != nullptr && size != nullptr;
  return with_schema(schema, right, [&](SchemaObject& object) {
    if (!object.verifier.has(table)) return fail(SYMPHONY_E_NOT_FOUND, no_table);
    // Else the parser takes more of a schema for what follows.
    const char* first = json;
    while (*first == ' ' || *first == '\t' || *first == '\r' || *first == '\n') ++first;
    if (*first != '{') return fail(SYMPHONY_BAD_MESSAGE, "the message must be a JSON object: {...}");
    const std::lock_guard lock(object.mutex);
    object.parser.SetRootType(table);
    if (!object.parser.ParseJson(json)) return fail(SYMPHONY_BAD_MESSAGE, text_of(object.parser));
    return give_bytes(object.parser.builder_.GetBufferPointer(), object.parser.builder_.GetSize(), bytes, size);
  });
}

int32_t symphony_schema_to_json(symphony_schema schema, const char* table, const void* bytes, size_t size, char** json,
                                size_t* json_size) {
  const bool right = table != nullptr && (bytes != nullptr || size == 0) && json != nullptr && json_size != nullptr;
  return with_schema(schema, right, [&](SchemaObject& object) {
    if (!object.verifier.has(table)) return fail(SYMPHONY_E_NOT_FOUND, no_table);
    const std::vector<std::byte> aligned(bytes_of(bytes, size).begin(), bytes_of(bytes, size).end());
    if (!object.verifier.verify_for_text(table, aligned)) {
      return fail(SYMPHONY_BAD_MESSAGE, "these bytes are no message of that table");
    }
    std::string text;
    const std::lock_guard lock(object.mutex);
    object.parser.SetRootType(table);
    if (!flatbuffers::GenerateText(object.parser, aligned.data(), &text)) {
      return fail(SYMPHONY_BAD_MESSAGE, "a text in this message is no UTF-8, or a union has an unknown type");
    }
    void* memory = nullptr;
    const std::int32_t given = give_bytes(text.data(), text.size(), &memory, json_size);
    *json = static_cast<char*>(memory);
    return given;
  });
}
