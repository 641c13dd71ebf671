#include "tests/simulation/subflow.h"

namespace linger::test {
namespace {

// Subtypes (RFC 8684 §8.2) in the upper half of a byte.
constexpr std::uint8_t kCapable = 0x00, kJoin = 0x10, kDss = 0x20, kAddAddress = 0x30,
                       kRemoveAddress = 0x40, kPriority = 0x50, kFail = 0x60, kFastclose = 0x70,
                       kReset = 0x80;

void put(ByteList& bytes, std::uint64_t value, int count) {
  for (int i = count - 1; i >= 0; --i)
    bytes.push_back(i < 8 ? static_cast<std::uint8_t>(value >> 8 * i) : 0);
}

ByteList option(std::uint8_t subtype_and_flags) { return {30, 0, subtype_and_flags}; }
ByteList finished(ByteList bytes) {
  bytes[1] = static_cast<std::uint8_t>(bytes.size());
  return bytes;
}

ByteList mapping(bool is_data_fin) {
  ByteList bytes = option(kDss);
  put(bytes, is_data_fin ? 0x15 : 0x05, 1);
  put(bytes, 1, 4), put(bytes, 1, 4), put(bytes, 1, 4), put(bytes, 0, 2);
  return finished(bytes);
}

// RFC 8684 §3.4.1, version 1: with a HMAC unless it is an echo; now and then with a port.
ByteList announcement(Random& random) {
  const bool is_echo = random.chance(10);
  ByteList bytes = option(static_cast<std::uint8_t>(kAddAddress | is_echo));
  put(bytes, static_cast<std::uint64_t>(random.below(12)), 1);
  const IpAddress ip = Address(random.pick({"10.5.5.1", "10.5.5.2", "10.9.9.8"})).ip;
  for (std::size_t i = 0; i < 4; ++i) bytes.push_back(ip.bytes[i]);
  if (random.chance(30)) put(bytes, random.pick({80u, 443u}), 2);
  if (!is_echo) put(bytes, 0, 8);
  return finished(bytes);
}

// What an established subflow may say beside the place of its data.
ByteList signal(Random& random) {
  ByteList bytes;
  switch (random.below(5)) {
    case 0:
      return announcement(random);
    case 1:
      bytes = option(kRemoveAddress);
      for (std::int64_t i = random.between(1, 3); i > 0; --i)
        put(bytes, static_cast<std::uint64_t>(random.pick({0, 1, 3, 67, 200})), 1);
      return finished(bytes);
    case 2:
      return finished(option(static_cast<std::uint8_t>(kPriority | random.below(2))));
    case 3:
      bytes = option(kFail);
      put(bytes, 0, 9);
      return finished(bytes);
    default:
      bytes = option(kFastclose);
      put(bytes, 0, 9);
      return finished(bytes);
  }
}

}  // namespace

MptcpHosts MptcpHosts::draw(Random& random, const Address& client, const Address& server) {
  constexpr std::uint64_t kKey = 0x0102'0304'0506'0708;
  const auto below = [&](std::int64_t count) {
    return static_cast<std::uint64_t>(random.below(count));
  };
  MptcpHosts hosts{.address = {client, server}};
  if (random.chance(20)) hosts.version = MptcpVersion::v0;
  hosts.key = {kKey + 2 * below(6), kKey + 1 + 2 * below(3)};
  if (random.chance(20)) std::swap(hosts.key[0], hosts.key[1]);
  return hosts;
}

std::uint32_t MptcpHosts::token(unsigned host) const {
  return MptcpTokens().of({.key = key[host], .version = version});
}

// RFC 8684 §3.1, §3.2.
ByteList Subflow::of_syn(unsigned side, bool is_answer, Random& random) const {
  if (kind_ == Kind::join) {
    ByteList bytes = option(static_cast<std::uint8_t>(kJoin | random.chance(20)));
    put(bytes, static_cast<std::uint64_t>(random.below(6)), 1);
    if (!is_answer) put(bytes, hosts_->token(receiver_), 4);
    put(bytes, 0, is_answer ? 12 : 4);
    return finished(bytes);
  }
  if (kind_ == Kind::offered && is_answer) return {};
  const bool is_v0 = hosts_->version == MptcpVersion::v0;
  ByteList bytes = option(kCapable | (is_v0 ? 0 : 1));
  put(bytes, 0x81, 1);
  if (is_answer || is_v0) put(bytes, hosts_->key[side], 8);
  return finished(bytes);
}

ByteList Subflow::of_third(bool has_payload) const {
  ByteList bytes = option(kind_ == Kind::join ? kJoin : kCapable);
  if (kind_ == Kind::join) {
    put(bytes, 0, 21);
    return finished(bytes);
  }
  const bool is_v0 = hosts_->version == MptcpVersion::v0;
  bytes[2] |= is_v0 ? 0 : 1;
  put(bytes, 0x81, 1);
  put(bytes, hosts_->key[0], 8), put(bytes, hosts_->key[1], 8);
  if (has_payload && !is_v0) put(bytes, 1, 2);  // of its data
  return finished(bytes);
}

ByteList Subflow::options(unsigned side, std::uint8_t flags, bool has_payload, Random& random) {
  if (!is_spoken()) return {};
  const bool is_answer = (flags & kTcpAck) != 0;
  if ((flags & kTcpSyn) != 0) return of_syn(side, is_answer, random);
  if (kind_ == Kind::offered) return {};
  if ((flags & kTcpRst) != 0) {
    ByteList reason = option(kReset);
    put(reason, 2, 1);
    return random.chance(50) ? finished(reason) : ByteList{};
  }
  const bool is_third = side == 0 && !has_said_third_ && is_answer;
  if (is_third) {
    has_said_third_ = !random.chance(10);  // else the next one says it again
    return of_third(has_payload);
  }
  if (random.chance(6)) return signal(random);
  if ((flags & kTcpFin) != 0) return mapping(random.chance(60));
  return has_payload || random.chance(50) ? mapping(random.chance(1)) : ByteList{};
}

}  // namespace linger::test
