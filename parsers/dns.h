// DNS over datagrams and streams, mDNS and LLMNR: questions, answers, times between them.
//
//      0       2       4       6       8      10      12                        RFC 1035 §4.1.1
//      | id    | flags | questions, answers, authorities, additions | questions …
//      QR opcode(4) AA TC RD RA Z AD CD rcode(4)                                  RFC 2535 §6.1
//
// A transaction is a query and the response with its id from the other side, whichever comes first:
// the response by kEarlyMax at most, so that one that came twice does not answer a later query. A
// response that comes again, from a mirror port or because its query did, is told once; another one
// of that id is told. A query that comes again is a retry; a datagram that does within kCopyMax is
// the mirror port's copy. Messages of mDNS, which have no id, come again within kRepeatMax. A
// response without query, and mDNS's announcements, stand alone. Behind a gap a stream goes on if
// what comes next is a message as detection wants it. Limits: kPendingMax queries wait for their
// response, the oldest is given up; kAnswersMax answers are told of a message, all are counted;
// names as RFC 1035 has them (255 bytes, pointers only backwards). RFC 6762 (mDNS), RFC 4795
// (LLMNR).
#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <span>

#include "parsers/facts.h"
#include "parsers/parser.h"

namespace linger {

#define LINGER_DNS_FIELDS(X)                                                                \
  X(id, text, "id", "Identifier of the query, as it is sent.")                              \
  X(type, text, "type", "query: no response was seen; answer: one was.")                    \
  X(op_code, text, "op_code", "Kind of query, as in QUERY, NOTIFY, UPDATE.")                \
  X(header_flags, text, "header_flags[]", "Flags of the response, as in AA, RD, RA.")       \
  X(question_name, text, "question.name",                                                   \
    "Name asked for, without the final dot but of the root.")                               \
  X(question_type, text, "question.type", "Type of records asked for.")                     \
  X(question_class, text, "question.class", "Class of records asked for.")                  \
  X(question_more, text, "question.more[]", "Names of further questions, which mDNS has.")  \
  X(questions, number, "questions_count", "Questions in the message, when not one.")        \
  X(response_code, text, "response_code", "Code of the response, as in NOERROR, NXDOMAIN.") \
  X(answers_count, number, "answers_count", "Answers in the response.")                     \
  X(answer_name, text, "answers[].name", "Name an answer is about.")                        \
  X(answer_type, text, "answers[].type", "Type of its record.")                             \
  X(answer_class, text, "answers[].class", "Class of its record.")                          \
  X(answer_ttl, number, "answers[].ttl", "Seconds it may be remembered.")                   \
  X(answer_data, text, "answers[].data", "An address, a name, or a text, by its type.")     \
  X(resolved_ip, ip, "resolved_ip[]", "Addresses among the answers.")                       \
  X(round_trip, duration, "round_trip_ns", "From the query to its response.")               \
  X(retries, number, "retries", "Times the query was repeated.")

enum class DnsField : std::uint8_t { LINGER_DNS_FIELDS(LINGER_FIELD_NAME) };

class Dns {
 public:
  // An operation code that there is, few questions and answers; of a stream as many as 64 KiB hold.
  static constexpr Pattern kPatterns[] = {
      {Carrier::datagrams, R"(^.{2}[\x00-\x17\x20-\x2f\x80-\x97\xa0-\xaf])"
                           R"(.\x00[\x00-\x20][\x00\x01].\x00.)"},
      {Carrier::stream, R"(^.{4}[\x00-\x17\x20-\x2f\x80-\x97\xa0-\xaf])"
                        R"(.\x00[\x00\x01][\x00-\x17].[\x00-\x17].)"}};
  static constexpr std::size_t kPendingMax = 48;  // what a state may be (kStateBytesMax)
  static constexpr std::size_t kAnswersMax = 32;

  Dns() noexcept {}  // does not touch what is not known yet

  static Detection detect(Carrier carrier, Bytes bytes) noexcept;
  Answer on_data(unsigned side, Bytes bytes, Facts& facts) noexcept;
  Answer on_datagram(unsigned side, Bytes bytes, std::uint32_t sent_bytes, Facts& facts) noexcept;
  Answer on_gap(unsigned side, Bytes left, std::uint64_t count, Facts& facts) noexcept;
  void tell(Facts& facts) const noexcept;

 private:
  struct Pending {  // a message that waits for the other half
    Timestamp time;
    Timestamp latest;  // of a query that came again
    std::uint32_t retries;
    std::uint32_t digest;    // of the message told last; kept when the transaction is told
    std::uint32_t question;  // question_digest()
    std::uint16_t id;
    Row row;
    std::uint8_t side;
    bool is_used;
    bool is_response;

    bool has_question(std::uint32_t other) const noexcept;
    bool is_retry(Timestamp now) noexcept;
    void tell_retries(Facts& facts) const noexcept;
  };

  bool read(Carrier carrier, unsigned side, Bytes message, Facts& facts) noexcept;
  Pending* find(unsigned side, bool is_response, std::uint16_t id, std::uint32_t question,
                Timestamp now) noexcept;
  bool is_told(std::uint16_t id, std::uint32_t digest, Timestamp now) const noexcept;
  Pending& add(unsigned side, std::uint16_t id, std::uint32_t question, Facts& facts) noexcept;

  std::span<Pending> known() noexcept { return {pending_.data(), known_}; }
  std::span<const Pending> known() const noexcept { return {pending_.data(), known_}; }

  std::array<Pending, kPendingMax> pending_;
  std::uint8_t known_ = 0;
  std::uint8_t next_ = 0;                // the oldest, once all are known
  std::array<bool, 2> is_behind_gap_{};  // of a side: what comes is perhaps no message's begin
};

}  // namespace linger
