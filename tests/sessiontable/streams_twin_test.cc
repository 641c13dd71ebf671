// Streams against a naive reassembler: the first byte seen of each offset.
#include "tests/sessiontable/stream_run.h"
#include "tests/simulation/random.h"

namespace linger::test {
namespace {

// The naive reassembler of one direction; -1: never seen.
class ByteMap {
 public:
  void see(std::size_t offset, std::string_view bytes) {
    if (first_.size() < offset + bytes.size()) first_.resize(offset + bytes.size(), -1);
    for (std::size_t i = 0; i < bytes.size(); ++i)
      if (first_[offset + i] < 0) first_[offset + i] = static_cast<std::uint8_t>(bytes[i]);
  }
  int at(std::size_t offset) const { return offset < first_.size() ? first_[offset] : -1; }
  std::vector<int> bytes(std::size_t end) const {
    std::vector<int> all = first_;
    all.resize(end, -1);
    return all;
  }

 private:
  std::vector<int> first_;
};

struct Piece {
  unsigned side;
  std::int64_t offset;
  std::string bytes;
  std::uint32_t captured;
  bool is_fin = false;
};

std::string random_bytes(Random& random, std::size_t count) {
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  return bytes;
}

struct Shape {
  int lost_percent = 0;
  int again_percent = 0;        // sent twice, in other pieces
  int other_bytes_percent = 0;  // of those, with other bytes
  int cut_percent = 0;          // by the snap length
  std::int64_t reorder = 0;     // a piece moves at most so many places
};

// One direction's bytes in pieces, as they arrive.
void add_pieces(std::vector<Piece>& pieces, Random& random, unsigned side, const Shape& shape,
                const std::string& text) {
  const auto size = static_cast<std::int64_t>(text.size());
  const std::int64_t largest = random.pick({20, 150, 1460, 9000});
  for (std::int64_t at = 0; at < size;) {
    const std::int64_t count = std::min(size - at, random.between(1, largest));
    Piece piece{side, at,
                text.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(count)),
                static_cast<std::uint32_t>(count)};
    at += count;
    if (random.chance(shape.lost_percent)) continue;
    if (random.chance(shape.cut_percent))
      piece.captured = static_cast<std::uint32_t>(random.below(count + 1));
    pieces.push_back(piece);
    if (!random.chance(shape.again_percent)) continue;
    const std::int64_t from = std::max<std::int64_t>(0, at - random.between(1, 2 * largest));
    const std::int64_t length = std::min(size - from, random.between(1, 2 * largest));
    Piece again{side, from,
                text.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(length)),
                static_cast<std::uint32_t>(length)};
    if (random.chance(shape.other_bytes_percent))
      again.bytes = random_bytes(random, again.bytes.size());
    pieces.push_back(again);
  }
  pieces.push_back({side, size, "", 0, true});
}

void reorder(std::vector<Piece>& pieces, Random& random, std::int64_t reach) {
  if (reach == 0) return;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto last = static_cast<std::int64_t>(pieces.size() - 1 - i);
    std::swap(pieces[i],
              pieces[i + static_cast<std::size_t>(random.below(std::min(last, reach) + 1))]);
  }
}

struct Twin {
  Random random;
  std::array<std::uint32_t, 2> first_byte;
  std::array<std::string, 2> text;
  std::array<ByteMap, 2> map;
  std::vector<Piece> pieces;

  Twin(std::uint64_t seed, const Shape& shape, std::int64_t bytes_max) : random(seed) {
    for (unsigned side = 0; side < 2; ++side) {
      // Half of them come past the wrap of the sequence numbers.
      first_byte[side] = static_cast<std::uint32_t>(
          random.chance(50) ? random.next()
                            : 0u - static_cast<std::uint64_t>(random.below(bytes_max)));
      text[side] = random_bytes(random, static_cast<std::size_t>(random.between(0, bytes_max)));
      add_pieces(pieces, random, side, shape, text[side]);
    }
    reorder(pieces, random, shape.reorder);
  }

  void send(StreamRun& run, const Piece& piece, std::optional<std::uint32_t> acknowledgment = {}) {
    const auto sequence = first_byte[piece.side] + static_cast<std::uint32_t>(piece.offset);
    const auto flags = static_cast<std::uint8_t>(piece.is_fin ? kTcpFin : 0);
    run.send(piece.side, sequence, piece.bytes,
             {.flags = flags, .acknowledgment = acknowledgment, .captured = piece.captured});
    map[piece.side].see(static_cast<std::size_t>(piece.offset),
                        std::string_view(piece.bytes).substr(0, piece.captured));
  }
  StreamStart start() const { return {first_byte, {true, true}}; }
};

