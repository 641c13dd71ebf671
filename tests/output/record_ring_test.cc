#include "output/record_ring.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/output/sample_record.h"

namespace linger {
namespace {

// With what records have beside them in turn: nothing, rare fields, items, both.
Record record_number(std::uint32_t number) {
  Record r = sample_record();
  r.sequence = number;
  if (number % 2 != 0) r.late_packets[0] = number;
  if (number % 4 >= 2) r.items_bytes = 1 + number % 100;
  r.mark_usual();
  return r;
}

std::vector<std::uint8_t> items_of(const Record& r) {
  return std::vector<std::uint8_t>(r.items_bytes, static_cast<std::uint8_t>(r.sequence));
}

TEST(record_ring, what_comes_out_is_what_went_in) {
  constexpr std::uint32_t kRecords = 1'000;
  RecordRing ring(4);
  std::uint32_t pushed = 0, taken = 0, full = 0;
  while (taken < kRecords) {
    const Record r = record_number(pushed);
    if (pushed < kRecords && ring.push(r, items_of(r))) {
      ++pushed;
      continue;
    }
    ++full;
    ring.consume(1 + taken % 7, [&](const Record& record, Bytes items) {
      const Record expected = record_number(taken++);
      EXPECT_EQ(line_of(record), line_of(expected));
      EXPECT_TRUE(record.rare() == expected.rare());
      EXPECT_EQ(std::vector(items.begin(), items.end()), items_of(expected));
    });
  }
  EXPECT_EQ(taken, kRecords);
  EXPECT_GE(full, kRecords / 7);
  EXPECT_EQ(ring.consume(1, [](const Record&, Bytes) {}), 0u);
}

}  // namespace
}  // namespace linger
