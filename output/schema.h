// What the records look like, for whoever reads them: made from record_fields.h and the tables of
// the protocols, so never out of date. Any thread; allocates.
#pragma once

#include <string>

#include "output/record_protocol.h"

namespace linger {

// JSON Schema, draft 2020-12: exactly the keys and types a line can have.
std::string json_schema(Protocols protocols = {});
// Composable index template (Elasticsearch, OpenSearch): the mapping.
std::string index_template(Protocols protocols = {});
std::string fields_markdown(Protocols protocols = {});  // docs/fields.md

}  // namespace linger
