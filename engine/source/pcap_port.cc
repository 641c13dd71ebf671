#include "engine/source/pcap_port.h"

// clang-format off
#include "engine/base/socket_headers.h"  // before pcap.h
// clang-format on

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <thread>

#include "engine/source/block_pool.h"
#include "engine/source/link_type.h"

namespace linger {
namespace {

constexpr int kSnapBytes = 262'144;
constexpr int kBlockMilliseconds = 10;  // the kernel hands over a block that is not full after this
// So old is the first packet of a block then at most: the kernel's ticks are up to 10 ms apart.
constexpr DurationNs kBehind = 2 * kBlockMilliseconds * kMillisecond;
constexpr DurationNs kDrainPause = 3 * kBlockMilliseconds * kMillisecond;
constexpr DurationNs kDrainMax = kMinute;  // ample for a ring of 2 GiB, to which nothing is added
constexpr std::size_t kCopyBlockBytes = std::size_t{512} << 10;

struct ClosePcap {
  void operator()(pcap_t* handle) const noexcept { pcap_close(handle); }
};
using Handle = std::unique_ptr<pcap_t, ClosePcap>;

// libpcap knows other sources, too (nflog, dbus-system): these have no ring and no fanout.
bool is_interface(const std::string& name) noexcept {
  return name == "any" || if_nametoindex(name.c_str()) != 0;
}

std::string no_such_interface(const std::string& interface) {
  std::vector<std::string> names;
  char error[PCAP_ERRBUF_SIZE];
  pcap_if_t* all = nullptr;
  if (pcap_findalldevs(&all, error) == 0)
    for (const pcap_if_t* one = all; one != nullptr; one = one->next)
      if (is_interface(one->name)) names.emplace_back(one->name);
  if (all != nullptr) pcap_freealldevs(all);
  return fmt::format("-i {}: there is no such interface; there are: {}", interface,
                     fmt::join(names, ", "));
}

std::string why_not_active(pcap_t* handle, const std::string& interface, int status) {
  switch (status) {
    case PCAP_ERROR_PERM_DENIED:
      return fmt::format(
          "-i {}: no permission to capture; run as root, or give the program cap_net_raw and "
          "cap_net_admin (setcap)",
          interface);
    case PCAP_ERROR_NO_SUCH_DEVICE:
      return no_such_interface(interface);
    case PCAP_ERROR_IFACE_NOT_UP:
      return fmt::format("-i {0}: the interface is down; ip link set {0} up", interface);
    default:
      return fmt::format("-i {}: {} {}", interface, pcap_statustostr(status), pcap_geterr(handle));
  }
}

// A 32-bit count of libpcap, followed across its wrap.
class Followed {
 public:
  std::uint64_t value() const noexcept { return value_; }
  void follow(std::uint32_t now) noexcept {
    value_ += now - last_;
    last_ = now;
  }

 private:
  std::uint64_t value_ = 0;
  std::uint32_t last_ = 0;
};

// What the kernel calls an interface by now.
class Interface {
 public:
  explicit Interface(const std::string& name) : name_(name), index_(if_nametoindex(name.c_str())) {}

  // Empty: it is gone, or none of the kernel's (as "any"). System calls.
  std::string name_now() const {
    char name[IF_NAMESIZE] = {};
    return index_ != 0 && if_indextoname(index_, name) != nullptr ? name : "";
  }
  bool is_renamed() const {
    const std::string now = name_now();
    return !now.empty() && now != name_;
  }

 private:
  const std::string name_;
  const unsigned index_;
};

class PcapQueue final : public LiveQueue {
 public:
  PcapQueue(Handle handle, const Interface& interface, const PcapPortOptions& options, Pace* pace)
      : LiveQueue({.clock_jump = options.clock_jump,
                   .behind = kBehind,
                   .drain_pause = kDrainPause,
                   .drain_max = kDrainMax}),
        handle_(std::move(handle)),
        link_type_(link_type_of_dlt(pcap_datalink(handle_.get()))),
        port_bit_(options.port_bit),
        pace_(pace),
        place_(pace == nullptr ? 0 : pace->take_place()),
        interface_(interface),
        pool_(kCopyBlockBytes) {}
  ~PcapQueue() override { pcap_freecode(&filter_); }

