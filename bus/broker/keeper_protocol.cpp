#include "bus/broker/keeper_protocol.hpp"

#include <algorithm>
#include <cstring>

namespace symphony::detail::broker::keeper {
namespace {

struct SpawnHeader {
  std::uint32_t clear_environment = 0;
  std::uint32_t args = 0;
  std::uint32_t environment = 0;
  std::uint32_t inherited = 0;
  std::uint32_t keep_stderr = 0;
  std::uint32_t own_namespaces = 0;
};

void append(std::vector<std::byte>& out, const void* data, std::size_t size) {
  if (size == 0) return;
  out.resize(out.size() + size);
  std::memcpy(out.data() + out.size() - size, data, size);
}

}  // namespace

std::vector<std::byte> datagram(Kind kind, std::uint64_t key, std::int32_t value, std::span<const std::byte> payload) {
  const Header header{kind, value, key};
  std::vector<std::byte> out;
  append(out, &header, sizeof(header));
  append(out, payload.data(), payload.size());
  return out;
}

std::optional<Datagram> parse(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(Header)) return std::nullopt;
  Datagram out;
  std::memcpy(&out.header, bytes.data(), sizeof(Header));
  out.payload = bytes.subspan(sizeof(Header));
  return out;
}

std::vector<std::byte> encode(const SpawnRequest& request) {
  const SpawnHeader header{request.clear_environment ? 1U : 0U,
                           static_cast<std::uint32_t>(request.args.size()),
                           static_cast<std::uint32_t>(request.environment.size()),
                           static_cast<std::uint32_t>(request.inherited.size()),
                           request.keep_stderr ? 1U : 0U,
                           request.own_namespaces ? 1U : 0U};
  std::vector<std::byte> out;
  append(out, &header, sizeof(header));
  for (const SpawnRequest::Inherited& i : request.inherited) {
    const std::uint64_t words[] = {i.key, i.read_only ? 1U : 0U};
    append(out, words, sizeof(words));
  }
  append(out, request.executable.c_str(), request.executable.size() + 1);
  for (const auto& s : request.args) append(out, s.c_str(), s.size() + 1);
  for (const auto& s : request.environment) append(out, s.c_str(), s.size() + 1);
  return out;
}

std::optional<SpawnRequest> decode_spawn(std::span<const std::byte> payload) {
  SpawnHeader header;
  if (payload.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, payload.data(), sizeof(header));
  if (header.args > strings_max || header.environment > strings_max) return std::nullopt;
  auto rest = payload.subspan(sizeof(header));
  if (header.inherited > inherited_max || rest.size() < header.inherited * 2 * sizeof(std::uint64_t)) {
    return std::nullopt;
  }
  SpawnRequest request;
  for (std::uint32_t i = 0; i < header.inherited; ++i) {
    std::uint64_t words[2];
    std::memcpy(words, rest.data(), sizeof(words));
    request.inherited.push_back({words[0], words[1] != 0});
    rest = rest.subspan(sizeof(words));
  }
  bool ok = true;
  const auto next = [&]() -> std::string {
    const auto end = std::find(rest.begin(), rest.end(), std::byte{0});
    if (end == rest.end()) {
      ok = false;
      return {};
    }
    std::string s(reinterpret_cast<const char*>(rest.data()), static_cast<std::size_t>(end - rest.begin()));
    rest = rest.subspan(s.size() + 1);
    return s;
  };
  request.clear_environment = header.clear_environment != 0;
  request.keep_stderr = header.keep_stderr != 0;
  request.own_namespaces = header.own_namespaces != 0;
  request.executable = next();
  for (std::uint32_t i = 0; ok && i < header.args; ++i) request.args.push_back(next());
  for (std::uint32_t i = 0; ok && i < header.environment; ++i) request.environment.push_back(next());
  if (!ok || !rest.empty() || request.args.empty()) return std::nullopt;
  return request;
}

}  // namespace symphony::detail::broker::keeper
