#include "tests/dpdk/fake_nic.h"

#include <rte_eth_ring.h>
#include <rte_flow.h>
#include <rte_mbuf_dyn.h>

#include <algorithm>
#include <cstring>

#include "engine/source/dpdk_eal.h"

namespace linger::test {
namespace {

constexpr std::uint64_t kUsualTypes = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP |
                                      RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_IPV6 |
                                      RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;
constexpr unsigned kRingPackets = 4'096;

FakeNic* the_card = nullptr;

// What a card of Intel has before anybody sets it: no repetition in it.
std::vector<std::uint8_t> first_key(std::size_t bytes) {
  std::vector<std::uint8_t> key(bytes);
  std::uint32_t state = 0x1234'5678;
  for (std::uint8_t& byte : key)
    byte = static_cast<std::uint8_t>((state = state * 1'664'525 + 1'013'904'223) >> 24);
  return key;
}

void append(std::vector<std::uint8_t>& to, const Frame& frame, std::size_t offset,
            std::size_t count) {
  to.insert(to.end(), frame.bytes.begin() + static_cast<std::ptrdiff_t>(offset),
            frame.bytes.begin() + static_cast<std::ptrdiff_t>(offset + count));
}

struct HashInput {
  std::vector<std::uint8_t> source, destination, source_port, destination_port;
};

// As a card parses the outer headers: no ports of fragments, none of other protocols.
HashInput input_of(const Frame& frame) {
  HashInput input;
  const std::size_t ip = frame.ip_offset;
  const bool is_ipv6 = frame.bytes[ip] >> 4 == 6;
  const std::size_t address = is_ipv6 ? 16 : 4;
  append(input.source, frame, ip + (is_ipv6 ? 8 : 12), address);
  append(input.destination, frame, ip + (is_ipv6 ? 24 : 16), address);
  const std::uint8_t protocol = frame.bytes[ip + (is_ipv6 ? 6 : 9)];
  const bool is_fragment =
      !is_ipv6 && ((frame.bytes[ip + 6] & 0x3f) != 0 || frame.bytes[ip + 7] != 0);
  if (is_fragment || (protocol != kProtocolTcp && protocol != kProtocolUdp)) return input;
  const std::size_t ports = ip + (is_ipv6 ? 40 : (frame.bytes[ip] & 15) * 4u);
  append(input.source_port, frame, ports, 2);
  append(input.destination_port, frame, ports + 2, 2);
  return input;
}

std::vector<std::uint8_t> joined(const HashInput& input) {
  std::vector<std::uint8_t> bytes;
  for (const auto* part :
       {&input.source, &input.destination, &input.source_port, &input.destination_port})
    bytes.insert(bytes.end(), part->begin(), part->end());
  return bytes;
}

}  // namespace

FakeCard ice_like() {
  return {.driver = "net_ice",
          .hash_types = kUsualTypes,
          .key_bytes = 52,
          .table_entries = 512,
          .takes_key = true,
          .takes_table = true,
          .has_symmetric_flow = true};
}
FakeCard mlx5_like() {
  return {.driver = "mlx5_pci",
          .hash_types = kUsualTypes,
          .key_bytes = 40,
          .table_entries = 128,
          .takes_key = true,
          .takes_table = true,
          .has_ticks = true};
}
FakeCard symmetric_only() {
  return {.driver = "net_fake",
          .hash_types = kUsualTypes,
          .key_bytes = 40,
          .table_entries = 128,
          .takes_table = true,
          .has_symmetric_flow = true};
}
FakeCard fixed_key() {
  return {.driver = "net_fake",
          .hash_types = kUsualTypes,
          .key_bytes = 40,
          .table_entries = 64,
          .refuses_configuration_with_key = true};
}
FakeCard refuses_all() { return {}; }

std::uint32_t toeplitz(const std::vector<std::uint8_t>& key,
                       const std::vector<std::uint8_t>& input) {
  const auto bit = [](const std::vector<std::uint8_t>& bytes, std::size_t i) {
    return i / 8 < bytes.size() && (bytes[i / 8] >> (7 - i % 8) & 1) != 0;
  };
  std::uint32_t hash = 0;
  for (std::size_t i = 0; i < 8 * input.size(); ++i) {
    if (!bit(input, i)) continue;
    std::uint32_t window = 0;
    for (std::size_t k = 0; k < 32; ++k) window = window << 1 | (bit(key, i + k) ? 1 : 0);
    hash ^= window;
  }
  return hash;
}

std::string start_test_eal() {
  static const auto started = start_eal({.devices = {"net_ring"},
                                         .allow = {},
                                         .file_prefix = {},
                                         .memory_bytes = std::uint64_t{128} << 20,
                                         .has_huge_pages = false});
  return started ? std::string() : started.error();
}

FakeNic::FakeNic(const FakeCard& c) : card(c), key(first_key(c.key_bytes)), table(c.table_entries) {
  static int number = 0;
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<std::uint16_t>(i % kQueues);
  ++number;
  for (std::uint32_t i = 0; i < kQueues; ++i)
    rings_.push_back(rte_ring_create(("fake" + std::to_string(number * 10 + i)).c_str(),
                                     kRingPackets, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ));
  pool_ = rte_pktmbuf_pool_create(("fake" + std::to_string(number)).c_str(), 2 * kRingPackets, 0,
                                  64, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  rte_mempool_obj_iter(
      pool_,
      [](rte_mempool*, void*, void* mbuf, unsigned) {
        new (rte_mbuf_to_priv(static_cast<rte_mbuf*>(mbuf))) PacketBuffer{};
      },
      nullptr);
  const int port = rte_eth_from_rings(("fake" + std::to_string(number)).c_str(), rings_.data(),
                                      kQueues, rings_.data(), kQueues, SOCKET_ID_ANY);
  char port_name[RTE_ETH_NAME_MAX_LEN] = {};
  rte_eth_dev_get_name_by_port(static_cast<std::uint16_t>(port), port_name);
  name = port_name;
  if (card.has_ticks) rte_mbuf_dyn_rx_timestamp_register(nullptr, nullptr);
  the_card = this;
}

FakeNic::~FakeNic() {
  the_card = nullptr;
  for (rte_ring* ring : rings_) rte_ring_free(ring);
  rte_mempool_free(pool_);
}

std::uint32_t FakeNic::queue_of(const Frame& frame) const {
  if (card.hash_types == 0) return frame.bytes[frame.ip_offset + 15] % kQueues;  // by its sender
  HashInput input = input_of(frame);
  if (!symmetric_types.empty()) {
    if (input.destination < input.source) std::swap(input.source, input.destination);
    if (input.destination_port < input.source_port)
      std::swap(input.source_port, input.destination_port);
  }
  return table[toeplitz(key, joined(input)) % table.size()];
}

void FakeNic::receive(const Frame& frame, std::uint64_t at, std::size_t segment_bytes) {
  rte_mbuf* mbuf = nullptr;
  for (std::size_t i = 0; i < frame.bytes.size(); i += segment_bytes) {
    const std::size_t count = std::min(segment_bytes, frame.bytes.size() - i);
    rte_mbuf* segment = rte_pktmbuf_alloc(pool_);
    std::memcpy(rte_pktmbuf_append(segment, static_cast<std::uint16_t>(count)),
                frame.bytes.data() + i, count);
    if (mbuf == nullptr)
      mbuf = segment;
    else
      rte_pktmbuf_chain(mbuf, segment);
  }
  if (card.has_ticks && at != 0) {
    const int offset = rte_mbuf_dynfield_lookup(RTE_MBUF_DYNFIELD_TIMESTAMP_NAME, nullptr);
    const int flag = rte_mbuf_dynflag_lookup(RTE_MBUF_DYNFLAG_RX_TIMESTAMP_NAME, nullptr);
    *RTE_MBUF_DYNFIELD(mbuf, offset, rte_mbuf_timestamp_t*) = at;
    mbuf->ol_flags |= std::uint64_t{1} << flag;
  }
  if (rte_ring_enqueue(rings_[queue_of(frame)], mbuf) != 0) rte_pktmbuf_free(mbuf);
}

extern "C" {

int __real_rte_eth_dev_info_get(std::uint16_t port, rte_eth_dev_info* info);
int __real_rte_eth_dev_configure(std::uint16_t port, std::uint16_t rx, std::uint16_t tx,
                                 const rte_eth_conf* conf);
int __real_rte_eth_stats_get(std::uint16_t port, rte_eth_stats* stats);

int __wrap_rte_eth_dev_info_get(std::uint16_t port, rte_eth_dev_info* info) {
  const int status = __real_rte_eth_dev_info_get(port, info);
  info->driver_name = the_card->card.driver;
  info->flow_type_rss_offloads = the_card->card.hash_types;
  info->hash_key_size = the_card->card.key_bytes;
  info->reta_size = the_card->card.table_entries;
  if (the_card->card.has_ticks) info->rx_offload_capa |= RTE_ETH_RX_OFFLOAD_TIMESTAMP;
  return status;
}

int __wrap_rte_eth_dev_configure(std::uint16_t port, std::uint16_t rx, std::uint16_t tx,
                                 const rte_eth_conf* conf) {
  const rte_eth_rss_conf& rss = conf->rx_adv_conf.rss_conf;
  if (rss.rss_key != nullptr && the_card->card.refuses_configuration_with_key) return -EINVAL;
  if (rss.rss_key != nullptr && the_card->card.takes_key) {
    if (rss.rss_key_len != the_card->card.key_bytes) return -EINVAL;
    the_card->key.assign(rss.rss_key, rss.rss_key + rss.rss_key_len);
  }
  rte_eth_conf plain = *conf;
  plain.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE;
  plain.rxmode.offloads = 0;
  plain.rx_adv_conf = {};
  return __real_rte_eth_dev_configure(port, rx, tx, &plain);
}

int __wrap_rte_eth_dev_rss_hash_update(std::uint16_t, rte_eth_rss_conf* conf) {
  if (!the_card->card.takes_key) return -ENOTSUP;
  the_card->key.assign(conf->rss_key, conf->rss_key + conf->rss_key_len);
  return 0;
}

int __wrap_rte_eth_dev_rss_hash_conf_get(std::uint16_t, rte_eth_rss_conf* conf) {
  if (the_card->card.key_bytes == 0) return -ENOTSUP;
  std::copy(the_card->key.begin(), the_card->key.end(), conf->rss_key);
  return 0;
}

int __wrap_rte_eth_dev_rss_reta_update(std::uint16_t, rte_eth_rss_reta_entry64* groups,
                                       std::uint16_t size) {
  if (!the_card->card.takes_table || size != the_card->table.size()) return -ENOTSUP;
  for (std::size_t i = 0; i < size; ++i) the_card->table[i] = groups[i / 64].reta[i % 64];
  return 0;
}

int __wrap_rte_flow_validate(std::uint16_t, const rte_flow_attr*, const rte_flow_item*,
                             const rte_flow_action*, rte_flow_error*) {
  return the_card->card.has_symmetric_flow ? 0 : -ENOTSUP;
}

rte_flow* __wrap_rte_flow_create(std::uint16_t, const rte_flow_attr*, const rte_flow_item*,
                                 const rte_flow_action* actions, rte_flow_error*) {
  const auto* rss = static_cast<const rte_flow_action_rss*>(actions[0].conf);
  if (rss->func != RTE_ETH_HASH_FUNCTION_SYMMETRIC_TOEPLITZ) return nullptr;
  the_card->symmetric_types.push_back(rss->types);
  return reinterpret_cast<rte_flow*>(the_card);
}

int __wrap_rte_eth_dev_socket_id(std::uint16_t) { return the_card->card.node; }

int __wrap_rte_eth_stats_get(std::uint16_t port, rte_eth_stats* stats) {
  const int status = __real_rte_eth_stats_get(port, stats);
  stats->imissed = the_card->missed;
  return status;
}

int __wrap_rte_eth_read_clock(std::uint16_t, std::uint64_t* clock) {
  if (!the_card->card.has_ticks || !the_card->clock) return -ENOTSUP;
  *clock = the_card->clock();
  return 0;
}

int __wrap_rte_eth_promiscuous_enable(std::uint16_t) {
  return the_card->card.hash_types == 0 ? -ENOTSUP : 0;
}
}

}  // namespace linger::test
