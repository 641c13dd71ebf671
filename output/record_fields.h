// Every field of a record, once. A line yields the member of `struct Record`, its place in the
// NDJSON line, the JSON schema, the index template and the reference page. The order of lines is
// the order of output; fields of one JSON object stand together.
//
//   ONE(kind, member, path, presence, help)       declares `member`
//   PAIR(kind, member, path, presence, help)      declares `member[2]`: path.source, .destination
//   VIEW(kind, expression, path, presence, help)  another look at members declared elsewhere
//   SOURCE, DESTINATION                           LINGER_SIDE_FIELDS: source.name, destination.name
//
// Index 0 is the source (the side that opened the session), 1 the destination. Names are those of
// ECS where it has one (elastic.co/guide/en/ecs), else lower_snake below the protocol. A protocol's
// object is one more group of lines. A Count16 stops at 65,535; a Sum16 is of one for each side.
#pragma once

// Kinds of values: X(kind, C++ type, index type, JSON schema)
#define LINGER_RECORD_KINDS(X)                                                                   \
  X(Time, Timestamp, "date", R"("type":"string","format":"date-time")")                          \
  X(Duration, DurationNs, "long", R"("type":"integer","minimum":0)")                             \
  X(Id, Id128, "keyword", R"("type":"string","pattern":"^[0-9a-f]{32}$")")                       \
  X(Word, std::string_view, "keyword", R"("type":"string")")                                     \
  X(Words, std::string_view, "keyword", R"("type":"array","items":{"type":"string"})")           \
  X(Text, ShortText, "keyword", R"("type":"string")")                                            \
  X(Options, std::uint8_t, "keyword",                                                            \
    R"("type":"array","items":{"type":"string","enum":)" + list_of(kTcpOptionWords) + "}")       \
  X(Observer, Record, "keyword", R"("type":"string")")                                           \
  X(Action, linger::Action, "keyword", R"("type":"string","enum":)" + list_of(kActionWords))     \
  X(Reason, linger::Reason, "keyword",                                                           \
    R"("type":"string","enum":)" + list_of(std::span(kReasonWords).subspan(1)))                  \
  X(State, ConnState, "keyword", R"("type":"string","enum":)" + list_of(kConnStateWords))        \
  X(Ip, IpAddress, "ip", R"("type":"string","pattern":"^[0-9a-f.:]+$")")                         \
  X(Mac, MacAddress, "keyword", R"("type":"string","pattern":"^[0-9A-F]{2}(-[0-9A-F]{2}){5}$")") \
  X(Transport, std::uint8_t, "keyword", R"("type":"string")")                                    \
  X(Network, std::uint8_t, "keyword", R"("type":"string","enum":["ipv4","ipv6"])")               \
  X(NumberText, std::uint16_t, "keyword", R"("type":"string","pattern":"^[0-9]+$")")             \
  X(CommunityId, Record, "keyword", R"("type":"string","pattern":"^1:[A-Za-z0-9+/]{27}=$")")     \
  X(Uint8, std::uint8_t, "long", R"("type":"integer","minimum":0,"maximum":255)")                \
  X(Uint16, std::uint16_t, "long", R"("type":"integer","minimum":0,"maximum":65535)")            \
  X(Uint32, std::uint32_t, "long", R"("type":"integer","minimum":0,"maximum":4294967295)")       \
  X(Uint64, std::uint64_t, "long", R"("type":"integer","minimum":0)")                            \
  X(Count16, std::uint32_t, "long", R"("type":"integer","minimum":0,"maximum":65535)")           \
  X(Sum16, std::uint32_t, "long", R"("type":"integer","minimum":0,"maximum":131070)")            \
  X(Tunnels, TunnelLayers, "object", tunnels_schema())                                           \
  X(MptcpVersion, linger::MptcpVersion, "keyword",                                               \
    R"("type":"string","enum":)" + list_of(std::span(kMptcpVersionWords).subspan(1)))            \
  X(MptcpRole, linger::MptcpRole, "keyword",                                                     \
    R"("type":"string","enum":)" + list_of(std::span(kMptcpRoleWords).subspan(1)))               \
  X(MptcpToken, MptcpHost, "keyword", R"("type":"string","pattern":"^[0-9a-f]{8}$")")            \
  X(MptcpPaths, Record, "object", mptcp_paths_schema())                                          \
  X(MptcpAddresses, Record, "object", mptcp_addresses_schema())                                  \
  X(Flag, bool, "boolean", R"("const":true)")

