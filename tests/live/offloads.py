"""Switches checksum and segmentation offloads of an interface: offloads.py INTERFACE on|off"""

import array
import fcntl
import socket
import struct
import sys

SIOCETHTOOL = 0x8946
# linux/ethtool.h: set rx and tx checksums, scatter-gather, TSO, GSO, GRO
COMMANDS = {"rx checksums": 0x15, "tx checksums": 0x17, "scatter-gather": 0x19, "tso": 0x1F,
            "gso": 0x24, "gro": 0x2C}


def main():
    name, value = sys.argv[1], sys.argv[2] == "on"
    handle = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    commands = COMMANDS.items() if value else reversed(COMMANDS.items())
    for what, command in commands:
        ask = array.array("B", struct.pack("II", command, value))
        try:
            fcntl.ioctl(handle, SIOCETHTOOL,
                        struct.pack("16sP", name.encode(), ask.buffer_info()[0]))
        except OSError as error:
            print(f"{name}: {what}: {error}", file=sys.stderr)


main()
