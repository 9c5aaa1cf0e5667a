#include "tests/soak/realm.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <symphony/typed.hpp>

#include "annals_generated.h"

namespace symphony::soak {
namespace fs = std::filesystem;
namespace {

class Reader {
 public:
  explicit Reader(const std::vector<std::uint8_t>& bytes) : bytes_(bytes) {}
  template <class T>
  T take() {
    T value{};
    if (at_ + sizeof value > bytes_.size()) throw std::runtime_error("the pit's list ends too early");
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }

 private:
  const std::vector<std::uint8_t>& bytes_;
  std::size_t at_ = 0;
};

State read_state(const std::vector<std::uint8_t>& bytes) {
  Reader reader(bytes);
  State state;
  state.torn = reader.take<std::uint64_t>();
  for (auto lists = reader.take<std::uint64_t>(); lists != 0; --lists) {
    std::vector<Run>& runs = state.handled[reader.take<std::uint32_t>()];
    for (auto count = reader.take<std::uint32_t>(); count != 0; --count) runs.push_back(reader.take<Run>());
  }
  return state;
}

}  // namespace

template <class Page>
Mapped<Page>::Mapped(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd || ::ftruncate(fd.get(), sizeof(Page)) != 0) throw std::runtime_error("no room for " + path);
  void* const at = ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) throw std::runtime_error("no memory for " + path);
  page_ = static_cast<Page*>(at);
}
template <class Page>
Mapped<Page>::~Mapped() {
  if (page_ != nullptr) ::munmap(page_, sizeof(Page));
}
template class Mapped<PitPage>;

Programs own_programs() {
  const fs::path bin = fs::read_symlink("/proc/self/exe").parent_path();
  return {bin / "soak_party", bin / "soak_party", bin / "symphony-pit-host", bin / "../pits/annals.so"};
}

Realm::Realm(fs::path folder, std::uint32_t seed, std::uint32_t journal_size, Programs programs)
    : folder_((fs::create_directories(folder), std::move(folder))),
      seed_(seed),
      programs_(std::move(programs)),
      traces_(folder_ / "traces") {
  daemon_ = spawn({programs_.daemon, "daemon", folder_ / "realm" / "broker.sock", programs_.pit_host, programs_.annals,
                   folder_ / "traces", std::to_string(journal_size)},
                  folder_ / "errors");
  if (!daemon_.pidfd) throw std::runtime_error("the daemon does not start");
}

Realm::~Realm() {
  int status = 0;
  endpoint_.reset();
  for (Running& one : callers_) ::kill(one.child.pid, SIGKILL), (void)one.child.wait(patience_ns, status);
  if (daemon_.pidfd) ::kill(daemon_.pid, SIGKILL), (void)daemon_.wait(patience_ns, status);
}

void Realm::start_caller(std::uint32_t rest_ms) {
  const std::size_t index = pages_.size();
  const std::string path = folder_ / ("caller." + std::to_string(index));
  pages_.emplace_back(path);
  pages_.back()->incarnation = static_cast<std::uint32_t>(index) + 1;
  pages_.back()->seed = seed_ + static_cast<std::uint32_t>(index) * 7919;
  pages_.back()->rest_ms = rest_ms;
  callers_.push_back(
      {spawn({programs_.caller, "caller", folder_ / "realm" / "broker.sock", path}, folder_ / "errors"), index});
  if (!callers_.back().child.pidfd) throw std::runtime_error("a caller does not start");
}

Place Realm::kill_caller(std::size_t index) {
  Running& one = callers_.at(index);
  ::kill(one.child.pid, SIGKILL);
  int status = 0;
  if (!one.child.wait(patience_ns, status)) throw std::runtime_error("a caller does not die");
  const Place place = pages_[one.page]->place;
  callers_.erase(callers_.begin() + static_cast<std::ptrdiff_t>(index));
  return place;
}

