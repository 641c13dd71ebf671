#include "tests/simulation/talk.h"

#include <algorithm>

namespace linger::test {
namespace {

constexpr std::uint8_t kAck = kTcpAck;
constexpr std::uint8_t kData = kTcpAck | kTcpPsh;
constexpr std::uint8_t kFin = kTcpFin | kTcpAck;

}  // namespace

Talk::Talk(const Profile& profile, Wire& wire, Random& random, const Ends& ends, DurationNs start,
           std::uint32_t client_isn, std::uint32_t server_isn)
    : profile_(profile),
      wire_(wire),
      random_(random),
      ends_(ends),
      now_(start),
      isn_{client_isn, server_isn},
      first_{client_isn + 1, server_isn + 1},
      next_{client_isn, server_isn},
      seen_{0, 0},
      checksums_{Checksums::of(profile, random), Checksums::of(profile, random)},
      has_window_scale_(random.chance(70)),
      has_ip_ids_(random.chance(60)),
      has_ecn_(random.chance(20)),
      is_vlan_(random.chance(10)) {}

TcpOptions Talk::options_of_syn() {
  TcpOptions options;
  options.mss = static_cast<std::uint16_t>(random_.pick({536, 1460, 8960}));
  if (has_window_scale_) options.window_scale = random_.pick<std::uint8_t>({0, 2, 7, 14});
  options.sack_permitted = random_.chance(70);
  if (random_.chance(50)) options.timestamps = TcpOptions::Stamps{1, 0};
  if (random_.chance(10)) options.fast_open_cookie = ByteList{};
  if (random_.chance(5)) options.other = {29, 4, 0, 0};  // TCP-AO
  return options;
}

// Of congestion, urgent data, and what asks for ECN.
std::uint8_t Talk::marks(std::uint8_t flags) {
  const bool asks = has_ecn_ && (flags & kTcpSyn) != 0 && random_.chance(90);
  if (asks) return (flags & kTcpAck) != 0 ? kTcpEce : kTcpEce | kTcpCwr;
  return random_.chance(2) ? random_.pick<std::uint8_t>({kTcpUrg, kTcpEce, kTcpCwr}) : 0;
}

void Talk::send(const Segment& segment) {
  const int side = segment.side;
  if (is_one_way_ && side == 1) return;
  const Endpoint& from = side == 0 ? ends_.client : ends_.server;
  const Endpoint& to = side == 0 ? ends_.server : ends_.client;
  TcpFields fields;
  fields.sequence = next_[side] + static_cast<std::uint32_t>(segment.sequence_offset);
  fields.flags = segment.flags;
  if (segment.flags & kTcpAck)
    fields.acknowledgment = seen_[side] + static_cast<std::uint32_t>(segment.acknowledgment_offset);
  fields.flags |= marks(segment.flags);
  if (random_.chance(2)) window_[side] = 0;
  if (random_.chance(30))
    window_[side] = static_cast<std::uint16_t>(random_.between(1'000, 65'535));
  fields.window = window_[side];
  if (segment.flags & kTcpSyn) fields.options = options_of_syn();
  if (subflow_.is_spoken()) {
    fields.options = {};  // there is room for both, but not always
    fields.options.other = subflow_.options(static_cast<unsigned>(side), segment.flags,
                                            segment.payload_bytes != 0, random_);
  }
  IpFields ip;
  if (has_ip_ids_) ip.identification = ++ip_id_[side];
  PacketBuilder builder = PacketBuilder().ethernet();
  if (is_vlan_) builder.vlan(7);
  builder.ip(from.address, to.address, ip).tcp(from.port, to.port, fields);
  if (segment.payload_bytes != 0) builder.payload(ByteList(segment.payload_bytes));
  last_ = builder.frame();
  checksums_[side].set(last_, random_);
  last_sent_ = std::max(last_sent_, now_);
  wire_.put(now_, last_);
}

void Talk::say(const Segment& segment) {
  const int side = segment.side;
  send(segment);
  const std::uint32_t numbers =
      segment.payload_bytes + ((segment.flags & kTcpSyn) != 0) + ((segment.flags & kTcpFin) != 0);
  next_[side] += numbers;
  const bool again = numbers != 0 && random_.chance(profile_.retransmitted);
  if (again) {
    const DurationNs before = now_;
    pass(100 * kMicrosecond, 2 * kSecond);
    send({side, segment.flags, segment.payload_bytes, -static_cast<std::int32_t>(numbers)});
    if (random_.chance(50)) now_ = before;  // the other end does not wait for it
  }
  seen_[side ^ 1] = next_[side];
}

std::uint32_t Talk::old_bytes(int side, std::int64_t count_max) {
  const std::int64_t numbers = next_[side] - first_[side];
  const std::int64_t sent = numbers == UINT32_MAX ? 0 : numbers - 1;  // before its SYN; a FIN
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(sent, 0, random_.between(1, count_max)));
}

