// Any bytes as what two sides say, for one parser (fuzzed_parser): it ends, keeps nothing behind,
// and tells the same when the bytes come one by one.
//
//     input    how          word   word …
//     bytes    1            2 + its length
//
// `how`: bit 0 datagrams. A word: side (bit 7), gap (bit 6), then its length (14 bits).
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "engine/base/check.h"
#include "output/protocol_json.h"
#include "parsers/conversations.h"
#include "parsers/list.h"

extern const char fuzzed_parser[];  // fuzzed_parser.cc

namespace {

using namespace linger;

#define LINGER_NAME(name) #name,
constexpr std::array kNames = {LINGER_PARSERS(LINGER_NAME)};
#undef LINGER_NAME

// The one parser is always asked.
class OneParser final : public Detector {
 public:
  OneParser() { CHECK(place_ < kParsers.size()); }
  Candidates candidates(std::size_t, Carrier, Bytes) const noexcept override {
    Candidates found;
    found.add(place_, 0);
    return found;
  }

 private:
  std::uint8_t place_ = static_cast<std::uint8_t>(
      std::find(kNames.begin(), kNames.end(), std::string_view(fuzzed_parser)) - kNames.begin());
};

void say(Conversations& conversations, Carrier carrier, unsigned side, Bytes bytes, bool is_gap,
         bool by_bytes) {
  if (carrier == Carrier::datagrams) {
    conversations.on_datagram(0, side, bytes, static_cast<std::uint32_t>(bytes.size()));
  } else if (is_gap && !bytes.empty()) {
    conversations.on_gap(0, side, bytes.size());
  } else if (!by_bytes) {
    conversations.on_data(0, side, bytes);
  } else {
    for (std::size_t i = 0; i < bytes.size(); ++i)
      conversations.on_data(0, side, bytes.subspan(i, 1));
  }
}

std::string hear(Conversations& conversations, Bytes input, bool by_bytes) {
  const Carrier carrier = (input[0] & 1) != 0 ? Carrier::datagrams : Carrier::stream;
  CHECK(conversations.open(carrier, 0) == 0);
  Reader reader(input.subspan(1));
  for (std::int64_t now = 1; reader.remaining() >= 2; ++now) {
    const std::uint16_t head = reader.be16();
    const std::size_t length = std::min<std::size_t>(head & 0x3fff, reader.remaining());
    conversations.at(0, {now});
    say(conversations, carrier, head >> 15, reader.bytes(length), (head & 0x4000) != 0, by_bytes);
    if (now % 4 == 0) conversations.tell(0);
  }
  for (unsigned side = 0; side < 2; ++side) conversations.on_end(0, side);
  static ProtocolJson json{Protocols{kProtocols}};
  std::string told(json.objects_of(conversations.tell(0).items));
  conversations.release(0);
  CHECK(conversations.blocks_used() == 0);
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const OneParser detector;
  static ParserCounters counters;
  static Conversations conversations({.conversations = 1, .memory = 4 << 20}, detector, 0,
                                     counters);
  if (size == 0) return 0;
  const std::string whole = hear(conversations, {data, size}, false);
  CHECK(hear(conversations, {data, size}, true) == whole);
  return 0;
}
