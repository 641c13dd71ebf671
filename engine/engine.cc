#include "engine/engine.h"

#include <emmintrin.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <future>
#include <utility>

#include "engine/base/backoff.h"
#include "engine/base/pipe.h"
#include "engine/base/tell.h"
#include "engine/cores.h"
#include "engine/cost.h"
#include "engine/mptcp_collector.h"
#include "engine/open_sessions.h"
#include "engine/seeds.h"
#include "engine/service.h"
#include "engine/shard.h"
#include "engine/source/capture_file_source.h"
#include "output/uri.h"

namespace linger {
namespace {

constexpr int kShardFinished = SIGUSR2;  // a shard thread to the control thread
constexpr auto kControlPeriod = std::chrono::milliseconds(200);
// timeout(1) signals its child, and then the group of both: the same again so soon is one request.
constexpr double kSameRequestSeconds = 0.25;
constexpr int kPauses = 64;   // live: idle polls before a shard yields,
constexpr int kYields = 256;  // and before it sleeps for idleSleep

sigset_t control_signals() noexcept {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, kShardFinished})
    sigaddset(&set, signal);
  return set;
}

// While it lives INT and TERM end the program, as what waits before the run for a peer, a pipe,
// first bytes or memory could not be left otherwise. A thread made meanwhile would have them too.
// A shell that is no terminal's starts what is in the background with INT ignored.
class Interruptible {
 public:
  Interruptible() noexcept {
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_UNBLOCK, &ending, &before_);
  }
  ~Interruptible() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

 private:
  sigset_t before_;
};

DurationNs processor_time(clockid_t clock) noexcept {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * kSecond + time.tv_nsec;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

tl::expected<std::string, StartError> Engine::cost() const {
  const auto reading = make_reading(shard_settings_);
  if (!reading) return tl::unexpected(StartError{kExitUsage, reading.error()});
  std::string text = cost_of(settings_);
  if (*reading == nullptr || (*reading)->rules == nullptr) return text;
  const RuleSet& rules = *(*reading)->rules;
  return text +
         fmt::format("rules     {}; ruleStreams: {} of {} bytes, {:.1f} MiB\n", rules.size(),
                     settings_.ruleStreams, rules.stream_bytes(),
                     static_cast<double>(settings_.ruleStreams * rules.stream_bytes()) / (1 << 20));
}

Engine::Engine(const Options& options, const Settings& settings)
    : options_(options),
      settings_(settings),
      shares_(options.interfaces.empty()
                  ? Shares::beside_reader(static_cast<std::uint32_t>(settings.packetThreads))
                  : Shares::equal(static_cast<std::uint32_t>(settings.packetThreads))),
      handoff_(shares_, settings.maxPacketsInQueue),
      is_live_(!options.interfaces.empty()) {
  for (std::uint32_t i = 0; i < shares_.shard_count(); ++i)
    shard_settings_.push_back(shares_.settings_of(i, settings));
}

Engine::~Engine() = default;

tl::expected<void, StartError> Engine::check() const {
  const auto wrong = [&](std::string_view setting, const std::string& what) {
    return tl::unexpected(StartError{kExitUsage, settings_.where(setting) + what});
  };
  // A replay touches what it uses, a live run all.
  const std::uint64_t there = is_live_ ? memory_allowed() : memory_there();
  if (memory_needed(settings_) > there)
    return wrong("maxStreams",
                 fmt::format("maxStreams: {} sessions, their graves, pools and rings "
                             "need {} MiB, there are {}; lower maxStreams, "
                             "graveyardSize, a pool, parserMemory, reorderMemory, "
                             "maxFrags, recordQueue, maxPacketsInQueue or "
                             "packetThreads",
                             settings_.maxStreams, memory_needed(settings_) >> 20, there >> 20));
  const auto cores = parse_cores(settings_.shardCores);
  if (!cores) return wrong("shardCores", cores.error());
  if (!cores->empty() && cores->size() < settings_.packetThreads)
    return wrong("shardCores", fmt::format("shardCores: {} cores for {} threads; name more, or set "
                                           "packetThreads to {}",
                                           cores->size(), settings_.packetThreads, cores->size()));
  if (const auto set = parsers_of(settings_); !set) return wrong("parsers", set.error());
  const auto uris = parse_output_uris(settings_.output);
  if (!uris) return wrong("output", uris.error());
  std::vector<std::string> read = settings_.rules;
  read.insert(read.end(), settings_.signatures.begin(), settings_.signatures.end());
  read.push_back(options_.config);
  if (const auto spared = check_spared(*uris, read); !spared)
    return wrong("output", spared.error());
  if (const auto good = check_bpf(settings_.bpf); !good) return wrong("bpf", good.error());
  return {};
}

tl::expected<void, StartError> Engine::open() {
  if (auto good = check(); !good) return good;
  cores_ = *parse_cores(settings_.shardCores);
  keep_off(cores_);
  const sigset_t signals = control_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);  // a write says EPIPE instead
  if (is_live_)
    if (auto opened = open_ports(); !opened) return opened;
  const Interruptible interruptible;
  if (!is_live_)
    if (auto opened = open_captures(); !opened) return opened;
  if (auto opened = open_reading(); !opened) return opened;
  return open_outputs();
}

