#include "pcaps/catalogue.h"

namespace linger::test {

void add_clock_captures(Catalogue&) {}

}  // namespace linger::test
