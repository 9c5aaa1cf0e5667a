#include "pits/hosting/service_thread.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <list>
#include <map>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

#include <symphony/unique_fd.hpp>

namespace symphony::pit {
namespace {

constexpr TimeNs wait_max_ns = second_ns;  // also the longest that a client's death goes unseen
constexpr int endings_per_turn_max = 64;   // of one link, before the next one's turn

using Client = std::weak_ptr<ServiceClient>;

bool is_same(const Client& a, const Client& b) noexcept { return !a.owner_before(b) && !b.owner_before(a); }

struct Call {
  Client client;
  std::string service;
  std::uint32_t type = 0;
  std::uint32_t effect = 0;
  std::vector<std::uint64_t> body;  // 8-byte aligned
  std::size_t body_size = 0;
  TimeNs deadline_ns = no_deadline_ns;
  std::uint64_t cookie = 0;
};
struct Due {
  Client client;
  TimeNs due_ns = no_deadline_ns;
};
using Mail = std::variant<Call, Due>;

// One client's way to one service.
using WayKey = std::pair<Client, std::string>;
struct WayOrder {
  bool operator()(const WayKey& a, const WayKey& b) const noexcept {
    return a.first.owner_before(b.first) || (!b.first.owner_before(a.first) && a.second < b.second);
  }
};
struct Way {
  std::unique_ptr<Link> link;
  std::list<Call> waiting;  // for room on the link
};

}  // namespace

// What the thread works on; it outlives the ServiceThread where that goes on the thread itself.
class ServiceThread::Loop {
 public:
  explicit Loop(Resolve resolve) : resolve_(std::move(resolve)) {}

  [[nodiscard]] bool make_wake() {
    if (wake_ != nullptr) return true;
    UniqueFd made(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!made) return false;
    wake_ = std::make_shared<const UniqueFd>(std::move(made));
    return true;
  }
  void put(Mail mail) {
    {
      const std::lock_guard lock(mutex_);
      mail_.push_back(std::move(mail));
    }
    wake();
  }
  void end() noexcept {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake();
  }
  void let_go(const Client& client) noexcept {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [&] { return !is_same(held_, client) || client.use_count() > 1; });
  }
  void run() noexcept;

 private:
  // Keeps a client alive while the thread works for it, one at a time; let_go() waits for its end.
  class Held {
   public:
    Held(Loop& loop, const Client& client) : loop_(loop) {
      {
        const std::lock_guard lock(loop_.mutex_);
        loop_.held_ = client;
      }
      client_ = client.lock();
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() {
      client_.reset();
      {
        const std::lock_guard lock(loop_.mutex_);
        loop_.held_.reset();
      }
      loop_.freed_.notify_all();
    }
    explicit operator bool() const noexcept { return client_ != nullptr; }
    ServiceClient* operator->() const noexcept { return client_.get(); }
    ServiceClient& operator*() const noexcept { return *client_; }

   private:
    Loop& loop_;
    std::shared_ptr<ServiceClient> client_;
  };

  void wake() const noexcept {
    const std::uint64_t one = 1;
    (void)!::write(wake_->get(), &one, sizeof one);
  }
  [[nodiscard]] bool is_ending() {
    const std::lock_guard lock(mutex_);
    return ending_;
  }
  void take_mail();
  void begin(Call call);
  static void start_waiting(Way& way, ServiceClient& client);
  void take_endings();
  void run_timers();
  void wait() noexcept;

  const Resolve resolve_;
  std::shared_ptr<const UniqueFd> wake_;  // made before the thread
  std::mutex mutex_;
  std::vector<Mail> mail_;
  bool ending_ = false;
  Client held_;  // written by the thread alone
  std::condition_variable freed_;
  // The thread's own:
  std::map<WayKey, Way, WayOrder> ways_;
  std::map<Client, TimeNs, std::owner_less<>> timers_;  // when the earliest is due
};

ServiceThread::ServiceThread(Resolve resolve) : loop_(std::make_shared<Loop>(std::move(resolve))) {}

ServiceThread::~ServiceThread() {
  if (!thread_.joinable()) return;
  loop_->end();
  if (thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();  // it holds the loop, and ends with this turn
  } else {
    thread_.join();
  }
}

namespace {

// What may fail for want of something becomes OVERLOADED.
template <class Step>
std::int32_t or_overloaded(Step&& step) noexcept {
  try {
    return step() ? SYMPHONY_OK : SYMPHONY_OVERLOADED;
  } catch (const std::bad_alloc&) {
    return SYMPHONY_OVERLOADED;
  } catch (const std::system_error&) {
    return SYMPHONY_OVERLOADED;
  }
}

}  // namespace

bool ServiceThread::is_running() {
  const std::lock_guard lock(mutex_);
  if (!loop_->make_wake()) return false;
  if (!thread_.joinable()) thread_ = std::thread([loop = loop_] { loop->run(); });
  return true;
}

std::int32_t ServiceThread::post(const std::weak_ptr<ServiceClient>& client, const AsyncCall& call) noexcept {
  return or_overloaded([&] {
    Call copy{client, std::string(call.service), call.type,        call.effect,
              {},     call.body.size(),          call.deadline_ns, call.cookie};
    copy.body.resize((call.body.size() + 7) / 8);
    if (!call.body.empty()) std::memcpy(copy.body.data(), call.body.data(), call.body.size());
    if (copy.deadline_ns == no_deadline_ns) copy.deadline_ns = deadline_after(default_call_timeout_ns);
    if (!is_running()) return false;
    loop_->put(std::move(copy));
    return true;
  });
}

std::int32_t ServiceThread::due(const std::weak_ptr<ServiceClient>& client, TimeNs due_ns) noexcept {
  return or_overloaded([&] {
    if (!is_running()) return false;
    loop_->put(Due{client, due_ns});
    return true;
  });
}

void ServiceThread::let_go(const std::weak_ptr<ServiceClient>& client) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable() || thread_.get_id() == std::this_thread::get_id()) return;
  }
  loop_->let_go(client);
}