tl::expected<void, StartError> Engine::open_reading() {
  auto made = make_reading(shard_settings_);
  if (!made) return tl::unexpected(StartError{kExitUsage, made.error()});
  if (*made != nullptr) readings_.push_back(std::move(*made));
  return {};
}

// The files of signatures and rules are read again. What is wrong with them leaves all as it is.
void Engine::reload_reading() {
  if (readings_.empty() || (settings_.signatures.empty() && settings_.rules.empty())) return;
  for (const auto* files : {&settings_.signatures, &settings_.rules})
    for (const std::string& file : *files)
      if (is_pipe(file))
        return tell(
            "linger: {}: a pipe cannot be read again; signatures and rules stay as they "
            "were\n",
            file);
  auto made = make_reading(shard_settings_);
  if (!made) {
    tell("linger: {}; signatures and rules stay as they were\n", made.error());
    return;
  }
  readings_.push_back(std::move(*made));
  for (auto& shard : shards_) shard->applications()->replace(*readings_.back());
  if (options_.quiet) return;
  const Reading& last = *readings_.back();
  tell("linger: signatures and rules are read again: {} and {}\n", last.signatures,
       last.rules != nullptr ? last.rules->size() : 0);
}

// When every shard has taken the last one: those that no session was opened on any more.
void Engine::drop_old_readings() {
  if (readings_.size() < 2) return;
  const auto is_used = [&](const std::unique_ptr<Reading>& reading) {
    return std::ranges::any_of(
        shards_, [&](const auto& shard) { return shard->applications()->uses(*reading); });
  };
  const Reading& last = *readings_.back();
  if (!std::ranges::all_of(
          shards_, [&](const auto& shard) { return shard->applications()->has_taken(last); }))
    return;
  const auto is_old = [&](const auto& r) { return r.get() != &last && !is_used(r); };
  if (std::erase_if(readings_, is_old) != 0) malloc_trim(0);  // else glibc keeps the pages
}

tl::expected<void, StartError> Engine::open_ports() {
  auto opened = ports_.open(options_.interfaces, settings_);
  if (!opened) return tl::unexpected(StartError{kExitFailed, opened.error()});
  return {};
}

tl::expected<void, StartError> Engine::check_captures() const {
  std::vector<std::string> paths = options_.read;
  std::erase_if(paths,
                [](const std::string& path) { return path == kStandardInput || is_pipe(path); });
  if (paths.empty()) return {};
  const auto captures = captures_of(paths);
  if (!captures) return tl::unexpected(captures.error());
  return {};
}

