#include "engine/source/dpdk_port.h"

// clang-format off
#include "engine/base/socket_headers.h"  // before rte_ethdev.h
// clang-format on

#include <fmt/format.h>
#include <net/if.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "engine/source/dpdk_eal.h"
#include "engine/source/dpdk_link.h"
#include "engine/source/dpdk_queue.h"
#include "engine/source/dpdk_steering.h"
#include "engine/source/kernel_sockets.h"

namespace linger {
namespace {

using Outcome = tl::expected<void, std::string>;

constexpr unsigned kPoolCache = 256;
constexpr std::uint16_t kPrivateBytes = RTE_ALIGN(sizeof(PacketBuffer), RTE_MBUF_PRIV_ALIGN);
constexpr std::uint32_t kMbufBytes = RTE_MBUF_DEFAULT_BUF_SIZE;
constexpr std::uint64_t kSmallPageBytes = 4'096;
constexpr std::uint32_t kFrameOverhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
constexpr std::uint32_t kMtuLeast = 1'500;

void make_buffer(rte_mempool*, void*, void* mbuf, unsigned) {
  new (rte_mbuf_to_priv(static_cast<rte_mbuf*>(mbuf))) PacketBuffer{};
}

struct FreePool {
  void operator()(rte_mempool* pool) const noexcept { rte_mempool_free(pool); }
};

class DpdkPort final : public LivePort {
 public:
  DpdkPort(const std::string& devargs, const DpdkPortOptions& options)
      : devargs_(devargs), name_(devargs.substr(0, devargs.find(','))), options_(options) {}

  ~DpdkPort() override {
    if (is_started_) rte_eth_dev_stop(port_);
    queues_.clear();
    if (is_found_) rte_eth_dev_close(port_);
  }

  Outcome open() {
    const std::vector<int> sockets_before = packet_sockets();
    if (auto found = find(); !found) return found;
    if (auto made = make_pool(); !made) return made;
    if (auto known = learn_frames(); !known) return known;
    if (auto configured = configure(); !configured) return configured;
    if (auto set_up = set_up_queues(); !set_up) return set_up;
    if (driver_.loss == DriverLoss::kernel) sockets_.watch_new(sockets_before);
    return {};
  }

  Outcome start() override {
    const bool was_promiscuous = is_promiscuous(info_.if_index);  // drivers end that as they start
    if (const int status = rte_eth_dev_start(port_); status != 0)
      return fail(driver_.name == "net_memif"
                      ? "does not start; if nobody serves its socket yet, start its peer first, or "
                        "let it be the client (role=server here)"
                      : "does not start",
                  status);
    is_started_ = true;
    std::string shortcoming;
    steered_as_ = steering_->settle(shortcoming);
    if (!shortcoming.empty()) note(shortcoming);
    const bool is_borrowed = driver_.loss == DriverLoss::kernel && !was_promiscuous;
    if (is_borrowed ? !promiscuity_.begin(info_.if_index) : rte_eth_promiscuous_enable(port_) != 0)
      note("no promiscuous mode: packets for other addresses are not seen");
    if ((rte_eth_dev_get_vlan_offload(port_) & RTE_ETH_VLAN_STRIP_OFFLOAD) > 0)
      note("it strips VLAN tags and cannot leave them");
    if (options_.queue_count > 1 && driver_.loss == DriverLoss::kernel) discard();
    if (!sockets_.is_empty()) lost_before_ = sockets_.lost();
    for (std::uint16_t i = 0; i < options_.queue_count; ++i)
      queues_.push_back(
          std::make_unique<DpdkQueue>(DpdkQueueOptions{.port = port_,
                                                       .queue = i,
                                                       .port_bit = options_.port_bit,
                                                       .link_type = link_types_[i],
                                                       .cut_bytes = cut_bytes_,
                                                       .time = time_,
                                                       .held_max = options_.handoff_packets,
                                                       .bpf = options_.bpf,
                                                       .clock_jump = options_.clock_jump}));
    return {};
  }

