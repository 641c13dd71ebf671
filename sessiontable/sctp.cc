#include "sessiontable/sctp.h"

namespace linger {
namespace {

// SCTP chunk types, RFC 9260 §3.2.
enum SctpChunk : std::uint8_t {
  kSctpInit = 1,
  kSctpInitAck = 2,
  kSctpAbort = 6,
  kSctpCookieEcho = 10,
  kSctpCookieAck = 11,
  kSctpShutdownComplete = 14,
};

// §8.5. With the T bit ABORT and SHUTDOWN COMPLETE have the tag of the packets that they answer
// (§8.5.1); a tag that is not known yet may be any.
bool has_tag_of(const SessionHot& hot, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const std::uint32_t tag = packet.sctp.verification_tag;
  return hot.acknowledged[side] == 0 || hot.acknowledged[side] == tag ||
         hot.acknowledged[side ^ 1] == tag;
}

}  // namespace

Membership sctp_membership(const SessionHot& hot, const Packet& packet) noexcept {
  if (!lingers(hot.phase)) return Membership::member;
  const SctpHeader& sctp = packet.sctp;
  const bool is_member = sctp.chunk == kSctpInit  // its tag is the one the peer will use (§5.1)
                             ? hot.acknowledged[packet.direction ^ 1u] == sctp.initiate_tag
                             : has_tag_of(hot, packet);
  return is_member ? Membership::member : Membership::stranger;
}

// An association's tags and its end. `acknowledged` holds the tag of the packets each side sends.
// An INIT for an association that is there changes nothing (§5.2.2): new tags are those of its
// COOKIE ECHO and COOKIE ACK.
void sctp_update(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const SctpHeader& sctp = packet.sctp;
  auto& tag = s.hot.acknowledged;
  const bool is_first = tag[side ^ 1] == 0 || (sctp.chunk == kSctpInit && s.packets(side ^ 1) == 0);
  if ((sctp.chunk == kSctpInit || sctp.chunk == kSctpInitAck) && is_first)
    tag[side ^ 1] = sctp.initiate_tag;
  if (tag[side] == 0 || sctp.chunk == kSctpCookieEcho || sctp.chunk == kSctpCookieAck)
    tag[side] = sctp.verification_tag;
  if (lingers(s.hot.phase) || !has_tag_of(s.hot, packet)) return;
  if (sctp.chunk == kSctpAbort) s.hot.phase = Phase::reset;
  if (sctp.chunk == kSctpShutdownComplete) s.hot.phase = Phase::closed;
  if (lingers(s.hot.phase)) s.cold.phase_clock = packet.clock;
}

GraveVerdict sctp_judge(const Grave& grave, const Packet& packet) noexcept {
  SessionHot hot{};
  hot.phase = Phase::closed;
  hot.acknowledged = grave.final_sequence;
  const bool member = sctp_membership(hot, packet) == Membership::member;
  if (!member) return GraveVerdict::reuse;
  return is_finished(static_cast<Ending>(grave.ending)) ? GraveVerdict::late
                                                        : GraveVerdict::continues;
}

}  // namespace linger
