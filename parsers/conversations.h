// What the sessions of one shard say, as far as parsers read it: finds the parser, keeps its state,
// gives it whole units, collects what it tells until the session's record wants it.
//
//     open ─> detecting ──yes──> parsing ──done, malformed, gap──> over
//                 ^    └─both sides unknown──────────────────────> over
//                 └───── hand over ─┘
//
// A side's bytes go to the parser straight from the packet; what it does not take yet is kept in
// one block per side, where the next bytes are put behind it. What it skips is never looked at. Of
// datagrams such a block keeps those that came before their turn, kWaitingMax at most.
//
// Owner: one shard. Limits: conversations (each until its record is written, or it is known to have
// nothing for it), parserMemory, maxTransactions, maxCertificates, kStagesMax protocols in one
// session. A dry pool ends the reading of that session, is counted and told on its record. Memory:
// 128 bytes each, taken at start. Cost: bench/parser_bench.cc.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "engine/base/counters.h"
#include "engine/base/mapping.h"
#include "parsers/detector.h"
#include "parsers/facts.h"

namespace linger {

struct ConversationLimits {
  std::uint32_t conversations = 0;
  std::uint64_t memory = 0;
  std::uint16_t transactions = 64;
  std::uint8_t certificates = 4;
};

class Conversations {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr std::uint64_t kBytesEach = 128;

  Conversations(const ConversationLimits& limits, const Detector& detector, std::size_t shard,
                ParserCounters& counters);

  // `opener`: the side that opened the session. `unwanted`: parsers that are not for this one.
  // kNone: all are in use, which is counted.
  std::uint32_t open(Carrier carrier, unsigned opener, ParserSet unwanted = 0) noexcept;

  // From now on another one; what is parsed goes on.
  void set_detector(const Detector& detector) noexcept { detector_ = &detector; }

  // When what comes next was captured.
  void at(std::uint32_t id, Timestamp now) noexcept { table_[id].now = now; }

  // From now on. unknown: this side is read on only once the other one tells what they speak.
  enum class Wanted : std::uint8_t { more, unknown, nothing };
  Wanted on_data(std::uint32_t id, unsigned side, Bytes bytes) noexcept;
  Wanted on_gap(std::uint32_t id, unsigned side, std::uint64_t count) noexcept;
  Wanted on_datagram(std::uint32_t id, unsigned side, Bytes bytes,
                     std::uint32_t sent_bytes) noexcept;
  // The side has no more, or nobody will read on.
  void on_end(std::uint32_t id, unsigned side) noexcept;

  // What is known by now, for a record; valid until the next call of tell().
  struct Told {
    Bytes items;
    std::span<std::uint8_t> room;  // behind them, of kRuleItemsMax bytes at least
    std::string_view protocol;     // the innermost that was recognised; empty: none
    std::uint32_t transactions_dropped;
    std::uint32_t values_dropped;
    bool is_malformed;
    bool has_gap;
    bool is_dry;
  };
  Told tell(std::uint32_t id) noexcept;
  // A record without it would say less.
  bool has_facts(std::uint32_t id) const noexcept {
    const Conversation& c = table_[id];
    return c.phase != Phase::over || c.parser != kNoParser || c.facts.bytes != 0 ||
           c.facts.is_dry || c.is_dry;
  }

  // What parsers have said of other sessions.
  LinkNotes& links() noexcept { return links_; }
  const LinkNotes& links() const noexcept { return links_; }

  // The record is written, or there is nothing for it.
  void release(std::uint32_t id) noexcept;

  [[gnu::always_inline]] void prefetch(std::uint32_t id) const noexcept {
    const char* lines = reinterpret_cast<const char*>(&table_.data()[id]);
    __builtin_prefetch(lines, 1);
    __builtin_prefetch(lines + 64, 1);
  }

  std::uint32_t used() const noexcept { return used_; }
  std::uint32_t blocks_used() const noexcept { return pool_.used(); }
  void populate() noexcept { table_.populate(), pool_.populate(); }

 private:
  static constexpr std::uint8_t kNoParser = kNoProtocol;
  static constexpr std::uint8_t kStagesMax = 8;
  // Datagrams before a session is unknown; before DTLS there are several of STUN.
  static constexpr std::uint8_t kTriesMax = 16;
  static constexpr std::uint8_t kWaitingMax = 16;  // datagrams of a side, before their turn

  enum class Phase : std::uint8_t { detecting, parsing, over };

