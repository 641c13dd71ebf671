#!/usr/bin/env python3
"""Holds what linger tells of application protocols against tshark, field by field.

usage: agreement.py LINGER DIRECTORY [--protocol NAME] [--without TEXT]… [--keep FOLDER]
                    [--show FIELD] [--worst N]

Both read every capture below DIRECTORY (or one file). A session is its pair of addresses and ports
within one file; a field of it is the set of values that were told in all its transactions. The
table says, for each protocol and field: sessions where either has a value, where both have the same
set, the share, the share of those where tshark has one, and what the others are: only linger has
it, only tshark has it, or they differ; then, of the last two, those where linger's record says that it did not read on (a gap, a broken
protocol, no room), and those whose beginning the capture lacks.

tshark goes by ports where it can. Of a session of which only linger told a field, tshark is asked again, with that
session's port named as one of that protocol, or of what that lies in: OpenVPN, a PROXY header (proxied.lua). It is
asked about what breaks off, too. Of the two answers the one with more values stands. --without leaves out captures with
TEXT in their path: those that were damaged on purpose, say. --show lists the sessions that differ
in a field ("tls.server.ja3s"; "all"), --worst N the N files with the most differences.

tshark takes half a second for each file; --keep keeps what it says in FOLDER for the next time.
To compare one more field, add a row to FIELDS. tshark (package tshark) is needed.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import ipaddress
import itertools
import json
import os
import pathlib
import subprocess
import sys

CAPTURE_NAMES = (".pcap", ".pcapng", ".cap", ".pcap.gz", ".pcapng.gz")
TSHARK_SECONDS = 120


# --- What makes a value of tshark's one of linger's; None: linger does not tell it -----------------


def dns_name(value):
    return "." if value.lower() == "<root>" else value.lower()


def as_number(value):
    return str(int(value, 16) if value.startswith("0x") else int(value))


def as_address(value):
    return str(ipaddress.ip_address(value))


def host(value):
    """A Host header as url.domain and url.port are told: without port and brackets."""
    name, colon, port = value.rpartition(":")
    value = name if colon and port.isdigit() else value
    return value.strip("[]").strip() or None


def connected_host(value):
    """The host of a target in CONNECT's form (RFC 9112 §3.2.3), which needs no Host header."""
    name, _, port = value.partition(" ")[0].rpartition(":")
    return name.strip("[]") if port.isdigit() and "/" not in name else None


def mail_path(word):
    """The path in the parameter of MAIL FROM: or RCPT TO:."""
    def change(value):
        if not value.upper().startswith(word):
            return None
        value = value[len(word):].strip()
        return value[1:].partition(">")[0] if value.startswith("<") else value.partition(" ")[0]
    return change


def refusal(value):
    return value if int(value) >= 400 else None


def told_command(value):
    """A command of FTP, if linger tells it."""
    return None if value.lower() in FTP_UNTOLD else value


def sha1(value):
    return hashlib.sha1(bytes.fromhex(value.replace(":", ""))).hexdigest().upper()


def quic_version(value):
    number = int(value, 16)
    if 0xFF000000 < number < 0xFF000064:
        return f"draft-{number & 0xFF:02}"
    return {0: None, 1: "1", 0x6B3343CF: "2"}.get(number, value)


def said_so(_):
    return "True"


def smtp_name(value):
    """Of the parameters in a segment that has a HELO."""
    return None if value.upper().startswith(("FROM:", "TO:")) else value.strip()


FTP_UNTOLD = "noop type mode stru pwd xpwd allo opts pbsz prot syst feat".split()

Field = collections.namedtuple("Field", "protocol linger tshark change")