std::string Realm::trouble() {
  for (std::size_t i = 0; i < callers_.size();) {
    Running& one = callers_[i];
    int status = 0;
    if (!one.child.wait(0, status)) {
      ++i;
      continue;
    }
    const CallerPage& page = *pages_[one.page];
    const bool is_full = WIFEXITED(status) && WEXITSTATUS(status) == 0 && page.count >= calls_per_page_max;
    if (!is_full) {
      trouble_ += "caller " + std::to_string(page.incarnation) + " ended with wait status " + std::to_string(status) +
                  ": " + page.trouble.data() + "\n";
    }
    callers_.erase(callers_.begin() + static_cast<std::ptrdiff_t>(i));
    if (is_full) start_caller();
  }
  int status = 0;
  if (daemon_.pidfd && daemon_.wait(0, status)) {
    daemon_.pidfd.reset();
    trouble_ += "the daemon ended with wait status " + std::to_string(status) + "\n";
  }
  return trouble_;
}

const PitTrace* Realm::trace_of(pid_t pit) const {
  const std::uint32_t last = traces_->last;
  // The newest first; a few back, where some died on their way.
  for (std::uint32_t back = 0; back < 64; ++back) {
    const PitTrace& one = traces_->traces[(last + traces_max - back) % traces_max];
    if (one.pid == pit) return &one;
  }
  return nullptr;
}

std::uint64_t Realm::calls() const {
  std::uint64_t all = 0;
  for (const auto& page : pages_) all += page->count;
  return all;
}

Endpoint Realm::connect() const {
  auto made = Endpoint::connect({.realm = {}, .path = folder_ / "realm" / "broker.sock", .timeout_ns = patience_ns});
  if (!made) throw std::runtime_error(std::string("connect: ") + made.error().text);
  return *std::move(made);
}

bool Realm::stop_callers() {
  for (const Running& one : callers_) pages_[one.page]->stop = 1;
  bool all_well = true;
  for (Running& one : callers_) {
    int status = 0;
    CallerPage& page = *pages_[one.page];
    if (!one.child.wait(patience_ns, status)) {
      trouble_ += "caller " + std::to_string(page.incarnation) + " hangs at place " +
                  std::to_string(static_cast<std::uint32_t>(page.place.load())) + "\n";
      return false;
    }
    if (status == 0) continue;
    all_well = false;
    trouble_ += "caller " + std::to_string(page.incarnation) + " ended with wait status " + std::to_string(status) +
                ": " + page.trouble.data() + "\n";
  }
  callers_.clear();
  return all_well;
}

State Realm::state() {
  if (!endpoint_) endpoint_.emplace(connect());
  auto opened = endpoint_->open("annals", {}, patience_ns);
  if (!opened) throw std::runtime_error(std::string("open: ") + opened.error().text);
  Link link = *std::move(opened);
  // What callers left in their rings is handled before their links are gone.
  for (const TimeNs deadline = deadline_after(patience_ns);; pause_us(500)) {
    const auto status = endpoint_->status();
    if (status && status->pits.at(0).links == 1) break;
    if (now_ns() > deadline) throw std::runtime_error("links of callers that are gone stay");
  }
  std::vector<std::uint8_t> bytes;
  flatbuffers::FlatBufferBuilder builder;
  for (;;) {
    const auto piece =
        call<annals::Piece>(link, builder, annals::CreateDump(builder, static_cast<std::uint32_t>(bytes.size())),
                            {.timeout_ns = patience_ns, .effect = Effect::read});
    if (!piece || piece->bytes() == nullptr)
      throw std::runtime_error("the pit does not tell its list: " + std::string(piece.reply.text));
    bytes.insert(bytes.end(), piece->bytes()->begin(), piece->bytes()->end());
    if (bytes.size() >= piece->total()) return read_state(bytes);
  }
}

std::vector<History> Realm::histories() const {
  std::vector<History> all;
  for (const auto& page : pages_) {
    History& history = all.emplace_back();
    history.incarnation = page->incarnation;
    const std::uint32_t count = page->count;
    history.calls.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      const CallSlot& slot = page->calls[i];
      history.calls.push_back({slot.number, slot.kind, slot.has_ended != 0, slot.status, slot.answer});
    }
  }
  return all;
}

std::optional<int> Realm::end() {
  endpoint_.reset();
  ::kill(daemon_.pid, SIGTERM);
  int status = 0;
  if (!daemon_.wait(patience_ns, status)) return std::nullopt;
  daemon_.pidfd.reset();
  return status;
}

std::string Realm::errors() const {
  std::ifstream file(folder_ / "errors");
  std::ostringstream all;
  all << file.rdbuf();
  return all.str();
}

}  // namespace symphony::soak
