#include "schemas/verifier/schema_verifier.hpp"

#include <flatbuffers/reflection.h>

#include <bit>
#include <cstring>

namespace symphony::detail {
namespace {

// The library's, for messages with 32-bit offsets.
constexpr std::size_t message_size_min = 12;
constexpr std::size_t message_size_max = INT32_MAX;

}  // namespace

// ---- compiling

struct SchemaVerifier::Compiler {
  const reflection::Schema& schema;

  static std::uint32_t scalar_size(reflection::BaseType type) {
    return static_cast<std::uint32_t>(flatbuffers::GetTypeSize(type));
  }
  Shape object(std::int32_t index) const {
    const auto& of = *schema.objects()->Get(static_cast<std::uint32_t>(index));
    if (of.is_struct()) {
      return {.kind = Kind::structure,
              .size = static_cast<std::uint32_t>(of.bytesize()),
              .alignment = static_cast<std::uint32_t>(of.minalign())};
    }
    return {.kind = Kind::table, .size = 4, .alignment = 4, .index = static_cast<std::uint32_t>(index)};
  }
  Shape single(reflection::BaseType type, std::int32_t index) const {
    switch (type) {
      case reflection::String:
        return {.kind = Kind::string, .size = 4, .alignment = 4};
      case reflection::Obj:
        return object(index);
      case reflection::Union:
        return {.kind = Kind::union_, .size = 4, .alignment = 4, .index = static_cast<std::uint32_t>(index)};
      default:
        return {.size = scalar_size(type), .alignment = scalar_size(type)};
    }
  }
  Shape shape(const reflection::Type& type) const {
    if (type.base_type() != reflection::Vector) return single(type.base_type(), type.index());
    Shape made = single(type.element(), type.index());
    made.element = made.kind;
    made.kind = Kind::vector;
    return made;
  }
  // Every index leads somewhere, so that nothing below has to look.
  bool is_sound(const reflection::Type& type) const {
    const bool is_vector = type.base_type() == reflection::Vector;
    const auto base = is_vector ? type.element() : type.base_type();
    if (base == reflection::Array || (is_vector && base == reflection::Vector)) return false;
    const auto index = static_cast<std::uint32_t>(type.index());
    if (base == reflection::Obj) return index < schema.objects()->size();
    if (base == reflection::Union) return index < schema.enums()->size();
    return base > reflection::None && base < reflection::Vector;
  }
};

std::optional<SchemaVerifier> SchemaVerifier::compile(std::span<const std::byte> bfbs) {
  const std::vector<std::byte> aligned(bfbs.begin(), bfbs.end());
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(aligned.data());
  flatbuffers::Verifier verifier(bytes, aligned.size());
  if (aligned.size() < 8 || !reflection::SchemaBufferHasIdentifier(bytes) ||
      !reflection::VerifySchemaBuffer(verifier)) {
    return std::nullopt;
  }
  const Compiler compiler{*reflection::GetSchema(bytes)};
  SchemaVerifier made;
  for (const auto* object : *compiler.schema.objects()) {
    if (object->minalign() < 0 || object->bytesize() < 0) return std::nullopt;
    if (object->is_struct() && !std::has_single_bit(static_cast<std::uint32_t>(object->minalign())))
      return std::nullopt;
    Table& table = made.fields_.emplace_back();
    if (object->is_struct()) continue;
    made.tables_[object->name()->str()] = static_cast<std::uint32_t>(made.fields_.size() - 1);
    for (const auto* field : *object->fields()) {
      if (!compiler.is_sound(*field->type())) return std::nullopt;
      table.push_back({field->offset(), field->required(), field->deprecated(), compiler.shape(*field->type())});
    }
  }
  for (const auto* of : *compiler.schema.enums()) {
    Union& members = made.unions_.emplace_back();
    if (!of->is_union()) continue;
    for (const auto* value : *of->values()) {
      if (value->value() == 0 || value->union_type() == nullptr) continue;
      if (!compiler.is_sound(*value->union_type())) return std::nullopt;
      members[static_cast<std::uint8_t>(value->value())] = compiler.shape(*value->union_type());
    }
  }
  return made;
}

// ---- walking

class SchemaVerifier::Walk {
 public:
  Walk(const SchemaVerifier& schema, std::span<const std::byte> bytes, bool for_text)
      : schema_(schema), bytes_(bytes), for_text_(for_text) {}

  bool root(std::uint32_t index) {
    std::size_t at = 0;
    return bytes_.size() >= message_size_min && bytes_.size() < message_size_max && follow(0, at) && table(at, index);
  }

 private:
  // At most what the bytes hold, less one: as the generated code has it.
  bool fits(std::size_t at, std::size_t size) const { return size < bytes_.size() && at <= bytes_.size() - size; }
  bool stands(std::size_t at, std::size_t size, std::size_t alignment) const {
    return (at & (alignment - 1)) == 0 && fits(at, size);
  }
  template <class T>
  T read(std::size_t at) const {  // precondition: it fits
    T value;
    std::memcpy(&value, bytes_.data() + at, sizeof value);
    return value;
  }
  // Where the offset at `at` leads: into the bytes.
  bool follow(std::size_t at, std::size_t& to) const {
    if (!stands(at, 4, 4)) return false;
    const auto offset = read<std::uint32_t>(at);
    to = at + offset;
    return offset != 0 && offset <= INT32_MAX && fits(to, 1);
  }
  bool vector(std::size_t at, std::size_t element_size, std::size_t& end) const {
    if (!stands(at, 4, 4)) return false;
    const std::size_t count = read<std::uint32_t>(at);
    end = at + 4 + count * element_size;
    return count < message_size_max / element_size && fits(at, 4 + count * element_size);
  }
  bool string(std::size_t at) const {
    std::size_t end = 0;
    return vector(at, 1, end) && fits(end, 1) && bytes_[end] == std::byte{0};
  }

