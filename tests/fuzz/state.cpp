// What outlives a pit: snapshots, their files and frames, journals, and what pits of ours make of a state.
#include <cstring>
#include <memory>

#include "bus/state/state_reader.hpp"
#include "bus/state/state_writer.hpp"
#include "pits/hosting/durable/journal_event.hpp"
#include "pits/hosting/durable/state_frame.hpp"
#include "pits/hosting/process/snapshot_frame.hpp"
#include "pits/hosting/static/static_host.hpp"
#include "pits/parts/state_io.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"
#include "tools/symphony/snapshot_file.hpp"

SYMPHONY_DECLARE_PIT(dag_tracker);
SYMPHONY_DECLARE_PIT(pool_manager);

namespace symphony::fuzz {
namespace {

using Bytes = std::span<std::byte>;

const char* judge_file(Bytes bytes, bool is_mended) {
  tools::SnapshotFileHead head;
  if (is_mended && bytes.size() >= sizeof head) {  // so that what stands behind the checksum is reached
    std::memcpy(&head, bytes.data(), sizeof head);
    head.checksum = 0;
    const auto rest = bytes.subspan(sizeof head);
    head.checksum = detail::Checksum(0, bytes.size()).add(std::as_bytes(std::span(&head, 1))).add(rest).value();
    std::memcpy(bytes.data(), &head, sizeof head);
  }
  const auto read = tools::read_snapshot_file(bytes, "it");
  if (!read) return read.error().text.empty() ? "refused without a reason" : nullptr;
  const auto again = tools::read_snapshot_file(tools::write_snapshot_file(*read), "it");
  if (!again) return "a snapshot that was read cannot be written and read";
  return again->pit == read->pit && again->snapshot.bytes == read->snapshot.bytes &&
                 again->snapshot.timers == read->snapshot.timers
             ? nullptr
             : "another snapshot when written and read";
}

const char* judge_frames(Bytes bytes) {
  if (const auto read = pit::runtime::read_frame(1, bytes)) {
    const auto written = pit::runtime::write_frame(*read);
    if (written.size() != bytes.size() || std::memcmp(written.data(), bytes.data(), bytes.size()) != 0)
      return "a frame is another one when it is written again";
  }
  if (const auto event = pit::read_event(bytes); event && event->body.size() + sizeof event->head != bytes.size())
    return "an event of another size than its record";
  const auto read = pit::read_state_frame(bytes);
  if (!read) return nullptr;
  const auto written = pit::write_state_frame(*read);
  const auto again = pit::read_state_frame(written);
  return again && pit::write_state_frame(*again) == written ? nullptr : "another state's frame when written and read";
}

// A journal and its snapshots as a writer leaves them; then some bytes are others, or the end is missing.
const char* judge_memory(Input& from) {
  const detail::StateGeometry geometry{detail::state_page, detail::state_page};
  std::vector<std::uint64_t> words(detail::state_size(geometry) / sizeof(std::uint64_t));
  const Bytes memory = std::as_writable_bytes(std::span(words));
  detail::StateWriter<detail::RealMem> writer(memory.data(), geometry);
  std::uint64_t records = 0;
  for (std::uint32_t left = from.below(24); left > 0; --left) {
    const auto bytes = std::as_bytes(from.some());
    if (from.below(4) == 0 || writer.generation() == 0) {
      if (!writer.write_snapshot(bytes)) return "no room for a small snapshot";
    } else if (const std::uint64_t head = from.number(); writer.has_room(sizeof head + bytes.size())) {
      writer.append(std::as_bytes(std::span(&head, 1)), bytes);
      ++records;
    }
  }
  const bool torn_end = from.flag();
  const std::uint64_t size = from.flag() ? memory.size() : from.take(2) % (memory.size() + 1);
  bool is_changed = size != memory.size();
  while (!from.empty()) {
    const std::uint64_t at = from.take(2) % memory.size();
    const auto value = static_cast<std::byte>(from.byte());
    is_changed = is_changed || memory[at] != value;
    memory[at] = value;
  }
  detail::StateReader<detail::RealMem> reader(memory.first(size), torn_end);
  const bool is_there = reader.found() == detail::StateFound::whole || reader.found() == detail::StateFound::previous;
  const auto lies_inside = [&](std::span<const std::byte> bytes) {
    return bytes.empty() || (bytes.data() >= memory.data() && bytes.data() + bytes.size() <= memory.data() + size);
  };
  if (is_there && !lies_inside(reader.snapshot())) return "a snapshot outside of the memory";
  std::uint64_t found = 0;
  while (is_there) {
    const auto record = reader.next();
    if (!record) break;
    if (!lies_inside(*record)) return "a record outside of the memory";
    if (++found > 2 * detail::state_page / detail::journal_head_size) return "more records than there is room for";
  }
  if (is_changed) return nullptr;
  if (reader.found() != (writer.generation() == 0 ? detail::StateFound::nothing : detail::StateFound::whole))
    return "what nobody changed is not whole";
  return reader.damaged() || found > records ? "what nobody changed is damaged" : nullptr;
}

// What a pit of ours takes as its state it gives back as it was; what it refuses leaves it as it was.
const char* judge_pit(const symphony_pit_entry& entry, Bytes bytes, bool is_mended) {
  if (is_mended && bytes.size() >= sizeof(std::uint64_t)) {
    pit::parts::Checksum sum;
    sum.add(bytes.first(bytes.size() - sizeof(std::uint64_t)));
    const std::uint64_t value = sum.value();
    std::memcpy(bytes.data() + bytes.size() - sizeof value, &value, sizeof value);
  }
  std::unique_ptr<pit::StaticHost> host;
  if (!pit::StaticHost::mount(entry, {.seed = 1}, host).ok()) return "the pit cannot be mounted";
  pit::Snapshot before, after, again;
  if (!host->feed(1, 1'000).ok() || !host->snapshot(before).ok()) return "an empty pit has no snapshot";
  const bool is_taken = host->restore({before.revision, {bytes.begin(), bytes.end()}, {}}).ok();
  if (!host->snapshot(after).ok()) return "no snapshot of what it took";
  if (!is_taken) return after.bytes == before.bytes ? nullptr : "a state that was refused has changed the pit";
  if (!host->restore(after).ok()) return "it does not take its own snapshot";
  if (!host->snapshot(again).ok() || again.bytes != after.bytes) return "its snapshot is another one, once restored";
  return nullptr;
}

}  // namespace

// The first byte: which of them, and whether a checksum is made right.
const char* run_state(std::span<const std::uint8_t> input) {
  Input from(input);
  const std::uint8_t which = from.byte();
  if (which % 8 == 0) return judge_memory(from);
  Exactly rest(from.rest());
  switch (which % 8) {
    case 1:
      return judge_frames(rest.bytes());
    case 2:
    case 3:
      return judge_pit(*symphony_pit_pool_manager(), rest.bytes(), which % 8 == 2);
    case 4:
    case 5:
      return judge_pit(*symphony_pit_dag_tracker(), rest.bytes(), which % 8 == 4);
    default:
      return judge_file(rest.bytes(), which % 8 == 6);
  }
}

}  // namespace symphony::fuzz
