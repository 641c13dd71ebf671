#!/usr/bin/env python3
"""Holds what linger tells of application protocols against tshark, field by field.

usage: agreement.py LINGER DIRECTORY [--protocol NAME] [--show FIELD] [--worst N]

Both read every capture below DIRECTORY (or one file). A session is its pair of addresses and ports
within one file; a field of it is the set of values that were told in all its transactions. The
table says, for each protocol and field: sessions where either has a value, where both have the same
set, and the share. --show lists the sessions that differ in a field, --worst N the N files with the
most differences.

To compare one more field, add a row to FIELDS. tshark (package tshark) is needed.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

CAPTURE_NAMES = (".pcap", ".pcapng", ".cap", ".pcap.gz", ".pcapng.gz")
TSHARK_SECONDS = 60


def lower(value):
    return value.lower()


def as_number(value):
    return str(int(value, 16) if value.startswith("0x") else int(value))


def host(value):
    """A Host header as url.domain and url.port are told: without port and brackets."""
    name, colon, port = value.rpartition(":")
    value = name if colon and port.isdigit() else value
    return value.strip("[]").strip()


def mime_type(value):
    return value.split(";")[0].strip()


def path(value):
    """The path of a request's target."""
    if "://" in value[:12]:
        value = "/" + value.split("://", 1)[1].partition("/")[2] if "/" in value.split("://", 1)[1] else ""
    return value.split("?")[0]


Field = collections.namedtuple("Field", "protocol linger tshark change")

# One row a field: the protocol's object, linger's path in it, tshark's field, and what makes a value
# of tshark's one of linger's.
FIELDS = [
    Field("http", "request.method", "http.request.method", str),
    Field("http", "url.original", "http.request.uri", str),
    Field("http", "url.domain", "http.host", host),
    Field("http", "user_agent.original", "http.user_agent", str),
    Field("http", "request.referrer", "http.referer", str),
    Field("http", "response.status_code", "http.response.code", str),
    Field("http", "response.server", "http.server", str),
    Field("http", "response.location", "http.location", str),
    Field("dns", "id", "dns.id", as_number),
    Field("dns", "question.name", "dns.qry.name", lower),
    Field("dns", "response_code", "dns.flags.rcode", str),
    Field("dns", "answers_count", "dns.count.answers", str),
]

# Words of linger that tshark has as numbers.
WORDS = {
    ("dns", "response_code"): {
        "NOERROR": "0", "FORMERR": "1", "SERVFAIL": "2", "NXDOMAIN": "3", "NOTIMP": "4", "REFUSED": "5",
        "YXDOMAIN": "6", "YXRRSET": "7", "NXRRSET": "8", "NOTAUTH": "9", "NOTZONE": "10", "DSOTYPENI": "11",
    },
}
# Fields that tshark has for a query, too, where linger tells only those of responses.
ONLY_IF = {
    ("dns", "response_code"): ("dns.flags.response", ("1", "True")),
    ("dns", "answers_count"): ("dns.flags.response", ("1", "True")),
}
LOWERED = {("dns", "question.name")}

SEPARATOR = "\x1f"
KEY_FIELDS = ["ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport"]


def session_of(ends):
    return tuple(sorted(ends))


def values_at(node, names):
    """Every value at a path, through lists."""
    if isinstance(node, list):
        for item in node:
            yield from values_at(item, names)
    elif not names:
        yield str(node)
    elif isinstance(node, dict) and names[0] in node:
        yield from values_at(node[names[0]], names[1:])


def linger_values(linger, capture, fields):
    """{(session, field): set of values}"""
    command = [linger, "-q", "-r", capture, "--set", "maxTransactions=4096"]
    done = subprocess.run(command, capture_output=True, check=False)
    found = collections.defaultdict(set)
    for line in done.stdout.splitlines():
        record = json.loads(line)
        source, destination = record["source"], record["destination"]
        key = session_of([(s["ip"], str(s.get("port", ""))) for s in (source, destination)])
        for field in fields:
            what = (field.protocol, field.linger)
            for value in values_at(record.get(field.protocol), field.linger.split(".")):
                value = WORDS.get(what, {}).get(value, value)
                found[key, field].add(value.lower() if what in LOWERED else value)
    return found


def tshark_values(capture, fields):
    """The same by tshark; None when it cannot read the file."""
    extra = sorted({condition for condition, _ in ONLY_IF.values()})
    names = KEY_FIELDS + extra + [field.tshark for field in fields]
    command = ["tshark", "-n", "-r", capture, "-Y", " || ".join(sorted({f.protocol for f in fields})), "-T", "fields"]
    command += ["-E", f"separator={SEPARATOR}", "-E", "occurrence=a", "-E", "aggregator=\x1e"]
    for name in names:
        command += ["-e", name]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=TSHARK_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode not in (0, 2):
        return None
    found = collections.defaultdict(set)
    for line in done.stdout.decode(errors="replace").splitlines():
        columns = line.split(SEPARATOR)
        if len(columns) != len(names):
            continue  # a value with a line end in it
        values = dict(zip(names, columns))
        last = {name: values.get(name, "").split("\x1e")[-1] for name in KEY_FIELDS}
        ips = (last["ip.src"] or last["ipv6.src"], last["ip.dst"] or last["ipv6.dst"])
        ports = (last["tcp.srcport"] or last["udp.srcport"], last["tcp.dstport"] or last["udp.dstport"])
        key = session_of(zip(ips, ports))
        for field in fields:
            condition, wanted = ONLY_IF.get((field.protocol, field.linger), ("", ()))
            if condition and not set(values.get(condition, "").split("\x1e")) & set(wanted):
                continue
            for value in values.get(field.tshark, "").split("\x1e"):
                if value:
                    found[key, field].add(field.change(value))
    return found


def captures_below(place):
    place = pathlib.Path(place)
    if place.is_file():
        return [str(place)]
    return [str(p) for p in sorted(place.rglob("*")) if p.name.endswith(CAPTURE_NAMES) and p.is_file()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("linger")
    parser.add_argument("directory")
    parser.add_argument("--protocol")
    parser.add_argument("--show")
    parser.add_argument("--worst", type=int, default=0)
    options = parser.parse_args()
    fields = [f for f in FIELDS if options.protocol in (None, f.protocol)]
    either, equal = collections.Counter(), collections.Counter()
    differences = collections.Counter()
    unreadable = 0

    def compare(capture):
        return capture, linger_values(options.linger, capture, fields), tshark_values(capture, fields)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for capture, mine, theirs in pool.map(compare, captures_below(options.directory)):
            if theirs is None:
                unreadable += 1
                continue
            for key in sorted(set(mine) | set(theirs), key=str):
                session, field = key
                either[field] += 1
                if mine.get(key) == theirs.get(key):
                    equal[field] += 1
                    continue
                differences[capture] += 1
                if options.show == f"{field.protocol}.{field.linger}":
                    print(capture, session, "linger", sorted(mine.get(key, ())), "tshark", sorted(theirs.get(key, ())))
    print(f"{'field':<32} {'sessions':>9} {'equal':>9} {'share':>8}")
    for field in fields:
        share = f"{100 * equal[field] / either[field]:.2f} %" if either[field] else "-"
        print(f"{field.protocol + '.' + field.linger:<32} {either[field]:>9} {equal[field]:>9} {share:>8}")
    if unreadable:
        print(f"{unreadable} captures that tshark does not read")
    for capture, count in differences.most_common(options.worst):
        print(f"{count:>6} {capture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
