#include "sessiontable/sctp.h"

namespace linger {
namespace {

// SCTP chunk types, RFC 9260 §3.2.
constexpr std::uint8_t kSctpInit = 1, kSctpInitAck = 2, kSctpAbort = 6, kSctpShutdownComplete = 14;

}  // namespace

Membership sctp_membership(const SessionHot& hot, const Packet& packet) noexcept {
  if (!lingers(hot.phase)) return Membership::member;
  const unsigned side = packet.direction;
  const SctpHeader& sctp = packet.sctp;
  if (sctp.first_chunk == kSctpInit)  // its tag is the one the peer will use (RFC 9260 §5.1)
    return hot.acknowledged[side ^ 1] == sctp.initiate_tag ? Membership::member
                                                           : Membership::stranger;
  const bool own = hot.acknowledged[side] == 0 || hot.acknowledged[side] == sctp.verification_tag;
  const bool reflected = hot.acknowledged[side ^ 1] == sctp.verification_tag;  // T bit, §8.5.1
  return own || reflected ? Membership::member : Membership::stranger;
}

// An association's tags and its end. `acknowledged` holds the tag of the packets each side sends.
void sctp_update(const Session& s, const Packet& packet) noexcept {
  const unsigned side = packet.direction;
  const SctpHeader& sctp = packet.sctp;
  if (sctp.first_chunk == kSctpInit || sctp.first_chunk == kSctpInitAck)
    s.hot.acknowledged[side ^ 1] = sctp.initiate_tag;
  if (s.hot.acknowledged[side] == 0) s.hot.acknowledged[side] = sctp.verification_tag;
  if (lingers(s.hot.phase)) return;
  if (sctp.first_chunk == kSctpAbort) s.hot.phase = Phase::reset;
  if (sctp.first_chunk == kSctpShutdownComplete) s.hot.phase = Phase::closed;
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
