"""Frames of captures, as metamorphic.py changes them: read, written, taken apart and wrapped. All is done on bytes.

A frame is (time, link, wire, data): nanoseconds, LINKTYPE, length on the wire, captured bytes. What a function here
cannot do to a frame (it is no IP, was captured in part, is a fragment, …) it answers with None.
"""

import collections
import gzip
import struct

ETHERNET, NULL, PPP, RAW, SLL, SLL2 = 1, 0, 9, 101, 113, 276
IPV4, IPV6 = 0x0800, 0x86DD
VLAN_TAGS = (0x8100, 0x88A8, 0x9100)
TCP, UDP = 6, 17
TUNNEL_PORTS = {1701, 2152, 3544, 4754, 4789, 4790, 5072, 5247, 6081, 6635, 8472}
FIN, SYN, RST, PSH, URG, CWR = 1, 2, 4, 8, 32, 128
MACS = bytes.fromhex("020000000002 020000000001")

Frame = collections.namedtuple("Frame", "time link wire data")
# head: all before the EtherType; body: what it says, with padding; lost: bytes of it that were not captured.
Network = collections.namedtuple("Network", "head kind body lost")
# A whole IP packet without extensions: header, protocol, payload.
Whole = collections.namedtuple("Whole", "header protocol payload")


# --- Files -----------------------------------------------------------------------------------------


def read(path):
    """The frames of a pcap or pcapng, perhaps in gzip, as far as it goes; ValueError: it is none, or an odd one."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    magic = data[:4]
    if magic == b"\x0a\x0d\x0d\x0a":
        return list(pcapng_frames(data))
    for order in "<>":
        for number, unit in ((0xA1B2C3D4, 1000), (0xA1B23C4D, 1)):
            if magic == struct.pack(order + "I", number):
                return list(pcap_frames(data, order, unit))
    raise ValueError("neither pcap nor pcapng")


def pcap_frames(data, order, unit):
    if len(data) < 24 or struct.unpack_from(order + "HH", data, 4) != (2, 4):
        raise ValueError("an old version")
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, captured, wire = struct.unpack_from(order + "IIII", data, at)
        at += 16 + captured
        if at > len(data) or fraction * unit >= 10**9 or wire < captured:
            return
        yield Frame(seconds * 10**9 + fraction * unit, link, wire, data[at - captured : at])


def pcapng_frames(data):
    at, order, interfaces = 0, "<", []
    while at + 12 <= len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
        kind, size = struct.unpack_from(order + "II", data, at)
        body = data[at + 8 : at + size - 4]
        if size < 12 or at + size > len(data):
            return
        at += size
        if kind == 1:
            interfaces.append((struct.unpack_from(order + "H", body)[0], resolution(body[8:], order)))
        elif kind == 6:
            number, high, low, captured, wire = struct.unpack_from(order + "IIIII", body)
            if number >= len(interfaces) or 20 + captured > len(body) or wire < captured:
                return
            link, unit = interfaces[number]
            if (high << 32 | low) * unit >= 1 << 63:
                raise ValueError("a time beyond nanoseconds")
            yield Frame((high << 32 | low) * unit, link, wire, body[20 : 20 + captured])
        elif kind in (2, 3):
            raise ValueError("old or simple packet blocks")


def resolution(options, order):
    """Nanoseconds of an interface's unit of time."""
    unit = 1000
    while len(options) >= 4:
        code, size = struct.unpack_from(order + "HH", options)
        if code == 9:
            if options[4] > 9:
                raise ValueError("an odd unit of time")
            unit = 10 ** (9 - options[4])
        elif code == 14 and any(options[4 : 4 + size]):
            raise ValueError("an offset of its times")
        options = options[4 + (size + 3) // 4 * 4 :]
    return unit


def pcap(frames, order="<", unit=1):
    """None: their link types differ."""
    links = {frame.link for frame in frames} or {ETHERNET}
    if len(links) > 1:
        return None
    magic = 0xA1B23C4D if unit == 1 else 0xA1B2C3D4
    parts = [struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 262144, links.pop())]
    for time, _, wire, data in frames:
        if not 0 <= time < 10**9 << 32:
            return None
        parts += [struct.pack(order + "IIII", time // 10**9, time % 10**9 // unit, len(data), wire), data]
    return b"".join(parts)


def pcapng(frames, order="<", interfaces_each=1):
    """An interface for each link type, in nanoseconds; or several, which take turns."""
    def block(kind, body):
        body += bytes(-len(body) % 4)
        return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)

    parts = [block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))]
    numbers = {}
    for index, (time, link, wire, data) in enumerate(frames):
        name = (link, index % interfaces_each)
        if name not in numbers:
            numbers[name] = len(numbers)
            parts.append(block(1, struct.pack(order + "HHIHHB3xI", link, 0, 0, 9, 1, 9, 0)))
        header = struct.pack(order + "IIIII", numbers[name], time >> 32, time & 0xFFFFFFFF, len(data), wire)
        parts.append(block(6, header + data))
    return b"".join(parts)