# One row a field: the protocol, linger's path in its object (or several, with blanks), tshark's
# field or fields, and what makes a value of tshark's one of linger's (of several fields perhaps one for each).
FIELDS = [
    Field("http", "request.method", "http.request.method", str),
    Field("http", "url.original", "http.request.uri", str),
    Field("http", "url.domain", "http.host http.request.uri", (host, connected_host)),
    Field("http", "user_agent.original", "http.user_agent", str.strip),
    Field("http", "request.referrer", "http.referer", str.strip),
    Field("http", "response.status_code", "http.response.code", str),
    Field("http", "response.server", "http.server", str.strip),
    Field("http", "response.location", "http.location", str.strip),
    Field("tls", "client.server_name client.more.server_name", "tls.handshake.extensions_server_name dtls.handshake.extensions_server_name", str),
    Field("tls", "client.alpn", "tls.handshake.extensions_alpn_str dtls.handshake.extensions_alpn_str", str),
    Field("tls", "client.ja3 client.more.ja3", "tls.handshake.ja3 dtls.handshake.ja3", str),
    Field("tls", "server.ja3s server.more.ja3s", "tls.handshake.ja3s dtls.handshake.ja3s", str),
    Field("tls", "server.hash.sha1 client.hash.sha1 server.chain.sha1 client.chain.sha1", "tls.handshake.certificate dtls.handshake.certificate", sha1),
    Field("quic", "version client.version", "quic.version", quic_version),
    Field("quic", "tls.client.server_name", "tls.handshake.extensions_server_name", str),
    Field("quic", "tls.client.alpn", "tls.handshake.extensions_alpn_str", str),
    Field("quic", "tls.client.ja3", "tls.handshake.ja3", str),
    Field("quic", "client.initial_max_streams_bidi", "tls.quic.parameter.initial_max_streams_bidi", str),
    Field("quic", "client.initial_max_streams_uni", "tls.quic.parameter.initial_max_streams_uni", str),
    Field("dns", "id", "dns.id", as_number),
    Field("dns", "question.name question.more", "dns.qry.name", dns_name),
    Field("dns", "response_code", "dns.flags.rcode", str),
    Field("dns", "answers_count", "dns.count.answers dns.count.prerequisites", str),
    Field("ssh", "client.banner server.banner", "ssh.protocol", str),
    Field("ssh", "client.hassh", "ssh.kex.hassh", str),
    Field("ssh", "server.hassh", "ssh.kex.hasshserver", str),
    Field("smtp", "helo", "smtp.req.parameter", smtp_name),
    Field("smtp", "from", "smtp.req.parameter", mail_path("FROM:")),
    Field("smtp", "to", "smtp.req.parameter", mail_path("TO:")),
    Field("smtp", "refusals.code", "smtp.response.code", refusal),
    Field("xmpp", "starttls", "xmpp.starttls", said_so),
    Field("ftp", "command", "ftp.request.command", told_command),
    Field("ftp", "user.name", "ftp.request.arg", str.strip),
    Field("ftp", "data.ip", "ftp.passive.ip ftp.active.cip ftp.eprt.ip ftp.eprt.ipv6", as_address),
    Field("ftp", "data.port", "ftp.passive.port ftp.active.port ftp.eprt.port ftp.epsv.port", str),
    Field("socks", "version", "socks.version", as_number),
    Field("socks", "command", "socks.command", str),
    Field("socks", "user.name", "socks.username", str),
    Field("socks", "destination.domain bound.domain", "socks.remote_name socks.v4a_dns_name", str),
    Field("socks", "destination.ip bound.ip", "socks.dst socks.dstV6", as_address),
    Field("socks", "destination.port bound.port", "socks.port socks.dstport", str),
    Field("socks", "reply.code", "socks.results", as_number),
    Field("proxy", "ip", "proxy.src.ipv4 proxy.src.ipv6", as_address),
    Field("proxy", "port", "proxy.srcport", str),
    Field("proxy", "proxy.destination.ip", "proxy.dst.ipv4 proxy.dst.ipv6", as_address),
    Field("proxy", "proxy.destination.port", "proxy.dstport", str),
    Field("mqtt", "client_id", "mqtt.clientid", str),
    Field("mqtt", "version", "mqtt.ver", str),
    Field("mqtt", "user.name", "mqtt.username", str),
    Field("mqtt", "connect.code", "mqtt.conack.val mqtt.connack.reason_code", str),
    Field("mqtt", "published subscribed", "mqtt.topic", str),
    Field("modbus", "unit_ids", "mbtcp.unit_id", str),
    Field("modbus", "function_codes", "modbus.func_code", str),
    Field("modbus", "exception_codes", "modbus.exception_code", str),
]

