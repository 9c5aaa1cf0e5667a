// Calls that killed their pit and are tried once more, alone: each in an instance of the pit that is started for it and
// thrown away.   Layer: endpoint.
//
// A thread of its own waits for the instance and for its answer, so the link's owner and its other calls go on. It is
// started by the first such call, and tries one after the other. What came of a call goes into the link's mailbox; what
// is not to be tried any more goes to the broker as a dead letter. Threads: start() and the destructor on the thread
// that owns the link.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <symphony/dead_letter.hpp>
#include <symphony/endpoint.hpp>

#include "bus/endpoint/link_core.hpp"

namespace symphony::detail {

struct AloneCall {
  control::LinkId link = 0;
  std::uint64_t id = 0;
  std::uint32_t type = 0;
  std::uint8_t attempt = 0;  // deaths so far
  Effect effect = Effect::idempotent;
  TimeNs deadline_ns = no_deadline_ns;
  std::vector<std::byte> body;
};

// The letter of a call that has ended so; the body up to what a letter keeps.   May throw std::bad_alloc.
[[nodiscard]] control::Park letter_of(const AloneCall& call, AloneOutcome outcome, control::LinkId alone_link);

class AloneRuns {
 public:
  AloneRuns(std::shared_ptr<LinkControl> control, std::shared_ptr<LinkMailbox> mailbox, const LinkOptions& options);
  // Those that have not ended are parked untried.
  ~AloneRuns();

  // May throw std::bad_alloc and std::system_error; then nothing has changed.
  void start(AloneCall call);

 private:
  void run() noexcept;
  void try_one(AloneCall& call);
  [[nodiscard]] std::unique_ptr<LinkCore> open(const AloneCall& call, link_event::TriedAlone& out);
  void call_on(LinkCore& link, const AloneCall& call, link_event::TriedAlone& out);

  const std::shared_ptr<LinkControl> control_;
  const std::shared_ptr<LinkMailbox> mailbox_;
  const LinkOptions options_;
  OpenCancel cancel_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<AloneCall> waiting_;
  LinkCore* current_ = nullptr;  // to be woken
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace symphony::detail
