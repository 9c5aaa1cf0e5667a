// What an operator asks of a broker that runs as a daemon: show, start, stop, restart and swap its pits, end it, have
// it read its manifests again.   Layer: endpoint.
//
//   auto broker = symphony::Operator::connect({}).value();
//   const auto answer = broker.restart("pool", 30 * symphony::second_ns);
//   if (!answer.ok()) std::puts(answer.text.c_str());
//
// Each function waits for its one answer, up to its timeout. When the broker dies meanwhile the next one is asked
// again, and nothing is done twice. Only the broker's owner and root are answered. A broker of an older release is not
// asked what it does not know: version_mismatch. Threads: one at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <symphony/clock.hpp>
#include <symphony/dead_letter.hpp>
#include <symphony/endpoint.hpp>
#include <symphony/pit_info.hpp>
#include <symphony/result.hpp>
#include <symphony/unique_fd.hpp>

namespace symphony {

struct OperatorAnswer {
  errc code{};       // 0: done
  std::string text;  // why not, and the remedy
  PitReport pit;     // as it is now, of an answer about one
  pid_t daemon = 0;
  std::uint32_t added = 0;  // of a reload
  std::uint32_t removed = 0;
  std::uint32_t changed = 0;
  TimeNs pause_ns = 0;  // of a swap: how long calls waited at most
  std::vector<DeadLetter> letters{};
  TimeNs rehearsed_ns = 0;  // of a swap: as long as its rehearsal said that they would

  [[nodiscard]] bool ok() const noexcept { return code == errc{}; }
};

class Operator {
 public:
  // Errors as Endpoint::connect.
  [[nodiscard]] static result<Operator> connect(const ConnectOptions& options);
  // Over a connected control socket of an embedded broker (EmbeddedBroker::connect), which is asked as a daemon is, but
  // not to end or reload. When that broker is gone each function answers so.
  [[nodiscard]] static result<Operator> adopt(UniqueFd control_socket);

  // not_found: no pit of this name.
  OperatorAnswer show(std::string_view pit, TimeNs timeout_ns = 5 * second_ns);
  // Returns when the pit is ready, or could not become so: closed (it failed, and is tried again), quarantined.
  OperatorAnswer start(std::string_view pit, TimeNs timeout_ns = 30 * second_ns);
  // Returns when its process is gone: by itself, or killed after `grace_ns` (0: two seconds; at most an hour).
  OperatorAnswer stop(std::string_view pit, TimeNs timeout_ns = 30 * second_ns, TimeNs grace_ns = 0);
  // Both. Links attach to the next instance.
  OperatorAnswer restart(std::string_view pit, TimeNs timeout_ns = 30 * second_ns, TimeNs grace_ns = 0);
  // Puts a new process in the pit's place while it serves: that is made ready first, then calls wait (at most
  // `pause_ns`; 0: a second) until it has the state and their links. `file`: an absolute path, of a .so where the pit
  // is one, else of a program; empty: what it runs now, read anew. Whatever goes wrong before, the pit goes on as it
  // was: busy (it could not stop in time), refused (it keeps no snapshots), closed (the new process failed; the text
  // says how). A pit that is not ready is started with the new file. Holds until the manifests are read again.
  // With `probation_ns` (another file, at most an hour) it returns when that time is over. A pit that dies within it,
  // of whatever but an operator's word or its own end with status 0, goes on from the file before, with what its
  // durability keeps: closed, and the text says how.
  // With `rehearse` it is tried first, with a copy of the state, while the pit serves on: the new process restores the
  // copy and takes a snapshot of that. Where the two differ, in whatever way it fails (refused), or where it takes
  // longer than calls may wait (busy), nobody has waited.
  OperatorAnswer swap(std::string_view pit, std::string_view file = {}, TimeNs timeout_ns = 60 * second_ns,
                      TimeNs pause_ns = 0, TimeNs probation_ns = 0, bool rehearse = false);
  // Has the broker read its manifests again. invalid_argument: one is broken, and nothing has changed.
  OperatorAnswer reload(TimeNs timeout_ns = 30 * second_ns);
  // Dead letters of that pit, or of all where it is empty, with ids above `after`: a page of them, without bodies;
  // none: that was the last.
  OperatorAnswer letters(std::string_view pit, std::uint64_t after = 0, TimeNs timeout_ns = 5 * second_ns);
  // One, whole.   not_found: no such pit, or letter.
  OperatorAnswer letter(std::string_view pit, std::uint64_t id, TimeNs timeout_ns = 5 * second_ns);
  // Forgets one, or with 0 all of that pit; `removed`: how many.
  OperatorAnswer drop_letters(std::string_view pit, std::uint64_t id, TimeNs timeout_ns = 5 * second_ns);
  // Ends the daemon with its pits, and returns when its last process is gone.
  OperatorAnswer end_broker(TimeNs timeout_ns = 30 * second_ns);

  // The version of the control protocol that the broker speaks with this library, and the newest that this one knows.
  [[nodiscard]] std::uint16_t protocol() const noexcept { return protocol_; }
  [[nodiscard]] static std::uint16_t newest_protocol() noexcept;

 private:
  struct Request;
  explicit Operator(ConnectOptions options) noexcept : options_(std::move(options)) {}
  result<void> open(TimeNs deadline_ns);
  OperatorAnswer ask(const Request& request, TimeNs deadline_ns);

  ConnectOptions options_;
  UniqueFd socket_;
  std::uint16_t protocol_ = 0;  // that the broker at its other end speaks
  std::uint64_t correlation_ = 0;
};

}  // namespace symphony
