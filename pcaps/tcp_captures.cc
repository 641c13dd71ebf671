#include "pcaps/catalogue.h"

namespace linger::test {

void add_tcp_captures(Catalogue&) {}

}  // namespace linger::test
