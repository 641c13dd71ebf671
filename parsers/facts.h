// What a parser tells of a session, and what it may ask while it reads: bounded, copied at once.
//
// Values go as items (output/record_protocol.h) into a chain of small blocks that the session keeps
// until its record is written, or, for tell(), straight into a buffer. What finds no room is
// dropped and counted; a text longer than kTextBytesMax is cut and says so.
//
// Owner: one shard, for the time of one call. Cost: a copy.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

#include "engine/base/time.h"
#include "output/record_protocol.h"
#include "parsers/link_notes.h"
#include "parsers/parser_memory.h"

namespace linger {

// A transaction of the session, and its object in the list of its protocol.
using Row = std::uint16_t;
inline constexpr Row kNoRow = UINT16_MAX;  // beyond the limit: what is told of it goes nowhere

// What a session's parsers have told so far.
struct FactChain {
  BlockId first = kNoMemory;
  BlockId last = kNoMemory;
  std::uint32_t bytes = 0;
  std::uint32_t rows_dropped = 0;  // transactions beyond maxTransactions
  std::uint32_t dropped = 0;       // values that found no room
  std::uint16_t rows = 0;
  bool is_dry = false;  // parserMemory was
};

class Facts {
 public:
  struct Context {
    ParserMemory& pool;
    FactChain& chain;
    ItemWriter* direct;  // not null: into it instead of the chain
    std::uint16_t rows_max;
    std::uint8_t certificates_max;
    std::uint8_t protocol;
    std::uint8_t opener;
    Timestamp now;
    std::array<std::uint64_t, 2> unseen;
    void* tools;
    LinkNotes& links;
    std::uint32_t reader;
    bool can_wait;
  };
  explicit Facts(const Context& context) noexcept : context_(context) {}

  // --- Asked ---
  Timestamp now() const noexcept { return context_.now; }       // of the packet
  unsigned opener() const noexcept { return context_.opener; }  // the side that opened the session
  // What this side is still to skip of the bytes the parser took.
  std::uint64_t unseen(unsigned side) const noexcept { return context_.unseen[side]; }
  // What a datagram that comes before its turn waits for may still come.
  bool can_wait() const noexcept { return context_.can_wait; }
  // So many of a chain are wanted.
  unsigned certificates_max() const noexcept { return context_.certificates_max; }
  // What the parser has for all sessions of its shard (parser.h).
  template <class Tools>
  Tools& tools() const noexcept {
    return *static_cast<Tools*>(context_.tools);
  }

  // --- Told ---
  Row open_row() noexcept {
    FactChain& chain = context_.chain;
    if (chain.rows < context_.rows_max) return chain.rows++;
    if (chain.rows_dropped != UINT32_MAX) ++chain.rows_dropped;
    return kNoRow;
  }
  template <class Field>
  void text(Field field, Bytes value, Row row = 0) noexcept {
    const bool is_cut = value.size() > kTextBytesMax;
    put(field, row, is_cut ? value.first(kTextBytesMax) : value, is_cut ? kItemIsCut : 0);
  }
  template <class Field>
  void text(Field field, std::string_view value, Row row = 0) noexcept {
    text(field, Bytes{reinterpret_cast<const std::uint8_t*>(value.data()), value.size()}, row);
  }
  template <class Field>
  void number(Field field, std::uint64_t value, Row row = 0) noexcept {
    const std::size_t bytes = (static_cast<std::size_t>(std::bit_width(value)) + 7) / 8;
    put(field, row, {reinterpret_cast<const std::uint8_t*>(&value), bytes}, 0);
  }
  // Nanoseconds since `before`; a clock that went back is none.
  template <class Field>
  void duration_since(Field field, Timestamp before, Row row = 0) noexcept {
    if (before <= now())
      number(field, static_cast<std::uint64_t>(duration_between(before, now())), row);
  }
  template <class Field>
  void flag(Field field, Row row = 0) noexcept {
    put(field, row, {}, 0);
  }
  // 4 or 16 bytes, for a text or an ip.
  template <class Field>
  void address(Field field, Bytes value, Row row = 0) noexcept {
    put(field, row, value, kItemIsAddress);
  }
  // For hex and raw.
  template <class Field>
  void bytes(Field field, Bytes value, Row row = 0) noexcept {
    const bool is_cut = value.size() > kRawBytesMax;
    put(field, row, is_cut ? value.first(kRawBytesMax) : value, is_cut ? kItemIsCut : 0);
  }

  // A value beyond what its list tells, or longer than what is read: counted each time that it
  // comes, as one that finds no room.
  void leave_out() noexcept {
    if (context_.chain.dropped != UINT32_MAX) ++context_.chain.dropped;
  }

  // What is told as of another protocol, which lies in this one.
  Facts of(std::uint8_t protocol) const noexcept {
    Context context = context_;
    context.protocol = protocol;
    return Facts(context);
  }

  // Of another session, which will be opened at `endpoint` within `window`: its protocol will be
  // called `name`, its record will name this session in `id_field`, and tell what `tell(facts)`
  // does. No name: those that this session has linked there begin before `endpoint.since`. Null:
  // there is no room.
  template <class Field, class Tell = void (*)(Facts&)>
  LinkNote* link(
      const LinkEndpoint& endpoint, DurationNs window, std::string_view name, Field id_field,
      const Tell& tell = [](Facts&) {}) noexcept {
    LinkNote* const note = context_.links.add(context_.reader);
    if (note == nullptr) return nullptr;
    note->protocol = context_.protocol;
    note->id_field = static_cast<std::uint8_t>(id_field);
    note->endpoint = endpoint;
    RecordLink& link = note->link;
    link.from = endpoint.since;
    link.until = {endpoint.since.value + window};
    link.name = name;
    ItemWriter items(std::span(link.items).first(link.items.size() - kIdItemBytes));
    Context context = context_;
    context.direct = &items;
    Facts facts(context);
    tell(facts);
    link.items_bytes = static_cast<std::uint32_t>(items.items().size());
    return note;
  }

 private:
  template <class Field>
  void put(Field field, Row row, Bytes value, unsigned how) noexcept {
    if (row != kNoRow)
      append({context_.protocol, static_cast<std::uint8_t>(field), row,
              static_cast<std::uint16_t>(how), value});
  }
  void append(const Item& item) noexcept;
  bool reserve(std::size_t bytes) noexcept;
  void copy(Bytes bytes) noexcept;

  Context context_;
};

// The blocks of a chain: a link, then bytes.
inline constexpr std::uint32_t kChainLinkBytes = 4;
inline constexpr std::uint32_t kChainBytes = ParserMemory::kBytes[0] - kChainLinkBytes;

// Copies a chain's items; `out` has room for chain.bytes.
void copy_chain(ParserMemory& pool, const FactChain& chain, std::uint8_t* out) noexcept;
void release_chain(ParserMemory& pool, FactChain& chain) noexcept;

}  // namespace linger