// When a field is there: X(presence, condition on `record` and the field's `value`, help)
#define LINGER_RECORD_PRESENCES(X)                                                   \
  X(always, true, "always")                                                          \
  X(of_session, !record.is_connection(), "of one session: not in mptcp-end")         \
  X(of_tuple, record.has_tuple(), "of one session: not in mptcp-end, syn-flood")     \
  X(nonzero, is_nonzero(value), "when not zero")                                     \
  X(if_ports, record.has_ports(), "TCP, UDP, SCTP, DCCP, UDP-Lite")                  \
  X(if_tcp, is_whole_tcp(record), "TCP: session-end and session-interim, syn-flood") \
  X(if_mptcp_join, record.mptcp_role == MptcpRole::join, "MP_JOIN")                  \
  X(if_mptcp_end, record.is_connection(), "mptcp-end")                               \
  X(if_icmp, record.is_icmp(), "ICMP, ICMPv6")                                       \
  X(if_icmp_errors, record.icmp_error_packets != 0, "ICMP errors quote the session") \
  X(tcp_nonzero, record.is_tcp() && is_nonzero(value), "TCP, when not zero")         \
  X(other_nonzero, !record.is_tcp() && is_nonzero(value), "not TCP, when not zero")

// The same for both sides: X(kind, member, name, presence, help)
#define LINGER_SIDE_FIELDS(X)                                                                   \
  X(Ip, address, "ip", always, "Address of this side.")                                         \
  X(Uint16, port, "port", if_ports, "Port of this side.")                                       \
  X(Mac, mac, "mac", nonzero,                                                                   \
    "MAC address of this side in the session's first frame, of Ethernet.")                      \
  X(Uint64, packets, "packets", always, "Packets this side sent.")                              \
  X(Uint64, bytes, "bytes", always, "Bytes of the frames this side sent, as on the wire.")      \
  X(Uint64, payload_bytes, "payload_bytes", always,                                             \
    "Application bytes this side sent. TCP: distinct ones, a retransmitted byte counts once; "  \
    "SCTP: those in DATA chunks, each time.")                                                   \
  X(Count16, bad_checksums, "bad_checksums", nonzero,                                           \
    "Packets this side sent with a wrong transport checksum. They changed the session only as " \
    "long as they were not rare (one in nine).")                                                \
  X(Flag, checksums_offloaded, "checksums_offloaded", nonzero,                                  \
    "This side's checksums were left to its network card, and not judged.")

