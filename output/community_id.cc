#include "output/community_id.h"

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
  return record.protocol == kProtocolIcmp ? find(kIcmpPairs) : find(kIcmp6Pairs);
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

// The words of the one block that is hashed, the side `first` before the other. Behind what the
// specification says stand, as FIPS 180-4 §5.1.1 has it, a one and in the last word the length in
// bits.
std::array<std::uint32_t, 16> block_of(const Record& record, const std::uint16_t* port,
                                       unsigned first) noexcept {
  std::array<std::uint32_t, 16> words{};
  std::size_t count = 0;
  std::uint32_t half = 0;  // of the word that is not full yet: the seed
  for (const unsigned side : {first, first ^ 1}) {
    const std::uint8_t* bytes = record.address[side].bytes.data();
    for (std::size_t i = 0; i < (record.ip_version == 4 ? 4u : 16u); i += 4) {
      const std::uint32_t word = load_be32(bytes + i);
      words[count++] = half << 16 | word >> 16;
      half = word;
    }
  }
  words[count++] = half << 16 | std::uint32_t{record.protocol} << 8;
  if (port != nullptr) words[count++] = std::uint32_t{port[first]} << 16 | port[first ^ 1];
  words[15] = static_cast<std::uint32_t>(count * 32);
  words[count] = 0x8000'0000;
  return words;
}

}  // namespace

char* CommunityIds::put(char* out, const Record& record) noexcept {
  const std::size_t address_bytes = record.ip_version == 4 ? 4 : 16;
  std::array<std::uint16_t, 2> port = record.port;
  bool is_one_way = false;
  if (record.is_icmp()) {
    const IcmpPorts ports = icmp_ports(record);
    port = {ports.source, ports.destination};
    is_one_way = ports.is_one_way;
  }
  const bool has_ports = record.is_tcp() || record.protocol == kProtocolUdp ||
                         record.protocol == kProtocolSctp || record.is_icmp();
  const int order =
      std::memcmp(record.address[0].bytes.data(), record.address[1].bytes.data(), address_bytes);
  const bool swap = !is_one_way && (order > 0 || (order == 0 && has_ports && port[0] > port[1]));

  if (count_ == kSha1Lanes) complete();
  const auto words = block_of(record, has_ports ? port.data() : nullptr, swap ? 1 : 0);
  for (std::size_t i = 0; i < words.size(); ++i) blocks_.word[i][count_] = words[i];
  places_[count_++] = out;
  return out + kCommunityIdBytes;
}

// 27 digits and what fills them up.
void CommunityIds::complete() noexcept {
  if (count_ == 0) return;
  sha1_of(blocks_, digests_);
  for (std::size_t lane = 0; lane < count_; ++lane) {
    const auto word = [&](std::size_t i) { return static_cast<int>(digests_.word[i][lane]); };
    char* out = places_[lane];
    *out++ = '1';
    *out++ = ':';
    const __m128i end = base64_of(_mm_setr_epi32(word(3), word(4), 0, 0));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                     base64_of(_mm_setr_epi32(word(0), word(1), word(2), 0)));
    _mm_storeu_si64(out + 16, end);
    const std::uint32_t last = static_cast<std::uint32_t>(_mm_extract_epi32(end, 2));
    std::memcpy(out + 24, &last, sizeof last);
    out[27] = '=';
  }
  count_ = 0;
}

}  // namespace linger
