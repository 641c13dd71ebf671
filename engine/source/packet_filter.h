// A capture filter in libpcap's syntax (pcap-filter(7)), compiled once per link type as packets of
// it are met.
//
// Owner: the source's thread. Cost: libpcap's interpreter, about 10 ns a packet; an empty
// expression costs nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "engine/packet/packet.h"

struct bpf_program;

namespace linger {

// Says in libpcap's words, with the expression, why it is no filter for any of these link types …
tl::expected<void, std::string> check_bpf(const std::string& expression,
                                          std::span<const std::uint16_t> link_types);
// … or any that linger decodes.
tl::expected<void, std::string> check_bpf(const std::string& expression);

class PacketFilter {
 public:
  explicit PacketFilter(std::string expression) : expression_(std::move(expression)) {}

  // Moves the packets that match to the front, in order, and returns how many they are.
  std::uint32_t keep_matching(Packet* packets, std::uint32_t count) noexcept;

  // Link types for which the expression makes no sense, so that none of their packets match; empty:
  // none.
  const std::string& trouble() const noexcept { return trouble_; }

 private:
  struct FreeCode {
    void operator()(bpf_program* code) const noexcept;
  };
  struct Program {
    std::uint16_t link_type = 0;
    std::unique_ptr<bpf_program, FreeCode> code;  // null: the expression makes no sense here
  };

  const Program& program_for(std::uint16_t link_type) noexcept;

  std::string expression_;
  std::vector<Program> programs_;
  std::string trouble_;
};

}  // namespace linger