#define LINGER_USUAL_FIELDS(ONE, PAIR, VIEW, SOURCE, DESTINATION)                                  \
  VIEW(Time, end, "@timestamp", always,                                                            \
       "The latest timestamp of the record's packets (= event.end).")                              \
  VIEW(Word, ecs_version(), "ecs.version", always, "Version of the Elastic Common Schema.")        \
  ONE(Id, id, "event.id", always,                                                                  \
      "The session. All records of one session carry the same id; an mptcp-end has its own, a "    \
      "syn-flood that of the first session it tells of.")                                          \
  VIEW(Word, event_kind(), "event.kind", always, "Always event.")                                  \
  VIEW(Words, event_category(), "event.category", always, "Always network.")                       \
  VIEW(Words, event_type(), "event.type", always,                                                  \
       "connection and end (session-end, mptcp-end) or info (the others).")                        \
  ONE(Action, action, "event.action", always, "What the record tells of the session.")             \
  ONE(Time, start, "event.start", always, "Timestamp of the record's first packet.")               \
  ONE(Time, end, "event.end", always, "The latest timestamp of the record's packets.")             \
  VIEW(Duration, duration(), "event.duration", always,                                             \
       "event.end - event.start, nanoseconds, 292 years at most.")                                 \
  ONE(Reason, reason, "event.reason", nonzero, "Why the session ended.")                           \
  ONE(Uint32, sequence, "event.sequence", always,                                                  \
      "Counts interim records from 0, the end record after them; late records from 0.")            \
  VIEW(Id, continues, "event.continues", other_nonzero,                                            \
       "event.id of the session, cut before its end, that this one goes on with.")                 \
  ONE(Network, ip_version, "network.type", always, "The IP version.")                              \
  ONE(Transport, protocol, "network.transport", of_session, "The transport protocol's name.")      \
  VIEW(NumberText, protocol, "network.iana_number", of_session, "The IANA protocol number.")       \
  ONE(Text, application, "network.protocol", nonzero,                                              \
      "The application protocol, told by what was said; of several the innermost.")                \
  ONE(Flag, application_malformed, "network.application_malformed", nonzero,                       \
      "It was broken somewhere: what follows there was not read.")                                 \
  ONE(Flag, application_gap, "network.application_gap", nonzero,                                   \
      "Bytes of it are missing: it was not read on, or from where it could be picked up.")         \
  ONE(Flag, application_missing, "network.application_missing", nonzero,                           \
      "readSessions, parserMemory or ruleStreams was used up: what was said is told in part.")     \
  ONE(Uint32, transactions_dropped, "network.transactions_dropped", nonzero,                       \
      "Transactions beyond maxTransactions, which are not told.")                                  \
  ONE(Uint32, values_dropped, "network.values_dropped", nonzero,                                   \
      "Values of application fields that found no room; one that comes again counts again.")       \
  VIEW(CommunityId, self(), "network.community_id", of_tuple, "Community ID v1, seed 0.")          \
  VIEW(Uint64, total_packets(), "network.packets", always,                                         \
       "Packets of both sides and the ICMP errors that quote the session.")                        \
  VIEW(Uint64, total_bytes(), "network.bytes", always,                                             \
       "Bytes of both sides and of the ICMP errors that quote the session.")                       \
  ONE(Flag, capture_loss, "network.capture_loss", nonzero,                                         \
      "Packets of a port that the session was seen on were lost between the record's first and "   \
      "last.")                                                                                     \
  ONE(NumberText, vlan_id, "network.vlan.id", nonzero, "VLAN; the outer one of two.")              \
  ONE(NumberText, inner_vlan_id, "network.inner.vlan.id", nonzero, "The inner VLAN of two.")       \
  ONE(Flag, tunnels_missing, "network.tunnels_missing", nonzero,                                   \
      "tunnelPool was dry: the session lies in tunnels that are not listed.")                      \
  LINGER_SIDE_FIELDS(SOURCE)                                                                       \
  LINGER_SIDE_FIELDS(DESTINATION)                                                                  \
  VIEW(Observer, self(), "observer.name", always, "Who saw the session (setting node).")           \
  ONE(Uint8, icmp_type, "icmp.type", if_icmp, "Type of the first packet.")                         \
  ONE(Uint8, icmp_code, "icmp.code", if_icmp, "Code of the first packet.")                         \
  ONE(Uint16, icmp_id, "icmp.id", nonzero, "Identifier of an echo.")                               \
  ONE(Uint8, icmp_error_type, "icmp.errors.type", if_icmp_errors,                                  \
      "Type of the first ICMP error that quotes the session.")                                     \
  ONE(Uint8, icmp_error_code, "icmp.errors.code", if_icmp_errors, "Its code.")                     \
  ONE(Uint32, icmp_error_packets, "icmp.errors.packets", nonzero,                                  \
      "ICMP errors that quote the session.")                                                       \
  ONE(Uint64, icmp_error_bytes, "icmp.errors.bytes", nonzero,                                      \
      "Bytes of the frames of those errors.")                                                      \
  PAIR(Uint32, verification_tag, "sctp.verification_tag", nonzero,                                 \
       "Verification tag of the packets this side sends.")                                         \
  ONE(State, state, "tcp.state", if_tcp, "How the connection went, in Zeek's conn_state letters.") \
  ONE(Text, history, "tcp.history", tcp_nonzero,                                                   \
      "What happened, in Zeek's history letters; capitals are the source's.")                      \
  ONE(Flag, mid_stream, "tcp.mid_stream", nonzero,                                                 \
      "No SYN was seen: the session began before the capture.")                                    \
  ONE(Flag, extension_missing, "tcp.extension_missing", nonzero,                                   \
      "extensionPool was dry: the counts of anomalies are incomplete.")                            \
  ONE(Sum16, syn, "tcp.flags.syn", nonzero, "Segments with SYN and no ACK.")                       \
  ONE(Sum16, syn_ack, "tcp.flags.syn_ack", nonzero, "Segments with SYN and ACK.")                  \
  ONE(Sum16, fin, "tcp.flags.fin", nonzero, "Segments with FIN.")                                  \
  ONE(Sum16, rst, "tcp.flags.rst", nonzero, "Segments with RST.")                                  \
  PAIR(Count16, rst_sent, "tcp.flags.rst_by", nonzero, "Segments with RST, by who sent them.")     \
  ONE(Count16, urg, "tcp.flags.urg", nonzero, "Segments with URG.")                                \
  ONE(Uint32, ece, "tcp.flags.ece", nonzero, "Segments with ECE, but SYNs.")                       \
  ONE(Uint32, cwr, "tcp.flags.cwr", nonzero, "Segments with CWR, but SYNs.")                       \
  ONE(Duration, rtt_syn_ack_ns, "tcp.rtt.syn_ack_ns", nonzero,                                     \
      "From the SYN to its SYN-ACK: observer to destination and back.")                            \
  ONE(Duration, rtt_ack_ns, "tcp.rtt.ack_ns", nonzero,                                             \
      "From the SYN-ACK to its ACK: observer to source and back.")                                 \
  PAIR(Uint32, rtt_min_ns, "tcp.rtt.min_ns", nonzero,                                              \
       "Shortest time from payload to its acknowledgment: observer to this side and back.")        \
  PAIR(Uint32, rtt_smoothed_ns, "tcp.rtt.smoothed_ns", nonzero,                                    \
       "The same, smoothed as in RFC 6298; at most 4.3 s, as the others.")                         \
  PAIR(Uint32, rtt_max_ns, "tcp.rtt.max_ns", nonzero, "The longest.")                              \
  PAIR(Uint16, rtt_samples, "tcp.rtt.samples", nonzero,                                            \
       "How often it was measured: some packets from the 64th, 256th, 1024th and each 4096th of "  \
       "a side on, by acknowledgments and timestamps.")                                            \
  ONE(Flag, rtt_missing, "tcp.rtt.missing", nonzero,                                               \
      "rttPool was dry: round trip times of payload were not measured.")                           \
  PAIR(Uint16, mss, "tcp.mss", nonzero, "Maximum segment size announced.")                         \
  PAIR(Uint8, window_scale, "tcp.window_scale", nonzero, "Window scale announced (shift count).")  \
  PAIR(Uint16, initial_window, "tcp.initial_window", nonzero, "Window in the SYN or SYN-ACK.")     \
  PAIR(Options, options, "tcp.options", nonzero,                                                   \
       "What the SYN or SYN-ACK announced; in mid-stream what the first segment carried.")         \
  ONE(Flag, ecn, "tcp.ecn", nonzero, "Explicit congestion notification was agreed on (RFC 3168).") \
  ONE(Flag, simultaneous_open, "tcp.simultaneous_open", nonzero,                                   \
      "Both sides sent a SYN and answered that of the other.")                                     \
  ONE(Flag, split_handshake, "tcp.split_handshake", nonzero,                                       \
      "The destination answered the SYN with one of its own, which the source answered.")          \
  ONE(Flag, simultaneous_close, "tcp.simultaneous_close", nonzero,                                 \
      "Both sides sent a FIN before they had seen that of the other.")                             \
  PAIR(                                                                                            \
      Flag, overlaps, "tcp.overlap_conflict", nonzero,                                             \
      "Segments of this side held different bytes for the same numbers, as far as the first were " \
      "still held for a reader.")

