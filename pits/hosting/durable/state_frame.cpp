#include "pits/hosting/durable/state_frame.hpp"

#include <flatbuffers/flatbuffers.h>

#include <algorithm>

#include "state_frame_generated.h"

namespace symphony::pit {
namespace {

constexpr std::size_t tables_max = 1'000'000;
constexpr std::size_t depth_max = 8;

const std::uint8_t* bytes_of(const std::vector<std::byte>& v) {
  return reinterpret_cast<const std::uint8_t*>(v.data());
}

std::vector<std::byte> copy_of(const flatbuffers::Vector<std::uint8_t>* v) {
  if (v == nullptr) return {};
  const auto* begin = reinterpret_cast<const std::byte*>(v->data());
  return {begin, begin + v->size()};
}

// Whether the keys of a vector of structs only rise.
template <class T, class Key>
bool rises(const flatbuffers::Vector<const T*>* v, Key&& key) {
  for (flatbuffers::uoffset_t i = 1; v != nullptr && i < v->size(); ++i) {
    if (key(*v->Get(i)) <= key(*v->Get(i - 1))) return false;
  }
  return true;
}

template <class T>
flatbuffers::uoffset_t count_of(const T* vector) {
  return vector == nullptr ? 0 : vector->size();
}

}  // namespace

std::vector<std::byte> write_state_frame(const StateFrame& f) {
  flatbuffers::FlatBufferBuilder b(1024 + f.snapshot.bytes.size());
  const auto payload = b.CreateVector(bytes_of(f.snapshot.bytes), f.snapshot.bytes.size());
  std::vector<flatbuffers::Offset<frame::Owed>> owed;
  for (const Owed& o : f.owed) {
    owed.push_back(
        frame::CreateOwed(b, o.link, o.id, o.status, o.type, b.CreateVector(bytes_of(o.body), o.body.size())));
  }
  std::vector<flatbuffers::Offset<frame::OwnCall>> calls;
  for (const OwnCall& c : f.calls) {
    const auto body = b.CreateVector(bytes_of(c.body), c.body.size());
    calls.push_back(
        frame::CreateOwnCall(b, b.CreateString(c.service), c.type, c.effect, c.deadline_ns, c.cookie, body));
  }
  std::vector<frame::Timer> timers;
  for (const auto& [id, due_ns] : f.memory.timers) timers.emplace_back(id, due_ns);
  std::vector<frame::SeenLink> links;
  for (const auto& [link, last_id] : f.last_ids) links.emplace_back(link, last_id);
  std::vector<frame::Waiting> waiting;
  for (const auto& [request, w] : f.waiting) waiting.emplace_back(request, w.link, w.id);
  const auto pit = b.CreateString(f.pit);
  const auto version = b.CreateString(f.version);
  const auto owed_at = b.CreateVector(owed);
  const auto calls_at = b.CreateVector(calls);
  const auto timers_at = b.CreateVectorOfStructs(timers);
  const auto links_at = b.CreateVectorOfStructs(links);
  const auto waiting_at = b.CreateVectorOfStructs(waiting);
  b.Finish(frame::CreateStateFrame(b, pit, version, f.schema_hash, f.snapshot.revision, f.clock_ns, f.memory.fed_ns,
                                   f.memory.random, f.memory.last_request, f.drained, timers_at, links_at, waiting_at,
                                   owed_at, calls_at, payload, f.boot),
           frame::StateFrameIdentifier());
  const auto* begin = reinterpret_cast<const std::byte*>(b.GetBufferPointer());
  return {begin, begin + b.GetSize()};
}

std::optional<StateFrame> read_state_frame(std::span<const std::byte> bytes) {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
  flatbuffers::Verifier verifier(begin, bytes.size(), depth_max, tables_max);
  if (bytes.empty() || !frame::VerifyStateFrameBuffer(verifier)) return std::nullopt;
  const frame::StateFrame& f = *frame::GetStateFrame(begin);
  if (count_of(f.timers()) > SYMPHONY_TIMERS_MAX || count_of(f.waiting()) > SYMPHONY_PENDING_MAX ||
      count_of(f.calls()) > SYMPHONY_CALLS_MAX) {
    return std::nullopt;
  }
  const bool in_order = rises(f.timers(), [](const frame::Timer& t) { return t.id(); }) &&
                        rises(f.links(), [](const frame::SeenLink& l) { return l.link(); }) &&
                        rises(f.waiting(), [](const frame::Waiting& w) { return w.request(); });
  if (!in_order) return std::nullopt;
  StateFrame out;
  out.pit = f.pit()->str();
  out.version = f.version()->str();
  out.schema_hash = f.schema_hash();
  out.snapshot = {f.revision(), copy_of(f.payload()), {}};
  out.memory.fed_ns = f.fed_ns();
  out.memory.random = f.random();
  out.memory.last_request = f.last_request();
  out.memory.calls = count_of(f.calls());
  out.clock_ns = f.clock_ns();
  out.boot = f.boot();
  out.drained = f.drained();
  for (flatbuffers::uoffset_t i = 0; i < count_of(f.timers()); ++i) {
    out.memory.timers.emplace_back(f.timers()->Get(i)->id(), f.timers()->Get(i)->due_ns());
  }
  for (flatbuffers::uoffset_t i = 0; i < count_of(f.links()); ++i) {
    out.last_ids.emplace(f.links()->Get(i)->link(), f.links()->Get(i)->last_id());
  }
  for (flatbuffers::uoffset_t i = 0; i < count_of(f.waiting()); ++i) {
    const frame::Waiting& w = *f.waiting()->Get(i);
    out.waiting.emplace(w.request(), WaitingRequest{w.link(), w.id()});
  }
  for (flatbuffers::uoffset_t i = 0; i < count_of(f.owed()); ++i) {
    const frame::Owed& o = *f.owed()->Get(i);
    out.owed.push_back({o.link(), o.id(), o.status(), o.type(), copy_of(o.body())});
  }
  for (flatbuffers::uoffset_t i = 0; i < count_of(f.calls()); ++i) {
    const frame::OwnCall& c = *f.calls()->Get(i);
    out.calls.push_back({c.service()->str(), c.type(), c.effect(), c.deadline_ns(), c.cookie(), copy_of(c.body())});
  }
  return out;
}

}  // namespace symphony::pit
