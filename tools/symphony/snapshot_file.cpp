#include "tools/symphony/snapshot_file.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "bus/state/checksum.hpp"
#include "pits/hosting/pit_info.hpp"
#include "pits/hosting/process/snapshot_frame.hpp"

namespace symphony::tools {
namespace {

constexpr std::uint64_t name_room(std::uint64_t size) noexcept { return (size + 7) & ~std::uint64_t{7}; }

std::uint64_t checksum_of(SnapshotFileHead head, std::span<const std::byte> rest) noexcept {
  head.checksum = 0;
  return detail::Checksum(0, sizeof head + rest.size()).add(std::as_bytes(std::span(&head, 1))).add(rest).value();
}

}  // namespace

std::uint64_t snapshot_file_size_max() noexcept {
  return sizeof(SnapshotFileHead) + name_room(pit::pit_name_size_max) + pit::runtime::frame_size_max;
}

std::vector<std::byte> write_snapshot_file(const SnapshotFile& file) {
  const std::vector<std::byte> frame = pit::runtime::write_frame(file.snapshot);
  SnapshotFileHead head{.magic = snapshot_file_magic,
                        .format = snapshot_file_format,
                        .revision = file.snapshot.revision,
                        .name_size = static_cast<std::uint32_t>(file.pit.size()),
                        .frame_size = frame.size()};
  std::vector<std::byte> out(sizeof head + name_room(head.name_size) + frame.size());
  std::memcpy(out.data() + sizeof head, file.pit.data(), file.pit.size());
  std::memcpy(out.data() + out.size() - frame.size(), frame.data(), frame.size());
  head.checksum = checksum_of(head, std::span(out).subspan(sizeof head));
  std::memcpy(out.data(), &head, sizeof head);
  return out;
}

InputResult<SnapshotFile> read_snapshot_file(std::span<const std::byte> bytes, std::string_view name) {
  const auto wrong = [&](InputFault fault, std::string what) {
    return InputError{fault, std::string(name).append(": ").append(what)};
  };
  SnapshotFileHead head;
  if (bytes.empty()) return wrong(InputFault::empty, "it is empty: name a file that `symphony pit snapshot` wrote");
  std::memcpy(&head, bytes.data(), std::min(sizeof head, bytes.size()));
  const auto cut = std::span(bytes).first(std::min(sizeof head.magic, bytes.size()));
  const std::uint32_t magic = snapshot_file_magic;
  if (std::memcmp(cut.data(), &magic, cut.size()) != 0) {
    return wrong(InputFault::unknown_format, "it is no snapshot: name a file that `symphony pit snapshot` wrote");
  }
  const auto cut_short = [&] {
    return wrong(InputFault::truncated, "the snapshot was cut short: nothing of it was used; take another copy");
  };
  if (bytes.size() < sizeof head) return cut_short();
  if (head.format != snapshot_file_format) {
    return wrong(InputFault::unknown_format, "the snapshot is of format " + std::to_string(head.format) +
                                                 ", and this version reads " + std::to_string(snapshot_file_format) +
                                                 ": use the version that wrote it");
  }
  const auto damaged = [&] {
    return wrong(InputFault::malformed, "the snapshot is damaged: nothing of it was used; take another copy");
  };
  const bool makes_sense = head.name_size >= 1 && head.name_size <= pit::pit_name_size_max &&
                           head.frame_size <= pit::runtime::frame_size_max;
  if (!makes_sense) return damaged();
  const std::uint64_t size = sizeof head + name_room(head.name_size) + head.frame_size;
  if (bytes.size() < size) return cut_short();
  const auto rest = bytes.subspan(sizeof head);
  if (bytes.size() > size || checksum_of(head, rest) != head.checksum) return damaged();
  auto snapshot = pit::runtime::read_frame(head.revision, rest.subspan(name_room(head.name_size)));
  if (!snapshot) return damaged();
  return SnapshotFile{{reinterpret_cast<const char*>(rest.data()), head.name_size}, *std::move(snapshot)};
}

}  // namespace symphony::tools
