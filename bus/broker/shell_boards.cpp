// What callers say of boards, past the core.
#include "bus/broker/shell.hpp"

namespace symphony::detail::broker {

void Shell::hear_of_boards(ConnId id, const Message& message) {
  const auto found = callers_.find(id);
  if (found == callers_.end() || found->second.peer.ending) return;
  if (core_->protocol_of(id) < control::protocol_of_boards) return feed(CallerFaulted{id});
  if (!boards_) {
    boards_ = std::make_unique<Boards>(config_.generation,
                                       [this](std::string_view name) { return core_->index_of(name).has_value(); });
  }
  Boards::Party from{id, core_->pit_of(id), 0};
  if (from.pit.empty()) {
    if (const auto who = control::peer_credentials(found->second.peer.socket.fd())) from.pid = who->pid;
  }
  if (!boards_->on(from, message)) feed(CallerFaulted{id});
  tell_of_boards();
}

// A caller that cannot be told is dropped, which ends what it reads and writes: more to tell, in its turn.
void Shell::tell_of_boards() {
  if (telling_) return;
  telling_ = true;
  while (const auto out = boards_->pop()) {
    const auto found = callers_.find(out->to);
    if (found == callers_.end() || found->second.peer.ending) continue;
    std::vector<int> fds;
    if (out->fd) fds.push_back(out->fd->get());
    send(found->second.peer, Tag::caller, out->to, out->message, fds);
  }
  telling_ = false;
}

}  // namespace symphony::detail::broker
