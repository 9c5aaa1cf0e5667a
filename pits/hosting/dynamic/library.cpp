#include "pits/hosting/dynamic/library.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>
#include <string>
#include <symphony/unique_fd.hpp>
#include <utility>
#include <vector>

namespace symphony::pit {
namespace {

constexpr std::string_view entry_symbol = "symphony_pit_entry_v1";
constexpr int all_seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

Outcome bad(const PitFile& file, const std::string& what) { return {SYMPHONY_BAD_MESSAGE, file.path + ": " + what}; }

Outcome check_loadable(const PitFile& file) {
  if (!file.elf.shared_object) return bad(file, "no shared object: name the .so that symphony_add_pit makes");
  if (file.notes.size() != 1) {
    return bad(file, "it holds " + std::to_string(file.notes.size()) +
                         " pits, and a shared object has one entry: build one .so a pit");
  }
  const auto unique = [](const ElfSymbol& symbol) { return symbol.unique; };
  const auto shared = std::find_if(file.elf.exported.begin(), file.elf.exported.end(), unique);
  if (shared != file.elf.exported.end()) {
    return bad(file, "two versions of it would share '" + std::string(shared->name) +
                         "', a unique symbol: build it with symphony_add_pit, or with -fno-gnu-unique "
                         "-fvisibility=hidden");
  }
  const auto is_entry = [](const ElfSymbol& symbol) { return symbol.name == entry_symbol; };
  if (std::none_of(file.elf.exported.begin(), file.elf.exported.end(), is_entry)) {
    return bad(file,
               "it does not export symphony_pit_entry_v1: build it with symphony_add_pit, or define "
               "SYMPHONY_PIT_SHARED");
  }
  return {};
}

std::string system_text(const PitFile& file, const char* what) {
  return file.path + ": " + what + ": " + std::strerror(errno);
}

// The bytes in memory, sealed.
Outcome copy_to_memory(const PitFile& file, UniqueFd& out) {
  UniqueFd copy(::memfd_create(("pit:" + file.notes[0].info.name).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!copy) return {SYMPHONY_OVERLOADED, system_text(file, "no descriptor for a copy in memory")};
  std::size_t done = 0;
  while (done < file.bytes.size()) {
    const ssize_t n = ::write(copy.get(), file.bytes.data() + done, file.bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return {SYMPHONY_OVERLOADED, system_text(file, "no memory for a copy")};
    done += static_cast<std::size_t>(n);
  }
  if (::fcntl(copy.get(), F_ADD_SEALS, all_seals) != 0)
    return {SYMPHONY_INTERNAL, system_text(file, "the copy in memory cannot be sealed")};
  out = std::move(copy);
  return {};
}

bool same_bytes(const UniqueFd& copy, std::span<const std::byte> bytes) {
  struct stat about {};
  if (::fstat(copy.get(), &about) != 0 || static_cast<std::uint64_t>(about.st_size) != bytes.size()) return false;
  std::vector<std::byte> part(std::size_t{64} * 1024);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t want = std::min(part.size(), bytes.size() - at);
    const ssize_t n = ::pread(copy.get(), part.data(), want, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || std::memcmp(part.data(), bytes.data() + at, static_cast<std::size_t>(n)) != 0) return false;
    at += static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

// What the process has loaded. Never destroyed, as nothing in it is ever unloaded.
class Loaded {
 public:
  static Loaded& of_process() {
    static Loaded& all = *new Loaded;
    return all;
  }

  Outcome load(const PitFile& file, std::shared_ptr<const PitLibrary>& out) {
    const std::lock_guard lock(mutex_);
    for (Library& library : libraries_) {
      if (same_bytes(library.copy, file.bytes)) return use(library, out);
    }
    if (Outcome checked = check_loadable(file); !checked.ok()) return checked;
    libraries_.reserve(libraries_.size() + 1);  // so that nothing can fail once the library is there
    Library library;
    library.info = file.notes[0].info;
    if (Outcome copied = copy_to_memory(file, library.copy); !copied.ok()) return copied;
    const std::string name = "/proc/self/fd/" + std::to_string(library.copy.get());
    void* handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const char* why = ::dlerror();
      return {SYMPHONY_UNREACHABLE,
              file.path + ": the system's loader refused it: " + (why != nullptr ? why : "no reason given") +
                  "; build it on this system, and see that /proc is mounted"};
    }
    // From here on it stays, whatever it turns out to be.
    library.entry = static_cast<const symphony_pit_entry*>(::dlsym(handle, std::string(entry_symbol).c_str()));
    library.outcome = check_table(file, library);
    libraries_.push_back(std::move(library));
    return use(libraries_.back(), out);
  }

  LibraryCounts counts() noexcept {
    const std::lock_guard lock(mutex_);
    const auto unused = [](const Library& library) { return library.use.expired(); };
    return {static_cast<std::uint32_t>(libraries_.size()),
            static_cast<std::uint32_t>(std::count_if(libraries_.begin(), libraries_.end(), unused))};
  }

 private:
  struct Library {
    UniqueFd copy;
    const symphony_pit_entry* entry = nullptr;
    PitInfo info;
    Outcome outcome;  // what was found when it was loaded; asked for again, it is the same
    std::weak_ptr<const PitLibrary> use;
  };

  static Outcome use(Library& library, std::shared_ptr<const PitLibrary>& out) {
    if (!library.outcome.ok()) return library.outcome;
    out = library.use.lock();
    if (!out) library.use = out = std::shared_ptr<PitLibrary>(new PitLibrary(*library.entry, library.info));
    return {};
  }

  static Outcome check_table(const PitFile& file, const Library& library) {
    if (library.entry == nullptr)
      return bad(file, "its symphony_pit_entry_v1 is not there once loaded: build it again");
    symphony_pit_entry table;
    PitInfo said;
    if (Outcome read = read_entry(*library.entry, table, said); !read.ok())
      return {read.status, file.path + ": " + read.text};
    const std::string_view difference = first_difference(said, library.info);
    if (difference.empty()) return {};
    return bad(file, "its table and its note differ in the " + std::string(difference) + ": build it again");
  }

  std::mutex mutex_;
  std::vector<Library> libraries_;
};

Outcome PitLibrary::load(const PitFile& file, std::shared_ptr<const PitLibrary>& out) {
  try {
    return Loaded::of_process().load(file, out);
  } catch (const std::bad_alloc&) {
    return {SYMPHONY_OVERLOADED, file.path + ": no memory to load it"};
  }
}

LibraryCounts library_counts() noexcept { return Loaded::of_process().counts(); }

}  // namespace symphony::pit
