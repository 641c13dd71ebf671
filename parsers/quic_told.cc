#include "parsers/quic_told.h"

#include <algorithm>

#include "parsers/list.h"
#include "parsers/tls_told.h"

namespace linger {
namespace {

using Field = QuicField;

// What CRYPTO frames carried, in order, up to the first byte that is missing; `base`: its row.
std::vector<std::uint8_t> stream_of(std::uint8_t protocol, Field field, ItemReader items,
                                    Row base = 0) {
  std::vector<Item> pieces;
  for (Item item; items.next(item);)
    if (item.protocol == protocol && item.field == static_cast<std::uint8_t>(field))
      pieces.push_back(item);
  std::sort(pieces.begin(), pieces.end(),
            [](const Item& a, const Item& b) { return a.row < b.row; });
  std::vector<std::uint8_t> bytes;
  for (const Item& piece : pieces)
    if (piece.row == base + bytes.size())
      bytes.insert(bytes.end(), piece.value.begin(), piece.value.end());
  return bytes;
}

// Up to draft 26 they are a list of two-byte numbers, with its length before it (draft-26, §18), in
// the extension that drafts had.
bool is_old_list(const ClientHello& hello) noexcept {
  const Bytes parameters = hello.transport_parameters;
  return !hello.extensions.has(kTransportParameters) && parameters.size() >= 2 &&
         load_be16(parameters.data()) == parameters.size() - 2;
}

void tell_transport_parameters(const ClientHello& hello, Derived& derived) {
  struct Parameter {
    std::uint64_t id;
    Field field;
  };
  constexpr Parameter kTold[] = {{1, Field::max_idle_timeout},
                                 {3, Field::max_udp_payload},
                                 {4, Field::max_data},
                                 {8, Field::max_streams_bidi},
                                 {9, Field::max_streams_uni}};
  const bool is_old = is_old_list(hello);
  Reader reader(hello.transport_parameters.subspan(is_old ? 2 : 0));
  const auto read = [&] { return is_old ? reader.be16() : read_quic_number(reader); };
  while (reader.remaining() != 0) {
    const std::uint64_t id = read();
    const Bytes value = reader.bytes(static_cast<std::size_t>(read()));
    Reader number(value);
    const std::uint64_t read_number = read_quic_number(number);
    if (!reader.ok() || !number.ok() || number.remaining() != 0) continue;
    for (const Parameter& told : kTold)
      if (told.id == id) derived.number(told.field, read_number);
  }
}

}  // namespace

void derive_quic(std::uint8_t protocol, ItemReader items, ItemWriter& more) {
  Derived as_quic(protocol, more);
  Derived as_tls(place_of(parser::tls.protocol), more);
  const auto server = stream_of(protocol, Field::raw_server, items);
  for (const Row base : {Quic::kAgain, Row{0}}) {
    const auto client = stream_of(protocol, Field::raw_client, items, base);
    ClientHello hello;
    if (!tell_client_hellos(client, HelloCarrier::quic, hello, as_tls)) continue;
    tell_transport_parameters(hello, as_quic);
    break;
  }
  tell_server_hellos(server, {}, false, as_tls);
}

void tell_quic_version(QuicField field, std::uint32_t version, Facts& facts) noexcept {
  if (version == kQuicV1) return facts.text(field, std::string_view("1"));
  if (version == kQuicV2) return facts.text(field, std::string_view("2"));
  if (version == kQuicV2Draft) return facts.text(field, std::string_view("2-draft"));
  const std::uint32_t draft = version - kQuicDrafts;
  if (draft < 100) {
    char text[] = "draft-00";
    text[6] = static_cast<char>('0' + draft / 10);
    text[7] = static_cast<char>('0' + draft % 10);
    return facts.text(field, std::string_view(text));
  }
  char text[] = "0x00000000";
  for (unsigned i = 0; i < 8; ++i) text[2 + i] = "0123456789abcdef"[version >> (28 - 4 * i) & 15];
  facts.text(field, std::string_view(text));
}

}  // namespace linger
