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


def dns_name(value):
    return "." if value == "<root>" else value.lower()


def as_number(value):
    return str(int(value, 16) if value.startswith("0x") else int(value))


def host(value):
    """A Host header as url.domain and url.port are told: without port and brackets."""
    name, colon, port = value.rpartition(":")
    value = name if colon and port.isdigit() else value
    return value.strip("[]").strip()


def mail_path(word):
    """The path in the parameter of MAIL FROM: or RCPT TO:."""
    def change(value):
        if not value.upper().startswith(word):
            return None
        value = value[len(word):].strip()
        return value[1:].partition(">")[0] if value.startswith("<") else value.partition(" ")[0]
    return change


def told_command(value):
    """A command of FTP, if linger tells it."""
    return None if value.lower() in FTP_UNTOLD else value


FTP_UNTOLD = "noop type mode stru pwd xpwd allo opts pbsz prot syst feat".split()
OBJECTS = {"proxy": "client"}  # of protocols whose object has another name

Field = collections.namedtuple("Field", "protocol linger tshark change")

# One row a field: the protocol's object, linger's path in it (or several, with blanks), tshark's
# field or fields, and what makes a value of tshark's one of linger's; None: linger does not tell it.
FIELDS = [
    Field("http", "request.method", "http.request.method", str),
    Field("http", "url.original", "http.request.uri", str),
    Field("http", "url.domain", "http.host", host),
    Field("http", "user_agent.original", "http.user_agent", str),
    Field("http", "request.referrer", "http.referer", str),
    Field("http", "response.status_code", "http.response.code", str),
    Field("http", "response.server", "http.server", str),
    Field("http", "response.location", "http.location", str),
    Field("ssh", "client.banner server.banner", "ssh.protocol", str),
    Field("ssh", "client.hassh", "ssh.kex.hassh", str),
    Field("ssh", "server.hassh", "ssh.kex.hasshserver", str),
    Field("dns", "id", "dns.id", as_number),
    Field("dns", "question.name question.more", "dns.qry.name", dns_name),
    Field("dns", "response_code", "dns.flags.rcode", str),
    Field("dns", "answers_count", "dns.count.answers", str),
    Field("tls", "client.server_name", "tls.handshake.extensions_server_name dtls.handshake.extensions_server_name", str),
    Field("tls", "client.alpn", "tls.handshake.extensions_alpn_str dtls.handshake.extensions_alpn_str", str),
    Field("tls", "client.ja3", "tls.handshake.ja3 dtls.handshake.ja3", str),
    Field("tls", "server.ja3s", "tls.handshake.ja3s dtls.handshake.ja3s", str),
    Field("quic", "client.initial_max_streams_bidi", "tls.quic.parameter.initial_max_streams_bidi", str),
    Field("quic", "client.initial_max_streams_uni", "tls.quic.parameter.initial_max_streams_uni", str),
    Field("socks", "version", "socks.version", as_number),
    Field("socks", "command", "socks.command", str),
    Field("socks", "destination.port", "socks.port", str),
    Field("socks", "user.name", "socks.username", str),
    Field("proxy", "ip", "proxy.src.ipv4", str),
    Field("proxy", "port", "proxy.srcport", str),
    Field("proxy", "proxy.destination.ip", "proxy.dst.ipv4", str),
    Field("proxy", "proxy.destination.port", "proxy.dstport", str),
    Field("smtp", "helo", "smtp.req.parameter", str),
    Field("smtp", "from", "smtp.req.parameter", mail_path("FROM:")),
    Field("smtp", "to", "smtp.req.parameter", mail_path("TO:")),
    Field("ftp", "command", "ftp.request.command", told_command),
    Field("ftp", "user.name", "ftp.request.arg", str),
    Field("ftp", "data.ip", "ftp.passive.ip", str),
    Field("mqtt", "client_id", "mqtt.clientid", str),
    Field("mqtt", "version", "mqtt.ver", str),
    Field("mqtt", "user.name", "mqtt.username", str),
    Field("mqtt", "connect.code", "mqtt.conack.val", str),
    Field("modbus", "unit_ids", "mbtcp.unit_id", str),
    Field("modbus", "function_codes", "modbus.func_code", str),
    Field("modbus", "exception_codes", "modbus.exception_code", str),
]

