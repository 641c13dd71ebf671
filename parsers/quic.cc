#include "parsers/quic.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "parsers/list.h"
#include "parsers/quic_told.h"

namespace linger {
namespace {

using Field = QuicField;

constexpr ProtocolField kFields[] = {LINGER_QUIC_FIELDS(LINGER_FIELD_ROW)};

constexpr std::size_t kIdBytesMax = 20;        // RFC 9000 §17.2
constexpr std::size_t kClientBytesMin = 1200;  // of a datagram with its first packet (§14.1)
constexpr std::size_t kFirstIdBytesMin = 8;    // that a client's first packet goes to (§7.2)
constexpr int kFramesMax = 256;                // in one packet
constexpr int kPacketsMax = 8;                 // in one datagram

enum class Type : std::uint8_t { initial, early_data, handshake, retry };

Type type_of(std::uint8_t first, std::uint32_t version) noexcept {
  const unsigned bits = first >> 4 & 3;
  return static_cast<Type>(is_quic_v2(version) ? (bits + 3) & 3 : bits);
}

Bytes read_bytes(Reader& reader, std::uint64_t count) noexcept {
  return reader.bytes(static_cast<std::size_t>(std::min<std::uint64_t>(count, SIZE_MAX)));
}

bool is_long(std::uint8_t first) noexcept { return (first & 0x80) != 0; }

}  // namespace

struct Quic::Packet {
  std::uint32_t version;
  Type type;
  Bytes to, from;  // connection ids
  Bytes bytes;     // of the packet, from its first one
  std::size_t number_at = 0;
  std::uint64_t rest_bytes = 0;  // from there on
  bool has_token;
  bool is_cut = false;  // its head is whole, it is not

