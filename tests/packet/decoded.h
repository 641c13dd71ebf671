// What decode says about a frame, as text: short for the session, long for every field, so that a
// failed test reads well.
#pragma once

#include <string>

#include "engine/packet/decode.h"
#include "tests/support/packet_builder.h"

namespace linger::test {

DecodeSettings decode_settings();  // a fixed hash seed, nothing else in the key

// The packet's bytes are the frame's, for as long as that lives.
Packet decoded(const Frame& frame, const DecodeSettings& settings = decode_settings());

// "tcp 192.0.2.1:40000 > 198.51.100.2:80" in the direction of the packet, or the name of its
// verdict.
std::string session_text(const Packet& packet);
std::string address_text(const IpAddress& address, std::uint8_t ip_version);
// Every field that decode fills.
std::string whole_text(const Packet& packet);

std::string payload_text(const Frame& frame);  // as far as it was captured

// One frame of every kind that the decoder knows; all of them belong to a session.
struct Sample {
  std::string name;
  Frame frame;
};
std::vector<Sample> samples();

}  // namespace linger::test
