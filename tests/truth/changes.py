"""The changes of metamorphic.py: what makes other frames of a capture, or another file, and leaves its sessions alone.

A change of frames is a function of a list of them, and of a frame where each() makes it one; None: it does not apply.
"""

import collections
import gzip
import pathlib
import struct

from frames import *

SECOND = 10**9
HOUR = 3600 * SECOND

# make: frames -> frames (None in the row of what is no change but a check of its own); ignored: fields that may
# differ, with all below them; prepare: what is done to the frames that both are made of; encode: frames, folder ->
# arguments and standard input; largest: bytes of a capture.
Change = collections.namedtuple("Change", "name make ignored prepare encode largest")


def same(frames):
    return frames


# --- Containers -----------------------------------------------------------------------------------


def to_stdin(write):
    def encode(frames, _):
        data = write(frames)
        return None if data is None else (["-r", "-"], data)
    return encode


def in_files(frames, folder):
    """Three files, one behind the other, of different kinds."""
    third = len(frames) // 3
    pieces = (frames[:third], frames[third : 2 * third], frames[2 * third :])
    return files(folder, [pcapng(pieces[0]), gzip.compress(pcapng(pieces[1], ">"), 1), zstd(pcapng(pieces[2]))])


def files(folder, contents):
    arguments = []
    for index, content in enumerate(contents):
        path = pathlib.Path(folder, f"{index}.pcapng")
        path.write_bytes(content)
        arguments += ["-r", str(path)]
    return arguments, b""


def taps(frames, folder):
    """A file for each direction."""
    is_up = [ends is None or ends[1] < ends[2] for ends in map(endpoints, map(network, frames))]
    return files(folder, [pcapng([frame for frame, up in zip(frames, is_up) if up == side]) for side in (True, False)])


