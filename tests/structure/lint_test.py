#!/usr/bin/env python3
"""Plants one violation of each rule in a small tree and sees lint.py name it; writes TAP."""

import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lint  # noqa: E402


def include(path):
    return f'#include "{path}"\n'


CLEAN = {
    "engine/base/a.h": "// A.\n#pragma once\n",
    "engine/packet/p.h": '// P.\n#pragma once\n#include "engine/base/a.h"\n',
    "output/record.h": "// R.\n#pragma once\n",
    "output/ndjson.cc": '#include "output/record.h"\n',
    "parsers/dns.cc": '#include "output/record.h"\n',
    "sessiontable/t.h": "// T.\n#pragma once\n",
    "sessiontable/table.cc": '#include "engine/packet/p.h"\n',
    "engine/source/file.cc": "#include <pcap/pcap.h>\n",
    "engine/shard.cc": '#include "engine/packet/p.h"\n#include "output/record.h"\n',
    "tests/packet/p_test.cc": '#include "engine/packet/p.h"\n',
}

# what is planted: (path, text, a part of the finding that must come, or None)
CASES = {
    "a_tree_that_keeps_the_rules_is_clean": ("engine/main.cc", "int main() {}\n", None),
    "base_includes_nothing_above": ("engine/base/b.cc", include("engine/packet/p.h"), "packet"),
    "packets_know_no_table": ("engine/packet/q.cc", include("sessiontable/t.h"), "sessiontable"),
    "a_header_that_is_not_there_is_named": ("engine/y.cc", include("engine/z.h"), "no file"),
    "the_table_knows_no_record": ("sessiontable/s.cc", include("output/record.h"), "record"),
    "parsers_know_no_packets": ("parsers/tls.cc", include("engine/packet/p.h"), "layer packet"),
    "the_engine_includes_no_test": ("engine/x.cc", include("tests/packet/p_test.cc"), "layer top"),
    "dpdk_stays_at_home": ("engine/shard2.cc", "#include <rte_mbuf.h>\n", "<rte_mbuf.h> belongs"),
    "hyperscan_stays_at_home": ("parsers/http.cc", "#include <hs/hs.h>\n", "<hs/hs.h> belongs"),
    "an_unknown_folder_is_named": ("misc/x.cc", "int x;\n", "no layer claims"),
    "a_long_file_is_named": ("engine/long.cc", "int x;\n" * 601, "601 lines"),
    "a_long_line_is_named": ("engine/wide.cc", "int " + "x" * 97 + ";\n", "columns"),
    "a_tab_is_named": ("engine/tab.cc", "\tint x;\n", "a tab"),
    "white_space_at_the_end_is_named": ("engine/end.cc", "int x; \n", "white space"),
    "unfinished_work_is_named": ("engine/todo.cc", "// TO" + "DO\n", "unfinished"),
    "a_header_without_pragma_once_is_named": ("engine/h.h", "// H.\n", "#pragma once"),
    "a_header_without_a_comment_is_named": ("engine/h.h", "#pragma once\n", "opens with a comment"),
}


def findings(extra_path, extra_text):
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**CLEAN, extra_path: extra_text}.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        return [
            f"{path}: {finding}"
            for path in lint.sources(root)
            for _, finding in lint.check_file(root, path)
        ]


def main():
    print(f"1..{len(CASES)}")
    good = True
    for number, (name, (path, text, wanted)) in enumerate(CASES.items(), 1):
        found = findings(path, text)
        right = not found if wanted is None else len(found) == 1 and wanted in found[0]
        good = good and right
        print(f"ok {number} {name}" if right else f"not ok {number} {name} # found {found}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