# Words of linger that tshark has as numbers; of a response code it has the header's four bits.
WORDS = {
    ("dns", "response_code"): {
        "NOERROR": "0", "FORMERR": "1", "SERVFAIL": "2", "NXDOMAIN": "3", "NOTIMP": "4", "REFUSED": "5",
        "YXDOMAIN": "6", "YXRRSET": "7", "NXRRSET": "8", "NOTAUTH": "9", "NOTZONE": "10", "DSOTYPENI": "11",
        "BADVERS": "0", "BADCOOKIE": "7",
    },
    ("socks", "command"): {"connect": "1", "bind": "2", "udp-associate": "3"},
    ("mqtt", "version"): {"3.1": "3", "3.1.1": "4", "5.0": "5"},
}
# Fields that tshark has for a query, too, where linger tells only those of responses.
ONLY_IF = {
    ("dns", "response_code"): ("dns.flags.response", ("1", "True")),
    ("dns", "answers_count"): ("dns.flags.response", ("1", "True")),
    ("tls", "client.alpn"): ("tls.handshake.type", ("1", "")),
    ("quic", "tls.client.alpn"): ("tls.handshake.type", ("1",)),
    ("quic", "client.initial_max_streams_bidi"): ("tls.handshake.type", ("1",)),
    ("quic", "client.initial_max_streams_uni"): ("tls.handshake.type", ("1",)),
    ("smtp", "helo"): ("smtp.req.command", ("EHLO", "HELO", "LHLO", "ehlo", "helo")),
    ("ftp", "user.name"): ("ftp.request.command", ("USER", "user")),
}
LOWERED = {("dns", "question.name question.more")}

OBJECTS = {"proxy": "client"}  # of protocols whose object has another name
# tshark's names of a protocol, where it has several or another one.
LAYERS = {"dns": ("dns", "mdns", "llmnr"), "tls": ("tls", "dtls"), "modbus": ("mbtcp",)}
# What tshark calls a protocol whose port it is told; of TLS by the transport.
DISSECTORS = {"tls": {"tcp": "tls", "udp": "dtls"}, "modbus": "mbtcp", "proxy": "data"}
# What it has to be told when it is asked again: that the port counts; heads that are not whole; segments as they come;
# SHA-256, where it takes SHA-1 for granted.
AGAIN = [
    "-o", "tcp.try_heuristic_first:FALSE", "-o", "http.desegment_headers:FALSE", "-o", "ssh.desegment_buffers:FALSE",
    "-o", "openvpn.tls_auth_hmac_size:32",
]
PROXIED = pathlib.Path(__file__).with_name("proxied.lua")
# Where a message that lies in one of these is no session's own: linger does not open them.
CARRIERS = {"tls", "quic", "http2"}
# What tshark has to be told: heads of bodies that are not whole; content before ports; ports of VXLAN and SOME/IP.
PREFERENCES = [
    "http.desegment_body:FALSE", "tcp.reassemble_out_of_order:TRUE", "tcp.check_checksum:FALSE",
    "tcp.try_heuristic_first:TRUE",
]
DECODE_AS = ["udp.port==8472,vxlan", "udp.port==30490,someip"]

UNKNOWN = "\ufffd"
SEPARATOR, AGGREGATOR = "\x1f", "\x1e"
KEY_FIELDS = ["frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport"]


def layers_of(protocol):
    return LAYERS.get(protocol, (protocol,))


def same(value):
    """As both can say it: up to the first NUL, and a byte that is no ASCII as one unknown character."""
    value = value.partition("\0")[0].strip()
    return "".join(c if c.isascii() or c == UNKNOWN else UNKNOWN * len(c.encode(errors="replace")) for c in value)


def session_of(ends):
    return tuple(sorted(ends))


# --- linger ---------------------------------------------------------------------------------------


def values_at(node, names):
    """Every value at a path, through lists."""
    if isinstance(node, list):
        for item in node:
            yield from values_at(item, names)
    elif not names:
        yield str(node)
    elif isinstance(node, dict) and names[0] in node:
        yield from values_at(node[names[0]], names[1:])


def object_and_path(field, place):
    """The hellos of QUIC are told as those of TLS."""
    names = place.split(".")
    if field.protocol == "quic" and names[0] == "tls":
        return "tls", names[1:]
    return OBJECTS.get(field.protocol, field.protocol), names


def why_not_read(record):
    """What the record says of bytes that were not read; empty: nothing."""
    network = record.get("network", {})
    for name in ("application_gap", "application_malformed", "application_missing", "transactions_dropped", "values_dropped"):
        if network.get(name):
            return name
    history = record.get("tcp", {}).get("history", "S").upper()
    return "" if "S" in history or "H" in history else "no beginning"


Said = collections.namedtuple("Said", "found unread ports carriers")


