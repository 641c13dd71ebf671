#include "parsers/conversations.h"

#include <algorithm>
#include <cstring>

#include "parsers/quic.h"

namespace linger {
namespace {

constexpr std::uint64_t kForGood = UINT64_MAX;  // Side::skip of a side that nobody reads on
constexpr std::uint32_t kDatagramHeadBytes = 8;

// This many of `count` bytes are skipped.
std::uint64_t skipped(std::uint64_t& skip, std::uint64_t count) noexcept {
  if (skip == kForGood) return count;
  const std::uint64_t unseen = std::min(skip, count);
  skip -= unseen;
  return unseen;
}

}  // namespace

Conversations::Conversations(const ConversationLimits& limits, const Detector& detector,
                             std::size_t shard, ParserCounters& counters)
    : limits_(limits),
      detector_(&detector),
      shard_(shard),
      counters_(counters),
      table_(limits.conversations),
      pool_(limits.memory),
      links_(counters),
      told_(std::make_unique<std::array<std::uint8_t, kSessionItemsMax>>()) {
  for (const Parser* parser : kParsers) {
    const bool has_tools = parser->make_tools != nullptr;
    tools_.push_back(has_tools ? Tools(parser->make_tools(), parser->free_tools)
                               : Tools(nullptr, [](void*) noexcept {}));
  }
}

// --- From the streams ---------------------------------------------------------------------------

std::uint32_t Conversations::open(Carrier carrier, unsigned opener, ParserSet unwanted) noexcept {
  std::uint32_t id = free_;
  if (id != kNone) {
    free_ = table_[id].next_free;
  } else if (untouched_ < limits_.conversations) {
    id = untouched_++;
  } else {
    counters_.conversations_dry.add();
    return kNone;
  }
  ++used_;
  Conversation& c = table_[id];
  c = {};
  c.carrier = carrier;
  c.opener = static_cast<std::uint8_t>(opener);
  c.unwanted = unwanted;
  counters_.conversations.add();
  return id;
}

Conversations::Wanted Conversations::wanted(const Conversation& c, unsigned side) noexcept {
  if (c.phase == Phase::over) return Wanted::nothing;
  const bool is_unknown = c.phase == Phase::detecting && c.sides[side].skip == kForGood;
  return is_unknown ? Wanted::unknown : Wanted::more;
}

Conversations::Wanted Conversations::on_data(std::uint32_t id, unsigned side,
                                             Bytes bytes) noexcept {
  Conversation& c = table_[id];
  pump(c, side, bytes);
  return wanted(c, side);
}

Conversations::Wanted Conversations::on_gap(std::uint32_t id, unsigned side,
                                            std::uint64_t count) noexcept {
  Conversation& c = table_[id];
  Side& s = c.sides[side];
  if (s.kept_bytes == 0) count -= skipped(s.skip, count);
  if (count == 0 || c.phase == Phase::over) return wanted(c, side);
  if (c.phase == Phase::detecting) {
    give_up(c, side);
  } else {
    c.has_gap = true;
    counters_.parser_gaps.add();
    const Parser& parser = parser_of(c);
    Bytes left;
    if (s.kept_bytes != 0) left = {pool_.data(s.kept) + s.kept_from, s.kept_bytes};
    Facts facts = facts_of(c);
    obey(c, side,
         parser.on_gap != nullptr ? parser.on_gap(state_of(c), side, left, count, facts)
                                  : Answer::done());
    drop_kept(s);
  }
  return wanted(c, side);
}

[[gnu::always_inline]] inline Answer::Kind Conversations::read(Conversation& c, unsigned side,
                                                               const Datagram& datagram,
                                                               bool can_wait) noexcept {
  Facts facts = facts_of(c, nullptr, can_wait);
  const Answer answer =
      parser_of(c).on_datagram(state_of(c), side, datagram.bytes, datagram.sent_bytes, facts);
  if (answer.kind == Answer::Kind::malformed) note_malformed(c);  // the next one may be better
  return answer.kind;
}

Conversations::Wanted Conversations::on_datagram(std::uint32_t id, unsigned side, Bytes bytes,
                                                 std::uint32_t sent_bytes) noexcept {
  Conversation& c = table_[id];
  if (c.phase == Phase::detecting && detect(c, bytes, true) != Detected::started) {
    if (c.tries == 0) note_first(c, side, bytes);
    if (++c.tries == kTriesMax) finish(c);
  }
  if (c.phase != Phase::parsing) return wanted(c, side);
  const Datagram datagram{bytes, sent_bytes};
  const Answer::Kind answer = read(c, side, datagram, true);
  if (answer == Answer::Kind::later) {
    keep(c, side, datagram);
  } else if (answer == Answer::Kind::done) {
    finish(c);
  } else if (c.sides[side].waiting != 0) {
    offer_kept(c, side);
  }
  return wanted(c, side);
}

void Conversations::on_end(std::uint32_t id, unsigned side) noexcept {
  Conversation& c = table_[id];
  if (c.phase == Phase::over) return;
  if (c.phase == Phase::detecting) end_detection(c, side);
  end_side(c, side);
  const Side& other = c.sides[side ^ 1];
  if (other.has_ended || (c.phase == Phase::detecting && other.skip == kForGood)) finish(c);
}

// --- A side's bytes -----------------------------------------------------------------------------

// A side that is being offered further up goes on there: what it has left came later than what the
// other side has kept.
void Conversations::pump(Conversation& c, unsigned side, Bytes fresh) noexcept {
  Side& s = c.sides[side];
  if (s.is_offered) return;
  s.is_offered = true;
  offer(c, side, fresh);
  s.is_offered = false;
}

// What a parser says of these bytes; an answer that would ask the same for ever is none.
[[gnu::always_inline]] inline Answer Conversations::parse(Conversation& c, unsigned side,
                                                          Bytes bytes) noexcept {
  Facts facts = facts_of(c);
  const Answer answer = parser_of(c).on_data(state_of(c), side, bytes, facts);
  const bool is_stuck = answer.kind == Answer::Kind::need
                            ? answer.bytes <= bytes.size() || answer.bytes > kUnitBytesMax
                            : answer.bytes == 0 && (answer.kind == Answer::Kind::took ||
                                                    answer.kind == Answer::Kind::later);
  return is_stuck ? Answer::malformed() : answer;
}

// Offers what is kept of this side and what is new, until it is used up or more is needed.
void Conversations::offer(Conversation& c, unsigned side, Bytes fresh) noexcept {
  Side& s = c.sides[side];
  while (c.phase != Phase::over) {
    if (s.kept_bytes == 0) fresh = fresh.subspan(skipped(s.skip, fresh.size()));
    if (s.kept_bytes + fresh.size() == 0) return;
    const bool is_kept = s.kept_bytes != 0 || fresh.size() < s.need;
    if (is_kept) {
      fresh = fresh.subspan(keep(c, s, fresh));
      if (c.phase == Phase::over || s.kept_bytes < s.need) return;
    }
    const Bytes view = is_kept ? Bytes{pool_.data(s.kept) + s.kept_from, s.kept_bytes} : fresh;
    if (c.phase == Phase::detecting) {
      const bool is_last = view.size() >= kDetectBytesMax;
      const Detected found = detect(c, view.first(std::min(view.size(), kDetectBytesMax)), is_last);
      if (found == Detected::started) {
        pump(c, side ^ 1, {});
      } else if (is_last) {
        give_up(c, side);
      } else {
        s.need = static_cast<std::uint32_t>(view.size()) + 1;
        s.matches_none = found == Detected::nothing;
      }
      continue;
    }
    const Answer answer = parse(c, side, view);
    if (answer.kind == Answer::Kind::done || answer.kind == Answer::Kind::malformed) {
      drop_kept(s);  // they were seen
    } else if (answer.kind != Answer::Kind::need) {
      const std::size_t there = std::min<std::uint64_t>(answer.bytes, view.size());
      s.skip = answer.bytes == kForGood ? kForGood : answer.bytes - there;
      s.need = 0;
      if (is_kept) {
        s.kept_from += static_cast<std::uint32_t>(there);
        s.kept_bytes -= static_cast<std::uint32_t>(there);
        if (s.kept_bytes == 0) drop_kept(s);
      } else {
        fresh = fresh.subspan(there);
      }
    }
    obey(c, side, answer);
  }
}

// What an answer brings about beside the bytes it took.
void Conversations::obey(Conversation& c, unsigned side, const Answer& answer) noexcept {
  switch (answer.kind) {
    case Answer::Kind::took:
      break;
    case Answer::Kind::need:
      c.sides[side].need = static_cast<std::uint32_t>(answer.bytes);
      break;
    case Answer::Kind::malformed:
      note_malformed(c);
      [[fallthrough]];
    case Answer::Kind::done:
      finish(c);
      break;
    case Answer::Kind::hand_over:
      hand_over(c, side);
      break;
    case Answer::Kind::later:  // of datagrams
      break;
  }
}

// Puts bytes behind those kept, as many as fit, in a block that what is needed fits in.
std::size_t Conversations::keep(Conversation& c, Side& s, Bytes bytes) noexcept {
  if (bytes.empty()) return 0;
  const std::size_t wanted =
      std::min(std::max<std::size_t>(s.need, s.kept_bytes + bytes.size()), kUnitBytesMax);
  if (s.kept == kNoMemory || s.kept_from + wanted > ParserMemory::bytes_of(s.kept)) {
    BlockId block = s.kept;
    if (block == kNoMemory || wanted > ParserMemory::bytes_of(block)) block = pool_.take(wanted);
    if (block == kNoMemory) {
      run_dry(c);
      return 0;
    }
    if (s.kept != kNoMemory) {
      std::memmove(pool_.data(block), pool_.data(s.kept) + s.kept_from, s.kept_bytes);
      if (block != s.kept) pool_.give_back(s.kept);
    }
    s.kept = block;
    s.kept_from = 0;
  }
  const std::uint32_t end = s.kept_from + s.kept_bytes;
  const std::size_t count =
      std::min<std::size_t>(bytes.size(), ParserMemory::bytes_of(s.kept) - end);
  std::memcpy(pool_.data(s.kept) + end, bytes.data(), count);
  s.kept_bytes += static_cast<std::uint32_t>(count);
  return count;
}

void Conversations::drop_kept(Side& s) noexcept {
  if (s.kept != kNoMemory) pool_.give_back(s.kept);
  s.kept = kNoMemory;
  s.kept_from = s.kept_bytes = s.need = 0;
  s.waiting = 0;
  s.matches_none = false;
}

// --- Datagrams ----------------------------------------------------------------------------------

// Each lies behind its numbers of bytes. Where there is no room, those that wait are given up.
void Conversations::keep(Conversation& c, unsigned side, const Datagram& datagram) noexcept {
  Side& s = c.sides[side];
  const std::array<std::uint32_t, 2> head = {static_cast<std::uint32_t>(datagram.bytes.size()),
                                             datagram.sent_bytes};
  const std::size_t bytes = sizeof head + datagram.bytes.size();
  if (s.waiting == kWaitingMax || s.kept_bytes + bytes > kUnitBytesMax) {
    flush_kept(c, side);
    if (c.phase == Phase::over || bytes > kUnitBytesMax) return;
    if (read(c, side, datagram, true) != Answer::Kind::later) return;
  }
  s.need = static_cast<std::uint32_t>(s.kept_bytes + bytes);
  keep(c, s, {reinterpret_cast<const std::uint8_t*>(head.data()), sizeof head});
  if (c.phase == Phase::over) return;
  keep(c, s, datagram.bytes);
  ++s.waiting;
}

// Those whose turn has come, until it has for none of them.
void Conversations::offer_kept(Conversation& c, unsigned side) noexcept {
  Side& s = c.sides[side];
  for (std::uint32_t at = 0; at < s.kept_bytes;) {
    const Datagram datagram = kept_datagram(s, at);
    const Answer::Kind answer = read(c, side, datagram, true);
    if (answer == Answer::Kind::done) {
      drop_kept(s);
      return finish(c);
    }
    if (answer == Answer::Kind::later) {
      at += kDatagramHeadBytes + static_cast<std::uint32_t>(datagram.bytes.size());
    } else {
      drop_datagram(s, at);
      at = 0;
    }
  }
}

// The first of them waits no longer. If something was given up for it, it may be another one's turn
// before it: so each is asked twice.
void Conversations::flush_kept(Conversation& c, unsigned side) noexcept {
  Side& s = c.sides[side];
  for (unsigned tries = 2u * s.waiting; tries != 0 && s.waiting != 0; --tries) {
    const Answer::Kind answer = read(c, side, kept_datagram(s, 0), false);
    if (answer == Answer::Kind::done) {
      drop_kept(s);
      return finish(c);
    }
    if (answer != Answer::Kind::later) drop_datagram(s, 0);
    offer_kept(c, side);
  }
  drop_kept(s);
}

Conversations::Datagram Conversations::kept_datagram(const Side& s, std::uint32_t at) noexcept {
  const std::uint8_t* const place = pool_.data(s.kept) + s.kept_from + at;
  std::array<std::uint32_t, 2> head;
  std::memcpy(head.data(), place, sizeof head);
  static_assert(sizeof head == kDatagramHeadBytes);
  return {{place + sizeof head, head[0]}, head[1]};
}

void Conversations::drop_datagram(Side& s, std::uint32_t at) noexcept {
  std::uint8_t* const place = pool_.data(s.kept) + s.kept_from + at;
  const std::uint32_t bytes =
      kDatagramHeadBytes + static_cast<std::uint32_t>(kept_datagram(s, at).bytes.size());
  s.kept_bytes -= bytes;
  --s.waiting;
  std::memmove(place, place + bytes, s.kept_bytes - at);
  if (s.kept_bytes == 0) drop_kept(s);
}

// --- Parsers ------------------------------------------------------------------------------------

// Starts the first candidate that does not refuse; one that would know with more bytes is waited
// for, before those behind it are asked. `is_last`: no more bytes are looked at, so that, if no
// parser takes them, a signature may name them.
Conversations::Detected Conversations::detect(Conversation& c, Bytes bytes, bool is_last) noexcept {
  counters_.detections.add();
  const Bytes first = bytes.first(std::min(bytes.size(), kDetectBytesMax));
  const Candidates candidates = detector_->candidates(shard_, c.carrier, first);
  for (const std::uint8_t parser : candidates.parsers()) {
    if ((c.unwanted >> parser & 1) != 0) continue;
    const Detection detection = kParsers[parser]->detect(c.carrier, bytes);
    if (detection == Detection::yes) {
      start(c, parser);
      return c.phase == Phase::parsing ? Detected::started : Detected::unsure;
    }
    if (detection == Detection::maybe && !is_last) return Detected::unsure;
  }
  if (is_last && candidates.signature != kNoSignature) name(c, candidates.signature);
  const bool has_any = !candidates.parsers().empty() || candidates.signature != kNoSignature;
  return has_any ? Detected::unsure : Detected::nothing;
}

// The first name stays, until a parser is found. It is kept as an item of no parser, as the
// detector may be another one when the record is written.
void Conversations::name(Conversation& c, std::uint16_t signature) noexcept {
  if (c.is_named) return;
  const std::uint32_t before = c.facts.bytes;
  Facts facts = facts_of(c).of(kNoParser);
  facts.text(SessionItem::name, detector_->signature_name(signature));
  c.is_named = c.facts.bytes != before;
  if (c.stages == 0) counters_.recognised.add();
}

// An unknown session may go on with a QUIC connection, and then begins with its id: where that
// would stand is kept for the output, which knows of all connections.
void Conversations::note_first(Conversation& c, unsigned side, Bytes datagram) noexcept {
  if (c.phase != Phase::detecting || c.is_named || side != c.opener) return;
  if (!Quic::has_short_header(datagram)) return;
  Facts facts = facts_of(c);
  facts.bytes(SessionItem::first_id, datagram.subspan(1, LinkKey::kIdBytesMax));
}

// What a side that ends early has said, looked at once more.
void Conversations::end_detection(Conversation& c, unsigned side) noexcept {
  const Side& s = c.sides[side];
  if (s.kept_bytes == 0 || s.matches_none) return;
  const Bytes kept{pool_.data(s.kept) + s.kept_from, s.kept_bytes};
  if (detect(c, kept, true) == Detected::started) {
    c.sides[side].need = 0;
    pump(c, side, {});
    pump(c, side ^ 1, {});
  }
}

void Conversations::start(Conversation& c, std::uint8_t parser) noexcept {
  c.state = pool_.take(kParsers[parser]->state_bytes);
  if (c.state == kNoMemory) return run_dry(c);
  kParsers[parser]->start(pool_.data(c.state));
  c.parser = parser;
  c.phase = Phase::parsing;
  if (c.stages++ == 0 && !c.is_named) counters_.recognised.add();
  c.is_named = false;
  c.sides[0].need = c.sides[1].need = 0;
  for (unsigned side = 0; side < 2; ++side)
    if (c.sides[side].skip == kForGood) take_up(c, side);
}

// A side that was given up goes on as behind a gap, if the parser can.
void Conversations::take_up(Conversation& c, unsigned side) noexcept {
  if (parser_of(c).on_gap == nullptr) return;
  std::uint64_t& skip = c.sides[side].skip;
  skip = 0;
  Facts facts = facts_of(c);
  const Answer answer = parser_of(c).on_gap(state_of(c), side, {}, 0, facts);
  if (answer.kind != Answer::Kind::took) skip = kForGood;
}

// Nothing tells what this side says: it is read on only if the other one does.
void Conversations::give_up(Conversation& c, unsigned side) noexcept {
  drop_kept(c.sides[side]);
  c.sides[side].skip = kForGood;
  const Side& other = c.sides[side ^ 1];
  if (other.has_ended || other.skip == kForGood) finish(c);
}

// Both sides are looked at anew, from where they stand.
void Conversations::hand_over(Conversation& c, unsigned side) noexcept {
  end_parser(c);
  if (c.stages == kStagesMax) return finish(c);
  c.phase = Phase::detecting;
  for (Side& s : c.sides) {
    s.need = 0;
    s.matches_none = false;
    if (s.skip == kForGood) s.skip = 0;
  }
  pump(c, side ^ 1, {});
}

void Conversations::end_parser(Conversation& c) noexcept {
  if (c.state == kNoMemory) return;
  Facts facts = facts_of(c);
  if (parser_of(c).tell != nullptr) parser_of(c).tell(state_of(c), facts);
  pool_.give_back(c.state);
  c.state = kNoMemory;
}

// What is left of this side goes to its parser, which learns that no more comes.
void Conversations::end_side(Conversation& c, unsigned side) noexcept {
  Side& s = c.sides[side];
  if (s.waiting != 0) flush_kept(c, side);
  if (c.state != kNoMemory && parser_of(c).on_end != nullptr && !s.has_ended) {
    s.has_ended = true;
    Bytes left;
    if (s.kept_bytes != 0) left = {pool_.data(s.kept) + s.kept_from, s.kept_bytes};
    Facts facts = facts_of(c);
    parser_of(c).on_end(state_of(c), side, left, facts);
  }
  s.has_ended = true;
  drop_kept(s);
}

void Conversations::finish(Conversation& c) noexcept {
  for (unsigned side = 0; side < 2; ++side)
    if (c.sides[side].kept != kNoMemory) end_side(c, side);
  end_parser(c);
  c.phase = Phase::over;
}

void Conversations::note_malformed(Conversation& c) noexcept {
  c.is_malformed = true;
  counters_.parser_malformed.add();
}

void Conversations::run_dry(Conversation& c) noexcept {
  c.is_dry = true;
  finish(c);
}

Facts Conversations::facts_of(Conversation& c, ItemWriter* direct, bool can_wait) noexcept {
  return Facts({.pool = pool_,
                .chain = c.facts,
                .direct = direct,
                .rows_max = limits_.transactions,
                .certificates_max = limits_.certificates,
                .protocol = c.parser,
                .opener = c.opener,
                .now = c.now,
                .unseen = {c.sides[0].skip, c.sides[1].skip},
                .tools = c.parser != kNoParser ? tools_[c.parser].get() : nullptr,
                .links = links_,
                .reader = static_cast<std::uint32_t>(&c - table_.data()),
                .can_wait = can_wait});
}

// --- For the record -----------------------------------------------------------------------------

Conversations::Told Conversations::tell(std::uint32_t id) noexcept {
  Conversation& c = table_[id];
  copy_chain(pool_, c.facts, told_->data());
  std::size_t bytes = c.facts.bytes;
  if (c.phase == Phase::parsing && parser_of(c).tell != nullptr) {
    ItemWriter direct({told_->data() + bytes, told_->size() - kRuleItemsMax - bytes});
    Facts facts = facts_of(c, &direct);
    parser_of(c).tell(state_of(c), facts);
    bytes += direct.items().size();
  }
  const Bytes items{told_->data(), bytes};
  std::string_view protocol;
  std::uint8_t naming_field = kNoField;
  const std::uint8_t namer = c.is_named ? kNoParser : c.parser;
  if (c.is_named) {
    naming_field = static_cast<std::uint8_t>(SessionItem::name);
  } else if (c.parser != kNoParser) {
    protocol = parser_of(c).protocol.name;
    naming_field = parser_of(c).protocol.naming_field;
  }
  if (naming_field != kNoField) {
    ItemReader reader(items);
    for (Item item; reader.next(item);)
      if (item.protocol == namer && item.field == naming_field)
        protocol = {reinterpret_cast<const char*>(item.value.data()), item.value.size()};
  }
  return {.items = items,
          .room = std::span(*told_).subspan(bytes),
          .protocol = protocol,
          .transactions_dropped = c.facts.rows_dropped,
          .values_dropped = c.facts.dropped,
          .is_malformed = c.is_malformed,
          .has_gap = c.has_gap,
          .is_dry = c.is_dry || c.facts.is_dry};
}

void Conversations::release(std::uint32_t id) noexcept {
  Conversation& c = table_[id];
  finish(c);
  if (c.is_dry || c.facts.is_dry) counters_.parser_memory_dry.add();
  counters_.transactions_dropped.add(c.facts.rows_dropped);
  counters_.values_dropped.add(c.facts.dropped);
  release_chain(pool_, c.facts);
  if (!links_.is_empty())
    links_.take(id, [this](const LinkNote&) { counters_.links_dropped.add(); });
  c.next_free = free_;
  free_ = id;
  --used_;
}

}  // namespace linger