  pcap_t* handle() noexcept { return handle_.get(); }
  bool compile(const std::string& bpf) noexcept {
    return pcap_compile(handle(), &filter_, bpf.c_str(), 1, PCAP_NETMASK_UNKNOWN) == 0;
  }
  // Keeps the form that libpcap gives the filter for the kernel, and has libpcap let everything
  // through: else it would filter the first block once more by itself, where it knows no packet's
  // direction, and nobody counts what it keeps back.
  bool learn_filter(unsigned loopback) {
    if (pcap_setfilter(handle(), &filter_) != 0) return false;
    socklen_t count = 0;  // of instructions
    get_option(SO_GET_FILTER, nullptr, count);
    kernel_filter_.resize(count);
    get_option(SO_GET_FILTER, kernel_filter_.data(), count);
    if (count != 0 && loopback != 0) leave_out_way_out(loopback);
    bpf_insn all = {BPF_RET | BPF_K, 0, 0, kSnapBytes};
    bpf_program everything = {1, &all};
    return pcap_setfilter(handle(), &everything) == 0;
  }
  bool is_filtered_by_kernel() const noexcept { return !kernel_filter_.empty(); }
  bool let_in() noexcept { return attach(kernel_filter_); }
  std::uint32_t filter_instructions() const noexcept { return filter_.bf_len; }

  void refuse_more() noexcept override {
    std::array refuse = {sock_filter{BPF_RET | BPF_K, 0, 0, 0}};
    attach(refuse);
  }

  // Everything that waits in the ring, before the first rx().
  void discard() noexcept {
    const auto ignore = [](u_char*, const pcap_pkthdr*, const u_char*) {};
    while (pcap_dispatch(handle(), -1, ignore, nullptr) > 0) {
    }
    counts();
    early_ = received_.value();
    early_lost_ = lost_.value();
  }

  // Control thread. Our side first: what is taken has been received.
  PortCounts counts() noexcept {
    PortCounts counts;
    counts.taken = counters_.taken.value();
    counts.unbuffered = counters_.unbuffered.value();
    counts.cut = counters_.cut.value();
    counts.early = early_;
    pcap_stat stat{};
    if (pcap_stats(handle(), &stat) == 0) {
      received_.follow(stat.ps_recv);
      lost_.follow(stat.ps_drop);
    }
    counts.received = received_.value();
    counts.lost = lost_.value() - early_lost_;
    return counts;
  }

  std::string trouble() const override { return has_lost_device() ? trouble_ : std::string(); }

 private:
  void leave_out_way_out(unsigned loopback) {
    constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
    constexpr std::uint16_t kIfEqual = BPF_JMP | BPF_JEQ | BPF_K;
    const std::array first = {
        sock_filter{kLoad, 0, 0, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_IFINDEX)},
        sock_filter{kIfEqual, 0, 3, loopback},
        sock_filter{kLoad, 0, 0, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)},
        sock_filter{kIfEqual, 0, 1, PACKET_OUTGOING}, sock_filter{BPF_RET | BPF_K, 0, 0, 0}};
    kernel_filter_.insert(kernel_filter_.begin(), first.begin(), first.end());
  }
  void get_option(int option, void* value, socklen_t& size) noexcept {
    getsockopt(pcap_fileno(handle()), SOL_SOCKET, option, value, &size);
  }
  bool attach(std::span<sock_filter> filter) noexcept {
    const sock_fprog program = {static_cast<unsigned short>(filter.size()), filter.data()};
    return setsockopt(pcap_fileno(handle()), SOL_SOCKET, SO_ATTACH_FILTER, &program,
                      sizeof program) == 0;
  }

  std::uint32_t receive(Packet* packets, std::uint32_t room) noexcept override {
    pool_.begin_burst();
    packets_ = packets;
    count_ = 0;
    if (pace_ != nullptr) now_ = pace_->now(place_);
    if (has_young_) {
      if (is_young(young_.timestamp)) return 0;
      packets_[count_++] = young_;
      has_young_ = false;
    }
    const int status = pcap_dispatch(handle(), static_cast<int>(room - count_), &on_packet,
                                     reinterpret_cast<u_char*>(this));
    // When an interface goes down libpcap asks whether it is there, by the name it had. The socket
    // is bound to the index, and goes on when the interface does.
    if (status < 0 && status != PCAP_ERROR_BREAK && trouble_.empty() && !interface_.is_renamed()) {
      trouble_ = pcap_geterr(handle());
      lose_device();
    }
    return count_;
  }

  // By the time that receive() went by: the thread may have been put aside behind it.
  Timestamp empty_to() const noexcept override {
    return pace_ != nullptr ? Timestamp{now_.value - kBehind} : LiveQueue::empty_to();
  }

