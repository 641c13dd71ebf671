// CRC-32C, least significant byte first, as SCTP has it (RFC 9260 appendix A) and the PROXY
// protocol in version 2: over bytes that hold the sum itself, which counts as four zeros.
//
// Any thread. Cost: byte by byte; what has such a sum is rare.
#pragma once

#include <boost/crc.hpp>

#include "engine/base/bytes.h"

namespace linger {

// The sum stands at `sum_at`, whole.
inline std::uint32_t crc32c_of(Bytes bytes, std::size_t sum_at) noexcept {
  constexpr std::uint8_t kZeros[4] = {};
  boost::crc_optimal<32, 0x1edc6f41, 0xffffffff, 0xffffffff, true, true> crc;
  crc.process_bytes(bytes.data(), sum_at);
  crc.process_bytes(kZeros, sizeof kZeros);
  const Bytes rest = bytes.subspan(sum_at + sizeof kZeros);
  crc.process_bytes(rest.data(), rest.size());
  return crc.checksum();
}

}  // namespace linger
