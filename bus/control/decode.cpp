#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include <symphony/trust.hpp>

#include "bus/control/codec.hpp"
#include "bus/control/codec_report.hpp"
#include "control_generated.h"

namespace symphony::detail::control {
namespace {

Attachment from_wire(const wire::Attachment& a) { return {a.generation(), a.link(), a.epoch()}; }

// `ok` turns false at the first value over its maximum.
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
        return BoardView{e.body_as_BoardView()->correlation(),    e.body_as_BoardView()->board(),
                         e.body_as_BoardView()->source(),         e.body_as_BoardView()->slot_count(),
                         e.body_as_BoardView()->value_size_max(), e.body_as_BoardView()->reader_was_first()};
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
