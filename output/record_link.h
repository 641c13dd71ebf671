// What one session says of another one: where it will be found, when, and what its record is to
// tell. The shard of the first sends it to every output as soon as it is said, since the other one
// may lie in any shard (output/links.h).
//
// Trivially copyable. Limit: kItemsMax bytes of items; what does not fit is told by the first only.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <string_view>

#include "engine/base/flow_key.h"
#include "engine/base/id.h"
#include "engine/base/time.h"
#include "output/record_protocol.h"

namespace linger {

// By what the other session is known: whom it opens, or how its first datagram begins.
struct LinkKey {
  // A shorter id may be another connection's as well.
  static constexpr std::size_t kIdBytesMin = 8, kIdBytesMax = 20;

  std::array<std::uint8_t, kIdBytesMax + 1> bytes{};  // the last one: how long the id is

  bool is_id() const noexcept { return bytes.back() != 0; }

  // Who is opened: IPv4 or IPv6, address, TCP port.
  static LinkKey of_endpoint(std::uint8_t ip_version, const IpAddress& address,
                             std::uint16_t port) noexcept {
    LinkKey key;
    std::copy(address.bytes.begin(), address.bytes.end(), key.bytes.begin());
    key.bytes[16] = static_cast<std::uint8_t>(port >> 8);
    key.bytes[17] = static_cast<std::uint8_t>(port);
    key.bytes[18] = ip_version;
    return key;
  }
  // The id of a connection, of QUIC's size.
  static LinkKey of_id(Bytes id) noexcept {
    LinkKey key;
    std::copy(id.begin(), id.end(), key.bytes.begin());
    key.bytes.back() = static_cast<std::uint8_t>(id.size());
    return key;
  }
  friend auto operator<=>(const LinkKey&, const LinkKey&) = default;
};

struct RecordLink {
  static constexpr std::size_t kItemsMax = 320;

  LinkKey key;
  Id128 id;                       // of the session that says so
  Timestamp from, until;          // the other one begins within
  ClockNs clock = 0;              // of the packet that says so; the other one does not end before
  std::string_view name;          // of its protocol; lasts as long as the program. Empty: there is
                                  // no other one any more, from `from` on
  std::uint32_t items_bytes = 0;  // of what its record tells
  std::array<std::uint8_t, kItemsMax> items;
};

}  // namespace linger
