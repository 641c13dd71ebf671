// One block of SHA-1 takes 45 ns, OpenSSL's padding 10 more, EVP, which it prefers, 50 more.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "output/community_id.h"

#include <openssl/sha.h>

#include <array>
#include <cstring>

namespace linger {

namespace {

struct IcmpPorts {  // what stands for the ports of an ICMP message
  std::uint16_t source;
  std::uint16_t destination;
  bool is_one_way;  // no message type answers it
};

struct TypePair {
  std::uint8_t type;
  std::uint8_t answer;
};
constexpr TypePair kIcmpPairs[] = {{0, 8},   {8, 0},   {9, 10},  {10, 9},  {13, 14},
                                   {14, 13}, {15, 16}, {16, 15}, {17, 18}, {18, 17}};
constexpr TypePair kIcmp6Pairs[] = {{128, 129}, {129, 128}, {130, 131}, {131, 130},
                                    {133, 134}, {134, 133}, {135, 136}, {136, 135},
                                    {139, 140}, {140, 139}, {144, 145}, {145, 144}};

IcmpPorts icmp_ports(const Record& record) noexcept {
  const auto find = [&](const auto& pairs) -> IcmpPorts {
    for (const TypePair pair : pairs) {
      if (pair.type == record.icmp_type) return {pair.type, pair.answer, false};
    }
    return {record.icmp_type, record.icmp_code, true};
  };
  return record.protocol == 1 ? find(kIcmpPairs) : find(kIcmp6Pairs);
}

char* put_base64(char* out, const std::uint8_t* data, std::size_t bytes) noexcept {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::size_t i = 0;
  for (; i + 3 <= bytes; i += 3) {
    const std::uint32_t group =
        static_cast<std::uint32_t>(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
    for (int shift = 18; shift >= 0; shift -= 6) *out++ = kDigits[(group >> shift) & 63];
  }
  if (bytes - i == 2) {  // the only rest that 20 bytes leave
    const std::uint32_t group = static_cast<std::uint32_t>(data[i] << 16 | data[i + 1] << 8);
    for (int shift = 18; shift >= 6; shift -= 6) *out++ = kDigits[(group >> shift) & 63];
    *out++ = '=';
  }
  return out;
}

}  // namespace

// seed (2) | lower address | higher address | protocol | 0 | port of the lower | port of the
// higher, in network order
char* put_community_id(char* out, const Record& record) noexcept {
  const std::size_t address_bytes = record.ip_version == 4 ? 4 : 16;
  std::array<std::uint16_t, 2> port = record.port;
  bool is_one_way = false;
  if (record.is_icmp()) {
    const IcmpPorts ports = icmp_ports(record);
    port = {ports.source, ports.destination};
    is_one_way = ports.is_one_way;
  }
  const bool has_ports = record.has_ports() || record.is_icmp();
  const int order =
      std::memcmp(record.address[0].bytes.data(), record.address[1].bytes.data(), address_bytes);
  const bool swap = !is_one_way && (order > 0 || (order == 0 && has_ports && port[0] > port[1]));

  std::uint8_t block[SHA_CBLOCK] = {};
  std::uint8_t* p = block + 2;
  for (const int side : {swap ? 1 : 0, swap ? 0 : 1}) {
    std::memcpy(p, record.address[side].bytes.data(), address_bytes);
    p += address_bytes;
  }
  *p++ = record.protocol;
  *p++ = 0;
  if (has_ports) {
    for (const int side : {swap ? 1 : 0, swap ? 0 : 1}) {
      *p++ = static_cast<std::uint8_t>(port[side] >> 8);
      *p++ = static_cast<std::uint8_t>(port[side]);
    }
  }
  // Padded as FIPS 180-4 §5.1.1 says: a one, and the length in bits in the last word.
  static_assert(2 + 2 * 16 + 2 + 4 + 1 + 8 <= SHA_CBLOCK);
  const auto bits = static_cast<std::uint16_t>(8 * (p - block));
  *p = 0x80;
  block[SHA_CBLOCK - 2] = static_cast<std::uint8_t>(bits >> 8);
  block[SHA_CBLOCK - 1] = static_cast<std::uint8_t>(bits);
  SHA_CTX sha1;
  SHA1_Init(&sha1);
  SHA1_Transform(&sha1, block);
  std::uint8_t digest[SHA_DIGEST_LENGTH];
  std::size_t at = 0;
  for (const std::uint32_t word : {sha1.h0, sha1.h1, sha1.h2, sha1.h3, sha1.h4}) {
    const std::uint32_t big_endian = __builtin_bswap32(word);
    std::memcpy(digest + at, &big_endian, sizeof big_endian);
    at += sizeof big_endian;
  }
  *out++ = '1';
  *out++ = ':';
  return put_base64(out, digest, sizeof digest);
}

}  // namespace linger
