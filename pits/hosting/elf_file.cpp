#include "pits/hosting/elf_file.hpp"

#include <elf.h>
#include <symphony/pit.h>

#include <bit>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>

namespace symphony::pit {

bool begins_as_wasm(std::span<const std::byte> bytes) noexcept {
  constexpr std::string_view magic("\0asm", 4);
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

namespace {

static_assert(std::endian::native == std::endian::little, "values are read as they stand");

#if defined(__x86_64__)
constexpr std::uint16_t this_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t this_machine = EM_AARCH64;
#else
#error "name this machine's ELF number"
#endif

Outcome bad(std::string what) { return {SYMPHONY_BAD_MESSAGE, std::move(what)}; }
Outcome truncated() {
  return bad("the file is truncated or damaged, its headers point past its end: copy or build it again");
}

// The bytes of a file; every access is checked.
class Bytes {
 public:
  explicit Bytes(std::span<const std::byte> all) noexcept : all_(all) {}

  [[nodiscard]] std::optional<std::span<const std::byte>> part(std::uint64_t at, std::uint64_t size) const noexcept {
    if (at > all_.size() || size > all_.size() - at) return std::nullopt;
    return all_.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(size));
  }
  template <class T>
  [[nodiscard]] std::optional<T> value(std::uint64_t at) const noexcept {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto bytes = part(at, sizeof(T));
    if (!bytes) return std::nullopt;
    T read;
    std::memcpy(&read, bytes->data(), sizeof read);
    return read;
  }
  // The text that begins there, without its 0.
  [[nodiscard]] std::optional<std::string_view> text(std::uint64_t at) const noexcept {
    if (at >= all_.size()) return std::nullopt;
    const auto* begin = reinterpret_cast<const char*>(all_.data()) + at;
    const void* end = std::memchr(begin, 0, all_.size() - static_cast<std::size_t>(at));
    if (end == nullptr) return std::nullopt;
    return std::string_view(begin, static_cast<std::size_t>(static_cast<const char*>(end) - begin));
  }
  [[nodiscard]] std::uint64_t size() const noexcept { return all_.size(); }

 private:
  std::span<const std::byte> all_;
};

Outcome check_header(std::span<const std::byte> bytes, Elf64_Ehdr& header) {
  if (begins_as_wasm(bytes))
    return bad(
        "a WebAssembly module is loaded in its compiled form: name the _wasm.so that symphony_add_pit makes of it");
  if (bytes.size() < EI_NIDENT || std::memcmp(bytes.data(), ELFMAG, SELFMAG) != 0)
    return bad("the file is no ELF file: name the .so that symphony_add_pit makes");
  const auto read = Bytes(bytes).value<Elf64_Ehdr>(0);
  if (!read) return truncated();
  header = *read;
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != this_machine)
    return {SYMPHONY_VERSION, "the file was built for another machine: build it for this one"};
  if (header.e_ident[EI_VERSION] != EV_CURRENT || header.e_version != EV_CURRENT ||
      header.e_ehsize != sizeof(Elf64_Ehdr))
    return bad("the file's ELF header is damaged: copy or build it again");
  if (header.e_shoff == 0 || header.e_shnum == 0 || header.e_shentsize != sizeof(Elf64_Shdr))
    return bad("the file has no section headers, by which its note is found: do not strip them");
  return {};
}

Outcome read_notes(std::span<const std::byte> section, ElfFile& out) {
  const Bytes bytes(section);
  constexpr auto padded = [](std::uint64_t size) { return (size + 3) / 4 * 4; };
  for (std::uint64_t at = 0; at < section.size();) {
    const auto head = bytes.value<Elf64_Nhdr>(at);
    if (!head) return truncated();
    const std::uint64_t owner_at = at + sizeof *head;
    const std::uint64_t description_at = owner_at + padded(head->n_namesz);
    const auto owner = bytes.part(owner_at, head->n_namesz);
    const auto description = bytes.part(description_at, head->n_descsz);
    if (!owner || !description) return truncated();
    constexpr std::string_view ours(SYMPHONY_NOTE_OWNER, sizeof SYMPHONY_NOTE_OWNER);
    if (head->n_type == SYMPHONY_NOTE_TYPE && owner->size() == ours.size() &&
        std::memcmp(owner->data(), ours.data(), ours.size()) == 0)
      out.notes.push_back(*description);
    at = description_at + padded(head->n_descsz);
  }
  return {};
}

Outcome read_symbols(std::span<const std::byte> section, std::span<const std::byte> texts, ElfFile& out) {
  const Bytes symbols(section);
  for (std::uint64_t at = 0; at < section.size(); at += sizeof(Elf64_Sym)) {
    const auto symbol = symbols.value<Elf64_Sym>(at);
    if (!symbol) return truncated();
    const unsigned binding = ELF64_ST_BIND(symbol->st_info);
    if (symbol->st_shndx == SHN_UNDEF || binding == STB_LOCAL) continue;
    const auto name = Bytes(texts).text(symbol->st_name);
    if (!name) return truncated();
    out.exported.push_back({*name, binding == STB_GNU_UNIQUE});
  }
  return {};
}

}  // namespace

Outcome read_elf(std::span<const std::byte> bytes, ElfFile& out) {
  out = ElfFile{};
  Elf64_Ehdr header{};
  if (Outcome checked = check_header(bytes, header); !checked.ok()) return checked;
  const Bytes file(bytes);
  const auto section = [&](std::uint64_t index) -> std::optional<Elf64_Shdr> {
    if (index >= header.e_shnum || header.e_shoff > file.size()) return std::nullopt;
    return file.value<Elf64_Shdr>(header.e_shoff + index * sizeof(Elf64_Shdr));
  };
  const auto contents = [&](const std::optional<Elf64_Shdr>& of) -> std::optional<std::span<const std::byte>> {
    if (!of) return std::nullopt;
    if (of->sh_type == SHT_NOBITS) return std::span<const std::byte>();
    return file.part(of->sh_offset, of->sh_size);
  };
  const auto names = contents(section(header.e_shstrndx));
  if (!names) return truncated();
  out.shared_object = header.e_type == ET_DYN;
  for (std::uint64_t i = 1; i < header.e_shnum; ++i) {
    const auto here = section(i);
    const auto within = contents(here);
    if (!here || !within) return truncated();
    const auto name = Bytes(*names).text(here->sh_name);
    if (!name) return truncated();
    Outcome read;
    if (*name == SYMPHONY_NOTE_SECTION && here->sh_type == SHT_NOTE) {
      read = read_notes(*within, out);
    } else if (here->sh_type == SHT_DYNSYM) {
      const auto texts = contents(section(here->sh_link));
      read = texts ? read_symbols(*within, *texts, out) : truncated();
    } else if (here->sh_type == SHT_INIT_ARRAY) {
      out.init_array_size += here->sh_size;
    }
    if (!read.ok()) return read;
  }
  return {};
}

}  // namespace symphony::pit
