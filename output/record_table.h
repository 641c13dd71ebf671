// The list of record_fields.h as a compile-time table: what the encoder, the schema and the tests
// walk.
//
// Each entry has a path, a kind, a presence and a getter; for_each_field() visits them in order of
// output.
#pragma once

#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

#include "output/record.h"

namespace linger {

constexpr bool is_nonzero(const Id128& id) noexcept { return id.is_set(); }
constexpr bool is_nonzero(const MacAddress& mac) noexcept {
  return (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) != 0;
}
constexpr bool is_nonzero(const TunnelLayers& tunnels) noexcept { return tunnels.depth != 0; }
inline bool is_nonzero(const MptcpHost& host) noexcept { return host.is_known(); }
constexpr bool is_nonzero(const ShortText& text) noexcept { return text.size != 0; }
template <class T>
requires std::is_integral_v<T> || std::is_enum_v<T>
constexpr bool is_nonzero(T value) noexcept { return value != T{}; }

// Of a TCP session from its start, not of what came after its end or of several sessions.
inline bool is_whole_tcp(const Record& record) noexcept {
  return record.is_tcp() && record.action != Action::session_late && !record.is_connection();
}

namespace presence {  // when a field is there
#define LINGER_PRESENCE(name, condition, text)                                                     \
  struct name {                                                                                    \
    static constexpr std::string_view help = text;                                                 \
    static bool holds([[maybe_unused]] const Record& record, [[maybe_unused]] const auto& value) { \
      return condition;                                                                            \
    }                                                                                              \
  };
LINGER_RECORD_PRESENCES(LINGER_PRESENCE)
#undef LINGER_PRESENCE
}  // namespace presence

template <class KindOf, class PresenceOf, class Getter>
struct Field {
  using Kind = KindOf;
  using Presence = PresenceOf;
  std::string_view path;
  std::string_view help;
  Getter get;
};

template <class Kind, class Presence, class Getter>
constexpr auto make_field(std::string_view path, std::string_view help, Getter get) {
  return Field<Kind, Presence, Getter>{path, help, get};
}

#define LINGER_ENTRY(k, expression, path, p, help) \
  make_field<kind::k, presence::p>(                \
      path, help, [](const Record& r) -> decltype(auto) { return (r.expression); }),
#define LINGER_PAIR(k, member, path, p, help)         \
  LINGER_ENTRY(k, member[0], path ".source", p, help) \
  LINGER_ENTRY(k, member[1], path ".destination", p, help)
#define LINGER_SOURCE(k, member, name, p, help) LINGER_ENTRY(k, member[0], "source." name, p, help)
#define LINGER_DESTINATION(k, member, name, p, help) \
  LINGER_ENTRY(k, member[1], "destination." name, p, help)

// What std::tuple is, without its constructors: to choose among those takes the compiler more than
// ten seconds where there are so many fields.
template <std::size_t Index, class Entry>
struct FieldSlot {
  Entry entry;
};
template <class Indices, class... Entries>
struct FieldSlots;
template <std::size_t... Index, class... Entries>
struct FieldSlots<std::index_sequence<Index...>, Entries...> : FieldSlot<Index, Entries>... {
  static constexpr std::size_t kCount = sizeof...(Entries);
};
template <class... Entries>
constexpr auto make_fields(Entries... entries) {
  return FieldSlots<std::index_sequence_for<Entries...>, Entries...>{{entries}...};
}
template <std::size_t Index, class Entry>
constexpr const Entry& entry_of(const FieldSlot<Index, Entry>& slot) {
  return slot.entry;
}

struct FieldsEnd {};
inline constexpr auto kFieldsAndEnd = make_fields(LINGER_RECORD_FIELDS(
    LINGER_ENTRY, LINGER_PAIR, LINGER_ENTRY, LINGER_SOURCE, LINGER_DESTINATION) FieldsEnd{});
inline constexpr std::size_t kFieldCount = kFieldsAndEnd.kCount - 1;

// Those of UsualFields come first.
#define LINGER_COUNT_ONE(k, expression, path, p, help) +1
#define LINGER_COUNT_PAIR(k, member, path, p, help) +2
inline constexpr std::size_t kUsualFieldCount = LINGER_USUAL_FIELDS(
    LINGER_COUNT_ONE, LINGER_COUNT_PAIR, LINGER_COUNT_ONE, LINGER_COUNT_ONE, LINGER_COUNT_ONE);
#undef LINGER_COUNT_ONE
#undef LINGER_COUNT_PAIR

#undef LINGER_ENTRY
#undef LINGER_PAIR
#undef LINGER_SOURCE
#undef LINGER_DESTINATION

template <std::size_t Index>
inline constexpr const auto& kField = entry_of<Index>(kFieldsAndEnd);

template <class Visit>
constexpr void for_each_field(Visit&& visit) {
  [&]<std::size_t... Index>(std::index_sequence<Index...>) { (visit(kField<Index>), ...); }
  (std::make_index_sequence<kFieldCount>{});
}

}  // namespace linger
