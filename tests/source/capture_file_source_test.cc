#include "engine/source/capture_file_source.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/source/source_test_support.h"

namespace linger::test {
namespace {

constexpr std::uint64_t kMillisecondNs = 1'000'000;

// Packets at the given milliseconds; each frame starts with `mark`, then its index.
ByteList capture_at(std::uint8_t mark, const std::vector<std::uint64_t>& milliseconds) {
  PcapWriter writer;
  std::uint8_t index = 0;
  for (const std::uint64_t at : milliseconds) {
    writer.packet(kStartNs + at * kMillisecondNs, ByteList{mark, index++});
  }
  return writer.bytes();
}

std::string marks(const SeenPackets& packets) {
  std::string text;
  for (const SeenPacket& packet : packets) text += static_cast<char>(packet.bytes[0]);
  return text;
}

std::string marks_of(const std::vector<std::string>& paths) {
  auto source = open_capture(paths);
  EXPECT_TRUE(source) << source.error();
  const SeenPackets packets = read_all(**source);
  EXPECT_EQ((*source)->trouble(), "");
  return marks(packets);
}

std::string error_of(const std::vector<std::string>& paths) {
  const auto source = open_capture(paths);
  return source ? "no error" : source.error();
}

TEST(CaptureFileSource, stamps_clock_and_progress) {
  const CaptureFolder folder;
  const ByteList bytes = capture_at('a', {0, 5, 3, 10});
  auto source = open_capture({folder.file("x.pcap", bytes)});
  ASSERT_TRUE(source);
  EXPECT_EQ((*source)->bytes_total(), bytes.size());
  const SeenPackets packets = read_all(**source);
  ASSERT_EQ(packets.size(), 4U);
  const auto start = static_cast<ClockNs>(kStartNs);
  EXPECT_EQ(packets[1].clock, start + 5 * kMillisecond);
  EXPECT_EQ(packets[2].clock, start + 5 * kMillisecond);
  EXPECT_EQ(packets[2].timestamp.value, start + 3 * kMillisecond);
  EXPECT_EQ(packets[3].clock, start + 10 * kMillisecond);
  EXPECT_EQ((*source)->bytes_done(), bytes.size());
}

TEST(CaptureFileSource, an_empty_capture_gives_no_packets_and_no_trouble) {
  const CaptureFolder folder;
  EXPECT_EQ(marks_of({folder.file("empty.pcap", PcapWriter().bytes())}), "");
  EXPECT_EQ(marks_of({folder.file("empty.pcapng", PcapngWriter().bytes())}), "");
  EXPECT_EQ(marks_of({folder.file("empty.snoop", SnoopWriter().bytes())}), "");
}

TEST(CaptureFileSource, files_one_after_another_are_read_in_time_order) {
  const CaptureFolder folder;
  const auto late = folder.file("1", capture_at('c', {20, 21}));
  const auto early = folder.file("2", capture_at('a', {0, 1}));
  const auto middle = folder.file("3", gzip(capture_at('b', {10, 11})));
  EXPECT_EQ(marks_of({late, early, middle}), "aabbcc");
}

TEST(CaptureFileSource, files_that_overlap_are_merged_by_time) {
  const CaptureFolder folder;
  const auto a = folder.file("a", capture_at('a', {0, 2, 4, 20, 30}));
  const auto b = folder.file("b", capture_at('b', {1, 3, 5, 25}));
  const auto c = folder.file("c", zstd(capture_at('c', {22, 40})));
  EXPECT_EQ(marks_of({c, b, a}), "abababacbac");
}

TEST(CaptureFileSource, packets_of_equal_time_come_as_the_files_were_given) {
  const CaptureFolder folder;
  const auto a = folder.file("a", capture_at('a', {0, 1, 1, 2}));
  const auto b = folder.file("b", capture_at('b', {0, 1, 1, 2}));
  EXPECT_EQ(marks_of({a, b}), "abaabbab");
  EXPECT_EQ(marks_of({b, a}), "babbaaba");
}

TEST(CaptureFileSource, a_file_whose_time_goes_back_keeps_its_order) {
  const CaptureFolder folder;
  const auto a = folder.file("a", capture_at('a', {10, 5, 0, 30}));
  const auto b = folder.file("b", capture_at('b', {8, 20}));
  auto source = open_capture({a, b});
  ASSERT_TRUE(source);
  const SeenPackets packets = read_all(**source);
  EXPECT_EQ(marks(packets), "baaaba");
  EXPECT_EQ(packets[1].bytes[1], 0);
  EXPECT_EQ(packets[2].bytes[1], 1);
  EXPECT_EQ(packets[3].bytes[1], 2);
}

TEST(CaptureFileSource, hundreds_of_overlapping_files_are_merged) {
  const CaptureFolder folder;
  constexpr std::uint64_t kFiles = 200;
  for (std::uint64_t i = 0; i < kFiles; ++i) {
    folder.file(std::to_string(i) + ".pcap", capture_at('x', {i, 1'000 + i, 2'000 + i}));
  }
  auto source = open_capture({folder.path()});
  ASSERT_TRUE(source);
  const SeenPackets packets = read_all(**source);
  EXPECT_EQ(packets.size(), 3 * kFiles);
  EXPECT_TRUE(std::is_sorted(packets.begin(), packets.end(), [](const auto& x, const auto& y) {
    return x.timestamp < y.timestamp;
  }));
  EXPECT_EQ((*source)->trouble(), "");
}

TEST(CaptureFileSource, more_overlapping_files_than_can_be_open_are_all_read_and_it_says_so) {
  const CaptureFolder folder;
  constexpr std::uint64_t kFiles = CaptureFileSource::kOpenFilesMax + 20;
  for (std::uint64_t i = 0; i < kFiles; ++i) {
    folder.file(std::to_string(1000 + i), capture_at('x', {i, 1'000 + i}));
  }
  auto source = open_capture({folder.path()});
  ASSERT_TRUE(source);
  EXPECT_EQ(read_all(**source).size(), 2 * kFiles);
  EXPECT_NE((*source)->trouble().find("overlaps in time with 256 other files"), std::string::npos);
}

TEST(CaptureFileSource, a_directory_is_read_in_time_order_and_foreign_files_are_noted) {
  const CaptureFolder folder;
  folder.file("z.pcap", capture_at('a', {0, 1}));
  folder.file("a.cap", capture_at('b', {10}));
  folder.file(".hidden.pcap", capture_at('h', {5}));
  folder.file("README", ByteList{'h', 'e', 'l', 'l', 'o'});
  folder.file("just-created.pcap", {});
  for (const char* name : {"b.pcap.xz", "c.pcap.xz", "d.pcap.xz"})
    folder.file(name, ByteList{0xfd, '7', 'z', 'X', 'Z', 0});
  std::filesystem::create_directory(folder.file("below"));
  folder.file("below/x.pcap", capture_at('s', {5}));
  auto source = open_capture({folder.path()});
  ASSERT_TRUE(source) << source.error();
  EXPECT_EQ(marks(read_all(**source)), "aab");
  EXPECT_EQ((*source)->trouble(), "");
  EXPECT_EQ((*source)->notes(),
            folder.file("below") + " is passed over: a directory (name it to read it).\n" +
                folder.file("just-created.pcap") +
                " is passed over: empty, without even a capture header.\n" + folder.file("README") +
                " is passed over: not a capture file (pcap, pcapng and snoop are read, plain or "
                "compressed with gzip or zstd).\n" +
                folder.file("b.pcap.xz") +
                " is passed over: xz-compressed; decompress it first; so are 2 others.");
}

TEST(CaptureFileSource, a_file_of_a_directory_that_breaks_off_within_its_header_is_trouble) {
  const CaptureFolder folder;
  folder.file("a.pcap", capture_at('a', {0, 1}));
  ByteList cut = capture_at('b', {10});
  cut.resize(20);
  const std::string path = folder.file("b.pcap", cut);
  auto source = open_capture({folder.path()});
  ASSERT_TRUE(source) << source.error();
  EXPECT_EQ(marks(read_all(**source)), "aa");
  EXPECT_EQ((*source)->trouble(), path + ": cut off within its header.");
}

TEST(CaptureFileSource, a_file_is_read_once_by_whatever_names_it_has) {
  const CaptureFolder folder;
  const std::string path = folder.file("a.pcap", capture_at('a', {0, 1}));
  std::filesystem::create_symlink(path, folder.file("latest.pcap"));
  EXPECT_EQ(marks_of({folder.path()}), "aa");
  EXPECT_EQ(marks_of({path, folder.path()}), "aa");
  auto source = open_capture({path, path});
  ASSERT_TRUE(source);
  EXPECT_EQ((*source)->notes(), path + " is passed over: a file that is read already.");
  const CaptureFolder foreign;
  const std::string text = foreign.file("text", ByteList(100, 'x'));
  std::filesystem::create_symlink(text, foreign.file("link"));
  EXPECT_EQ(error_of({foreign.path()}),
            foreign.path() + ": holds no capture files: " + foreign.file("link") +
                " is passed over: not a capture file (pcap, pcapng and snoop are read, plain or "
                "compressed with gzip or zstd); so is one other.");
}

TEST(CaptureFileSource, what_cannot_be_opened_is_named_with_the_reason) {
  const CaptureFolder folder;
  const std::string missing = folder.file("missing.pcap");
  EXPECT_EQ(error_of({missing}), missing + ": No such file or directory");
  const std::string foreign = folder.file("text", ByteList(100, 'x'));
  EXPECT_EQ(error_of({foreign}).find(foreign + ": not a capture file"), 0U);
  const std::string empty = folder.file("nothing", {});
  EXPECT_EQ(error_of({empty}), empty + ": empty, without even a capture header");
  ByteList cut = zstd(capture_at('a', {0, 1, 2}));
  cut.resize(cut.size() - 9);
  const std::string compressed = folder.file("cut", cut);
  EXPECT_EQ(error_of({compressed}), compressed + ": the compressed data breaks off");
  const auto source = open_capture({folder.path()});  // where no file is an error, it is told
  ASSERT_TRUE(source);
  EXPECT_EQ((*source)->trouble(), compressed + ": the compressed data breaks off.");
  std::filesystem::create_directory(folder.file("none"));
  EXPECT_EQ(error_of({folder.file("none")}), folder.file("none") + ": holds no capture files");
  EXPECT_EQ(error_of({"-", "-"}), "standard input: is named twice");
}

TEST(CaptureFileSource, the_first_packet_may_stand_behind_any_number_of_other_blocks) {
  const CaptureFolder folder;
  PcapngWriter writer;
  writer.interface();
  for (int i = 0; i < 50; ++i) writer.block(0x99, ByteList(2'000));
  const std::string path = folder.file("x", writer.packet(0, kStartNs, ByteList{'a'}).bytes());
  auto source = open_capture({path}, {.block_bytes = 4'096, .retired_bytes_max = 8'192});
  ASSERT_TRUE(source) << source.error();
  EXPECT_EQ(marks(read_all(**source)), "a");
}

TEST(CaptureFileSource, a_file_that_breaks_off_gives_what_is_there_and_the_others_go_on) {
  const CaptureFolder folder;
  ByteList cut = capture_at('a', {0, 1, 2});
  cut.resize(cut.size() - 1);
  const auto a = folder.file("a", cut);
  const auto b = folder.file("b", capture_at('b', {1, 5}));
  const auto alone = folder.file("c", ByteList(cut.begin(), cut.begin() + 30));
  auto source = open_capture({a, b, alone});
  ASSERT_TRUE(source);
  EXPECT_EQ(marks(read_all(**source)), "aabb");
  EXPECT_EQ((*source)->trouble(),
            alone + ": breaks off at byte 24: only 6 of the next 16 bytes are there.\n" + a +
                ": breaks off at byte 60: only 17 of the next 18 bytes are there.");
}

TEST(CaptureFileSource, packets_that_the_filter_leaves_out_are_not_seen) {
  const CaptureFolder folder;
  const auto path = folder.file("x", capture_at('a', {0, 3'600'000 * 5, 3'600'000 * 5, 7}));
  auto source = open_capture({path}, {.bpf = "ether[1] = 0 or ether[1] = 3"});
  ASSERT_TRUE(source);
  const SeenPackets packets = read_all(**source);
  ASSERT_EQ(packets.size(), 2U);
  EXPECT_EQ(packets[1].bytes[1], 3);
  EXPECT_EQ(packets[1].clock, static_cast<ClockNs>(kStartNs) + 7 * kMillisecond);
}

TEST(CaptureFileSource, a_filter_that_matches_nothing_reaches_the_end) {
  const CaptureFolder folder;
  PcapWriter writer;
  for (int i = 0; i < 100'000; ++i) writer.packet(kStartNs, frame_of(0));
  auto source =
      open_capture({folder.file("x", writer.bytes())},
                   {.bpf = "ether[0] = 77", .block_bytes = 4'096, .retired_bytes_max = 8'192});
  ASSERT_TRUE(source);
  EXPECT_EQ(read_all(**source).size(), 0U);
}

TEST(CaptureFileSource, waits_for_blocks_in_use_and_never_reuses_one) {
  const CaptureFolder folder;
  PcapWriter writer;
  constexpr std::size_t kPackets = 2'000;
  for (std::size_t i = 0; i < kPackets; ++i) {
    writer.packet(kStartNs, frame_of(static_cast<std::uint8_t>(i)));
  }
  auto source = open_capture({folder.file("x", writer.bytes())},
                             {.block_bytes = 4'096, .retired_bytes_max = 5 * 4'096});
  ASSERT_TRUE(source);
  auto burst = std::make_unique<Burst>();
  std::vector<Packet> held;
  std::size_t finished = 0;
  std::size_t idle_count = 0;
  for (RxStatus status; (status = (*source)->rx(*burst)) != RxStatus::end;) {
    for (std::uint32_t i = 0; i < burst->count; ++i) {
      held.push_back(burst->packets[i]);
      held.back().buffer->users.fetch_add(1, std::memory_order_relaxed);
    }
    if (status != RxStatus::idle) continue;
    ++idle_count;
    for (const Packet& packet : held) {
      ASSERT_EQ(seen(packet).bytes, frame_of(static_cast<std::uint8_t>(finished++)));
      packet.buffer->users.fetch_sub(1, std::memory_order_release);
    }
    held.clear();
  }
  EXPECT_GT(idle_count, 5U);
  for (const Packet& packet : held) {
    ASSERT_EQ(seen(packet).bytes, frame_of(static_cast<std::uint8_t>(finished++)));
  }
  EXPECT_EQ(finished, kPackets);
}

TEST(CaptureFileSource, a_thread_that_finishes_packets_never_sees_their_bytes_change) {
  const CaptureFolder folder;
  PcapWriter writer;
  constexpr std::size_t kPackets = 20'000;
  for (std::size_t i = 0; i < kPackets; ++i) {
    writer.packet(kStartNs, frame_of(static_cast<std::uint8_t>(i)));
  }
  auto source = open_capture({folder.file("x", writer.bytes())},
                             {.block_bytes = 4'096, .retired_bytes_max = 5 * 4'096});
  ASSERT_TRUE(source);
  std::vector<Packet> packets(kPackets);
  std::atomic<std::size_t> handed{0};
  std::size_t right = 0;
  std::thread finisher([&] {
    for (std::size_t i = 0; i < kPackets; ++i) {
      while (handed.load(std::memory_order_acquire) <= i) std::this_thread::yield();
      right += seen(packets[i]).bytes == frame_of(static_cast<std::uint8_t>(i)) ? 1 : 0;
      packets[i].buffer->users.fetch_sub(1, std::memory_order_release);
    }
  });
  auto burst = std::make_unique<Burst>();
  while ((*source)->rx(*burst) != RxStatus::end) {
    for (std::uint32_t i = 0; i < burst->count; ++i) {
      burst->packets[i].buffer->users.fetch_add(1, std::memory_order_relaxed);
      const std::size_t index = handed.load(std::memory_order_relaxed);
      packets[index] = burst->packets[i];
      handed.store(index + 1, std::memory_order_release);
    }
  }
  finisher.join();
  EXPECT_EQ(right, kPackets);
}

TEST(CaptureFileSource,
     a_pipe_that_has_nothing_yet_is_idle_and_its_packets_come_as_they_are_written) {
  const CaptureFolder folder;
  const std::string path = folder.file("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const ByteList bytes = capture_at('a', {0, 1, 2});
  std::ofstream writer;
  std::thread opener([&] {  // opening a pipe waits for its other end
    writer.open(path, std::ios::binary);
    writer.write(reinterpret_cast<const char*>(bytes.data()), 24 + 18 + 5).flush();
  });
  auto source = open_capture({path});
  opener.join();
  ASSERT_TRUE(source) << source.error();
  EXPECT_EQ((*source)->bytes_total(), 0U);
  auto burst = std::make_unique<Burst>();
  EXPECT_EQ((*source)->rx(*burst), RxStatus::packets);
  EXPECT_EQ(burst->count, 1U);
  EXPECT_EQ((*source)->rx(*burst), RxStatus::idle);
  writer.write(reinterpret_cast<const char*>(bytes.data()) + 47,
               static_cast<std::streamsize>(bytes.size()) - 47);
  writer.close();
  EXPECT_EQ((*source)->rx(*burst), RxStatus::packets);
  EXPECT_EQ(burst->count, 2U);
  EXPECT_EQ(burst->packets[1].data[1], 2);
  EXPECT_EQ((*source)->rx(*burst), RxStatus::end);
  EXPECT_EQ((*source)->trouble(), "");
}

// INT and TERM end the process while captures are opened, and this thread may be made by then.
TEST(ReadAhead, its_thread_takes_no_signals) {
  struct Listener final : ByteStream {
    sigset_t blocked{};
    StreamRead read(std::uint8_t*, std::size_t) noexcept override {
      pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
      return {StreamStatus::end};
    }
    std::uint64_t input_bytes() const noexcept override { return 0; }
  } stream;
  BlockPool pool(4'096);
  ReadAhead ahead(pool);
  ASSERT_TRUE(ahead.start(stream));
  EXPECT_EQ(ahead.next().status, StreamStatus::end);
  ahead.stop();
  for (const int signal : {SIGINT, SIGTERM}) EXPECT_EQ(sigismember(&stream.blocked, signal), 1);
}

}  // namespace
}  // namespace linger::test
