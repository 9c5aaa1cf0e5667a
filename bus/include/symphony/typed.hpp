// Calls with FlatBuffers on both ends.   Layer: endpoint; the one public header that includes FlatBuffers.
//
//   flatbuffers::FlatBufferBuilder builder;
//   auto reply = symphony::call<Greeting>(link, builder, CreateHello(builder, builder.CreateString("world")));
//   if (reply) std::puts(reply->text()->c_str()); else std::puts(reply.reply.text.data());
//
// `Caller` is anything with call(type, body, options) -> Reply: a Link, or what a conductor hands out.
// Threads: as the caller.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <cstdint>
#include <span>

#include <symphony/reply.hpp>
#include <symphony/type_id.hpp>

namespace symphony {

// A reply whose body was verified; `root` is null unless it is an ok reply of that type. Valid as long as the Reply is.
template <class Table>
struct TypedReply {
  Reply reply;
  const Table* root = nullptr;

  [[nodiscard]] explicit operator bool() const noexcept { return root != nullptr; }
  [[nodiscard]] const Table* operator->() const noexcept { return root; }
};

inline constexpr std::uint32_t reply_depth_max = 16;
inline constexpr std::uint32_t reply_tables_max = 1'000'000;

// Finishes the builder with `request`, calls, verifies the reply, clears the builder for the next call.
// A reply of another type or that does not verify ends as bad_message.
template <class ReplyTable, class Caller, class RequestTable>
TypedReply<ReplyTable> call(Caller& caller, flatbuffers::FlatBufferBuilder& builder,
                            flatbuffers::Offset<RequestTable> request, const CallOptions& options = {}) {
  builder.Finish(request);
  const std::span body(reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize());
  TypedReply<ReplyTable> typed{caller.call(type_id_of<RequestTable>, body, options)};
  builder.Clear();
  if (!typed.reply.ok()) return typed;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(typed.reply.body.data());
  flatbuffers::Verifier verifier(bytes, typed.reply.body.size(), reply_depth_max, reply_tables_max);
  if (typed.reply.type == type_id_of<ReplyTable> && verifier.VerifyBuffer<ReplyTable>(nullptr)) {
    typed.root = flatbuffers::GetRoot<ReplyTable>(bytes);
  } else {
    typed.reply.status = status::bad_message;
    typed.reply.text = "the reply is not what its type says, or of another type";
  }
  return typed;
}

}  // namespace symphony
