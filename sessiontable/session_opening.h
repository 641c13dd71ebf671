// What the opening of a session told, of interest again at its end: its link, and what both sides
// announced. As many sessions come from the same hosts, stacks and links, equal ones are kept once.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/base/check.h"
#include "engine/base/flow_key.h"
#include "sessiontable/shared_pool.h"

namespace linger {

inline constexpr std::uint8_t kNoWindowScale = 0xff;

// What a side announced in its SYN (RFC 2018, 7323, 7413, 8684, 2385, 5925, 3168), and what it did
// later.
enum TcpFeature : std::uint8_t {
  kTcpSackPermitted = 0x01,
  kTcpTimestamps = 0x02,
  kTcpFastOpen = 0x04,
  kTcpMptcp = 0x08,
  kTcpMd5OrAo = 0x10,
  kTcpEcn = 0x20,         // SYN: asks for it; SYN-ACK: agrees
  kTcpFinCrossed = 0x40,  // the other side had not seen its FIN when it sent its own
  kTcpOverlaps = 0x80,    // of its segments one had other bytes for numbers that another had
};

// In words, made and compared as such.
struct SessionOpening {
  // Of each side the MAC, in memory order; of each VLAN tag its id, and that it is there.
  //     0            48       60        61
  //    | MAC of side | VLAN id | has tag | [0]: has MACs
  std::array<std::uint64_t, 2> link{};
  // What each side announced in its last SYN.
  //     0        16    32              40
  //    | window | MSS | window scale  | TcpFeature |   the window is never scaled (RFC 7323 §2.2)
  std::array<std::uint64_t, 2> announced{};

  static constexpr unsigned kVlanShift = 48, kMssShift = 16, kScaleShift = 32, kFeatureShift = 40;
  static constexpr std::uint64_t kHasVlan = std::uint64_t{1} << 60;
  static constexpr std::uint64_t kHasMac = std::uint64_t{1} << 61;

  bool has_mac() const noexcept { return (link[0] & kHasMac) != 0; }
  std::array<std::uint8_t, 6> mac(unsigned side) const noexcept {
    std::array<std::uint8_t, 6> mac;
    std::memcpy(mac.data(), &link[side], mac.size());
    return mac;
  }
  bool has_vlan(unsigned i) const noexcept { return (link[i] & kHasVlan) != 0; }
  std::uint16_t vlan(unsigned i) const noexcept { return link[i] >> kVlanShift & 0xfff; }
  void swap_macs() noexcept {
    const std::uint64_t difference = (link[0] ^ link[1]) & ((std::uint64_t{1} << kVlanShift) - 1);
    link[0] ^= difference;
    link[1] ^= difference;
  }

  std::uint16_t window(unsigned side) const noexcept {
    return static_cast<std::uint16_t>(announced[side]);
  }
  std::uint16_t mss(unsigned side) const noexcept {
    return static_cast<std::uint16_t>(announced[side] >> kMssShift);
  }
  std::uint8_t window_scale(unsigned side) const noexcept {  // kNoWindowScale: none seen
    return static_cast<std::uint8_t>(announced[side] >> kScaleShift);
  }
  std::uint8_t features(unsigned side) const noexcept {
    return static_cast<std::uint8_t>(announced[side] >> kFeatureShift);
  }

  friend bool operator==(const SessionOpening& a, const SessionOpening& b) noexcept {
    return ((a.link[0] ^ b.link[0]) | (a.link[1] ^ b.link[1]) | (a.announced[0] ^ b.announced[0]) |
            (a.announced[1] ^ b.announced[1])) == 0;
  }
};

// Owner: one shard. Memory: 40 bytes for each that is different, and 8 of index, touched as used.
// Cost: an entry to look at for those found lately, else its hash and a line of index too; a
// session takes one at its first packet and another at the answer to its SYN.
class OpeningPool {
 public:
  // Never dry: one more than there are sessions, for the moment in which one changes its own.
  OpeningPool(std::uint32_t sessions, const HashSeed& seed) : seed_(seed), pool_(sessions + 1) {}

  const SessionOpening& operator[](std::uint32_t place) const noexcept { return pool_[place]; }

  std::uint32_t take(const SessionOpening& opening) noexcept {
    // Where it was found last: most are of a few hundred kinds.
    std::uint32_t& recent = recent_[short_hash_of(opening)];
    if (pool_.take_again(recent, opening)) return recent;
    recent = pool_.take(opening, hash_of_opening(opening));
    DCHECK(recent != kNoSlot);
    return recent;
  }
  void release(std::uint32_t place) noexcept {
    pool_.release(place,
                  [this](const SessionOpening& opening) { return hash_of_opening(opening); });
  }

  // All that is not touched one place after the other.
  void populate() noexcept { pool_.populate_index(); }

  using Pool = SharedPool<SessionOpening>;
  static constexpr double kIndexBytes = Pool::kIndexBytes;               // a session
  static constexpr std::size_t kBytesPerOpening = Pool::kBytesPerEntry;  // one that is different

 private:
  static constexpr unsigned kRecentBits = 8;

  FlowHash hash_of_opening(const SessionOpening& opening) const noexcept {
    const std::array<std::uint64_t, 6> words = {opening.link[0], opening.link[1],
                                                opening.announced[0], opening.announced[1]};
    return hash_of(words, seed_);
  }
  static std::size_t short_hash_of(const SessionOpening& opening) noexcept {
    const std::uint64_t sum = opening.link[0] ^ std::rotl(opening.link[1], 5) ^
                              std::rotl(opening.announced[0], 23) ^
                              std::rotl(opening.announced[1], 41);
    return sum * 0x9e37'79b9'7f4a'7c15 >> (64 - kRecentBits);
  }

  HashSeed seed_;
  Pool pool_;
  std::array<std::uint32_t, 1 << kRecentBits> recent_{};
};

}  // namespace linger
