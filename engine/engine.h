// A run: sources, shards, outputs and the threads that move them.
//
//     control thread   signals, progress, statistics, the summary   (the caller of run())
//     N shard threads  packetThreads; in a replay the first one reads the captures, live each has a
//                      queue of every port
//     M output threads one for each output
//     1 thread         where the subflows of MPTCP connections meet
//     1 thread         that decompresses, while a large compressed capture is replayed
//
// Everything that can fail is asked in open(), before the first packet.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <tl/expected.hpp>
#include <vector>

#include "engine/base/settings.h"
#include "engine/handoff.h"
#include "engine/ledger.h"
#include "engine/live.h"
#include "engine/options.h"
#include "engine/output_watch.h"
#include "engine/port_watch.h"
#include "engine/source/source.h"
#include "output/output.h"

namespace linger {

class CaptureFileSource;
class MptcpCollector;
class Shard;
struct Reading;
struct Seeds;

// Why a run does not start, and with which exit code.
struct StartError {
  int exit_code = kExitFailed;
  std::string text;
};

class Engine {
 public:
  Engine(const Options& options, const Settings& settings);
  ~Engine();

  // Whether the settings can work on this machine; touches nothing.
  tl::expected<void, StartError> check() const;

  // Whether the captures can be read: a look into each, but for pipes, which would lose their first
  // bytes. For -T; open() looks for itself.
  tl::expected<void, StartError> check_captures() const;

  // Checks, opens sources and outputs. Blocks the signals that run() waits for, in all threads to
  // come.
  tl::expected<void, StartError> open();

  // Until the input ends or a signal stops it; the exit code of the process.
  int run();

  // What the settings cost, for -T: several lines. Compiles signatures and rules.
  tl::expected<std::string, StartError> cost() const;

 private:
  tl::expected<std::unique_ptr<CaptureFileSource>, StartError> captures_of(
      const std::vector<std::string>& paths) const;
  tl::expected<void, StartError> open_captures();
  tl::expected<void, StartError> open_ports();
  tl::expected<void, StartError> open_outputs();
  tl::expected<void, StartError> open_reading();
  void reload_reading();
  void drop_old_readings();
  tl::expected<void, std::string> start();
  tl::expected<void, std::string> start_sources();
  void make_shards();
  std::unique_ptr<Shard> make_shard(std::uint32_t index, const Seeds& seeds);
  void run_shard(std::uint32_t index) noexcept;
  void rest(int idle_polls) const noexcept;
  void control();
  void finish();
  void on_signal(int signal);
  void stop(Ending ending);
  void stop_at_once() noexcept;
  // Packets still come, live: else a run that was stopped waits for its outputs only.
  bool receives() const noexcept {
    return is_live_ && !is_finishing_ && !outputs_.front()->has_drained();
  }
  void stop_if_idle(double seconds);
  void watch_ports(double seconds);
  void watch_outputs();
  void tell_notes();
  void tell_troubles();
  tl::expected<void, std::string> give_up_rights();
  void show_progress(double seconds);
  void warn_if_full(double seconds);
  Ledger ledger() const;
  std::string profile(const Ledger& ledger) const;
  bool is_reader_gone() const noexcept;
  int report(double seconds);

  const Options& options_;
  const Settings& settings_;
  const Shares shares_;
  std::vector<Settings> shard_settings_;
  Handoff handoff_;
  std::unique_ptr<Source> source_;  // of a replay
  LivePorts ports_;                 // of a live run
  PortWatch watch_;
  OutputWatch output_watch_;
  std::size_t notes_told_ = 0;
  std::vector<std::string> troubles_told_;
  const bool is_live_;
  std::vector<int> cores_;  // shardCores
  std::vector<std::unique_ptr<Output>> outputs_;
  // New sessions are opened on the last one; the others go with theirs. Empty: nothing is read.
  std::vector<std::unique_ptr<Reading>> readings_;
  std::unique_ptr<MptcpCollector> collector_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::thread> threads_;
  std::atomic<std::uint32_t> polling_{0};  // shard threads that have taken what there was
  std::atomic<std::uint32_t> running_{0};  // shard threads; counts down as they finish
  pthread_t control_thread_{};
  bool stopped_ = false;  // by a signal:
  int stop_signal_ = 0;   // which, and when
  std::chrono::steady_clock::time_point stop_moment_;
  bool is_finishing_ = false;  // only outputs are waited for;
  bool is_abandoned_ = false;  // and now they are to end too
  bool is_wait_told_ = false;
  double next_statistics_ = 0;     // seconds since the start
  double last_packet_ = 0;         // seconds since the start, as far as the control thread knows
  std::uint64_t seen_before_ = 0;  // packets
  double next_warning_ = 0;        // seconds since the start
  std::uint64_t warned_of_ = 0;    // sessions that had left early by the last warning
  bool shows_progress_ = false;    // standard error is a terminal
  struct Clocks {
    std::chrono::steady_clock::time_point moment;
    std::uint64_t ticks = 0;  // of the time stamp counter
    DurationNs processor = 0;
  };
  Clocks first_;                                // when the first packet could come
  std::atomic<DurationNs> finished_shards_{0};  // processor time of shard threads
};

}  // namespace linger
