#!/usr/bin/env python3
"""Writes seeds of the fuzz targets from the project's own captures.

usage: seeds.py PCAPS CORPUS     as in: tests/fuzz/seeds.py pcaps tests/fuzz/corpus
decode: one frame of each conversation, as decode_fuzz.cc reads it: link type (2 bytes, little-endian), settings (1),
frame. capture_file: the captures in SMALL_FILES as they are. A parser: the IPv4 conversation of each capture NAME.pcap
and NAME_*.pcap, as parser_fuzz.cc reads it. The name of a seed is its hash.
"""
import hashlib
import pathlib
import re
import struct
import sys

NAMES = ('tunnel*', 'session_key_tunnel', 'tcp_source_route', 'checksum_*', 'link_*', 'sctp', 'icmp_*', 'other_protocols', 'fragments', 'mptcp_*')
MPTCP = b'\x1e'  # the first TCP option
SMALL_FILES = ('snoop.snoop', 'pcapng_interfaces.pcapng')


def frames(path):
    data = path.read_bytes()
    order = '<' if data[:4] in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1') else '>'
    link_type = struct.unpack(order + 'I', data[20:24])[0] & 0xffff
    at = 24
    while at + 16 <= len(data):
        captured = struct.unpack(order + 'I', data[at + 8:at + 12])[0]
        yield link_type, data[at + 16:at + 16 + captured]
        at += 16 + captured


def conversation(path):
    """What is said over TCP or UDP with the port that a capture's first packet goes to, segments as they come, whatever
    addresses the client has: the input of parser_fuzz.cc; or nothing."""
    words, server, protocol = b'', None, 6
    for link_type, frame in frames(path):
        if link_type != 1 or frame[12:14] != b'\x08\x00' or frame[23] not in (6, 17):
            continue
        protocol = frame[23]
        transport = frame[14 + 4 * (frame[14] & 15):14 + struct.unpack('>H', frame[16:18])[0]]
        text = transport[8 if protocol == 17 else 4 * (transport[12] >> 4):]
        server = server or transport[2:4]
        if text and server in (transport[:2], transport[2:4]):
            words += struct.pack('>H', (0x8000 if transport[:2] == server else 0) | len(text)) + text
    return bytes([protocol == 17]) + words if words else b''


def write(folder, seed):
    folder.mkdir(exist_ok=True)
    (folder / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


def main(pcaps, corpus):
    for name in SMALL_FILES:
        write(corpus / 'capture_file', (pcaps / name).read_bytes())
    kinds = set()
    for name in NAMES:
        for path in sorted(pcaps.glob(name + '.pcap')):
            for link_type, frame in frames(path):
                option = frame[54:57] if frame[54:55] == MPTCP else b''
                kind = (link_type, frame[12:14], frame[23:24], frame[36:38], option, len(frame))
                if kind in kinds:
                    continue
                kinds.add(kind)
                write(corpus / 'decode', struct.pack('<HB', link_type, 0) + frame)
    parsers = re.findall(r'X\((\w+)\)', (pathlib.Path(__file__).parents[2] / 'parsers/list.h').read_text())
    for name in parsers:
        for path in [*pcaps.glob(name + '.pcap'), *pcaps.glob(name + '_*.pcap')]:
            write(corpus / name, conversation(path))
    print(len(kinds) + len(SMALL_FILES), 'seeds, and those of', *parsers)


if len(sys.argv) != 3:
    sys.exit(__doc__)
main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
