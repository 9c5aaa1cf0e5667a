// How the calls of run_pits.cpp and run_graph.cpp reach the pits.   Layer: tools. Threads: one.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <optional>

#include <symphony/broker.hpp>
#include <symphony/endpoint.hpp>
#include <symphony/typed.hpp>

#include "tools/symphony/run/run_pits.hpp"

namespace symphony::tools {

// The reply when it is a valid Table, else null.
template <class Table>
const Table* root_of(const Reply& reply) {
  if (!reply.ok() || reply.type != type_id_of<Table>) return nullptr;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(reply.body.data());
  flatbuffers::Verifier verifier(bytes, reply.body.size(), reply_depth_max, reply_tables_max);
  return verifier.VerifyBuffer<Table>(nullptr) ? flatbuffers::GetRoot<Table>(bytes) : nullptr;
}

// What must outlive the callers, in the order in which it is made.
struct RunPits::Sides {
  std::optional<EmbeddedBroker> broker;
  std::optional<Endpoint> endpoint;
  std::unique_ptr<Conductor> conductor;
  flatbuffers::FlatBufferBuilder builder;

  // A call that ended as `crashed` is not in the state of a pit that keeps a journal, so it is made again.
  template <class Table>
  Reply ask(Caller& pit, flatbuffers::Offset<Table> request) {
    constexpr int deaths_max = 20;
    builder.Finish(request);
    const std::span body(reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize());
    Reply reply = pit.call(type_id_of<Table>, body);
    for (int again = 0; reply.status == status::crashed && again < deaths_max; ++again) {
      reply = pit.call(type_id_of<Table>, body);
    }
    builder.Clear();
    return reply;
  }
};

}  // namespace symphony::tools
