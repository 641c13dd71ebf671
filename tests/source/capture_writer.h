// Writes capture files into memory, in every variant that linger reads: for tests and the generator
// of pcaps/.
//
//   const ByteList file = PcapWriter({.is_nanoseconds = true}).packet(at_ns,
//   frame).packet(later_ns, cut, 1514).bytes();
//
//   PcapngWriter writer;                                  // little-endian, one section open
//   writer.interface({.link_type = 1});                   // interface 0
//   writer.packet(0, at_ns, frame).simple_packet(frame).block(0x0bad, body);
//   writer.section(ByteOrder::big);                       // interfaces start again from 0
//
//   const ByteList old = SnoopWriter().packet(at_ns, frame).bytes();
//
// Nothing is checked: what contradicts itself is written as it was asked for.
#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace linger::test {

using ByteList = std::vector<std::uint8_t>;

enum class ByteOrder : std::uint8_t { little, big };

// Appends integers to a list of bytes.
class FieldWriter {
 public:
  explicit FieldWriter(ByteOrder order = ByteOrder::little) : order_(order) {}

  void set_order(ByteOrder order) { order_ = order; }
  ByteOrder order() const { return order_; }
  const ByteList& bytes() const { return bytes_; }

  FieldWriter& u8(std::uint8_t value) { return put(value, 1); }
  FieldWriter& u16(std::uint16_t value) { return put(value, 2); }
  FieldWriter& u32(std::uint32_t value) { return put(value, 4); }
  FieldWriter& u64(std::uint64_t value) { return put(value, 8); }
  FieldWriter& raw(std::span<const std::uint8_t> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  FieldWriter& pad_to_4() {
    while (bytes_.size() % 4 != 0) bytes_.push_back(0);
    return *this;
  }

 private:
  FieldWriter& put(std::uint64_t value, int count) {
    for (int i = 0; i < count; ++i) {
      const int shift = 8 * (order_ == ByteOrder::little ? i : count - 1 - i);
      bytes_.push_back(static_cast<std::uint8_t>(value >> shift));
    }
    return *this;
  }

  ByteOrder order_;
  ByteList bytes_;
};

struct PcapFormat {
  ByteOrder order = ByteOrder::little;
  bool is_nanoseconds = false;
  bool is_modified = false;  // 24-byte packet headers, magic 0xa1b2cd34
  std::uint32_t snap_bytes = 262'144;
  std::uint32_t link_type = 1;
  std::uint16_t version_major = 2;
  std::uint16_t version_minor = 4;
};

class PcapWriter {
 public:
  explicit PcapWriter(const PcapFormat& format = {}) : format_(format), out_(format.order) {
    out_.u32(format.is_modified ? 0xa1b2cd34 : format.is_nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4);
    out_.u16(format.version_major).u16(format.version_minor);
    out_.u32(0).u32(0).u32(format.snap_bytes).u32(format.link_type);
  }

