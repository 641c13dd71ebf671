// All in which the targets of the parsers differ: a word of parsers/list.h.
extern const char fuzzed_parser[];
const char fuzzed_parser[] = LINGER_FUZZED;