// ---- the thread

void ServiceThread::Loop::run() noexcept {
  while (!is_ending()) {
    try {
      take_mail();
      take_endings();
      run_timers();
      std::erase_if(ways_, [](const auto& entry) { return entry.first.first.expired(); });
    } catch (const std::bad_alloc&) {
      // What was taken in stays; the next turn goes on with it.
    }
    wait();
  }
}

void ServiceThread::Loop::take_mail() {
  std::vector<Mail> mail;
  {
    const std::lock_guard lock(mutex_);
    mail.swap(mail_);
  }
  for (Mail& item : mail) {
    if (auto* call = std::get_if<Call>(&item)) {
      begin(std::move(*call));
    } else if (const auto& due = std::get<Due>(item); !due.client.expired()) {
      timers_[due.client] = due.due_ns;
    }
  }
}

void ServiceThread::Loop::begin(Call call) {
  const Held client(*this, call.client);
  if (!client) return;
  Way& way = ways_[{call.client, call.service}];
  // Its pit was given up, or one of the two broke the protocol: it may be another one by now.
  if (way.link != nullptr && way.waiting.empty() && way.link->is_over()) way.link.reset();
  if (way.link == nullptr) {
    const Outcome opened = resolve_(call.service, call.deadline_ns, way.link);
    if (!opened.ok()) {
      ways_.erase({call.client, call.service});
      return client->on_answer(call.cookie, {opened.status, 0, {}, opened.text});
    }
    way.link->wake_with(wake_);
  }
  way.waiting.push_back(std::move(call));
  start_waiting(way, *client);
}

void ServiceThread::Loop::start_waiting(Way& way, ServiceClient& client) {
  while (!way.waiting.empty()) {
    const Call& call = way.waiting.front();
    const auto body = std::as_bytes(std::span(call.body)).first(call.body_size);
    if (!way.link->try_start({call.type, call.effect, body, call.deadline_ns}, call.cookie)) {
      if (now_ns() < call.deadline_ns) return;
      client.on_answer(call.cookie,
                       {SYMPHONY_DEADLINE, 0, {}, "the deadline passed before there was room for the call"});
    }
    way.waiting.pop_front();
  }
}

void ServiceThread::Loop::take_endings() {
  for (auto& [key, way] : ways_) {
    const Held client(*this, key.first);
    if (!client) continue;
    std::uint64_t cookie = 0;
    Reply reply;
    for (int i = 0; i < endings_per_turn_max && way.link->try_take(cookie, reply); ++i) {
      client->on_answer(cookie, reply);
    }
    start_waiting(way, *client);
  }
}

void ServiceThread::Loop::run_timers() {
  const TimeNs now = now_ns();
  // A timer that arms others tells by mail.
  for (auto at = timers_.begin(); at != timers_.end();) {
    if (at->second <= now) {
      const Held client(*this, at->first);
      at->second = client ? client->run_timers(now) : no_deadline_ns;
    }
    at = at->second == no_deadline_ns || at->first.expired() ? timers_.erase(at) : std::next(at);
  }
}

void ServiceThread::Loop::wait() noexcept {
  TimeNs until = now_ns() + wait_max_ns;
  for (const auto& [client, due_ns] : timers_) until = std::min(until, due_ns);
  std::vector<pollfd> fds;
  try {
    fds.push_back({wake_->get(), POLLIN, 0});
    for (auto& [key, way] : ways_) {
      const Link::Wait wanted = way.link->prepare_wait();
      until = std::min(until, wanted.until_ns);
      if (wanted.fd >= 0) fds.push_back({wanted.fd, POLLIN, 0});
      if (!way.waiting.empty()) until = std::min(until, way.waiting.front().deadline_ns);
    }
  } catch (const std::bad_alloc&) {
    until = std::min(until, now_ns() + 10 * ms_ns);
  }
  const TimeNs left = std::max<TimeNs>(until - now_ns(), 0);
  const timespec timeout{left / second_ns, left % second_ns};
  ::ppoll(fds.data(), fds.size(), &timeout, nullptr);
  std::uint64_t count = 0;
  (void)!::read(wake_->get(), &count, sizeof count);
}

}  // namespace symphony::pit