  LiveQueue& queue(std::uint32_t index) noexcept override { return *queues_[index]; }

  std::uint32_t files() const noexcept override {
    return time_ == DriverTime::recorded_microseconds ? options_.queue_count : 0;
  }

  std::string ability() const override {
    return fmt::format(
        "dpdk:{}: driver {}, {} receive queues, {}, table of {} entries, key of {} bytes, losses "
        "{}",
        name_, info_.driver_name, info_.max_rx_queues,
        info_.flow_type_rss_offloads != 0 ? "spreads by hash" : "does not spread by hash",
        info_.reta_size, info_.hash_key_size,
        driver_.loss == DriverLoss::unknown ? "unknown" : "told");
  }

  bool steers_to_owners() const noexcept override { return steered_as_ == SteeredAs::owners; }
  bool keeps_directions() const noexcept override { return steers_to_owners() || files() != 0; }

  std::string trouble() const override {
    return is_gone_ ? fmt::format("dpdk:{}: the device disappeared", name_) : std::string();
  }

  // While the run goes on its two sides are of one moment: the device is asked between two looks at
  // the queues, again if these have taken more than a burst each meanwhile.
  PortTotals totals() override {
    note_wrong_time();
    if (!is_gone_ && is_gone()) {
      is_gone_ = true;
      for (const auto& queue : queues_) queue->lose_device();
    }
    rte_eth_stats stats{};
    bool is_told = false;
    PortTotals totals = totals_of_queues();
    for (int look = 0; look < kLooks; ++look) {
      is_told = rte_eth_stats_get(port_, &stats) == 0;
      const PortTotals before = std::exchange(totals, totals_of_queues());
      const std::uint64_t meanwhile =
          totals.sum.taken + totals.sum.filtered - before.sum.taken - before.sum.filtered;
      if (meanwhile <= queues_.size() * kBurstMax) break;
    }
    if (!is_told) return totals;
    totals.sum.lost = lost(stats);
    if (totals.sum.lost) totals.sum.received = stats.ipackets + *totals.sum.lost;
    return totals;
  }

 private:
  // A slow device is asked no more often; then it is behind by what came while it answered.
  static constexpr int kLooks = 16;

  PortTotals totals_of_queues() const {
    PortTotals totals{.name = "dpdk:" + name_, .sum = {}, .queues = {}};
    for (const auto& queue : queues_) {
      PortCounts counts;
      counts.taken = queue->counters().taken.value();
      counts.filtered = queue->counters().filtered.value();
      counts.cut = queue->counters().cut.value();
      totals.sum.taken += counts.taken;
      totals.sum.filtered += counts.filtered;
      totals.sum.cut += counts.cut;
      totals.queues.push_back(counts);
    }
    totals.sum.early = early_;
    return totals;
  }

  // Drivers of an interface of the kernel poll on when it is taken away.
  bool is_gone() const noexcept {
    char name[IF_NAMESIZE];
    return rte_eth_dev_is_removed(port_) != 0 ||
           (info_.if_index != 0 && if_indextoname(info_.if_index, name) == nullptr &&
            errno == ENXIO);
  }

  Outcome fail(const std::string& what, int status) const {
    return tl::unexpected(fmt::format("-i dpdk:{}: {}: {}", name_, what,
                                      rte_strerror(status < 0 ? -status : status)));
  }
  void note(const std::string& what) { notes_.push_back(fmt::format("dpdk:{}: {}", name_, what)); }

  void note_wrong_time() {
    const auto is_wrong = [](const auto& queue) { return queue->has_wrong_time(); };
    if (has_noted_time_ || std::ranges::none_of(queues_, is_wrong)) return;
    has_noted_time_ = true;
    note(
        "its clock went another way than the system's by more than 1 s: from now on packets have "
        "the time of their burst");
  }

