#include "parsers/mqtt.h"

#include <algorithm>

#include "parsers/digest.h"
#include "parsers/lines.h"
#include "parsers/list.h"

namespace linger {
namespace {

using Field = MqttField;

constexpr ProtocolField kFields[] = {LINGER_MQTT_FIELDS(LINGER_FIELD_ROW)};

enum Type : std::uint8_t {
  kConnect = 1,
  kConnack = 2,
  kPublish = 3,
  kPubrel = 6,
  kSubscribe = 8,
  kSuback = 9,
  kUnsubscribe = 10,
  kPingRequest = 12,
  kPingResponse = 13,
  kDisconnect = 14,
  kAuth = 15,
};
enum ConnectFlag : std::uint8_t { kUser = 0x80, kWill = 0x04, kClean = 0x02 };

// A number of 7 bits a byte, at most four of them (MQTT 5.0 §1.5.5). `bytes` of it; 0: there are
// too few, above 4: it is none.
std::size_t read_length(Bytes from, std::uint32_t& length) noexcept {
  length = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    if (i == from.size()) return 0;
    length |= static_cast<std::uint32_t>(from[i] & 0x7f) << 7 * i;
    if ((from[i] & 0x80) == 0) return i + 1;
  }
  return 5;
}

Bytes text_at(Reader& reader) noexcept { return reader.bytes(reader.be16()); }

void skip_properties(Reader& reader) noexcept {
  std::uint32_t length;
  const std::size_t bytes = read_length({reader.position(), reader.remaining()}, length);
  reader.skip(bytes == 0 || bytes > 4 ? reader.remaining() + 1 : bytes + length);
}

// A name, or, where that may be, a filter of them (MQTT 5.0 §4.7.3).
bool is_topic(Bytes text, bool may_be_filter) noexcept {
  const auto is_good = [=](std::uint8_t c) {
    return c >= ' ' && c != 0x7f && (may_be_filter || (c != '#' && c != '+'));
  };
  return !text.empty() && std::all_of(text.begin(), text.end(), is_good);
}

bool are_filters(Bytes packet, bool has_properties, bool has_options) noexcept {
  Reader reader(packet);
  reader.skip(2);
  if (has_properties) skip_properties(reader);
  do {
    if (!is_topic(text_at(reader), true)) return false;
    reader.skip(has_options ? 1 : 0);
  } while (reader.ok() && reader.remaining() != 0);
  return reader.ok();
}

}  // namespace

Detection Mqtt::detect(Carrier carrier, Bytes bytes) noexcept {
  if (carrier != Carrier::stream) return Detection::no;
  if (bytes.empty() || bytes[0] != 0x10) return Detection::no;
  std::uint32_t length;
  const std::size_t size = read_length(bytes.subspan(1), length);
  if (size > 4) return Detection::no;
  if (size == 0) return Detection::maybe;
  const std::string_view rest = text_of(bytes.subspan(1 + size));
  for (const std::string_view name :
       {std::string_view("\0\4MQTT", 6), std::string_view("\0\6MQIsdp", 8)}) {
    if (rest.starts_with(name)) return length >= 12 ? Detection::yes : Detection::no;
    if (name.starts_with(rest)) return Detection::maybe;
  }
  return Detection::no;
}

// By the bits that its type has (MQTT 5.0 §2.1.3), its length, and names that are text.
Detection Mqtt::begins_packet(Bytes bytes) const noexcept {
  const unsigned type = bytes[0] >> 4, flags = bytes[0] & 0x0f;
  const bool asks = type == kPubrel || type == kSubscribe || type == kUnsubscribe;
  const bool is_good = type == kPublish ? (flags & 0x06) != 0x06 : flags == (asks ? 2u : 0u);
  if (!is_good || type <= kConnect || (type == kAuth && !is_v5_)) return Detection::no;
  std::uint32_t length;
  const std::size_t size = read_length(bytes.subspan(1), length);
  if (size == 0) return Detection::maybe;
  const auto detection = [](bool is) { return is ? Detection::yes : Detection::no; };
  if (size > 4) return Detection::no;
  const Bytes packet = bytes.subspan(1 + size);
  switch (type) {
    case kPublish: {
      if (packet.size() < 2) return Detection::maybe;
      const std::size_t topic = load_be16(packet.data());
      if (topic + 2 > length) return Detection::no;
      if (packet.size() < topic + 2) return Detection::maybe;
      return detection(is_topic(packet.subspan(2, topic), false));
    }
    case kSubscribe:
    case kUnsubscribe:
      if (length > kUnitBytesMax - 5) return Detection::no;
      if (packet.size() < length) return Detection::maybe;
      return detection(are_filters(packet.first(length), is_v5_, type == kSubscribe));
    case kPingRequest:
    case kPingResponse:
      return detection(length == 0);
    case kDisconnect:
      return detection(length == 0 || is_v5_);
    default:
      return detection(length == 2 || (length > 2 && (is_v5_ || type == kSuback)));
  }
}

