#include "engine/build_info.h"

#include "engine/base/socket_headers.h"  // before pcap.h

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <pcap/pcap.h>

#include "parsers/patterns.h"

#ifdef LINGER_HAS_DPDK
#include <rte_version.h>
#endif

namespace linger {

std::string build_info() {
  std::string text = fmt::format("linger {}\n", LINGER_VERSION);
  text += fmt::format("{}\n{}\n", pcap_lib_version(), OpenSSL_version(OPENSSL_VERSION));
#ifdef LINGER_HAS_DPDK
  text += fmt::format("{}\n", rte_version());
#else
  text += "DPDK: not in this build\n";
#endif
  const std::string patterns = pattern_library();
  return text + (patterns.empty() ? "Hyperscan: not in this build" : patterns) + "\n";
}

}  // namespace linger
