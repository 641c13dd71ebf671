#!/usr/bin/env python3
"""Checks the rules of the sources that a tool can check: who includes whom, and their layout.

Usage: lint.py ROOT        prints one line per finding, exits 1 if there is any

The layers are a DAG (ARCHITECTURE.md): a file may include its own layer and those named beside it.
A new folder or file that no layer claims is a finding too, so that the list stays complete.
"""

import os
import re
import sys

# layer: (files that belong to it, layers it may include). The first that matches a path claims it.
LAYERS = {
    "base": (r"engine/base/", ()),
    "packet": (r"engine/packet/", ("base",)),
    "source": (r"engine/source/", ("base", "packet")),
    "sessiontable": (r"sessiontable/", ("base", "packet")),
    "record": (r"output/record", ("base",)),
    "parsers": (r"parsers/", ("base", "record")),
    "output": (r"output/", ("base", "record")),
    "engine": (
        r"engine/[^/]*$",
        ("base", "packet", "source", "sessiontable", "record", "parsers", "output"),
    ),
    "top": (r"(bench|tests|pcaps)/", ("*",)),  # includes all, and nothing includes it
}

# Headers of libraries that have one home, besides tests, benchmarks and the list of versions.
HOMES = {
    r"rte_": r"engine/(source/)?dpdk",
    r"(hs/)?hs(_\w+)?\.h": r"parsers/patterns\.cc",
    r"pcap": r"engine/source/",
    r"yaml-cpp/": r"engine/(base/settings|yaml_list)\.cc",
    r"CLI/": r"engine/options\.cc",
}
EVERYWHERE = r"(bench/|tests/|pcaps/|engine/build_info\.cc)"

LINES_MAX = 600
COLUMNS_MAX = 100
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def layer_of(path):
    return next((name for name, (pattern, _) in LAYERS.items() if re.match(pattern, path)), None)


def sources(root):
    """Paths of the C++ sources below `root`, relative to it; build directories are left out."""
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "build")))
        for name in sorted(files):
            if name.endswith((".h", ".cc")):
                yield os.path.relpath(os.path.join(folder, name), root)


def check_include(root, path, quote, name):
    """What is wrong with one #include of `path`."""
    if quote == "<":
        for header, home in HOMES.items():
            if re.match(header, name) and not re.match(f"{home}|{EVERYWHERE}", path):
                yield f"<{name}> belongs into {home}"
        return
    if not os.path.exists(os.path.join(root, name)):
        yield f'"{name}" is no file of the project; paths begin at its root'
        return
    mine, theirs = layer_of(path), layer_of(name)
    allowed = LAYERS[mine][1]
    if mine != theirs and theirs not in allowed and "*" not in allowed:
        others = ", ".join(allowed) or "only itself"
        yield f'"{name}" is in layer {theirs}; {mine} may include {others}'


def check_file(root, path):
    """(line, finding) of one file."""
    if layer_of(path) is None:
        yield 1, "no layer claims this file; name it in tests/structure/lint.py"
        return
    with open(os.path.join(root, path), encoding="utf-8") as file:
        text = file.read()
    lines = text.splitlines()
    # A precompiled header is a compiler's main file, and that must not say so.
    if path.endswith(".h") and "#pragma once" not in lines and "/precompiled/" not in path:
        yield 1, "a header without #pragma once"
    if path.endswith(".h") and not text.startswith("//"):
        yield 1, "a header opens with a comment: what it is, its owner, limits, cost"
    if len(lines) > LINES_MAX:
        yield LINES_MAX, f"{len(lines)} lines; more than {LINES_MAX} hide the structure"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            yield number, f"{len(line)} columns, more than {COLUMNS_MAX}"
        if "\t" in line:
            yield number, "a tab"
        if line != line.rstrip():
            yield number, "white space at the end"
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            yield number, "unfinished work; finish it or open an issue"
        include = INCLUDE.match(line)
        if include:
            for finding in check_include(root, path, *include.groups()):
                yield number, finding


def main(root):
    findings = [
        f"{path}:{line}: {finding}"
        for path in sources(root)
        for line, finding in check_file(root, path)
    ]
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
