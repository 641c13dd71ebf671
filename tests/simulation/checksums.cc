#include "tests/simulation/checksums.h"

namespace linger::test {
namespace {

struct Place {
  std::size_t transport;  // of its header
  std::uint8_t protocol;
  std::size_t checksum;  // of two bytes, of SCTP four; 0: none
};

bool is_v4(const Frame& frame) { return frame.bytes[frame.ip_offset] >> 4 == 4; }

Place place_of(const Frame& frame) {
  const std::size_t ip = frame.ip_offset;
  Place place{ip + (is_v4(frame) ? (frame.bytes[ip] & 15u) * 4 : 40),
              frame.bytes[ip + (is_v4(frame) ? 9 : 6)], 0};
  switch (place.protocol) {
    case kProtocolTcp:
      place.checksum = place.transport + 16;
      break;
    case kProtocolUdp:
      place.checksum = place.transport + 6;
      break;
    case kProtocolIcmp:
    case kProtocolIcmpV6:
      place.checksum = place.transport + 2;
      break;
    case kProtocolSctp:
      place.checksum = place.transport + 8;
      break;
    default:
      break;
  }
  return place;
}

// RFC 9293 §3.1, RFC 8200 §8.1; some leave out the length, which the card adds for each segment.
std::uint16_t pseudo_header_sum(const Frame& frame, const Place& place, bool has_length) {
  const std::size_t ip = frame.ip_offset;
  std::uint32_t sum = place.protocol;
  if (has_length) sum += static_cast<std::uint32_t>(frame.bytes.size() - place.transport);
  const std::size_t addresses = is_v4(frame) ? ip + 12 : ip + 8;
  for (std::size_t i = addresses; i < addresses + (is_v4(frame) ? 8 : 32); i += 2)
    sum += load_be16(frame.bytes.data() + i);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

void make_wrong(Frame& frame, std::size_t checksum, Random& random) {
  if (checksum == 0) return;
  const auto bit = static_cast<unsigned>(random.below(16));
  frame.bytes[checksum + bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
}

void leave_to_card(Frame& frame, Random& random) {
  const Place place = place_of(frame);
  if (place.protocol != kProtocolTcp && place.protocol != kProtocolUdp) return;
  const std::int64_t kind = random.below(3);
  const std::uint16_t sum =
      kind == 0 ? std::uint16_t{0} : pseudo_header_sum(frame, place, kind == 1);
  frame.bytes[place.checksum] = static_cast<std::uint8_t>(sum >> 8);
  frame.bytes[place.checksum + 1] = static_cast<std::uint8_t>(sum);
}

}  // namespace

Checksums Checksums::of(const Profile& profile, Random& random) {
  Checksums checksums;
  if (random.chance(profile.offloaded)) checksums.left = random.pick({10, 90, 100});
  if (random.chance(profile.edited)) checksums.wrong = random.pick({5, 15, 100});
  return checksums;
}

void Checksums::set(Frame& frame, Random& random) const {
  if (random.chance(left)) leave_to_card(frame, random);
  if (random.chance(wrong)) make_wrong(frame, place_of(frame).checksum, random);
}

void damage(Frame& frame, Random& random) {
  const Place place = place_of(frame);
  const std::int64_t kind = random.below(4);
  if (kind == 0 && is_v4(frame)) return make_wrong(frame, frame.ip_offset + 10, random);
  if (kind == 1) return make_wrong(frame, place.checksum, random);
  if (place.checksum == 0) return;
  // Behind the ports; half of it in what comes first, where it does most.
  const auto bytes = static_cast<std::int64_t>(frame.bytes.size() - place.transport) - 4;
  const std::int64_t at = 4 + random.below(kind == 2 ? std::min<std::int64_t>(bytes, 12) : bytes);
  frame.bytes[place.transport + static_cast<std::size_t>(at)] ^=
      static_cast<std::uint8_t>(1u << random.below(8));
}

}  // namespace linger::test
