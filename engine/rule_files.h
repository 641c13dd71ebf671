// The files that the setting `rules` names: YAML, a list of what is looked for in what sessions
// say (parsers/rules.h).
//
//     - name: cleartext-password          # rule.name, at most 63 bytes
//       tag: credentials                  # tags
//       pattern: '^PASS [^\r\n]+\r\n'
//       flags: [caseless, multiline]      # and dotall
//       direction: source                 # who says it: source, destination or any
//       protocol: tcp                     # tcp, udp, or what network.protocol has to be
//       ports: [21, 110, 143]             # of the destination
//
// Only name and pattern have to be there. Thread: control. Errors name file, line and mend.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "parsers/detector.h"
#include "parsers/rules.h"

namespace linger {

// `where` begins messages about the setting; `signatures`: what else may be named as protocol
// beside the parsers.
tl::expected<std::vector<Rule>, std::string> load_rules(const std::string& where,
                                                        const std::vector<std::string>& files,
                                                        const std::vector<Signature>& signatures);

// The text of one such file; `place` names it in messages.
tl::expected<std::vector<Rule>, std::string> read_rules(
    const std::string& yaml, const std::string& place,
    const std::vector<Signature>& signatures = {});

}  // namespace linger
