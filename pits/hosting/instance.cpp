#include "pits/hosting/instance.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <symphony/clock.hpp>
#include <utility>

namespace symphony::pit {
namespace {

constexpr std::uint32_t bit(State state) noexcept { return 1U << static_cast<unsigned>(state); }

std::uint64_t chosen_seed() noexcept {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof seed)) {
    seed = static_cast<std::uint64_t>(now_ns());
  }
  return seed | 1;
}

// splitmix64: small, seedable, good enough for what is not a secret.
std::uint64_t next_random(std::uint64_t& state) noexcept {
  std::uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

std::string_view text_of(symphony_span span) noexcept {
  if (span.p == nullptr || span.n == 0) return {};
  return {reinterpret_cast<const char*>(span.p), span.n};
}

}  // namespace

std::string_view to_string(State state) noexcept {
  switch (state) {
    case State::created:
      return "CREATED";
    case State::inited:
      return "INITED";
    case State::running:
      return "RUNNING";
    case State::drained:
      return "DRAINED";
    case State::stopped:
      return "STOPPED";
  }
  return "?";
}

struct Instance::Rule {
  std::string_view name;
  std::uint32_t legal;  // a bit for each state
  std::string_view legal_text;
};

const Instance::Rule& Instance::rule(Step step) noexcept {
  static constexpr std::array<Rule, 7> rules{{
      {"init", bit(State::created), "CREATED"},
      {"start", bit(State::inited) | bit(State::drained), "INITED or DRAINED"},
      {"handle", bit(State::running), "RUNNING"},
      {"drain", bit(State::running), "RUNNING"},
      {"snapshot", bit(State::running) | bit(State::drained), "RUNNING or DRAINED"},
      {"restore", bit(State::inited), "INITED"},
      {"stop", bit(State::drained), "DRAINED"},
  }};
  return rules[static_cast<std::size_t>(step)];
}

// The time inside the pit: fresh reason, time and reply; nobody else gets in.
class Instance::Entered {
 public:
  explicit Entered(Instance& instance) noexcept : instance_(instance) {
    instance.entered_ = true;
    instance.reason_size_ = 0;
    instance.now_ = 0;
  }
  ~Entered() { instance_.entered_ = false; }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

 private:
  Instance& instance_;
};

Instance::Instance(const InstanceOptions& options)
    : log_(options.log),
      extensions_(options.extensions),
      seed_(options.seed != 0 ? options.seed : chosen_seed()),
      random_state_(seed_) {
  host_.struct_size = sizeof host_;
  host_.abi_major = SYMPHONY_ABI_MAJOR;
  host_.abi_minor = SYMPHONY_ABI_MINOR;
  host_.context = this;
  host_.log = &on_log;
  host_.now = &on_now;
  host_.claim = &on_claim;
  host_.commit = &on_commit;
  host_.error = &on_error;
  host_.random = &on_random;
  host_.get_extension = &on_get_extension;
}

Outcome Instance::make(const symphony_pit_entry& entry, const InstanceOptions& options,
                       std::unique_ptr<Instance>& out) {
  std::unique_ptr<Instance> made(new Instance(options));
  if (Outcome read = read_entry(entry, made->table_, made->info_); !read.ok()) return read;
  if (options.seed == 0) made->write_log(SYMPHONY_LOG_DEBUG, "random seed " + std::to_string(made->seed_));

  const symphony_span config{reinterpret_cast<const std::uint8_t*>(options.config.data()),
                             static_cast<std::uint32_t>(options.config.size()), 0};
  void* self = nullptr;
  std::int32_t status = SYMPHONY_OK;
  {
    const Entered inside(*made);
    status = made->table_.create(&made->host_, config, &self);
  }
  if (status != SYMPHONY_OK) return made->outcome_of(status, "create");
  if (self == nullptr) {
    made->blame_pit("create() returned success without an instance");
    return {SYMPHONY_INTERNAL,
            "pit '" + made->info_.name + "' misbehaved: create() returned success without an instance"};
  }
  made->self_ = self;
  out = std::move(made);
  return {};
}

