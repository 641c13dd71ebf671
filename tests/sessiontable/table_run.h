// A session table on its own: frames in, records out. The clock is the running maximum of the
// frames' timestamps, as a source without jumps would stamp it.
//
//   TableRun run({.tcpTimeout = kMinute});
//   run.see(frames);
//   run.finish();
//   EXPECT_EQ(run.only(Action::session_end).late_rst[1], 1u);
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "engine/packet/decode.h"
#include "engine/session_record.h"
#include "sessiontable/session_table.h"
#include "tests/support/packet_builder.h"

namespace linger::test {

inline Settings small_settings() {
  Settings settings;
  settings.maxStreams = 1'000;
  return settings;
}

class TableRun final : private SessionSink {
 public:
  explicit TableRun(const Settings& settings = small_settings(),
                    std::uint32_t burst_max = kBurstMax)
      : settings_(settings), burst_max_(burst_max) {
    decode_.seed = make_hash_seed(7);
    SessionSink& sink = *this;
    table_ = std::make_unique<SessionTable>(settings_, decode_, make_hash_seed(9), counters_, sink);
  }

  // Before the first frame.
  void verify_checksums() { decode_.verify_checksums = true; }

  // In the order in which they stand; each may be a datagram that came in so many fragments.
  void see(const Frames& frames, std::uint16_t fragments = 1) {
    for (std::size_t i = 0; i < frames.size(); i += burst_max_) {
      Burst& burst = *burst_;
      burst.count =
          static_cast<std::uint32_t>(std::min<std::size_t>(burst_max_, frames.size() - i));
      for (std::uint32_t j = 0; j < burst.count; ++j) {
        burst.packets[j] = packet_of(frames[i + j]);
        clock_ = std::max(clock_, frames[i + j].timestamp_ns);
        burst.packets[j].clock = clock_;
      }
      burst.clock = clock_;
      decode(burst, decode_);
      for (std::uint32_t j = 0; j < burst.count; ++j) burst.packets[j].frames = fragments;
      table_->track(burst);
    }
  }
  // Time passes; everything due is carried out.
  void pass(DurationNs duration) {
    clock_ += duration;
    while (!table_->expire(clock_, 1'000)) {
    }
  }
  void finish(Ending ending = Ending::end_of_input) { table_->finish(ending); }

  SessionTable& table() { return *table_; }
  const TableCounters& counters() const { return counters_; }
  const std::vector<Record>& records() const { return records_; }
  const std::vector<MptcpNotice>& notices() const { return notices_; }  // of open sessions

  std::vector<Record> all(Action action) const {
    std::vector<Record> found;
    for (const Record& record : records_)
      if (record.action == action) found.push_back(record);
    return found;
  }
  // The one record of this action; a test fails when there is another number of them.
  Record only(Action action) const {
    const std::vector<Record> found = all(action);
    EXPECT_EQ(found.size(), 1u);
    return found.empty() ? Record{} : found.front();
  }

  std::uint64_t packets_told() const {
    std::uint64_t sum = 0;
    for (const Record& record : records_)
      if (record.action != Action::session_interim) sum += record.total_packets();
    return sum;
  }

 private:
  void on_session(const SessionView& view) noexcept override {
    records_.push_back(make_record(view));
  }
  void on_subflow(const SessionView& view) noexcept override {
    notices_.push_back(make_notice(view));
  }
  void on_late(const LateBlock& block, const Id128& id) noexcept override {
    records_.push_back(make_late_record(block, id));
  }

  void on_flood(const FloodSecond& flood) noexcept override {
    records_.push_back(make_flood_record(flood));
  }

  Settings settings_;
  std::uint32_t burst_max_;
  DecodeSettings decode_;
  TableCounters counters_;
  ClockNs clock_ = 0;
  std::vector<Record> records_;
  std::vector<MptcpNotice> notices_;
  std::unique_ptr<SessionTable> table_;
  std::unique_ptr<Burst> burst_ = std::make_unique<Burst>();
};

// The one record of a session: of its packets in one burst, where all take the long way, and one by
// one, where they take shorter ones.
inline Record record_of(const Frames& frames, const Settings& settings = small_settings()) {
  const auto record = [&](std::uint32_t burst_max) {
    TableRun run(settings, burst_max);
    run.see(frames);
    run.finish();
    return run.only(Action::session_end);
  };
  const Record once = record(kBurstMax), each = record(1);
  EXPECT_EQ(std::memcmp(&once, &each, sizeof once), 0);
  return each;
}

// A connection of the documentation's hosts; `number` makes the client's port.
inline TcpPeers peers(Frames& frames, unsigned number = 0, std::uint32_t client_isn = 1'000,
                      std::uint32_t server_isn = 5'000'000) {
  const auto port = static_cast<std::uint16_t>(20'000 + number);
  return TcpPeers(frames, {"192.0.2.1", port}, {"198.51.100.2", 80}, client_isn, server_isn);
}

// Handshake, a word each way, close: 22 ms.
inline void whole(TcpPeers& tcp, std::int64_t time) {
  tcp.handshake(time);
  tcp.data(Side::client, "ping", time + 10 * kMillisecond);
  tcp.data(Side::server, "pong", time + 11 * kMillisecond);
  tcp.close(Side::client, time + 12 * kMillisecond);
}

}  // namespace linger::test
