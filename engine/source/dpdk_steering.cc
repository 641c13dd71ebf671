#include "engine/source/dpdk_steering.h"

#include "engine/base/rss.h"

namespace linger {
namespace {

constexpr std::size_t kKeyBytesUsual = 40;
constexpr std::uint64_t kTypes = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 |
                                 RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |
                                 RTE_ETH_RSS_NONFRAG_IPV4_OTHER | RTE_ETH_RSS_IPV6 |
                                 RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_TCP |
                                 RTE_ETH_RSS_NONFRAG_IPV6_UDP | RTE_ETH_RSS_NONFRAG_IPV6_OTHER;

rte_flow_item item_of(rte_flow_item_type type) noexcept {
  rte_flow_item item{};
  item.type = type;
  return item;
}

}  // namespace

void DpdkSteering::ask(const rte_eth_dev_info& info, rte_eth_conf& conf) {
  types_ = info.flow_type_rss_offloads & kTypes;
  table_size_ = info.reta_size;
  if (queue_count_ < 2 || types_ == 0) return;
  key_.resize(info.hash_key_size != 0 ? info.hash_key_size : kKeyBytesUsual);
  for (std::size_t i = 0; i < key_.size(); ++i) key_[i] = kRssKey[i % kRssKey.size()];
  conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
  conf.rx_adv_conf.rss_conf.rss_hf = types_;
  conf.rx_adv_conf.rss_conf.rss_key = key_.data();
  conf.rx_adv_conf.rss_conf.rss_key_len = static_cast<std::uint8_t>(key_.size());
}

SteeredAs DpdkSteering::settle(std::string& shortcoming) {
  if (queue_count_ < 2) return SteeredAs::device;
  if (types_ == 0) {
    shortcoming = "it does not spread packets by their hash: shards hand over what is not theirs";
    return SteeredAs::device;
  }
  const bool has_key = takes_key();
  if (has_key && takes_table()) return SteeredAs::owners;
  if (has_key || hashes_symmetrically()) {
    shortcoming =
        "its hash is symmetric, but key or table are not ours: sessions come whole, and are handed "
        "to their shard";
    return SteeredAs::symmetric;
  }
  shortcoming =
      "its hash is neither symmetric nor ours: shards hand over what is not theirs, and the "
      "directions of a session come apart";
  return SteeredAs::device;
}

bool DpdkSteering::takes_key() {
  const auto has_it = [this] {
    std::vector<std::uint8_t> there(key_.size());
    rte_eth_rss_conf conf{};
    conf.rss_key = there.data();
    conf.rss_key_len = static_cast<std::uint8_t>(there.size());
    return rte_eth_dev_rss_hash_conf_get(port_, &conf) == 0 && there == key_;
  };
  if (has_it()) return true;
  rte_eth_rss_conf conf{};
  conf.rss_key = key_.data();
  conf.rss_key_len = static_cast<std::uint8_t>(key_.size());
  conf.rss_hf = types_;
  return rte_eth_dev_rss_hash_update(port_, &conf) == 0 && has_it();
}

bool DpdkSteering::takes_table() {
  if (table_size_ < kRssBuckets) return false;
  std::vector<rte_eth_rss_reta_entry64> table((table_size_ + RTE_ETH_RETA_GROUP_SIZE - 1) /
                                              RTE_ETH_RETA_GROUP_SIZE);
  for (std::uint32_t i = 0; i < table_size_; ++i) {
    auto& group = table[i / RTE_ETH_RETA_GROUP_SIZE];
    group.mask |= std::uint64_t{1} << i % RTE_ETH_RETA_GROUP_SIZE;
    group.reta[i % RTE_ETH_RETA_GROUP_SIZE] =
        static_cast<std::uint16_t>(i % kRssBuckets % queue_count_);
  }
  return rte_eth_dev_rss_reta_update(port_, table.data(), table_size_) == 0;
}

// A rule for each kind of packet that drivers tell apart (ice, iavf, i40e, hns3). Of TCP and UDP
// all are needed; the rest as far as the device has them.
bool DpdkSteering::hashes_symmetrically() {
  struct Kind {
    rte_flow_item_type network;
    rte_flow_item_type transport;
    std::uint64_t type;
  };
  constexpr Kind kKinds[] = {
      {RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_TCP, RTE_ETH_RSS_NONFRAG_IPV4_TCP},
      {RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_UDP, RTE_ETH_RSS_NONFRAG_IPV4_UDP},
      {RTE_FLOW_ITEM_TYPE_IPV6, RTE_FLOW_ITEM_TYPE_TCP, RTE_ETH_RSS_NONFRAG_IPV6_TCP},
      {RTE_FLOW_ITEM_TYPE_IPV6, RTE_FLOW_ITEM_TYPE_UDP, RTE_ETH_RSS_NONFRAG_IPV6_UDP},
      {RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_END, RTE_ETH_RSS_IPV4},
      {RTE_FLOW_ITEM_TYPE_IPV6, RTE_FLOW_ITEM_TYPE_END, RTE_ETH_RSS_IPV6}};
  bool is_whole = true;
  for (const Kind& kind : kKinds) {
    const bool is_plain = kind.transport == RTE_FLOW_ITEM_TYPE_END;
    std::vector<rte_flow_item> pattern = {item_of(RTE_FLOW_ITEM_TYPE_ETH), item_of(kind.network)};
    if (!is_plain) pattern.push_back(item_of(kind.transport));
    pattern.push_back(item_of(RTE_FLOW_ITEM_TYPE_END));
    is_whole &= create(pattern, kind.type) || is_plain;
  }
  return is_whole;
}

bool DpdkSteering::create(const std::vector<rte_flow_item>& pattern, std::uint64_t types) {
  rte_flow_attr attributes{};
  attributes.ingress = 1;
  rte_flow_action_rss rss{};
  rss.func = RTE_ETH_HASH_FUNCTION_SYMMETRIC_TOEPLITZ;
  rss.types = types;
  rte_flow_action actions[2] = {};
  actions[0].type = RTE_FLOW_ACTION_TYPE_RSS;
  actions[0].conf = &rss;
  actions[1].type = RTE_FLOW_ACTION_TYPE_END;
  rte_flow_error error{};
  return rte_flow_validate(port_, &attributes, pattern.data(), actions, &error) == 0 &&
         rte_flow_create(port_, &attributes, pattern.data(), actions, &error) != nullptr;
}

}  // namespace linger
