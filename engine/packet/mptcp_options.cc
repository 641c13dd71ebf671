#include "engine/packet/mptcp_options.h"

#include <cstring>

#include "engine/base/bytes.h"

namespace linger {
namespace {

// RFC 8684 §3.1: 4 bytes in version 1's SYN, 12 with the sender's key, 20 with both, and 22 or 24
// with the length of the data beside them.
void read_capable(MptcpSignals& signals, const std::uint8_t* option, std::uint8_t length) noexcept {
  const std::uint8_t version = option[2] & 0x0f;
  const bool is_known = length == 4 || length == 12 || length == 20 || length == 22 || length == 24;
  if (version > 1 || !is_known) return;
  signals.subtypes |= 1 << kMptcpCapable;
  signals.version = version == 0 ? MptcpVersion::v0 : MptcpVersion::v1;
  if (length >= 12) signals.sender_key = load_be64(option + 4);
  if (length >= 20) signals.receiver_key = load_be64(option + 12);
}

// RFC 8684 §3.2: 12 bytes in a SYN, 16 in a SYN-ACK, 24 in the ACK.
void read_join(MptcpSignals& signals, const std::uint8_t* option, std::uint8_t length) noexcept {
  if (length != 12 && length != 16 && length != 24) return;
  signals.subtypes |= 1 << kMptcpJoin;
  if (length == 24) return;
  signals.backup = (option[2] & 1) != 0;
  signals.address_id = option[3];
  if (length == 12) signals.receiver_token = load_be32(option + 4);
}

// Version 1 (RFC 8684 §3.4.1) has an echo bit and, when it is not set, 8 bytes of HMAC; version 0
// (RFC 6824 §3.4.1) has the IP version there. Both may have a port.
void read_add_address(MptcpSignals& signals, const std::uint8_t* option,
                      std::uint8_t length) noexcept {
  constexpr std::uint8_t kEcho = 1, kHmacBytes = 8;
  const std::uint8_t flags = option[2] & 0x0f;
  const bool is_version_0 = flags == 4 || flags == 6;
  if (!is_version_0 && (flags & kEcho) != 0) return;
  const int rest = length - 4 - (is_version_0 ? 0 : kHmacBytes);
  const bool is_ipv4 = rest == 4 || rest == 6;
  const bool is_ipv6 = rest == 16 || rest == 18;
  if ((!is_ipv4 && !is_ipv6) || signals.address_count == signals.addresses.size()) return;
  MptcpAddress& announced = signals.addresses[signals.address_count++];
  const std::size_t address_bytes = is_ipv4 ? 4 : 16;
  std::memcpy(announced.address.bytes.data(), option + 4, address_bytes);
  announced.ip_version = is_ipv4 ? 4 : 6;
  announced.id = option[3];
  if (rest == 6 || rest == 18) announced.port = load_be16(option + 4 + address_bytes);
  signals.subtypes |= 1 << kMptcpAddAddress;
}

// RFC 8684 §3.4.2: one or more address IDs. IDs 64 apart are told as one.
void read_remove_address(MptcpSignals& signals, const std::uint8_t* option,
                         std::uint8_t length) noexcept {
  if (length < 4) return;
  signals.subtypes |= 1 << kMptcpRemoveAddress;
  for (std::uint8_t i = 3; i < length; ++i) signals.removed |= 1ULL << (option[i] & 63);
}

// RFC 8684 §3.3.8. Version 0 may name another address, of another subflow: not for this one.
void read_priority(MptcpSignals& signals, const std::uint8_t* option,
                   std::uint8_t length) noexcept {
  if (length != 3) return;
  signals.subtypes |= 1 << kMptcpPriority;
  signals.backup = (option[2] & 1) != 0;
}

void read_option(MptcpSignals& signals, const std::uint8_t* option, std::uint8_t length) noexcept {
  const std::uint8_t subtype = option[2] >> 4;
  switch (subtype) {
    case kMptcpCapable:
      return read_capable(signals, option, length);
    case kMptcpJoin:
      return read_join(signals, option, length);
    case kMptcpAddAddress:
      return read_add_address(signals, option, length);
    case kMptcpRemoveAddress:
      return read_remove_address(signals, option, length);
    case kMptcpPriority:
      return read_priority(signals, option, length);
    case kMptcpFail:  // RFC 8684 §3.7
      if (length == 12) signals.subtypes |= 1 << kMptcpFail;
      return;
    case kMptcpFastclose:  // RFC 8684 §3.5
      if (length == 12) signals.subtypes |= 1 << kMptcpFastclose;
      return;
    case kMptcpDss:
    case kMptcpReset:  // RFC 8684 §3.6
      signals.subtypes = static_cast<std::uint16_t>(signals.subtypes | 1u << subtype);
      return;
    default:
      return;
  }
}

}  // namespace

MptcpSignals read_mptcp_options(const std::uint8_t* options, std::uint32_t bytes) noexcept {
  MptcpSignals signals;
  for (std::uint32_t i = 0; i < bytes;) {  // at most 40
    const std::uint8_t kind = options[i];
    if (kind == 0) break;
    if (kind == 1) {
      ++i;
      continue;
    }
    if (bytes - i < 2) break;
    const std::uint8_t length = options[i + 1];
    if (length < 2 || length > bytes - i) break;
    const bool is_signal = kind == kTcpOptionKindMptcp &&
                           is_mptcp_signal(options + i + 2, static_cast<std::uint8_t>(length - 2));
    if (is_signal && (length >= 4 || options[i + 2] >> 4 == kMptcpPriority))
      read_option(signals, options + i, length);
    i += length;
  }
  return signals;
}

}  // namespace linger
