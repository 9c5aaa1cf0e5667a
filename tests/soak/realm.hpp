// A realm of the soak: a daemon, its annals pit, and callers, each a process; and what they leave behind.
// Layer: tests. Threads: one at a time, the same one as long as its processes live (they end with it).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <symphony/endpoint.hpp>

#include "tests/soak/checker.hpp"
#include "tests/soak/pages.hpp"
#include "tests/soak/processes.hpp"

namespace symphony::soak {

inline constexpr TimeNs patience_ns = 90 * second_ns;  // who takes longer hangs
inline constexpr const char* broker_name = "symphony-broker";
inline constexpr const char* pit_name = "symphony-pit-ho";  // as the kernel cuts it

// A page in a file, for as long as this is there.
template <class Page>
class Mapped {
 public:
  explicit Mapped(const std::string& path);
  ~Mapped();
  Mapped(Mapped&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}
  Mapped& operator=(Mapped&&) = delete;
  Page* operator->() const noexcept { return page_; }
  Page& operator*() const noexcept { return *page_; }

 private:
  Page* page_ = nullptr;
};

// What a realm is made of: the paths of programs, and of the pit's file.
struct Programs {
  std::string daemon, caller, pit_host, annals;
};
// Those beside this program.
[[nodiscard]] Programs own_programs();

class Realm {
 public:
  // Everything is in `folder`, which is made. A journal of 0 bytes: the pit's state ends with its process. Throws
  // std::runtime_error when something does not start.
  Realm(std::filesystem::path folder, std::uint32_t seed, std::uint32_t journal_size,
        Programs programs = own_programs());
  ~Realm();
  Realm(const Realm&) = delete;
  Realm& operator=(const Realm&) = delete;

  struct Running {
    Child child;
    std::size_t page = 0;  // of pages()
  };
  void start_caller(std::uint32_t rest_ms = 0);
  // Kills it; what it did stays. Returns where it was.
  Place kill_caller(std::size_t index);
  [[nodiscard]] std::size_t callers() const noexcept { return callers_.size(); }
  [[nodiscard]] pid_t pid_of(std::size_t caller) const { return callers_.at(caller).child.pid; }
  [[nodiscard]] const CallerPage& page_of(std::size_t caller) const { return *pages_[callers_[caller].page]; }
  // A caller that ended by itself; nothing: all is well.
  [[nodiscard]] std::string trouble();

  [[nodiscard]] pid_t keeper() const noexcept { return daemon_.pid; }
  [[nodiscard]] Held broker() const { return child_of(daemon_.pid, broker_name); }
  [[nodiscard]] Held pit() const { return child_of(daemon_.pid, pit_name); }
  // Of that process; null: it has not come so far.
  [[nodiscard]] const PitTrace* trace_of(pid_t pit) const;
  [[nodiscard]] const PitTrace& newest_trace() const { return traces_->traces[traces_->last]; }

  [[nodiscard]] std::uint64_t calls() const;
  [[nodiscard]] Endpoint connect() const;

  // Ends all callers in order; false: one hangs, or complains (trouble() says it).
  bool stop_callers();
  // What is in the pit's state, asked for when no caller has a link any more.
  [[nodiscard]] State state();
  [[nodiscard]] std::vector<History> histories() const;
  // SIGTERM to the daemon: its status, or nothing when it hangs.
  std::optional<int> end();
  [[nodiscard]] std::string errors() const;  // what the daemon and the callers said
  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }

 private:
  std::filesystem::path folder_;
  std::uint32_t seed_;
  Programs programs_;
  Mapped<PitPage> traces_;
  Child daemon_;
  std::vector<Mapped<CallerPage>> pages_;
  std::vector<Running> callers_;
  std::optional<Endpoint> endpoint_;
  std::string trouble_;
};

}  // namespace symphony::soak
