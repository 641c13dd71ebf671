#include "pcaps/catalogue.h"

namespace linger::test {

void add_link_captures(Catalogue&) {}

}  // namespace linger::test
