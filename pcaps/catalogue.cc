#include "pcaps/catalogue.h"

#include <fmt/format.h>

#include "engine/base/check.h"

namespace linger::test {

void Catalogue::capture(std::string_view name, std::string_view proves, const Frames& frames,
                        const Expected& expected) {
  file(std::string(name) + ".pcap", proves, pcap_of(frames), expected);
  files_.back().frames = frames;
}

void Catalogue::file(std::string_view file_name, std::string_view proves, const ByteList& bytes,
                     const Expected& expected) {
  files_.push_back({std::string(file_name), bytes});
  run(file_name.substr(0, file_name.rfind('.')), proves, {std::string(file_name)}, expected);
}

void Catalogue::run(std::string_view name, std::string_view proves, std::vector<std::string> files,
                    const Expected& expected) {
  runs_.push_back({std::string(name), std::move(files), expected.settings, expected.exit_code,
                   expected.hits_limit, std::string(proves)});
}

Hosts hosts(unsigned number, unsigned version) {
  const auto port = static_cast<std::uint16_t>(40'000 + number);
  const unsigned low = number % 250 + 1;
  if (version == 6)
    return {{fmt::format("2001:db8:1::{:x}", number + 1), port}, {Address("2001:db8:2::80"), 80}};
  return {{fmt::format("192.0.{}.{}", 2 + number / 250, low), port},
          {Address("198.51.100.80"), 80}};
}

Frames over_both(const std::function<void(TcpPeers&)>& talk) {
  Frames frames;
  for (const unsigned version : {4, 6}) {
    const Hosts ends = hosts(1, version);
    TcpPeers tcp(frames, ends.client, ends.server);
    talk(tcp);
  }
  sort_by_time(frames);
  return frames;
}

void tick(Frames& frames, std::int64_t from, std::int64_t to, DurationNs step) {
  for (std::int64_t time = from; time <= to; time += step) {
    PacketBuilder arp;
    arp.ethernet(0xffff'ffff'ffff, 0x0200'5e00'5301).next_is(0x0806);
    arp.payload(ByteList{0,   1, 8, 0, 6, 4, 0, 1, 2, 0, 0x5e, 0, 0x53, 1,
                         192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192,  0, 2,    2});
    frames.push_back(arp.frame(time));
  }
}

void exchange(TcpPeers& tcp, std::int64_t time) {
  tcp.data(Side::client, "GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n", time);
  tcp.data(Side::server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", time + kMillisecond);
  tcp.ack(Side::client, time + 2 * kMillisecond);
}

ByteList pcap_of(const Frames& frames, PcapFormat format) {
  CHECK(!frames.empty());
  format.link_type = frames.front().link_type;
  PcapWriter writer(format);
  for (const Frame& frame : frames)
    writer.packet(static_cast<std::uint64_t>(frame.timestamp_ns), frame.bytes, frame.wire_bytes);
  return writer.bytes();
}

}  // namespace linger::test
