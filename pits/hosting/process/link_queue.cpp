#include "pits/hosting/process/link_queue.hpp"

#include <concurrentqueue/concurrentqueue.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "bus/base/platform.hpp"
#include "pits/hosting/futex.hpp"
#include "pits/hosting/process/process_link.hpp"

namespace symphony::pit {
namespace {

// A job's word: idle -> submitted -> ended, plus the bit that its thread sets before it sleeps.
constexpr std::uint32_t submitted = 1;
constexpr std::uint32_t ended = 2;
constexpr std::uint32_t asleep = 0x80;

constexpr int spins_max = 64;  // an ending is seldom there sooner than its thread has to sleep
constexpr TimeNs sleep_ns_max = 1 * second_ns;
constexpr TimeNs room_sleep_ns_max = 1 * ms_ns;  // nobody tells when the link has room

constexpr std::string_view text_full =
    "too many calls wait for the link that these threads share: try later, or raise threads_max";
constexpr std::string_view text_late = "the call's deadline passed while the link had no room for it";
constexpr std::string_view text_memory = "no memory to hold the call or its reply: try later";
constexpr std::string_view text_forked = "this caller was made before fork(): make a new Endpoint in the child";

}  // namespace

// One thread's call, from submit to its ending.
struct LinkQueue::Job {
  Request request;
  Reply reply;  // whole when the word says `ended`
  std::vector<std::byte> bytes;
  std::atomic<std::uint32_t> word{0};
};

class LinkQueue::Owner {
 public:
  using JobQueue = moodycamel::ConcurrentQueue<Job*>;

  Owner(symphony::Link& link, std::int64_t waiting_max)
      : link_(link), waiting_max_(waiting_max), thread_([this] { run(); }) {}
  ~Owner() {
    // sync link_queue.stop release: with its look.
    stop_.store(true, std::memory_order_release);
    link_.nudge();
    thread_.join();
  }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;

  JobQueue jobs{JobQueue::BLOCK_SIZE * 4};

  // False: full, or no memory.   [any thread]
  [[nodiscard]] bool submit(Job& job, moodycamel::ProducerToken& at) noexcept {
    // sync link_queue.sleep seq_cst: counted before the look at is_asleep_, as the owner says that it sleeps before it
    // looks at the count: one of them sees the other.
    if (waiting_.fetch_add(1, std::memory_order_seq_cst) >= waiting_max_ || !jobs.enqueue(at, &job)) {
      // relaxed: nothing was done with the place.
      waiting_.fetch_sub(1, std::memory_order_relaxed);
      return false;
    }
    // sync link_queue.sleep seq_cst: as above.
    if (is_asleep_.load(std::memory_order_seq_cst)) link_.nudge();
    return true;
  }

 private:
  struct Sent {
    CallId id;
    Job* job;
  };

  void run() noexcept {
    moodycamel::ConsumerToken consumer(jobs);
    for (;;) {
      const bool took = take(consumer);
      const bool sent = send();
      if (deliver() || took || sent) continue;
      // sync link_queue.stop acquire: with the destructor.
      if (stop_.load(std::memory_order_acquire)) return;
      sleep();
    }
  }

  // What was submitted, into our own hands.
  bool take(moodycamel::ConsumerToken& consumer) noexcept {
    bool any = false;
    for (Job* job = nullptr; jobs.try_dequeue(consumer, job); any = true) {
      try {
        if (to_send_.empty() && try_send(*job)) continue;
        to_send_.push_back(job);
      } catch (const std::bad_alloc&) {
        leave();
        end(*job, {.status = status::overloaded, .text = text_memory});
      }
    }
    return any;
  }
  // Those for which there was no room, in order.
  bool send() noexcept {
    bool any = false;
    try {
      while (!to_send_.empty() && try_send(*to_send_.front())) {
        to_send_.pop_front();
        any = true;
      }
    } catch (const std::bad_alloc&) {
      // Later, or at its deadline.
    }
    if (to_send_.empty()) return any;
    const TimeNs now = now_ns();
    return std::erase_if(to_send_,
                         [&](Job* job) {
                           if (job->request.deadline_ns > now) return false;
                           leave();
                           end(*job, {.status = status::deadline, .text = text_late});
                           return true;
                         }) != 0 ||
           any;
  }
  [[nodiscard]] bool try_send(Job& job) {
    sent_.reserve(sent_.size() + 1);
    const Request& request = job.request;
    const auto id =
        link_.try_start(request.type, request.body,
                        {.effect = static_cast<Effect>(request.effect), .deadline_ns = request.deadline_ns});
    if (!id) return false;
    sent_.push_back({*id, &job});
    leave();
    return true;
  }
  void leave() noexcept {
    // relaxed: a count; the queue has handed over the job.
    waiting_.fetch_sub(1, std::memory_order_relaxed);
  }
  bool deliver() noexcept {
    return std::erase_if(sent_, [&](const Sent& sent) {
             const auto reply = link_.try_take(sent.id);
             if (reply) end(*sent.job, *reply);
             return reply.has_value();
           }) != 0;
  }
  void sleep() noexcept {
    const TimeNs now = now_ns();
    TimeNs until = to_send_.empty() ? no_deadline_ns : now + room_sleep_ns_max;
    // The link ends what is overdue by the tick clock: a little after the deadline by this one.
    for (const Sent& sent : sent_) until = std::min(until, std::max(sent.job->request.deadline_ns, now + ms_ns));
    // sync link_queue.sleep seq_cst: said before the look at the count.
    is_asleep_.store(true, std::memory_order_seq_cst);
    // sync link_queue.sleep seq_cst: as above.
    const auto waiting = static_cast<std::size_t>(waiting_.load(std::memory_order_seq_cst));
    if (waiting == to_send_.size()) (void)link_.wait_any(until);
    // relaxed: a nudge too many ends one sleep early.
    is_asleep_.store(false, std::memory_order_relaxed);
  }

