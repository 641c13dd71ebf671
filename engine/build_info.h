// What `linger -V` says: version and the libraries this build was made with.
#pragma once

#include <string>

namespace linger {

std::string build_info();

}  // namespace linger
