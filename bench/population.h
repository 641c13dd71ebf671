// Numbered sessions for benchmarks: session i has the same key and the same packets whenever it is
// asked for, so that millions of them need no memory of their own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include "bench/frame_writer.h"
#include "engine/base/settings.h"
#include "engine/packet/decode.h"
#include "sessiontable/session_table.h"

namespace linger::bench {

enum class Addresses : std::uint8_t {
  ipv4,     // 16 sessions of each client to one of 256 servers
  ipv6,     // the same
  one_nat,  // one client address, one server address; 60,000 sessions for each server port
};

inline constexpr ClockNs kBegin = 1'704'067'200 * kSecond;

class Population {
 public:
  explicit Population(Addresses addresses) : addresses_(addresses) {}

  // Side 0 is the client.
  FlowKey key(std::uint64_t i) const noexcept {
    FlowKey key;
    key.protocol = kProtocolTcp;
    key.ip_version = addresses_ == Addresses::ipv6 ? 6 : 4;
    if (addresses_ == Addresses::one_nat) {
      set_address(key, 0, 10, 1);
      set_address(key, 1, 198, 1);
      key.port = {static_cast<std::uint16_t>(1'024 + i % 60'000),
                  static_cast<std::uint16_t>(443 + i / 60'000)};
      return key;
    }
    set_address(key, 0, 10, static_cast<std::uint32_t>(i / 16));
    set_address(key, 1, 198, static_cast<std::uint32_t>(i % 256));
    key.port = {static_cast<std::uint16_t>(32'768 + i * 7'919 % 28'000), 443};
    return key;
  }

  // A segment as decode leaves it. Sequence numbers count from the ISN, which is the SYN's.
  void fill(Packet& packet, std::uint64_t i, unsigned side, std::uint8_t flags,
            std::uint32_t sequence, std::uint32_t acknowledgment, std::uint32_t payload_bytes,
            ClockNs clock) const noexcept {
    packet.timestamp = {clock};
    packet.clock = clock;
    packet.wire_bytes = packet.captured_bytes =
        std::max<std::uint32_t>(kFrameBytesMin, 54 + payload_bytes);
    packet.verdict = Verdict::session;
    packet.direction = static_cast<std::uint8_t>(side);
    packet.mac_offset = Packet::kNoMac;
    packet.payload_bytes = payload_bytes;
    packet.key = key(i);
    packet.hash = hash_of(packet.key, seed_);
    const std::uint32_t isn[2] = {isn_of(i), ~isn_of(i)};
    packet.tcp = {.sequence = isn[side] + sequence,
                  .acknowledgment = (flags & kTcpAck) != 0 ? isn[side ^ 1] + acknowledgment : 0,
                  .window = kWindow,
                  .flags = flags};
  }

  // The same as a frame; the bytes of an unfinished Packet.
  Segment segment(std::uint64_t i, unsigned side, std::uint8_t flags, std::uint32_t sequence,
                  std::uint32_t acknowledgment) const noexcept {
    const std::uint32_t isn[2] = {isn_of(i), ~isn_of(i)};
    return {.key = key(i),
            .direction = side,
            .sequence = isn[side] + sequence,
            .acknowledgment = isn[side ^ 1] + acknowledgment,
            .flags = flags};
  }

  const HashSeed& seed() const noexcept { return seed_; }

 private:
  void set_address(FlowKey& key, unsigned side, std::uint8_t network,
                   std::uint32_t host) const noexcept {
    std::uint8_t* low = key.address[side].bytes.data();
    if (addresses_ == Addresses::ipv6) {
      low[0] = 0x20, low[1] = 0x01, low[2] = 0x0d, low[3] = network;
      low += 12;
    } else {
      low[0] = network;
    }
    low[1] = static_cast<std::uint8_t>(host >> 16);
    low[2] = static_cast<std::uint8_t>(host >> 8);
    low[3] = static_cast<std::uint8_t>(host);
  }
  static std::uint32_t isn_of(std::uint64_t i) noexcept {
    return static_cast<std::uint32_t>(i * 0x9e37'79b9'7f4a'7c15 >> 32);
  }

  Addresses addresses_;
  HashSeed seed_ = make_hash_seed(1);
};

// A sink that counts.
struct CountingSink final : SessionSink {
  std::uint64_t sessions = 0;
  void on_session(const SessionView&) noexcept override { ++sessions; }
  void on_late(const LateBlock&, const Id128&) noexcept override {}
  void on_flood(const FloodSecond&) noexcept override {}
};

// Established sessions stay until they are told to go: their timeout is a day.
inline Settings settings_for(std::uint64_t max_streams) {
  Settings settings;
  settings.maxStreams = max_streams;
  settings.tcpTimeout = settings.tcpSaveTimeout = kDay;
  return settings;
}

// A table with what it needs around it.
template <class Sink = CountingSink>
struct Bench {
  Population population;
  Settings settings;
  DecodeSettings decode_settings;
  TableCounters counters;
  Sink sink;
  SessionTable table;
  ClockNs clock = kBegin;

  Bench(Addresses addresses, const Settings& with, bool populates = true)
      : population(addresses),
        settings(with),
        decode_settings(decode_settings_of(with, population.seed())),
        table(settings, decode_settings, make_hash_seed(2), counters, sink) {
    if (populates) table.populate();
  }

  // Opens sessions 0 … count - 1: handshake, 100 bytes each way, ACKs of both.
  void establish(std::uint64_t count) {
    Burst burst;
    constexpr std::uint64_t kAtOnce = kBurstMax / 8;
    for (std::uint64_t i = 0; i < count; i += kAtOnce) {
      burst.count = 0;
      for (std::uint64_t j = i; j < std::min(count, i + kAtOnce); ++j) {
        const auto add = [&](unsigned side, std::uint8_t flags, std::uint32_t sequence,
                             std::uint32_t acknowledgment, std::uint32_t payload) {
          population.fill(burst.packets[burst.count++], j, side, flags, sequence, acknowledgment,
                          payload, clock);
        };
        add(0, kTcpSyn, 0, 0, 0);
        add(1, kTcpSyn | kTcpAck, 0, 1, 0);
        add(0, kTcpAck, 1, 1, 0);
        add(0, kTcpAck | kTcpPsh, 1, 1, kOpeningBytes);
        add(1, kTcpAck, 1, 1 + kOpeningBytes, 0);
        add(1, kTcpAck | kTcpPsh, 1, 1 + kOpeningBytes, kOpeningBytes);
        add(0, kTcpAck, 1 + kOpeningBytes, 1 + kOpeningBytes, 0);
      }
      table.track(burst);
      clock += kMicrosecond;
    }
  }
  static constexpr std::uint32_t kOpeningBytes = 100;
};

// 0 … count - 1 in random order.
inline std::vector<std::uint32_t> shuffled(std::size_t count, std::uint64_t seed = 1) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(seed));
  return order;
}

}  // namespace linger::bench