tl::expected<void, StartError> Engine::open_captures() {
  auto captures = captures_of(options_.read);
  if (!captures) return tl::unexpected(captures.error());
  if (!(*captures)->notes().empty() && !options_.quiet) tell("{}\n", (*captures)->notes());
  source_ = std::move(*captures);
  return {};
}

tl::expected<std::unique_ptr<CaptureFileSource>, StartError> Engine::captures_of(
    const std::vector<std::string>& paths) const {
  auto opened = open_capture(paths, {.bpf = settings_.bpf, .clock_jump = settings_.clockJump});
  if (!opened) return tl::unexpected(StartError{kExitFailed, opened.error()});
  for (const std::string& text : settings_.output) {
    const auto uri = parse_output_uri(text);
    if (uri && uri->destination == Destination::file && (*opened)->reads(uri->path))
      return tl::unexpected(
          StartError{kExitUsage, fmt::format("output '{}': it is read as a capture, and would be "
                                             "written over; name another file",
                                             text)});
  }
  return std::move(*opened);
}

tl::expected<void, StartError> Engine::open_outputs() {
  const auto uris = parse_output_uris(settings_.output);  // check() has found them good
  for (const OutputUri& uri : *uris) {
    auto output = std::make_unique<Output>(
        uri, OutputOptions{.shard_count = settings_.packetThreads,
                           .ring_capacity = settings_.recordQueue,
                           .run = {.node = settings_.node, .protocols = kProtocols},
                           .writer = {.is_live = is_live_, .file_cache = settings_.fileCache}});
    if (auto opened = output->open(); !opened)
      return tl::unexpected(StartError{kExitFailed, opened.error()});
    outputs_.push_back(std::move(output));
  }
  return {};
}

void Engine::make_shards() {
  const Seeds seeds = seeds_of(settings_, is_live_);
  collector_ = std::make_unique<MptcpCollector>(settings_, outputs_, !is_live_);
  for (std::uint32_t i = 0; i < settings_.packetThreads; ++i) {
    const auto make = [&] { shards_.push_back(make_shard(i, seeds)); };
    if (!is_live_ || cores_.empty()) {
      make();
      continue;
    }
    // Memory is of the NUMA node whose core touches it first.
    const auto make_there = [&] {
      pin_to(cores_[i]);
      make();
    };
    std::async(std::launch::async, make_there).get();
  }
}

std::unique_ptr<Shard> Engine::make_shard(std::uint32_t index, const Seeds& seeds) {
  const Settings& settings = shard_settings_[index];
  auto shard = std::make_unique<Shard>(index, settings, seeds, handoff_, outputs_, !is_live_);
  if (options_.profile) shard->measure();
  shard->attach(*collector_);
  if (!readings_.empty()) shard->read_applications(settings, *readings_.back());
  shard->lose_for_test(options_.test_loss);
  if (options_.interfaces.size() > 1) shard->know_ports();
  if (is_live_) shard->populate();
  return shard;
}

// Last of all, so that nothing is lost before somebody takes it.
tl::expected<void, std::string> Engine::start_sources() {
  if (!is_live_) {
    shards_.front()->attach(*source_);
    return {};
  }
  if (auto started = ports_.start(); !started) return started;
  if (ports_.steer_to_owners()) handoff_.follow_cards();
  if (!ports_.keep_directions()) handoff_.expect_apart();
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    ports_.attach(i, *shards_[i]);
    shards_[i]->attach(watch_.losses());
  }
  watch_.look(ports_.totals(), system_time(), monotonic_ns());
  return give_up_rights();
}

// Devices and outputs are open: from here on a live run needs little.
tl::expected<void, std::string> Engine::give_up_rights() {
  if (!settings_.user.empty())
    if (const auto became = become_user(settings_.user); !became)
      return tl::unexpected(settings_.where("user") + became.error());
  if (settings_.sandbox && !give_up_system_calls() && !options_.quiet)
    tell("linger: sandbox: this kernel has no seccomp filters\n");
  return {};
}

