// The files that the setting `signatures` names: YAML, a list of what else is known by its first
// bytes, so that a protocol without parser has its name in network.protocol.
//
//     - name: bittorrent            # network.protocol, at most 31 characters
//       pattern: '^\x13BitTorrent protocol'
//       carrier: stream             # or datagrams
//
// Thread: control. Errors name file, line and mend.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "parsers/detector.h"

namespace linger {

// `where` begins messages about the setting.
tl::expected<std::vector<Signature>, std::string> load_signatures(
    const std::string& where, const std::vector<std::string>& files);

// The text of one such file; `place` names it in messages.
tl::expected<std::vector<Signature>, std::string> read_signatures(const std::string& yaml,
                                                                  const std::string& place);

}  // namespace linger
