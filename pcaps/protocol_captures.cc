#include "pcaps/catalogue.h"

namespace linger::test {

void add_protocol_captures(Catalogue&) {}

}  // namespace linger::test