Instance::~Instance() {
  if (self_ == nullptr) return;
  const Entered inside(*this);
  table_.destroy(self_);
}

bool Instance::allowed(Step step) const noexcept { return !entered_ && (rule(step).legal & bit(state_)) != 0; }

Outcome Instance::refuse(Step step) {
  const Rule& broken = rule(step);
  std::string text = "the host misbehaved: " + std::string(broken.name) + " of pit '" + info_.name + "' ";
  if (entered_) {
    text += "from inside a call of the same instance";
  } else {
    text += "in state " + std::string(to_string(state_)) + ": legal in " + std::string(broken.legal_text);
  }
  write_log(SYMPHONY_LOG_ERROR, text);
  return {SYMPHONY_BAD_STATE, std::move(text)};
}

Outcome Instance::outcome_of(std::int32_t status, std::string_view what) {
  if (status == SYMPHONY_OK) return {};
  std::string text = "pit '" + info_.name + "': " + std::string(what) + " failed";
  if (reason_size_ > 0) text.append(": ").append(reason());
  return {status, std::move(text)};
}

template <class Call>
Outcome Instance::take(Step step, State next, Call&& call) {
  if (!allowed(step)) return refuse(step);
  std::int32_t status = SYMPHONY_OK;
  {
    const Entered inside(*this);
    status = call();
  }
  if (status == SYMPHONY_OK) state_ = next;
  return outcome_of(status, rule(step).name);
}

Outcome Instance::init() {
  return take(Step::init, State::inited, [&] { return table_.init != nullptr ? table_.init(self_) : SYMPHONY_OK; });
}

Outcome Instance::start() {
  return take(Step::start, State::running, [&] { return table_.start != nullptr ? table_.start(self_) : SYMPHONY_OK; });
}

Outcome Instance::drain(std::uint64_t deadline_ns) {
  return take(Step::drain, State::drained,
              [&] { return table_.drain != nullptr ? table_.drain(self_, deadline_ns) : SYMPHONY_OK; });
}

Outcome Instance::stop() {
  return take(Step::stop, State::stopped, [&] { return table_.stop != nullptr ? table_.stop(self_) : SYMPHONY_OK; });
}

std::span<const std::byte> Instance::aligned(std::span<const std::byte> body) {
  if (body.empty() || (reinterpret_cast<std::uintptr_t>(body.data()) & 7U) == 0) return body;
  aligned_body_.resize((body.size() + 7) / 8);
  std::memcpy(aligned_body_.data(), body.data(), body.size());
  return {reinterpret_cast<const std::byte*>(aligned_body_.data()), body.size()};
}

void Instance::handle(const symphony_envelope& envelope, std::span<const std::byte> body, ReplySink& sink) noexcept {
  if (!allowed(Step::handle)) [[unlikely]] {
    try {
      const Outcome refused = refuse(Step::handle);
      return sink.fail(refused.status, refused.text);
    } catch (const std::bad_alloc&) {
      return sink.fail(SYMPHONY_BAD_STATE, "the pit is not RUNNING");
    }
  }
  if (envelope.deadline_ns != 0 && static_cast<std::uint64_t>(coarse_now_ns()) >= envelope.deadline_ns) [[unlikely]] {
    return sink.fail(SYMPHONY_DEADLINE, "the deadline had passed before the pit could begin");
  }
  if (body.size() > UINT32_MAX) [[unlikely]] {
    return sink.fail(SYMPHONY_TOO_LARGE, "the request's body is 4 GiB or more: send it in parts");
  }
  std::int32_t status = SYMPHONY_OK;
  try {
    body = aligned(body);
  } catch (const std::bad_alloc&) {
    return sink.fail(SYMPHONY_OVERLOADED, "no memory for a copy of the request: pass an 8-byte aligned body");
  }
  {
    const Entered inside(*this);
    sink_ = &sink;
    has_claim_ = committed_ = false;
    const symphony_msg message{
        sizeof(symphony_msg),
        0,
        &envelope,
        {reinterpret_cast<const std::uint8_t*>(body.data()), static_cast<std::uint32_t>(body.size()), 0}};
    status = table_.handle(self_, &message);
    sink_ = nullptr;
  }
  end_request(status, sink);
}