def linger_values(linger, capture, fields):
    """{(session, field): set of values}, {session: why it was not read}, {session: (transport, port)}"""
    command = [linger, "-q", "-r", capture, "--set", "maxTransactions=4096"]
    done = subprocess.run(command, capture_output=True, check=False)
    found, unread, ports, carriers = collections.defaultdict(set), {}, {}, {}
    for line in done.stdout.splitlines():
        record = json.loads(line)
        if record["event"]["action"] != "session-end":
            continue
        source, destination = record["source"], record["destination"]
        key = session_of([(as_address(s["ip"]), str(s.get("port", ""))) for s in (source, destination)])
        ports[key] = (record["network"]["transport"], str(destination.get("port", "")))
        if "openvpn" in record:
            carriers[key] = "openvpn"
        elif "proxy" in record.get("client", {}):
            carriers[key] = "proxied"
        if reason := why_not_read(record):
            unread[key] = reason
        for field in fields:
            if field.protocol == "tls" and "quic" in record or field.protocol == "quic" and "quic" not in record:
                continue
            if field.protocol == "ftp" and any("control" in row for row in record.get("ftp", [])):
                continue  # what a data connection tells is of its control session
            what = (field.protocol, field.linger)
            for place in field.linger.split():
                name, path = object_and_path(field, place)
                for value in values_at(record.get(name), path):
                    value = same(WORDS.get(what, {}).get(value, value))
                    if value:  # tshark does not tell empty ones
                        found[key, field].add(value.lower() if what in LOWERED else value)
    return Said(found, unread, ports, carriers)


# --- tshark ---------------------------------------------------------------------------------------


def tshark_names():
    conditions = {condition for condition, _ in ONLY_IF.values()}
    return KEY_FIELDS + sorted(conditions | {name for field in FIELDS for name in field.tshark.split()})


def tshark_command(capture, more):
    """`more`: what else it is told."""
    wanted = " || ".join(sorted({name for field in FIELDS for name in layers_of(field.protocol)}))
    command = ["tshark", "-n", "-r", capture, "-Y", wanted, "-T", "fields"]
    for preference in PREFERENCES:
        command += ["-o", preference]
    for decode in DECODE_AS:
        command += ["-d", decode]
    command += more
    command += ["-E", f"separator={SEPARATOR}", "-E", "occurrence=a", "-E", f"aggregator={AGGREGATOR}"]
    for name in tshark_names():
        command += ["-e", name]
    return command


def tshark_says(capture, folder, more):
    """Its output, or what was kept of it; None when it cannot read the file."""
    command = tshark_command(capture, more)
    status = os.stat(capture)
    name = hashlib.sha1(repr((command, status.st_size, status.st_mtime)).encode()).hexdigest()
    kept = pathlib.Path(folder, name) if folder else None
    if kept and kept.exists():
        return kept.read_text(errors="replace")
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=TSHARK_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode not in (0, 2):
        return None
    if kept:
        kept.write_bytes(done.stdout)
    return done.stdout.decode(errors="replace")


def place_of(layers, names):
    """Where a protocol lies in the layers of a frame; not where it is quoted, or was decrypted."""
    for name in names:
        if name in layers:
            at = layers.index(name)
            carriers = set() if names == ("tls", "dtls") else CARRIERS
            if not ({"icmp", "icmpv6"} | carriers) & set(layers[:at]):
                return at
    return None


def tshark_session(values, layers):
    """Of a frame: the innermost addresses and ports."""
    last = {name: values.get(name, "").split(AGGREGATOR)[-1] for name in KEY_FIELDS}
    is_ipv6 = max((layers.index(n) for n in ("ip", "ipv6") if n in layers), default=0) == (layers.index("ipv6") if "ipv6" in layers else -1)
    ips = (last["ipv6.src"], last["ipv6.dst"]) if is_ipv6 else (last["ip.src"], last["ip.dst"])
    ports = (last["tcp.srcport"] or last["udp.srcport"], last["tcp.dstport"] or last["udp.dstport"])
    return session_of((as_address(ip) if ip else "", port) for ip, port in zip(ips, ports))


def changes_of(field):
    return field.change if isinstance(field.change, tuple) else itertools.repeat(field.change)


def tshark_values(capture, fields, folder, more):
    """The same as linger's, by tshark; None when it cannot read the file."""
    text = tshark_says(capture, folder, more)
    if text is None:
        return None
    names = tshark_names()
    found = collections.defaultdict(set)
    for line in text.split("\n"):  # splitlines() takes the aggregator for a line end
        columns = line.split(SEPARATOR)
        if len(columns) != len(names):
            continue  # a value with a line end in it
        values = dict(zip(names, columns))
        layers = values["frame.protocols"].split(":")
        key = tshark_session(values, layers)
        is_quic = "quic" in layers
        for field in fields:
            if place_of(layers, layers_of(field.protocol)) is None or (field.protocol == "tls" and is_quic):
                continue
            condition, wanted = ONLY_IF.get((field.protocol, field.linger), ("", ()))
            if condition and not set(values.get(condition, "").split(AGGREGATOR)) & set(wanted):
                continue
            found_values = set()
            for name, change in zip(field.tshark.split(), changes_of(field)):
                found_values |= {same(change(value) or "") for value in values.get(name, "").split(AGGREGATOR) if value}
            found_values.discard("")
            if found_values:
                found[key, field] |= found_values
    return found


