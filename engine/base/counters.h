// Every counter of a run, once, in a list for each part that counts; those of sources and outputs
// are theirs (live_queue.h, writer.h). A line yields the struct member, the sum over all shards
// (ledger.h), its line of -v and of the reference page.
//
//   X(name, help)
//
// Owner: one thread writes, anybody reads: a shard, but for MPTCP's and those of links.
#pragma once

#include "engine/base/counter.h"

namespace linger {

#define LINGER_TABLE_COUNTERS(X)                                                                 \
  X(packets, "packets that joined a session, late ones too")                                     \
  X(bytes, "their bytes, as on the wire")                                                        \
  X(opened, "sessions opened")                                                                   \
  X(ended_attempt, "sessions never answered")                                                    \
  X(ended_idle, "sessions ended by their idle timeout")                                          \
  X(ended_closed, "sessions closed by both sides, or by the only one seen")                      \
  X(ended_reset, "sessions aborted by one side")                                                 \
  X(ended_evicted, "sessions cut: the table was full, or four newer ones had their key")         \
  X(ended_by_run, "sessions still open when the run ended")                                      \
  X(summarised, "unanswered sessions told in a syn-flood record instead of one of their own")    \
  X(interim, "interim records")                                                                  \
  X(late_records, "session-late records")                                                        \
  X(late_lingering, "packets after the close that found their session lingering")                \
  X(late_buried, "packets after the end record that found their session's grave")                \
  X(reused, "sessions that reused the addresses and ports of one still remembered")              \
  X(continued, "sessions that continue one that was cut")                                        \
  X(lone_rst, "RSTs without session or grave; each is a session of its own")                     \
  X(rst_off_window, "RSTs outside the receiver's window; they changed nothing")                  \
  X(rst_ignored, "RSTs that fitted, but whose receiver carried on")                              \
  X(evicted_lingering, "lingering sessions recorded early because the table was full")           \
  X(evicted_half_open, "half-open sessions evicted because the table or their share was full")   \
  X(evicted_open, "open sessions evicted because the table was full")                            \
  X(streams_missing, "estimate of how many sessions more the table should have held")            \
  X(sweeps_behind, "sweeps that left sessions due: their records come late, but the same")       \
  X(graves_lost, "graves overwritten before their time was over: graveyardSize is too small")    \
  X(graves_crowded, "graves lost and late records written early: 64 newer ones had their key")   \
  X(late_blocks_early, "late records written early: latePool is too small")                      \
  X(extension_dry, "anomalies that could not be told apart: extensionPool is too small")         \
  X(streams, "sessions whose bytes were read")                                                   \
  X(stream_bytes, "bytes handed to their readers, in order")                                     \
  X(stream_held_bytes, "of them, copied because they came before their turn")                    \
  X(stream_gaps, "gaps in what readers saw")                                                     \
  X(stream_gap_bytes, "bytes in these gaps")                                                     \
  X(stream_conflicts, "segments with other bytes than held ones of the same numbers")            \
  X(stream_limits, "directions let go because they were read up to their limit")                 \
  X(stream_hold_full, "holes given up because one direction held all it may")                    \
  X(stream_pool_dry,                                                                             \
    "holes given up because reorderMemory was used up, or half of it, of which their direction " \
    "had 128 KiB")                                                                               \
  X(streams_dry, "sessions not read because there was no stream left")                           \
  X(tunnels_missing, "sessions whose tunnels are not in their records: tunnelPool is too small") \
  X(tunnels_cut, "sessions in more tunnels than the four that a record lists")                   \
  X(rtt_missing, "sessions whose round trip times are not measured: rttPool is too small")       \
  X(mptcp_missing, "MPTCP subflows that do not name their connection: mptcpPool is too small")   \
  X(mptcp_addresses_missing,                                                                     \
    "addresses announced on an MPTCP subflow beyond the eight that are kept")

// What is read of sessions, and by whom (parsers/conversations.h).
#define LINGER_PARSER_COUNTERS(X)                                                               \
  X(conversations, "sessions whose bytes were offered to parsers")                              \
  X(recognised, "of them, those that a parser knew")                                            \
  X(detections, "times that first bytes were looked at")                                        \
  X(parser_malformed, "times that bytes broke the rules of their protocol")                     \
  X(parser_gaps, "gaps in bytes that a parser wanted")                                          \
  X(transactions_dropped, "transactions beyond maxTransactions, which records do not tell")     \
  X(values_dropped, "values that found no room in a record, each time that one came")           \
  X(conversations_dry, "sessions not read because as many as maxStreams were remembered")       \
  X(parser_memory_dry, "sessions not read to their end, or not told: parserMemory was used up") \
  X(links_dropped, "sessions named by others beyond 128 in one burst, or by their last bytes")  \
  X(rule_matches, "rules that matched, once a session")                                         \
  X(rule_streams_dry, "directions held against rules piece by piece: ruleStreams is too small")

// What decode counts beside verdicts: checksums by layer, and what it did not look into.
#define LINGER_DECODE_COUNTERS(X)                                                         \
  X(bad_ip_checksums, "packets with a wrong checksum in an IPv4 header")                  \
  X(bad_tcp_checksums, "TCP segments with a wrong checksum")                              \
  X(bad_udp_checksums, "UDP datagrams with a wrong checksum")                             \
  X(bad_icmp_checksums, "ICMP and ICMPv6 messages with a wrong checksum")                 \
  X(bad_sctp_checksums, "SCTP packets with a wrong checksum")                             \
  X(offloaded_checksums, "packets whose transport checksum was left to the network card") \
  X(untold_frames,                                                                        \
    "packets that carry more frames, or pieces of them, than the one that is told "       \
    "(802.11 A-MSDU, CAPWAP, PPP multilink)")

#define LINGER_DEFRAG_COUNTERS(X)                                                              \
  X(fragments, "frames that carried a fragment of an IP datagram")                             \
  X(datagrams_completed, "datagrams made whole from fragments")                                \
  X(datagrams_timed_out, "datagrams given up after fragsTimeout, or for the next of their id") \
  X(datagrams_pushed_out, "datagrams given up early: maxFrags is too small")                   \
  X(datagrams_at_end, "datagrams still in pieces when the run ended")                          \
  X(datagrams_discarded, "IPv6 datagrams discarded because fragments overlapped (RFC 5722)")   \
  X(datagrams_unbuffered, "datagrams dropped because another shard did not keep up (live)")    \
  X(fragments_overlapping, "fragments that overlapped others, or contradicted their length")   \
  X(fragments_duplicate, "fragments that came again")                                          \
  X(fragments_impossible, "fragments that end within 8 bytes or behind what a datagram can be")

// How packets came to the shard that owns their session.
#define LINGER_STEERING_COUNTERS(X)                                                              \
  X(handed_over, "packets given to the shard that owns their session")                           \
  X(handed_datagrams,                                                                            \
    "packets handed over: datagrams of fragments, which cards steer by addresses")               \
  X(handed_tunnels, "packets handed over: in tunnels, which cards steer by the outer addresses") \
  X(handed_errors, "packets handed over: ICMP errors, which belong to the session they quote")   \
  X(handed_others, "packets handed over: the port does not steer as sessions are owned")         \
  X(directions_sampled,                                                                          \
    "times it was seen where both directions of a session arrive, of 1 session in 256")          \
  X(directions_apart, "of them, those where they arrived at different shards")

// Where the subflows of all shards meet (engine/mptcp_connections.h).
#define LINGER_MPTCP_COUNTERS(X)                                                            \
  X(mptcp_connections, "mptcp-end records")                                                 \
  X(mptcp_early, "MPTCP connections told early: mptcpPool is too small")                    \
  X(mptcp_crowded, "MPTCP connections told early: 1,024 subflows share their tokens")       \
  X(mptcp_unlisted, "MPTCP subflows that are counted, but not listed: more than 32")        \
  X(mptcp_unused_unlisted, "addresses announced in vain that are not listed: more than 16") \
  X(mptcp_clashes, "MPTCP connections that drew a token of another one at the same time")   \
  X(mptcp_lost, "beginnings and ends of subflows that were lost on the way (live only)")

// Sessions that were named by others (output/links.h), in the outputs.
#define LINGER_LINK_COUNTERS(X)                                                              \
  X(linked, "records that name the session which spoke of theirs, in each output")           \
  X(links_forgotten, "sessions named by others that had not come before 65,536 others were") \
  X(links_early, "records that went on before all was known that may name their session")    \
  X(links_lost, "sessions named by others, but lost on the way to an output (live only)")

#define LINGER_COUNTERS(X)    \
  LINGER_TABLE_COUNTERS(X)    \
  LINGER_PARSER_COUNTERS(X)   \
  LINGER_DECODE_COUNTERS(X)   \
  LINGER_DEFRAG_COUNTERS(X)   \
  LINGER_STEERING_COUNTERS(X) \
  LINGER_MPTCP_COUNTERS(X)    \
  LINGER_LINK_COUNTERS(X)

#define LINGER_COUNTER_MEMBER(name, help) Counter name;
struct DecodeCounters {
  LINGER_DECODE_COUNTERS(LINGER_COUNTER_MEMBER)
};
struct TableCounters {
  LINGER_TABLE_COUNTERS(LINGER_COUNTER_MEMBER)
};
struct ParserCounters {
  LINGER_PARSER_COUNTERS(LINGER_COUNTER_MEMBER)
};
struct DefragCounters {
  LINGER_DEFRAG_COUNTERS(LINGER_COUNTER_MEMBER)
};
struct SteeringCounters {
  LINGER_STEERING_COUNTERS(LINGER_COUNTER_MEMBER)
};
struct LinkCounters {
  LINGER_LINK_COUNTERS(LINGER_COUNTER_MEMBER)
};
struct MptcpCounters {
  LINGER_MPTCP_COUNTERS(LINGER_COUNTER_MEMBER)
};
#undef LINGER_COUNTER_MEMBER

}  // namespace linger
