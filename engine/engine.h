// A run: sources, shards, outputs and the threads that move them.
//
//     control thread   signals, progress, the summary            (the caller of run())
//     N shard threads  packetThreads; the first one reads the captures
//     M output threads one for each output
//     1 thread         where the subflows of MPTCP connections meet
//
// Everything that can fail is asked in open(), before the first packet.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <tl/expected.hpp>
#include <vector>

#include "engine/base/settings.h"
#include "engine/handoff.h"
#include "engine/ledger.h"
#include "engine/mptcp_collector.h"
#include "engine/options.h"
#include "engine/shard.h"
#include "engine/source/source.h"
#include "output/output.h"

namespace linger {

// Why a run does not start, and with which exit code.
struct StartError {
  int exit_code = kExitFailed;
  std::string text;
};

class Engine {
 public:
  Engine(const Options& options, const Settings& settings);

  // Whether the settings can work on this machine; touches nothing.
  tl::expected<void, StartError> check() const;

  // Checks, opens sources and outputs. Blocks the signals that run() waits for, in all threads to
  // come.
  tl::expected<void, StartError> open();

  // Until the input ends or a signal stops it; the exit code of the process.
  int run();

  // What the settings cost, for -T: several lines.
  static std::string cost_of(const Settings& settings);

 private:
  tl::expected<void, StartError> open_sources();
  tl::expected<void, StartError> open_outputs();
  tl::expected<void, StartError> open_detector();
  void start_threads();
  void run_shard(Shard& shard) noexcept;
  void control();
  void on_signal(int signal);
  void stop() noexcept;
  void show_progress(double seconds);
  void warn_if_full(double seconds);
  Ledger ledger() const;
  bool is_reader_gone() const noexcept;
  int report(double seconds);

  const Options& options_;
  const Settings& settings_;
  Handoff handoff_;
  std::unique_ptr<Source> source_;
  std::vector<std::unique_ptr<Output>> outputs_;
  std::unique_ptr<Detector> detector_;  // null: no parser is on
  std::unique_ptr<MptcpCollector> collector_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::thread> threads_;
  std::atomic<std::uint32_t> running_{0};  // shard threads; counts down as they finish
  pthread_t control_thread_{};
  bool stopped_ = false;         // by a signal
  double next_warning_ = 0;      // seconds since the start
  std::uint64_t warned_of_ = 0;  // sessions that had left early by the last warning
  bool shows_progress_ = false;  // standard error is a terminal
};

// Memory of the session tables with these settings, in bytes; and of the machine.
std::uint64_t memory_needed(const Settings& settings) noexcept;
std::uint64_t memory_there() noexcept;

}  // namespace linger