// What devices could not do, as it comes to be known.
void Engine::tell_notes() {
  const std::vector<std::string> notes = ports_.notes();
  for (; notes_told_ < notes.size(); ++notes_told_)
    if (!options_.quiet) tell("linger: {}\n", notes[notes_told_]);
}

// Of ports that are gone, once each. The run ends when none is left.
void Engine::tell_troubles() {
  const std::vector<std::string> troubles = ports_.troubles();
  for (const std::string& trouble : troubles) {
    if (std::ranges::count(troubles_told_, trouble) != 0) continue;
    troubles_told_.push_back(trouble);
    const std::size_t left = options_.interfaces.size() - troubles_told_.size();
    tell("linger: {}; {}\n", trouble, left != 0 ? "the other ports go on" : "no port is left");
  }
}

tl::expected<void, std::string> Engine::start() {
  control_thread_ = pthread_self();
  if (options_.test_loss == TestLoss::record) outputs_.front()->lose_one_record_for_test();
  {
    const Interruptible interruptible;
    make_shards();
  }
  if (auto started = start_sources(); !started) return started;
  for (auto& output : outputs_) output->start();
  collector_->start();
  running_.store(static_cast<std::uint32_t>(shards_.size()), std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < shards_.size(); ++i)
    threads_.emplace_back([this, i] { run_shard(i); });
  if (!is_live_) return {};
  for (Backoff backoff; polling_.load(std::memory_order_acquire) != shards_.size();) backoff.wait();
  tell_notes();
  if (!options_.quiet) tell("linger: capturing on {}\n", fmt::join(options_.interfaces, ", "));
  notify_service("READY=1");
  return {};
}

void Engine::run_shard(std::uint32_t index) noexcept {
  pthread_setname_np(pthread_self(), fmt::format("shard {}", index).c_str());
  if (!cores_.empty()) pin_to(cores_[index]);
  Backoff backoff;
  bool has_polled = false;
  for (int idle = 0;;) {
    const Shard::Progress progress = shards_[index]->poll();
    if (!std::exchange(has_polled, true)) polling_.fetch_add(1, std::memory_order_release);
    if (progress == Shard::Progress::done) break;
    if (progress == Shard::Progress::busy) {
      backoff.reset();
      idle = 0;
    } else if (!is_live_) {
      backoff.wait();
    } else {
      idle = std::min(idle + 1, kYields);
      rest(idle);
    }
  }
  finished_shards_.fetch_add(processor_time(CLOCK_THREAD_CPUTIME_ID), std::memory_order_relaxed);
  if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1)
    pthread_kill(control_thread_, kShardFinished);
}

// What a live shard does after so many polls that found nothing.
void Engine::rest(int idle_polls) const noexcept {
  if (idle_polls < kPauses || settings_.idleSleep == 0) return _mm_pause();
  if (idle_polls < kYields) return void(sched_yield());
  const timespec sleep = {settings_.idleSleep / kSecond, settings_.idleSleep % kSecond};
  nanosleep(&sleep, nullptr);
}

int Engine::run() {
  shows_progress_ = !is_live_ && !options_.quiet && isatty(STDERR_FILENO) != 0;
  if (auto started = start(); !started) {
    tell("linger: {}\n", started.error());
    return kExitFailed;
  }
  first_ = {std::chrono::steady_clock::now(), ticks_now(),
            processor_time(CLOCK_PROCESS_CPUTIME_ID)};
  control();
  for (std::thread& thread : threads_) thread.join();
  finish();
  return report(seconds_since(first_.moment));
}

// Waits for signals until the last shard has finished.
void Engine::control() {
  const sigset_t signals = control_signals();
  const timespec period = {
      0, is_live_ ? PortWatch::kPeriod : std::chrono::nanoseconds(kControlPeriod).count()};
  while (running_.load(std::memory_order_acquire) != 0) {
    const int signal = sigtimedwait(&signals, nullptr, &period);
    if (signal > 0) on_signal(signal);
    drop_old_readings();
    if (is_reader_gone()) stop(Ending::shutdown);
    const double seconds = seconds_since(first_.moment);
    warn_if_full(seconds);
    watch_outputs();
    if (is_live_) watch_ports(seconds);
    if (is_live_) stop_if_idle(seconds);
    if (shows_progress_) show_progress(seconds);
  }
  if (shows_progress_) tell("\r\x1b[K");
}