  // As dpdk_driver.h says.
  std::optional<std::uint64_t> lost(const rte_eth_stats& stats) {
    switch (driver_.loss) {
      case DriverLoss::imissed:
        return stats.imissed;
      case DriverLoss::imissed_and_nombuf:
        return stats.imissed + stats.rx_nombuf;
      case DriverLoss::kernel:
        if (!sockets_.is_empty()) return sockets_.lost() - lost_before_;
        break;
      case DriverLoss::unknown:
        break;
    }
    return {};
  }

  // What the sockets of the driver took before they had joined: each of them every packet.
  void discard() {
    for (std::uint16_t queue = 0; queue < options_.queue_count; ++queue) {
      rte_mbuf* mbufs[kBurstMax];
      while (const std::uint16_t count = rte_eth_rx_burst(port_, queue, mbufs, kBurstMax)) {
        rte_pktmbuf_free_bulk(mbufs, count);
        early_ += count;
      }
    }
  }

  Outcome find() {
    std::uint16_t there = 0;
    const bool is_there = rte_eth_dev_get_port_by_name(name_.c_str(), &there) == 0;
    if (!is_there && !is_pci_device(devargs_)) {
      if (const int status = rte_dev_probe(devargs_.c_str()); status != 0)
        return tl::unexpected(
            fmt::format("-i dpdk:{}: no such driver, interface or file, no permission, wrong "
                        "options, or another process has it; the lines above say which",
                        name_));
    }
    rte_dev_iterator iterator;
    RTE_ETH_FOREACH_MATCHING_DEV(port_, (is_there ? name_ : devargs_).c_str(), &iterator) {
      is_found_ = true;
      rte_eth_iterator_cleanup(&iterator);
      break;
    }
    if (!is_found_)
      return tl::unexpected(
          fmt::format("-i dpdk:{}: no such device, or no driver of DPDK has it; dpdk-devbind.py "
                      "--status shows, and vfio-pci is what most cards need",
                      name_));
    return ask();
  }

  Outcome ask() {
    if (const int status = rte_eth_dev_info_get(port_, &info_); status != 0)
      return fail("does not tell what it can do", status);
    driver_ = driver_of(info_.driver_name);
    time_ = driver_.time;
    if (time_ == DriverTime::ticks && !options_.hardware_time) time_ = DriverTime::none;
    if (time_ == DriverTime::recorded_microseconds) options_.queue_count = info_.max_rx_queues;
    if (info_.max_rx_queues < options_.queue_count)
      return tl::unexpected(
          fmt::format("-i dpdk:{}: it has {} receive queues for {} shards; set packetThreads to {}",
                      name_, info_.max_rx_queues, options_.queue_count, info_.max_rx_queues));
    if (driver_.fills_all && info_.max_rx_queues > options_.queue_count)
      return tl::unexpected(fmt::format(
          "-i dpdk:{}: it spreads packets over {} receive queues, of which {} would be read; set "
          "packetThreads to {}, or qpairs to {}",
          name_, info_.max_rx_queues, options_.queue_count, info_.max_rx_queues,
          options_.queue_count));
    return {};
  }

  Outcome learn_frames() {
    if (const std::string name = interface_without_ethernet(info_.if_index); !name.empty())
      return tl::unexpected(fmt::format(
          "-i dpdk:{0}: {1} has no Ethernet, which DPDK takes all frames for; use -i {1}", name_,
          name));
    if (driver_.cuts_frames) {
      cut_bytes_ = frame_bytes_of_af_packet(devargs_);
      note(fmt::format(
          "frames of {} bytes and more are cut, and counted as such; -i and the name of "
          "the interface takes them whole",
          cut_bytes_));
    }
    if (driver_.takes_away)
      note(
          "the kernel no longer gets what arrives here: for a monitor port, not for one with "
          "addresses in use; -i and the name of the interface leaves it there");
    if (driver_.takes_away && options_.gives_up_rights)
      note(
          "its XDP program stays on the interface behind the run, as the setting's user may not "
          "take it off; it lets all through then, and ip link set dev NAME xdp off removes it");
    const std::uint32_t queues_there = driver_.takes_away ? receive_queues_of(info_.if_index) : 0;
    if (queues_there > options_.queue_count)
      note(
          fmt::format("what arrives in the other {} of the {} receive queues of its interface is "
                      "not seen; ethtool --set-channels makes them fewer",
                      queues_there - options_.queue_count, queues_there));
    link_types_.assign(options_.queue_count, kEthernet);
    if (files() != 0) {
      auto of_files = link_types_of_files(devargs_);
      if (!of_files) return tl::unexpected(fmt::format("-i dpdk:{}: {}", name_, of_files.error()));
      if (of_files->size() != options_.queue_count)
        return tl::unexpected(
            fmt::format("-i dpdk:{}: net_pcap is for files (rx_pcap=FILE); of an interface, use "
                        "-i and its name",
                        name_));
      link_types_ = std::move(*of_files);
    }
    if (auto good = check_bpf(options_.bpf, link_types_); !good)
      return tl::unexpected(fmt::format("-i dpdk:{}: {}", name_, good.error()));
    return {};
  }

