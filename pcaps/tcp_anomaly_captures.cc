// What TCP tells beside its state and its bytes: duplicates of the mirror port, duplicate and vain
// segments, what the capture missed, options, marks, unusual openings.
#include "pcaps/catalogue.h"

namespace linger::test {
namespace {

constexpr TcpKnobs kLost{.captured = false};

// Each frame twice, as a mirror of two ports sees it, and every third a third time.
Frames mirrored(const Frames& frames) {
  Frames result;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    for (std::int64_t copy = 0; copy < (i % 3 == 2 ? 3 : 2); ++copy) {
      result.push_back(frames[i]);
      result.back().timestamp_ns += copy * 30 * kMicrosecond;
    }
  }
  sort_by_time(result);
  return result;
}

void add_duplicates(Catalogue& catalogue) {
  const Frames once = over_both([](TcpPeers& tcp) {
    tcp.ip_fields.identification = 1;
    tcp.handshake(at(0));
    for (int i = 0; i < 3; ++i) {  // ten microseconds apart: copies come behind other segments
      const std::int64_t time = at(10 * kMillisecond + i * 10 * kMicrosecond);
      ++tcp.ip_fields.identification;
      tcp.data(Side::client, "0123456789", time);
    }
    ++tcp.ip_fields.identification;
    tcp.ack(Side::server, at(11 * kMillisecond));
    ++tcp.ip_fields.identification;
    tcp.data(Side::client, "0123456789", at(300 * kMillisecond), {.sequence_offset = -10});
    tcp.close(Side::client, at(kSecond));
    tcp.rst(Side::server, at(2 * kSecond), {.flags = kTcpRst});
  });
  catalogue.capture("tcp_mirror_duplicates",
                    "each frame two or three times within dedupWindow: counted as duplicates and "
                    "nothing else; one retransmission is told as one",
                    mirrored(once));
  catalogue.run("tcp_mirror_duplicates_kept", "the same with dedupWindow=0: retransmissions",
                {"tcp_mirror_duplicates.pcap"}, {.settings = "dedupWindow=0"});
}

void add_losses(Catalogue& catalogue) {
  catalogue.capture(
      "tcp_duplicate_acks",
      "a segment lost on the way, three duplicate ACKs, its retransmission, and a vain one",
      over_both([](TcpPeers& tcp) {
        tcp.handshake(at(0));
        for (int i = 0; i < 5; ++i)
          tcp.data(Side::client, "0123456789", at((10 + i) * kMillisecond));
        for (int i = 0; i < 4; ++i)
          tcp.ack(Side::server, at((20 + i) * kMillisecond), {.acknowledgment_offset = -40});
        tcp.data(Side::client, "0123456789", at(30 * kMillisecond), {.sequence_offset = -40});
        tcp.ack(Side::server, at(31 * kMillisecond));
        tcp.data(Side::client, "0123456789", at(300 * kMillisecond), {.sequence_offset = -10});
        tcp.close(Side::client, at(kSecond));
      }));
  catalogue.capture(
      "tcp_missed",
      "bytes that the capture missed, within and at the end: acknowledged, but never seen",
      over_both([](TcpPeers& tcp) {
        tcp.handshake(at(0));
        tcp.data(Side::server, "seen", at(10 * kMillisecond));
        tcp.data(Side::server, "not seen", at(11 * kMillisecond), kLost);
        tcp.data(Side::server, "seen again", at(12 * kMillisecond));
        tcp.ack(Side::client, at(13 * kMillisecond));
        tcp.data(Side::server, "nor this", at(20 * kMillisecond), kLost);
        tcp.ack(Side::client, at(21 * kMillisecond));
      }));
}

void add_openings(Catalogue& catalogue) {
  catalogue.capture(
      "tcp_options",
      "what a SYN can announce, by side; ECN agreed on, told and answered; urgent data",
      over_both([](TcpPeers& tcp) {
        tcp.syn(at(0), {.flags = kTcpSyn | kTcpEce | kTcpCwr,
                        .window = 64'240,
                        .options = {.mss = 1'460,
                                    .window_scale = 7,
                                    .sack_permitted = true,
                                    .timestamps = TcpOptions::Stamps{100, 0},
                                    .other = {30, 4, 0, 1}}});  // MPTCP, a stub
        tcp.syn_ack(at(kMillisecond), {.flags = kTcpSyn | kTcpAck | kTcpEce,
                                       .window = 65'160,
                                       .options = {.mss = 1'440,
                                                   .sack_permitted = true,
                                                   .timestamps = TcpOptions::Stamps{900, 100}}});
        tcp.ack(Side::client, at(2 * kMillisecond));
        tcp.data(Side::client, "to whom it concerns", at(3 * kMillisecond),
                 {.flags = kTcpAck | kTcpPsh | kTcpUrg});
        tcp.ack(Side::server, at(4 * kMillisecond), {.flags = kTcpAck | kTcpEce});
        tcp.data(Side::client, "slower", at(5 * kMillisecond),
                 {.flags = kTcpAck | kTcpPsh | kTcpCwr});
        tcp.close(Side::client, at(20 * kMillisecond));
      }));
  catalogue.capture("tcp_split_handshake",
                    "the server answers the SYN with a SYN of its own, which the client "
                    "answers: source stays the client",
                    over_both([](TcpPeers& tcp) {
                      tcp.syn(at(0));
                      tcp.segment(Side::server, kTcpSyn, "", at(2 * kMillisecond));
                      tcp.segment(Side::client, kTcpSyn | kTcpAck, "", at(3 * kMillisecond),
                                  {.sequence_offset = -1});
                      tcp.ack(Side::server, at(4 * kMillisecond));
                      exchange(tcp, at(10 * kMillisecond));
                      tcp.close(Side::client, at(20 * kMillisecond));
                    }));
  catalogue.capture("tcp_split_handshake_five",
                    "a bare ACK of any number comes before the server's SYN: one session",
                    over_both([](TcpPeers& tcp) {
                      tcp.syn(at(0));
                      tcp.ack(Side::server, at(kMillisecond), {.sequence_offset = -1'000});
                      tcp.segment(Side::server, kTcpSyn, "", at(2 * kMillisecond));
                      tcp.segment(Side::client, kTcpSyn | kTcpAck, "", at(3 * kMillisecond),
                                  {.sequence_offset = -1});
                      tcp.ack(Side::server, at(4 * kMillisecond));
                      exchange(tcp, at(10 * kMillisecond));
                      tcp.close(Side::client, at(20 * kMillisecond));
                    }));
}

void add_round_trips(Catalogue& catalogue) {
  catalogue.capture(
      "tcp_round_trips",
      "payload measured to its acknowledgment from the 64th packet of a side on; of what was sent "
      "again only where a timestamp names the first",
      over_both([](TcpPeers& tcp) {
        const auto stamps = [](std::uint32_t value, std::uint32_t echo, std::int64_t offset = 0) {
          return TcpKnobs{.sequence_offset = offset,
                          .options = {.timestamps = TcpOptions::Stamps{value, echo}}};
        };
        tcp.handshake(at(0));
        std::int64_t now = at(kSecond);
        const auto say = [&](const char* text, const TcpKnobs& knobs = {}) {
          tcp.data(Side::client, text, now += 2 * kMillisecond, knobs);
        };
        const auto answer = [&](DurationNs delay, const TcpKnobs& knobs = {}) {
          tcp.ack(Side::server, now += delay, knobs);
        };
        for (int i = 3; i < 64; ++i) say("more"), answer(kMillisecond);
        say("first"), answer(40 * kMillisecond);
        say("twice", stamps(10, 1));
        say("twice", stamps(20, 1, -5)), answer(30 * kMillisecond, stamps(2, 10));
        say("again");
        say("again", {.sequence_offset = -5}), answer(kMillisecond);
        tcp.close(Side::client, now + kSecond);
      }));
}

}  // namespace

void add_tcp_anomaly_captures(Catalogue& catalogue) {
  add_duplicates(catalogue);
  add_losses(catalogue);
  add_openings(catalogue);
  add_round_trips(catalogue);
}

}  // namespace linger::test