# Words of linger that tshark has as numbers.
WORDS = {
    ("dns", "response_code"): {
        "NOERROR": "0", "FORMERR": "1", "SERVFAIL": "2", "NXDOMAIN": "3", "NOTIMP": "4", "REFUSED": "5",
        "YXDOMAIN": "6", "YXRRSET": "7", "NXRRSET": "8", "NOTAUTH": "9", "NOTZONE": "10", "DSOTYPENI": "11",
    },
    ("socks", "command"): {"connect": "1", "bind": "2", "udp-associate": "3"},
    ("mqtt", "version"): {"3.1": "3", "3.1.1": "4", "5.0": "5"},
}
# Fields that tshark has for a query, too, where linger tells only those of responses.
ONLY_IF = {
    ("dns", "response_code"): ("dns.flags.response", ("1", "True")),
    ("dns", "answers_count"): ("dns.flags.response", ("1", "True")),
    ("tls", "client.alpn"): ("tls.handshake.type", ("1", "")),
    ("smtp", "helo"): ("smtp.req.command", ("EHLO", "HELO", "LHLO", "ehlo", "helo")),
    ("ftp", "user.name"): ("ftp.request.command", ("USER",)),
}
LOWERED = {("dns", "question.name question.more")}

# What tshark has to be told: the names of a protocol in filters; heads of bodies that are not whole; ports of VXLAN.
FILTERS = {"dns": "dns || mdns || llmnr", "tls": "tls || dtls"}
PREFERENCES = ["http.desegment_body:FALSE", "tcp.reassemble_out_of_order:TRUE", "tcp.check_checksum:FALSE"]
DECODE_AS = ["udp.port==8472,vxlan"]

SEPARATOR = "\x1f"
KEY_FIELDS = ["frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport"]


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
            for place in field.linger.split():
                for value in values_at(record.get(OBJECTS.get(field.protocol, field.protocol)), place.split(".")):
                    value = WORDS.get(what, {}).get(value, value)
                    found[key, field].add(value.lower() if what in LOWERED else value)
    return found


def tshark_values(capture, fields):
    """The same by tshark; None when it cannot read the file."""
    extra = sorted({condition for condition, _ in ONLY_IF.values()})
    names = KEY_FIELDS + extra + [name for field in fields for name in field.tshark.split()]
    wanted = " || ".join(sorted({FILTERS.get(f.protocol, f.protocol) for f in fields}))
    command = ["tshark", "-n", "-r", capture, "-Y", wanted, "-T", "fields"]
    for preference in PREFERENCES:
        command += ["-o", preference]
    for decode in DECODE_AS:
        command += ["-d", decode]
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
    for line in done.stdout.decode(errors="replace").split("\n"):  # splitlines() takes \x1e for a line end
        columns = line.split(SEPARATOR)
        if len(columns) != len(names):
            continue  # a value with a line end in it
        values = dict(zip(names, columns))
        last = {name: values.get(name, "").split("\x1e")[-1] for name in KEY_FIELDS}
        layers = values["frame.protocols"].split(":")
        is_ipv6 = "ipv6" in layers and "ip" not in layers[layers.index("ipv6") :]
        ips = (last["ipv6.src"], last["ipv6.dst"]) if is_ipv6 else (last["ip.src"], last["ip.dst"])
        ports = (last["tcp.srcport"] or last["udp.srcport"], last["tcp.dstport"] or last["udp.dstport"])
        key = session_of(zip(ips, ports))
        for field in fields:
            condition, wanted = ONLY_IF.get((field.protocol, field.linger), ("", ()))
            if condition and not set(values.get(condition, "").split("\x1e")) & set(wanted):
                continue
            told = [value for name in field.tshark.split() for value in values.get(name, "").split("\x1e")]
            found_values = {field.change(value) for value in told if value} - {None}
            if found_values:
                found[key, field] |= found_values
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
