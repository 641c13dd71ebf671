#include "output/protocol_json.h"

#include <algorithm>

#include "output/text_format.h"

namespace linger {
namespace {

constexpr std::size_t kDerivedBytes = 2 * kItemsBytesMax;  // at first

constexpr unsigned kProtocolShift = 56;
constexpr unsigned kRowShift = 40;
constexpr unsigned kPlaceShift = 32;

}  // namespace

ProtocolJson::ProtocolJson(Protocols protocols)
    : protocols_(protocols), derived_(protocols.size()) {
  for (const Protocol* protocol : protocols) {
    Table table{protocol->is_of_record ? "" : protocol->key(), protocol->has_rows, {}};
    for (const ProtocolField& from : protocol->fields) {
      Field field{from.kind, {}, from.path, {}, from.path, 0, false};
      field.place = static_cast<std::uint8_t>(table.fields.size());
      if (const std::size_t list = from.path.find("[]."); list != std::string_view::npos) {
        field.name = from.path.substr(0, list);
        field.member = from.path.substr(list + 3);
        for (const Field& before : table.fields)
          if (!before.member.empty() && before.path.starts_with(from.path.substr(0, list + 3)))
            field.place = std::min(field.place, before.place);
      } else if (from.path.ends_with("[]")) {
        field.name.remove_suffix(2);
        field.is_list = true;
      }
      for (std::size_t dot; (dot = field.name.find('.')) != std::string_view::npos;) {
        field.objects.push_back(field.name.substr(0, dot));
        field.name.remove_prefix(dot + 1);
      }
      table.fields.push_back(std::move(field));
    }
    tables_.push_back(std::move(table));
  }
}

std::string_view ProtocolJson::objects_of(Bytes items) {
  text_.clear();
  items_.clear();
  keys_.clear();
  collect(ItemReader(items));
  derive(items);
  std::sort(keys_.begin(), keys_.end());
  for (std::size_t begin = 0; begin < keys_.size();) {
    const std::size_t end = run_end(begin, keys_.size(), kProtocolShift);
    const Table& table = tables_[keys_[begin] >> kProtocolShift];
    if (table.name.empty()) {
      text_ += ',';
      put_members(begin, end);
      begin = end;
      continue;
    }
    text_.append(",\"").append(table.name).append("\":");
    if (table.has_rows) text_ += '[';
    while (begin < end) {
      const std::size_t row_end = run_end(begin, end, kRowShift);
      put_row(begin, row_end);
      if (row_end != end) text_ += ',';
      begin = row_end;
    }
    if (table.has_rows) text_ += ']';
  }
  return text_;
}

// What no table knows is passed over.
void ProtocolJson::collect(ItemReader items) {
  for (Item item; items.next(item);) {
    if (item.protocol >= tables_.size()) continue;
    const Table& table = tables_[item.protocol];
    if (item.field >= table.fields.size()) continue;
    const Field& field = table.fields[item.field];
    if (field.kind == ProtocolKind::raw) continue;
    const std::uint16_t row = table.has_rows ? item.row : 0;
    keys_.push_back(std::uint64_t{item.protocol} << kProtocolShift |
                    std::uint64_t{row} << kRowShift | std::uint64_t{field.place} << kPlaceShift |
                    items_.size());
    items_.push_back(item);
  }
}

void ProtocolJson::derive(Bytes items) {
  std::uint64_t seen = 0;
  ItemReader reader(items);
  for (Item item; reader.next(item);)
    if (item.protocol < 64) seen |= std::uint64_t{1} << item.protocol;
  for (std::uint8_t i = 0; i < protocols_.size(); ++i) {
    if ((seen >> i & 1) == 0 || protocols_[i]->derive == nullptr) continue;
    // Each has room of its own: what was written before must stay where it is.
    std::vector<std::uint8_t>& room = derived_[i];
    if (room.empty()) room.resize(kDerivedBytes);
    ItemWriter more(room);
    protocols_[i]->derive(i, ItemReader(items), more);
    for (; more.is_full(); protocols_[i]->derive(i, ItemReader(items), more)) {
      room.resize(2 * room.size());
      more = ItemWriter(room);
    }
    collect(ItemReader(more.items()));
  }
}

// The end of the keys that are equal above `shift`.
std::size_t ProtocolJson::run_end(std::size_t begin, std::size_t end, unsigned shift) const {
  const std::uint64_t same = keys_[begin] >> shift;
  while (begin < end && keys_[begin] >> shift == same) ++begin;
  return begin;
}

const ProtocolJson::Field& ProtocolJson::field_of(std::uint64_t key) const {
  const Item& item = items_[static_cast<std::uint32_t>(key)];
  return tables_[item.protocol].fields[item.field];
}

void ProtocolJson::put_row(std::size_t begin, std::size_t end) {
  text_ += '{';
  put_members(begin, end);
  put_cuts(begin, end);
  text_ += '}';
}

void ProtocolJson::put_members(std::size_t begin, std::size_t end) {
  const std::vector<std::string_view>* open = nullptr;
  std::size_t depth = 0;  // of `open`, that are open in the text
  bool is_first = true;
  while (begin < end) {
    const std::size_t field_end = run_end(begin, end, kPlaceShift);
    const Field& field = field_of(keys_[begin]);
    std::size_t shared = 0;
    while (shared < depth && shared < field.objects.size() &&
           (*open)[shared] == field.objects[shared])
      ++shared;
    text_.append(depth - shared, '}');
    if (!is_first) text_ += ',';
    for (std::size_t i = shared; i < field.objects.size(); ++i)
      text_.append("\"").append(field.objects[i]).append("\":{");
    open = &field.objects;
    depth = field.objects.size();
    is_first = false;
    put_field(begin, field_end);
    begin = field_end;
  }
  text_.append(depth, '}');
}

void ProtocolJson::put_field(std::size_t begin, std::size_t end) {
  const Field& field = field_of(keys_[begin]);
  text_.append("\"").append(field.name).append("\":");
  const auto item_at = [&](std::size_t i) -> const Item& {
    return items_[static_cast<std::uint32_t>(keys_[i])];
  };
  if (!field.member.empty()) return put_objects(begin, end);
  if (!field.is_list) return put_value(field, item_at(end - 1));
  for (std::size_t i = begin; i < end; ++i) {
    text_ += i == begin ? '[' : ',';
    put_value(field, item_at(i));
  }
  text_ += ']';
}

// The items of a list of objects, in the order in which they were told. A field that the open
// object has already begins the next one, as the first field does.
void ProtocolJson::put_objects(std::size_t begin, std::size_t end) {
  std::uint64_t seen[4] = {};  // fields of the open object
  for (std::size_t i = begin; i < end; ++i) {
    const Item& item = items_[static_cast<std::uint32_t>(keys_[i])];
    const Field& field = field_of(keys_[i]);
    const std::uint64_t bit = std::uint64_t{1} << (item.field & 63);
    if (i == begin || item.field == field.place || (seen[item.field >> 6] & bit) != 0) {
      text_ += i == begin ? "[{" : "},{";
      std::fill(std::begin(seen), std::end(seen), 0);
    } else {
      text_ += ',';
    }
    seen[item.field >> 6] |= bit;
    text_.append("\"").append(field.member).append("\":");
    put_value(field, item);
  }
  text_ += "}]";
}

void ProtocolJson::put_value(const Field& field, const Item& item) {
  const bool is_address = (item.how & kItemIsAddress) != 0 || field.kind == ProtocolKind::ip;
  char room[64];
  switch (field.kind) {
    case ProtocolKind::text:
    case ProtocolKind::ip:
      text_ += '"';
      if (is_address && item.value.size() == 4) {
        text_.append(room, put_ipv4(room, item.value.data()));
      } else if (is_address && item.value.size() == 16) {
        text_.append(room, put_ipv6(room, item.value.data()));
      } else {
        append_json_escaped(text_,
                            {reinterpret_cast<const char*>(item.value.data()), item.value.size()});
      }
      text_ += '"';
      break;
    case ProtocolKind::number:
    case ProtocolKind::duration:
      text_.append(room, put_number(room, number_of(item.value)));
      break;
    case ProtocolKind::flag:
      text_ += "true";
      break;
    case ProtocolKind::hex:
      text_ += '"';
      for (const std::uint8_t byte : item.value)
        text_.append(&text_format_detail::kHexLower[2 * byte], 2);
      text_ += '"';
      break;
    case ProtocolKind::raw:
      break;
  }
}

void ProtocolJson::put_cuts(std::size_t begin, std::size_t end) {
  std::vector<std::string_view> paths;
  for (std::size_t i = begin; i < end; ++i) {
    if ((items_[static_cast<std::uint32_t>(keys_[i])].how & kItemIsCut) == 0) continue;
    const std::string_view path = field_of(keys_[i]).path;
    if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
  }
  for (std::size_t i = 0; i < paths.size(); ++i)
    text_.append(i == 0 ? ",\"cut\":[\"" : ",\"").append(paths[i]).append("\"");
  if (!paths.empty()) text_ += ']';
}

}  // namespace linger
