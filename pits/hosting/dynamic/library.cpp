#include "pits/hosting/dynamic/library.hpp"

#include <algorithm>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "pits/hosting/resident_object.hpp"

namespace symphony::pit {
namespace {

constexpr const char* entry_symbol = "symphony_pit_entry_v1";

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
      if (library.object.holds(file.bytes)) return use(library, out);
    }
    if (Outcome checked = check_loadable(file); !checked.ok()) return checked;
    libraries_.reserve(libraries_.size() + 1);  // so that nothing can fail once the library is there
    Library library;
    library.info = file.notes[0].info;
    if (Outcome loaded = load_resident(file, library.object); !loaded.ok()) return loaded;
    // From here on it stays, whatever it turns out to be.
    library.entry = static_cast<const symphony_pit_entry*>(library.object.symbol(entry_symbol));
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
    ResidentObject object;
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
