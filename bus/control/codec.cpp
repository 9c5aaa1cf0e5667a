#include "bus/control/codec.hpp"

#include <cstring>
#include <memory>
#include <optional>

#include <symphony/trust.hpp>

#include "bus/control/codec_report.hpp"
#include "control_generated.h"

namespace symphony::detail::control {
namespace {

using flatbuffers::FlatBufferBuilder;
using Built = std::pair<wire::Body, flatbuffers::Offset<void>>;

wire::Attachment to_wire(const Attachment& a) { return {a.generation, a.link, a.epoch}; }
Attachment from_wire(const wire::Attachment& a) { return {a.generation(), a.link(), a.epoch()}; }

// ---- encode: one overload a message ----
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
    return done(wire::Body::BoardView,
                wire::CreateBoardView(b, m.correlation, m.board, m.source, m.slot_count, m.value_size_max));
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

// ---- decode: `ok` turns false at the first value over its maximum ----
struct Decoder {
  bool ok = true;

  std::string text(const flatbuffers::String* s, std::size_t size_max) {
    if (s == nullptr) return {};
    if (s->size() > size_max || std::memchr(s->c_str(), 0, s->size()) != nullptr) {
      ok = false;
      return {};
    }
    return s->str();
  }
  template <class T>
  T in_range(T value, T low, T high) {
    ok &= value >= low && value <= high;
    return value;
  }

  Message hello(const wire::Hello& w) {
    Hello m{w.protocol_min(), w.protocol_max(), w.clock_ns(), {}};
    if (w.links() != nullptr) {
      // The verifier looks at the place of a vector's length, not of its elements: a crafted one may be misaligned.
      // Of an empty one the builder aligns no elements either.
      ok &= w.links()->size() == 0 ||
            (w.links()->size() <= links_per_caller_max &&
             reinterpret_cast<std::uintptr_t>(w.links()->Data()) % alignof(wire::HeldLink) == 0);
      if (!ok) return m;
      for (const wire::HeldLink* l : *w.links()) m.links.push_back({l->link(), l->epoch()});
    }
    return m;
  }
  Message pit_ready(const wire::PitReady& w) {
    return PitReady{w.protocol_min(),
                    w.protocol_max(),
                    w.clock_ns(),
                    text(w.name(), pit_name_size_max),
                    text(w.version(), version_size_max),
                    w.reply_size_max(),
                    w.heavy_barriers(),
                    w.sandbox()};
  }
  Message open(const wire::Open& w) {
    return Open{w.correlation(),    text(w.pit(), pit_name_size_max),
                w.link(),           w.request_capacity(),
                w.reply_capacity(), w.deadline_ns(),
                w.heavy_barriers(), w.alone()};
  }
  Message own(const wire::Own& w) {
    constexpr auto most = static_cast<std::uint8_t>(Trust::hostile);
    return Own{from_wire(*w.at()), w.correlation(),    w.request_capacity(),
               w.reply_capacity(), w.request_salt(),   w.reply_salt(),
               w.in_flight_max(),  w.reply_size_max(), in_range(w.trust(), std::uint8_t{0}, most),
               w.heavy_barriers(), w.look_after_ms()};
  }
  Message refused(const wire::Refused& w) {
    constexpr auto low = static_cast<std::uint16_t>(errc::invalid_argument);
    constexpr auto high = static_cast<std::uint16_t>(errc::internal);
    return Refused{w.correlation(), w.link(), static_cast<errc>(in_range(w.code(), low, high)),
                   text(w.text(), text_size_max)};
  }
  Message status(const wire::Status& w) {
    Status m{w.correlation(), w.generation(), {}};
    if (w.pits() != nullptr) {
      ok &= w.pits()->size() <= pits_in_status_max;
      if (!ok) return m;
      for (const wire::PitStatus* p : *w.pits()) {
        m.pits.push_back({text(p->name(), pit_name_size_max), text(p->state(), state_size_max), p->pid(), p->instance(),
                          p->links()});
      }
    }
    return m;
  }

