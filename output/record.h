// What is told about one session, once: the value that travels from a shard to every output. The
// members come from the list in record_fields.h; all zero is an empty record.
//
// Owner: the shard that fills it, then whoever took it from the ring. Trivially copyable, no
// pointers. Limits: the assertions at the end. What parsers found travels beside it
// (record_protocol.h).
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "engine/base/flow_key.h"
#include "engine/base/id.h"
#include "engine/base/mptcp.h"
#include "engine/base/time.h"
#include "engine/base/tunnel.h"
#include "output/record_fields.h"

namespace linger {

// What a record tells: X(name, word, help)
#define LINGER_ACTIONS(X)                                                        \
  X(session_end, "session-end", "the session, whole, from its first packet on")  \
  X(session_interim, "session-interim", "a long session so far, from its start") \
  X(session_late, "session-late", "only what came after the end record")         \
  X(syn_flood, "syn-flood", "unanswered SYNs to one destination in one second")  \
  X(mptcp_end, "mptcp-end", "an MPTCP connection: what its subflows' end records tell, together")

// Why a session ended: X(name, word, help)
#define LINGER_REASONS(X)                                                         \
  X(none, "none", "it has not (interim)")                                         \
  X(attempt, "attempt", "opened, never answered")                                 \
  X(idle, "idle", "no packet for the timeout of its state or protocol")           \
  X(closed, "closed", "closed by both sides, or by the only one that was seen")   \
  X(reset, "reset", "aborted by one side")                                        \
  X(evicted, "evicted", "the table was full, or four newer sessions had its key") \
  X(end_of_input, "end-of-input", "still open when what was read was at its end") \
  X(shutdown, "shutdown", "still open when linger was stopped")

// How a TCP connection went, as Zeek's conn_state: X(name, word, help)
#define LINGER_CONN_STATES(X)                                                    \
  X(oth, "OTH", "no SYN seen, traffic in mid-stream")                            \
  X(s0, "S0", "attempt seen, no answer")                                         \
  X(s1, "S1", "established, not closed")                                         \
  X(sf, "SF", "established and closed by both sides")                            \
  X(rej, "REJ", "attempt rejected")                                              \
  X(s2, "S2", "established, closed by the source, no answer by the destination") \
  X(s3, "S3", "established, closed by the destination, no answer by the source") \
  X(rsto, "RSTO", "established, aborted by the source")                          \
  X(rstr, "RSTR", "established, aborted by the destination")                     \
  X(rstos0, "RSTOS0", "the source sent a SYN, then a RST; no answer seen")       \
  X(rstrh, "RSTRH", "the destination sent a SYN-ACK, then a RST; no SYN seen")   \
  X(sh, "SH", "the source sent a SYN, then a FIN; no answer seen")               \
  X(shr, "SHR", "the destination sent a SYN-ACK, then a FIN; no SYN seen")

// What a SYN announces, a bit each: X(name, word, help)
#define LINGER_TCP_OPTIONS(X)                            \
  X(sack, "sack", "selective acknowledgments, RFC 2018") \
  X(timestamps, "timestamps", "RFC 7323")                \
  X(fast_open, "fast_open", "data in the SYN, RFC 7413") \
  X(mptcp, "mptcp", "several paths, RFC 8684")           \
  X(md5_ao, "md5_ao", "signed segments, RFC 2385 and RFC 5925")

#define LINGER_WORD_ENUM(name, word, help) name,
#define LINGER_WORD(name, word, help) std::string_view{word},
enum class Action : std::uint8_t { LINGER_ACTIONS(LINGER_WORD_ENUM) };
enum class Reason : std::uint8_t { LINGER_REASONS(LINGER_WORD_ENUM) };
enum class ConnState : std::uint8_t { LINGER_CONN_STATES(LINGER_WORD_ENUM) };
enum class TcpOptionWord : std::uint8_t { LINGER_TCP_OPTIONS(LINGER_WORD_ENUM) };  // which bit
inline constexpr std::array kActionWords = {LINGER_ACTIONS(LINGER_WORD)};
inline constexpr std::array kReasonWords = {LINGER_REASONS(LINGER_WORD)};
inline constexpr std::array kConnStateWords = {LINGER_CONN_STATES(LINGER_WORD)};
inline constexpr std::array kTcpOptionWords = {LINGER_TCP_OPTIONS(LINGER_WORD)};
#undef LINGER_WORD_ENUM
#undef LINGER_WORD

using MacAddress = std::array<std::uint8_t, 6>;  // all zero: none known

// Up to 31 characters of our own making (never packet data).
struct ShortText {
  static constexpr std::size_t kCharsMax = 31;
  std::uint8_t size = 0;
  std::array<char, kCharsMax> chars{};