  // The job is its thread's again, and may be gone, after this.
  static void end(Job& job, const symphony::Reply& reply) noexcept {
    job.reply = {reply.status, reply.type, {}, {}};
    const auto text = std::as_bytes(std::span(reply.text));
    const auto from = reply.ok() ? reply.body : text;
    try {
      job.bytes.assign(from.begin(), from.end());
      if (reply.ok()) {
        job.reply.body = job.bytes;
      } else {
        job.reply.text = {reinterpret_cast<const char*>(job.bytes.data()), job.bytes.size()};
      }
    } catch (const std::bad_alloc&) {
      job.reply = {SYMPHONY_OVERLOADED, 0, {}, text_memory};
    }
    // sync link_queue.word release: the reply is whole.
    if ((job.word.exchange(ended, std::memory_order_release) & asleep) != 0) futex_wake(&job.word);
  }

  symphony::Link& link_;
  const std::int64_t waiting_max_;
  std::deque<Job*> to_send_;
  std::vector<Sent> sent_;
  alignas(detail::cache_line_size) std::atomic<std::int64_t> waiting_{0};  // submitted and not sent
  std::atomic<bool> is_asleep_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;  // last: it uses the others
};

class LinkQueue::Place final : public Caller {
 public:
  explicit Place(std::shared_ptr<LinkQueue> queue)
      : queue_(std::move(queue)), owner_(*queue_->owner_), at_(owner_.jobs) {}

  Reply call(const Request& request) noexcept override {
    job_.request = request;
    // relaxed: the queue publishes it.
    job_.word.store(submitted, std::memory_order_relaxed);
    if (!owner_.submit(job_, at_)) return {SYMPHONY_OVERLOADED, 0, {}, text_full};
    for (int spin = 0; spin < spins_max; ++spin) {
      // sync link_queue.word acquire: the reply is whole.
      if (job_.word.load(std::memory_order_acquire) == ended) return job_.reply;
      detail::cpu_relax();
    }
    for (;;) {
      // sync link_queue.word acquire: as above.
      if (job_.word.fetch_or(asleep, std::memory_order_acquire) == ended) return job_.reply;
      if (queue_->is_in_child()) return {SYMPHONY_FORKED, 0, {}, text_forked};
      futex_wait_until(job_.word, submitted | asleep, now_ns() + sleep_ns_max);
    }
  }

 private:
  std::shared_ptr<LinkQueue> queue_;
  Owner& owner_;
  moodycamel::ProducerToken at_;
  Job job_;
};

LinkQueue::LinkQueue(symphony::Link link, std::int64_t waiting_max)
    : pid_(::getpid()), waiting_max_(waiting_max), link_(std::move(link)) {}
bool LinkQueue::is_in_child() const noexcept { return ::getpid() != pid_; }

LinkQueue::~LinkQueue() {
  // In a forked child the owner's thread does not exist: there is nothing to stop.
  if (is_in_child()) (void)owner_.release();
}

Outcome LinkQueue::open(const std::shared_ptr<LinkQueue>& queue, std::unique_ptr<Caller>& out) {
  if (queue->is_in_child()) return {SYMPHONY_FORKED, std::string(text_forked)};
  const std::lock_guard lock(queue->mutex_);
  try {
    if (!queue->owner_) queue->owner_ = std::make_unique<Owner>(queue->link_, queue->waiting_max_);
  } catch (const std::system_error&) {
    return {SYMPHONY_OVERLOADED, "the thread that owns a shared link could not be started: raise ulimit -u"};
  }
  out = std::make_unique<Place>(queue);
  return {};
}

}  // namespace symphony::pit
