// Optional fields of messages as views, empty where the sender left them out.   Layer: pits/parts.
// Threads: any. Lifetime: the message's.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <span>
#include <string_view>

namespace symphony::pit::parts {

template <class T>
[[nodiscard]] std::span<const T> elements(const flatbuffers::Vector<T>* vector) noexcept {
  if (vector == nullptr) return {};
  return {vector->data() == nullptr ? nullptr : reinterpret_cast<const T*>(vector->data()), vector->size()};
}

// Of a vector of structs, whose own iterators give pointers.
template <class T>
[[nodiscard]] std::span<const T> structs(const flatbuffers::Vector<const T*>* vector) noexcept {
  if (vector == nullptr) return {};
  return {reinterpret_cast<const T*>(vector->Data()), vector->size()};
}

[[nodiscard]] inline std::string_view text_of(const flatbuffers::String* string) noexcept {
  return string == nullptr ? std::string_view() : std::string_view(string->c_str(), string->size());
}

}  // namespace symphony::pit::parts
