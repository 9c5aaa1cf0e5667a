#include <utility>
#include <vector>

#include "bus/control/codec.hpp"
#include "bus/control/codec_report.hpp"
#include "control_generated.h"

namespace symphony::detail::control {
namespace {

using flatbuffers::FlatBufferBuilder;
using Built = std::pair<wire::Body, flatbuffers::Offset<void>>;

wire::Attachment to_wire(const Attachment& a) { return {a.generation, a.link, a.epoch}; }

// One overload a message.
struct Encoder {
  FlatBufferBuilder& b;
  bool too_large = false;

  flatbuffers::Offset<flatbuffers::String> text(const std::string& s, std::size_t size_max) {
    if (s.size() > size_max) {
      too_large = true;
      return b.CreateString("");
    }
    return b.CreateString(s);
  }
  template <class T>
  static Built done(wire::Body type, flatbuffers::Offset<T> offset) {
    return {type, offset.Union()};
  }

  Built operator()(const Hello& m) {
    std::vector<wire::HeldLink> links;
    too_large |= m.links.size() > links_per_caller_max;
    for (const HeldLink& l : m.links) links.emplace_back(l.link, l.epoch);
    const auto vector = b.CreateVectorOfStructs(links);
    return done(wire::Body::Hello, wire::CreateHello(b, m.protocol_min, m.protocol_max, m.clock_ns, vector));
  }
  Built operator()(const PitReady& m) {
    const auto name = text(m.name, pit_name_size_max);
    const auto version = text(m.version, version_size_max);
    return done(wire::Body::PitReady, wire::CreatePitReady(b, m.protocol_min, m.protocol_max, m.clock_ns, name, version,
                                                           m.reply_size_max, m.heavy_barriers, m.sandbox));
  }
  Built operator()(const Open& m) {
    const auto pit = text(m.pit, pit_name_size_max);
    return done(wire::Body::Open, wire::CreateOpen(b, m.correlation, pit, m.link, m.request_capacity, m.reply_capacity,
                                                   m.deadline_ns, m.heavy_barriers, m.alone));
  }
  Built operator()(const Mapped& m) {
    const auto at = to_wire(m.at);
    return done(wire::Body::Mapped, wire::CreateMapped(b, &at));
  }
  Built operator()(const Ready& m) {
    const auto at = to_wire(m.at);
    return done(wire::Body::Ready, wire::CreateReady(b, &at, m.last_id));
  }
  Built operator()(const MapFailed& m) {
    const auto at = to_wire(m.at);
    return done(wire::Body::MapFailed, wire::CreateMapFailed(b, &at, m.sys_errno));
  }
  Built operator()(const Drained& m) {
    const auto at = to_wire(m.at);
    return done(wire::Body::Drained, wire::CreateDrained(b, &at));
  }
  Built operator()(const PeerFault& m) {
    const auto at = to_wire(m.at);
    return done(wire::Body::PeerFault, wire::CreatePeerFault(b, &at, m.kind));
  }
  Built operator()(const Close& m) { return done(wire::Body::Close, wire::CreateClose(b, m.link)); }
  Built operator()(const StatusQuery& m) {
    return done(wire::Body::StatusQuery, wire::CreateStatusQuery(b, m.correlation));
  }
  Built operator()(const Welcome& m) {
    return done(wire::Body::Welcome, wire::CreateWelcome(b, m.generation, m.protocol));
  }
  Built operator()(const Own& m) {
    const auto at = to_wire(m.at);
    return done(wire::Body::Own, wire::CreateOwn(b, &at, m.correlation, m.request_capacity, m.reply_capacity,
                                                 m.request_salt, m.reply_salt, m.in_flight_max, m.reply_size_max,
                                                 m.trust, m.heavy_barriers, m.look_after_ms));
  }
  Built operator()(const Peer& m) {
    const auto at = to_wire(m.at);
    return done(wire::Body::Peer, wire::CreatePeer(b, &at));
  }
  Built operator()(const Go& m) {
    const auto at = to_wire(m.at);
    return done(wire::Body::Go, wire::CreateGo(b, &at, m.last_id));
  }
  Built operator()(const Drop& m) {
    const auto at = to_wire(m.at);
    return done(wire::Body::Drop, wire::CreateDrop(b, &at, m.drain));
  }
  Built operator()(const Keep& m) { return done(wire::Body::Keep, wire::CreateKeep(b, m.generation, m.link, m.epoch)); }
  Built operator()(const Refused& m) {
    const auto why = text(m.text, text_size_max);
    return done(wire::Body::Refused,
                wire::CreateRefused(b, m.correlation, m.link, static_cast<std::uint16_t>(m.code), why));
  }
  Built operator()(const CallerWanted& m) {
    return done(wire::Body::CallerWanted, wire::CreateCallerWanted(b, m.correlation));
  }
  Built operator()(const CallerSocket& m) {
    return done(wire::Body::CallerSocket, wire::CreateCallerSocket(b, m.correlation, m.granted));
  }
  Built operator()(const Stop& m) { return done(wire::Body::Stop, wire::CreateStop(b, m.deadline_ns)); }
  Built operator()(const Status& m) {
    std::vector<flatbuffers::Offset<wire::PitStatus>> pits;
    too_large |= m.pits.size() > pits_in_status_max;
    for (const PitStatus& p : m.pits) {
      const auto name = text(p.name, pit_name_size_max);
      const auto state = text(p.state, state_size_max);
      pits.push_back(wire::CreatePitStatus(b, name, state, p.pid, p.instance, p.links));
    }
    const auto vector = b.CreateVector(pits);
    return done(wire::Body::Status, wire::CreateStatus(b, m.correlation, m.generation, vector));
  }
  Built operator()(const Command& m) {
    const auto pit = text(m.pit, pit_name_size_max);
    const auto file = text(m.file, path_size_max);
    return done(wire::Body::Command,
                wire::CreateCommand(b, m.correlation, static_cast<std::uint8_t>(m.verb), pit, m.instance, m.deadline_ns,
                                    m.grace_ns, file, m.letter, m.probation_ns, m.rehearse));
  }
  Built operator()(const Executing& m) {
    const auto at = to_wire(m.at);
    return done(wire::Body::Executing,
                wire::CreateExecuting(b, &at, m.id, m.type, m.size, m.attempt, static_cast<std::uint8_t>(m.effect)));
  }
  Built operator()(const Park& m) {
    too_large |= m.body.size() > letter_body_size_max;
    const auto body = encode_body(b, too_large ? std::vector<std::byte>() : m.body);
    return done(wire::Body::Park,
                wire::CreatePark(b, m.link, m.id, m.type, m.size, m.attempts, static_cast<std::uint8_t>(m.effect),
                                 static_cast<std::uint8_t>(m.outcome), m.alone_link, body));
  }
  Built operator()(const Answer& m) {
    const auto why = text(m.text, text_size_max);
    const auto pit = encode_report(b, m.pit, too_large);
    const auto letters = encode_letters(b, m.letters, too_large);
    return done(wire::Body::Answer,
                wire::CreateAnswer(b, m.correlation, static_cast<std::uint16_t>(m.code), why, pit, m.daemon_pid,
                                   m.added, m.removed, m.changed, m.pause_ns, letters, m.rehearsed_ns));
  }
  Built operator()(const Prepared& m) {
    return done(wire::Body::Prepared, wire::CreatePrepared(b, m.protocol_min, m.protocol_max));
  }
  Built operator()(const TakeState& m) { return done(wire::Body::TakeState, wire::CreateTakeState(b, m.number)); }
  Built operator()(const Freeze& m) { return done(wire::Body::Freeze, wire::CreateFreeze(b, m.number, m.deadline_ns)); }
  Built operator()(const Frozen& m) {
    const auto why = text(m.text, text_size_max);
    return done(wire::Body::Frozen, wire::CreateFrozen(b, m.number, static_cast<std::uint16_t>(m.code), why));
  }
  Built operator()(const StandsStill& m) {
    const auto at = to_wire(m.at);
    return done(wire::Body::StandsStill, wire::CreateStandsStill(b, &at));
  }
  Built operator()(const CancelRequest& m) {
    const auto at = to_wire(m.at);
    return done(wire::Body::CancelRequest, wire::CreateCancelRequest(b, &at, m.id));
  }
  Built operator()(const Thaw& m) { return done(wire::Body::Thaw, wire::CreateThaw(b, m.number)); }
  Built operator()(const Rehearse& m) { return done(wire::Body::Rehearse, wire::CreateRehearse(b, m.number)); }
  Built operator()(const Rehearsed& m) {
    const auto why = text(m.text, text_size_max);
    return done(wire::Body::Rehearsed,
                wire::CreateRehearsed(b, m.number, static_cast<std::uint16_t>(m.code), why, m.took_ns));
  }
  Built operator()(const BoardWrite& m) {
    const auto name = text(m.name, board_name_size_max);
    return done(wire::Body::BoardWrite,
                wire::CreateBoardWrite(b, m.correlation, name, static_cast<std::uint8_t>(m.kind), m.source,
                                       m.slot_count, m.value_size_max));
  }
  Built operator()(const BoardOwn& m) {
    return done(wire::Body::BoardOwn, wire::CreateBoardOwn(b, m.correlation, m.board));
  }
  Built operator()(const BoardMapped& m) { return done(wire::Body::BoardMapped, wire::CreateBoardMapped(b, m.board)); }
  Built operator()(const BoardRead& m) {
    const auto name = text(m.name, board_name_size_max);
    return done(wire::Body::BoardRead,
                wire::CreateBoardRead(b, m.correlation, name, static_cast<std::uint8_t>(m.kind)));
  }
  Built operator()(const BoardView& m) {
    return done(wire::Body::BoardView, wire::CreateBoardView(b, m.correlation, m.board, m.source, m.slot_count,
                                                             m.value_size_max, m.reader_was_first));
  }
  Built operator()(const BoardEnd& m) {
    return done(wire::Body::BoardEnd, wire::CreateBoardEnd(b, m.correlation, m.board));
  }
  Built operator()(const BoardClose& m) {
    return done(wire::Body::BoardClose, wire::CreateBoardClose(b, m.correlation));
  }
  Built operator()(const BoardQuery& m) {
    const auto after = text(m.after, board_name_size_max);
    return done(wire::Body::BoardQuery, wire::CreateBoardQuery(b, m.correlation, after));
  }
  Built operator()(const BoardList& m) {
    std::vector<flatbuffers::Offset<wire::BoardStatus>> boards;
    too_large |= m.boards.size() > boards_in_list_max;
    for (const BoardStatus& s : m.boards) {
      const auto name = text(s.name, board_name_size_max);
      const auto writer = text(s.writer, pit_name_size_max);
      boards.push_back(wire::CreateBoardStatus(b, name, static_cast<std::uint8_t>(s.kind), writer, s.pid, s.readers,
                                               s.slot_count, s.value_size_max, s.latest));
    }
    const auto vector = b.CreateVector(boards);
    return done(wire::Body::BoardList, wire::CreateBoardList(b, m.correlation, vector));
  }
};

}  // namespace

result<std::vector<std::byte>> encode(const Message& message) {
  FlatBufferBuilder builder(512);
  Encoder encoder{builder};
  const auto [type, body] = std::visit(encoder, message);
  builder.Finish(wire::CreateEnvelope(builder, type, body), wire::EnvelopeIdentifier());
  if (encoder.too_large || builder.GetSize() > message_size_max) {
    return unexpected(errc::too_large, "control: a name, text or list of the message is over its maximum");
  }
  const auto* first = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return std::vector<std::byte>(first, first + builder.GetSize());
}

}  // namespace symphony::detail::control
