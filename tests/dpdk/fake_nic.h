// A network card for tests: queues that are rings in memory (net_ring), filled by a Toeplitz hash
// in software, and the answers of a driver in place of net_ring's own.
//
// The linker puts __wrap_ functions (fake_nic.cc) between linger and the library; they answer for
// the one card that there is. What a card can do is a FakeCard; the named ones answer as the
// drivers of DPDK 22.11 do. One at a time.
#pragma once

// clang-format off
#include "engine/base/socket_headers.h"  // before rte_ethdev.h
// clang-format on

#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/support/packet_builder.h"

namespace linger::test {

struct FakeCard {
  const char* driver = "net_fake";
  std::uint64_t hash_types = 0;  // flow_type_rss_offloads
  std::uint8_t key_bytes = 0;
  std::uint16_t table_entries = 0;
  bool takes_key = false;
  bool takes_table = false;
  bool has_symmetric_flow = false;
  bool refuses_configuration_with_key = false;
  bool has_ticks = false;
  int node = 0;  // NUMA
};

FakeCard ice_like();        // key of 52 bytes, 512 entries, symmetric by the flow API
FakeCard mlx5_like();       // key of 40 bytes, 128 entries, ticks, no symmetric hash
FakeCard symmetric_only();  // keeps its key, but has the flow API
FakeCard fixed_key();       // keeps its key
FakeCard refuses_all();     // no hash, no rules, no promiscuous mode

class FakeNic {
 public:
  static constexpr std::uint32_t kQueues = 2;

  explicit FakeNic(const FakeCard& card);
  ~FakeNic();

  // Spreads it over the queues, in segments of at most so many bytes; ticks go with it if the card
  // has them.
  void receive(const Frame& frame, std::uint64_t ticks = 0, std::size_t segment_bytes = 2'000);
  // Which queue it would come through.
  std::uint32_t queue_of(const Frame& frame) const;

  std::function<std::uint64_t()> clock;  // what rte_eth_read_clock() reads
  std::uint64_t missed = 0;              // imissed

  std::string name;  // as with -i dpdk:

  // Answers of the card, for the wrapped functions.
  const FakeCard card;
  std::vector<std::uint8_t> key;
  std::vector<std::uint16_t> table;
  std::vector<std::uint64_t> symmetric_types;  // of the rules that were made

 private:
  std::vector<rte_ring*> rings_;
  rte_mempool* pool_ = nullptr;
};

// Starts the EAL without huge pages, once; empty, or why it does not.
std::string start_test_eal();

// Toeplitz as cards compute it, bit by bit.
std::uint32_t toeplitz(const std::vector<std::uint8_t>& key,
                       const std::vector<std::uint8_t>& input);

}  // namespace linger::test
