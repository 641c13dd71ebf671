// What parsers have said of sessions to come, until the shard sends it on: at the end of the work
// on the burst that brought it.
//
// Owner: one shard. Limit: kMax at a time, kept in place; beyond it they are counted
// (links_dropped).
#pragma once

#include <array>
#include <cstdint>

#include "engine/base/counters.h"
#include "output/record_link.h"

namespace linger {

// Where a host says that it waits: at a port, of an address that it names, or of its own. Without a
// port the note has the link's key.
struct LinkEndpoint {
  std::uint8_t side = 0;        // the host
  std::uint8_t ip_version = 0;  // of the address; 0: none is named
  std::uint16_t port = 0;       // 0: nowhere
  IpAddress address{};
  Timestamp since{};
};

// What an id takes, which the shard puts behind the items.
inline constexpr std::size_t kIdItemBytes = kItemHeadBytes + sizeof(Id128);

struct LinkNote {
  std::uint32_t reader;   // who says so: the number of its conversation
  std::uint8_t protocol;  // whose fields these are,
  std::uint8_t id_field;  // the one for the id of who says so
  LinkEndpoint endpoint;
  RecordLink link;
};

class LinkNotes {
 public:
  static constexpr std::size_t kMax = 128;  // one for each packet of a burst

  explicit LinkNotes(ParserCounters& counters) noexcept : counters_(counters) {}

  bool is_empty() const noexcept { return count_ == 0; }

  // Null: there is no room.
  LinkNote* add(std::uint32_t reader) noexcept {
    if (count_ == kMax) {
      counters_.links_dropped.add();
      return nullptr;
    }
    LinkNote& note = notes_[count_++];
    note = {};
    note.reader = reader;
    return &note;
  }
  // Hands on what this one has said, in order, and forgets it.
  template <class Take>
  void take(std::uint32_t reader, const Take& take) noexcept {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      if (notes_[i].reader == reader) {
        take(notes_[i]);
      } else if (kept++ != i) {
        notes_[kept - 1] = notes_[i];
      }
    }
    count_ = kept;
  }

 private:
  ParserCounters& counters_;
  std::size_t count_ = 0;
  std::array<LinkNote, kMax> notes_;
};

}  // namespace linger
