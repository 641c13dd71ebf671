// What parsers found out about one session: items, a byte string that travels beside its record and
// becomes one JSON object a protocol where the record is encoded.
//
//     item    protocol  field   row        length, how   value
//     bytes   1         1       2          2             length
//
// A protocol declares its fields in a table. Paths are relative to its object; a name that ends in
// [] is a list: `resolved_ip[]` of values, `answers[].name` of objects, where the first field of
// the table with that prefix begins each next object. A protocol with rows is a list of objects,
// one for each transaction; `row` counts them from 0. Of a field that is no list the last item
// counts.
//
// Limits: kItemsBytesMax for a session, kTextBytesMax for a text (what is cut says so),
// kRawBytesMax for raw bytes. Owner: whoever holds the bytes. Reading never leaves them, whatever
// they say.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "engine/base/bytes.h"
#include "engine/base/check.h"

namespace linger {

inline constexpr std::size_t kItemsBytesMax = 32 * 1024;
inline constexpr std::size_t kRuleItemsMax = 4 * 1024;
// With what is told at its end, and of rules.
inline constexpr std::size_t kSessionItemsMax = 2 * kItemsBytesMax + kRuleItemsMax;
inline constexpr std::size_t kTextBytesMax = 2 * 1024;
inline constexpr std::size_t kRawBytesMax = 16 * 1024 - 1;

enum class ProtocolKind : std::uint8_t {
  text,      // any bytes, told as valid UTF-8; or an address (ItemHow)
  number,    // unsigned, little-endian, as many bytes as it takes
  duration,  // the same, nanoseconds
  flag,      // present: true
  ip,        // 4 or 16 bytes
  hex,       // bytes as lowercase hexadecimal digits
  raw,       // not told: what derive() makes other fields of
};

struct ProtocolField {
  std::string_view path;
  ProtocolKind kind;
  std::string_view help;
};

enum ItemHow : std::uint16_t {
  kItemIsCut = 0x8000,
  kItemIsAddress = 0x4000,
};
inline constexpr std::uint16_t kItemLengthMask = 0x3fff;
inline constexpr std::size_t kItemHeadBytes = 6;

struct Item {
  std::uint8_t protocol = 0;
  std::uint8_t field = 0;
  std::uint16_t row = 0;
  std::uint16_t how = 0;  // ItemHow
  Bytes value;
};

// The head of an item; `length` of its value. Returns the byte behind it.
inline std::uint8_t* put_item_head(std::uint8_t* out, const Item& item) noexcept {
  const auto length = static_cast<std::uint16_t>(item.value.size() | item.how);
  out[0] = item.protocol;
  out[1] = item.field;
  std::memcpy(out + 2, &item.row, 2);
  std::memcpy(out + 4, &length, 2);
  return out + kItemHeadBytes;
}

// Items of no protocol, which become no field.
inline constexpr std::uint8_t kNoProtocol = 0xff, kNoField = 0xff;
enum class SessionItem : std::uint8_t {
  name,      // what a signature calls the session
  first_id,  // where a connection id may stand in its first datagram (record_link.h)
};

// Items in order, until next() says there is none.
class ItemReader {
 public:
  explicit ItemReader(Bytes items) noexcept : rest_(items) {}

  bool next(Item& item) noexcept {
    if (rest_.size() < kItemHeadBytes) return false;
    item.protocol = rest_[0];
    item.field = rest_[1];
    item.row = load_le16(rest_.data() + 2);
    const std::uint16_t length = load_le16(rest_.data() + 4);
    const std::size_t bytes = length & kItemLengthMask;
    if (rest_.size() - kItemHeadBytes < bytes) return false;
    item.how = length & static_cast<std::uint16_t>(~kItemLengthMask);
    item.value = rest_.subspan(kItemHeadBytes, bytes);
    rest_ = rest_.subspan(kItemHeadBytes + bytes);
    return true;
  }

 private:
  Bytes rest_;
};

// Items into a buffer; what does not fit is left out, and said by is_full().
class ItemWriter {
 public:
  explicit ItemWriter(std::span<std::uint8_t> room) noexcept : room_(room) {}

  void put(const Item& item) noexcept {
    DCHECK(item.value.size() <= kItemLengthMask);
    const std::size_t bytes = kItemHeadBytes + item.value.size();
    if (bytes > room_.size() - used_) {
      is_full_ = true;
      return;
    }
    std::uint8_t* const value = put_item_head(room_.data() + used_, item);
    if (!item.value.empty()) std::memcpy(value, item.value.data(), item.value.size());
    used_ += bytes;
  }
  Bytes items() const noexcept { return room_.first(used_); }
  bool is_full() const noexcept { return is_full_; }

 private:
  std::span<std::uint8_t> room_;
  std::size_t used_ = 0;
  bool is_full_ = false;
};

inline std::uint64_t number_of(Bytes value) noexcept {
  std::uint64_t number = 0;
  std::memcpy(&number, value.data(), value.size() < 8 ? value.size() : 8);
  return number;
}

struct Protocol {
  std::string_view name;  // network.protocol, and the object's key, if there is no `object`
  bool has_rows = false;
  std::span<const ProtocolField> fields;
  // What is made of raw items where the record is encoded (certificates, fingerprints): reads the
  // session's items, writes more of this protocol; once more, with twice the room, as long as that
  // does not fit. May be null. Thread: the output's.
  void (*derive)(std::uint8_t protocol, ItemReader items, ItemWriter& more) = nullptr;
  std::string_view object = {};  // the key, where ECS has one for what this protocol tells
  bool is_of_record = false;     // there is no object: its fields are members of the record itself
  std::uint8_t naming_field = kNoField;  // tells network.protocol, where no other protocol follows

  constexpr std::string_view key() const noexcept { return object.empty() ? name : object; }
};

using Protocols = std::span<const Protocol* const>;  // items name them by their place

}  // namespace linger
