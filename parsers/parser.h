// The contract of a parser: how linger asks it, and what it answers.
//
//     detect(carrier, bytes)             no, maybe (more bytes would tell), yes
//     on_data(side, bytes, facts)        took n, need n, done, malformed, hand over
//     on_gap(side, left, count, facts)   the same; without it a gap ends the parser
//     on_end(side, left, facts)          nothing: the side has no more, or nobody reads on
//
// A parser is a struct: its members are the state of one session, at most kStateBytesMax bytes,
// trivially destructible. It sees the bytes of two sides, 0 and 1, in order, and knows neither
// sessions, packets, ports nor JSON; which side is the client it learns from what is said. What it
// finds it tells with Facts (facts.h); its fields are a list in its header.
//
// The bytes are a whole unit, or the parser says how many it needs: what it did not take comes
// again, contiguous, with more behind it (conversations.h keeps it). So answer by the bytes alone:
// to more bytes behind the same ones the answer is the same, and the record does not depend on how
// they were cut. What is skipped (took more than was there) never comes, and gaps in it are no
// gaps. A side that was given up before the other one told the protocol goes on behind a gap of 0
// bytes; what does not take that does not get it. A unit has at most kUnitBytesMax bytes.
//
// Datagrams are units of their own: on_datagram(side, bytes, sent_bytes, facts); `took` and `need`
// mean the same: go on. One that comes before its turn is `later`: it comes again behind the next
// that was taken. When facts.can_wait() is false, what it waits for will not come.
//
// Cost: one indirect call for each unit that a parser wants to see.
#pragma once

#include <cstdint>
#include <new>
#include <span>
#include <type_traits>

#include "output/record_protocol.h"

namespace linger {

class Facts;

inline constexpr std::size_t kDetectBytesMax = 128;  // of each side, that detection looks at
inline constexpr std::size_t kUnitBytesMax = 20 * 1024;
inline constexpr std::size_t kStateBytesMax = 2 * 1024;

enum class Carrier : std::uint8_t { stream, datagrams };
enum class Detection : std::uint8_t { no, maybe, yes };

class Answer {
 public:
  enum class Kind : std::uint8_t { took, need, done, malformed, hand_over, later };

  // So many bytes are dealt with, at least one; those beyond what was there are skipped unseen.
  static constexpr Answer took(std::uint64_t bytes) noexcept { return {Kind::took, bytes}; }
  static constexpr Answer took_all() noexcept { return {Kind::took, UINT64_MAX}; }
  // None is: again when there are so many, more than there were.
  static constexpr Answer need(std::uint64_t bytes) noexcept { return {Kind::need, bytes}; }
  // The parser has seen what it wants of this session.
  static constexpr Answer done() noexcept { return {Kind::done, 0}; }
  // These bytes are not of its protocol, or break its rules.
  static constexpr Answer malformed() noexcept { return {Kind::malformed, 0}; }
  // Behind so many bytes of this side, and from what comes next of the other one, another protocol
  // begins (STARTTLS, CONNECT, a proxy's header).
  static constexpr Answer hand_over(std::uint64_t bytes) noexcept {
    return {Kind::hand_over, bytes};
  }
  // This datagram once more, behind another one.
  static constexpr Answer later() noexcept { return {Kind::later, 0}; }

  Kind kind;
  std::uint64_t bytes;

 private:
  constexpr Answer(Kind k, std::uint64_t n) noexcept : kind(k), bytes(n) {}
};

// A regular expression (Hyperscan's syntax, bytes, `.` is any byte) that must match from the first
// byte of a side: what brings a parser's detect() into play.
struct Pattern {
  Carrier carrier;
  const char* expression;
};

struct Parser {
  Protocol protocol;
  std::uint32_t state_bytes;
  std::span<const Pattern> patterns;
  Detection (*detect)(Carrier, Bytes) noexcept;
  void (*start)(void* state) noexcept;
  Answer (*on_data)(void* state, unsigned side, Bytes, Facts&) noexcept;
  Answer (*on_datagram)(void* state, unsigned side, Bytes, std::uint32_t sent_bytes,
                        Facts&) noexcept;
  Answer (*on_gap)(void* state, unsigned side, Bytes left, std::uint64_t count, Facts&) noexcept;
  void (*on_end)(void* state, unsigned side, Bytes left, Facts&) noexcept;
  void (*tell)(const void* state, Facts&) noexcept;
  void* (*make_tools)();  // null: it has none
  void (*free_tools)(void* tools) noexcept;
};

// The table of a parser's struct T. T has detect() and kPatterns, and of on_data, on_datagram,
// on_gap, on_end and tell (what is known when a record is written, of what it has not told yet)
// those it wants. A struct T::Tools is made once a shard, at start: what is too dear to make for a
// session (contexts of ciphers, room to decrypt in); Facts::tools() leads to it.
template <class T>
constexpr Parser make_parser(const Protocol& protocol) noexcept {
  static_assert(sizeof(T) <= kStateBytesMax && std::is_trivially_destructible_v<T>);
  Parser p{};
  p.protocol = protocol;
  p.state_bytes = sizeof(T);
  p.patterns = T::kPatterns;
  p.detect = T::detect;
  p.start = [](void* state) noexcept { new (state) T{}; };
  if constexpr (requires { &T::on_data; })
    p.on_data = [](void* state, unsigned side, Bytes bytes, Facts& facts) noexcept {
      return static_cast<T*>(state)->on_data(side, bytes, facts);
    };
  if constexpr (requires { &T::on_datagram; })
    p.on_datagram = [](void* state, unsigned side, Bytes bytes, std::uint32_t sent_bytes,
                       Facts& facts) noexcept {
      return static_cast<T*>(state)->on_datagram(side, bytes, sent_bytes, facts);
    };
  if constexpr (requires { &T::on_gap; })
    p.on_gap = [](void* state, unsigned side, Bytes left, std::uint64_t count,
                  Facts& facts) noexcept {
      return static_cast<T*>(state)->on_gap(side, left, count, facts);
    };
  if constexpr (requires { &T::on_end; })
    p.on_end = [](void* state, unsigned side, Bytes left, Facts& facts) noexcept {
      static_cast<T*>(state)->on_end(side, left, facts);
    };
  if constexpr (requires { &T::tell; })
    p.tell = [](const void* state, Facts& facts) noexcept {
      static_cast<const T*>(state)->tell(facts);
    };
  if constexpr (requires { typename T::Tools; }) {
    p.make_tools = []() -> void* { return new typename T::Tools; };
    p.free_tools = [](void* tools) noexcept { delete static_cast<typename T::Tools*>(tools); };
  }
  return p;
}

// From a parser's list of fields, X(name, kind, path, help), to its enum and its table.
#define LINGER_FIELD_NAME(name, kind, path, help) name,
#define LINGER_FIELD_ROW(name, kind, path, help) ProtocolField{path, ProtocolKind::kind, help},

}  // namespace linger