constexpr std::uint64_t kSeeds = 200;

TEST(streams_twin, any_segmentation_order_and_repetition_gives_the_same_bytes) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Twin twin(seed, {.again_percent = 20, .reorder = 10}, 20'000);
    StreamRun run;
    run.open(twin.start());
    for (const Piece& piece : twin.pieces) twin.send(run, piece);
    for (unsigned side = 0; side < 2; ++side) {
      EXPECT_EQ(run.seen[side].bytes, twin.map[side].bytes(twin.text[side].size()));
      EXPECT_EQ(run.seen[side].text(), twin.text[side]);
      EXPECT_EQ(run.seen[side].end, StreamEnd::finished);
    }
    EXPECT_EQ(run.counters.stream_conflicts.value(), 0u);
    EXPECT_FALSE(run.is_open);
    EXPECT_EQ(run.counters.stream_hold_full.value(), 0u);
    run.end();
    if (HasFailure()) break;
  }
}

// A thousand pieces with holes between them, then what fills these, each in any order.
TEST(streams_twin, many_pieces_in_any_order_give_the_same_bytes) {
  constexpr std::uint32_t kPieces = HeldPool::kBlocksMax;
  StreamLimits limits = stream_limits();
  limits.blocks = 3 * kPieces;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const std::string text = random_bytes(random, 3 * kPieces + 1);
    const auto piece = [&](std::uint32_t offset, std::uint32_t count) {
      return Piece{0, offset, text.substr(offset, count), count};
    };
    std::vector<Piece> pieces, fillings;
    for (std::uint32_t i = 0; i < kPieces; ++i) {
      pieces.push_back(piece(3 * i + 1, 2));
      fillings.push_back(piece(3 * i, 1));
    }
    reorder(pieces, random, kPieces);
    reorder(fillings, random, kPieces);
    std::swap(fillings.back(), *std::find_if(fillings.begin(), fillings.end(),
                                             [](const Piece& p) { return p.offset == 0; }));
    pieces.insert(pieces.end(), fillings.begin(), fillings.end());
    StreamRun run(limits);
    run.open();
    for (const Piece& p : pieces) run.send(0, 1 + static_cast<std::uint32_t>(p.offset), p.bytes);
    EXPECT_EQ(run.seen[0].text(), text.substr(0, 3 * kPieces));
    EXPECT_EQ(run.counters.stream_conflicts.value(), 0u);
    EXPECT_EQ(run.counters.stream_hold_full.value(), 0u);
    run.end();
  }
}

// Two sides talk in turn; each side's pieces are in order, one side's are late by a random number
// of pieces. What a piece acknowledges has been delivered before it.
TEST(streams_twin, however_late_one_side_is_no_answer_comes_before_its_question) {
  struct Turn {
    unsigned side;
    std::uint32_t offset, heard;  // of its side; of the other one
  };
  std::uint64_t early = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const std::array<std::uint32_t, 2> first = {static_cast<std::uint32_t>(random.next()),
                                                static_cast<std::uint32_t>(random.next())};
    std::array<std::vector<Turn>, 2> turns;
    std::array<std::uint32_t, 2> said{};
    for (int i = 0; i < 60; ++i) {
      const auto side = static_cast<unsigned>(random.below(2));
      turns[side].push_back({side, said[side], said[side ^ 1]});
      ++said[side];
    }
    StreamRun run;
    run.open({first, {true, true}});
    std::array<std::size_t, 2> next{};
    while (next[0] < turns[0].size() || next[1] < turns[1].size()) {
      const auto any = static_cast<unsigned>(random.below(2));
      const unsigned side = next[any] < turns[any].size() ? any : any ^ 1;
      const Turn& turn = turns[side][next[side]++];
      early += turn.heard > next[side ^ 1];
      run.send(side, first[side] + turn.offset, "x",
               {.acknowledgment = first[side ^ 1] + turn.heard});
      for (unsigned i = 0; i < 2; ++i) {
        const std::size_t told = run.seen[i].bytes.size();
        if (told != 0) {
          EXPECT_LE(turns[i][told - 1].heard, run.seen[i ^ 1].bytes.size());
        }
      }
    }
    for (unsigned i = 0; i < 2; ++i) EXPECT_EQ(run.seen[i].text(), std::string(said[i], 'x'));
    EXPECT_EQ(run.streams.blocks_used(), 0u);
    run.end();
    if (HasFailure()) break;
  }
  EXPECT_GT(early, kSeeds);
}