def zstd(data):
    """RFC 8878 §3.1.1: a frame of raw blocks."""
    step = 1 << 17
    pieces = [data[at : at + step] for at in range(0, len(data), step)] or [b""]
    parts = [b"\x28\xb5\x2f\xfd\x00\x38"]
    for index, piece in enumerate(pieces):
        parts += [struct.pack("<I", len(piece) << 3 | (index == len(pieces) - 1))[:3], piece]
    return b"".join(parts)


# --- Headers ---------------------------------------------------------------------------------------


def network(frame):
    """Of a frame whose EtherType, or what stands for it, is known; as if it came by Ethernet."""
    data, link = frame.data, frame.link
    head = MACS
    if link == ETHERNET:
        at = 12
        while len(data) >= at + 6 and be16(data, at) in VLAN_TAGS:
            at += 4
        if len(data) < at + 2:
            return None
        head, kind, body = data[:at], be16(data, at), data[at + 2 :]
    elif link == SLL and len(data) >= 16 and be16(data, 2) not in (803, 824):
        kind, body = be16(data, 14), data[16:]
    elif link == SLL2 and len(data) >= 20 and be16(data, 8) not in (803, 824):
        kind, body = be16(data, 0), data[20:]
    elif link in (12, 14, RAW, 228, 229) and data:
        kind, body = {4: IPV4, 6: IPV6}.get(data[0] >> 4), data
    else:
        return None
    return Network(head, kind, body, frame.wire - len(data)) if kind else None


def is_ip(layer):
    return layer and layer.body and (layer.kind, layer.body[0] >> 4) in ((IPV4, 4), (IPV6, 6))


def ethernet(frame, layer, kind, body):
    data = layer.head + struct.pack(">H", kind) + body
    return Frame(frame.time, ETHERNET, len(data) + layer.lost, data)


def whole(layer):
    """A packet that is no fragment and lacks nothing; what follows it in its frame is left out."""
    if not is_ip(layer):
        return None
    body = layer.body
    if layer.kind == IPV4 and len(body) >= 20:
        size, total = (body[0] & 15) * 4, be16(body, 2)
        if size < 20 or be16(body, 6) & 0x3FFF or not size <= total <= len(body) or checksum(body[:size]):
            return None
        return Whole(body[:size], body[9], body[size:total])
    if layer.kind == IPV6 and len(body) >= 40:
        total = 40 + be16(body, 4)
        if body[6] in (0, 43, 44, 51, 59, 60, 135) or not 40 < total <= len(body):
            return None
        return Whole(body[:40], body[6], body[40:total])
    return None


def protocol_of(layer):
    return layer.body[9 if layer.kind == IPV4 else 6] if is_ip(layer) and len(layer.body) > 9 else None


def ip_packet(header, payload, flags=None):
    """The header before another payload; flags: of an IPv4 fragment."""
    if header[0] >> 4 == 6:
        return header[:4] + struct.pack(">H", len(payload)) + header[6:] + payload
    flags = be16(header, 6) if flags is None else flags
    header = header[:2] + struct.pack(">H", len(header) + len(payload)) + header[4:6] + struct.pack(">HBBH", flags,
        header[8], header[9], 0) + header[12:]
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + payload


def outer_ipv4(protocol, payload, lost):
    """A tunnel's header before it, or None: it is too long."""
    if 20 + len(payload) + lost > 0xFFFF:
        return None
    addresses = (0xC0000201, 0xC0000202)
    header = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(payload) + lost, 0, 0, 64, protocol, 0, *addresses)
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + payload


def outer_udp(port, payload, lost):
    size = 8 + len(payload) + lost
    return outer_ipv4(UDP, struct.pack(">HHHH", 50000, port, size, 0) + payload, lost) if size <= 0xFFFF else None


def be16(data, at):
    return data[at] << 8 | data[at + 1]


def ones_sum(data):
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def checksum(data):
    return ones_sum(data) ^ 0xFFFF


def addresses_of(header):
    return header[8:40] if header[0] >> 4 == 6 else header[12:20]


def has_options(header):
    """A source route makes another destination of them."""
    return header[0] >> 4 == 4 and len(header) > 20


def pseudo_header(header, protocol, size):
    return addresses_of(header) + struct.pack(">HH", size, protocol)


def endpoints(layer):
    """The two ends of a packet of TCP or UDP, which tell its session; None: other packets, that may belong to any."""
    packet = whole(layer)
    if not packet or packet.protocol not in (TCP, UDP) or len(packet.payload) < 8 or has_options(packet.header):
        return None
    addresses, ports = addresses_of(packet.header), packet.payload
    if packet.protocol == UDP and not TUNNEL_PORTS.isdisjoint((be16(ports, 0), be16(ports, 2))):
        return None
    middle = len(addresses) // 2
    return packet.protocol, addresses[:middle] + ports[0:2], addresses[middle:] + ports[2:4]
