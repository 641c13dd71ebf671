// What the oracle knows of one session, buried or not: plain values, nothing packed, nothing
// shared.
//
// Sides are those of the key (FlowKey), as in a packet's direction. The functions of oracle_tcp.cc
// are the same rules as sessiontable/tcp.cc, written for reading. Owner: one Oracle.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "engine/packet/packet.h"
#include "output/mptcp_connection.h"
#include "output/record.h"
#include "sessiontable/session.h"

namespace linger::test {

// On the circle of 2^32.
inline std::int32_t ahead_of(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b);
}

// A segment with payload whose acknowledgment is waited for.
struct ModelProbe {
  Timestamp sent;
  std::uint32_t end;
  std::optional<std::uint32_t> timestamp;
  bool is_repeated = false;
};

struct ModelSide {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t payload_bytes = 0;  // not TCP
  MacAddress mac{};
  std::uint32_t tag = 0;            // SCTP: verification tag of the packets this side sends
  std::uint64_t bad_checksums = 0;  // packets
  bool is_offloaded = false;        // its first packet showed that its network card fills them in

  // TCP. What it sent: `length` numbers from `first` on, the number of its first payload byte;
  // -1 between its SYN and whatever counts that.
  bool is_known = false;  // it sent a segment
  bool has_isn = false;   // its SYN was seen
  bool has_fin = false;
  bool is_resumed = false;  // `first` is where a cut session's numbers ended
  std::uint32_t first = 0;
  std::optional<std::uint32_t> other_first;  // by the SYN-ACK before, while nothing else was said
  std::int64_t length = 0;
  bool has_acknowledged = false;
  std::uint32_t acknowledged = 0;
  std::uint16_t window = 0;
  std::optional<std::uint8_t> scale;
  std::uint16_t mss = 0;
  std::uint32_t syn = 0, syn_ack = 0, fin = 0, rst = 0;
  std::uint32_t retransmitted_packets = 0, out_of_order_packets = 0;
  std::uint64_t retransmitted_bytes = 0, gap_bytes = 0;
  std::uint32_t zero_windows = 0, keep_alives = 0;
  std::uint32_t spurious_packets = 0, duplicates = 0, duplicate_acks = 0;
  std::uint32_t rst_off_window = 0, rst_ignored = 0;
  std::uint16_t initial_window = 0;
  std::uint8_t options = 0;  // bits in the order of kTcpOptionWords
  bool has_ecn = false;
  std::optional<Timestamp> window_closed;  // since when
  DurationNs window_closed_ns = 0;         // before that
  std::optional<ModelProbe> probe;
  std::vector<std::uint32_t> round_trips_ns;

  std::uint32_t end() const { return first + static_cast<std::uint32_t>(length); }
};

// A segment as a mirror port would repeat it.
struct ModelSegment {
  ClockNs clock;
  unsigned side;
  std::uint32_t sequence, acknowledgment, payload_bytes;
  std::uint16_t window, ip_id;
  std::uint8_t flags;

  bool operator==(const ModelSegment&) const = default;
};

// What a session says of the MPTCP connection it is a subflow of, by the sides of its key.
struct ModelSubflow {
  MptcpSubflow said{.host = {}, .role = MptcpRole::mid_stream, .addresses = {}};
  ClockNs begun = 0;                         // when it was first heard to speak
  std::map<std::uint32_t, ClockNs> named{};  // tokens that it knew, since when
};

struct ModelGap {
  unsigned side;
  std::uint32_t begin, end;
};

// Packets after the close, or after the end record.
struct ModelLate {
  struct Counts {
    std::uint32_t packets = 0, syn = 0, syn_ack = 0, fin = 0, rst = 0, ack = 0, data = 0;
    std::uint64_t bytes = 0, payload_bytes = 0;
  };
  std::array<Counts, 2> side;
  std::uint32_t rst_off_sequence = 0;

  void add(const Packet& packet);
};

struct ModelCandidate {
  Packet syn;  // the first of them
  std::uint32_t packets = 0;
  std::uint32_t syns = 0;
  std::uint32_t bytes = 0;
  std::uint64_t bad_checksums = 0;
};

// What stays of a session once its end record is written.
struct ModelIdentity {
  FlowKey key;
  Timestamp start;
  ClockNs opened = 0;
  std::uint32_t id_sequence = 0;
  unsigned ordinal = 0;
  unsigned first_side = 0;
  unsigned originator = 0;
  std::array<ModelSide, 2> side;

  // Of two incarnations of one key that of the newer one is greater.
  auto order() const { return std::tuple(opened, ordinal, id_sequence); }

  // What tells its id from that of the incarnation before it, which began in the same tick.
  void number_after(const ModelIdentity& before) {
    if (key.protocol == kProtocolTcp)
      ordinal = std::max(before.ordinal + 1, ordinal) & 3;
    else
      id_sequence = std::max(before.id_sequence + 1, id_sequence);
  }
};