  void append(char c) noexcept {  // what does not fit is left out
    if (size < kCharsMax) chars[size++] = c;
  }
  void assign(std::string_view text) noexcept {
    size = static_cast<std::uint8_t>(text.copy(chars.data(), kCharsMax));
  }
  std::string_view view() const noexcept { return {chars.data(), size}; }
};

struct Record;

namespace kind {  // the kinds of record_fields.h as types
#define LINGER_KIND(name, cpp_type, index_type, schema) \
  struct name {                                         \
    using Type = cpp_type;                              \
  };
LINGER_RECORD_KINDS(LINGER_KIND)
#undef LINGER_KIND
}  // namespace kind

#define LINGER_ONE(k, member, path, presence, help) kind::k::Type member{};
#define LINGER_PAIR(k, member, path, presence, help) std::array<kind::k::Type, 2> member{};
#define LINGER_NOTHING(k, member, path, presence, help)

// What records of most sessions are made of.
struct UsualFields {
  LINGER_USUAL_FIELDS(LINGER_ONE, LINGER_PAIR, LINGER_NOTHING, LINGER_PAIR, LINGER_NOTHING)

  std::uint32_t items_bytes = 0;  // of what parsers found, which travels beside the record
  ClockNs clock = 0;              // of its last packet: what is decided goes by it (links.h)
  bool is_usual = false;          // the others are known to be zero: mark_usual()
};

// Zero in most records: neither carried from thread to thread then, nor looked at by the encoder.
struct RareFields {
  LINGER_RARE_FIELDS(LINGER_ONE, LINGER_PAIR, LINGER_NOTHING, LINGER_PAIR, LINGER_NOTHING)
  bool operator==(const RareFields&) const = default;
};
#undef LINGER_ONE
#undef LINGER_PAIR
#undef LINGER_NOTHING

struct Record : UsualFields, RareFields {
  Record() noexcept { std::memset(static_cast<void*>(this), 0, sizeof *this); }  // padding too

  const UsualFields& usual() const noexcept { return *this; }
  const RareFields& rare() const noexcept { return *this; }
  UsualFields& usual() noexcept { return *this; }
  RareFields& rare() noexcept { return *this; }
  // Before it is handed on. A record that is not marked only costs more.
  void mark_usual() noexcept { is_usual = !is_connection() && is_zero(rare()); }

  // What the list's VIEW lines look at.
  const Record& self() const noexcept { return *this; }
  bool is_tcp() const noexcept { return protocol == kProtocolTcp; }
  bool is_icmp() const noexcept { return protocol == kProtocolIcmp || protocol == kProtocolIcmpV6; }
  bool has_ports() const noexcept { return linger::has_ports(protocol); }
  bool is_connection() const noexcept { return action == Action::mptcp_end; }
  bool has_tuple() const noexcept { return !is_connection() && action != Action::syn_flood; }
  std::uint64_t total_packets() const noexcept {
    return packets[0] + packets[1] + icmp_error_packets;
  }
  std::uint64_t total_bytes() const noexcept { return bytes[0] + bytes[1] + icmp_error_bytes; }
  DurationNs duration() const noexcept {
    return start < end ? duration_between(start, end) : DurationNs{0};
  }
  static constexpr std::string_view ecs_version() noexcept { return "8.17.0"; }
  static constexpr std::string_view event_kind() noexcept { return "event"; }
  static constexpr std::string_view event_category() noexcept { return R"(["network"])"; }
  std::string_view event_type() const noexcept {
    const bool is_end = action == Action::session_end || action == Action::mptcp_end;
    return is_end ? R"(["connection","end"])" : R"(["connection","info"])";
  }

 private:
  static bool is_zero(const RareFields& rare) noexcept {
    static_assert(sizeof rare % sizeof(std::uint64_t) == 0);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&rare);
    std::uint64_t bits = 0;
#pragma GCC unroll 8
    for (std::size_t i = 0; i < sizeof rare; i += sizeof(std::uint64_t)) {
      std::uint64_t word;
      std::memcpy(&word, bytes + i, sizeof word);
      bits |= word;
    }
    return bits == 0;
  }
};
static_assert(std::is_trivially_copyable_v<Record>);
static_assert(sizeof(UsualFields) <= 400 && sizeof(RareFields) <= 472);

}  // namespace linger
