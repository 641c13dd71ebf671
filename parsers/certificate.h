// A certificate (X.509) as fields, read by OpenSSL where the record is encoded.
//
// Limits: kCertificateNamesMax alternative names. Cost: bench/parser_bench.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/bytes.h"

namespace linger {

inline constexpr std::size_t kCertificateNamesMax = 64;

struct Certificate {
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

  // False: OpenSSL cannot read it; the digests are there nevertheless.
  bool read(Bytes der);

 private:
  bool read_parts(Bytes der);
};

}  // namespace linger
