// From a flow hash to slots: a bucketed open-addressing index, one cache line a bucket.
//
//     0                    20                             60         62        64
//    | tag[10] 16 bits each | slot[10] 32 bits each        | overflow | unused  |
//
// A slot sits in the first bucket with room, from its home bucket on; every full bucket passed on
// the way counts it in `overflow`, so a search ends at the first bucket that nobody overflowed, and
// nothing is left behind by an erase. The same hash may be in several times (incarnations of one
// key).
//
// Owner: one shard; find_shared() reads from any thread. Capacity: taken at start, filled to at
// most its IndexLoad. Cost: one line to find, to insert, to erase at usual loads; `prefetch` brings
// it a stage ahead.
#pragma once

#include <emmintrin.h>

#include <algorithm>
#include <cstdint>

#include "engine/base/flow_key.h"
#include "engine/base/mapping.h"

namespace linger {

inline constexpr std::uint32_t kNoSlot = 0xffff'ffff;

// How many of a bucket's ten entries are used on average when the index is full. Chosen by
// bench/track and bench/life: a miss among 1 M sessions costs 20 ns at 5 and 40 at 8, where
// searches go on to a second line, which nobody has asked for in time.
enum class IndexLoad : std::uint32_t {
  sparse = 5,  // where each packet searches
  dense = 6,   // where memory counts
  packed = 8,  // where it is seldom full
};

class FlowIndex {
  static constexpr std::uint32_t kEntries = 10;

  struct alignas(64) Bucket {
    std::uint16_t tag[kEntries];  // 0: free
    std::uint32_t slot[kEntries];
    std::uint16_t overflow;
    std::uint16_t unused;
  };
  static_assert(sizeof(Bucket) == 64);

 public:
  static constexpr double bytes_per_entry(IndexLoad load) noexcept {
    return 64.0 / static_cast<double>(load);
  }

  FlowIndex() = default;
  FlowIndex(std::uint64_t capacity, IndexLoad load)
      : buckets_(std::max<std::uint64_t>(capacity / static_cast<std::uint64_t>(load) + 1, 2)),
        count_(buckets_.size()) {}

  [[gnu::always_inline]] void prefetch(FlowHash hash) const noexcept {
    __builtin_prefetch(&buckets_.data()[home(hash)]);
  }

  // Calls accept(slot) for each slot under this hash's tag until it returns true; that slot, or
  // kNoSlot. A tag is 16 bits: accept must compare the key.
  template <class Accept>
  std::uint32_t find(FlowHash hash, Accept&& accept) const noexcept {
    const std::uint16_t tag = tag_of(hash);
    const std::uint64_t first = home(hash);
    std::uint64_t b = first;
    do {
      const Bucket& bucket = buckets_.data()[b];
      for (std::uint32_t matches = match(bucket, tag); matches != 0; matches &= matches - 1) {
        const std::uint32_t slot = bucket.slot[__builtin_ctz(matches)];
        if (accept(slot)) return slot;
      }
      if (bucket.overflow == 0) return kNoSlot;
      b = next(b);
    } while (b != first);  // in a small index every bucket may have been overflowed
    return kNoSlot;
  }

  // find() from any other thread. The slots may be old or belong to another key by now: accept must
  // read the session under its version.
  template <class Accept>
  std::uint32_t find_shared(FlowHash hash, Accept&& accept) const noexcept {
    const std::uint16_t tag = tag_of(hash);
    std::uint64_t b = home(hash);
    for (std::uint64_t passed = 0; passed < count_; ++passed, b = next(b)) {
      const Bucket& bucket = buckets_.data()[b];
      for (std::uint32_t i = 0; i < kEntries; ++i) {
        if (__atomic_load_n(&bucket.tag[i], __ATOMIC_ACQUIRE) != tag) continue;
        const std::uint32_t slot = __atomic_load_n(&bucket.slot[i], __ATOMIC_ACQUIRE);
        if (accept(slot)) return slot;
      }
      if (__atomic_load_n(&bucket.overflow, __ATOMIC_ACQUIRE) == 0) return kNoSlot;
    }
    return kNoSlot;
  }

  // A guess without looking at keys, for prefetching: the first slot under this tag in the home
  // bucket.
  std::uint32_t guess(FlowHash hash) const noexcept {
    const Bucket& bucket = buckets_.data()[home(hash)];
    const std::uint32_t matches = match(bucket, tag_of(hash));
    return matches != 0 ? bucket.slot[__builtin_ctz(matches)] : kNoSlot;
  }

  // The caller keeps the number of entries within the capacity. False: its home bucket was full.
  bool insert(FlowHash hash, std::uint32_t slot) noexcept {
    const std::uint64_t first = home(hash);
    for (std::uint64_t b = first;; b = next(b)) {
      Bucket& bucket = buckets_[b];
      const std::uint32_t free = match(bucket, 0);
      if (free != 0) {
        const int i = __builtin_ctz(free);
        store(bucket.slot[i], slot);
        store(bucket.tag[i], tag_of(hash));
        return b == first;
      }
      store(bucket.overflow, static_cast<std::uint16_t>(bucket.overflow + 1));
    }
  }

  void erase(FlowHash hash, std::uint32_t slot) noexcept {
    const std::uint16_t tag = tag_of(hash);
    for (std::uint64_t b = home(hash);; b = next(b)) {
      Bucket& bucket = buckets_[b];
      for (std::uint32_t matches = match(bucket, tag); matches != 0; matches &= matches - 1) {
        const int i = __builtin_ctz(matches);
        if (bucket.slot[i] != slot) continue;
        store(bucket.tag[i], std::uint16_t{0});
        return;
      }
      CHECK(bucket.overflow != 0);  // else the slot was never inserted
      store(bucket.overflow, static_cast<std::uint16_t>(bucket.overflow - 1));
    }
  }

  void populate() noexcept { buckets_.populate(); }

 private:
  std::uint64_t home(FlowHash hash) const noexcept {
    return static_cast<std::uint64_t>((static_cast<uint128>(hash) * count_) >> 64);
  }
  std::uint64_t next(std::uint64_t b) const noexcept { return b + 1 == count_ ? 0 : b + 1; }
  static std::uint16_t tag_of(FlowHash hash) noexcept {  // low bits; home() uses the high ones
    const auto tag = static_cast<std::uint16_t>(hash);
    return tag != 0 ? tag : std::uint16_t{1};
  }

  template <class T>
  static void store(T& field, T value) noexcept {  // with find_shared()'s acquire
    __atomic_store_n(&field, value, __ATOMIC_RELEASE);
  }

  // One bit for each entry with this tag.
  static std::uint32_t match(const Bucket& bucket, std::uint16_t tag) noexcept {
    const __m128i wanted = _mm_set1_epi16(static_cast<short>(tag));
    const auto* p = reinterpret_cast<const __m128i*>(bucket.tag);
    const __m128i first = _mm_cmpeq_epi16(_mm_load_si128(p), wanted);
    const __m128i second =
        _mm_cmpeq_epi16(_mm_load_si128(p + 1), wanted);  // reads slots too: masked
    const int mask = _mm_movemask_epi8(_mm_packs_epi16(first, second));
    return static_cast<std::uint32_t>(mask) & ((1u << kEntries) - 1);
  }

  Array<Bucket> buckets_;
  std::uint64_t count_ = 0;
};

}  // namespace linger
