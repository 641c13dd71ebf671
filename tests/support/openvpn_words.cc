#include "tests/support/openvpn_words.h"

namespace linger::test {
namespace {

enum Opcode { kControl = 4, kAck = 5, kData2 = 9, kClientReset = 7, kServerReset = 8 };

constexpr std::size_t kPacketBytesMax = 400;  // of TLS in it

std::string number(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

class Conversation {
 public:
  explicit Conversation(std::size_t hmac_bytes) : hmac_bytes_(hmac_bytes) {}

  // `is_answer`: it acknowledges what the other side said last.
  void say(unsigned side, Opcode opcode, bool is_answer, const std::string& tls = {}) {
    std::string packet(1, static_cast<char>(opcode << 3));
    packet += session(side);
    if (hmac_bytes_ != 0)
      packet += std::string(hmac_bytes_, 'h') + number(++sent_[side]) + number(1'700'000'000);
    packet += static_cast<char>(is_answer ? 1 : 0);
    if (is_answer) packet += number(next_[side ^ 1] - 1) + session(side ^ 1);
    if (opcode != kAck) packet += number(next_[side]++);
    packets.push_back({side, packet + tls});
  }

  std::vector<SaidDatagram> packets;

 private:
  static std::string session(unsigned side) {
    return side == 0 ? "\xd6\x7b\xe4\x5b\xe5\xc2\x01\xeb" : "\x19\x08\x2e\x80\xf9\xca\x52\x80";
  }

  std::size_t hmac_bytes_;
  std::uint32_t next_[2] = {};
  std::uint32_t sent_[2] = {};
};

}  // namespace

std::vector<SaidDatagram> openvpn(std::size_t hmac_bytes) {
  Conversation talk(hmac_bytes);
  talk.say(0, kClientReset, false);
  talk.say(1, kServerReset, true);
  talk.say(0, kAck, true);
  unsigned side = 0;
  for (const std::string& words : tls_1_2()) {
    for (std::size_t at = 0; at < words.size(); at += kPacketBytesMax)
      talk.say(side, kControl, at == 0, words.substr(at, kPacketBytesMax));
    side ^= 1;
  }
  talk.packets.push_back({0, std::string(1, kData2 << 3) + std::string(80, 'd')});
  return talk.packets;
}

std::string openvpn_with_length(const std::string& packet) {
  return std::string{static_cast<char>(packet.size() >> 8), static_cast<char>(packet.size())} +
         packet;
}

}  // namespace linger::test
