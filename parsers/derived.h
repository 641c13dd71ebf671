// What Protocol::derive makes of raw items: the pieces of a message put together again, and fields
// made of them. Owner: one output's thread, for one call.
#pragma once

#include <bit>
#include <string_view>
#include <vector>

#include "output/record_protocol.h"

namespace linger {

class Derived {
 public:
  Derived(std::uint8_t protocol, ItemWriter& more) noexcept : protocol_(protocol), more_(more) {}

  // `is_list_cut`: it is of a list that goes on.
  template <class Field>
  void text(Field field, Bytes value, bool is_list_cut = false) noexcept {
    const bool is_cut = value.size() > kTextBytesMax;
    put(field, is_cut ? value.first(kTextBytesMax) : value, is_cut || is_list_cut ? kItemIsCut : 0);
  }
  template <class Field>
  void text(Field field, std::string_view value, bool is_list_cut = false) noexcept {
    text(field, Bytes{reinterpret_cast<const std::uint8_t*>(value.data()), value.size()},
         is_list_cut);
  }
  template <class Field>
  void address(Field field, Bytes value) noexcept {
    put(field, value, kItemIsAddress);
  }
  template <class Field>
  void number(Field field, std::uint64_t value) noexcept {
    const std::size_t bytes = (static_cast<std::size_t>(std::bit_width(value)) + 7) / 8;
    put(field, {reinterpret_cast<const std::uint8_t*>(&value), bytes}, 0);
  }
  template <class Field>
  void flag(Field field) noexcept {
    put(field, {}, 0);
  }

 private:
  template <class Field>
  void put(Field field, Bytes value, unsigned how) noexcept {
    more_.put(
        {protocol_, static_cast<std::uint8_t>(field), 0, static_cast<std::uint16_t>(how), value});
  }

  const std::uint8_t protocol_;
  ItemWriter& more_;
};

// The bytes of a raw field that was told in pieces, the row of each being the place where it
// begins; up to the first one that is missing. What is told again counts instead, with all behind
// it.
template <class Field>
std::vector<std::uint8_t> pieces_of(std::uint8_t protocol, Field field, ItemReader items) {
  std::vector<std::uint8_t> bytes;
  for (Item item; items.next(item);)
    if (item.protocol == protocol && item.field == static_cast<std::uint8_t>(field) &&
        item.row <= bytes.size()) {
      bytes.resize(item.row);
      bytes.insert(bytes.end(), item.value.begin(), item.value.end());
    }
  return bytes;
}

}  // namespace linger