Answer Mqtt::on_gap(unsigned side, Bytes, std::uint64_t, Facts&) noexcept {
  is_behind_gap_[side] = true;
  return Answer::took(1);
}

Answer Mqtt::on_data(unsigned side, Bytes bytes, Facts& facts) noexcept {
  if (is_behind_gap_[side]) {
    const Detection found = begins_packet(bytes);
    if (found == Detection::maybe) return Answer::need(bytes.size() + 1);
    if (found == Detection::no) return Answer::took_all();
    is_behind_gap_[side] = false;
  }
  std::uint32_t length;
  const std::size_t size = read_length(bytes.subspan(1), length);
  if (size > 4) return Answer::malformed();
  if (size == 0) return Answer::need(bytes.size() + 1);
  const std::size_t head = 1 + size, whole = head + length;
  std::size_t wanted = head;  // bytes of it that are read
  const unsigned type = bytes[0] >> 4;
  switch (type) {
    case 0:
      return Answer::malformed();
    case kConnect:
    case kConnack:
    case kSubscribe:
    case kDisconnect:
      wanted = whole;
      break;
    case kPublish:
      if (length < 2) return Answer::malformed();
      wanted += 2;
      if (bytes.size() >= wanted) wanted += load_be16(bytes.data() + head);
      if (wanted > whole) return Answer::malformed();
      break;
    default:
      break;
  }
  if (wanted > kUnitBytesMax) {
    facts.leave_out();
    if (type == kPublish) ++messages_;
    return type == kConnect ? Answer::done() : Answer::took(whole);
  }
  if (bytes.size() < wanted) return Answer::need(wanted);
  const Bytes packet = bytes.subspan(head, wanted - head);
  bool is_good = true;
  if (type == kConnect) is_good = read_connect(packet, facts);
  if (type == kSubscribe) is_good = read_subscribe(packet, facts);
  if (type == kConnack && (is_good = packet.size() >= 2))
    facts.number(Field::connect_code, packet[1]);
  if (type == kDisconnect && !packet.empty()) facts.number(Field::disconnect_code, packet[0]);
  if (type == kPublish) {
    ++messages_;
    tell_topic(published_, Field::published, packet.subspan(2), facts);
  }
  return is_good ? Answer::took(whole) : Answer::malformed();
}

// Name, level, flags, keep alive; then what the flags say (MQTT 5.0 §3.1).
bool Mqtt::read_connect(Bytes packet, Facts& facts) noexcept {
  constexpr std::string_view kVersions[] = {"3.1", "3.1.1", "5.0"};
  Reader reader(packet);
  text_at(reader);
  const unsigned level = reader.u8() & 0x7f;  // the first bit: of a bridge
  const std::uint8_t flags = reader.u8();
  const std::uint16_t keep_alive = reader.be16();
  if (!reader.ok() || level < 3 || level > 5) return false;
  is_v5_ = level == 5;
  if (is_v5_) skip_properties(reader);
  const Bytes client_id = text_at(reader);
  Bytes will_topic;
  if ((flags & kWill) != 0) {
    if (is_v5_) skip_properties(reader);
    will_topic = text_at(reader);
    text_at(reader);  // the will itself
  }
  const Bytes user = (flags & kUser) != 0 ? text_at(reader) : Bytes{};
  if (!reader.ok()) return false;
  facts.text(Field::version, kVersions[level - 3]);
  facts.text(Field::client_id, client_id);
  if ((flags & kUser) != 0) facts.text(Field::user, user);
  facts.number(Field::keep_alive, keep_alive);
  if ((flags & kClean) != 0) facts.flag(Field::is_clean);
  if ((flags & kWill) != 0) facts.text(Field::will_topic, will_topic);
  return true;
}

// Identifier, then filters with their options (MQTT 5.0 §3.8).
bool Mqtt::read_subscribe(Bytes packet, Facts& facts) noexcept {
  Reader reader(packet);
  reader.skip(2);
  if (is_v5_) skip_properties(reader);
  while (reader.ok() && reader.remaining() != 0) {
    const Bytes filter = text_at(reader);
    reader.skip(1);
    if (reader.ok()) tell_topic(subscribed_, Field::subscribed, filter, facts);
  }
  return reader.ok();
}

// Once each; 5.0 has numbers instead of topics that were told before, which are empty here.
void Mqtt::tell_topic(Topics& topics, Field field, Bytes topic, Facts& facts) noexcept {
  if (topic.empty()) return;
  const std::uint32_t hash = short_digest(topic);  // equal ones cost a topic, no more
  const auto end = topics.hashes.begin() + static_cast<std::ptrdiff_t>(topics.count);
  if (std::find(topics.hashes.begin(), end, hash) != end) return;
  if (topics.count == kTopicsMax) return facts.leave_out();
  topics.hashes[topics.count++] = hash;
  facts.text(field, topic);
}

void Mqtt::tell(Facts& facts) const noexcept {
  if (messages_ != 0) facts.number(Field::messages, messages_);
}

namespace parser {
constinit const Parser mqtt = make_parser<Mqtt>({.name = "mqtt", .fields = kFields});
}  // namespace parser

}  // namespace linger