  Message command(const wire::Command& w) {
    constexpr auto low = static_cast<std::uint8_t>(Verb::start);
    constexpr auto high = static_cast<std::uint8_t>(Verb::drop_letter);
    return Command{w.correlation(),
                   static_cast<Verb>(in_range(w.verb(), low, high)),
                   text(w.pit(), pit_name_size_max),
                   w.instance(),
                   w.deadline_ns(),
                   w.grace_ns(),
                   text(w.file(), path_size_max),
                   w.letter(),
                   w.probation_ns(),
                   w.rehearse()};
  }
  Message executing(const wire::Executing& w) {
    return Executing{from_wire(*w.at()), w.id(), w.type(), w.size(), w.attempt(), effect(w.effect())};
  }
  Message park(const wire::Park& w) {
    constexpr auto most = static_cast<std::uint8_t>(alone_outcome_count - 1);
    Park m{w.link(),
           w.id(),
           w.type(),
           w.size(),
           w.attempts(),
           effect(w.effect()),
           static_cast<AloneOutcome>(in_range(w.outcome(), std::uint8_t{0}, most)),
           w.alone_link(),
           {}};
    ok = decode_body(w.body(), m.body) && ok && m.body.size() <= m.size;
    return m;
  }
  Effect effect(std::uint8_t value) {
    return static_cast<Effect>(in_range(value, std::uint8_t{0}, static_cast<std::uint8_t>(Effect::idempotent)));
  }
  Message answer(const wire::Answer& w) {
    constexpr auto high = static_cast<std::uint16_t>(errc::internal);
    Answer m{w.correlation(),
             static_cast<errc>(in_range(w.code(), std::uint16_t{0}, high)),
             text(w.text(), text_size_max),
             {},
             w.daemon_pid(),
             w.added(),
             w.removed(),
             w.changed(),
             w.pause_ns(),
             {},
             w.rehearsed_ns()};
    if (w.pit() != nullptr) m.pit = decode_report(*w.pit(), ok);
    if (w.letters() != nullptr) m.letters = decode_letters(*w.letters(), ok);
    return m;
  }
  Message frozen(const wire::Frozen& w) {
    constexpr auto high = static_cast<std::uint16_t>(errc::internal);
    return Frozen{w.number(), static_cast<errc>(in_range(w.code(), std::uint16_t{0}, high)),
                  text(w.text(), text_size_max)};
  }

  Message rehearsed(const wire::Rehearsed& w) {
    constexpr auto high = static_cast<std::uint16_t>(errc::internal);
    return Rehearsed{w.number(), static_cast<errc>(in_range(w.code(), std::uint16_t{0}, high)),
                     text(w.text(), text_size_max), w.took_ns()};
  }

  BoardKind kind(std::uint8_t value) {
    constexpr auto low = static_cast<std::uint8_t>(BoardKind::cell);
    constexpr auto high = static_cast<std::uint8_t>(BoardKind::topic);
    return static_cast<BoardKind>(in_range(value, low, high));
  }
  Message board_write(const wire::BoardWrite& w) {
    return BoardWrite{w.correlation(), text(w.name(), board_name_size_max),
                      kind(w.kind()),  w.source(),
                      w.slot_count(),  w.value_size_max()};
  }
  Message board_list(const wire::BoardList& w) {
    BoardList m{w.correlation(), {}};
    if (w.boards() != nullptr) {
      ok &= w.boards()->size() <= boards_in_list_max;
      if (!ok) return m;
      for (const wire::BoardStatus* s : *w.boards()) {
        m.boards.push_back({text(s->name(), board_name_size_max), kind(s->kind()), text(s->writer(), pit_name_size_max),
                            s->pid(), s->readers(), s->slot_count(), s->value_size_max(), s->latest()});
      }
    }
    return m;
  }

