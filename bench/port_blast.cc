#include "bench/port_blast.h"

// clang-format off
#include "engine/base/socket_headers.h"  // before rte_ethdev.h
// clang-format on

#include <fmt/format.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "engine/source/dpdk_eal.h"

namespace linger::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint16_t kBurst = 32;
constexpr std::uint16_t kDescriptors = 1'024;
constexpr auto kLinkWait = std::chrono::seconds(20);

double seconds_between(Clock::time_point a, Clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

class Port {
 public:
  using Outcome = tl::expected<void, std::string>;

  ~Port() {
    if (id_ == RTE_MAX_ETHPORTS) return;
    rte_eth_dev_stop(id_);
    rte_eth_dev_close(id_);
  }

  Outcome open(const std::string& devargs, std::uint16_t rx_queues, std::uint16_t tx_queues) {
    auto started = start_eal({.devices = {devargs},
                              .allow = {},
                              .file_prefix = {},
                              .memory_bytes = std::uint64_t{128} << 20,
                              .has_huge_pages = false});
    if (!started) return started;
    // What all rings can hold, and bursts beside them.
    const unsigned mbufs = (rx_queues + tx_queues) * (kDescriptors + 2u * kBurst);
    pool_ = rte_pktmbuf_pool_create("blast", mbufs, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    if (pool_ == nullptr || rte_dev_probe(devargs.c_str()) != 0) return fail(devargs);
    const std::string name = devargs.substr(0, devargs.find(','));
    if (rte_eth_dev_get_port_by_name(name.c_str(), &id_) != 0) return fail(devargs);
    const rte_eth_conf conf{};
    if (rte_eth_dev_configure(id_, rx_queues, tx_queues, &conf) != 0) return fail(devargs);
    for (std::uint16_t i = 0; i < rx_queues; ++i)
      if (rte_eth_rx_queue_setup(id_, i, kDescriptors, SOCKET_ID_ANY, nullptr, pool_) != 0)
        return fail(devargs);
    for (std::uint16_t i = 0; i < tx_queues; ++i)
      if (rte_eth_tx_queue_setup(id_, i, kDescriptors, SOCKET_ID_ANY, nullptr) != 0)
        return fail(devargs);
    if (rte_eth_dev_start(id_) != 0) return fail(devargs);
    return {};
  }

  bool is_up() const {
    rte_eth_link link{};
    return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
  }
  bool wait_until_up() const {
    const auto start = Clock::now();
    while (!is_up() && Clock::now() - start < kLinkWait)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return is_up();
  }

  std::uint16_t id() const noexcept { return id_; }
  rte_mempool* pool() const noexcept { return pool_; }

 private:
  static Outcome fail(const std::string& devargs) {
    return tl::unexpected(fmt::format("{}: {}", devargs, rte_strerror(rte_errno)));
  }

  std::uint16_t id_ = RTE_MAX_ETHPORTS;
  rte_mempool* pool_ = nullptr;
};

// The sum of 16-bit words after one of 32 bits has changed (RFC 1624 §3, equation 3).
void update_checksum(std::uint8_t* checksum, std::uint32_t from, std::uint32_t to) noexcept {
  std::uint32_t sum = static_cast<std::uint16_t>(~(checksum[0] << 8 | checksum[1]));
  sum += (~from >> 16) + (~from & 0xffff) + (to >> 16) + (to & 0xffff);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  checksum[0] = static_cast<std::uint8_t>(~sum >> 8);
  checksum[1] = static_cast<std::uint8_t>(~sum);
}

// Of Ethernet, IPv4 without options, TCP.
void advance(std::uint8_t* frame, std::uint32_t by) noexcept {
  constexpr std::size_t kSequence = 14 + 20 + 4, kChecksum = 14 + 20 + 16;
  std::uint32_t wire;
  std::memcpy(&wire, frame + kSequence, sizeof wire);
  const std::uint32_t before = __builtin_bswap32(wire);
  wire = __builtin_bswap32(before + by);
  std::memcpy(frame + kSequence, &wire, sizeof wire);
  update_checksum(frame + kChecksum, before, before + by);
}

class Sender {
 public:
  Sender(FrameStore& frames, const SendOptions& options, const Port& port)
      : frames_(frames), options_(options), port_(port) {}

  PortFigures run() {
    const std::uint64_t wanted = options_.packets != 0 ? options_.packets : frames_.size();
    const auto start = Clock::now();
    for (std::uint64_t sent = 0; sent < wanted && is_up_; ++sent) offer(sent % frames_.size());
    for (std::uint16_t queue = 0; queue < options_.queues; ++queue) flush(queue);
    figures_.seconds = seconds_between(start, Clock::now());
    return figures_;
  }

 private:
  struct Queue {
    rte_mbuf* mbufs[kBurst];
    std::uint16_t count = 0;
  };

  void offer(std::size_t index) {
    const FrameStore::Place place = frames_.place(index);
    std::uint8_t* frame = frames_.at(place);
    const auto queue = static_cast<std::uint16_t>(
        (options_.is_apart ? place.is_from_server : index) % options_.queues);
    Queue& q = queues_[queue];
    rte_mbuf* mbuf = rte_pktmbuf_alloc(port_.pool());
    std::memcpy(rte_pktmbuf_append(mbuf, place.bytes), frame, place.bytes);
    if (options_.payload_bytes != 0) advance(frame, options_.payload_bytes);
    q.mbufs[q.count++] = mbuf;
    if (q.count == kBurst) flush(queue);
  }

  void flush(std::uint16_t queue) {
    Queue& q = queues_[queue];
    std::uint16_t done = 0;
    while (done < q.count) {
      std::uint64_t bytes[kBurst];
      for (std::uint16_t i = done; i < q.count; ++i) bytes[i] = q.mbufs[i]->pkt_len;
      const std::uint16_t taken = rte_eth_tx_burst(port_.id(), queue, q.mbufs + done,
                                                   static_cast<std::uint16_t>(q.count - done));
      for (std::uint16_t i = done; i < done + taken; ++i) figures_.bytes += bytes[i];
      figures_.packets += taken;
      done = static_cast<std::uint16_t>(done + taken);
      if (done < q.count && (options_.gives_up || !is_still_up(taken))) break;
    }
    figures_.refused += static_cast<std::uint64_t>(q.count - done);
    rte_pktmbuf_free_bulk(q.mbufs + done, static_cast<unsigned>(q.count - done));
    q.count = 0;
  }

  // Looked at only now and then: a full ring is the usual reason.
  bool is_still_up(std::uint16_t taken) {
    stalls_ = taken != 0 ? 0 : stalls_ + 1;
    if (stalls_ > 1'000'000) is_up_ = port_.is_up(), stalls_ = 0;
    return is_up_;
  }

  FrameStore& frames_;
  const SendOptions& options_;
  const Port& port_;
  PortFigures figures_;
  Queue queues_[16];
  std::uint64_t stalls_ = 0;
  bool is_up_ = true;
};

}  // namespace

tl::expected<PortFigures, std::string> send(FrameStore& frames, const SendOptions& options) {
  Port port;
  if (auto opened = port.open(options.devargs, 1, options.queues); !opened)
    return tl::unexpected(opened.error());
  if (!port.wait_until_up())
    return tl::unexpected(options.devargs + ": nobody is at the other end");
  PortFigures figures = Sender(frames, options, port).run();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // the other end takes the last ones
  return figures;
}

tl::expected<PortFigures, std::string> receive(const std::string& devargs, double idle_seconds) {
  Port port;
  if (auto opened = port.open(devargs, 1, 1); !opened) return tl::unexpected(opened.error());
  PortFigures figures;
  Clock::time_point first, last;
  for (;;) {
    rte_mbuf* mbufs[kBurst];
    const std::uint16_t count = rte_eth_rx_burst(port.id(), 0, mbufs, kBurst);
    if (count == 0) {
      if (figures.packets != 0 && seconds_between(last, Clock::now()) > idle_seconds) break;
      continue;
    }
    last = Clock::now();
    if (figures.packets == 0) first = last;
    figures.packets += count;
    for (std::uint16_t i = 0; i < count; ++i) figures.bytes += mbufs[i]->pkt_len;
    rte_pktmbuf_free_bulk(mbufs, count);
  }
  figures.seconds = seconds_between(first, last);
  return figures;
}

}  // namespace linger::bench