  static void on_packet(u_char* self, const pcap_pkthdr* header, const u_char* bytes) {
    reinterpret_cast<PcapQueue*>(self)->copy(*header, bytes);
  }

  bool is_young(Timestamp time) const noexcept {
    return pace_ != nullptr && time <= now_ && now_.value - time.value < kBehind;
  }

  void copy(const pcap_pkthdr& header, const u_char* bytes) noexcept {
    if (!has_room(header.caplen)) return counters_.unbuffered.add();
    std::uint8_t* to = block_->data.get() + used_;
    std::memcpy(to, bytes, header.caplen);
    used_ += header.caplen;
    Packet& packet = packets_[count_++];
    packet.data = to;
    packet.buffer = block_.get();
    // Nanoseconds: asked for when the socket was made.
    packet.timestamp = {header.ts.tv_sec * kSecond + header.ts.tv_usec};
    packet.captured_bytes = header.caplen;
    packet.wire_bytes = std::max(header.len, header.caplen);
    packet.link_type = link_type_;
    packet.ports = port_bit_;
    if (header.caplen < header.len) counters_.cut.add();
    if (!is_young(packet.timestamp)) return;
    young_ = packet;
    has_young_ = true;
    --count_;
    pcap_breakloop(handle());
  }

  bool has_room(std::size_t bytes) noexcept {
    if (block_ != nullptr && block_->capacity - used_ >= bytes) return true;
    if (block_ != nullptr) pool_.retire(std::move(block_));
    block_ = pool_.take(std::max(bytes, pool_.block_bytes()));
    used_ = 0;
    return block_ != nullptr;
  }

  const Handle handle_;
  const std::uint16_t link_type_;
  const PortSet port_bit_;
  Pace* const pace_;  // null: it waits for no other queue
  const std::uint32_t place_;
  const Interface& interface_;
  bpf_program filter_{};
  std::vector<sock_filter> kernel_filter_;
  BlockPool pool_;
  std::unique_ptr<CaptureBlock> block_;
  std::size_t used_ = 0;
  Packet* packets_ = nullptr;  // during receive()
  std::uint32_t count_ = 0;
  Timestamp now_;
  bool has_young_ = false;
  Packet young_;         // it waits, in block_, and all behind it in the ring
  std::string trouble_;  // once, before the device is lost
  Followed received_;    // control thread, from here on
  Followed lost_;
  std::uint64_t early_ = 0;  // of received_ and lost_, before the start
  std::uint64_t early_lost_ = 0;
};

class PcapPort final : public LivePort {
 public:
  using Outcome = tl::expected<void, std::string>;

  PcapPort(const std::string& interface, const PcapPortOptions& options)
      : interface_(interface),
        kernel_interface_(interface),
        name_told_(kernel_interface_.name_now()),
        options_(options) {}

  Outcome open() {
    for (std::uint32_t i = 0; i < options_.queue_count; ++i)
      if (auto opened = open_queue(); !opened) return opened;
    return {};
  }

  Outcome start() override {
    if (queues_.size() > 1)
      if (auto joined = join(); !joined) return joined;
    const unsigned loopback = loopback_heard();
    for (const auto& queue : queues_) {
      if (!queue->learn_filter(loopback)) return tl::unexpected(trouble_of(*queue, "the filter"));
      if (!queue->is_filtered_by_kernel()) return tl::unexpected(refusal_of(*queue));
    }
    for (const auto& queue : queues_) queue->refuse_more();
    std::this_thread::sleep_for(std::chrono::nanoseconds(kDrainPause));
    for (const auto& queue : queues_) queue->discard();
    for (const auto& queue : queues_)
      if (!queue->let_in()) return tl::unexpected(refusal_of(*queue));
    return {};
  }

  LiveQueue& queue(std::uint32_t index) noexcept override { return *queues_[index]; }

  std::string ability() const override {
    return fmt::format("{}: can be captured by {} shards", interface_, queues_.size());
  }

  std::string trouble() const override {
    for (const auto& queue : queues_)
      if (!queue->trouble().empty()) return fmt::format("{}: {}", interface_, queue->trouble());
    return {};
  }