// The outputs take what is left, as slow as they are; signals are answered all the while.
void Engine::finish() {
  const sigset_t signals = control_signals();
  const timespec period = {0, std::chrono::nanoseconds(kControlPeriod).count()};
  is_finishing_ = true;
  std::atomic<bool> has_finished{false};
  std::thread finisher([&] {
    collector_->finish();
    for (auto& output : outputs_) output->finish();
    has_finished.store(true, std::memory_order_release);
    pthread_kill(control_thread_, kShardFinished);
  });
  while (!has_finished.load(std::memory_order_acquire)) {
    const int signal = sigtimedwait(&signals, nullptr, &period);
    if (signal > 0) on_signal(signal);
    watch_outputs();
  }
  finisher.join();
}

Ledger Engine::ledger() const {
  Ledger ledger = make_ledger(shards_, outputs_, settings_.maxStreams);
  add(ledger, collector_->counters());
  ledger.ports = ports_.totals();
  return ledger;
}

// --profile; empty without it.
std::string Engine::profile(const Ledger& ledger) const {
  if (!options_.profile) return {};
  ProfileSum sum;
  for (const auto& shard : shards_) sum.add(shard->profile());
  sum.packets = ledger.seen().packets;
  sum.bytes = ledger.seen().bytes;
  sum.ticks_per_second =
      static_cast<double>(ticks_now() - first_.ticks) / seconds_since(first_.moment);
  if (running_.load(std::memory_order_acquire) != 0) return profile_of(sum);
  const DurationNs others = processor_time(CLOCK_PROCESS_CPUTIME_ID) - first_.processor -
                            finished_shards_.load(std::memory_order_relaxed);
  sum.writing_seconds = static_cast<double>(others) / kSecond;
  for (const auto& output : ledger.outputs) sum.records += output.totals.written;
  return profile_of(sum);
}

// One line a minute while sessions leave the table early.
void Engine::warn_if_full(double seconds) {
  if (seconds < next_warning_) return;
  const Ledger now = ledger();
  if (now.left_early() == warned_of_) return;
  next_warning_ = seconds + 60;
  warned_of_ = now.left_early();
  tell("linger: the session table is full, {} sessions left it early; set maxStreams to {}\n",
       warned_of_, now.max_streams_wanted());
}

void Engine::on_signal(int signal) {
  switch (signal) {
    case SIGINT:
    case SIGTERM:
      if (stopped_ && signal == stop_signal_ && seconds_since(stop_moment_) <= kSameRequestSeconds)
        break;
      stop_signal_ = signal;
      stop_moment_ = std::chrono::steady_clock::now();
      if (stopped_) return stop_at_once();
      if (is_live_) notify_service("STOPPING=1");
      stopped_ = true;
      stop(Ending::shutdown);
      break;
    case SIGHUP:
      for (auto& output : outputs_) output->reopen();
      reload_reading();
      break;
    case SIGUSR1:
      tell("{}{}{}", summary_of(ledger(), {seconds_since(first_.moment), false}),
           text_of(survey_of(shards_)), profile(ledger()));
      break;
    default:
      break;
  }
}

// Asked twice. Where only outputs can be waited for, the ledger still tells what they did not take.
void Engine::stop_at_once() noexcept {
  if (is_abandoned_ || receives()) _exit(kExitLost);
  is_abandoned_ = true;
  for (auto& output : outputs_) output->abandon();
}

void Engine::stop(Ending ending) {
  if (is_live_) watch_.look_now(ports_.totals(), system_time(), monotonic_ns());
  for (auto& shard : shards_) shard->stop(ending);
}

