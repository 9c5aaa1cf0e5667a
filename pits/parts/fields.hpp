// Optional fields of messages as views, empty where the sender left them out.   Layer: pits/parts.
// Threads: any. Lifetime: the message's.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace symphony::pit::parts {

template <class T>
[[nodiscard]] std::span<const T> elements(const flatbuffers::Vector<T>* vector) noexcept {
  static_assert(alignof(T) <= alignof(flatbuffers::uoffset_t), "the verifier does not look whether these are aligned");
  if (vector == nullptr) return {};
  return {vector->data() == nullptr ? nullptr : reinterpret_cast<const T*>(vector->data()), vector->size()};
}

// Of a vector of structs, by value: the verifier looks where a vector begins, not whether its structs are aligned.
template <class T>
[[nodiscard]] std::uint32_t count_of(const flatbuffers::Vector<const T*>* vector) noexcept {
  return vector == nullptr ? 0 : vector->size();
}
template <class T>
[[nodiscard]] T struct_at(const flatbuffers::Vector<const T*>* vector, std::uint32_t index) noexcept {
  T out;
  std::memcpy(&out, vector->Data() + std::size_t{index} * sizeof(T), sizeof(T));
  return out;
}

[[nodiscard]] inline std::string_view text_of(const flatbuffers::String* string) noexcept {
  return string == nullptr ? std::string_view() : std::string_view(string->c_str(), string->size());
}

}  // namespace symphony::pit::parts
