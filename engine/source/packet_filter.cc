#include "engine/source/packet_filter.h"

// clang-format off
#include "engine/base/socket_headers.h"  // before pcap.h
// clang-format on

#include <fmt/format.h>
#include <linux/filter.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <memory>

#include "engine/source/link_type.h"

namespace linger {
namespace {

constexpr int kSnapBytes = 262'144;
constexpr std::uint16_t kLinkTypes[] = {kEthernet, kRaw, kLinuxCooked, kLinuxCookedV2,
                                        kNull,     kPpp, kIeee80211,   kRadiotap};

// A packet's direction and the like: libpcap takes these words for an interface's even where it
// compiles for none, and then nothing matches them.
bool asks_the_kernel(const bpf_program& code) noexcept {
  constexpr auto kOfTheKernel = static_cast<std::uint32_t>(SKF_AD_OFF);
  return std::ranges::any_of(std::span(code.bf_insns, code.bf_len), [](const bpf_insn& one) {
    return BPF_CLASS(one.code) == BPF_LD && BPF_MODE(one.code) == BPF_ABS && one.k >= kOfTheKernel;
  });
}

// The error message; empty when it compiled.
std::string compile(const std::string& expression, std::uint16_t link_type, bpf_program& code) {
  const std::unique_ptr<pcap_t, decltype(&pcap_close)> handle(
      pcap_open_dead(dlt_of(link_type), kSnapBytes), &pcap_close);
  if (!handle) return "out of memory";
  constexpr int kOptimize = 1;
  if (pcap_compile(handle.get(), &code, expression.c_str(), kOptimize, PCAP_NETMASK_UNKNOWN) != 0) {
    return pcap_geterr(handle.get());
  }
  if (asks_the_kernel(code)) {
    pcap_freecode(&code);
    return "what it asks for only the kernel knows, of an interface (-i NAME)";
  }
  return {};
}

}  // namespace

tl::expected<void, std::string> check_bpf(const std::string& expression,
                                          std::span<const std::uint16_t> link_types) {
  std::string first_error;
  for (const std::uint16_t link_type : link_types) {
    bpf_program code{};
    const std::string error = compile(expression, link_type, code);
    if (error.empty()) {
      pcap_freecode(&code);
      return {};
    }
    if (first_error.empty()) first_error = error;
  }
  return tl::unexpected(fmt::format("BPF expression \"{}\": {}", expression, first_error));
}

tl::expected<void, std::string> check_bpf(const std::string& expression) {
  return check_bpf(expression, kLinkTypes);
}

void PacketFilter::FreeCode::operator()(bpf_program* code) const noexcept {
  pcap_freecode(code);
  delete code;
}

std::uint32_t PacketFilter::keep_matching(Packet* packets, std::uint32_t count) noexcept {
  if (expression_.empty() || count == 0) return count;
  const Program* program = &program_for(packets[0].link_type);
  std::uint32_t kept = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Packet& packet = packets[i];
    if (packet.link_type != program->link_type) program = &program_for(packet.link_type);
    if (!program->code || bpf_filter(program->code->bf_insns, packet.data, packet.wire_bytes,
                                     packet.captured_bytes) == 0) {
      continue;
    }
    if (kept != i) packets[kept] = packet;
    ++kept;
  }
  return kept;
}

const PacketFilter::Program& PacketFilter::program_for(std::uint16_t link_type) noexcept {
  for (const Program& program : programs_) {
    if (program.link_type == link_type) return program;
  }
  Program& program = programs_.emplace_back();
  program.link_type = link_type;
  program.code.reset(new bpf_program{});
  const std::string error = compile(expression_, link_type, *program.code);
  if (!error.empty()) {
    program.code.reset();
    if (!trouble_.empty()) trouble_ += '\n';
    trouble_ += fmt::format("No packet of link type {} matches the filter \"{}\": {}.", link_type,
                            expression_, error);
  }
  return program;
}

}  // namespace linger
