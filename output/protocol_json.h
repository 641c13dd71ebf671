// What parsers found (output/record_protocol.h) as JSON: one member a protocol, behind the members
// of the record. Keys come from the protocols' tables, never from packets.
//
//     ,"dns":[{"id":"7","question":{"name":"a.example"},"cut":["question.name"]},…]
//
// `cut` lists the fields whose value was longer than what is kept of it.
// Owner: one thread; grows to the largest session it has seen. Cost: sorts the items by their
// place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "output/record_protocol.h"

namespace linger {

class ProtocolJson {
 public:
  explicit ProtocolJson(Protocols protocols);

  // Valid until the next call.
  std::string_view objects_of(Bytes items);

 private:
  struct Field {
    ProtocolKind kind;
    std::vector<std::string_view> objects;  // around it
    std::string_view name;                  // of the value, the list, or the list of objects
    std::string_view member;                // in the objects of a list; else empty
    std::string_view path;
    std::uint8_t place;  // where it stands: its own number, or that of its list's first field
    bool is_list;
  };
  struct Table {
    std::string_view name;  // empty: its fields are members of the record
    bool has_rows;
    std::vector<Field> fields;
  };
  using Keys = std::vector<std::uint64_t>;  // protocol, row, place, index in items_; sorted

  void collect(ItemReader items);
  void derive(Bytes items);
  const Field& field_of(std::uint64_t key) const;
  void put_row(std::size_t begin, std::size_t end);
  void put_members(std::size_t begin, std::size_t end);
  void put_field(std::size_t begin, std::size_t end);
  void put_objects(std::size_t begin, std::size_t end);
  void put_value(const Field& field, const Item& item);
  void put_cuts(std::size_t begin, std::size_t end);
  std::size_t run_end(std::size_t begin, std::size_t end, unsigned shift) const;

  Protocols protocols_;
  std::vector<Table> tables_;
  std::vector<Item> items_;
  Keys keys_;
  std::vector<std::vector<std::uint8_t>> derived_;  // of each protocol
  std::string text_;
};

}  // namespace linger