def decode_as(protocol, carrier, transport, port):
    name = DISSECTORS.get(protocol, protocol)
    name = name.get(transport, protocol) if isinstance(name, dict) else name
    return f"{transport}.port=={port}," + {"proxied": f"proxied_{name}"}.get(carrier, carrier or name)


def ask_again(capture, fields, folder, mine, theirs):
    """Adds to `theirs` what tshark says of sessions of which only linger told a field, when it knows their port."""
    unknown = {(session, field.protocol) for session, field in mine.found if (session, field) not in theirs}
    for protocol in sorted({protocol for _, protocol in unknown}):
        sessions = {session for session, name in unknown if name == protocol}
        names = sorted({decode_as(protocol, mine.carriers.get(session), *mine.ports[session]) for session in sessions})
        script = ["-X", f"lua_script:{PROXIED}"] if any("proxied" in name for name in names) else []
        more = script + AGAIN + [word for name in names for word in ("-d", name)]
        again = tshark_values(capture, [f for f in fields if f.protocol == protocol], folder, more) or {}
        for key, values in again.items():
            if key[0] in sessions and len(values) > len(theirs.get(key, ())):
                theirs[key] = values


# --- The table ------------------------------------------------------------------------------------

KINDS = ("only linger", "only tshark", "differ", "not read", "no beginning")


def kind_of(mine, theirs, reason):
    if reason and theirs:
        return "no beginning" if reason == "no beginning" else "not read"
    if not theirs:
        return "only linger"
    return "differ" if mine else "only tshark"


def captures_below(place):
    place = pathlib.Path(place)
    if place.is_file():
        return [str(place)]
    return [str(p) for p in sorted(place.rglob("*")) if p.name.endswith(CAPTURE_NAMES) and p.is_file()]


def share_of(part, whole):
    return f"{100 * part / whole:.2f} %" if whole else "-"


def print_table(fields, either, equal, kinds):
    print(f"{'field':<40} {'sessions':>9} {'equal':>9} {'share':>9} {'of tshark':>10} " + " ".join(f"{kind:>12}" for kind in KINDS))
    for field in fields:
        shares = f"{share_of(equal[field], either[field]):>9} {share_of(equal[field], either[field] - kinds[field, 'only linger']):>10}"
        counts = " ".join(f"{kinds[field, kind] or '':>12}" for kind in KINDS)
        name = f"{field.protocol}: {field.linger.partition(' ')[0]}"
        print(f"{name:<40} {either[field]:>9} {equal[field]:>9} {shares} {counts}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("linger")
    parser.add_argument("directory")
    parser.add_argument("--protocol")
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--keep")
    parser.add_argument("--show")
    parser.add_argument("--worst", type=int, default=0)
    options = parser.parse_args()
    fields = [f for f in FIELDS if options.protocol in (None, f.protocol)]
    either, equal, kinds = collections.Counter(), collections.Counter(), collections.Counter()
    differences = collections.Counter()
    unreadable = 0
    captures = [c for c in captures_below(options.directory) if not any(text in c for text in options.without)]
    if options.keep:
        pathlib.Path(options.keep).mkdir(parents=True, exist_ok=True)

    def compare(capture):
        mine = linger_values(options.linger, capture, fields)
        theirs = tshark_values(capture, fields, options.keep, [])
        if theirs is not None:
            ask_again(capture, fields, options.keep, mine, theirs)
        return capture, mine, theirs

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for capture, (mine, unread, _, _), theirs in pool.map(compare, captures):
            if theirs is None:
                unreadable += 1
                continue
            for key in sorted(set(mine) | set(theirs), key=str):
                session, field = key
                either[field] += 1
                left, right = mine.get(key, set()), theirs.get(key, set())
                if left == right:
                    equal[field] += 1
                    continue
                differences[capture] += 1
                kind = kind_of(left, right, unread.get(session, ""))
                kinds[field, kind] += 1
                if options.show in ("all", f"{field.protocol}.{field.linger}"):
                    print(field.protocol, field.linger, kind, capture, session, "linger", sorted(left), "tshark", sorted(right))
    print_table(fields, either, equal, kinds)
    print(f"{len(captures)} captures")
    if unreadable:
        print(f"{unreadable} captures that tshark does not read")
    for capture, count in differences.most_common(options.worst):
        print(f"{count:>6} {capture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
