// Every capture format through parser, reader and decompressor, from memory.
#include "engine/source/capture_parser.h"

#include <gtest/gtest.h>

#include "tests/source/capture_writer.h"
#include "tests/source/source_test_support.h"

namespace linger::test {
namespace {

constexpr std::uint64_t kFractionNs = 123'456'789;

SeenPacket expected_packet(std::uint64_t timestamp_ns, const ByteList& bytes,
                           std::uint32_t wire_bytes = 0) {
  SeenPacket packet;
  packet.timestamp = {static_cast<std::int64_t>(timestamp_ns)};
  packet.bytes = bytes;
  packet.wire_bytes = wire_bytes == 0 ? static_cast<std::uint32_t>(bytes.size()) : wire_bytes;
  packet.link_type = 1;
  return packet;
}

struct Variant {
  const char* name;
  PcapFormat format;
};
const Variant kPcapVariants[] = {
    {"microseconds", {}},
    {"microseconds_big", {.order = ByteOrder::big}},
    {"nanoseconds", {.is_nanoseconds = true}},
    {"nanoseconds_big", {.order = ByteOrder::big, .is_nanoseconds = true}},
    {"modified", {.is_modified = true}},
    {"modified_big", {.order = ByteOrder::big, .is_modified = true}},
};

TEST(Pcap, every_variant_is_read) {
  for (const Variant& variant : kPcapVariants) {
    SCOPED_TRACE(variant.name);
    const std::uint64_t tick = variant.format.is_nanoseconds ? 1 : 1'000;
    const std::uint64_t first = kStartNs + kFractionNs / tick * tick;
    PcapWriter writer(variant.format);
    writer.packet(first, frame_of(1)).packet(first + tick, frame_of(2, 64), 1514);
    writer.packet(first, {});
    const ReadCapture read = read_capture(writer.bytes());
    const SeenPackets expected = {expected_packet(first, frame_of(1)),
                                  expected_packet(first + tick, frame_of(2, 64), 1514),
                                  expected_packet(first, {})};
    EXPECT_EQ(read.packets, expected);
    EXPECT_EQ(read.trouble, "");
  }
}

TEST(Pcap, the_last_second_of_the_format_is_read) {
  const std::uint64_t last = 4'294'967'295ULL * 1'000'000'000 + 999'999'999;
  const auto read = read_capture(PcapWriter({.is_nanoseconds = true}).packet(last, {}).bytes());
  ASSERT_EQ(read.packets.size(), 1U);
  EXPECT_EQ(read.packets[0].timestamp, make_timestamp(4'294'967'295, 999'999'999));
}

TEST(Pcap, a_packet_longer_than_it_was_counts_what_was_captured) {
  PcapWriter writer;
  writer.record(kStartNs, 4, 0);
  const auto read = read_capture(joined(writer.bytes(), {1, 2, 3, 4}));
  ASSERT_EQ(read.packets.size(), 1U);
  EXPECT_EQ(read.packets[0].wire_bytes, 4U);
}

TEST(Pcap, old_files_with_swapped_lengths_are_read) {
  PcapWriter writer({.version_minor = 2});
  writer.record(kStartNs, 1514, 4);
  const auto read = read_capture(joined(writer.bytes(), {1, 2, 3, 4}));
  ASSERT_EQ(read.packets.size(), 1U);
  EXPECT_EQ(read.packets[0].bytes, (ByteList{1, 2, 3, 4}));
  EXPECT_EQ(read.packets[0].wire_bytes, 1514U);
}

TEST(Pcap, the_checksum_bits_of_the_link_type_are_left_out) {
  PcapWriter writer({.link_type = 0x5400'0071});
  const auto read = read_capture(writer.packet(kStartNs, {}).bytes());
  ASSERT_EQ(read.packets.size(), 1U);
  EXPECT_EQ(read.packets[0].link_type, 0x71);
}

TEST(Pcap, every_prefix_gives_the_whole_packets_in_it) {
  for (const Variant& variant : kPcapVariants) {
    SCOPED_TRACE(variant.name);
    PcapWriter writer(variant.format);
    std::vector<std::size_t> ends = {writer.bytes().size()};
    for (std::uint8_t i = 0; i < 5; ++i) {
      writer.packet(kStartNs + i * 1'000, frame_of(i, 40U + i));
      ends.push_back(writer.bytes().size());
    }
    const SeenPackets all = read_capture(writer.bytes()).packets;
    for (std::size_t bytes = 0; bytes <= writer.bytes().size(); ++bytes) {
      const auto read = read_capture(std::span(writer.bytes()).first(bytes));
      const auto whole = static_cast<std::size_t>(
          std::upper_bound(ends.begin(), ends.end(), bytes) - ends.begin());
      EXPECT_EQ(read.is_capture, whole > 0);
      EXPECT_EQ(read.packets.size(), whole == 0 ? 0 : whole - 1);
      EXPECT_TRUE(std::equal(read.packets.begin(), read.packets.end(), all.begin()));
      const bool is_cut = whole == 0 || ends[whole - 1] != bytes;
      EXPECT_EQ(read.trouble.empty(), !is_cut);
    }
  }
}

TEST(Pcap, a_packet_of_impossible_length_breaks_the_file_there) {
  for (const std::uint32_t claimed : {262'145U, 0x7fff'ffffU, 0xffff'ffffU}) {
    PcapWriter writer;
    writer.packet(kStartNs, frame_of(1)).record(kStartNs, claimed, claimed);
    const auto read = read_capture(joined(writer.bytes(), ByteList(500'000)));
    EXPECT_EQ(read.packets.size(), 1U);
    EXPECT_EQ(read.trouble, "breaks off at byte 100: a packet of " + std::to_string(claimed) +
                                " bytes, where 262144 is the most");
  }
}

TEST(Pcap, a_large_snap_length_allows_large_packets) {
  PcapWriter writer({.snap_bytes = 1'000'000});
  writer.packet(kStartNs, frame_of(7, 999'999)).packet(kStartNs, frame_of(8));
  const auto read = read_capture(writer.bytes());
  ASSERT_EQ(read.packets.size(), 2U);
  EXPECT_EQ(read.packets[0].bytes, frame_of(7, 999'999));
  EXPECT_EQ(read.packets[1].bytes, frame_of(8));
}

TEST(Pcap, a_frame_may_be_longer_than_the_snap_length_says) {
  PcapWriter writer({.snap_bytes = 64});
  writer.packet(kStartNs, frame_of(7, 65'000));
  EXPECT_EQ(read_capture(writer.bytes()).packets.size(), 1U);
}

TEST(Pcap, a_cut_packet_names_the_place_and_what_is_missing) {
  ByteList file = PcapWriter().packet(kStartNs, frame_of(1)).packet(kStartNs, frame_of(2)).bytes();
  file.resize(file.size() - 10);
  EXPECT_EQ(read_capture(file).trouble,
            "breaks off at byte 100: only 66 of the next 76 bytes are there");
}

TEST(Snoop, packets_are_read_without_their_padding) {
  SnoopWriter writer;
  writer.packet(kStartNs, frame_of(1)).packet(kStartNs + 1'000, frame_of(2, 61), 1514);
  writer.packet(kStartNs, {});
  const SeenPackets expected = {expected_packet(kStartNs, frame_of(1)),
                                expected_packet(kStartNs + 1'000, frame_of(2, 61), 1514),
                                expected_packet(kStartNs, {})};
  for (const ByteList& file : {writer.bytes(), gzip(writer.bytes())}) {
    const auto read = read_capture(file);
    EXPECT_EQ(read.packets, expected);
    EXPECT_EQ(read.trouble, "");
  }
}

TEST(Snoop, datalinks_become_link_types) {
  for (const auto& [datalink, link_type] :
       {std::pair{0U, 1U}, {2U, 6U}, {4U, 1U}, {8U, 10U}, {9U, 0xffffU}}) {
    const auto read = read_capture(SnoopWriter(datalink).packet(kStartNs, frame_of(1)).bytes());
    ASSERT_EQ(read.packets.size(), 1U);
    EXPECT_EQ(read.packets[0].link_type, link_type);
  }
}

TEST(Snoop, every_prefix_gives_the_whole_packets_in_it) {
  SnoopWriter writer;
  std::vector<std::size_t> ends = {writer.bytes().size()};
  for (std::uint8_t i = 0; i < 5; ++i) {
    writer.packet(kStartNs + i * 1'000, frame_of(i, 40U + i));
    ends.push_back(writer.bytes().size());
  }
  const SeenPackets all = read_capture(writer.bytes()).packets;
  ASSERT_EQ(all.size(), 5U);
  for (std::size_t bytes = 0; bytes <= writer.bytes().size(); ++bytes) {
    const auto read = read_capture(std::span(writer.bytes()).first(bytes));
    const auto whole =
        static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), bytes) - ends.begin());
    EXPECT_EQ(read.is_capture, whole > 0);
    EXPECT_EQ(read.packets.size(), whole == 0 ? 0 : whole - 1);
    EXPECT_TRUE(std::equal(read.packets.begin(), read.packets.end(), all.begin()));
    const bool is_cut = whole == 0 || ends[whole - 1] != bytes;
    EXPECT_EQ(read.trouble.empty(), !is_cut);
  }
}

TEST(Snoop, lengths_that_contradict_each_other_break_the_file_there) {
  for (const auto& [captured, record] : {std::pair{41U, 64U}, {0U, 23U}, {0U, 0x7fff'ffffU}}) {
    SnoopWriter writer;
    writer.packet(kStartNs, frame_of(1, 40)).record(kStartNs, captured, 60, record);
    const auto read = read_capture(joined(writer.bytes(), ByteList(500)));
    EXPECT_EQ(read.packets.size(), 1U);
    EXPECT_EQ(read.trouble, "breaks off at byte 80: a packet of " + std::to_string(captured) +
                                " bytes in a record of " + std::to_string(record));
  }
}

TEST(Foreign, files_are_named_for_what_they_are) {
  const auto reason_of = [](const std::string& text) {
    const ByteList bytes(text.begin(), text.end());
    const auto read = read_capture(bytes);
    EXPECT_FALSE(read.is_capture);
    return read.trouble;
  };
  EXPECT_EQ(reason_of(""), "empty, without even a capture header");
  EXPECT_EQ(reason_of("abc"), "cut off within its header");
  EXPECT_EQ(reason_of("hello, world"),
            "not a capture file (pcap, pcapng and snoop are read, plain or compressed with gzip or "
            "zstd)");
  EXPECT_EQ(reason_of("snoop"), "cut off within its header");
  EXPECT_EQ(reason_of("snooping is no capture").find("not a capture file"), 0U);
  EXPECT_EQ(reason_of("\xfd"
                      "7zXZ"),
            "xz-compressed; decompress it first");
  const auto odd = read_capture(PcapWriter({.version_major = 3}).bytes());
  EXPECT_EQ(odd.trouble, "pcap of the unknown version 3.4");
  const auto shomiti = read_capture(SnoopWriter(4, 3).bytes());
  EXPECT_FALSE(shomiti.is_capture);
  EXPECT_EQ(shomiti.trouble, "snoop of the unknown version 3");
}

TEST(Pcapng, every_block_that_holds_a_packet_is_read_in_both_byte_orders) {
  for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
    PcapngWriter writer(order);
    writer.interface().interface({.link_type = 101, .snap_bytes = 96});
    writer.packet(0, kStartNs, frame_of(1)).packet(1, kStartNs + 5'000, frame_of(2, 33), 1514);
    writer.block(0x0bad, frame_of(9, 7)).old_packet(1, kStartNs + 7'000, frame_of(3, 34));
    writer.simple_packet(frame_of(4, 35));
    const auto read = read_capture(writer.bytes());
    SeenPackets expected = {expected_packet(kStartNs, frame_of(1)),
                            expected_packet(kStartNs + 5'000, frame_of(2, 33), 1514),
                            expected_packet(kStartNs + 7'000, frame_of(3, 34)),
                            expected_packet(kStartNs + 7'000, frame_of(4, 35))};
    expected[1].link_type = expected[2].link_type = 101;
    EXPECT_EQ(read.packets, expected);
    EXPECT_EQ(read.trouble, "");
  }
}

TEST(Pcapng, a_simple_packet_is_cut_at_the_snap_length) {
  PcapngWriter writer;
  writer.interface({.snap_bytes = 18}).simple_packet(frame_of(1, 20), 1514);
  const auto read = read_capture(writer.bytes());
  ASSERT_EQ(read.packets.size(), 1U);
  EXPECT_EQ(read.packets[0].bytes, frame_of(1, 18));  // two more pad it
  EXPECT_EQ(read.packets[0].wire_bytes, 1514U);
}

TEST(Pcapng, sections_of_different_byte_order_start_over_with_their_interfaces) {
  PcapngWriter writer(ByteOrder::big);
  writer.interface({.link_type = 113}).packet(0, kStartNs, frame_of(1));
  writer.section(ByteOrder::little)
      .interface({.resolution = 9})
      .packet(0, kStartNs + 1, frame_of(2));
  writer.section(ByteOrder::big).interface().packet(0, kStartNs + 2'000, frame_of(3));
  const auto read = read_capture(writer.bytes());
  SeenPackets expected = {expected_packet(kStartNs, frame_of(1)),
                          expected_packet(kStartNs + 1, frame_of(2)),
                          expected_packet(kStartNs + 2'000, frame_of(3))};
  expected[0].link_type = 113;
  EXPECT_EQ(read.packets, expected);

  writer.section(ByteOrder::little).packet(0, kStartNs, frame_of(4));
  EXPECT_EQ(read_capture(writer.bytes()).packets.size(), 3U);
}

Timestamp time_of(const PcapngInterface& interface, std::uint64_t units) {
  PcapngWriter writer;
  writer.interface(interface).packet_units(0, units, frame_of(1));
  const auto read = read_capture(writer.bytes());
  EXPECT_EQ(read.packets.size(), 1U);
  return read.packets.empty() ? Timestamp{-1} : read.packets[0].timestamp;
}

TEST(Pcapng, every_decimal_resolution_tells_the_time) {
  std::uint64_t per_second = 1;
  for (std::uint8_t code = 0; code <= 10; ++code, per_second *= 10) {
    const Timestamp expected =
        code == 0 ? make_timestamp(1'704'067'201, 0) : make_timestamp(1'704'067'200, 500'000'000);
    const std::uint64_t units =
        code == 0 ? 1'704'067'201 : 1'704'067'200 * per_second + per_second / 2;
    EXPECT_EQ(time_of({.resolution = code}, units), expected) << int{code};
  }
  EXPECT_EQ(time_of({.resolution = 19}, 15'000'000'000'000'000'000U),
            make_timestamp(1, 500'000'000));
  EXPECT_EQ(time_of({.resolution = 20}, 15'000'000'000'000'000'000U),
            make_timestamp(0, 150'000'000));
  EXPECT_EQ(time_of({.resolution = 28}, 15'000'000'000'000'000'000U), make_timestamp(0, 1));
  EXPECT_EQ(time_of({.resolution = 127}, UINT64_MAX), make_timestamp(0, 0));
}

TEST(Pcapng, binary_resolutions_tell_the_time) {
  EXPECT_EQ(time_of({.resolution = 0x80}, 1'704'067'200), make_timestamp(1'704'067'200, 0));
  EXPECT_EQ(time_of({.resolution = 0x80 | 10}, 1'704'067'200 * 1024ULL + 512),
            make_timestamp(1'704'067'200, 500'000'000));
  EXPECT_EQ(time_of({.resolution = 0x80 | 32}, (1'704'067'200ULL << 32) + (1ULL << 30)),
            make_timestamp(1'704'067'200, 250'000'000));
  EXPECT_EQ(time_of({.resolution = 0x80 | 63}, 3ULL << 62), make_timestamp(1, 500'000'000));
  EXPECT_EQ(time_of({.resolution = 0x80 | 64}, 1ULL << 63), make_timestamp(0, 500'000'000));
  EXPECT_EQ(time_of({.resolution = 0xff}, UINT64_MAX), make_timestamp(0, 0));
}

TEST(Pcapng, the_interface_offset_is_added) {
  EXPECT_EQ(time_of({.resolution = 6, .offset_seconds = 1'704'067'200}, 1'500'000),
            make_timestamp(1'704'067'201, 500'000'000));
  EXPECT_EQ(time_of({.offset_seconds = 1'704'067'200}, 0), make_timestamp(1'704'067'200, 0));
  EXPECT_EQ(time_of({.offset_seconds = -3'600}, 7'200'000'000), make_timestamp(3'600, 0));
  EXPECT_EQ(time_of({.offset_seconds = INT64_MIN}, 5), Timestamp{0});
  EXPECT_EQ(time_of({.offset_seconds = INT64_MAX}, 5), make_timestamp(kLastSecond + 1, 0));
}

TEST(Pcapng, times_beyond_nanoseconds_in_64_bits_are_kept) {
  const std::uint64_t year_9000 = 221'845'392'000;
  EXPECT_EQ(time_of({}, year_9000 * 1'000'000 + 1),
            make_timestamp(std::int64_t{221'845'392'000}, 1'000));
  EXPECT_EQ(time_of({}, UINT64_MAX), make_timestamp(kLastSecond + 1, 0));
  EXPECT_EQ(time_of({.resolution = 0}, UINT64_MAX), make_timestamp(kLastSecond + 1, 0));
  EXPECT_EQ(time_of({.resolution = 9}, UINT64_MAX), make_timestamp(18'446'744'073, 709'551'615));
}

TEST(Pcapng, every_prefix_gives_the_whole_packets_in_it) {
  for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
    PcapngWriter writer(order);
    std::vector<std::size_t> ends;
    std::vector<std::size_t> block_ends = {writer.bytes().size()};
    writer.interface();
    block_ends.push_back(writer.bytes().size());
    for (std::uint8_t i = 0; i < 4; ++i) {
      writer.packet(0, kStartNs + i * 1'000, frame_of(i, 40U + i));
      ends.push_back(writer.bytes().size());
      block_ends.push_back(writer.bytes().size());
    }
    for (std::size_t bytes = 0; bytes <= writer.bytes().size(); ++bytes) {
      const auto read = read_capture(std::span(writer.bytes()).first(bytes));
      const auto whole = std::upper_bound(ends.begin(), ends.end(), bytes) - ends.begin();
      EXPECT_EQ(read.packets.size(), static_cast<std::size_t>(whole));
      EXPECT_EQ(read.is_capture, bytes >= block_ends[0]);
      EXPECT_EQ(read.trouble.empty(),
                std::find(block_ends.begin(), block_ends.end(), bytes) != block_ends.end());
    }
  }
}

TEST(Pcapng, contradictions_break_the_file_at_their_place) {
  const auto trouble_of = [](const PcapngWriter& writer, std::size_t place, std::uint32_t value) {
    ByteList file = writer.bytes();
    for (int i = 0; i < 4; ++i) file[place + i] = static_cast<std::uint8_t>(value >> 8 * i);
    return read_capture(file).trouble;
  };
  PcapngWriter writer;
  writer.interface();
  const std::size_t packet_at = writer.bytes().size();
  writer.packet(0, kStartNs, frame_of(1));
  const std::string place = "breaks off at byte " + std::to_string(packet_at) + ": ";
  EXPECT_EQ(trouble_of(writer, packet_at + 4, 8), place + "a block of 8 bytes");
  EXPECT_EQ(trouble_of(writer, packet_at + 4, 0xffff'fff0), place + "a block of 4294967280 bytes");
  EXPECT_EQ(trouble_of(writer, packet_at + 8, 5),
            place + "a packet of interface 5, where 1 are described");
  EXPECT_EQ(trouble_of(writer, packet_at + 20, 0xffff'ffff),
            place + "a packet of 4294967295 bytes in a block that has room for 72");
  EXPECT_EQ(trouble_of(writer, writer.bytes().size() - 4, 4),
            place + "a block whose two lengths differ (104 and 4)");
  EXPECT_EQ(trouble_of(writer, 8, 0), "no pcapng byte-order magic");
  EXPECT_EQ(trouble_of(writer, 12, 2), "pcapng of the unknown version 2");
}

TEST(Pcapng, blocks_too_short_for_what_they_say_they_are_break_the_file) {
  for (const std::uint32_t type : {1U, 2U, 3U, 6U}) {
    PcapngWriter writer;
    writer.interface().block(type, {});
    EXPECT_NE(read_capture(writer.bytes()).trouble, "") << type;
  }
}

// The same packets whatever the sizes of blocks and reads.
TEST(CaptureReader, gives_the_same_packets_for_any_block_and_read_size) {
  PcapWriter pcap;
  PcapngWriter pcapng(ByteOrder::big);
  pcapng.interface({.resolution = 9});
  for (std::uint32_t i = 0; i < 100; ++i) {
    const ByteList frame = frame_of(static_cast<std::uint8_t>(i), i * 37 % 1500);
    pcap.packet(kStartNs + i * 1'000, frame);
    pcapng.packet(0, kStartNs + i, frame);
  }
  for (const ByteList& file :
       {pcap.bytes(), pcapng.bytes(), gzip(pcap.bytes()), zstd(pcapng.bytes())}) {
    const SeenPackets expected = read_capture(file).packets;
    ASSERT_EQ(expected.size(), 100U);
    for (const std::size_t block_bytes : {64, 100, 1'000, 4'096, 65'536}) {
      for (const std::size_t piece_bytes : {1, 7, 64, 5'000, 1'000'000}) {
        EXPECT_EQ(read_capture(file, {block_bytes, piece_bytes}).packets, expected)
            << block_bytes << ' ' << piece_bytes;
      }
    }
  }
}

TEST(CaptureReader, reads_gzip_and_zstd_also_in_several_members) {
  PcapWriter writer;
  for (std::uint8_t i = 0; i < 200; ++i) writer.packet(kStartNs + i, frame_of(i));
  const ByteList& file = writer.bytes();
  const SeenPackets expected = read_capture(file).packets;
  const ByteList first(file.begin(), file.begin() + 3'333);
  const ByteList second(file.begin() + 3'333, file.end());
  const ByteList skippable = {0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9};
  const ByteList variants[] = {
      gzip(file),
      joined(gzip(first), gzip(second)),
      joined(gzip(file), ByteList(512)),  // zero padding
      zstd(file),
      joined(zstd(first), zstd(second)),
      joined(skippable, zstd(file)),
  };
  for (const ByteList& compressed : variants) {
    for (const std::size_t piece_bytes : {1, 100, 1'000'000}) {
      const auto read = read_capture(compressed, {4'096, piece_bytes});
      EXPECT_EQ(read.packets, expected);
      EXPECT_EQ(read.trouble, "");
    }
  }
}

TEST(CaptureReader, gives_what_a_cut_or_damaged_compressed_file_still_holds) {
  PcapWriter writer;
  std::uint32_t state = 1;
  for (std::uint8_t i = 0; i < 100; ++i) {
    ByteList frame(60);
    for (auto& byte : frame)
      byte = static_cast<std::uint8_t>((state = state * 1'664'525 + 1) >> 24);
    writer.packet(kStartNs + i, frame);
  }
  const SeenPackets all = read_capture(writer.bytes()).packets;
  for (const ByteList& compressed : {gzip(writer.bytes()), zstd(writer.bytes())}) {
    for (std::size_t bytes = 0; bytes < compressed.size(); bytes += 61) {
      const auto read = read_capture(std::span(compressed).first(bytes), {.block_bytes = 512});
      EXPECT_FALSE(read.trouble.empty());
      ASSERT_LE(read.packets.size(), all.size());
      EXPECT_TRUE(std::equal(read.packets.begin(), read.packets.end(), all.begin()));
    }
  }
  ByteList half = gzip(writer.bytes());
  half.resize(half.size() / 2);
  const auto cut = read_capture(half);
  EXPECT_GT(cut.packets.size(), 30U);
  EXPECT_NE(cut.trouble.find("of the decompressed data: the compressed data breaks off"),
            std::string::npos)
      << cut.trouble;

  const auto garbage = read_capture(joined(gzip(writer.bytes()), frame_of(1)));
  EXPECT_EQ(garbage.packets.size(), 100U);
  EXPECT_NE(garbage.trouble.find("incorrect header check"), std::string::npos) << garbage.trouble;
}

}  // namespace
}  // namespace linger::test
