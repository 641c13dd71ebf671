#include "tests/parsers/dialogue.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "output/protocol_json.h"
#include "output/text_format.h"

namespace linger::test {
namespace {

const Detector& detector() {
  static const auto made = Detector::make({.shards = 1});
  EXPECT_TRUE(made.has_value()) << made.error();
  return **made;
}

std::string_view objects_of(Bytes items) {  // valid until the next call
  static ProtocolJson json{Protocols{kProtocols}};
  return json.objects_of(items);
}

void say(Conversations& conversations, std::uint32_t id, const Said& said, Carrier carrier) {
  const Bytes bytes{reinterpret_cast<const std::uint8_t*>(said.bytes.data()), said.bytes.size()};
  if (carrier == Carrier::datagrams) {
    conversations.on_datagram(id, said.side, bytes,
                              static_cast<std::uint32_t>(bytes.size() + said.gap));
  } else if (said.gap != 0) {
    conversations.on_gap(id, said.side, said.gap);
  } else if (!bytes.empty()) {
    conversations.on_data(id, said.side, bytes);
  }
}

std::vector<std::string> texts_of(Bytes items) {
  std::vector<std::string> texts;
  ItemReader reader(items);
  for (Item item; reader.next(item);) {
    if (item.protocol == kNoProtocol) continue;
    const ProtocolField& field = kProtocols.at(item.protocol)->fields[item.field];
    if (field.kind != ProtocolKind::text) continue;
    texts.push_back(std::string(field.path) + "=" +
                    std::string(item.value.begin(), item.value.end()));
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

std::string text_of(const LinkNote& note) {
  const LinkEndpoint& end = note.endpoint;
  std::string text(note.link.name.empty() ? "over" : note.link.name);
  if (end.port == 0) {
    text += " id ";
    for (std::size_t i = 0; i < note.link.key.bytes.back(); ++i)
      text += fmt::format("{:02x}", note.link.key.bytes[i]);
    return text;
  }
  text += " side " + std::to_string(end.side);
  if (end.ip_version != 0) {
    char room[64];
    const std::uint8_t* address = end.address.bytes.data();
    text += " ip ";
    text.append(room, end.ip_version == 4 ? put_ipv4(room, address) : put_ipv6(room, address));
  }
  text += " port " + std::to_string(end.port);
  text += objects_of(Bytes{note.link.items}.first(note.link.items_bytes));
  return text;
}

void expect_no_other_texts(const Heard& whole, const Heard& part, const std::string& what) {
  for (const std::string& text : part.texts)
    EXPECT_TRUE(std::binary_search(whole.texts.begin(), whole.texts.end(), text)) << what << text;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Heard& heard) {
  return out << heard.protocol << ' ' << heard.objects << (heard.is_malformed ? " malformed" : "")
             << (heard.has_gap ? " gap" : "") << (heard.is_dry ? " dry" : "") << " dropped "
             << heard.transactions_dropped << ", " << heard.values_dropped;
}

namespace {

Heard hear(Conversations& conversations, const Dialogue& dialogue, Carrier carrier) {
  const std::uint32_t id = conversations.open(carrier, 0);
  Timestamp now{kSecond};
  for (const Said& said : dialogue) {
    conversations.at(id, now);
    say(conversations, id, said, carrier);
    now.value += said.until_next;
  }
  std::vector<std::string> links;
  conversations.links().take(id, [&](const LinkNote& note) { links.push_back(text_of(note)); });
  const auto interim = conversations.tell(id).items.size();
  for (unsigned side = 0; side < 2; ++side) conversations.on_end(id, side);
  const Conversations::Told told = conversations.tell(id);
  EXPECT_GE(told.items.size(), interim == 0 ? 0 : 1);
  Heard heard{.protocol = std::string(told.protocol),
              .objects = std::string(objects_of(told.items)),
              .texts = texts_of(told.items),
              .links = links,
              .transactions_dropped = told.transactions_dropped,
              .values_dropped = told.values_dropped,
              .is_malformed = told.is_malformed,
              .has_gap = told.has_gap,
              .is_dry = told.is_dry};
  const bool says_more = !told.items.empty() || !told.protocol.empty() || told.is_malformed ||
                         told.has_gap || told.is_dry || told.transactions_dropped != 0 ||
                         told.values_dropped != 0;
  EXPECT_TRUE(conversations.has_facts(id) || !says_more);
  conversations.release(id);
  EXPECT_EQ(conversations.used(), 0u);
  EXPECT_EQ(conversations.blocks_used(), 0u);
  return heard;
}

// For one dialogue after the other: each leaves it as it was.
Conversations& usual_conversations() {
  static ParserCounters counters;
  static Conversations usual({.conversations = 2, .memory = 1 << 20}, detector(), 0, counters);
  return usual;
}

}  // namespace

Heard hear(const Dialogue& dialogue, Carrier carrier) {
  return hear(usual_conversations(), dialogue, carrier);
}

Heard hear(const Dialogue& dialogue, Carrier carrier, const ConversationLimits& limits) {
  ParserCounters counters;
  Conversations conversations(limits, detector(), 0, counters);
  return hear(conversations, dialogue, carrier);
}

void expect_same_however_cut(const Dialogue& dialogue) {
  // Times are those of the words: each piece of one comes at its moment.
  const auto hear_cut = [](const Dialogue& from, std::size_t which, std::size_t at) {
    Conversations& conversations = usual_conversations();
    const std::uint32_t id = conversations.open(Carrier::stream, 0);
    Timestamp now{kSecond};
    for (std::size_t i = 0; i < from.size(); ++i) {
      conversations.at(id, now);
      now.value += kMillisecond;
      const Said& said = from[i];
      const bool is_all = which == from.size();  // every byte by itself
      if (said.gap != 0 || (!is_all && i != which)) {
        say(conversations, id, said, Carrier::stream);
        continue;
      }
      const std::size_t step = is_all ? 1 : at;
      for (std::size_t begin = 0, end; begin < said.bytes.size(); begin = end) {
        end = is_all ? begin + 1 : begin == 0 ? step : said.bytes.size();
        const std::string piece = said.bytes.substr(begin, end - begin);
        say(conversations, id, {said.side, piece, 0}, Carrier::stream);
      }
    }
    for (unsigned side = 0; side < 2; ++side) conversations.on_end(id, side);
    const Conversations::Told told = conversations.tell(id);
    std::string text = std::string(told.protocol) + std::string(objects_of(told.items)) +
                       (told.is_malformed ? " malformed" : "");
    conversations.links().take(id, [](const LinkNote&) {});
    conversations.release(id);
    EXPECT_EQ(conversations.blocks_used(), 0u);
    return text;
  };
  const std::string whole = hear_cut(dialogue, dialogue.size() + 1, 0);
  ASSERT_EQ(hear_cut(dialogue, dialogue.size(), 1), whole) << "in single bytes";
  for (std::size_t i = 0; i < dialogue.size(); ++i)
    for (std::size_t at = 1; at < dialogue[i].bytes.size(); ++at)
      ASSERT_EQ(hear_cut(dialogue, i, at), whole) << "word " << i << " cut at " << at;
}

void expect_nothing_garbled(const Dialogue& dialogue, Carrier carrier) {
  constexpr std::size_t kGap = 3;
  const Heard whole = hear(dialogue, carrier);
  Dialogue part;
  for (const Said& said : dialogue) {
    const std::size_t place = part.size();
    for (std::size_t end = 0; end < said.bytes.size(); ++end) {
      part.push_back({said.side, said.bytes.substr(0, end), 0});
      const std::string what = "word " + std::to_string(place) + " up to " + std::to_string(end);
      const Heard truncated = hear(part, carrier);
      if (carrier == Carrier::stream) expect_no_other_texts(whole, truncated, what + ": ");
      if (carrier == Carrier::stream && end + kGap <= said.bytes.size()) {
        part.push_back({said.side, {}, kGap});
        part.push_back({said.side, said.bytes.substr(end + kGap), 0});
        for (std::size_t i = place + 1; i < dialogue.size(); ++i) part.push_back(dialogue[i]);
        expect_no_other_texts(whole, hear(part), what + ", a gap: ");
      }
      part.resize(place);
      if (testing::Test::HasFailure()) return;
    }
    part.push_back(said);
  }
}

void expect_hostile_is_survived(const Dialogue& dialogue, Carrier carrier) {
  constexpr int kRoundsEach = 8, kTimes = 40;  // what one word leaves behind, many leave more of
  std::mt19937 random(1);                      // NOLINT: the same each time
  for (int round = 0; round < 2'000; ++round) {
    Dialogue changed = dialogue;
    for (Said& said : changed)
      for (int i = 0; i < 3 && !said.bytes.empty(); ++i)
        said.bytes[random() % said.bytes.size()] = static_cast<char>(random());
    if (round % kRoundsEach == 0 && !changed.empty()) {
      const auto said = changed.begin() + static_cast<std::ptrdiff_t>(random() % changed.size());
      changed.insert(said, kTimes, Said(*said));
    }
    hear(changed, carrier);
  }
}

}  // namespace linger::test