struct ModelSession : ModelIdentity {
  Phase phase = Phase::other;
  Timestamp end;
  ClockNs last_clock = 0;
  ClockNs phase_clock = 0;  // when it opened, began to close, or to linger
  ClockNs save_due = 0;
  std::uint32_t interims = 0;
  bool is_flipped = false;  // opened by a SYN-ACK
  std::vector<std::uint16_t> vlan;
  std::uint32_t icmp_type = 0, icmp_code = 0, icmp_id = 0;
  std::string history;  // upper case, | 0x80: of side 1
  std::vector<ModelGap> gaps;
  ModelLate late;
  std::optional<unsigned> reset_by;
  std::uint32_t refused = 0;  // what a RST that came first acknowledges
  std::optional<std::uint32_t>
      challenged_end;  // what the RST's receiver had sent before it went on
  std::uint32_t syn_candidates = 0;
  std::deque<ModelSegment> recent;  // the last five, once a duplicate was seen
  bool recent_is_all = false;       // there was nothing before them that could be repeated now
  bool is_fin_crossed = false;
  std::uint32_t urg = 0, ece = 0, cwr = 0;
  std::optional<ModelCandidate> candidate;
  std::uint32_t rtt_syn_ack_ns = 0, rtt_ack_ns = 0;
  unsigned measured_for = 0;  // packets from now on: their round trips
  bool was_measured = false;  // one of them told its own
  std::uint8_t icmp_error_type = 0, icmp_error_code = 0;
  std::uint32_t icmp_error_packets = 0;
  std::uint64_t icmp_error_bytes = 0;
  Id128 reuse_of, continues, reused_by;
  std::optional<ModelSubflow> mptcp;

  void write_history(unsigned of_side, char letter);
  void erase_history(unsigned of_side, char letter);
  void add_gap(unsigned of_side, std::uint32_t from, std::uint32_t to);
  // Bytes of [from, to) that were missing until now.
  std::uint32_t fill_gaps(unsigned of_side, std::uint32_t from, std::uint32_t to);
  // The side began at `begin`; from `last` on to what was its first number all is missing.
  void begin_earlier(unsigned of_side, std::uint32_t begin, std::uint32_t last);
  // In mid-stream, of a side that has sent no byte so far and got no answer: `next` is one beyond
  // its number, so what it sent were keep-alives.
  void note_keep_alive_before(unsigned of_side, std::uint32_t next);
};

struct ModelLateRecord {  // being collected
  ClockNs last_clock = 0;
  Timestamp first, last;
  ModelLate late;
  std::array<std::optional<std::uint32_t>, 2> end;  // TCP: of what each side sent, late payload too
  std::uint8_t icmp_error_type = 0, icmp_error_code = 0;
  std::uint32_t icmp_error_packets = 0;
  std::uint64_t icmp_error_bytes = 0;
};

struct ModelGrave : ModelIdentity {
  Ending ending = Ending::closed;
  std::int64_t burial_second = 0;
  std::uint32_t late_records = 0;
  bool is_followed = false;  // by a session that names it
  std::optional<ModelLateRecord> collecting;
};

// TCP rules (oracle_tcp.cc).
enum class Fit : std::uint8_t { member, candidate, stranger };
enum class Judgement : std::uint8_t { late, late_off_sequence, continues, reuse };

struct ModelEvents {  // what tcp_join() has to say beside the session
  bool is_late = false;
  bool rst_off_window = false;
  bool rst_ignored = false;
};

Fit tcp_fit(const ModelSession& s, const Packet& packet);
std::optional<std::uint32_t> tcp_misfit(const ModelSession& s, const Packet& packet);
bool tcp_is_foreign(const ModelSession& s, const Packet& packet);
void tcp_begin(ModelSession& s, const Packet& packet);
void tcp_go_on(ModelSession& s, const ModelGrave& grave);
struct ModelWindows {
  DurationNs reorder;
  DurationNs dedup;
};
ModelEvents tcp_join(ModelSession& s, const Packet& packet, const ModelWindows& windows,
                     ClockNs last_clock);
std::uint32_t tcp_join_late(ModelGrave& grave, const Packet& packet);
Judgement tcp_judgement(const ModelGrave& grave, const Packet& packet, bool is_last);

bool tcp_goes_on(const ModelGrave& grave, const Packet& packet);  // just where it was cut

void measure_round_trip(ModelSession& s, const Packet& packet);  // oracle_rtt.cc

// Wrong checksums (oracle_checksums.cc).
bool is_nonsense(const Packet& packet);  // what no TCP sends, and no checksum that holds
// Wrong, and its side's are not left to a network card.
bool is_doubtful(const ModelSession& s, const Packet& packet);
// And for each wrong one, this one too, at least eight were right: its receiver drops it.
bool is_damaged(const ModelSession& s, const Packet& packet);

// What the segment says of an MPTCP connection (oracle_mptcp.cc); addresses beyond those kept.
std::uint32_t hear_mptcp(ModelSession& s, const Packet& packet);

// Records (oracle_record.cc).
Record record_of(const ModelSession& s, const Id128& id, Action action, Reason reason,
                 std::uint32_t sequence);
Record late_record_of(const ModelGrave& grave, const Id128& id);
Reason reason_of_ending(Ending ending);

}  // namespace linger::test
