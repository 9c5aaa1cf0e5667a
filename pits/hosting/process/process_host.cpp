#include "pits/hosting/process/process_host.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <new>
#include <optional>
#include <utility>

#include "pits/hosting/instance.hpp"
#include "pits/hosting/note.hpp"
#include "pits/hosting/process/link_queue.hpp"
#include "pits/hosting/process/process_link.hpp"
#include "pits/hosting/process/runtime_protocol.hpp"
#include "pits/hosting/process/snapshot_frame.hpp"
#include "pits/hosting/thread_links.hpp"

namespace symphony::pit {
namespace {

constexpr int snapshot_attempts_max = 10;
constexpr std::size_t chunks_at_once_max = 16;

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

Outcome outcome_of(const error& e) { return {status_of(e.code), e.text}; }
Outcome outcome_of(const symphony::Reply& reply) { return {reply.status, std::string(reply.text)}; }
Outcome liar() { return {SYMPHONY_BAD_MESSAGE, "the pit's runtime answered with something that is no answer"}; }

}  // namespace

Outcome ProcessHost::mount(Endpoint& endpoint, std::string_view name, const ProcessOptions& options,
                           std::unique_ptr<ProcessHost>& out) {
  auto own = endpoint.open(name, options.link, options.open_timeout_ns);
  if (!own) return outcome_of(own.error());
  std::unique_ptr<ProcessHost> made(new ProcessHost(endpoint, name, options, *std::move(own)));
  if (Outcome asked = made->ask_info(); !asked.ok()) return asked;
  out = std::move(made);
  return {};
}

symphony::Reply ProcessHost::ask(std::uint32_t type, std::span<const std::byte> body, Effect effect,
                                 TimeNs deadline_ns) {
  const TimeNs at_the_latest_ns = deadline_after(options_.open_timeout_ns);
  return own_.call(type, body, {.effect = effect, .deadline_ns = std::min(deadline_ns, at_the_latest_ns)});
}

Outcome ProcessHost::ask_info() {
  const std::lock_guard lock(mutex_);
  const symphony::Reply reply = ask(runtime::type_info, {}, Effect::read);
  if (!reply.ok()) return outcome_of(reply);
  PitNote note;
  if (!read_note(reply.body, note).ok()) return liar();
  info_ = std::move(note.info);
  return {};
}

template <class Way>
Outcome open_process_link(Endpoint& endpoint, std::string_view name, const ProcessOptions& options, TimeNs deadline_ns,
                          std::unique_ptr<Way>& out) {
  const TimeNs left_ns = deadline_ns == no_deadline_ns ? no_deadline_ns : std::max<TimeNs>(0, deadline_ns - now_ns());
  auto link = endpoint.open(name, options.link, std::min(options.open_timeout_ns, left_ns));
  if (!link) return outcome_of(link.error());
  out = std::make_unique<ProcessLink>(*std::move(link));
  return {};
}
template Outcome open_process_link(Endpoint&, std::string_view, const ProcessOptions&, TimeNs, std::unique_ptr<Link>&);

Outcome share_process_links(Endpoint& endpoint, std::string_view name, const ProcessOptions& options,
                            std::unique_ptr<SharedLink>& out) {
  auto common = endpoint.open(name, options.link, options.open_timeout_ns);
  if (!common) return outcome_of(common.error());
  ThreadLinks::Options of_threads;
  of_threads.own_max = options.threads_max;
  of_threads.own = [&endpoint, name = std::string(name), options](TimeNs deadline_ns, std::unique_ptr<Caller>& made) {
    return open_process_link(endpoint, name, options, deadline_ns, made);
  };
  of_threads.spare = [queue = std::make_shared<LinkQueue>(*std::move(common))](TimeNs, std::unique_ptr<Caller>& made) {
    return LinkQueue::open(queue, made);
  };
  out = std::make_unique<ThreadLinks>(std::move(of_threads));
  return {};
}

Outcome ProcessHost::open(std::unique_ptr<Link>& out) {
  return open_process_link(endpoint_, name_, options_, no_deadline_ns, out);
}
Outcome ProcessHost::share(std::unique_ptr<SharedLink>& out) {
  return share_process_links(endpoint_, name_, options_, out);
}

Outcome ProcessHost::snapshot(Snapshot& out) {
  const std::lock_guard lock(mutex_);
  Outcome outcome;
  // Another host's snapshot, or the pit's death, may come between two chunks.
  for (int attempt = 0; attempt < snapshot_attempts_max; ++attempt) {
    outcome = read_snapshot(out);
    if (outcome.status != SYMPHONY_BAD_STATE) break;
  }
  return outcome;
}

// Several at once, so that a state of many chunks does not cost as many wake-ups.
template <class BodyOf, class Take>
Outcome ProcessHost::ask_each(std::uint32_t type, Effect effect, TimeNs deadline_ns, std::uint64_t count,
                              BodyOf&& body_of, Take&& take) {
  const CallOptions options{.effect = effect,
                            .deadline_ns = std::min(deadline_ns, deadline_after(options_.open_timeout_ns))};
  Outcome outcome;
  const auto end = [&](const symphony::Reply& reply) {
    if (!outcome.ok()) return;  // the rest says the same, or nothing any more
    outcome = outcome_of(reply);
    if (outcome.ok()) outcome = take(reply.body);
  };
  std::deque<CallId> out;
  for (std::uint64_t next = 0; (next < count && outcome.ok()) || !out.empty();) {
    std::optional<CallId> id;
    if (next < count && outcome.ok() && out.size() < chunks_at_once_max) {
      id = own_.try_start(type, body_of(next), options);
      if (!id && out.empty()) {  // the link has no room yet: wait for it
        end(own_.call(type, body_of(next++), options));
        continue;
      }
    }
    if (id) {
      out.push_back(*id);
      ++next;
    } else {
      end(own_.wait(out.front()));
      out.pop_front();
    }
  }
  return outcome;
}

Outcome ProcessHost::read_snapshot(Snapshot& out) {
  std::vector<std::byte> frame;
  std::uint32_t number = 0, revision = 0;
  std::uint64_t total = 0;
  runtime::SnapshotBody body{};
  const auto body_of = [&](std::uint64_t chunk) {
    body = {chunk * runtime::chunk_size_max, number, 0};
    return bytes_of(body);
  };
  const auto take = [&](std::span<const std::byte> reply) -> Outcome {
    const auto head = runtime::read_head<runtime::ChunkHead>(reply);
    if (!head || head->total > runtime::frame_size_max) return liar();
    if (frame.empty()) {
      total = head->total;
      number = head->number;
      revision = head->revision;
    }
    const auto chunk = reply.subspan(sizeof *head);
    if (head->total != total || head->number != number ||
        chunk.size() != std::min<std::uint64_t>(total - frame.size(), runtime::chunk_size_max)) {
      return liar();
    }
    frame.insert(frame.end(), chunk.begin(), chunk.end());
    return {};
  };
  const auto read = [&](std::uint64_t first, std::uint64_t count) {
    return ask_each(
        runtime::type_snapshot, Effect::read, no_deadline_ns, count,
        [&](std::uint64_t i) { return body_of(first + i); }, take);
  };
  if (Outcome o = read(0, 1); !o.ok()) return o;
  if (frame.size() < total) {
    const std::uint64_t left = total - frame.size();
    if (Outcome o = read(1, (left + runtime::chunk_size_max - 1) / runtime::chunk_size_max); !o.ok()) return o;
  }
  auto whole = runtime::read_frame(revision, frame);
  if (!whole) return liar();
  out = *std::move(whole);
  return {};
}

Outcome ProcessHost::restore(const Snapshot& from) { return put_state(from, false, no_deadline_ns); }
Outcome ProcessHost::resume(const Snapshot& from, TimeNs deadline_ns) { return put_state(from, true, deadline_ns); }

Outcome ProcessHost::put_state(const Snapshot& from, bool resumes, TimeNs deadline_ns) {
  const std::lock_guard lock(mutex_);
  const std::vector<std::byte> frame = runtime::write_frame(from);
  std::vector<std::byte> body;
  const auto body_of = [&](std::uint64_t number) -> std::span<const std::byte> {
    const std::uint64_t offset = number * runtime::chunk_size_max;
    const auto chunk =
        std::span(frame).subspan(offset).first(std::min<std::size_t>(frame.size() - offset, runtime::chunk_size_max));
    const runtime::RestoreHead head{from.revision, resumes ? 1U : 0U, offset, frame.size()};
    body.assign(bytes_of(head).begin(), bytes_of(head).end());
    body.insert(body.end(), chunk.begin(), chunk.end());
    return body;
  };
  const std::uint64_t count =
      std::max<std::uint64_t>(1, (frame.size() + runtime::chunk_size_max - 1) / runtime::chunk_size_max);
  return ask_each(runtime::type_restore, Effect::once, deadline_ns, count, body_of,
                  [](std::span<const std::byte>) { return Outcome{}; });
}

Outcome ProcessHost::step(std::uint32_t what, TimeNs deadline_ns) {
  const std::lock_guard lock(mutex_);
  const runtime::StepBody body{static_cast<runtime::Step>(what), 0,
                               deadline_ns == no_deadline_ns ? 0 : static_cast<std::uint64_t>(deadline_ns)};
  return outcome_of(ask(runtime::type_step, bytes_of(body), Effect::once));
}

Outcome ProcessHost::feed(std::uint64_t seed, TimeNs now_ns) {
  const std::lock_guard lock(mutex_);
  const runtime::FeedBody body{seed, static_cast<std::uint64_t>(now_ns)};
  return outcome_of(ask(runtime::type_feed, bytes_of(body), Effect::once));
}

Outcome ProcessHost::drain(TimeNs deadline_ns) {
  return step(static_cast<std::uint32_t>(runtime::Step::drain), deadline_ns);
}
Outcome ProcessHost::retire() {
  (void)drain(no_deadline_ns);  // refused where it is already
  return stop();
}
Outcome ProcessHost::rest(TimeNs deadline_ns) {
  const std::lock_guard lock(mutex_);
  const runtime::StepBody body{runtime::Step::rest, 0,
                               deadline_ns == no_deadline_ns ? 0 : static_cast<std::uint64_t>(deadline_ns)};
  return outcome_of(ask(runtime::type_step, bytes_of(body), Effect::once, deadline_ns));
}

std::uint64_t ProcessHost::incarnation() {
  const std::lock_guard lock(mutex_);
  const bool is_there = ask(runtime::type_info, {}, Effect::read, deadline_after(second_ns)).ok();
  return is_there ? own_.epoch() : 0;
}

Outcome ProcessHost::start() { return step(static_cast<std::uint32_t>(runtime::Step::start), no_deadline_ns); }
Outcome ProcessHost::stop() { return step(static_cast<std::uint32_t>(runtime::Step::stop), no_deadline_ns); }

}  // namespace symphony::pit