void Instance::end_request(std::int32_t status, ReplySink& sink) noexcept {
  if (committed_) {
    if (status != SYMPHONY_OK) blame_pit("handle() committed a reply and then failed; the reply stands");
    return sink.commit(used_, type_);
  }
  if (status == SYMPHONY_OK) return sink.commit(0, 0);
  sink.fail(status, reason());
}

Outcome Instance::snapshot(Snapshot& out) {
  if (!allowed(Step::snapshot)) return refuse(Step::snapshot);
  if (table_.snapshot == nullptr) return {SYMPHONY_VERSION, "pit '" + info_.name + "' keeps no snapshots"};
  struct Target {
    Instance* instance;
    std::vector<std::byte> bytes;
  } target{this, {}};
  const symphony_sink to{sizeof(symphony_sink), 0, &target, [](void* context, symphony_span span) -> std::int32_t {
                           auto& into = *static_cast<Target*>(context);
                           if (span.p == nullptr && span.n > 0) {
                             into.instance->blame_pit("snapshot() wrote from a null pointer");
                             return SYMPHONY_BAD_MESSAGE;
                           }
                           if (into.bytes.size() + span.n > snapshot_size_max) return SYMPHONY_TOO_LARGE;
                           const auto* at = reinterpret_cast<const std::byte*>(span.p);
                           try {
                             into.bytes.insert(into.bytes.end(), at, at + span.n);
                           } catch (const std::bad_alloc&) {
                             return SYMPHONY_OVERLOADED;
                           }
                           return SYMPHONY_OK;
                         }};
  Outcome taken = take(Step::snapshot, state_, [&] { return table_.snapshot(self_, info_.state_revision, &to); });
  if (taken.ok()) out = {info_.state_revision, std::move(target.bytes)};
  return taken;
}

Outcome Instance::restore(const Snapshot& from, std::uint32_t read_size_max) {
  if (!allowed(Step::restore)) return refuse(Step::restore);
  if (table_.restore == nullptr) return {SYMPHONY_VERSION, "pit '" + info_.name + "' restores no snapshots"};
  if (from.revision < info_.state_revision_min || from.revision > info_.state_revision) {
    return {SYMPHONY_VERSION,
            "pit '" + info_.name + "' restores snapshots of revision " + std::to_string(info_.state_revision_min) +
                " to " + std::to_string(info_.state_revision) + ", and this one has " + std::to_string(from.revision)};
  }
  struct Origin {
    std::span<const std::byte> left;
    std::uint32_t read_size_max;
  } origin{from.bytes, std::max(read_size_max, 1U)};
  const symphony_source source{sizeof(symphony_source), 0, &origin,
                               [](void* context, symphony_mut_span out) -> std::int64_t {
                                 auto& at = *static_cast<Origin*>(context);
                                 const std::size_t n = std::min<std::size_t>({at.left.size(), out.n, at.read_size_max});
                                 if (n > 0) std::memcpy(out.p, at.left.data(), n);
                                 at.left = at.left.subspan(n);
                                 return static_cast<std::int64_t>(n);
                               }};
  return take(Step::restore, state_, [&] { return table_.restore(self_, from.revision, &source); });
}

void Instance::write_log(std::int32_t level, std::string_view line) noexcept {
  if (log_ != nullptr) log_->write(level, info_.name, line);
}

