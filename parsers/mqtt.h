// MQTT 3.1, 3.1.1 and 5.0: who connects as what, and which topics are published and subscribed.
//
//     type(4) flags(4)  length(1 to 4 bytes of 7 bits)  what the type has     MQTT 5.0 §2.1
//
// Messages are skipped unread behind their topic, passwords are not told. Limits: kTopicsMax
// different topics of each kind, told once; packets, but for messages, of kUnitBytesMax; what is
// beyond counts each time that it comes (network.values_dropped). Known from its CONNECT only. It
// goes on right behind a gap if what comes may be a packet; else that is the end of its side.
#pragma once

#include <array>
#include <cstdint>

#include "parsers/facts.h"
#include "parsers/parser.h"

namespace linger {

#define LINGER_MQTT_FIELDS(X)                                                              \
  X(version, text, "version", "3.1, 3.1.1 or 5.0.")                                        \
  X(client_id, text, "client_id", "Identifier of the client; empty: the server names it.") \
  X(user, text, "user.name", "Name that the client gave.")                                 \
  X(keep_alive, number, "keep_alive", "Seconds within which the client says something.")   \
  X(is_clean, flag, "clean_start", "The client wants no earlier session to go on.")        \
  X(will_topic, text, "will_topic", "Where its will is published.")                        \
  X(connect_code, number, "connect.code", "The server's reply to CONNECT; 0: accepted.")   \
  X(published, text, "published[]", "Topics that messages were published to, either way.") \
  X(subscribed, text, "subscribed[]", "Topic filters that the client asked for.")          \
  X(messages, number, "messages", "Messages that were published, either way.")             \
  X(disconnect_code, number, "disconnect.code", "Reason that a DISCONNECT gave (5.0).")

enum class MqttField : std::uint8_t { LINGER_MQTT_FIELDS(LINGER_FIELD_NAME) };

class Mqtt {
 public:
  static constexpr Pattern kPatterns[] = {
      {Carrier::stream, R"(^\x10.{1,4}\x00(\x04MQTT[\x04\x05\x84\x85]|\x06MQIsdp[\x03\x83]))"}};
  static constexpr std::size_t kTopicsMax = 32;

  static Detection detect(Carrier carrier, Bytes bytes) noexcept;
  Answer on_data(unsigned side, Bytes bytes, Facts& facts) noexcept;
  Answer on_gap(unsigned side, Bytes left, std::uint64_t count, Facts& facts) noexcept;
  void tell(Facts& facts) const noexcept;

 private:
  struct Topics {  // those that were told, by hash
    std::array<std::uint32_t, kTopicsMax> hashes{};
    std::size_t count = 0;
  };

  Detection begins_packet(Bytes bytes) const noexcept;
  bool read_connect(Bytes packet, Facts& facts) noexcept;
  bool read_subscribe(Bytes packet, Facts& facts) noexcept;
  void tell_topic(Topics& topics, MqttField field, Bytes topic, Facts& facts) noexcept;

  Topics published_, subscribed_;
  std::uint64_t messages_ = 0;
  bool is_v5_ = false;
  std::array<bool, 2> is_behind_gap_{};
};

}  // namespace linger