  Outcome make_pool() {
    const std::uint64_t needed = mbufs_needed(options_);
    const std::uint64_t least = std::uint64_t{options_.queue_count} * options_.descriptors;
    const std::uint64_t count = options_.mbufs != 0 ? options_.mbufs : needed;
    if (count <= least)
      return tl::unexpected(
          fmt::format("-i dpdk:{}: dpdkMbufs {} does not even fill the {} descriptors; {} are "
                      "enough for everything",
                      name_, count, least, needed));
    if (count < needed)
      note(fmt::format("dpdkMbufs {} is less than the {} that all rings can hold", count, needed));
    const int socket = rte_eth_dev_socket_id(port_);
    pool_.reset(rte_pktmbuf_pool_create(("linger_" + std::to_string(port_)).c_str(),
                                        static_cast<unsigned>(count), kPoolCache, kPrivateBytes,
                                        kMbufBytes, socket));
    if (!pool_)
      return tl::unexpected(fmt::format(
          "-i dpdk:{}: no memory for {} mbufs, {} MiB on {}: {}; raise vm.nr_hugepages (of that "
          "node) or dpdkMemory, or lower maxPacketsInQueue or rxDescriptors",
          name_, count, count * kMbufBytes >> 20,
          socket < 0 ? "any node" : fmt::format("NUMA node {}", socket), rte_strerror(rte_errno)));
    rte_mempool_obj_iter(pool_.get(), make_buffer, nullptr);
    return {};
  }

  // An offload that the device has; else it is said.
  std::uint64_t offload(std::uint64_t wanted, const std::string& lacking) {
    if ((info_.rx_offload_capa & wanted) == 0) note(lacking);
    return info_.rx_offload_capa & wanted;
  }

  Outcome configure() {
    rte_eth_conf conf{};
    conf.rxmode.mtu = choose_mtu();
    if (conf.rxmode.mtu + kFrameOverhead > kMbufBytes - RTE_PKTMBUF_HEADROOM)
      conf.rxmode.offloads |= info_.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
    if (time_ == DriverTime::ticks) {
      const std::uint64_t stamped = offload(RTE_ETH_RX_OFFLOAD_TIMESTAMP,
                                            "no timestamps: packets have the time of their burst");
      conf.rxmode.offloads |= stamped;
      if (stamped == 0) time_ = DriverTime::none;
    }
    steering_.emplace(port_, files() != 0 ? 1 : options_.queue_count);
    steering_->ask(info_, conf);
    const auto queues = static_cast<std::uint16_t>(options_.queue_count);
    const std::uint16_t tx_queues = driver_.needs_tx ? queues : 0;
    int status = rte_eth_dev_configure(port_, queues, tx_queues, &conf);
    if (status != 0 && conf.rx_adv_conf.rss_conf.rss_key != nullptr) {
      DpdkSteering::ask_less(conf);
      status = rte_eth_dev_configure(port_, queues, tx_queues, &conf);
    }
    return status == 0 ? Outcome() : fail("cannot be configured", status);
  }

