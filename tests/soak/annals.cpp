// The annals pit of the kill soak; see annals.fbs. Its state is the order itself, nothing that a second handling of a
// message could hide in: runs of numbers, by incarnation.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <symphony/pit.hpp>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "annals_generated.h"
#include "tests/soak/pages.hpp"

namespace soak = symphony::soak;

struct Waiting {
  std::uint64_t request = 0;
  std::uint64_t place = 0;
};

class Annals {
 public:
  // The file of its traces.
  symphony::Status configure(std::string_view path, symphony::Ctx& ctx) {
    const int fd = ::open(std::string(path).c_str(), O_RDWR | O_CLOEXEC);
    void* const at =
        fd < 0 ? MAP_FAILED : ::mmap(nullptr, sizeof(soak::PitPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0) ::close(fd);
    if (at == MAP_FAILED) return ctx.fail(SYMPHONY_BAD_MESSAGE, "no traces at ", path);
    auto* const page = static_cast<soak::PitPage*>(at);
    const char* const instance = std::getenv("SYMPHONY_PIT_INSTANCE");
    const std::uint32_t index =
        instance != nullptr ? static_cast<std::uint32_t>(std::strtoul(instance, nullptr, 10)) % soak::traces_max : 0;
    trace_ = &page->traces[index];
    trace_->pid = ::getpid();
    page->last = index;
    return symphony::ok();
  }

  symphony::Status on(symphony::In<annals::Write> m, symphony::Ctx& ctx) { return write(*m, ctx); }
  symphony::Status on(symphony::In<annals::WriteOnce> m, symphony::Ctx& ctx) { return write(*m, ctx); }
  symphony::Result<annals::Place> on(symphony::In<annals::Count> m, symphony::Ctx& ctx) {
    const Mark mark(*this, soak::Inside::handler);
    const auto found = lists_.find(m->incarnation());
    return annals::CreatePlace(ctx.builder(), found == lists_.end() ? 0 : found->second.size);
  }
  symphony::Result<annals::Piece> on(symphony::In<annals::Dump> m, symphony::Ctx& ctx) {
    constexpr std::uint32_t piece_size_max = 32 * 1024;
    const std::vector<std::uint8_t> all = image();
    const auto total = static_cast<std::uint32_t>(all.size());
    const std::uint32_t from = std::min(m->offset(), total);
    const auto bytes = ctx.builder().CreateVector(all.data() + from, std::min(piece_size_max, total - from));
    return annals::CreatePiece(ctx.builder(), total, bytes);
  }
  symphony::Status on(symphony::In<annals::Fall>, symphony::Ctx&) {
    ::kill(::getpid(), SIGKILL);
    return symphony::ok();
  }
  symphony::Status on_timer(std::uint64_t, symphony::Ctx& ctx) {
    const Mark mark(*this, soak::Inside::handler);
    while (!waiting_.empty()) end_oldest(ctx);
    return symphony::ok();
  }

  symphony::Status snapshot(symphony::Sink out) const {
    const Mark mark(*this, soak::Inside::snapshot);
    be_busy(snapshot_us);
    const std::vector<std::uint8_t> lists = image();
    out.write_value(static_cast<std::uint32_t>(waiting_.size()));
    for (const Waiting& one : waiting_) out.write_value(one);
    return out.write(lists.data(), lists.size());
  }
  symphony::Status restore(symphony::Source in, std::uint32_t) {
    const Mark mark(*this, soak::Inside::restore);
    be_busy(restore_us);
    Annals read;
    std::uint32_t count = 0;
    if (const auto status = in.read_value(count); !status.ok()) return status;
    if (count > SYMPHONY_PENDING_MAX) return symphony::fail(SYMPHONY_BAD_MESSAGE, "more wait than can");
    read.waiting_.resize(count);
    for (Waiting& one : read.waiting_) {
      if (const auto status = in.read_value(one); !status.ok()) return status;
    }
    std::uint64_t head[2] = {};  // torn, incarnations
    if (const auto status = in.read_value(head); !status.ok()) return status;
    read.torn_ = head[0];
    for (std::uint64_t i = 0; i < head[1]; ++i) {
      std::uint32_t list[2] = {};  // incarnation, runs
      if (const auto status = in.read_value(list); !status.ok()) return status;
      for (std::uint32_t k = 0; k < list[1]; ++k) {
        soak::Run run;
        if (const auto status = in.read_value(run); !status.ok()) return status;
        read.lists_[list[0]].runs.push_back(run);
        read.lists_[list[0]].size += run.count;
      }
    }
    lists_ = std::move(read.lists_);
    waiting_ = std::move(read.waiting_);
    torn_ = read.torn_;
    return symphony::ok();
  }

 private:
  struct List {
    std::vector<soak::Run> runs;
    std::uint64_t size = 0;
  };
  // Says where this process is, in a page that outlives it.
  class Mark {
   public:
    Mark(const Annals& pit, soak::Inside inside) : trace_(pit.trace_) {
      if (trace_ == nullptr) return;
      if (inside == soak::Inside::handler) trace_->handled = trace_->handled + 1;
      trace_->inside = inside;
    }
    ~Mark() {
      if (trace_ != nullptr) trace_->inside = soak::Inside::nothing;
    }
    Mark(const Mark&) = delete;
    Mark& operator=(const Mark&) = delete;

   private:
    soak::PitTrace* trace_;
  };

  template <class Message>
  symphony::Status write(const Message& m, symphony::Ctx& ctx) {
    const Mark mark(*this, soak::Inside::handler);
    if (m.check() != soak::check_of(m.incarnation(), m.number())) ++torn_;
    List& list = lists_[m.incarnation()];
    if (!list.runs.empty() && list.runs.back().first + list.runs.back().count == m.number()) {
      ++list.runs.back().count;
    } else {
      list.runs.push_back({m.number(), 1});
    }
    ++list.size;
    be_busy(m.busy_us());
    if (!m.later()) return ctx.reply(annals::CreatePlace(ctx.builder(), list.size));
    if (waiting_.size() >= waiting_max) end_oldest(ctx);
    waiting_.push_back({ctx.request(), list.size});
    if (waiting_.size() == 1) (void)ctx.set_timer(1, ctx.now_ns() + wait_ns);
    return ctx.later();
  }

  // So that a kill finds it here.
  static void be_busy(std::uint32_t us) {
    if (us == 0) return;
    timespec begun{}, now{};
    ::clock_gettime(CLOCK_MONOTONIC, &begun);
    do {
      ::clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - begun.tv_sec) * 1'000'000'000L + now.tv_nsec - begun.tv_nsec < long{us} * 1000);
  }

  void end_oldest(symphony::Ctx& ctx) {
    const Waiting one = waiting_.front();
    waiting_.erase(waiting_.begin());
    (void)ctx.end(one.request, annals::CreatePlace(ctx.builder(), one.place));  // refused: its caller is gone
  }

  // The lists as bytes: torn, incarnations, then each with its runs.
  [[nodiscard]] std::vector<std::uint8_t> image() const {
    std::vector<std::uint8_t> out;
    const auto put = [&out](const auto& value) {
      const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&value);
      out.insert(out.end(), bytes, bytes + sizeof value);
    };
    put(torn_);
    put(std::uint64_t{lists_.size()});
    for (const auto& [incarnation, list] : lists_) {
      put(incarnation);
      put(static_cast<std::uint32_t>(list.runs.size()));
      for (const soak::Run& run : list.runs) put(run);
    }
    return out;
  }

  static constexpr std::size_t waiting_max = 16;
  static constexpr std::uint64_t wait_ns = 200'000;
  static constexpr std::uint32_t snapshot_us = 30, restore_us = 500;

  std::map<std::uint32_t, List> lists_;
  std::vector<Waiting> waiting_;  // requests that are answered later, oldest first
  std::uint64_t torn_ = 0;
  soak::PitTrace* trace_ = nullptr;  // of this process, not of the state
};

SYMPHONY_PIT(Annals, annals, "1.0.0", symphony::idempotent<annals::Write>, symphony::once<annals::WriteOnce>,
             symphony::read<annals::Count>, symphony::read<annals::Dump>, symphony::idempotent<annals::Fall>);
