#include "output/ndjson.h"

#include <gtest/gtest.h>

#include "output/record_table.h"
#include "tests/output/sample_record.h"

namespace linger {
namespace {

TEST(ndjson, a_plain_tcp_session_is_this_very_line) {
  EXPECT_EQ(
      line_of(sample_record()),
      R"({"@timestamp":"2023-11-14T22:13:23.000000999Z","ecs":{"version":"8.17.0"},)"
      R"("event":{"id":"0123456789abcdeffedcba9876543210","kind":"event","category":["network"],)"
      R"("type":["connection","end"],"action":"session-end",)"
      R"("start":"2023-11-14T22:13:20.123456789Z","end":"2023-11-14T22:13:23.000000999Z",)"
      R"("duration":2876544210,"reason":"closed","sequence":0},)"
      R"("network":{"type":"ipv4","transport":"tcp","iana_number":"6",)"
      R"("community_id":"1:LQU9qZlK+B5F3KDmev6m5PMibrg=","packets":10,"bytes":5852},)"
      R"("source":{"ip":"128.232.110.120","port":34855,"mac":"00-00-5E-00-53-23","packets":6,)"
      R"("bytes":812,"payload_bytes":400},)"
      R"("destination":{"ip":"66.35.250.204","port":80,"mac":"FE-01-02-03-04-05","packets":4,)"
      R"("bytes":5040,"payload_bytes":4700},"observer":{"name":"linger"},)"
      R"("tcp":{"state":"SF","history":"ShADadFf","flags":{"syn":1,"syn_ack":1,"fin":2}}})"
      "\n");
}

TEST(ndjson, an_all_zero_record_still_is_a_whole_line) {
  const Paths paths = paths_of(line_of(Record{}));
  EXPECT_EQ(paths.at("@timestamp"), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(paths.at("event.duration"), "0");
  EXPECT_EQ(paths.at("source.ip"), "::");
  EXPECT_EQ(paths.at("network.transport"), "hopopt");
  EXPECT_FALSE(paths.contains("source.port"));
  EXPECT_FALSE(paths.contains("event.reason"));
  EXPECT_FALSE(paths.contains("tcp.state"));
}

TEST(ndjson, icmp_has_type_and_code_even_when_zero_and_no_ports) {
  Record r = sample_record();
  r.protocol = 1;
  r.port = {7, 7};
  r.history = {};
  const Paths paths = paths_of(line_of(r));
  EXPECT_EQ(paths.at("icmp.type"), "0");
  EXPECT_EQ(paths.at("icmp.code"), "0");
  EXPECT_FALSE(paths.contains("source.port"));
  EXPECT_FALSE(paths.contains("tcp.state"));
}

TEST(ndjson, totals_of_the_network_count_the_icmp_errors_too) {
  Record r = sample_record();
  r.protocol = 17;
  r.icmp_error_packets = 2;
  r.icmp_error_bytes = 140;
  const Paths paths = paths_of(line_of(r));
  EXPECT_EQ(paths.at("network.packets"), "12");
  EXPECT_EQ(paths.at("network.bytes"), "5992");
  EXPECT_EQ(paths.at("icmp.errors.packets"), "2");
  EXPECT_EQ(paths.at("icmp.errors.bytes"), "140");
  EXPECT_FALSE(paths.contains("icmp.type"));
}

TEST(ndjson, a_continued_session_names_the_other_below_its_protocol) {
  Record r = sample_record();
  r.continues = {1, 2};
  EXPECT_EQ(paths_of(line_of(r)).at("tcp.continues"), "00000000000000010000000000000002");
  r.protocol = 17;
  EXPECT_EQ(paths_of(line_of(r)).at("event.continues"), "00000000000000010000000000000002");
  EXPECT_FALSE(paths_of(line_of(r)).contains("tcp.continues"));
}

TEST(ndjson, every_word_of_every_list_is_written) {
  Record r = sample_record();
  for (std::size_t i = 0; i < kActionWords.size(); ++i) {
    r.action = static_cast<Action>(i);
    EXPECT_EQ(paths_of(line_of(r)).at("event.action"), kActionWords[i]);
    const bool is_end = r.action == Action::session_end || r.action == Action::mptcp_end;
    EXPECT_EQ(paths_of(line_of(r)).at("event.type"), is_end ? "connection,end" : "connection,info");
  }
  r.action = Action::session_end;
  for (std::size_t i = 1; i < kReasonWords.size(); ++i) {
    r.reason = static_cast<Reason>(i);
    EXPECT_EQ(paths_of(line_of(r)).at("event.reason"), kReasonWords[i]);
  }
  for (std::size_t i = 0; i < kConnStateWords.size(); ++i) {
    r.state = static_cast<ConnState>(i);
    EXPECT_EQ(paths_of(line_of(r)).at("tcp.state"), kConnStateWords[i]);
  }
}

TEST(ndjson, every_protocol_number_has_a_name) {
  Record r = sample_record();
  for (int protocol = 0; protocol < 256; ++protocol) {
    r.protocol = static_cast<std::uint8_t>(protocol);
    const Paths paths = paths_of(line_of(r));
    EXPECT_EQ(paths.at("network.iana_number"), std::to_string(protocol));
    EXPECT_FALSE(paths.at("network.transport").empty());
  }
  r.protocol = 254;
  EXPECT_EQ(paths_of(line_of(r)).at("network.transport"), "ip-proto-254");
  r.protocol = 58;
  EXPECT_EQ(paths_of(line_of(r)).at("network.transport"), "ipv6-icmp");
}

TEST(ndjson, a_clock_that_ran_backwards_gives_no_negative_duration) {
  Record r = sample_record();
  r.start = make_timestamp(1'700'000'010, 0);
  EXPECT_EQ(paths_of(line_of(r)).at("event.duration"), "0");
  r.start = {0};
  r.end = make_timestamp(kLastSecond, 0);
  EXPECT_EQ(paths_of(line_of(r)).at("event.duration"), std::to_string(INT64_MAX));
}

// Every member at its largest, with the longest texts, once as TCP and once as any other protocol.
Record largest_record() {
  Record r;
  std::memset(static_cast<void*>(&r), 0xff, sizeof r);
  r.start = {0};
  r.end = make_timestamp(kLastSecond, 999'999'999);
  r.action = Action::session_interim;
  r.reason = Reason::end_of_input;
  r.state = ConnState::rstos0;
  r.ip_version = 6;
  r.history.assign("SShhAADDaaddFFffRRrrCCccTTttWWw");
  r.application.assign("thirty-one-letters-of-a-protocol");
  r.rtt_syn_ack_ns = r.rtt_ack_ns = INT64_MAX;
  r.zero_window_ns = {INT64_MAX, INT64_MAX};
  r.ecn = r.simultaneous_open = r.split_handshake = r.simultaneous_close = true;
  r.mid_stream = r.extension_missing = r.tunnels_missing = r.rtt_missing = true;
  r.overlaps = {true, true};
  r.checksums_offloaded = {true, true};
  r.mptcp_backup = r.mptcp_data_fin = r.mptcp_fastclose = r.mptcp_reset = {true, true};
  r.mptcp_fail = {true, true};
  r.mptcp_missing = true;
  r.is_usual = false;
  r.application_malformed = r.application_gap = r.application_missing = r.capture_loss = true;
  for (TunnelLayer& layer : r.tunnels.layer) {
    layer.kind = TunnelKind::vxlan_gpe;
    layer.has_id = true;
  }
  return r;
}

TEST(ndjson, the_largest_record_fits_and_names_every_field) {
  RunInfo run;
  run.node = std::string(kNodeBytesMax, '\x01');
  std::size_t named = 0;
  for (const int protocol : {6, 1, 132}) {
    Record r = largest_record();
    r.protocol = static_cast<std::uint8_t>(protocol);
    const std::string line = line_of(r, run);
    EXPECT_LE(line.size() + kScribbleBytes, NdjsonEncoder::kLineBytesMax);
    named = std::max(named, paths_of(line).size());
    for_each_field([&]<class F>(const F& field) {
      EXPECT_EQ(F::Presence::holds(r, field.get(r)),
                paths_of(line).contains(std::string(field.path)))
          << field.path << " of protocol " << protocol;
    });
  }
  EXPECT_GT(named, kFieldCount / 2);
}

TEST(ndjson, the_largest_mptcp_connection_fits) {
  auto connection = std::make_unique<MptcpConnection>();
  connection->record = largest_record();
  connection->record.action = Action::mptcp_end;
  connection->path_count = kMptcpPathsMax;
  connection->unused_count = kMptcpUnusedMax;
  for (MptcpPath& path : connection->paths) {
    std::memset(static_cast<void*>(&path), 0xff, sizeof path);
    path.start = path.end = connection->record.end;
    path.backup = {true, true};
    path.ip_version = 6;
    path.role = MptcpRole::join;
    path.is_by_destination = true;
    path.share = 1'000;
  }
  for (MptcpAddress& address : connection->unused)
    std::memset(static_cast<void*>(&address), 0xff, sizeof address);
  NdjsonEncoder encoder(RunInfo{std::string(kNodeBytesMax, '\x01')});
  std::vector<char> line(NdjsonEncoder::kLineBytesMax);
  const std::size_t bytes = encoder.encode(*connection, line.data());
  encoder.complete();
  EXPECT_LE(bytes + kScribbleBytes, NdjsonEncoder::kLineBytesMax);
  const YAML::Node mptcp = YAML::Load(std::string(line.data(), bytes))["mptcp"];
  EXPECT_EQ(mptcp["subflows"].size(), kMptcpPathsMax);
  EXPECT_EQ(mptcp["subflows"][0]["share"].as<std::string>(), "1.000");
  EXPECT_EQ(mptcp["unused_addresses"].size(), kMptcpUnusedMax);
}

// Leaving out any one field leaves the rest in its place: braces and commas hold for every
// combination of neighbours.
TEST(ndjson, any_subset_of_the_optional_fields_gives_an_object) {
  const Record largest = largest_record();
  const Record least = sample_record();
  std::uint32_t random = 12'345;
  for (int round = 0; round < 2'000; ++round) {
    Record r = least;
    const auto pick = [&](auto& member, const auto& value) {
      random = random * 1'664'525 + 1'013'904'223;
      if (random >> 31) member = value;
    };
#define LINGER_PICK(k, member, path, presence, help) pick(r.member, largest.member);
#define LINGER_NOTHING(k, member, path, presence, help)
    LINGER_RECORD_FIELDS(LINGER_PICK, LINGER_PICK, LINGER_NOTHING, LINGER_PICK, LINGER_NOTHING)
#undef LINGER_PICK
#undef LINGER_NOTHING
    const std::string line = line_of(r);
    const Paths paths = paths_of(line);
    for_each_field([&]<class F>(const F& field) {
      ASSERT_EQ(F::Presence::holds(r, field.get(r)), paths.contains(std::string(field.path)))
          << field.path << "\n"
          << line;
    });
    r.mark_usual();
    ASSERT_EQ(line_of(r), line);
  }
}

// The encoder leaves the rare fields of such a record out, whatever they are.
TEST(ndjson, a_record_with_any_of_the_rare_fields_is_not_marked_as_usual) {
  const Record largest = largest_record();
  const Record least = sample_record();
  const auto is_marked = [](Record r) {
    r.mark_usual();
    return r.is_usual;
  };
  Record r = least;
  EXPECT_TRUE(is_marked(r));
  r.action = Action::mptcp_end;
  EXPECT_FALSE(is_marked(r));
#define LINGER_TRY(k, member, path, presence, help) \
  r = least;                                        \
  r.member = largest.member;                        \
  EXPECT_FALSE(is_marked(r)) << path;
#define LINGER_NOTHING(k, member, path, presence, help)
  LINGER_RARE_FIELDS(LINGER_TRY, LINGER_TRY, LINGER_NOTHING, LINGER_TRY, LINGER_NOTHING)
#undef LINGER_TRY
#undef LINGER_NOTHING
}

TEST(ndjson, the_name_of_the_observer_is_valid_whatever_it_holds) {
  EXPECT_NE(
      line_of(sample_record(), {"no\"de\xff\n"}).find("\"name\":\"no\\\"de\xef\xbf\xbd\\u000a\""),
      std::string::npos);
}

TEST(ndjson, totals_leave_out_interim_and_mptcp_records_but_count_them) {
  NdjsonEncoder encoder(RunInfo{});
  std::vector<char> line(NdjsonEncoder::kLineBytesMax);
  Record r = sample_record();
  encoder.encode(r, line.data());
  r.action = Action::session_interim;
  encoder.encode(r, line.data());
  r.action = Action::session_late;
  r.packets = {0, 1};
  r.bytes = {0, 60};
  encoder.encode(r, line.data());
  r.action = Action::mptcp_end;
  encoder.encode(r, line.data());
  EncodedTotals totals;
  encoder.tally().add_to(totals);
  EXPECT_EQ(totals.records, (std::array<std::uint64_t, kActionWords.size()>{1, 1, 1, 0, 1}));
  EXPECT_EQ(totals.packets, 11u);
  EXPECT_EQ(totals.bytes, 5'912u);
}

// Of 64 KiB and more, as certificates may be that a client and a server wrote for it.
TEST(ndjson, what_is_made_of_raw_items_has_room_however_much_it_is) {
  static constexpr ProtocolField kFields[] = {{"raw", ProtocolKind::raw, ""},
                                              {"names[]", ProtocolKind::text, ""}};
  constexpr auto kDerive = [](std::uint8_t protocol, ItemReader items, ItemWriter& more) {
    Item item;
    while (items.next(item))
      for (int i = 0; i < 100; ++i)
        more.put({.protocol = protocol, .field = 1, .value = item.value});
  };
  static constexpr Protocol kProtocol{.name = "x", .fields = kFields, .derive = kDerive};
  static constexpr const Protocol* kAll[] = {&kProtocol, &kProtocol};
  const std::vector<std::uint8_t> name(kTextBytesMax, 'n');
  std::vector<std::uint8_t> room(2 * (kItemHeadBytes + name.size()));
  ItemWriter items(room);
  for (const std::uint8_t i : {0, 1}) items.put({.protocol = i, .value = name});
  ProtocolJson json{Protocols(kAll)};
  for (int turn = 0; turn < 2; ++turn)
    EXPECT_EQ(json.objects_of(items.items()).size(),
              2 * (std::string_view(R"(,"x":{"names":[]})").size() +
                   200 * (name.size() + std::string_view(R"("",)").size()) - 1));
}

}  // namespace
}  // namespace linger
