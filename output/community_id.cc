// One block of SHA-1 takes 45 ns, OpenSSL's padding 10 more, EVP, which it prefers, 50 more.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "output/community_id.h"

#include <openssl/sha.h>
#include <smmintrin.h>

#include <array>
#include <cstddef>
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

// Twelve bytes as 16 digits of base64 (RFC 4648 §4); the bytes are three words of SHA-1, each with
// its last byte first. In each group of three bytes, which become four digits, the middle one has
// bits of two.
__m128i base64_of(__m128i words) noexcept {
  const __m128i groups =
      _mm_shuffle_epi8(words, _mm_setr_epi8(2, 3, 1, 2, 7, 0, 6, 7, 4, 5, 11, 4, 9, 10, 8, 9));
  const __m128i even = _mm_mulhi_epu16(_mm_and_si128(groups, _mm_set1_epi32(0x0fc0'fc00)),
                                       _mm_set1_epi32(0x0400'0040));
  const __m128i odd = _mm_mullo_epi16(_mm_and_si128(groups, _mm_set1_epi32(0x003f'03f0)),
                                      _mm_set1_epi32(0x0100'0010));
  const __m128i digits = _mm_or_si128(even, odd);
  // What to add: by the range of the digit, A to Z 13, a to z 0, 0 to 9, + and / their own.
  const __m128i is_capital = _mm_cmpgt_epi8(_mm_set1_epi8(26), digits);
  const __m128i range = _mm_or_si128(_mm_subs_epu8(digits, _mm_set1_epi8(51)),
                                     _mm_and_si128(is_capital, _mm_set1_epi8(13)));
  constexpr char kSmall = 'a' - 26, kNumber = '0' - 52, kPlus = '+' - 62, kSlash = '/' - 63;
  const __m128i added = _mm_setr_epi8(kSmall, kNumber, kNumber, kNumber, kNumber, kNumber, kNumber,
                                      kNumber, kNumber, kNumber, kNumber, kPlus, kSlash, 'A', 0, 0);
  return _mm_add_epi8(digits, _mm_shuffle_epi8(added, range));
}

// 27 digits and what fills them up.
char* put_base64(char* out, const SHA_CTX& sha1) noexcept {
  static_assert(offsetof(SHA_CTX, h3) == offsetof(SHA_CTX, h0) + 12 &&
                offsetof(SHA_CTX, h4) == offsetof(SHA_CTX, h0) + 16);
  const __m128i begin = _mm_loadu_si128(reinterpret_cast<const __m128i*>(&sha1.h0));
  const __m128i end = base64_of(_mm_loadu_si64(&sha1.h3));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), base64_of(begin));
  _mm_storeu_si64(out + 16, end);
  const std::uint32_t last = static_cast<std::uint32_t>(_mm_extract_epi32(end, 2));
  std::memcpy(out + 24, &last, sizeof last);
  out[27] = '=';
  return out + 28;
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
  *out++ = '1';
  *out++ = ':';
  return put_base64(out, sha1);
}

}  // namespace linger
