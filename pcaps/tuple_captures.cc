#include "pcaps/catalogue.h"

namespace linger::test {

void add_tuple_captures(Catalogue&) {}

}  // namespace linger::test
