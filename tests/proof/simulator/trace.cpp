#include "tests/proof/simulator/trace.hpp"

#include <iterator>

namespace symphony::proof {
namespace {

using namespace detail::broker;  // NOLINT(google-build-using-namespace): as in world.hpp

std::string number(std::uint64_t n) {  // of a later generation: as generation:number
  return n >> 32 == 0 ? std::to_string(n) : std::to_string((n >> 32) + 1) + ":" + std::to_string(n & 0xffffffff);
}

std::string text_of(const Message& message) {
  constexpr const char* names[] = {
      "Hello",     "PitReady",    "Open",        "Mapped",    "Ready",       "MapFailed",     "Drained",
      "PeerFault", "Close",       "StatusQuery", "Welcome",   "Own",         "Peer",          "Go",
      "Drop",      "Keep",        "Refused",     "Stop",      "Status",      "CallerWanted",  "CallerSocket",
      "Command",   "Answer",      "Prepared",    "TakeState", "Freeze",      "Frozen",        "Thaw",
      "Executing", "Park",        "Rehearse",    "Rehearsed", "StandsStill", "CancelRequest", "BoardWrite",
      "BoardOwn",  "BoardMapped", "BoardRead",   "BoardView", "BoardEnd",    "BoardClose",    "BoardQuery",
      "BoardList"};
  static_assert(std::size(names) == std::variant_size_v<Message>);
  std::string text = names[message.index()];
  std::visit(
      [&](const auto& m) {
        if constexpr (requires { m.at; }) text += " " + number(m.at.link) + "/" + number(m.at.epoch);
        if constexpr (requires { m.correlation; }) text += " correlation " + std::to_string(m.correlation);
        if constexpr (requires { m.drain; }) text += m.drain ? " drain" : "";
        if constexpr (requires { m.last_id; }) text += " last id " + std::to_string(m.last_id);
        if constexpr (requires { std::string(m.pit); }) text += " " + m.pit;
        if constexpr (requires { m.text.size() + m.link; }) text += " link " + number(m.link) + ": " + m.text;
        if constexpr (requires { m.links.size(); }) {
          for (const auto& held : m.links) text += " " + number(held.link) + "/" + number(held.epoch);
        }
      },
      message);
  if (const auto* open = std::get_if<detail::control::Open>(&message)) text += " link " + number(open->link);
  if (const auto* keep = std::get_if<detail::control::Keep>(&message)) text += " " + number(keep->link);
  if (const auto* close = std::get_if<detail::control::Close>(&message)) text += " " + number(close->link);
  return text;
}

// What events and actions have in common.
template <class T>
std::string parts_of(const T& t) {
  std::string text;
  if constexpr (requires { t.conn; }) text += t.conn == 0 ? "" : " caller " + std::to_string(t.conn);
  if constexpr (requires { t.instance; }) text += " pit" + std::to_string(t.pit) + "#" + std::to_string(t.instance);
  if constexpr (requires { t.value; }) text += (t.signalled ? " signal " : " status ") + std::to_string(t.value);
  if constexpr (requires { t.dead; }) text += t.dead ? " dead" : "";
  if constexpr (requires { t.key; })
    text += " key " + number(t.key & ~(std::uint64_t{1} << 63)) + (t.key >> 63 != 0 ? " of a pit" : "");
  if constexpr (requires { t.message; }) {
    text += " " + text_of(t.message);
  } else if constexpr (requires { t.link + t.epoch; }) {
    text += " " + number(t.link) + "/" + number(t.epoch);
  }
  return text;
}

}  // namespace

std::string text_of(const Event& event) {
  constexpr const char* names[] = {"Begin",       "CallerConnected", "CallerLeft",   "CallerMessage",  "CallerFaulted",
                                   "PitMessage",  "PitFaulted",      "PitHungUp",    "PitSpawned",     "SpawnFailed",
                                   "StateFailed", "PitExited",       "SegmentsMade", "SegmentsSealed", "SegmentsFailed",
                                   "KeeperLost",  "StopAll",         "TimerFired",   "LogLost",        "ConfigRead",
                                   "PitSeen"};
  const std::string name = event.index() < std::size(names) ? names[event.index()] : "event";
  return name + std::visit([](const auto& e) { return parts_of(e); }, event);
}

std::string text_of(const Action& action) {
  constexpr const char* names[] = {"SendToCaller", "SendToPit",        "MakeSegments", "SealSegments", "ForgetSegments",
                                   "SpawnPit",     "KeepState",        "KillPit",      "ConnectPit",   "PutRecord",
                                   "DeleteRecord", "DisconnectCaller", "ArmTimer",     "Finished",     "Note",
                                   "ReadConfig",   "KeepConfig",       "Stopping",     "KeepLetters",  "MakeCopy",
                                   "ForgetCopy",   "KeepWords",        "ForgetWords",  "LookAtPit"};
  const std::string name = action.index() < std::size(names) ? names[action.index()] : "action";
  return name + std::visit([](const auto& a) { return parts_of(a); }, action);
}

}  // namespace symphony::proof