TEST(streams_twin, overlaps_with_other_bytes_and_losses_leave_the_first_bytes_seen) {
  std::uint64_t compared = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Twin twin(seed,
              {.lost_percent = 5, .again_percent = 30, .other_bytes_percent = 40, .reorder = 10},
              10'000);
    StreamRun run({.streams = 1, .blocks = 1024, .limit_bytes = 1 << 20, .reorder_window = 0});
    run.open(twin.start());
    for (const Piece& piece : twin.pieces) twin.send(run, piece);
    run.end();
    if (run.counters.stream_hold_full.value() != 0) continue;  // the last test's
    ++compared;
    for (unsigned side = 0; side < 2; ++side) {
      EXPECT_EQ(run.seen[side].bytes, twin.map[side].bytes(twin.text[side].size()));
      EXPECT_EQ(run.seen[side].end, StreamEnd::finished);
    }
    if (HasFailure()) break;
  }
  EXPECT_GT(compared, kSeeds / 2);
}

TEST(streams_twin, a_limit_cuts_the_same_bytes_short) {
  std::uint64_t compared = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Twin twin(seed, {.lost_percent = 3, .again_percent = 20, .reorder = 8}, 10'000);
    StreamLimits limits = stream_limits();
    limits.limit_bytes = static_cast<std::uint64_t>(twin.random.between(1, 8'000));
    StreamRun run(limits);
    run.open(twin.start());
    for (const Piece& piece : twin.pieces) twin.send(run, piece);
    run.end();
    if (run.counters.stream_hold_full.value() != 0) continue;
    ++compared;
    for (unsigned side = 0; side < 2; ++side) {
      const auto size = std::min<std::uint64_t>(twin.text[side].size(), limits.limit_bytes);
      EXPECT_EQ(run.seen[side].bytes, twin.map[side].bytes(size));
      EXPECT_EQ(run.seen[side].end,
                size == limits.limit_bytes ? StreamEnd::limit : StreamEnd::finished);
    }
    if (HasFailure()) break;
  }
  EXPECT_GT(compared, kSeeds / 2);
}

// Pools that run dry, ACKs that run ahead, cut-off payload, readers that are done: where the gaps
// are is not said, but every byte told is the first one seen of its place.
TEST(streams_twin, whatever_is_given_up_no_byte_is_garbled) {
  std::uint64_t dry = 0, gaps = 0;
  for (std::uint64_t seed = 1; seed <= 3 * kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Twin twin(seed,
              {.lost_percent = 10,
               .again_percent = 40,
               .other_bytes_percent = 20,
               .cut_percent = 5,
               .reorder = 40},
              60'000);
    StreamRun run({.streams = 1,
                   .blocks = static_cast<std::uint32_t>(twin.random.between(1, 120)),
                   .limit_bytes = static_cast<std::uint64_t>(twin.random.between(1, 100'000)),
                   .reorder_window = kMillisecond});
    run.open(twin.start());
    if (twin.random.chance(30)) {
      run.reader.answer = twin.random.pick({StreamAnswer::done, StreamAnswer::side_done});
      run.reader.answer_from = static_cast<std::uint64_t>(twin.random.below(50'000));
    }
    for (const Piece& piece : twin.pieces) {
      const unsigned peer = piece.side ^ 1;
      const auto ahead = static_cast<std::uint32_t>(twin.random.below(70'000));
      run.clock += twin.random.below(kMillisecond);
      twin.send(
          run, piece,
          twin.random.chance(10) ? std::optional(twin.first_byte[peer] + ahead) : std::nullopt);
    }
    run.end();
    for (unsigned side = 0; side < 2; ++side) {
      const std::vector<int>& seen = run.seen[side].bytes;
      for (std::size_t i = 0; i < seen.size(); ++i)
        if (seen[i] >= 0) {
          ASSERT_EQ(seen[i], twin.map[side].at(i));
        }
    }
    dry += run.counters.stream_pool_dry.value();
    gaps += run.counters.stream_gaps.value();
    if (HasFailure()) break;
  }
  EXPECT_GT(dry, 0u);
  EXPECT_GT(gaps, 0u);
}

}  // namespace
}  // namespace linger::test
