#include "engine/source/capture_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/packet/link_type.h"

namespace linger {
namespace {

// draft-ietf-opsawg-pcap §4; the modified header (24 bytes a packet) is that of old Linux kernels.
constexpr std::uint32_t kMagicMicroseconds = 0xa1b2c3d4;
constexpr std::uint32_t kMagicNanoseconds = 0xa1b23c4d;
constexpr std::uint32_t kMagicModified = 0xa1b2cd34;
constexpr std::size_t kPcapHeaderBytes = 24;
// What capture tools write at most, whatever they promise.
constexpr std::uint32_t kFrameBytesUsual = 262'144;

// draft-ietf-opsawg-pcapng §4
constexpr std::uint32_t kBlockSection = 0x0a0d0d0a;
constexpr std::uint32_t kBlockInterface = 1;
constexpr std::uint32_t kBlockPacketOld = 2;
constexpr std::uint32_t kBlockPacketSimple = 3;
constexpr std::uint32_t kBlockPacket = 6;
constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr std::size_t kBlockFrameBytes = 12;  // type, length, length again
constexpr std::size_t kSectionBytesMin = 28;
constexpr std::size_t kInterfacesMax = 65'536;
constexpr std::uint16_t kOptionEnd = 0;
constexpr std::uint16_t kOptionResolution = 9;
constexpr std::uint16_t kOptionOffset = 14;

// RFC 1761; all numbers are big-endian.
constexpr std::uint8_t kSnoopMagic[8] = {'s', 'n', 'o', 'o', 'p', 0, 0, 0};
constexpr std::size_t kSnoopHeaderBytes = 16;
constexpr std::size_t kSnoopRecordHeaderBytes = 24;

template <bool kBig>
std::uint16_t load16(const std::uint8_t* p) noexcept {
  return kBig ? load_be16(p) : load_le16(p);
}
template <bool kBig>
std::uint32_t load32(const std::uint8_t* p) noexcept {
  return kBig ? load_be32(p) : load_le32(p);
}
template <bool kBig>
std::uint64_t load64(const std::uint8_t* p) noexcept {
  return kBig ? load_be64(p) : load_le64(p);
}

bool is_pcap(std::uint32_t magic) noexcept {
  return magic == kMagicMicroseconds || magic == kMagicNanoseconds || magic == kMagicModified;
}

// Link types beyond 16 bits do not exist; the upper bits of the pcap field say whether frames end
// in a checksum.
std::uint16_t link_type_of(std::uint32_t field) noexcept {
  const std::uint32_t type = field & 0x03ff'ffff;
  return static_cast<std::uint16_t>(std::min<std::uint32_t>(type, 0xffff));
}

// RFC 1761's number of a datalink as LINKTYPE; what no other format has is told as unknown.
std::uint16_t link_type_of_snoop(std::uint32_t datalink) noexcept {
  switch (datalink) {
    case 0:  // IEEE 802.3
    case 4:  // Ethernet
      return kEthernet;
    case 2:  // IEEE 802.5
      return kTokenRing;
    case 8:  // FDDI
      return kFddi;
    default:
      return 0xffff;
  }
}

// Formats that people have and that are not read, each with its way out.
struct Foreign {
  std::uint32_t magic;  // the first four bytes, big-endian
  std::uint32_t mask;
  const char* message;
};
constexpr Foreign kForeign[] = {
    {0x58435000, 0xffffffff, "a Sniffer capture; convert it with `editcap -F pcapng`"},
    {0x47544d00, 0xffffff00, "a Network Monitor capture; convert it with `editcap -F pcapng`"},
    {0x474d4255, 0xffffffff, "a Network Monitor capture; convert it with `editcap -F pcapng`"},
    {0xfd377a58, 0xffffffff, "xz-compressed; decompress it first"},
    {0x425a6800, 0xffffff00, "bzip2-compressed; decompress it first"},
    {0x04224d18, 0xffffffff, "lz4-compressed; decompress it first"},
    {0x504b0304, 0xffffffff, "a zip archive; unpack it first"},
};

std::string foreign_reason(std::uint32_t magic) {
  for (const Foreign& foreign : kForeign) {
    if ((magic & foreign.mask) == foreign.magic) return foreign.message;
  }
  return "not a capture file (pcap, pcapng and snoop are read, plain or compressed with gzip or "
         "zstd)";
}

constexpr std::uint64_t power_of_ten(unsigned exponent) noexcept {
  std::uint64_t result = 1;
  while (exponent-- > 0) result *= 10;
  return result;
}

}  // namespace

CaptureParser::Stop CaptureParser::parse(Bytes& window, PacketBuffer* buffer,
                                         PacketRun& run) noexcept {
  for (;;) {
    // pcapng_blocks stops before a section header, which may change the byte order; Stop::need with
    // nothing needed means "go on in the other format".
    Stop stop = Stop::need;
    needed_bytes_ = 0;
    switch (format_) {
      case Format::unknown:
        stop = file_header(window);
        break;
      case Format::pcap_le:
        stop = pcap_packets<false>(window, buffer, run);
        break;
      case Format::pcap_be:
        stop = pcap_packets<true>(window, buffer, run);
        break;
      case Format::pcapng_le:
        stop = pcapng_blocks<false>(window, buffer, run);
        break;
      case Format::pcapng_be:
        stop = pcapng_blocks<true>(window, buffer, run);
        break;
      case Format::snoop:
        stop = snoop_packets(window, buffer, run);
        break;
    }
    if (stop != Stop::need || needed_bytes_ != 0) return stop;
  }
}

CaptureParser::Stop CaptureParser::file_header(Bytes& window) noexcept {
  if (window.size() < 4) return need(4);
  if (load_le32(window.data()) == kBlockSection) return section_header(window);
  if (is_pcap(load_le32(window.data()))) return pcap_header<false>(window);
  if (is_pcap(load_be32(window.data()))) return pcap_header<true>(window);
  if (load_be32(window.data()) == load_be32(kSnoopMagic)) return snoop_header(window);
  return broken(foreign_reason(load_be32(window.data())));
}

template <bool kBig>
CaptureParser::Stop CaptureParser::pcap_header(Bytes& window) noexcept {
  if (window.size() < kPcapHeaderBytes) return need(kPcapHeaderBytes);
  const std::uint8_t* p = window.data();
  const std::uint32_t magic = load32<kBig>(p);
  const std::uint16_t major = load16<kBig>(p + 4);
  const std::uint16_t minor = load16<kBig>(p + 6);
  if (major != 2) return broken(fmt::format("pcap of the unknown version {}.{}", major, minor));
  if (magic == kMagicNanoseconds) fraction_multiplier_ = 1;
  if (magic == kMagicModified) record_header_bytes_ = 24;
  lengths_swapped_ = minor < 4;
  const std::uint32_t snap_bytes = load32<kBig>(p + 16);
  if (snap_bytes > 0 && snap_bytes < kCaptureRecordBytesMax) {
    frame_bytes_max_ = std::max(snap_bytes, kFrameBytesUsual);
  }
  link_type_ = link_type_of(load32<kBig>(p + 20));
  format_ = kBig ? Format::pcap_be : Format::pcap_le;
  window = window.subspan(kPcapHeaderBytes);
  return need(0);
}

//      0         4          8          12         16 (modified: 24)
//     | seconds | fraction | captured | original | frame …
template <bool kBig>
CaptureParser::Stop CaptureParser::pcap_packets(Bytes& window, PacketBuffer* buffer,
                                                PacketRun& run) noexcept {
  const std::uint8_t* p = window.data();
  std::size_t remaining = window.size();
  const std::size_t header_bytes = record_header_bytes_;
  const std::uint32_t frame_bytes_max = frame_bytes_max_;
  const std::int64_t fraction_multiplier = fraction_multiplier_;
  const std::uint16_t link_type = link_type_;
  Packet* packet = run.packets + run.count;
  Packet* const packets_end = run.packets + run.room;
  Stop stop = Stop::full;
  for (; packet != packets_end; ++packet) {
    if (remaining < header_bytes) {
      stop = need(header_bytes);
      break;
    }
    const std::uint32_t seconds = load32<kBig>(p);
    const std::uint32_t fraction = load32<kBig>(p + 4);
    std::uint32_t captured_bytes = load32<kBig>(p + 8);
    std::uint32_t wire_bytes = load32<kBig>(p + 12);
    if (captured_bytes > wire_bytes) [[unlikely]] {
      if (lengths_swapped_) std::swap(captured_bytes, wire_bytes);
      wire_bytes = std::max(captured_bytes, wire_bytes);
    }
    if (captured_bytes > frame_bytes_max) [[unlikely]] {
      stop = broken(fmt::format("a packet of {} bytes, where {} is the most", captured_bytes,
                                frame_bytes_max));
      break;
    }
    if (remaining < header_bytes + captured_bytes) {
      stop = need(header_bytes + captured_bytes);
      break;
    }
    // 2^32 s and any fraction stay below kTimestampFineMax, so this is what make_timestamp gives.
    const Timestamp timestamp{static_cast<std::int64_t>(seconds) * kSecond +
                              static_cast<std::int64_t>(fraction) * fraction_multiplier};
    if (timestamp.value > run.limit) {
      head_ = timestamp;
      stop = Stop::limit;
      break;
    }
    packet->data = p + header_bytes;
    packet->buffer = buffer;
    packet->timestamp = timestamp;
    packet->captured_bytes = captured_bytes;
    packet->wire_bytes = wire_bytes;
    packet->link_type = link_type;
    p += header_bytes + captured_bytes;
    remaining -= header_bytes + captured_bytes;
  }
  run.count = static_cast<std::uint32_t>(packet - run.packets);
  window = {p, remaining};
  return stop;
}

//      0        8         12
//     | magic  | version | datalink
CaptureParser::Stop CaptureParser::snoop_header(Bytes& window) noexcept {
  if (window.size() < kSnoopHeaderBytes) return need(kSnoopHeaderBytes);
  const std::uint8_t* p = window.data();
  if (!std::equal(std::begin(kSnoopMagic), std::end(kSnoopMagic), p)) {
    return broken(foreign_reason(load_be32(p)));
  }
  const std::uint32_t version = load_be32(p + 8);
  if (version != 2) return broken(fmt::format("snoop of the unknown version {}", version));
  link_type_ = link_type_of_snoop(load_be32(p + 12));
  format_ = Format::snoop;
  window = window.subspan(kSnoopHeaderBytes);
  return need(0);
}

//      0          4          8               12      16        20             24
//     | original | captured | record length | drops | seconds | microseconds | frame … | padding
CaptureParser::Stop CaptureParser::snoop_packets(Bytes& window, PacketBuffer* buffer,
                                                 PacketRun& run) noexcept {
  while (run.count < run.room) {
    if (window.size() < kSnoopRecordHeaderBytes) return need(kSnoopRecordHeaderBytes);
    const std::uint8_t* p = window.data();
    const std::uint32_t captured_bytes = load_be32(p + 4);
    const std::uint32_t record_bytes = load_be32(p + 8);
    if (record_bytes > kCaptureRecordBytesMax || record_bytes < kSnoopRecordHeaderBytes ||
        record_bytes - kSnoopRecordHeaderBytes < captured_bytes) {
      return broken(
          fmt::format("a packet of {} bytes in a record of {}", captured_bytes, record_bytes));
    }
    if (window.size() < record_bytes) return need(record_bytes);
    const Timestamp timestamp =
        make_timestamp(load_be32(p + 16), std::uint64_t{load_be32(p + 20)} * 1'000);
    if (timestamp.value > run.limit) {
      head_ = timestamp;
      return Stop::limit;
    }
    Packet& packet = run.packets[run.count++];
    packet.data = p + kSnoopRecordHeaderBytes;
    packet.buffer = buffer;
    packet.timestamp = timestamp;
    packet.captured_bytes = captured_bytes;
    packet.wire_bytes = std::max(load_be32(p), captured_bytes);
    packet.link_type = link_type_;
    window = window.subspan(record_bytes);
  }
  return Stop::full;
}

//      0      4              8       12            length - 4   length
//     | type | block length | body … | block length |            padded to 4
template <bool kBig>
CaptureParser::Stop CaptureParser::pcapng_blocks(Bytes& window, PacketBuffer* buffer,
                                                 PacketRun& run) noexcept {
  while (run.count < run.room) {
    if (window.size() < kBlockFrameBytes) return need(kBlockFrameBytes);
    const std::uint8_t* p = window.data();
    const std::uint32_t type = load32<kBig>(p);
    if (type == kBlockSection) return section_header(window);
    const std::uint32_t length = load32<kBig>(p + 4);
    if (length < kBlockFrameBytes || length > kCaptureRecordBytesMax) {
      return broken(fmt::format("a block of {} bytes", length));
    }
    const std::size_t padded = (std::size_t{length} + 3) & ~std::size_t{3};  // some writers forget
    if (window.size() < padded) return need(padded);
    if (load32<kBig>(p + padded - 4) != length) {
      return broken(fmt::format("a block whose two lengths differ ({} and {})", length,
                                load32<kBig>(p + padded - 4)));
    }
    const Bytes body = window.subspan(8, padded - kBlockFrameBytes);
    if (type == kBlockPacket || type == kBlockPacketSimple || type == kBlockPacketOld) {
      Packet& packet = run.packets[run.count];
      if (!packet_block<kBig>(type, body, packet)) return Stop::broken;
      if (packet.timestamp.value > run.limit) {
        head_ = packet.timestamp;
        return Stop::limit;
      }
      packet.buffer = buffer;
      last_ = packet.timestamp;
      ++run.count;
    } else if (type == kBlockInterface) {
      if (!interface_description<kBig>(body)) return Stop::broken;
    }
    window = window.subspan(padded);
  }
  return Stop::full;
}

//      0                   8          12      14      16                       24
//     | type and length | byte order | major | minor | section length (unused) | options …
CaptureParser::Stop CaptureParser::section_header(Bytes& window) noexcept {
  if (window.size() < kSectionBytesMin) return need(kSectionBytesMin);
  const std::uint8_t* p = window.data();
  const bool is_big = load_be32(p + 8) == kByteOrderMagic;
  if (!is_big && load_le32(p + 8) != kByteOrderMagic) return broken("no pcapng byte-order magic");
  const std::uint32_t length = is_big ? load_be32(p + 4) : load_le32(p + 4);
  const std::uint16_t major = is_big ? load_be16(p + 12) : load_le16(p + 12);
  if (major != 1) return broken(fmt::format("pcapng of the unknown version {}", major));
  if (length < kSectionBytesMin || length > kCaptureRecordBytesMax || length % 4 != 0) {
    return broken(fmt::format("a section header of {} bytes", length));
  }
  if (window.size() < length) return need(length);
  const std::uint8_t* trailer = p + length - 4;
  if ((is_big ? load_be32(trailer) : load_le32(trailer)) != length) {
    return broken("a section header whose two lengths differ");
  }
  format_ = is_big ? Format::pcapng_be : Format::pcapng_le;
  interfaces_.clear();
  window = window.subspan(length);
  return need(0);
}

//      0           2          4            8
//     | link type | reserved | snap length | options …
template <bool kBig>
bool CaptureParser::interface_description(Bytes body) noexcept {
  if (body.size() < 8) return bad("an interface description that is too short");
  if (interfaces_.size() == kInterfacesMax) return bad("more than 65,536 interfaces");
  Interface interface;
  interface.link_type = load16<kBig>(body.data());
  interface.snap_bytes = load32<kBig>(body.data() + 4);
  std::uint8_t code = 6;  // microseconds
  std::int64_t offset_seconds = 0;
  for (Bytes options = body.subspan(8); options.size() >= 4;) {
    const std::uint16_t option = load16<kBig>(options.data());
    const std::size_t bytes = load16<kBig>(options.data() + 2);
    options = options.subspan(4);
    if (option == kOptionEnd || bytes > options.size()) break;
    if (option == kOptionResolution && bytes >= 1) code = options[0];
    if (option == kOptionOffset && bytes >= 8) {
      offset_seconds = static_cast<std::int64_t>(load64<kBig>(options.data()));
    }
    options = options.subspan(std::min(options.size(), (bytes + 3) & ~std::size_t{3}));
  }
  set_resolution(interface.resolution, code, offset_seconds);
  interfaces_.push_back(interface);
  return true;
}

//     packet       | interface (4)           | time high | time low | captured | original | frame …
//     packet (old) | interface (2) drops (2) | time high | time low | captured | original | frame …
//     simple                                                                   | original | frame …
template <bool kBig>
bool CaptureParser::packet_block(std::uint32_t type, Bytes body, Packet& packet) noexcept {
  const std::uint8_t* p = body.data();
  const bool is_simple = type == kBlockPacketSimple;
  const std::size_t header_bytes = is_simple ? 4 : 20;
  if (body.size() < header_bytes) return bad("a packet block that is too short");
  const std::uint32_t index =
      is_simple ? 0 : (type == kBlockPacket ? load32<kBig>(p) : load16<kBig>(p));
  if (index >= interfaces_.size()) {
    return bad(
        fmt::format("a packet of interface {}, where {} are described", index, interfaces_.size()));
  }
  const Interface& interface = interfaces_[index];
  const std::size_t frame_room = body.size() - header_bytes;
  std::uint32_t captured_bytes = 0;
  std::uint32_t wire_bytes = 0;
  if (is_simple) {
    wire_bytes = load32<kBig>(p);
    const std::uint32_t cut = interface.snap_bytes == 0 ? wire_bytes : interface.snap_bytes;
    captured_bytes =
        static_cast<std::uint32_t>(std::min<std::size_t>({wire_bytes, cut, frame_room}));
    packet.timestamp = last_;
  } else {
    captured_bytes = load32<kBig>(p + 12);
    wire_bytes = load32<kBig>(p + 16);
    if (captured_bytes > frame_room) {
      return bad(fmt::format("a packet of {} bytes in a block that has room for {}", captured_bytes,
                             frame_room));
    }
    const std::uint64_t units = std::uint64_t{load32<kBig>(p + 4)} << 32 | load32<kBig>(p + 8);
    const Resolution& resolution = interface.resolution;
    packet.timestamp = units < resolution.units_end
                           ? Timestamp{static_cast<std::int64_t>(units * resolution.multiplier)}
                           : timestamp_of(resolution, units);
  }
  packet.data = p + header_bytes;
  packet.captured_bytes = captured_bytes;
  packet.wire_bytes = std::max(wire_bytes, captured_bytes);
  packet.link_type = interface.link_type;
  return true;
}

void CaptureParser::set_resolution(Resolution& resolution, std::uint8_t code,
                                   std::int64_t offset) noexcept {
  const bool is_power_of_ten = (code & 0x80) == 0;
  resolution.code = code;
  resolution.offset_seconds = offset;
  resolution.multiplier = is_power_of_ten && code <= 9 ? power_of_ten(9 - code) : 0;
  const bool is_plain = resolution.multiplier != 0 && offset == 0;
  resolution.units_end =
      is_plain ? static_cast<std::uint64_t>(kTimestampFineMax) / resolution.multiplier + 1 : 0;
}

// if_tsresol: 10^-code, or 2^-(code & 0x7f) when the top bit is set.
Timestamp CaptureParser::timestamp_of(const Resolution& resolution, std::uint64_t units) noexcept {
  const unsigned exponent = resolution.code & 0x7f;
  std::uint64_t seconds = 0;
  std::uint64_t nanoseconds = 0;
  if ((resolution.code & 0x80) != 0) {
    if (exponent < 64) seconds = units >> exponent;
    const std::uint64_t fraction =
        exponent < 64 ? units & ((std::uint64_t{1} << exponent) - 1) : units;
    nanoseconds =
        static_cast<std::uint64_t>((static_cast<uint128>(fraction) * kSecond) >> exponent);
  } else if (exponent <= 19) {  // 10^19 is the last power in 64 bits
    const std::uint64_t units_per_second = power_of_ten(exponent);
    seconds = units / units_per_second;
    const std::uint64_t fraction = units % units_per_second;
    nanoseconds = exponent <= 9 ? fraction * power_of_ten(9 - exponent)
                                : fraction / power_of_ten(exponent - 9);
  } else if (exponent <= 28) {
    nanoseconds = units / power_of_ten(exponent - 9);
  }
  const int128 total = static_cast<int128>(seconds) + resolution.offset_seconds;
  const auto clamped = static_cast<std::int64_t>(
      std::clamp<int128>(total, -1, static_cast<int128>(kLastSecond) + 1));
  return make_timestamp(clamped, nanoseconds);
}

}  // namespace linger
