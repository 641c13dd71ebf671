// EVP, which OpenSSL prefers, takes 50 ns more.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "output/community_id.h"

#include <openssl/sha.h>
#include <smmintrin.h>

#include <array>
#include <cstddef>
#include <cstring>

#include "engine/base/bytes.h"

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

// The one block that is hashed, the side `first` before the other:
//
//     seed (2) = 0 | address | address | protocol | 0 | port | port     in network order
//
// and behind it, as FIPS 180-4 §5.1.1 says, a one, and the length in bits in the last word. Written
// in vectors as wide as it will be read: narrower stores would have to arrive in L1 first (20 ns).
void put_block(std::uint8_t* block, const Record& record, const std::uint16_t* port,
               unsigned first) noexcept {
  using Word = std::uint64_t;
  const auto store = [&](int i, Word low, Word high) {
    _mm_store_si128(reinterpret_cast<__m128i*>(block) + i,
                    _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low)));
  };
  constexpr Word kOne = 0x80;
  const unsigned second = first ^ 1;
  const std::uint8_t* a = record.address[first].bytes.data();
  const std::uint8_t* b = record.address[second].bytes.data();
  Word tail = Word{record.protocol} << 16 | kOne << 32;
  Word behind = 0;
  if (port != nullptr) {
    const auto swapped = [&](unsigned side) { return Word{__builtin_bswap16(port[side])}; };
    tail = Word{record.protocol} << 16 | swapped(first) << 32 | swapped(second) << 48;
    behind = kOne;
  }
  const auto length = [&](unsigned address_bytes) {
    const unsigned bits = 8 * (2 * address_bytes + (port != nullptr ? 8 : 4));
    return Word{bits & 0xff} << 56 | Word{bits >> 8} << 48;
  };
  if (record.ip_version == 4) {
    const Word from = load_le32(a), to = load_le32(b);
    store(0, from << 16 | to << 48, to >> 16 | tail);
    store(1, behind, 0);
    store(2, 0, 0);
    return store(3, 0, length(4));
  }
  const Word from[] = {load_le64(a), load_le64(a + 8)};
  const Word to[] = {load_le64(b), load_le64(b + 8)};
  store(0, from[0] << 16, from[0] >> 48 | from[1] << 16);
  store(1, from[1] >> 48 | to[0] << 16, to[0] >> 48 | to[1] << 16);
  store(2, to[1] >> 48 | tail, behind);
  store(3, 0, length(16));
}

}  // namespace

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

  alignas(16) std::uint8_t block[SHA_CBLOCK];
  put_block(block, record, has_ports ? port.data() : nullptr, swap ? 1 : 0);
  SHA_CTX sha1;
  SHA1_Init(&sha1);
  SHA1_Transform(&sha1, block);
  *out++ = '1';
  *out++ = ':';
  return put_base64(out, sha1);
}

}  // namespace linger