#define LINGER_RARE_FIELDS(ONE, PAIR, VIEW, SOURCE, DESTINATION)                                   \
  ONE(Uint64, flood_sessions, "tcp.flood_sessions", nonzero,                                       \
      "syn-flood: sessions that have no record of their own.")                                     \
  PAIR(Uint32, late_packets, "tcp.late.packets", tcp_nonzero, "Packets after the close.")          \
  PAIR(Count16, late_syn, "tcp.late.syn", tcp_nonzero, "SYNs and SYN-ACKs after the close.")       \
  PAIR(Count16, late_fin, "tcp.late.fin", tcp_nonzero, "FINs after the close.")                    \
  PAIR(Count16, late_rst, "tcp.late.rst", tcp_nonzero, "RSTs after the close.")                    \
  PAIR(Count16, late_ack, "tcp.late.ack", tcp_nonzero, "Bare ACKs after the close.")               \
  PAIR(Count16, late_data, "tcp.late.data", tcp_nonzero, "Segments with payload after the close.") \
  ONE(Count16, late_rst_off_sequence, "tcp.late.rst_off_sequence", nonzero,                        \
      "RSTs after the close whose sequence number did not fit.")                                   \
  ONE(Count16, syn_candidates, "tcp.syn_candidates", nonzero,                                      \
      "SYNs with another ISN that never became a session.")                                        \
  PAIR(Uint32, retransmitted_packets, "tcp.retransmitted.packets", nonzero,                        \
       "Segments whose payload was seen before.")                                                  \
  PAIR(Uint64, retransmitted_bytes, "tcp.retransmitted.bytes", nonzero,                            \
       "Payload bytes seen before.")                                                               \
  PAIR(Uint32, spurious_packets, "tcp.retransmitted.spurious", nonzero,                            \
       "Of these segments those that had been acknowledged when they came.")                       \
  PAIR(Uint32, duplicates, "tcp.duplicates", nonzero,                                              \
       "Segments seen again within dedupWindow; counted in packets and bytes, else nowhere.")      \
  PAIR(Uint32, duplicate_acks, "tcp.duplicate_acks", nonzero,                                      \
       "Bare ACKs that repeat the one before while data is under way (RFC 5681).")                 \
  PAIR(Count16, out_of_order_packets, "tcp.out_of_order", nonzero, "Segments that filled a gap.")  \
  PAIR(Uint64, gap_bytes, "tcp.gap_bytes", nonzero,                                                \
       "Payload bytes never seen. Of more than 188 gaps at a time the oldest count as such.")      \
  PAIR(Uint64, missed_bytes, "tcp.missed_bytes", nonzero,                                          \
       "Bytes never seen that the other side acknowledged: the capture missed them.")              \
  PAIR(Count16, zero_windows, "tcp.zero_windows", nonzero,                                         \
       "Segments that announced a closed window.")                                                 \
  PAIR(Duration, zero_window_ns, "tcp.zero_window_ns", nonzero,                                    \
       "How long this side's window was closed.")                                                  \
  PAIR(Count16, keep_alives, "tcp.keep_alives", nonzero, "Keep-alive probes.")                     \
  PAIR(Count16, rst_ignored, "tcp.rst_ignored", nonzero,                                           \
       "RSTs that fitted, but whose receiver carried on.")                                         \
  PAIR(Count16, rst_off_window, "tcp.rst_off_window", nonzero,                                     \
       "RSTs outside the receiver's window; they changed nothing.")                                \
  ONE(Id, reuse_of, "tcp.reuse_of", nonzero,                                                       \
      "event.id of the finished session that had the same addresses and ports.")                   \
  ONE(Id, reused_by, "tcp.reused_by", nonzero,                                                     \
      "event.id of the next session with the same addresses and ports.")                           \
  ONE(Id, continues, "tcp.continues", tcp_nonzero,                                                 \
      "event.id of the session, cut before its end, that this one goes on with.")                  \
  ONE(MptcpVersion, mptcp_version, "mptcp.version", nonzero,                                       \
      "Version of MPTCP, as far as the handshake was seen.")                                       \
  ONE(MptcpRole, mptcp_role, "mptcp.subflow", nonzero,                                             \
      "What the session is in an MPTCP connection: initial, join, mid-stream (its connection is "  \
      "not known), or offered: no MPTCP came of it.")                                              \
  PAIR(Flag, mptcp_fail, "mptcp.fail", nonzero,                                                    \
       "This side said that a checksum failed (MP_FAIL).")                                         \
  PAIR(Uint8, mptcp_removed, "mptcp.removed_address_count", nonzero,                               \
       "Addresses that this side withdrew (REMOVE_ADDR).")                                         \
  PAIR(MptcpToken, mptcp_host, "mptcp.token", nonzero,                                             \
       "Token of this side's host, eight hexadecimal digits: what names the connection. A join "   \
       "knows that of its receiver, the initial subflow both.")                                    \
  PAIR(Uint8, mptcp_address_id, "mptcp.address_id", if_mptcp_join, "Address ID of this side.")     \
  PAIR(Flag, mptcp_backup, "mptcp.backup", nonzero,                                                \
       "This side asked last that the subflow be used only as backup.")                            \
  PAIR(Flag, mptcp_data_fin, "mptcp.data_fin", nonzero, "This side closed the connection.")        \
  PAIR(Flag, mptcp_fastclose, "mptcp.fastclose", nonzero,                                          \
       "This side aborted the connection (MP_FASTCLOSE).")                                         \
  PAIR(Flag, mptcp_reset, "mptcp.reset", nonzero,                                                  \
       "This side gave a reason for resetting the subflow (MP_TCPRST).")                           \
  ONE(Flag, mptcp_missing, "mptcp.missing", nonzero,                                               \
      "mptcpPool was dry: a subflow that does not name its connection.")                           \
  ONE(Uint32, mptcp_subflows, "mptcp.subflow_count", if_mptcp_end, "Subflows that were seen.")     \
  ONE(Uint32, mptcp_idle_subflows, "mptcp.idle_subflow_count", if_mptcp_end,                       \
      "Of them, those that carried no payload.")                                                   \
  VIEW(MptcpPaths, self(), "mptcp.subflows", if_mptcp_end,                                         \
       "The first 32 subflows with their share of the payload; source is the connection's.")       \
  VIEW(MptcpAddresses, self(), "mptcp.unused_addresses", if_mptcp_end,                             \
       "Addresses that a side announced (ADD_ADDR) and no subflow used, at most 16.")              \
  ONE(Tunnels, tunnels, "tunnel", nonzero,                                                         \
      "The tunnels around the session's first packet, outermost first, at most four.")

#define LINGER_RECORD_FIELDS(ONE, PAIR, VIEW, SOURCE, DESTINATION) \
  LINGER_USUAL_FIELDS(ONE, PAIR, VIEW, SOURCE, DESTINATION)        \
  LINGER_RARE_FIELDS(ONE, PAIR, VIEW, SOURCE, DESTINATION)