  // Takes the packet off the datagram. False: it is none, or not whole.
  bool read(Bytes& datagram) noexcept {
    Reader reader(datagram);
    const std::uint8_t first = reader.u8();
    version = reader.be32();
    type = type_of(first, version);
    to = reader.bytes(reader.u8());
    from = reader.bytes(reader.u8());
    if (!reader.ok() || !is_long(first) || to.size() > kIdBytesMax || from.size() > kIdBytesMax)
      return false;
    has_token = false;
    rest_bytes = reader.remaining();
    if (is_quic_version(version) && type != Type::retry) {
      if (type == Type::initial) has_token = !read_bytes(reader, read_quic_number(reader)).empty();
      rest_bytes = read_quic_number(reader);
    }
    number_at = datagram.size() - reader.remaining();
    is_cut = reader.ok() && rest_bytes > reader.remaining();
    read_bytes(reader, rest_bytes);
    bytes = datagram.first(datagram.size() - reader.remaining());
    datagram = datagram.subspan(bytes.size());
    return reader.ok();
  }
};

// --- Which bytes are there ----------------------------------------------------------------------

template <class Take>
bool ByteRanges::add(std::uint32_t begin, std::uint32_t end, const Take& take) noexcept {
  std::uint32_t at = begin;
  // The holes in [begin, end), from the left: each is taken before the parts around it are joined.
  while (at < end) {
    std::uint32_t hole_end = end;
    bool is_there = false;
    for (std::size_t i = 0; i < count_; ++i) {
      if (parts_[i].end <= at) continue;
      is_there = parts_[i].begin <= at;
      hole_end = std::min<std::uint32_t>(end, is_there ? parts_[i].end : parts_[i].begin);
      break;
    }
    if (!is_there) {
      if (!join(static_cast<std::uint16_t>(at), static_cast<std::uint16_t>(hole_end))) return false;
      take(at, hole_end);
    }
    at = hole_end;
  }
  return true;
}

// A part that touches none but at its ends. False: there is no room.
bool ByteRanges::join(std::uint16_t begin, std::uint16_t end) noexcept {
  std::size_t place = 0;
  while (place < count_ && parts_[place].end < begin) ++place;
  if (place < count_ && parts_[place].end == begin) {
    parts_[place].end = end;
    if (place + 1 < count_ && parts_[place + 1].begin == end) {
      parts_[place].end = parts_[place + 1].end;
      std::copy(parts_.begin() + static_cast<std::ptrdiff_t>(place) + 2,
                parts_.begin() + static_cast<std::ptrdiff_t>(count_),
                parts_.begin() + static_cast<std::ptrdiff_t>(place) + 1);
      --count_;
    }
    return true;
  }
  if (place < count_ && parts_[place].begin == end) {
    parts_[place].begin = begin;
    return true;
  }
  if (count_ == kMax) return false;
  std::copy_backward(parts_.begin() + static_cast<std::ptrdiff_t>(place),
                     parts_.begin() + static_cast<std::ptrdiff_t>(count_),
                     parts_.begin() + static_cast<std::ptrdiff_t>(count_) + 1);
  parts_[place] = {begin, end};
  ++count_;
  return true;
}

// --- Round trips ------------------------------------------------------------------------------

void SpinBit::see(bool is_client, bool bit, Timestamp now) noexcept {
  const bool is_turn = has_bit_[is_client] && bits_[is_client] != bit;
  has_bit_[is_client] = true;
  bits_[is_client] = bit;
  if (!is_turn) return;
  if (!is_client) {
    if (turned_ == 0) return;
    const bool is_answer = !is_answered_ && bit == bits_[1];
    if (!is_answer) breaks_ += breaks_ != UINT16_MAX;
    is_answered_ |= is_answer;
    return;
  }
  if (turned_ != 0 && !is_answered_) breaks_ += breaks_ != UINT16_MAX;
  if (turned_ != 0 && is_answered_ && now.value > turned_) {
    turns_ += turns_ != UINT16_MAX;
    least_ = static_cast<std::uint32_t>(std::min<std::int64_t>(least_, now.value - turned_));
  }
  turned_ = now.value;
  is_answered_ = false;
}

std::optional<std::uint32_t> SpinBit::least() const noexcept {
  constexpr unsigned kTurnsMin = 2, kTurnsForBreak = 4;
  if (turns_ < kTurnsMin || turns_ < kTurnsForBreak * breaks_ || least_ == UINT32_MAX)
    return std::nullopt;
  return least_;
}

// --- The parser -------------------------------------------------------------------------------

Detection Quic::detect(Carrier carrier, Bytes bytes) noexcept {
  if (carrier != Carrier::datagrams) return Detection::no;
  const std::size_t datagram_bytes = bytes.size();
  const std::uint8_t first = datagram_bytes != 0 ? bytes[0] : 0;
  Packet packet;
  if (!packet.read(bytes)) {
    // Perhaps the capture cut it: a client's first one fills its datagram.
    const std::uint64_t whole_bytes = packet.number_at + packet.rest_bytes;
    const bool is_first = packet.is_cut && packet.type == Type::initial && (first & 0x40) != 0 &&
                          packet.to.size() >= kFirstIdBytesMin && whole_bytes >= kClientBytesMin &&
                          whole_bytes <= UINT16_MAX;
    return is_first ? Detection::yes : Detection::no;
  }
  bool is_good = false;
  if (packet.version == 0) {
    const std::size_t versions = datagram_bytes - packet.number_at;
    // It comes from where the client's first packet went to (§17.2.1); a question of DNS does not.
    is_good = versions != 0 && versions % 4 == 0 && packet.from.size() >= kFirstIdBytesMin;
  } else if (is_quic_version(packet.version)) {
    is_good = (first & 0x40) != 0 && packet.bytes.size() - packet.number_at >= 16;
  } else {
    is_good = datagram_bytes >= kClientBytesMin;
  }
  return is_good ? Detection::yes : Detection::no;
}

Answer Quic::on_datagram(unsigned side, Bytes bytes, std::uint32_t, Facts& facts) noexcept {
  if (bytes.empty()) return Answer::took_all();
  if (!is_long(bytes[0])) {
    constexpr std::uint8_t kSpin = 0x20;
    const unsigned client = client_ != 2 ? client_ : facts.opener();
    spin_.see(side == client, (bytes[0] & kSpin) != 0, facts.now());
    return ++short_count_ < kShortMax ? Answer::took_all() : Answer::done();
  }
  for (int count = 0; count < kPacketsMax && !bytes.empty() && is_long(bytes[0]); ++count) {
    Packet packet;
    if (!packet.read(bytes)) {  // what the capture cut, or noise behind a packet
      if (packet.is_cut) note_version(packet);
      break;
    }
    if (packet.version == 0) {
      on_negotiation(side, packet.bytes.subspan(packet.number_at), facts);
    } else if (!is_quic_version(packet.version)) {
      if (!has_negotiation_ && (client_ == 2 || side == client_)) on_refused(packet.version, facts);
    } else if (packet.type == Type::initial) {
      if (!on_initial(side, packet, facts) && count == 0) return Answer::later();
    } else if (packet.type == Type::retry && side != client_ && !sides_[side].has_id) {
      if (std::exchange(has_retry_, true)) continue;  // one is all that counts (§17.2.5.2)
      facts.flag(Field::retried);
      awaits_keys_ = true;
    } else if (packet.type == Type::early_data && !has_early_data_) {
      has_early_data_ = true;
      facts.flag(Field::early_data);
    } else if (packet.type == Type::handshake) {
      note_version(packet);
    }
  }
  return Answer::took_all();
}

void Quic::tell(Facts& facts) const noexcept {
  if (version_ != 0) tell_quic_version(Field::version, version_, facts);
  if (const auto least = spin_.least()) facts.number(Field::spin_rtt, *least);
}

// The first one, up to another that the server chose (RFC 9369 §4.1) or offered: what comes late in
// the first one changes nothing then.
void Quic::note_version(const Packet& packet) noexcept {
  if (first_version_ == 0 && packet.type == Type::initial)
    first_version_ = version_ = packet.version;
  if (first_version_ != 0 && packet.version != first_version_) version_ = packet.version;
}

// RFC 9000 §17.2.1. It refuses nothing if the server was heard, or offers what it would refuse
// (§6.2).
void Quic::on_negotiation(unsigned side, Bytes versions, Facts& facts) noexcept {
  constexpr std::size_t kVersionsMax = 16;
  if (side == client_ || std::exchange(has_negotiation_, true)) return;
  bool is_refused = version_ != 0 && !sides_[side].has_id;
  Reader reader(versions);
  for (std::size_t i = 0; reader.remaining() >= 4; ++i) {
    const std::uint32_t version = reader.be32();
    is_refused &= version != version_;
    i < kVersionsMax ? tell_quic_version(Field::server_versions, version, facts)
                     : facts.leave_out();
  }
  if (!is_refused) return;
  on_refused(version_, facts);
  version_ = 0;
  awaits_keys_ = true;
}

void Quic::on_refused(std::uint32_t version, Facts& facts) noexcept {
  if (!std::exchange(has_client_version_, true))
    tell_quic_version(Field::client_versions, version, facts);
}

// False: perhaps it is the server's, and was captured before the client's, which the keys are of.
bool Quic::on_initial(unsigned side, const Packet& packet, Facts& facts) noexcept {
  Side& s = sides_[side];
  Bytes frames;
  if (client_ != 2 && side != client_) {
    const auto opened = open_with_id(QuicRole::server, packet, facts);
    if (!opened) return true;
    frames = *opened;
  } else if (!open_as_client(side, packet, frames, facts)) {
    if (client_ == 2 && openings_ <= kEarlyMax && facts.can_wait()) return false;
    if (first_version_ == 0) note_version(packet);  // that much is in the clear
    return true;
  } else if (is_again_ && packet.version == first_version_) {
    return true;  // late
  } else if (version_ == 0 && first_version_ != 0 && packet.version != first_version_) {
    // What it said in the refused version does not go with what it says now.
    is_again_ = true;
    s.crypto = {};
  }
  note_version(packet);
  if (!s.has_id) {
    s.has_id = true;
    facts.bytes(side == client_ ? Field::client_id : Field::server_id, packet.from);
    if (side != client_) on_server_id(packet.from, facts);
  }
  read_frames(side, frames, facts);
  return true;
}

void Quic::on_server_id(Bytes id, Facts& facts) noexcept {
  if (id.size() < LinkKey::kIdBytesMin) return;
  LinkNote* const note = facts.link({.since = facts.now()}, kWindow, "quic", Field::continues);
  if (note != nullptr) note->link.key = LinkKey::of_id(id);
}

// The first packet has keys of its own id; so has the first one behind a Retry or a refused
// version.
bool Quic::open_as_client(unsigned side, const Packet& packet, Bytes& frames,
                          Facts& facts) noexcept {
  if (side == client_) {
    if (const auto opened = open_with_id(QuicRole::client, packet, facts)) {
      frames = *opened;
      return true;
    }
    // A token is what a Retry gave it, which may have been captured behind this, or not at all.
    const bool was_retried = packet.has_token && !sides_[side ^ 1].has_id;
    if (!awaits_keys_ && !was_retried) return false;
  }
  if (openings_ == kOpeningsMax) return false;
  const QuicKeys keys = quic_initial_keys(packet.version, packet.to, QuicRole::client);
  const auto opened = open(keys, packet, facts);
  if (!opened) return false;
  // Behind a Retry, whose token it has then, it goes to where that said.
  if (client_ == 2 && !(has_retry_ && packet.has_token)) facts.bytes(Field::original_id, packet.to);
  awaits_keys_ = false;
  client_ = static_cast<std::uint8_t>(side);
  std::copy(packet.to.begin(), packet.to.end(), id_.begin());
  id_bytes_ = static_cast<std::uint8_t>(packet.to.size());
  keys_ = keys;
  keys_role_ = QuicRole::client;
  keys_version_ = packet.version;
  frames = *opened;
  return true;
}

// Makes keys only when the other side, or another version, has its turn.
std::optional<Bytes> Quic::open_with_id(QuicRole role, const Packet& packet,
                                        Facts& facts) noexcept {
  if (openings_ == kOpeningsMax) return std::nullopt;
  if (role != keys_role_ || packet.version != keys_version_) {
    keys_ = quic_initial_keys(packet.version, Bytes(id_).first(id_bytes_), role);
    keys_role_ = role;
    keys_version_ = packet.version;
  }
  return open(keys_, packet, facts);
}

std::optional<Bytes> Quic::open(const QuicKeys& keys, const Packet& packet, Facts& facts) noexcept {
  ++openings_;
  return facts.tools<Tools>().open(keys, packet.bytes, packet.number_at);
}

// RFC 9000 §19, of the frames that may be in an Initial packet (§12.4).
void Quic::read_frames(unsigned side, Bytes frames, Facts& facts) noexcept {
  enum Frame : std::uint8_t {
    kPadding = 0,
    kPing = 1,
    kAck = 2,
    kAckEcn = 3,
    kCrypto = 6,
    kClose = 0x1c
  };
  Reader reader(frames);
  for (int count = 0; count < kFramesMax && reader.remaining() != 0;) {
    const std::uint8_t type = reader.u8();
    if (type == kPadding) continue;
    ++count;
    if (type == kPing) continue;
    if (type == kAck || type == kAckEcn) {
      read_quic_number(reader);  // the largest, the delay
      read_quic_number(reader);
      const std::uint64_t ranges = read_quic_number(reader);
      const std::uint64_t numbers =
          1 + 2 * std::min<std::uint64_t>(ranges, frames.size()) + (type == kAckEcn ? 3 : 0);
      for (std::uint64_t i = 0; i < numbers && reader.ok(); ++i) read_quic_number(reader);
    } else if (type == kCrypto) {
      const std::uint64_t offset = read_quic_number(reader);
      const Bytes bytes = read_bytes(reader, read_quic_number(reader));
      if (reader.ok()) on_crypto(side, offset, bytes, facts);
    } else if (type == kClose) {
      const std::uint64_t code = read_quic_number(reader);
      read_quic_number(reader);  // the type of the frame at fault
      const Bytes reason = read_bytes(reader, read_quic_number(reader));
      // Who is told so may answer with one of its own (§10.2.2).
      if (!reader.ok() || std::exchange(is_closed_, true)) return;
      facts.text(Field::close_source, std::string_view(side == client_ ? "client" : "server"));
      facts.number(Field::close_code, code);
      if (!reason.empty()) facts.text(Field::close_reason, reason);
      return;
    } else {
      return;
    }
  }
}

void Quic::on_crypto(unsigned side, std::uint64_t offset, Bytes bytes, Facts& facts) noexcept {
  if (offset + bytes.size() > kCryptoBytesMax) return facts.leave_out();
  const auto begin = static_cast<std::uint32_t>(offset);
  const Field field = side == client_ ? Field::raw_client : Field::raw_server;
  const Row row = side == client_ && is_again_ ? kAgain : 0;
  const bool has_room = sides_[side].crypto.add(
      begin, begin + static_cast<std::uint32_t>(bytes.size()),
      [&](std::uint32_t from, std::uint32_t to) {
        facts.bytes(field, bytes.subspan(from - begin, to - from), static_cast<Row>(row + from));
      });
  if (!has_room) facts.leave_out();
}

namespace parser {
constinit const Parser quic =
    make_parser<Quic>({.name = "quic", .fields = kFields, .derive = derive_quic});
}  // namespace parser

}  // namespace linger
