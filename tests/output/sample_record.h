// Records for the tests of output/, and their lines as maps from path to value.
#pragma once

#include <yaml-cpp/yaml.h>

#include <map>
#include <string>
#include <vector>

#include "output/ndjson.h"

namespace linger {

inline constexpr Id128 kSampleId{0x0123'4567'89ab'cdef, 0xfedc'ba98'7654'3210};

// A TCP session over IPv4, closed by both sides, with nothing unusual.
inline Record sample_record() {
  Record r;
  r.id = kSampleId;
  r.start = make_timestamp(1'700'000'000, 123'456'789);
  r.end = make_timestamp(1'700'000'003, 999);
  r.reason = Reason::closed;
  r.ip_version = 4;
  r.protocol = 6;
  r.address[0].bytes = {128, 232, 110, 120};
  r.address[1].bytes = {66, 35, 250, 204};
  r.port = {34'855, 80};
  r.mac = {MacAddress{0x00, 0x00, 0x5e, 0x00, 0x53, 0x23}, MacAddress{0xfe, 1, 2, 3, 4, 5}};
  r.packets = {6, 4};
  r.bytes = {812, 5'040};
  r.payload_bytes = {400, 4'700};
  r.state = ConnState::sf;
  r.history.assign("ShADadFf");
  r.syn = 1;
  r.syn_ack = 1;
  r.fin = 2;
  return r;
}

inline std::string line_of(const Record& record, const RunInfo& run = {}) {
  NdjsonEncoder encoder(run);
  std::vector<char> line(NdjsonEncoder::kLineBytesMax);
  const std::size_t bytes = encoder.encode(record, line.data());
  encoder.complete();
  return {line.data(), bytes};
}

using Paths = std::map<std::string, std::string>;

// JSON is YAML: the leaves of the object below `node`. Lists become their entries joined by commas.
// An object that has a key twice fails the caller. An object in a list counts as one value.
inline void collect_paths(const YAML::Node& node, const std::string& prefix, Paths& paths) {
  for (const auto& member : node) {
    const std::string path = prefix + member.first.as<std::string>();
    if (member.second.IsMap()) {
      collect_paths(member.second, path + ".", paths);
      continue;
    }
    std::string text;
    if (member.second.IsSequence()) {
      for (const auto& entry : member.second)
        text += (text.empty() ? "" : ",") + (entry.IsMap() ? "{}" : entry.as<std::string>());
    } else {
      text = member.second.as<std::string>();
    }
    if (!paths.emplace(path, text).second) throw std::runtime_error("twice: " + path);
  }
}

inline Paths paths_of(const std::string& line) {
  Paths paths;
  collect_paths(YAML::Load(line), "", paths);
  return paths;
}

}  // namespace linger
