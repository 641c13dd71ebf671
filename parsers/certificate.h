// A certificate (X.509) as fields, read by OpenSSL where the record is encoded.
//
// Servers show the same ones again and again: each thread keeps the last that it read, so that most
// are a look-up and a copy. Limits: kKeptMax kept certificates of at most kKeptBytesMax; as many
// alternative names as its bytes hold. Cost: bench/parser_bench.cc.
#pragma once

#include <string>
#include <vector>

#include "engine/base/bytes.h"

namespace linger {

struct Certificate {
  static constexpr std::size_t kKeptMax = 256;
  static constexpr std::size_t kKeptBytesMax = 4 * 1024;

  struct Name {
    std::string text;  // or 4 or 16 bytes
    bool is_address = false;
  };
  std::string sha1, sha256;     // of the whole, uppercase digits as ECS has them
  std::string subject, issuer;  // RFC 4514
  std::string subject_common_name, issuer_common_name;
  std::string not_before, not_after;  // RFC 3339; empty: no time
  std::string serial;                 // uppercase digits
  std::string signature_algorithm, key_algorithm;
  unsigned key_bits = 0;
  unsigned version = 1;
  std::vector<Name> alternative_names;

  // Into a new one. False: OpenSSL cannot read it; the digests are there nevertheless.
  bool read(Bytes der);

 private:
  bool read_anew(Bytes der);
  bool read_parts(Bytes der);
};

}  // namespace linger
