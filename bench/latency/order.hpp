// The typed message of bench_call: built, verified and read.   Layer: bench. Threads: none; plain functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <symphony/typed.hpp>

#include "order_generated.h"

namespace symphony::bench {

inline constexpr std::size_t order_size = 112;  // of the finished buffer; bench_call refuses to measure any other

// In `builder`, not finished.
inline flatbuffers::Offset<Order> order_of(flatbuffers::FlatBufferBuilder& builder, std::uint64_t number) {
  const auto symbol = builder.CreateString("ABC", 3);
  const auto real = static_cast<double>(number);
  return CreateOrder(builder, number, number + 1, number + 2, real, real + 0.5, real + 0.25,
                     static_cast<std::uint32_t>(number), 3, 1, 2, symbol);
}

// Reads every field. False: it is not what order_of() makes of `number`.
inline bool is_order(const Order& order, std::uint64_t number) {
  const auto real = static_cast<double>(number);
  const std::uint64_t wrong = (order.id() ^ number) | (order.account() ^ (number + 1)) |
                              (order.time_ns() ^ (number + 2)) | (order.venue() ^ static_cast<std::uint32_t>(number)) |
                              (order.flags() ^ 3U) | (order.side() ^ 1U) | (order.kind() ^ 2U);
  return wrong == 0 && order.price() == real && order.amount() == real + 0.5 && order.limit() == real + 0.25 &&
         order.symbol() != nullptr && std::string_view(order.symbol()->c_str(), order.symbol()->size()) == "ABC";
}

// As symphony::call() verifies a reply. Null: it is no Order.
inline const Order* verified_order(std::span<const std::byte> body) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(body.data());
  flatbuffers::Verifier verifier(bytes, body.size(), reply_depth_max, reply_tables_max);
  return verifier.VerifyBuffer<Order>(nullptr) ? flatbuffers::GetRoot<Order>(bytes) : nullptr;
}

// The work that any typed message costs, wherever it goes: build, verify, read.   False: it went wrong.
inline bool build_verify_read(flatbuffers::FlatBufferBuilder& builder, std::uint64_t number) {
  builder.Finish(order_of(builder, number));
  const Order* const order =
      verified_order({reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize()});
  const bool right = order != nullptr && is_order(*order, number);
  builder.Clear();
  return right;
}

}  // namespace symphony::bench