void Instance::blame_pit(std::string_view what) noexcept {
  if (log_ == nullptr) return;
  std::array<char, 256> line{};
  constexpr std::string_view head = "the pit misbehaved: ";
  const std::size_t n = std::min(what.size(), line.size() - head.size());
  std::memcpy(line.data(), head.data(), head.size());
  std::memcpy(line.data() + head.size(), what.data(), n);
  write_log(SYMPHONY_LOG_ERROR, {line.data(), head.size() + n});
}

void Instance::on_log(void* context, std::int32_t level, symphony_span text) noexcept {
  auto& self = *static_cast<Instance*>(context);
  if (self.log_ == nullptr) return;
  // One line is one line: what a pit wrote cannot begin another, nor steer a terminal.
  std::array<char, SYMPHONY_LOG_TEXT_MAX> line{};
  const std::string_view cut = clip_utf8(text_of(text), line.size());
  std::transform(cut.begin(), cut.end(), line.begin(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F ? ' ' : c;
  });
  self.write_log(std::clamp<std::int32_t>(level, SYMPHONY_LOG_DEBUG, SYMPHONY_LOG_ERROR), {line.data(), cut.size()});
}

std::uint64_t Instance::on_now(void* context) noexcept {
  auto& self = *static_cast<Instance*>(context);
  if (self.now_ == 0) self.now_ = static_cast<std::uint64_t>(now_ns());
  return self.now_;
}

std::int32_t Instance::on_claim(void* context, std::uint32_t size_min, symphony_mut_span* out) noexcept {
  auto& self = *static_cast<Instance*>(context);
  *out = {};
  if (self.sink_ == nullptr) {
    self.blame_pit("claim() outside handle()");
    return SYMPHONY_BAD_STATE;
  }
  if (self.committed_) {
    self.blame_pit("claim() after commit(): a request has one reply");
    return SYMPHONY_BAD_STATE;
  }
  if (size_min > self.info_.reply_size_max) {
    self.blame_pit("claim() of more than the reply_size_max in its note");
    return SYMPHONY_TOO_LARGE;
  }
  self.claimed_ = {};
  self.has_claim_ = self.sink_->claim(size_min, self.claimed_);
  if (!self.has_claim_) return SYMPHONY_OVERLOADED;
  const std::size_t n = std::min<std::size_t>(self.claimed_.size(), self.info_.reply_size_max);
  *out = {reinterpret_cast<std::uint8_t*>(self.claimed_.data()), static_cast<std::uint32_t>(n), 0};
  return SYMPHONY_OK;
}

std::int32_t Instance::on_commit(void* context, std::uint32_t used, std::uint32_t type) noexcept {
  auto& self = *static_cast<Instance*>(context);
  if (self.sink_ == nullptr) {
    self.blame_pit("commit() outside handle()");
    return SYMPHONY_BAD_STATE;
  }
  if (self.committed_) {
    self.blame_pit("a second commit(): the first reply stands");
    return SYMPHONY_BAD_STATE;
  }
  if (!self.has_claim_) {
    self.blame_pit("commit() without a claim");
    return SYMPHONY_BAD_STATE;
  }
  if (used > self.claimed_.size() || used > self.info_.reply_size_max) {
    self.blame_pit("commit() of more bytes than it claimed");
    return SYMPHONY_TOO_LARGE;
  }
  self.used_ = used;
  self.type_ = type;
  self.committed_ = true;
  return SYMPHONY_OK;
}

void Instance::on_error(void* context, symphony_span text) noexcept {
  auto& self = *static_cast<Instance*>(context);
  const std::string_view cut = clip_utf8(text_of(text), self.reason_.size());
  std::copy(cut.begin(), cut.end(), self.reason_.begin());
  self.reason_size_ = cut.size();
}

std::uint64_t Instance::on_random(void* context) noexcept {
  return next_random(static_cast<Instance*>(context)->random_state_);
}

const void* Instance::on_get_extension(void* context, std::uint64_t id) noexcept {
  for (const Extension& offered : static_cast<Instance*>(context)->extensions_) {
    if (offered.id == id) return offered.table;
  }
  return nullptr;
}

}  // namespace symphony::pit
