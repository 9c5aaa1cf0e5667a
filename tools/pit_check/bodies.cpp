#include "tools/pit_check/bodies.hpp"

#include <flatbuffers/flatbuffers.h>

#include <cstring>
#include <string>

namespace symphony::pit_check {
namespace {

using Builder = flatbuffers::FlatBufferBuilder;

constexpr std::uint64_t fields_max = 6;
constexpr int depth_max = 3;

// Small numbers often: they are counts, ids and enumerators.
std::uint64_t random_number(Random& random) {
  switch (below(random, 4)) {
    case 0:
      return below(random, 4);
    case 1:
      return below(random, 256);
    case 2:
      return std::uint64_t{1} << below(random, 64);
    default:
      return random();
  }
}

std::string random_text(Random& random) {
  std::string text(below(random, 12), 'a');
  for (char& c : text) c = static_cast<char>('a' + static_cast<char>(below(random, 26)));
  return text;
}

flatbuffers::uoffset_t write_table(Builder& builder, Random& random, int depth);

template <class Number>
flatbuffers::uoffset_t write_numbers(Builder& builder, Random& random) {
  std::vector<Number> numbers(below(random, 6));
  for (Number& number : numbers) number = static_cast<Number>(random_number(random));
  return builder.CreateVector(numbers).o;
}

// What a field's offset points to.
flatbuffers::uoffset_t write_child(Builder& builder, Random& random, int depth) {
  switch (below(random, depth < depth_max ? 6 : 4)) {
    case 0:
    case 1:
      return builder.CreateString(random_text(random)).o;
    case 2:
      return write_numbers<std::uint32_t>(builder, random);
    case 3: {
      std::vector<flatbuffers::Offset<flatbuffers::String>> texts;
      for (std::uint64_t i = below(random, 4); i > 0; --i) texts.push_back(builder.CreateString(random_text(random)));
      return builder.CreateVector(texts).o;
    }
    case 4:
      return write_table(builder, random, depth + 1);
    default:
      return write_numbers<std::uint8_t>(builder, random);
  }
}

void add_scalar(Builder& builder, Random& random, flatbuffers::voffset_t field) {
  const std::uint64_t number = random_number(random);
  switch (below(random, 5)) {
    case 0:
      return builder.AddElement<std::uint8_t>(field, static_cast<std::uint8_t>(number), 0);
    case 1:
      return builder.AddElement<std::uint16_t>(field, static_cast<std::uint16_t>(number), 0);
    case 2:
      return builder.AddElement<std::uint32_t>(field, static_cast<std::uint32_t>(number), 0);
    case 3:
      return builder.AddElement<std::uint64_t>(field, number, 0);
    default: {  // a struct
      const std::size_t words = 1 + below(random, 4);
      builder.Align(8);
      for (std::size_t i = 0; i < words; ++i) builder.PushElement<std::uint64_t>(random_number(random));
      return builder.AddStructOffset(field, builder.GetSize());
    }
  }
}

flatbuffers::uoffset_t write_table(Builder& builder, Random& random, int depth) {
  const std::uint64_t count = below(random, fields_max + 1);
  std::vector<flatbuffers::uoffset_t> children(count);  // 0: a scalar, or absent
  for (auto& child : children) {
    if (below(random, 2) == 0) child = write_child(builder, random, depth);
  }
  const auto start = builder.StartTable();
  for (std::uint64_t i = 0; i < count; ++i) {
    const flatbuffers::voffset_t field = flatbuffers::FieldIndexToOffset(static_cast<flatbuffers::voffset_t>(i));
    if (children[i] != 0) {
      builder.AddOffset(field, flatbuffers::Offset<void>(children[i]));
    } else if (below(random, 4) != 0) {
      add_scalar(builder, random, field);
    }
  }
  return builder.EndTable(start);
}

}  // namespace

Body random_bytes(Random& random, std::size_t size) {
  Body body(size);
  for (std::byte& b : body) b = static_cast<std::byte>(random());
  return body;
}

Body random_table(Random& random) {
  Builder builder;
  builder.Finish(flatbuffers::Offset<void>(write_table(builder, random, 0)));
  Body body(builder.GetSize());
  std::memcpy(body.data(), builder.GetBufferPointer(), body.size());
  return body;
}

Body damaged(Random& random, std::span<const std::byte> body) {
  Body copy(body.begin(), body.end());
  for (std::uint64_t i = 1 + below(random, 3); i > 0; --i) {
    switch (below(random, 4)) {
      case 0:
        if (!copy.empty()) copy = flipped(copy, below(random, copy.size() * 8));
        break;
      case 1:
        if (!copy.empty()) copy[below(random, copy.size())] = static_cast<std::byte>(random());
        break;
      case 2:
        copy.resize(below(random, copy.size() + 1));
        break;
      default: {
        const Body more = random_bytes(random, 1 + below(random, 16));
        copy.insert(copy.end(), more.begin(), more.end());
      }
    }
  }
  return copy;
}

}  // namespace symphony::pit_check
