// Every setting, once. One line yields the struct member, loading with range checks, --help, the
// annotated default configuration, and the reference page. Names that the field knows keep their
// spelling.
//
//   X(kind, name, default, min, max, help)
//
// The kinds, with what they read and print, are in setting_kinds.h:
//   Duration  DurationNs, as in 5s, 120ms, 2h; a bare number is seconds
//   Bytes     uint64, as in 64KiB, 2GiB; a bare number is bytes
//   Count     uint64
//   Text      std::string; min and max are its length
//   TextList  std::vector<std::string>; min and max are its number of entries
//   PortList  std::vector<std::uint16_t>, from 1; min and max are its number of entries
//   Flag      bool; min and max are not used
#pragma once

#define LINGER_SETTINGS(X)                                                                         \
  X(Count, maxStreams, 1'000'000, 1'000, 100'000'000,                                              \
    "Sessions held in memory, over all threads; it counts lingering ones. Each takes 213 bytes.")  \
  X(Count, packetThreads, 1, 1, 64, "Threads (shards) that receive and track packets.")            \
  X(Duration, tcpTimeout, 10 * kMinute, kSecond, kDay,                                             \
    "An established TCP session ends after this long without a packet.")                           \
  X(Duration, tcpSynTimeout, 40 * kSecond, kSecond, kDay,                                          \
    "A TCP session that was never answered ends after this long without a packet.")                \
  X(Duration, tcpHalfClosedTimeout, 120 * kSecond, kSecond, kDay,                                  \
    "A TCP session that one of two sides has closed ends after this long without a packet.")       \
  X(Duration, tcpClosingTimeout, 5 * kSecond, 0, kHour,                                            \
    "A TCP session closed from both sides lingers this long after its last packet before its "     \
    "record is written.")                                                                          \
  X(Duration, tcpRstTimeout, 5 * kSecond, 0, kHour,                                                \
    "A reset TCP session lingers this long after its last packet.")                                \
  X(Duration, lingerCeiling, 30 * kSecond, 0, kHour,                                               \
    "Late packets prolong lingering at most this long after the close; later ones find the "       \
    "session's grave.")                                                                            \
  X(Duration, lateTimeout, 120 * kSecond, 0, kDay,                                                 \
    "A packet that comes up to this long after the record was written still joins its session "    \
    "(session-late record).")                                                                      \
  X(Duration, continueTimeout, 130 * kMinute, 0, kDay,                                             \
    "How long a session that was cut (idle, attempt, evicted) can be continued; spans the 2 h "    \
    "TCP keep-alive.")                                                                             \
  X(Duration, udpTimeout, 30 * kSecond, kSecond, kDay,                                             \
    "A UDP session ends after this long without a packet.")                                        \
  X(Duration, icmpTimeout, 10 * kSecond, kSecond, kDay,                                            \
    "An ICMP session ends after this long without a packet.")                                      \
  X(Duration, sctpTimeout, 60 * kSecond, kSecond, kDay,                                            \
    "An SCTP session ends after this long without a packet.")                                      \
  X(Duration, espTimeout, 600 * kSecond, kSecond, kDay,                                            \
    "An ESP session ends after this long without a packet.")                                       \
  X(Duration, otherTimeout, 60 * kSecond, kSecond, kDay,                                           \
    "A session of any other IP protocol ends after this long without a packet.")                   \
  X(Duration, tcpSaveTimeout, 12 * kMinute, kSecond, kDay,                                         \
    "A TCP session this long writes an interim record each time.")                                 \
  X(Duration, udpSaveTimeout, 12 * kMinute, kSecond, kDay,                                         \
    "The same for UDP and every other protocol.")                                                  \
  X(Duration, clockJump, kHour, kSecond, kDay,                                                     \
    "A step of the timestamps larger than this counts only when the next packet confirms it; "     \
    "records tell the timestamps as they are.")                                                    \
  X(Duration, reorderWindow, kMillisecond, 0, kSecond,                                             \
    "Packets that arrive this much out of order, as from two taps, are told as if in order.")      \
  X(Duration, dedupWindow, kMillisecond, 0, 100 * kMillisecond,                                    \
    "A TCP segment seen again within this time is a duplicate of the mirror port; the first one "  \
    "only where the SYN came twice or not at all. 0: none is.")                                    \
  X(Duration, fragsTimeout, 9 * kSecond, kSecond, kHour,                                           \
    "An IP datagram whose fragments are not complete after this long is given up.")                \
  X(Count, maxFrags, 10'000, 100, 16'777'215,                                                      \
    "IP datagrams in fragments held at the same time, in each thread that receives; 6 KiB each.")  \
  X(Count, graveyardSize, 0, 0, 400'000'000,                                                       \
    "Recorded sessions that late packets can still find; 0: 4 x maxStreams.")                      \
  X(Count, latePool, 65'536, 16, 100'000'000,                                                      \
    "Recorded sessions that can collect late packets at the same time.")                           \
  X(Count, extensionPool, 0, 0, 100'000'000,                                                       \
    "Blocks for sessions with losses, gaps, late packets or links: two at most each, and up to "   \
    "eight more while it has many gaps; 0: maxStreams / 4.")                                       \
  X(Count, rttPool, 0, 0, 100'000'000,                                                             \
    "TCP sessions of 64 packets and more, at the same time, whose round trip times are measured; " \
    "0: maxStreams / 4.")                                                                          \
  X(Count, halfOpenShare, 50, 1, 100,                                                              \
    "Percent of maxStreams that unanswered TCP sessions may fill.")                                \
  X(Duration, halfOpenMinimum, 3 * kSecond, 0, kMinute,                                            \
    "An unanswered TCP session is not evicted before this age, but where halfOpenShare is full.")  \
  X(Flag, synFloodSummary, false, 0, 0,                                                            \
    "Tell unanswered TCP sessions beyond synFloodRate in one record a second and destination.")    \
  X(Count, synFloodRate, 1'000, 1, 1'000'000'000,                                                  \
    "Unanswered TCP sessions a second and destination that have records of their own; each "       \
    "shard admits its share.")                                                                     \
  X(Flag, checksums, true, 0, 0,                                                                   \
    "A packet with a wrong transport checksum counts, but does not change its session; false (-k " \
    "none): checksums are not computed.")                                                          \
  X(TextList, sessionKey, {}, 0, 2,                                                                \
    "What else separates sessions with equal addresses and ports: vlan, tunnel.")                  \
  X(PortList, vxlanPorts, setting_kind::ports({4789, 8472}), 0, 16,                                \
    "UDP ports that carry VXLAN; an empty list switches it off, here and below.")                  \
  X(PortList, vxlanGpePorts, setting_kind::ports({4790}), 0, 16,                                   \
    "UDP ports that carry VXLAN-GPE.")                                                             \
  X(PortList, genevePorts, setting_kind::ports({6081}), 0, 16, "UDP ports that carry Geneve.")     \
  X(PortList, gtpPorts, setting_kind::ports({2152, 3386}), 0, 16,                                  \
    "UDP ports that carry GTP-U, and what version 0 had in its place.")                            \
  X(PortList, teredoPorts, setting_kind::ports({3544}), 0, 16, "UDP ports that carry Teredo.")     \
  X(PortList, l2tpPorts, setting_kind::ports({1701}), 0, 16, "UDP ports that carry L2TP.")         \
  X(PortList, grePorts, setting_kind::ports({4754}), 0, 16, "UDP ports that carry GRE.")           \
  X(PortList, mplsPorts, setting_kind::ports({6635}), 0, 16, "UDP ports that carry MPLS.")         \
  X(PortList, capwapPorts, setting_kind::ports({5247}), 0, 16,                                     \
    "UDP ports that carry CAPWAP data.")                                                           \
  X(PortList, ayiyaPorts, setting_kind::ports({5072}), 0, 16, "UDP ports that carry AYIYA.")       \
  X(PortList, lispPorts, setting_kind::ports({4341}), 0, 16, "UDP ports that carry LISP data.")    \
  X(PortList, tzspPorts, setting_kind::ports({37008}), 0, 16, "UDP ports that carry TZSP.")        \
  X(PortList, guePorts, setting_kind::ports({6080}), 0, 16,                                        \
    "UDP ports that carry GUE, or IP packets with nothing before them (FOU).")                     \
  X(Count, tunnelPool, 65'536, 16, 16'777'216,                                                     \
    "Different stacks of tunnels that sessions can lie in at the same time.")                      \
  X(Count, mptcpPool, 65'536, 16, 16'777'216,                                                      \
    "MPTCP subflows that are open, or wait for the end of their connection, at the same time.")    \
  X(Duration, mptcpTimeout, 60 * kSecond, 0, kHour,                                                \
    "How long after the last packet of its last subflow an MPTCP connection can still be joined.") \
  X(TextList, parsers, setting_kind::texts({"all"}), 0, 64,                                        \
    "Application protocols that are read: all, none, or names (docs/parsers.md).")                 \
  X(TextList, signatures, {}, 0, 16,                                                               \
    "Files of patterns that name protocols without parser (conf/signatures.yaml); HUP reads them " \
    "again.")                                                                                      \
  X(TextList, rules, {}, 0, 16,                                                                    \
    "Files of patterns that are looked for in all that sessions say (conf/rules.yaml); HUP reads " \
    "them again.")                                                                                 \
  X(Count, ruleStreams, 65'536, 1, 16'777'216,                                                     \
    "Directions of TCP sessions that are held against rules at the same time; -T tells what they " \
    "cost.")                                                                                       \
  X(Text, patternCache, "auto", 1, 4'096,                                                          \
    "Directory where compiled patterns are kept; auto: linger in $XDG_CACHE_HOME or ~/.cache; "    \
    "none.")                                                                                       \
  X(PortList, proxyPorts, setting_kind::ports({}), 0, 64,                                          \
    "Ports of servers that believe a PROXY protocol header; empty: any port.")                     \
  X(Count, readSessions, 0, 0, 100'000'000,                                                        \
    "Sessions whose bytes are read at the same time, 128 bytes each; 0: maxStreams / 2.")          \
  X(Bytes, readLimit, std::uint64_t{1} << 30, 1, std::uint64_t{1} << 40,                           \
    "Bytes of each direction of a session that are read.")                                         \
  X(Bytes, reorderMemory, std::uint64_t{64} << 20, 64 << 10, std::uint64_t{1} << 40,               \
    "Memory for payload of TCP that comes before its turn.")                                       \
  X(Bytes, parserMemory, std::uint64_t{256} << 20, 1 << 20, std::uint64_t{1} << 40,                \
    "Memory for what parsers hold of open sessions, and have found until the record is written.")  \
  X(Count, maxTransactions, 64, 1, 4'096,                                                          \
    "Transactions (HTTP, DNS, ...) that a record tells; more are counted.")                        \
  X(Count, maxCertificates, 4, 1, 16,                                                              \
    "Certificates of a chain (TLS) that a record tells, the first of them the server's own.")      \
  X(Text, node, "linger", 1, 255, "Name of this observer, in every record (observer.name).")       \
  X(Text, bpf, "", 0, 65'536,                                                                      \
    "Capture filter (pcap-filter syntax); packets that do not match are not seen.")                \
  X(Text, shardCores, "", 0, 255,                                                                  \
    "Cores of the threads that receive and track packets, in order, as in 2,4-7; empty: the "      \
    "system chooses.")                                                                             \
  X(Duration, idleSleep, 0, 0, kSecond,                                                            \
    "A live thread that finds nothing sleeps this long, and packets wait for it; 0: it polls on. " \
    "./dev bench latency measures it; on a virtual machine of two cores a packet after a pause "   \
    "waits 25 us when polling, 68 us with 50us (1 in 100: 141), 93 us with 100us (212), 541 us "   \
    "with 1ms (1,076), at 100, 34, 23 and 9 % of a core.")                                         \
  X(Duration, statsInterval, kMinute, 0, kDay,                                                     \
    "A live run tells its counters on standard error this often and at its end, in one line; 0: "  \
    "only in its summary.")                                                                        \
  X(Bytes, pcapBufferSize, 64 << 20, 1 << 20, 0x7fff'ffff,                                         \
    "Ring of the kernel for -i INTERFACE, in each thread; where a run has several, each keeps "    \
    "the last 20 ms.")                                                                             \
  X(Count, rxDescriptors, 2'048, 64, 32'768,                                                       \
    "Packets that a receive queue of a DPDK device can hold.")                                     \
  X(Count, dpdkMbufs, 0, 0, 16'777'215,                                                            \
    "Packet buffers of each DPDK device; 0: as many as all descriptors and rings can hold.")       \
  X(Bytes, frameBytesMax, 9'216, 1'518, 65'535,                                                    \
    "Longest frame that a DPDK device is to receive, with header and checksum.")                   \
  X(Bytes, dpdkMemory, 0, 0, std::uint64_t{1} << 40, "Memory of DPDK; 0: as much as it needs.")    \
  X(Flag, dpdkHugePages, true, 0, 0,                                                               \
    "Memory of DPDK from huge pages; false: slower, and only for virtual devices.")                \
  X(Text, dpdkFilePrefix, "linger", 1, 63,                                                         \
    "Tells the files of DPDK processes on one machine apart.")                                     \
  X(TextList, dpdkAllow, {}, 0, 64,                                                                \
    "PCI devices that DPDK may touch beside those of -i, as in 0000:3b:00.1.")                     \
  X(Flag, hardwareTime, true, 0, 0,                                                                \
    "Timestamps of network cards whose clock can be read; false: a packet has the time of its "    \
    "burst.")                                                                                      \
  X(Text, user, "", 0, 32,                                                                         \
    "A live run becomes this user when its devices and outputs are open; empty: it stays as it "   \
    "was started.")                                                                                \
  X(Flag, sandbox, true, 0, 0,                                                                     \
    "A live run gives up what it never needs once it has started, as to run programs (seccomp).")  \
  X(Count, hashSeed, 0, 0, UINT64_MAX,                                                             \
    "Secret of the session table's hash; 0: random in each run.")                                  \
  X(Text, idSeed, "", 0, 255,                                                                      \
    "Secret of event.id; empty: node for a replay, random for a live run.")                        \
  X(Count, maxPacketsInQueue, 16'384, 64, 16'777'216,                                              \
    "Packets that wait for another thread, per pair of threads; live also for their turn, each "   \
    "thread's own.")                                                                               \
  X(Count, recordQueue, 16'384, 64, 16'777'216,                                                    \
    "Records that wait for an output, per thread and output.")                                     \
  X(Flag, fileCache, false, 0, 0,                                                                  \
    "Record files stay in the page cache, for a program that follows them on a slow disk; else "   \
    "they leave it once they are on disk (Linux 6.14).")                                           \
  X(TextList, output, {}, 0, 16,                                                                   \
    "Where records go: file:PATH, unix:PATH, tcp://host:port, or - (as -o).")