// --- Opening ----------------------------------------------------------------------------------

// False: it came to nothing.
bool Talk::open() {
  if (random_.chance(profile_.rare)) return open_rarely();
  say({0, kTcpSyn});
  pass(20 * kMicrosecond, 300 * kMillisecond);
  say({1, kTcpSyn | kTcpAck});
  pass(20 * kMicrosecond, 300 * kMillisecond);
  say({0, kAck});
  return true;
}

bool Talk::open_rarely() {
  const std::int64_t first = profile_.is_unambiguous && !is_first_ ? 2 : 0;
  switch (random_.between(first, profile_.is_unambiguous ? 5 : 10)) {
    case 0:  // nobody answers
      for (std::int64_t i = random_.between(1, 5); i > 0; --i) {
        send({0, kTcpSyn});
        if (i != 1) now_ += random_.between(1, 8) * kSecond;
      }
      next_[0] += 1;
      return false;
    case 5:  // refused
      say({0, kTcpSyn});
      pass(2 * kMillisecond, 100 * kMillisecond);
      next_[1] = 0;
      send({1, kTcpRst | kTcpAck});
      return false;
    case 2:  // the SYN-ACK repeats, and the SYN
      say({0, kTcpSyn});
      pass(kMillisecond, kSecond);
      send({0, kTcpSyn, 0, -1});
      say({1, kTcpSyn | kTcpAck});
      pass(kMillisecond, kSecond);
      send({1, kTcpSyn | kTcpAck, 0, -1});
      pass(kMillisecond, kSecond);
      say({0, kAck});
      return true;
    case 3:  // Fast Open (RFC 7413)
      say({0, kTcpSyn, static_cast<std::uint32_t>(random_.between(1, 500))});
      pass(20 * kMicrosecond, 100 * kMillisecond);
      say({1, kTcpSyn | kTcpAck});
      pass(20 * kMicrosecond, 100 * kMillisecond);
      say({0, kAck});
      return true;
    case 4:  // the capture sees one direction only
      is_one_way_ = true;
      say({0, kTcpSyn});
      pass(20 * kMicrosecond, 100 * kMillisecond);
      say({1, kTcpSyn | kTcpAck});
      say({0, kAck});
      return true;
    case 1:  // the capture begins in the middle
      next_[0] = seen_[1] = isn_[0] + 1 + static_cast<std::uint32_t>(random_.below(1 << 20));
      next_[1] = seen_[0] = isn_[1] + 1 + static_cast<std::uint32_t>(random_.below(1 << 20));
      first_[0] = next_[0];
      first_[1] = next_[1];
      return true;
    case 6:  // simultaneous open
      say({0, kTcpSyn});
      say({1, kTcpSyn});
      pass(20 * kMicrosecond, 10 * kMillisecond);
      send({0, kTcpSyn | kTcpAck, 0, -1});
      send({1, kTcpSyn | kTcpAck, 0, -1});
      return true;
    case 7:  // the server answers twice, with two numbers
      say({0, kTcpSyn});
      send({1, kTcpSyn | kTcpAck});
      pass(kMillisecond, 10 * kMillisecond);
      next_[1] = isn_[1] += 77'777;
      say({1, kTcpSyn | kTcpAck});
      pass(kMillisecond, 10 * kMillisecond);
      if (random_.chance(50)) next_[1] = seen_[0] = (isn_[1] -= 77'777) + 1;  // takes the first
      say({0, kAck});
      return true;
    case 9:  // split handshake: the server answers with a SYN of its own
      say({0, kTcpSyn});
      pass(kMillisecond, 10 * kMillisecond);
      say({1, kTcpSyn});
      pass(kMillisecond, 10 * kMillisecond);
      send({0, kTcpSyn | kTcpAck, 0, -1});
      pass(kMillisecond, 10 * kMillisecond);
      say({1, kAck});
      return true;
    case 8:  // half-open, given up with a RST
      say({0, kTcpSyn});
      pass(kMillisecond, 5 * kSecond);
      say({1, kTcpSyn | kTcpAck});
      pass(kMillisecond, kSecond);
      send({0, kTcpRst});
      return false;
    default:  // a challenge ACK answers the SYN (RFC 5961 §4)
      say({0, kTcpSyn});
      pass(kMillisecond, 10 * kMillisecond);
      next_[1] += 5'000;
      send({1, kAck, 0, 0, static_cast<std::int32_t>(random_.next())});
      return random_.chance(50);
  }
}

// --- Course -----------------------------------------------------------------------------------

void Talk::speak() {
  for (std::int64_t rounds = random_.between(0, profile_.rounds); rounds > 0; --rounds) {
    speak_once();
    if (random_.chance(profile_.idle)) pause();
  }
}

void Talk::speak_once() {
  const int side = static_cast<int>(random_.below(2));
  for (std::int64_t segments = random_.between(1, 4); segments > 0; --segments) {
    pass(5 * kMicrosecond, 50 * kMillisecond);
    say({side, kData, static_cast<std::uint32_t>(random_.between(1, 1'460))});
  }
  if (random_.chance(profile_.unseen) && !profile_.is_unambiguous)  // sent, but never seen
    next_[side] += static_cast<std::uint32_t>(random_.between(1, profile_.unseen_max)),
        seen_[side ^ 1] = next_[side];
  pass(20 * kMicrosecond, 100 * kMillisecond);
  if (random_.chance(10)) {  // the same acknowledgment again and again, of less than was sent
    const auto behind = -static_cast<std::int32_t>(old_bytes(side, 3'000));
    for (std::int64_t i = random_.between(1, 5); i > 0; --i) send({side ^ 1, kAck, 0, 0, behind});
  }
  if (random_.chance(80)) say({side ^ 1, kAck});
  if (random_.chance(profile_.retransmitted)) {  // old bytes again, cut anew
    const std::uint32_t bytes = old_bytes(side, 3'000);
    if (bytes != 0) send({side, kData, bytes, -static_cast<std::int32_t>(bytes)});
  }
  if (random_.chance(4)) send({side, kAck, random_.pick({0u, 1u}), -1});  // keep-alive
}

// Once in a life, lest the sum be longer than a cut session is remembered.
void Talk::pause() {
  if (profile_.is_unambiguous && has_paused_) return;
  has_paused_ = true;
  now_ += random_.pick({10 * kSecond, 100 * kSecond, 5 * kMinute, 11 * kMinute, 15 * kMinute,
                        40 * kMinute, 2 * kHour});
  if (random_.chance(50)) send({static_cast<int>(random_.below(2)), kAck, 0, -1});
}

// --- The end ----------------------------------------------------------------------------------

void Talk::fin_from(int side) { say({side, kFin, random_.chance(20) ? 100u : 0u}); }

void Talk::rst_from(int side) {
  send({side, static_cast<std::uint8_t>(random_.chance(50) ? kTcpRst : kTcpRst | kTcpAck)});
}

Talk::End Talk::close() {
  if (random_.chance(profile_.rare)) return close_rarely();
  const int side = static_cast<int>(random_.below(2));
  fin_from(side);
  pass(20 * kMicrosecond, 300 * kMillisecond);
  fin_from(side ^ 1);
  pass(20 * kMicrosecond, 300 * kMillisecond);
  say({side, kAck});
  return End::finished;
}

Talk::End Talk::close_rarely() {
  const int side = static_cast<int>(random_.below(2));
  switch (random_.below(profile_.is_unambiguous ? 4 : 8)) {
    case 0:
      rst_from(is_one_way_ ? 0 : side);
      return End::finished;
    case 1:  // half-closed for a while
      fin_from(side);
      pass(kMillisecond, kSecond);
      say({side ^ 1, kAck});
      for (std::int64_t i = random_.below(4); i > 0; --i) {
        pass(kMillisecond, 30 * kSecond);
        say({side ^ 1, kData, static_cast<std::uint32_t>(random_.between(1, 1'460))});
        say({side, kAck});
      }
      fin_from(side ^ 1);
      say({side, kAck});
      return End::finished;
    case 2:  // a FIN, then a RST from either
      fin_from(side);
      pass(20 * kMicrosecond, kSecond);
      if (is_one_way_) return End::cut;
      rst_from(random_.chance(50) ? side : side ^ 1);
      return End::finished;
    case 3:  // simply no more packets
      return End::cut;
    case 4:  // a RST that is not taken: its receiver goes on
      rst_from(side);
      pass(20 * kMicrosecond, kSecond);
      say({side ^ 1, kData, 500});
      pass(20 * kMicrosecond, kSecond);
      say({side, kAck});
      say({side, kData, 300});
      return random_.chance(50) ? close() : End::cut;
    case 5:  // RSTs that do not fit
      send({side, kTcpRst, 0, static_cast<std::int32_t>(random_.next())});
      pass(kMillisecond, kSecond);
      return random_.chance(50) ? close() : End::cut;
    case 6:  // RST with SEQ 0, as an answer (RFC 9293 §3.10.7.1)
      send({side, kTcpRst | kTcpAck, 0, -static_cast<std::int32_t>(next_[side])});
      return End::finished;
    default:  // both at once
      say({0, kFin});
      say({1, kFin});
      return End::finished;
  }
}

// --- Late -------------------------------------------------------------------------------------

void Talk::late_packet(End end) {
  const int side = is_one_way_ ? 0 : static_cast<int>(random_.below(2));
  const bool is_old_only = end == End::cut;
  switch (random_.below(is_old_only ? 4 : 6)) {
    case 0:
      return send({side, kTcpRst});
    case 1:
      return send({side, kTcpRst | kTcpAck});
    case 2:
      return send({side, kAck});
    case 3:
      return send({side, kAck, 0, -1});
    case 4:
      return send({side, kFin, 0, -1});
    default: {
      const std::uint32_t bytes = old_bytes(side, 400);
      return send({side, kData, bytes, -static_cast<std::int32_t>(bytes) - 1});
    }
  }
}

void Talk::late(End end) {
  const DurationNs closed = now_;
  const bool is_train = random_.chance(30);
  const DurationNs step = random_.pick({kSecond, 4 * kSecond, 20 * kSecond, 60 * kSecond});
  const DurationNs delay_max = profile_.is_unambiguous ? 110 * kSecond : 400 * kSecond;
  for (std::int64_t count = random_.between(1, is_train ? 20 : 4); count > 0; --count) {
    now_ = is_train ? now_ + step
                    : std::max(now_, closed + random_.log_between(100 * kMicrosecond, delay_max));
    late_packet(end);
  }
}

void Talk::wild_segment() {
  constexpr std::uint8_t kSome[] = {
      kTcpSyn, kTcpSyn | kTcpAck, kTcpFin,           kAck,          kData, kTcpRst,
      0,       kTcpSyn | kTcpFin, kTcpSyn | kTcpRst, kFin | kTcpPsh};
  const auto offset = [&] {
    return static_cast<std::int32_t>(
        random_.pick<std::int64_t>({0, -1, 1, 1'000, -1'000, 70'000, -70'000, 1 << 21, -(1 << 21),
                                    static_cast<std::int32_t>(random_.next())}));
  };
  const int side = static_cast<int>(random_.below(2));
  send({side, kSome[random_.below(static_cast<std::int64_t>(std::size(kSome)))],
        random_.chance(40) ? static_cast<std::uint32_t>(random_.between(1, 1'460)) : 0, offset(),
        offset()});
}

Talk::End Talk::live() {
  const bool is_wild = random_.chance(profile_.wild);
  End end = End::finished;
  if (open()) {
    speak();
    for (std::int64_t i = is_wild ? random_.below(6) : 0; i > 0; --i) wild_segment();
    pass(20 * kMicrosecond, kSecond);
    end = close();
  } else {
    end = next_[1] == 0 ? End::finished : End::cut;  // refused: a server without a memory
  }
  if (next_[1] != 0 && random_.chance(profile_.late) &&
      (end != End::cut || !profile_.is_unambiguous))
    late(end);
  for (std::int64_t i = is_wild ? random_.below(6) : 0; i > 0; --i) {
    pass(kMillisecond, 100 * kSecond);
    wild_segment();
  }
  return end;
}

}  // namespace linger::test