// --stop-after-idle: for live sources that come to an end, as a file that is played.
void Engine::stop_if_idle(double seconds) {
  if (options_.stop_after_idle == 0) return;
  std::uint64_t seen = 0;
  for (const auto& shard : shards_)
    for (const Counter& packets : shard->counters().packets) seen += packets.value();
  if (seen != seen_before_) last_packet_ = seconds;
  seen_before_ = seen;
  if (seconds - last_packet_ >= static_cast<double>(options_.stop_after_idle) / kSecond)
    stop(Ending::end_of_input);
}

void Engine::watch_ports(double seconds) {
  watch_.look(ports_.totals(), system_time(), monotonic_ns());
  tell_notes();
  tell_troubles();
  if (settings_.statsInterval == 0 || options_.quiet) return;
  const double interval = static_cast<double>(settings_.statsInterval) / kSecond;
  if (next_statistics_ == 0) next_statistics_ = interval;
  if (seconds < next_statistics_) return;
  next_statistics_ += interval * (1 + std::floor((seconds - next_statistics_) / interval));
  tell("{}", statistics_of(ledger(), {.seconds = seconds, .is_over = false}, watch_.take()));
}

void Engine::watch_outputs() {
  std::vector<OutputState> states;
  for (const auto& output : outputs_) states.push_back(state_of(*output, is_live_));
  for (const std::string& sentence : output_watch_.look(states, seconds_since(first_.moment)))
    tell("linger: {}\n", sentence);
  const bool waits = stopped_ && !receives();
  if (waits && seconds_since(stop_moment_) >= 1 && !std::exchange(is_wait_told_, true))
    tell("linger: what the outputs have not taken is waited for; another INT or TERM drops it\n");
}

bool Engine::is_reader_gone() const noexcept {
  return std::ranges::all_of(outputs_, [](const auto& one) { return one->is_broken_pipe(); });
}

void Engine::show_progress(double seconds) {
  const double done = static_cast<double>(source_->bytes_done());
  const double total = static_cast<double>(source_->bytes_total());
  std::uint64_t packets = 0;
  for (const auto& shard : shards_) packets += shard->counters().packets[0].value();
  const double rate = seconds > 0 ? static_cast<double>(packets) / seconds : 0;
  tell("\r\x1b[K{} packets, {:.2f} M/s", packets, rate / 1e6);
  if (total > 0 && done > 0)
    tell(", {:.0f} %, {:.0f} s left", 100 * done / total, seconds * (total - done) / done);
}

int Engine::report(double seconds) {
  if (is_reader_gone()) return kExitWell;  // `linger … | head` has what it wanted
  const Ledger ledger = this->ledger();
  int code = kExitWell;
  if (is_live_) {
    tell_troubles();
    if (!troubles_told_.empty()) code = kExitLost;
  } else if (const std::string trouble = source_->trouble(); !trouble.empty()) {
    tell("linger: {}\n", trouble);
    code = kExitLost;
  }
  for (const auto& output : outputs_) {
    if (output->trouble().empty()) continue;
    tell("linger: {}\n", output->trouble());
    code = kExitLost;
  }
  if (ledger.records_dropped() != 0 || ledger.packets_lost() != 0) code = kExitLost;
  if (is_live_ && settings_.statsInterval != 0 && !options_.quiet) {
    watch_.look_now(ledger.ports, system_time(), monotonic_ns());
    tell("{}", statistics_of(ledger, {.seconds = seconds}, watch_.take()));
  }
  if (!options_.quiet) tell("{}", summary_of(ledger, {.seconds = seconds}));
  if (options_.verbose) tell("{}", counters_of(ledger));
  tell("{}", profile(ledger));
  for (const std::string& residue : ledger.residues()) {
    if (options_.quiet) tell("linger: ledger: {}\n", residue);
    code = kExitLost;
  }
  // Nobody asked it to end: who watches the service is to start it again.
  if (is_live_ && !stopped_ && troubles_told_.size() == options_.interfaces.size())
    code = kExitFailed;
  return code;
}

}  // namespace linger