  // wire_bytes 0: as many as the frame has.
  PcapWriter& packet(std::uint64_t timestamp_ns, std::span<const std::uint8_t> frame,
                     std::uint32_t wire_bytes = 0) {
    const auto captured_bytes = static_cast<std::uint32_t>(frame.size());
    record(timestamp_ns, captured_bytes, wire_bytes == 0 ? captured_bytes : wire_bytes);
    out_.raw(frame);
    return *this;
  }
  // A packet header alone, with the lengths it shall claim.
  PcapWriter& record(std::uint64_t timestamp_ns, std::uint32_t captured_bytes,
                     std::uint32_t wire_bytes) {
    const std::uint64_t fraction = timestamp_ns % 1'000'000'000;
    out_.u32(static_cast<std::uint32_t>(timestamp_ns / 1'000'000'000));
    out_.u32(static_cast<std::uint32_t>(format_.is_nanoseconds ? fraction : fraction / 1'000));
    out_.u32(captured_bytes).u32(wire_bytes);
    if (format_.is_modified) out_.u32(2).u16(0x0800).u8(0).u8(0);  // interface, protocol, type
    return *this;
  }

  const ByteList& bytes() const { return out_.bytes(); }

 private:
  PcapFormat format_;
  FieldWriter out_;
};

struct PcapngInterface {
  std::uint16_t link_type = 1;
  std::uint32_t snap_bytes = 0;
  std::optional<std::uint8_t> resolution = {};  // if_tsresol; without: microseconds
  std::optional<std::int64_t> offset_seconds = {};
};

class PcapngWriter {
 public:
  explicit PcapngWriter(ByteOrder order = ByteOrder::little) { section(order); }

  PcapngWriter& section(ByteOrder order) {
    out_.set_order(order);
    interfaces_.clear();
    FieldWriter body(order);
    body.u32(0x1a2b3c4d).u16(1).u16(0).u64(UINT64_MAX);
    return block(0x0a0d0d0a, body.bytes());
  }
  PcapngWriter& interface(const PcapngInterface& interface = {}) {
    interfaces_.push_back(interface);
    FieldWriter body(out_.order());
    body.u16(interface.link_type).u16(0).u32(interface.snap_bytes);
    const std::string name = "tap";
    body.u16(2).u16(3).raw({reinterpret_cast<const std::uint8_t*>(name.data()), 3}).pad_to_4();
    if (interface.resolution) body.u16(9).u16(1).u8(*interface.resolution).pad_to_4();
    if (interface.offset_seconds) {
      body.u16(14).u16(8).u64(static_cast<std::uint64_t>(*interface.offset_seconds));
    }
    body.u16(0).u16(0);
    return block(1, body.bytes());
  }

  // The time is rounded down to the interface's resolution; wire_bytes 0: as many as the frame has.
  PcapngWriter& packet(std::uint32_t interface, std::uint64_t timestamp_ns,
                       std::span<const std::uint8_t> frame, std::uint32_t wire_bytes = 0) {
    return packet_units(interface, units_of(interface, timestamp_ns), frame, wire_bytes);
  }
  // The same with the raw 64-bit time.
  PcapngWriter& packet_units(std::uint32_t interface, std::uint64_t units,
                             std::span<const std::uint8_t> frame, std::uint32_t wire_bytes = 0) {
    FieldWriter body(out_.order());
    body.u32(interface);
    times_and_frame(body, units, frame, wire_bytes);
    constexpr std::uint32_t kFlagsInbound = 1;
    body.u16(2).u16(4).u32(kFlagsInbound).u16(0).u16(0);
    return block(6, body.bytes());
  }
  PcapngWriter& old_packet(std::uint16_t interface, std::uint64_t timestamp_ns,
                           std::span<const std::uint8_t> frame, std::uint32_t wire_bytes = 0) {
    FieldWriter body(out_.order());
    body.u16(interface).u16(0xffff);  // drops: unknown
    times_and_frame(body, units_of(interface, timestamp_ns), frame, wire_bytes);
    return block(2, body.bytes());
  }
  PcapngWriter& simple_packet(std::span<const std::uint8_t> frame, std::uint32_t wire_bytes = 0) {
    FieldWriter body(out_.order());
    body.u32(wire_bytes == 0 ? static_cast<std::uint32_t>(frame.size()) : wire_bytes);
    body.raw(frame).pad_to_4();
    return block(3, body.bytes());
  }
  // Any block; the body is padded.
  PcapngWriter& block(std::uint32_t type, std::span<const std::uint8_t> body) {
    const auto length = static_cast<std::uint32_t>(12 + (body.size() + 3) / 4 * 4);
    out_.u32(type).u32(length).raw(body).pad_to_4().u32(length);
    return *this;
  }

  const ByteList& bytes() const { return out_.bytes(); }

 private:
  static void times_and_frame(FieldWriter& body, std::uint64_t units,
                              std::span<const std::uint8_t> frame, std::uint32_t wire_bytes) {
    const auto captured_bytes = static_cast<std::uint32_t>(frame.size());
    body.u32(static_cast<std::uint32_t>(units >> 32)).u32(static_cast<std::uint32_t>(units));
    body.u32(captured_bytes).u32(wire_bytes == 0 ? captured_bytes : wire_bytes);
    body.raw(frame).pad_to_4();
  }

  std::uint64_t units_of(std::uint32_t interface, std::uint64_t timestamp_ns) const {
    const PcapngInterface description =
        interface < interfaces_.size() ? interfaces_[interface] : PcapngInterface {};
    const std::uint8_t code = description.resolution.value_or(6);
    const auto offset = static_cast<std::uint64_t>(description.offset_seconds.value_or(0));
    const std::uint64_t seconds = timestamp_ns / 1'000'000'000 - offset;
    const std::uint64_t fraction = timestamp_ns % 1'000'000'000;
    if ((code & 0x80) != 0) {
      const int bits = code & 0x7f;
      std::uint64_t units = 0;  // bit by bit, so that 64 bits are enough
      std::uint64_t rest = fraction;
      for (int i = 0; i < bits; ++i) {
        rest *= 2;
        units = units * 2 + (rest >= 1'000'000'000 ? 1 : 0);
        if (rest >= 1'000'000'000) rest -= 1'000'000'000;
      }
      return (seconds << bits) + units;
    }
    std::uint64_t per_second = 1;
    for (int i = 0; i < code; ++i) per_second *= 10;
    return seconds * per_second + (per_second <= 1'000'000'000
                                       ? fraction / (1'000'000'000 / per_second)
                                       : fraction * (per_second / 1'000'000'000));
  }

  FieldWriter out_;
  std::vector<PcapngInterface> interfaces_;
};

// RFC 1761.
class SnoopWriter {
 public:
  explicit SnoopWriter(std::uint32_t datalink = 4, std::uint32_t version = 2) {
    for (const char letter : {'s', 'n', 'o', 'o', 'p'}) out_.u8(static_cast<std::uint8_t>(letter));
    out_.u8(0).u8(0).u8(0).u32(version).u32(datalink);
  }

  // Padded to a multiple of 4, as the RFC has it; wire_bytes 0: as many as the frame has.
  SnoopWriter& packet(std::uint64_t timestamp_ns, std::span<const std::uint8_t> frame,
                      std::uint32_t wire_bytes = 0) {
    const auto captured_bytes = static_cast<std::uint32_t>(frame.size());
    record(timestamp_ns, captured_bytes, wire_bytes == 0 ? captured_bytes : wire_bytes,
           24 + (captured_bytes + 3) / 4 * 4);
    out_.raw(frame).pad_to_4();
    return *this;
  }
  // A packet header alone, with the lengths it shall claim.
  SnoopWriter& record(std::uint64_t timestamp_ns, std::uint32_t captured_bytes,
                      std::uint32_t wire_bytes, std::uint32_t record_bytes) {
    constexpr std::uint32_t kDrops = 7;
    out_.u32(wire_bytes).u32(captured_bytes).u32(record_bytes).u32(kDrops);
    out_.u32(static_cast<std::uint32_t>(timestamp_ns / 1'000'000'000));
    out_.u32(static_cast<std::uint32_t>(timestamp_ns % 1'000'000'000 / 1'000));
    return *this;
  }

  const ByteList& bytes() const { return out_.bytes(); }

 private:
  FieldWriter out_{ByteOrder::big};
};

inline void write_file(const std::string& path, std::span<const std::uint8_t> bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

}  // namespace linger::test
