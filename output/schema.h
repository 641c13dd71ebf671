// What the records look like, for whoever reads them: made from record_fields.h, so never out of
// date.
#pragma once

#include <string>

namespace linger {

std::string
json_schema();  // JSON Schema, draft 2020-12: exactly the keys and types a line can have
std::string index_template();  // composable index template (Elasticsearch, OpenSearch): the mapping
std::string fields_markdown();  // the reference page's table

}  // namespace linger