  struct Side {
    std::uint64_t skip = 0;       // bytes to come that nobody looks at
    BlockId kept = kNoMemory;     // bytes not taken yet: a block of them,
    std::uint32_t kept_from = 0;  // where in it they begin
    std::uint32_t kept_bytes = 0;
    std::uint32_t need = 0;    // not to ask again before there are so many
    std::uint8_t waiting = 0;  // datagrams that are kept
    bool has_ended = false;
    bool is_offered = false;    // to detection or a parser, now
    bool matches_none = false;  // what is kept: neither a parser's pattern nor a signature
  };
  struct Conversation {
    std::array<Side, 2> sides;
    FactChain facts;
    Timestamp now{};
    ParserSet unwanted = 0;
    BlockId state = kNoMemory;
    std::uint32_t next_free = kNone;
    Carrier carrier = Carrier::stream;
    std::uint8_t parser = kNoParser;  // the last one that was found
    std::uint8_t opener = 0;
    std::uint8_t stages = 0;  // parsers started
    std::uint8_t tries = 0;   // datagrams that none was found for
    bool is_named = false;    // by a signature, behind what a parser read: an item of no parser
    bool is_malformed = false;
    bool has_gap = false;
    bool is_dry = false;
    // Far from `parser`: has_facts() asks for both, in one load if it can, which would wait for the
    // narrow store that ends the conversation.
    Phase phase = Phase::detecting;
  };
  static_assert(sizeof(Conversation) <= kBytesEach);

  struct Datagram {
    Bytes bytes;
    std::uint32_t sent_bytes;
  };

  static Wanted wanted(const Conversation& c, unsigned side) noexcept;
  void pump(Conversation& c, unsigned side, Bytes fresh) noexcept;
  void offer(Conversation& c, unsigned side, Bytes fresh) noexcept;
  enum class Detected : std::uint8_t { started, unsure, nothing };
  Detected detect(Conversation& c, Bytes bytes, bool is_last) noexcept;
  void name(Conversation& c, std::uint16_t signature) noexcept;
  void note_first(Conversation& c, unsigned side, Bytes datagram) noexcept;
  void start(Conversation& c, std::uint8_t parser) noexcept;
  Answer parse(Conversation& c, unsigned side, Bytes bytes) noexcept;
  Answer::Kind read(Conversation& c, unsigned side, const Datagram& datagram,
                    bool can_wait) noexcept;
  void keep(Conversation& c, unsigned side, const Datagram& datagram) noexcept;
  void offer_kept(Conversation& c, unsigned side) noexcept;
  void flush_kept(Conversation& c, unsigned side) noexcept;
  Datagram kept_datagram(const Side& side, std::uint32_t at) noexcept;
  void drop_datagram(Side& side, std::uint32_t at) noexcept;
  void obey(Conversation& c, unsigned side, const Answer& answer) noexcept;
  void take_up(Conversation& c, unsigned side) noexcept;
  void give_up(Conversation& c, unsigned side) noexcept;
  void hand_over(Conversation& c, unsigned side) noexcept;
  void end_detection(Conversation& c, unsigned side) noexcept;
  void finish(Conversation& c) noexcept;
  void end_side(Conversation& c, unsigned side) noexcept;
  void end_parser(Conversation& c) noexcept;
  void note_malformed(Conversation& c) noexcept;
  void run_dry(Conversation& c) noexcept;

  std::size_t keep(Conversation& c, Side& side, Bytes bytes) noexcept;
  void drop_kept(Side& side) noexcept;
  Facts facts_of(Conversation& c, ItemWriter* direct = nullptr, bool can_wait = false) noexcept;
  const Parser& parser_of(const Conversation& c) const noexcept { return *kParsers[c.parser]; }
  void* state_of(const Conversation& c) noexcept { return pool_.data(c.state); }

  const ConversationLimits limits_;
  const Detector* detector_;
  const std::size_t shard_;
  ParserCounters& counters_;
  Array<Conversation> table_;
  std::uint32_t free_ = kNone;
  std::uint32_t untouched_ = 0;
  std::uint32_t used_ = 0;
  ParserMemory pool_;
  LinkNotes links_;
  std::unique_ptr<std::array<std::uint8_t, kSessionItemsMax>> told_;
  using Tools = std::unique_ptr<void, void (*)(void*) noexcept>;
  std::vector<Tools> tools_;  // by parser
};

}  // namespace linger