  // Where a table's field stands; 0: it has none. Precondition: the table's start was looked at.
  std::size_t field_at(std::size_t at, std::uint16_t offset) const {
    const std::size_t vtable = at - static_cast<std::size_t>(std::ptrdiff_t{read<std::int32_t>(at)});
    const auto size = read<std::uint16_t>(vtable);
    const std::size_t own = offset < size ? read<std::uint16_t>(vtable + offset) : 0u;
    return own == 0 ? 0 : at + own;
  }

  // Of a union, or of a vector of them: its types stand in the field before it.
  std::size_t type_at(std::size_t at, const Field& field) const {
    return field_at(at, static_cast<std::uint16_t>(field.offset - 2));
  }

  bool table(std::size_t at, std::uint32_t index) {
    if (!stands(at, 4, 4)) return false;
    const std::size_t vtable = at - static_cast<std::size_t>(std::ptrdiff_t{read<std::int32_t>(at)});
    if (++depth_ > depth_max || ++tables_ > tables_max || !stands(vtable, 2, 2)) return false;
    const auto size = read<std::uint16_t>(vtable);
    if ((size & 1) != 0 || !fits(vtable, size)) return false;
    for (const Field& field : schema_.fields_[index]) {
      if (field.deprecated && !for_text_) continue;  // the generated code has no accessor for it, and does not look
      const std::size_t where = field_at(at, field.offset);
      if (where == 0 && field.required) return false;
      if (field.shape.kind == Kind::union_) {
        if (!union_field(at, field, where)) return false;
      } else if (where != 0) {
        if (!value(at, field, where)) return false;
      } else if (field.shape.kind == Kind::vector && field.shape.element == Kind::union_) {
        if (type_at(at, field) != 0) return false;  // types without members
      }
    }
    --depth_;
    return true;
  }

  bool value(std::size_t table_at, const Field& field, std::size_t at) {
    const Shape& shape = field.shape;
    std::size_t to = 0, end = 0;
    switch (shape.kind) {
      case Kind::scalar:
      case Kind::structure:
        return stands(at, shape.size, shape.alignment);
      case Kind::string:
        return follow(at, to) && string(to);
      case Kind::table:
        return follow(at, to) && table(to, shape.index);
      case Kind::union_:
        return true;  // union_field()
      case Kind::vector:
        break;
    }
    if (!follow(at, to) || !vector(to, shape.size, end)) return false;
    if (shape.element == Kind::union_) return union_vector(table_at, field, to);
    if (shape.element != Kind::string && shape.element != Kind::table) return true;
    for (std::size_t i = to + 4; i < end; i += 4) {
      const std::size_t element = i + read<std::uint32_t>(i);
      if (!(shape.element == Kind::string ? string(element) : table(element, shape.index))) return false;
    }
    return true;
  }

  // One member; `at`: where its bytes are.
  bool member(std::uint32_t index, std::uint8_t type, std::size_t at) {
    const auto found = schema_.unions_[index].find(type);
    if (found == schema_.unions_[index].end()) return true;
    const Shape& shape = found->second;
    if (shape.kind == Kind::table) return table(at, shape.index);
    if (shape.kind == Kind::string) return string(at);
    return stands(at, shape.size, shape.alignment);
  }

  bool union_field(std::size_t table_at, const Field& field, std::size_t at) {
    std::size_t to = 0;
    if (at != 0 && !follow(at, to)) return false;
    const std::size_t where = type_at(table_at, field);
    if (where == 0) return at == 0 || !for_text_;
    if (!stands(where, 1, 1)) return false;
    const auto type = read<std::uint8_t>(where);
    if (at != 0) return member(field.shape.index, type, to);
    const auto found = schema_.unions_[field.shape.index].find(type);
    return found == schema_.unions_[field.shape.index].end() || found->second.kind != Kind::structure;
  }

  bool union_vector(std::size_t table_at, const Field& field, std::size_t values) {
    const std::size_t types_field = type_at(table_at, field);
    std::size_t types = 0, end = 0;
    if (types_field == 0 || !follow(types_field, types) || !vector(types, 1, end)) return false;
    const auto count = read<std::uint32_t>(values);
    if (count != read<std::uint32_t>(types)) return false;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t slot = values + 4 + 4 * i;
      if (!member(field.shape.index, read<std::uint8_t>(types + 4 + i), slot + read<std::uint32_t>(slot))) return false;
    }
    return true;
  }

  const SchemaVerifier& schema_;
  const std::span<const std::byte> bytes_;
  const bool for_text_;
  std::uint32_t depth_ = 0;
  std::uint32_t tables_ = 0;
};

bool SchemaVerifier::verify(const std::string& table, std::span<const std::byte> bytes) const {
  return Walk(*this, bytes, false).root(tables_.at(table));
}

bool SchemaVerifier::verify_for_text(const std::string& table, std::span<const std::byte> bytes) const {
  return Walk(*this, bytes, true).root(tables_.at(table));
}

}  // namespace symphony::detail
