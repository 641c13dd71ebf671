#include "parsers/dns.h"

#include <algorithm>
#include <charconv>

#include "parsers/digest.h"
#include "parsers/list.h"

namespace linger {
namespace {

using Field = DnsField;

constexpr ProtocolField kFields[] = {LINGER_DNS_FIELDS(LINGER_FIELD_ROW)};

constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kNameBytesMax = 255;            // RFC 1035 §2.3.4
constexpr int kPointersMax = 16;                      // in one name
constexpr std::size_t kQuestionsMax = 32;             // mDNS asks several things at once
constexpr std::size_t kDigestedMax = 512;             // of a message, to know it again
constexpr DurationNs kCopyMax = 900 * kMicrosecond;   // no client asks again so soon
constexpr DurationNs kEarlyMax = 100 * kMillisecond;  // a response before its query
constexpr DurationNs kRepeatMax = 10 * kMillisecond;  // mDNS repeats after a second (RFC 6762 §5.2)

constexpr unsigned kInverseQuery = 1;  // RFC 1035 §6.4: asks with an answer, for its name

enum HeaderFlag : std::uint16_t {
  kResponse = 0x8000,
  kAuthoritative = 0x0400,
  kTruncated = 0x0200,
  kRecursionDesired = 0x0100,
  kRecursionAvailable = 0x0080,
  kAuthentic = 0x0020,
  kCheckingDisabled = 0x0010,
};

struct Header {
  std::uint16_t id, flags, questions, answers, authorities, additions;