  PortTotals totals() override {
    note_name();
    PortTotals totals{.name = interface_, .sum = {}, .queues = {}};
    totals.sum.lost = totals.sum.received = 0;
    for (const auto& queue : queues_) {
      const PortCounts counts = queue->counts();
      *totals.sum.received += *counts.received;
      *totals.sum.lost += *counts.lost;
      totals.sum.taken += counts.taken;
      totals.sum.early += counts.early;
      totals.sum.unbuffered += counts.unbuffered;
      totals.sum.cut += counts.cut;
      totals.queues.push_back(counts);
    }
    return totals;
  }

 private:
  void note_name() {
    const std::string name = kernel_interface_.name_now();
    if (name.empty() || name == name_told_) return;
    notes_.push_back(
        fmt::format("{}: the interface is called {} now; it is captured on", interface_, name));
    name_told_ = name;
  }

  Outcome open_queue() {
    if (!is_interface(interface_)) return tl::unexpected(no_such_interface(interface_));
    char error[PCAP_ERRBUF_SIZE] = {};
    Handle handle(pcap_create(interface_.c_str(), error));
    if (!handle) return tl::unexpected(fmt::format("-i {}: {}", interface_, error));
    pcap_set_snaplen(handle.get(), kSnapBytes);
    pcap_set_promisc(handle.get(), 1);
    pcap_set_timeout(handle.get(), kBlockMilliseconds);
    pcap_set_buffer_size(handle.get(), static_cast<int>(options_.buffer_bytes));
    pcap_set_tstamp_precision(handle.get(), PCAP_TSTAMP_PRECISION_NANO);
    const int status = pcap_activate(handle.get());
    if (status < 0) return tl::unexpected(why_not_active(handle.get(), interface_, status));
    if (status == PCAP_WARNING_PROMISC_NOTSUP && queues_.empty())
      notes_.push_back(fmt::format("{}: no promiscuous mode", interface_));
    if (pcap_setnonblock(handle.get(), 1, error) != 0)
      return tl::unexpected(fmt::format("-i {}: {}", interface_, error));
    Pace* pace = options_.paces == nullptr ? nullptr : &(*options_.paces)[queues_.size()];
    queues_.push_back(
        std::make_unique<PcapQueue>(std::move(handle), kernel_interface_, options_, pace));
    if (!queues_.back()->compile(options_.bpf))
      return tl::unexpected(trouble_of(*queues_.back(), "BPF expression \"" + options_.bpf + '"'));
    return {};
  }

  std::string refusal_of(const PcapQueue& queue) const {
    return fmt::format(
        "-i {}: the kernel does not take this filter of {} instructions; raise "
        "net.core.optmem_max, or shorten it to {} at most",
        interface_, queue.filter_instructions(), BPF_MAXINSNS);
  }

  // The kernel chooses a number for the set that no other process has.
  Outcome join() {
    int flags = PACKET_FANOUT_FLAG_UNIQUEID;
    int id = 0;
    for (const auto& queue : queues_) {
      const int fd = pcap_fileno(queue->handle());
      const int wanted = id | (PACKET_FANOUT_HASH | flags) << 16;
      socklen_t size = sizeof id;
      if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &wanted, sizeof wanted) != 0 ||
          getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &id, &size) != 0)
        return tl::unexpected(
            fmt::format("-i {}: the sockets of {} shards cannot share it ({}); set packetThreads "
                        "to 1",
                        interface_, queues_.size(), std::strerror(errno)));
      id &= 0xffff;
      flags = 0;
    }
    return {};
  }

  std::string trouble_of(PcapQueue& queue, const std::string& what) const {
    return fmt::format("-i {}: {}: {}", interface_, what, pcap_geterr(queue.handle()));
  }

  // The index of the loopback interface, if its packets are among ours; else 0.
  unsigned loopback_heard() const noexcept {
    const std::string name = interface_ == "any" ? "lo" : interface_;
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const bool is_known = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    if (fd >= 0) ::close(fd);
    const bool is_heard = is_known && (request.ifr_flags & IFF_LOOPBACK) != 0;
    return is_heard ? if_nametoindex(name.c_str()) : 0;
  }

  const std::string interface_;
  const Interface kernel_interface_;
  std::string name_told_;  // the last one
  const PcapPortOptions options_;
  std::vector<std::unique_ptr<PcapQueue>> queues_;
};

}  // namespace

tl::expected<std::unique_ptr<LivePort>, std::string> open_pcap_port(
    const std::string& interface, const PcapPortOptions& options) {
  auto port = std::make_unique<PcapPort>(interface, options);
  if (auto opened = port->open(); !opened) return tl::unexpected(opened.error());
  return port;
}

}  // namespace linger