  // Of frames as large as wanted, as far as the device goes. Virtual devices often name no limit.
  std::uint32_t choose_mtu() {
    const std::uint32_t wanted = std::max(options_.frame_bytes_max - kFrameOverhead, kMtuLeast);
    if (info_.max_mtu == UINT16_MAX) return kMtuLeast;
    const std::uint32_t mtu = std::min<std::uint32_t>(wanted, info_.max_mtu);
    if (mtu < wanted)
      note(fmt::format("frames longer than {} bytes are not received", mtu + kFrameOverhead));
    return mtu;
  }

  Outcome set_up_queues() {
    std::uint16_t descriptors = static_cast<std::uint16_t>(options_.descriptors);
    std::uint16_t tx_descriptors = 0;
    if (const int status = rte_eth_dev_adjust_nb_rx_tx_desc(port_, &descriptors, &tx_descriptors);
        status != 0)
      return fail("does not take rxDescriptors", status);
    if (descriptors != options_.descriptors)
      note(fmt::format("{} descriptors instead of {}", descriptors, options_.descriptors));
    for (std::uint16_t i = 0; i < options_.queue_count; ++i) {
      const int status = rte_eth_rx_queue_setup(port_, i, descriptors, rte_eth_dev_socket_id(port_),
                                                nullptr, pool_.get());
      if (status != 0)
        return fail(
            fmt::format(
                "receive queue {} cannot be set up; if another process has it, end that "
                "one{}",
                i, driver_.name == "net_af_xdp" ? "; XDP takes an MTU of about 3,500 at most" : ""),
            status);
      if (driver_.needs_tx)
        rte_eth_tx_queue_setup(port_, i, tx_descriptors, rte_eth_dev_socket_id(port_), nullptr);
    }
    return {};
  }

  const std::string devargs_;
  const std::string name_;
  DpdkPortOptions options_;
  std::uint16_t port_ = RTE_MAX_ETHPORTS;
  rte_eth_dev_info info_{};
  DpdkDriver driver_ = kAnyDpdkDriver;
  DriverTime time_ = DriverTime::none;
  std::uint32_t cut_bytes_ = UINT32_MAX;
  std::vector<std::uint16_t> link_types_;  // of what each queue receives
  std::optional<DpdkSteering> steering_;
  SteeredAs steered_as_ = SteeredAs::device;
  KernelSockets sockets_;          // of the driver
  Promiscuity promiscuity_;        // of its interface
  std::uint64_t lost_before_ = 0;  // by them, before the start
  std::uint64_t early_ = 0;
  bool has_noted_time_ = false;
  bool is_gone_ = false;
  bool is_found_ = false;
  bool is_started_ = false;
  std::unique_ptr<rte_mempool, FreePool> pool_;
  std::vector<std::unique_ptr<DpdkQueue>> queues_;
};

}  // namespace

std::uint64_t mbufs_needed(const DpdkPortOptions& options) noexcept {
  const std::uint64_t queues = options.queue_count;
  // One burst out, one being released; 1.5 of the cache is what a core may keep to itself.
  const std::uint64_t each = options.descriptors + 2 * kBurstMax + kPoolCache * 3 / 2;
  return queues * (each + options.handoff_packets * 4 / 3);
}

std::uint64_t mbuf_memory_needed(const DpdkPortOptions& options, bool has_huge_pages) noexcept {
  const std::uint64_t mbufs = options.mbufs != 0 ? options.mbufs : mbufs_needed(options);
  if (!has_huge_pages) return mbufs * kSmallPageBytes;
  return mbufs *
         rte_mempool_calc_obj_size(sizeof(rte_mbuf) + kPrivateBytes + kMbufBytes, 0, nullptr);
}

tl::expected<std::unique_ptr<LivePort>, std::string> open_dpdk_port(
    const std::string& devargs, const DpdkPortOptions& options) {
  auto port = std::make_unique<DpdkPort>(devargs, options);
  if (auto opened = port->open(); !opened) return tl::unexpected(opened.error());
  return port;
}

}  // namespace linger