def in_microseconds(frames):
    return [frame._replace(time=frame.time // 1000 * 1000) for frame in frames]


def in_turn(frames):
    """By time, and no two at the same."""
    frames, last = sorted(frames, key=lambda frame: frame.time), -1
    for index, frame in enumerate(frames):
        last = max(last + 1, frame.time)
        frames[index] = frame._replace(time=last)
    return frames


def shifted(frames):
    return [frame._replace(time=frame.time + 86_400 * SECOND + 123_456_789) for frame in frames]


# --- Links and tunnels ----------------------------------------------------------------------------


def each(change):
    """Applies a change of one frame; what it is None for stays."""
    def make(frames):
        changed = [change(frame) for frame in frames]
        return [new or old for new, old in zip(changed, frames)] if any(changed) else None
    return make


def of_ip(change):
    """Of a frame that holds IP: what change(layer) makes of its EtherType and body."""
    def make(frame):
        layer = network(frame)
        changed = change(layer) if is_ip(layer) else None
        return changed and changed[1] and ethernet(frame, layer, *changed)
    return each(make)


def as_link(link, header):
    def make(frame):
        layer = network(frame)
        if not is_ip(layer):
            return None
        data = header(layer.kind) + layer.body
        return Frame(frame.time, link, len(data) + layer.lost, data)
    return each(make)


def tagged(*tags):
    def make(frame):
        if frame.link != ETHERNET or len(frame.data) < 14:
            return None
        inserted = b"".join(struct.pack(">HH", *tag) for tag in tags)
        return frame._replace(wire=frame.wire + len(inserted), data=frame.data[:12] + inserted + frame.data[12:])
    return each(make)


def of_kind(layer, four, six):
    return four if layer.kind == IPV4 else six


def inner_frame(layer):
    return layer.head + struct.pack(">H", layer.kind) + layer.body


def pppoe(layer):
    size = 2 + len(layer.body) + layer.lost
    if size > 0xFFFF:
        return None
    return 0x8864, struct.pack(">HHHH", 0x1100, 7, size, of_kind(layer, 0x21, 0x57)) + layer.body


def mpls(layer):
    return 0x8847, struct.pack(">II", 16 << 12 | 64, 17 << 12 | 0x140) + layer.body


def gre(layer):
    return IPV4, outer_ipv4(47, struct.pack(">HHI", 0x2000, layer.kind, 5) + layer.body, layer.lost)


def ip_in_ip(layer):
    return IPV4, outer_ipv4(of_kind(layer, 4, 41), layer.body, layer.lost)


def vxlan(layer):
    return IPV4, outer_udp(4789, struct.pack(">II", 0x08000000, 9 << 8) + inner_frame(layer), layer.lost)


def geneve(layer):
    return IPV4, outer_udp(6081, struct.pack(">HHI", 0, 0x6558, 9 << 8) + inner_frame(layer), layer.lost)


def gtp(layer):
    header = struct.pack(">BBHI", 0x30, 255, min(len(layer.body) + layer.lost, 0xFFFF), 77)
    return IPV4, outer_udp(2152, header + layer.body, layer.lost)


# --- Fragments and segments -----------------------------------------------------------------------


def spread(cut):
    """Makes several frames of one: cut(packet, number) gives the packets."""
    def make(frames):
        made = []
        for number, frame in enumerate(frames):
            layer = network(frame)
            packet = whole(layer)
            pieces = cut(packet, number) if packet else None
            layer = layer and layer._replace(lost=0)
            made += [ethernet(frame, layer, layer.kind, piece) for piece in pieces] if pieces else [frame]
        return made if len(made) > len(frames) else None
    return make


def fragments(step, turned=False):
    def cut(packet, number):
        header, protocol, payload = packet
        pieces = []
        for at in range(0, len(payload), step):
            more = at + step < len(payload)
            if header[0] >> 4 == 4:
                pieces.append(ip_packet(header, payload[at : at + step], more << 13 | at >> 3))
            else:
                extension = struct.pack(">BBHI", protocol, 0, at | more, number)
                pieces.append(ip_packet(header[:6] + b"\x2c" + header[7:], extension + payload[at : at + step]))
        return pieces[::-1] if turned else pieces
    return spread(cut)


def segments(step):
    def cut(packet, _):
        header, protocol, data = packet
        summed = kind_of_checksum(header, data) if protocol == TCP else None
        if not summed or not 20 <= (data[12] >> 4) * 4 < len(data) - step or data[13] & (SYN | RST | URG):
            return None
        offset, flags = (data[12] >> 4) * 4, data[13]
        payload, sequence = data[offset:], struct.unpack_from(">I", data, 4)[0]
        pieces = []
        for at in range(0, len(payload), step):
            is_last = at + step >= len(payload)
            kept = flags & ~((0 if is_last else FIN | PSH) | (CWR if at else 0))
            fields = struct.pack(">I4sBB", sequence + at & 0xFFFFFFFF, data[8:12], data[12], kept)
            piece = data[:4] + fields + data[14:16] + b"\0\0" + data[18:offset] + payload[at : at + step]
            pieces.append(ip_packet(header, piece[:16] + summed(header, piece) + piece[18:]))
        return pieces
    return spread(cut)


def kind_of_checksum(header, data):
    """How a segment's checksum is made: right, or one of those that are left to a network card; None: it is wrong."""
    def right(header, data):
        return struct.pack(">H", checksum(pseudo_header(header, TCP, len(data)) + data))

    def begun(header, data):
        return struct.pack(">H", ones_sum(pseudo_header(header, TCP, len(data))))

    def begun_without_length(header, _):
        return struct.pack(">H", ones_sum(pseudo_header(header, TCP, 0)))

    def none(*_):
        return b"\0\0"

    if len(data) < 20:
        return None
    bare = data[:16] + b"\0\0" + data[18:]
    return next((way for way in (right, none, begun, begun_without_length) if way(header, bare) == data[16:18]), None)


# --- Order and addresses --------------------------------------------------------------------------


def steady(frames):
    """Without steps of the clock that a second packet of the time would confirm."""
    made, shift, last = [], 0, frames[0].time if frames else 0
    for frame in frames:
        step = frame.time - last
        shift += max(-HOUR, min(step, HOUR)) - step
        last = frame.time
        made.append(frame._replace(time=max(frame.time + shift, 0)))
    return made


def sound(frames):
    """Without what a mirror port sent twice and what was damaged: either is told by the packets around it."""
    kept, marks = [], []
    for frame in frames:
        packet = whole(network(frame))
        damaged = packet and packet.protocol == TCP and not kind_of_checksum(packet.header, packet.payload)
        mark = (packet.header[4:6], packet.payload) if packet else frame.data
        if not damaged and mark not in marks[-8:]:
            kept.append(frame)
            marks.append(mark)
    return steady(kept)


def of_tcp(is_wanted):
    def prepare(frames):
        return steady([frame for frame in frames if (protocol_of(network(frame)) == TCP) == is_wanted])
    return prepare


def doubled(frames):
    return [frame for frame in frames for _ in range(2)]


def swapped(frames):
    """Neighbours of different sessions, less than the window of reordering apart, in the other order."""
    frames, ends, at = list(frames), [endpoints(network(frame)) for frame in frames], 0
    swaps = 0
    while at + 1 < len(frames):
        one, two = ends[at : at + 2]
        near = 0 <= frames[at + 1].time - frames[at].time < 1_000_000
        if one and two and near and set(one[1:]) != set(two[1:]):
            frames[at : at + 2] = frames[at + 1], frames[at]
            swaps += 1
            at += 1
        at += 1
    return frames if swaps else None


def without_other_protocols(frames):
    """IPv4 of TCP and UDP without options and fragments, and with the checksum that IPv6 has to have; and IPv6."""
    return [frame for frame in frames if translatable(network(frame))]


def translatable(layer):
    if not is_ip(layer):
        return False
    packet = whole(layer)
    if not packet or has_options(packet.header):
        return False
    return packet.protocol == TCP or (packet.protocol == UDP and packet.payload[6:8] != b"\0\0")


def as_ipv6(frame):
    """Addresses whose first six words sum up to nothing, so that checksums stay right (RFC 6052 §4.1)."""
    layer = network(frame)
    if layer.kind != IPV4:
        return None
    header, protocol, payload = whole(layer)
    prefix = bytes.fromhex("20010db8 00000000 d2460000")
    addresses = prefix + header[12:16] + prefix + header[16:]
    packet = struct.pack(">IHBB", 6 << 28, len(payload), protocol, header[8]) + addresses + payload
    return ethernet(frame, layer._replace(lost=0), IPV6, packet)


# --- The changes ----------------------------------------------------------------------------------

TUNNELS = ("VLAN", "QinQ", "MPLS", "PPPoE", "GRE", "IP in IP", "VXLAN", "Geneve", "GTP")
TIMES = ("@timestamp", "event.start", "event.end", "event.id", "links", "mptcp.subflows")
WRAPPED = ("bytes", "mac", "network.vlan", "network.inner", "tunnel")
# Round trips are measured at the 64th packet of a side.
SPREAD = WRAPPED + ("packets", "tcp.late.packets", "tcp.late.bytes", "tcp.rtt.samples", "tcp.rtt.min_ns",
    "tcp.rtt.max_ns", "tcp.rtt.smoothed_ns")
KIB = 1024

SEGMENTED = SPREAD + ("tcp.retransmitted", "tcp.duplicates", "tcp.out_of_order", "tcp.keep_alives", "tcp.late",
    "tcp.flags.ece", "tcp.flags.fin")
# A RST or a bare ACK that comes again is no duplicate, nor is a SYN that may open a session, or what is late.
TWICE = SPREAD + ("tcp.duplicates", "tcp.late", "tcp.flags", "tcp.duplicate_acks", "tcp.syn_candidates",
    "bad_checksums")


def change(name, make=same, ignored=(), prepare=same, encode=to_stdin(pcapng), largest=1 << 40):
    return Change(name, make, ignored, prepare, encode, largest)


CHANGES = (
    change("pcap", encode=to_stdin(pcap)),
    change("pcap, big-endian", encode=to_stdin(lambda frames: pcap(frames, ">"))),
    change("pcap, microseconds", prepare=in_microseconds, encode=to_stdin(lambda frames: pcap(frames, "<", 1000))),
    change("pcapng, big-endian", encode=to_stdin(lambda frames: pcapng(frames, ">"))),
    change("pcapng, four interfaces", encode=to_stdin(lambda frames: pcapng(frames, "<", 4))),
    change("gzip", encode=to_stdin(lambda frames: gzip.compress(pcapng(frames), 1))),
    change("zstd", encode=to_stdin(lambda frames: zstd(pcapng(frames)))),
    change("three files", prepare=in_turn, encode=in_files),
    change("a tap for each direction", prepare=in_turn, encode=taps),
    change("a day later", shifted, TIMES),
    change("VLAN", tagged((0x8100, 5)), WRAPPED),
    change("QinQ", tagged((0x88A8, 5), (0x8100, 6)), WRAPPED),
    change("MPLS", of_ip(mpls), WRAPPED),
    change("PPPoE", of_ip(pppoe), WRAPPED),
    change("GRE", of_ip(gre), WRAPPED),
    change("IP in IP", of_ip(ip_in_ip), WRAPPED),
    change("VXLAN", of_ip(vxlan), WRAPPED),
    change("Geneve", of_ip(geneve), WRAPPED),
    change("GTP", of_ip(gtp), WRAPPED),
    change("Linux cooked", as_link(SLL, lambda kind: struct.pack(">HHH8xH", 0, 1, 6, kind)), WRAPPED),
    change("Linux cooked v2", as_link(SLL2, lambda kind: struct.pack(">HHIHBB8x", kind, 0, 1, 1, 0, 6)), WRAPPED),
    change("raw IP", as_link(RAW, lambda kind: b""), WRAPPED),
    change("loopback", as_link(NULL, lambda kind: struct.pack("<I", 2 if kind == IPV4 else 30)), WRAPPED),
    change("PPP", as_link(PPP, lambda kind: struct.pack(">HH", 0xFF03, 0x21 if kind == IPV4 else 0x57)), WRAPPED),
    change("fragments", fragments(256), SPREAD, sound),
    change("fragments, turned", fragments(64, turned=True), SPREAD, sound),
    change("segments of 100", segments(100), SEGMENTED, sound, largest=200 * KIB),
    change("segments of 7", segments(7), SEGMENTED, sound, largest=200 * KIB),
    change("segments of 1", segments(1), SEGMENTED, sound, largest=60 * KIB),
    change("twice, TCP", doubled, TWICE, of_tcp(True)),
    change("twice, others", doubled, TWICE + ("payload_bytes",), of_tcp(False)),
    change("neighbours swapped", swapped),
    change("IPv6", each(as_ipv6), WRAPPED + ("event.id", "links", "ip", "community_id", "network.type", "mptcp", "tcp.duplicates"),
        prepare=without_other_protocols),
    change("cut short", None, largest=8 * KIB),
)

# Of our own captures: those that say something else when they are changed, and why.
EXPLAINED = (
    ("clock_wild", ("segments", "twice"), "a wild time is believed once a second packet has it"),
    ("cut_too_short", TUNNELS, "what tells no session is the tunnel's"),
    ("session_key_vlan", ("segments",), "two connections with the same addresses, in turn"),
    ("tcp_zero_window", ("segments",), "a byte that was acknowledged is a keep-alive"),
    ("tunnels_nested", TUNNELS, "more headers than are followed"),
)