  bool is_response() const noexcept { return (flags & kResponse) != 0; }
  unsigned op_code() const noexcept { return flags >> 11 & 15; }
  unsigned response_code() const noexcept { return flags & 15; }
};
Header header_of(Bytes message) noexcept {
  const auto at = [&](std::size_t i) { return load_be16(message.data() + 2 * i); };
  return {at(0), at(1), at(2), at(3), at(4), at(5)};
}

// --- Words ------------------------------------------------------------------------------------

struct Word {
  std::uint16_t number;
  std::string_view text;
};
// IANA: Domain Name System (DNS) Parameters.
constexpr Word kTypes[] = {
    {1, "A"},      {2, "NS"},      {5, "CNAME"},  {6, "SOA"},    {10, "NULL"},  {12, "PTR"},
    {13, "HINFO"}, {15, "MX"},     {16, "TXT"},   {17, "RP"},    {18, "AFSDB"}, {24, "SIG"},
    {25, "KEY"},   {28, "AAAA"},   {29, "LOC"},   {33, "SRV"},   {35, "NAPTR"}, {36, "KX"},
    {37, "CERT"},  {39, "DNAME"},  {41, "OPT"},   {43, "DS"},    {44, "SSHFP"}, {46, "RRSIG"},
    {47, "NSEC"},  {48, "DNSKEY"}, {50, "NSEC3"}, {52, "TLSA"},  {59, "CDS"},   {64, "SVCB"},
    {65, "HTTPS"}, {99, "SPF"},    {249, "TKEY"}, {250, "TSIG"}, {251, "IXFR"}, {252, "AXFR"},
    {255, "ANY"},  {256, "URI"},   {257, "CAA"}};
constexpr Word kClasses[] = {{1, "IN"}, {3, "CH"}, {4, "HS"}, {254, "NONE"}, {255, "ANY"}};
constexpr Word kOpCodes[] = {{0, "QUERY"},  {1, "IQUERY"}, {2, "STATUS"},
                             {4, "NOTIFY"}, {5, "UPDATE"}, {6, "DSO"}};
constexpr Word kResponseCodes[] = {
    {0, "NOERROR"},  {1, "FORMERR"},    {2, "SERVFAIL"}, {3, "NXDOMAIN"},  {4, "NOTIMP"},
    {5, "REFUSED"},  {6, "YXDOMAIN"},   {7, "YXRRSET"},  {8, "NXRRSET"},   {9, "NOTAUTH"},
    {10, "NOTZONE"}, {11, "DSOTYPENI"}, {16, "BADVERS"}, {23, "BADCOOKIE"}};
constexpr Word kFlags[] = {{kAuthoritative, "AA"},    {kTruncated, "TC"},
                           {kRecursionDesired, "RD"}, {kRecursionAvailable, "RA"},
                           {kAuthentic, "AD"},        {kCheckingDisabled, "CD"}};

class Text {  // what does not fit is left out, so that what is told of it says that it is cut
 public:
  void add(Bytes bytes) noexcept {
    const std::size_t count = std::min(bytes.size(), chars_.size() - size_);
    if (count != 0) std::memcpy(chars_.data() + size_, bytes.data(), count);
    size_ += count;
  }
  void add(std::string_view text) noexcept {
    add(Bytes{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  }
  void add(std::uint8_t byte) noexcept { add(Bytes{&byte, 1}); }
  void add_number(std::uint64_t number) noexcept {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    add(std::string_view(digits, static_cast<std::size_t>(end - digits)));
  }
  Bytes bytes() const noexcept { return {chars_.data(), size_}; }

 private:
  std::array<std::uint8_t, kTextBytesMax + 1> chars_;
  std::size_t size_ = 0;
};

// The word of a number, or `other` with the number behind it (RFC 3597 §5).
void tell_word(Facts& facts, Field field, std::span<const Word> words, unsigned number,
               std::string_view other, Row row) noexcept {
  for (const Word& word : words)
    if (word.number == number) return facts.text(field, word.text, row);
  Text text;
  text.add(other);
  text.add_number(number);
  facts.text(field, text.bytes(), row);
}

// --- Names ------------------------------------------------------------------------------------

// RFC 1035 §3.1 and §4.1.4: labels, then a zero or a pointer to a name that lies before. Advances
// `at` behind the name; false: it is none. Dots and backslashes in labels are escaped (§5.1).
bool read_name(Bytes message, std::size_t& at, Text* text) noexcept {
  std::size_t place = at, before = at, bytes = 0;
  bool has_jumped = false;
  for (int pointers = 0;;) {
    if (place >= message.size()) return false;
    const std::uint8_t length = message[place];
    if ((length & 0xc0) == 0xc0) {
      if (place + 1 >= message.size() || ++pointers > kPointersMax) return false;
      const std::size_t target = load_be16(message.data() + place) & 0x3fff;
      if (!has_jumped) at = place + 2;
      has_jumped = true;
      if (target >= before) return false;
      place = before = target;
      continue;
    }
    if ((length & 0xc0) != 0) return false;
    if (length == 0) break;
    if (place + 1 + length > message.size() || (bytes += length + 1u) >= kNameBytesMax)
      return false;
    if (text != nullptr) {
      if (bytes != length + 1u) text->add(std::uint8_t{'.'});
      const Bytes label = message.subspan(place + 1, length);
      if (std::none_of(label.begin(), label.end(), [](auto c) { return c == '.' || c == '\\'; })) {
        text->add(label);
      } else {
        for (const std::uint8_t c : label) {
          if (c == '.' || c == '\\') text->add(std::uint8_t{'\\'});
          text->add(c);
        }
      }
    }
    place += 1u + length;
  }
  if (!has_jumped) at = place + 1;
  if (text != nullptr && bytes == 0) text->add(std::uint8_t{'.'});
  return true;
}

// Past a name, wherever its pointer leads: hundreds of bytes may lie there, for each of the names.
bool skip_name(Bytes message, std::size_t& at) noexcept {
  while (at < message.size()) {
    const std::uint8_t length = message[at];
    const bool is_pointer = (length & 0xc0) == 0xc0;
    if (!is_pointer && (length & 0xc0) != 0) return false;
    at += is_pointer ? 2u : 1u + length;
    if (is_pointer || length == 0) return at <= message.size();
  }
  return false;
}

bool is_class(unsigned number) noexcept {
  number &= 0x7fff;  // mDNS keeps a bit for itself (RFC 6762 §5.4, §10.2)
  return number == 1 || number == 3 || number == 4 || number == 254 || number == 255;
}

struct Record {
  std::uint16_t type, record_class;
  std::uint32_t ttl;
  std::size_t data, data_bytes;  // in the message
};
bool read_behind_name(Bytes message, std::size_t& at, Record& record) noexcept {
  if (message.size() - at < 10) return false;
  const std::uint8_t* p = message.data() + at;
  record = {load_be16(p), load_be16(p + 2), load_be32(p + 4), at + 10, load_be16(p + 8)};
  if (message.size() - record.data < record.data_bytes) return false;
  at = record.data + record.data_bytes;
  return true;
}
bool read_record(Bytes message, std::size_t& at, Record& record, Text* name) noexcept {
  return read_name(message, at, name) && read_behind_name(message, at, record);
}

// With the upper eight bits that EDNS keeps in its record's TTL (RFC 6891 §6.1.3), which is one of
// the additional records, most often their last; behind kRecordsMax others it is not looked for.
unsigned response_code_of(Bytes message, const Header& header) noexcept {
  constexpr unsigned kRecordsMax = 64, kOpt = 41;
  const unsigned code = header.response_code();
  const unsigned others = unsigned{header.answers} + header.authorities;
  if (header.additions == 0 || header.questions > kQuestionsMax || others > kRecordsMax)
    return code;
  std::size_t at = kHeaderBytes;
  for (unsigned i = 0; i < header.questions; ++i, at += 4)
    if (!skip_name(message, at) || message.size() - at < 4) return code;
  for (unsigned i = 0; i < std::min(others + header.additions, kRecordsMax); ++i) {
    Record record;
    if (!skip_name(message, at) || !read_behind_name(message, at, record)) return code;
    if (i >= others && record.type == kOpt) return code | record.ttl >> 24 << 4;
  }
  return code;
}

// --- Answers ----------------------------------------------------------------------------------

enum Type : std::uint16_t {
  kA = 1,
  kNs = 2,
  kCname = 5,
  kSoa = 6,
  kPtr = 12,
  kMx = 15,
  kTxt = 16,
  kAaaa = 28,
  kSrv = 33,
  kDname = 39
};

void tell_data(Facts& facts, Bytes message, const Record& record, Row row) noexcept {
  const Bytes data = message.subspan(record.data, record.data_bytes);
  if (data.empty()) return;  // behind it lies the next record: as in an UPDATE (RFC 2136 §2.4)
  if ((record.type == kA && data.size() == 4) || (record.type == kAaaa && data.size() == 16)) {
    facts.address(Field::answer_data, data, row);
    facts.address(Field::resolved_ip, data, row);
    return;
  }
  Text text;
  std::size_t at = record.data;
  switch (record.type) {
    case kNs:
    case kCname:
    case kPtr:
    case kDname:
    case kSoa:  // the name of its primary server
      if (!read_name(message, at, &text)) return;
      break;
    case kMx:  // preference, name
      if (data.size() < 3 || !read_name(message, at += 2, &text)) return;
      break;
    case kSrv:  // priority, weight, port, name (RFC 2782)
      if (data.size() < 7 || !read_name(message, at += 6, &text)) return;
      text.add(std::uint8_t{':'});
      text.add_number(load_be16(data.data() + 4));
      break;
    case kTxt: {
      Reader reader(data);
      while (reader.ok() && reader.remaining() != 0) {
        if (reader.remaining() != data.size()) text.add(std::uint8_t{' '});
        text.add(reader.bytes(reader.u8()));
      }
      break;
    }
    default:
      return;
  }
  facts.text(Field::answer_data, text.bytes(), row);
}

bool tell_answers(Facts& facts, Bytes message, std::size_t& at, unsigned count, Row row) noexcept {
  for (unsigned i = 0; i < std::min<unsigned>(count, Dns::kAnswersMax); ++i) {
    Record record;
    Text name;
    if (!read_record(message, at, record, &name)) return false;
    facts.text(Field::answer_name, name.bytes(), row);
    tell_word(facts, Field::answer_type, kTypes, record.type, "TYPE", row);
    tell_word(facts, Field::answer_class, kClasses, record.record_class & 0x7fff, "CLASS", row);
    facts.number(Field::answer_ttl, record.ttl, row);
    tell_data(facts, message, record, row);
  }
  return true;
}

void tell_id(Facts& facts, std::uint16_t id, Row row) noexcept {
  Text text;
  text.add_number(id);
  facts.text(Field::id, text.bytes(), row);
}

// NetBIOS names have the same messages: a first label of 32 letters A to P (RFC 1001 §14.1).
bool is_netbios(Bytes name) noexcept {
  if (name.size() < 33 || name[0] != 32) return false;
  const Bytes label = name.subspan(1, 32);
  return std::all_of(label.begin(), label.end(), [](auto c) { return c >= 'A' && c <= 'P'; });
}

bool has_header(Bytes message) noexcept {
  if (message.size() < kHeaderBytes) return false;
  const Header header = header_of(message);
  if (header.op_code() > 6 || header.op_code() == 3 || header.response_code() > 11) return false;
  if ((header.flags & 0x0040) != 0 || header.questions > kQuestionsMax) return false;
  return !is_netbios(message.subspan(kHeaderBytes));
}

bool is_dns(Bytes message) noexcept {
  if (!has_header(message)) return false;
  const Header header = header_of(message);
  std::size_t at = kHeaderBytes;
  if (header.questions != 0) {
    if (!read_name(message, at, nullptr) || message.size() - at < 4) return false;
    const std::uint16_t question_class = load_be16(message.data() + at + 2);
    // Broken servers answer with the reserved one (RFC 6895 §3.2); of zeros there are many more.
    const bool is_broken = question_class == 0 && header.is_response() && at > kHeaderBytes + 1;
    return is_broken || is_class(question_class);
  }
  Record record;
  return (header.is_response() || header.op_code() == kInverseQuery) && header.answers != 0 &&
         read_record(message, at, record, nullptr) && is_class(record.record_class);
}

// Labels, as far as there are bytes: the first name is longer than these.
bool begins_name(Bytes message) noexcept {
  constexpr std::size_t kLabelBytesMax = 63;
  std::size_t at = kHeaderBytes;
  while (at < message.size() && message[at] != 0 && message[at] <= kLabelBytesMax)
    at += 1u + message[at];
  return at >= message.size();
}

// Of the first question, names being the same in either case (RFC 4343); 0: there is none, or it is
// not whole.
std::uint32_t question_digest(Bytes message, const Header& header) noexcept {
  constexpr std::size_t kLabelBytesMax = 63, kTypeAndClass = 4;
  if (header.questions == 0) return 0;
  std::array<std::uint8_t, kNameBytesMax + kTypeAndClass> question;
  std::size_t count = 0;
  Bytes rest = message.subspan(kHeaderBytes);
  for (bool is_name = true; is_name;) {
    if (rest.empty() || rest[0] > kLabelBytesMax) return 0;
    const std::size_t part = 1u + rest[0];
    if (part > rest.size() || count + part > kNameBytesMax) return 0;
    for (const std::uint8_t c : rest.first(part))
      question[count++] = c >= 'A' && c <= 'Z' ? static_cast<std::uint8_t>(c | 0x20) : c;
    rest = rest.subspan(part);
    is_name = part != 1;
  }
  if (rest.size() < kTypeAndClass) return 0;
  std::memcpy(&question[count], rest.data(), kTypeAndClass);
  question[count + 2] &= 0x7f;  // mDNS: that one host alone is to answer (RFC 6762 §5.4)
  return short_digest({question.data(), count + kTypeAndClass}) | 1;
}

}  // namespace

// --- The parser -------------------------------------------------------------------------------

Detection Dns::detect(Carrier carrier, Bytes bytes) noexcept {
  if (carrier == Carrier::datagrams) return is_dns(bytes) ? Detection::yes : Detection::no;
  if (bytes.size() < 2 + kHeaderBytes) return Detection::maybe;
  const std::size_t length = load_be16(bytes.data());
  if (length < kHeaderBytes) return Detection::no;
  const Bytes message = bytes.subspan(2, std::min(length, bytes.size() - 2));
  if (is_dns(message)) return Detection::yes;
  // Of a message that is not whole yet the first name may be what lacks.
  if (message.size() == length) return Detection::no;
  if (bytes.size() < kDetectBytesMax) return Detection::maybe;
  const bool is_good =
      has_header(message) && header_of(message).questions == 1 && begins_name(message);
  return is_good ? Detection::yes : Detection::no;
}

// RFC 1035 §4.2.2: two bytes of length before each message.
Answer Dns::on_data(unsigned side, Bytes bytes, Facts& facts) noexcept {
  if (bytes.size() < 2) return Answer::need(2);
  const std::size_t length = load_be16(bytes.data());
  bool& is_behind_gap = is_behind_gap_[side];
  if (length < kHeaderBytes) return is_behind_gap ? Answer::took_all() : Answer::malformed();
  const std::size_t wanted = std::min(length + 2, kUnitBytesMax);
  if (bytes.size() < wanted) return Answer::need(wanted);
  if (is_behind_gap && !is_dns(bytes.subspan(2, wanted - 2))) return Answer::took_all();
  is_behind_gap = false;
  const bool is_good = read(Carrier::stream, side, bytes.subspan(2, wanted - 2), facts);
  if (!is_good && wanted == length + 2) return Answer::malformed();
  return Answer::took(length + 2);
}

Answer Dns::on_gap(unsigned side, Bytes, std::uint64_t, Facts&) noexcept {
  is_behind_gap_[side] = true;
  return Answer::took(1);
}

Answer Dns::on_datagram(unsigned side, Bytes bytes, std::uint32_t sent_bytes,
                        Facts& facts) noexcept {
  const bool is_good = read(Carrier::datagrams, side, bytes, facts);
  return is_good || bytes.size() < sent_bytes ? Answer::took_all() : Answer::malformed();
}

// As far as both have one.
bool Dns::Pending::has_question(std::uint32_t other) const noexcept {
  return question == 0 || other == 0 || question == other;
}

// The query again: by its client, or by the mirror port.
bool Dns::Pending::is_retry(Timestamp now) noexcept {
  const DurationNs since = duration_between(latest, now);
  latest = now;
  return since < 0 || since > kCopyMax;
}

void Dns::Pending::tell_retries(Facts& facts) const noexcept {
  if (retries != 0) facts.number(Field::retries, retries, row);
}

// Of queries that still wait: a client may repeat one for as long as the session lasts.
void Dns::tell(Facts& facts) const noexcept {
  for (const Pending& pending : known())
    if (pending.is_used) pending.tell_retries(facts);
}

// The other half of a message: of the other side, with its id and question.
Dns::Pending* Dns::find(unsigned side, bool is_response, std::uint16_t id, std::uint32_t question,
                        Timestamp now) noexcept {
  for (Pending& pending : known()) {
    if (!pending.is_used || pending.id != id || !pending.has_question(question)) continue;
    if (pending.side == side || pending.is_response == is_response) continue;
    if (is_response || duration_between(pending.time, now) <= kEarlyMax) return &pending;
  }
  return nullptr;
}

bool Dns::is_told(std::uint16_t id, std::uint32_t digest, Timestamp now) const noexcept {
  return std::ranges::any_of(known(), [&](const Pending& pending) {
    const bool is_soon = now.value - pending.time.value <= kRepeatMax;
    return pending.id == id && pending.digest == digest && (id != 0 || is_soon);
  });
}

Dns::Pending& Dns::add(unsigned side, std::uint16_t id, std::uint32_t question,
                       Facts& facts) noexcept {
  Pending& pending = pending_[next_];
  if (known_ < kPendingMax) {
    ++known_;
  } else if (pending.is_used) {
    pending.tell_retries(facts);
  }
  next_ = static_cast<std::uint8_t>((next_ + 1) % kPendingMax);
  pending = {.time = facts.now(),
             .latest = facts.now(),
             .retries = 0,
             .digest = 0,
             .question = question,
             .id = id,
             .row = facts.open_row(),
             .side = static_cast<std::uint8_t>(side),
             .is_used = true,
             .is_response = false};
  return pending;
}

// False: it breaks the rules; what was told of it before that stays.
bool Dns::read(Carrier carrier, unsigned side, Bytes message, Facts& facts) noexcept {
  if (message.size() < kHeaderBytes) return false;
  const Header header = header_of(message);
  const std::uint32_t question = question_digest(message, header);
  for (Pending& pending : known()) {  // the query again, before its response
    if (!pending.is_used || pending.is_response || header.is_response()) continue;
    if (pending.id != header.id || pending.side != side || header.id == 0) continue;
    if (!pending.has_question(question)) continue;
    if (carrier == Carrier::stream || pending.is_retry(facts.now())) ++pending.retries;
    return true;
  }
  Pending* other = find(side, header.is_response(), header.id, question, facts.now());
  const bool may_repeat = header.is_response() || header.id == 0;
  const std::uint32_t digest =
      may_repeat ? short_digest(message.first(std::min(message.size(), kDigestedMax))) : 0;
  if (other == nullptr && may_repeat && is_told(header.id, digest, facts.now())) return true;
  const bool is_whole = other != nullptr;
  Pending& own = is_whole ? *other : add(side, header.id, question, facts);
  const Row row = own.row;
  if (is_whole) {
    own.tell_retries(facts);
    own.is_used = false;
  }
  if (!is_whole) own.is_response = header.is_response();
  if (may_repeat) own.digest = digest;
  if (is_whole && header.is_response()) facts.duration_since(Field::round_trip, own.time, row);
  if (header.is_response() || !is_whole) {
    facts.text(Field::type, std::string_view(header.is_response() ? "answer" : "query"), row);
  }
  if (!is_whole) {
    tell_id(facts, header.id, row);
    tell_word(facts, Field::op_code, kOpCodes, header.op_code(), "OPCODE", row);
    if (header.questions != 1) facts.number(Field::questions, header.questions, row);
  }
  if (header.is_response()) {
    for (const Word& flag : kFlags)
      if ((header.flags & flag.number) != 0) facts.text(Field::header_flags, flag.text, row);
    tell_word(facts, Field::response_code, kResponseCodes, response_code_of(message, header),
              "RCODE", row);
    facts.number(Field::answers_count, header.answers, row);
  }
  std::size_t at = kHeaderBytes;
  for (unsigned i = 0; i < std::min<unsigned>(header.questions, kQuestionsMax); ++i) {
    Text name;
    if (!read_name(message, at, &name) || message.size() - at < 4) return false;
    const std::uint8_t* p = message.data() + at;
    at += 4;
    if (is_whole && header.op_code() != kInverseQuery) continue;  // they stood in the query
    if (i != 0) {
      facts.text(Field::question_more, name.bytes(), row);
      continue;
    }
    facts.text(Field::question_name, name.bytes(), row);
    tell_word(facts, Field::question_type, kTypes, load_be16(p), "TYPE", row);
    tell_word(facts, Field::question_class, kClasses, load_be16(p + 2) & 0x7fff, "CLASS", row);
  }
  return !header.is_response() || tell_answers(facts, message, at, header.answers, row);
}

namespace parser {
constinit const Parser dns = make_parser<Dns>({.name = "dns", .has_rows = true, .fields = kFields});
}  // namespace parser

}  // namespace linger