  std::optional<Message> body(const wire::Envelope& e) {
    switch (e.body_type()) {
      case wire::Body::Hello:
        return hello(*e.body_as_Hello());
      case wire::Body::PitReady:
        return pit_ready(*e.body_as_PitReady());
      case wire::Body::Open:
        return open(*e.body_as_Open());
      case wire::Body::Mapped:
        return Mapped{from_wire(*e.body_as_Mapped()->at())};
      case wire::Body::Ready:
        return Ready{from_wire(*e.body_as_Ready()->at()), e.body_as_Ready()->last_id()};
      case wire::Body::MapFailed:
        return MapFailed{from_wire(*e.body_as_MapFailed()->at()), e.body_as_MapFailed()->sys_errno()};
      case wire::Body::Drained:
        return Drained{from_wire(*e.body_as_Drained()->at())};
      case wire::Body::PeerFault:
        return PeerFault{from_wire(*e.body_as_PeerFault()->at()), e.body_as_PeerFault()->kind()};
      case wire::Body::Close:
        return Close{e.body_as_Close()->link()};
      case wire::Body::StatusQuery:
        return StatusQuery{e.body_as_StatusQuery()->correlation()};
      case wire::Body::Welcome:
        return Welcome{e.body_as_Welcome()->generation(), e.body_as_Welcome()->protocol()};
      case wire::Body::Own:
        return own(*e.body_as_Own());
      case wire::Body::Peer:
        return Peer{from_wire(*e.body_as_Peer()->at())};
      case wire::Body::Go:
        return Go{from_wire(*e.body_as_Go()->at()), e.body_as_Go()->last_id()};
      case wire::Body::Drop:
        return Drop{from_wire(*e.body_as_Drop()->at()), e.body_as_Drop()->drain()};
      case wire::Body::Keep:
        return Keep{e.body_as_Keep()->generation(), e.body_as_Keep()->link(), e.body_as_Keep()->epoch()};
      case wire::Body::Refused:
        return refused(*e.body_as_Refused());
      case wire::Body::CallerWanted:
        return CallerWanted{e.body_as_CallerWanted()->correlation()};
      case wire::Body::CallerSocket:
        return CallerSocket{e.body_as_CallerSocket()->correlation(), e.body_as_CallerSocket()->granted()};
      case wire::Body::Stop:
        return Stop{e.body_as_Stop()->deadline_ns()};
      case wire::Body::Status:
        return status(*e.body_as_Status());
      case wire::Body::Command:
        return command(*e.body_as_Command());
      case wire::Body::Answer:
        return answer(*e.body_as_Answer());
      case wire::Body::Prepared:
        return Prepared{e.body_as_Prepared()->protocol_min(), e.body_as_Prepared()->protocol_max()};
      case wire::Body::TakeState:
        return TakeState{e.body_as_TakeState()->number()};
      case wire::Body::Freeze:
        return Freeze{e.body_as_Freeze()->number(), e.body_as_Freeze()->deadline_ns()};
      case wire::Body::Frozen:
        return frozen(*e.body_as_Frozen());
      case wire::Body::Thaw:
        return Thaw{e.body_as_Thaw()->number()};
      case wire::Body::Executing:
        return executing(*e.body_as_Executing());
      case wire::Body::Park:
        return park(*e.body_as_Park());
      case wire::Body::Rehearse:
        return Rehearse{e.body_as_Rehearse()->number()};
      case wire::Body::Rehearsed:
        return rehearsed(*e.body_as_Rehearsed());
      case wire::Body::StandsStill:
        return StandsStill{from_wire(*e.body_as_StandsStill()->at())};
      case wire::Body::CancelRequest:
        return CancelRequest{from_wire(*e.body_as_CancelRequest()->at()), e.body_as_CancelRequest()->id()};
      case wire::Body::BoardWrite:
        return board_write(*e.body_as_BoardWrite());
      case wire::Body::BoardOwn:
        return BoardOwn{e.body_as_BoardOwn()->correlation(), e.body_as_BoardOwn()->board()};
      case wire::Body::BoardMapped:
        return BoardMapped{e.body_as_BoardMapped()->board()};
      case wire::Body::BoardRead:
        return BoardRead{e.body_as_BoardRead()->correlation(), text(e.body_as_BoardRead()->name(), board_name_size_max),
                         kind(e.body_as_BoardRead()->kind())};
      case wire::Body::BoardView:
        return BoardView{e.body_as_BoardView()->correlation(), e.body_as_BoardView()->board(),
                         e.body_as_BoardView()->source(), e.body_as_BoardView()->slot_count(),
                         e.body_as_BoardView()->value_size_max()};
      case wire::Body::BoardEnd:
        return BoardEnd{e.body_as_BoardEnd()->correlation(), e.body_as_BoardEnd()->board()};
      case wire::Body::BoardClose:
        return BoardClose{e.body_as_BoardClose()->correlation()};
      case wire::Body::BoardQuery:
        return BoardQuery{e.body_as_BoardQuery()->correlation(),
                          text(e.body_as_BoardQuery()->after(), board_name_size_max)};
      case wire::Body::BoardList:
        return board_list(*e.body_as_BoardList());
      case wire::Body::NONE:
        break;
    }
    return std::nullopt;
  }
};

// The deepest message is Envelope > Answer > PitDetail > PitDeath; nothing has more tables than a full Status.
constexpr flatbuffers::uoffset_t depth_max = 4;
constexpr flatbuffers::uoffset_t tables_max = pits_in_status_max + 2;

result<Message> decode_aligned(const std::byte* data, std::size_t size) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(data);
  flatbuffers::Verifier verifier(bytes, size, depth_max, tables_max);
  if (!wire::VerifyEnvelopeBuffer(verifier)) {
    return unexpected(errc::peer_fault,
                      "control: not a valid message: both sides must run the same release of symphony");
  }
  Decoder decoder;
  std::optional<Message> message = decoder.body(*wire::GetEnvelope(bytes));
  if (!message) return unexpected(errc::peer_fault, "control: a message of a kind this release does not know");
  if (!decoder.ok) return unexpected(errc::peer_fault, "control: a message with a value outside its bounds");
  return *std::move(message);
}

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

result<Message> decode(std::span<const std::byte> datagram) {
  constexpr std::size_t smallest = 2 * sizeof(flatbuffers::uoffset_t) + 4;  // root offset, identifier, one table
  if (datagram.size() < smallest || datagram.size() > message_size_max) {
    return unexpected(errc::peer_fault, "control: a datagram of this size is no message");
  }
  constexpr std::size_t alignment = 8;
  if (reinterpret_cast<std::uintptr_t>(datagram.data()) % alignment == 0) {
    return decode_aligned(datagram.data(), datagram.size());
  }
  std::vector<std::byte> copy(datagram.begin(), datagram.end());  // operator new aligns for every scalar
  return decode_aligned(copy.data(), copy.size());
}

}  // namespace symphony::detail::control
