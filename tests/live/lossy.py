"""Real TCP stacks whose packets a relay loses, doubles and delays; what is captured beside it is replayed.

    client ---- capture ---- relay ---- capture ---- server

A third capture has each packet once, as it came to the relay.
"""

import contextlib
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time

from stage import OWN, Linger, Skipped, Veth, call, expect

CONNECTIONS, RESPONSE = 200, 200_000
LOST, DOUBLED, OVERTAKEN = 0.03, 0.01, 0.2
DELAY, DETOUR = 0.002, 0.008  # seconds
SET_TUN, TUN_WITHOUT_HEADER = 0x400454CA, 0x1001
NANOSECONDS, RAW_IP = 0xA1B23C4D, 101


class Capture:
    def __init__(self, path):
        self.path = path
        self.file = open(path, "wb")
        self.file.write(struct.pack("<IHHiIII", NANOSECONDS, 2, 4, 0, 0, 65535, RAW_IP))

    def write(self, now, packet):
        self.file.write(struct.pack("<IIII", now // 10**9, now % 10**9, len(packet), len(packet)) + packet)


class Relay:
    """Two namespaces whose only way to each other it is: namespace a and b, as those of Veth."""

    ADDRESSES = {"a": "10.79.0.1", "b": "10.79.0.2"}

    def __init__(self, folder, seed):
        self.spaces = {side: f"{OWN}-{side}" for side in "ab"}
        self.captures = {name: Capture(folder / f"{name}.pcap") for name in ("client", "server", "relay")}
        self.random = random.Random(seed)
        self.ends = {}
        self.waiting = []
        self.count = 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run_until_over)

    command, run, run_in = Veth.command, Veth.run, staticmethod(Veth.run_in)

    def __enter__(self):
        if os.geteuid() != 0:
            raise Skipped("needs root for network namespaces")
        self.remove()
        try:
            for side, space in self.spaces.items():
                call("ip", "netns", "add", space)
                self.ends[side] = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
                fcntl.ioctl(self.ends[side], SET_TUN, struct.pack("16sH", f"lossy-{side}".encode(), TUN_WITHOUT_HEADER))
                call("ip", "link", "set", f"lossy-{side}", "netns", space)
        except (OSError, subprocess.CalledProcessError) as error:
            self.remove()
            raise Skipped(f"no network namespaces or TUN here: {error}") from error
        for side in "ab":
            self.run(side, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
            self.run(side, "ip", "address", "add", f"{self.ADDRESSES[side]}/24", "dev", f"lossy-{side}")
            self.run(side, "ip", "link", "set", "dev", f"lossy-{side}", "up", "txqueuelen", "10000")
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()
        for capture in self.captures.values():
            capture.file.close()
        self.remove()

    def remove(self):
        for end in self.ends.values():
            os.close(end)
        self.ends = {}
        for space in self.spaces.values():
            subprocess.run(["ip", "netns", "delete", space], capture_output=True, check=False)

    def write(self, side, packet, now):
        self.captures["client" if side == "a" else "server"].write(now, packet)

    def take(self, side, packet):
        now = time.time_ns()
        self.write(side, packet, now)
        self.captures["relay"].write(now, packet)
        if self.random.random() < LOST:
            return
        for _ in range(2 if self.random.random() < DOUBLED else 1):
            detour = self.random.random() * DETOUR if self.random.random() < OVERTAKEN else 0
            self.count += 1
            heapq.heappush(self.waiting, (now + int((DELAY + detour) * 1e9), self.count,
                                          "b" if side == "a" else "a", packet))

    def run_until_over(self):
        side_of = {end: side for side, end in self.ends.items()}
        while not self.is_over.is_set():
            due = (self.waiting[0][0] - time.time_ns()) / 1e9 if self.waiting else 0.05
            for end in select.select(list(side_of), [], [], max(due, 0))[0]:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        packet = os.read(end, 65536)
                        if packet[0] >> 4 == 4:
                            self.take(side_of[end], packet)
            while self.waiting and self.waiting[0][0] <= time.time_ns():
                *_, side, packet = heapq.heappop(self.waiting)
                with contextlib.suppress(BlockingIOError):
                    os.write(self.ends[side], packet)
                    self.write(side, packet, time.time_ns())


def run(tests, live, Server, connect, check_against):
    def connections_through_a_lossy_link_lose_no_session_and_no_byte(seed):
        relay = Relay(live.folder, seed)
        with relay, Server(relay):
            truth = connect(relay, CONNECTIONS, seed, RESPONSE)
            time.sleep(1)  # what is sent again after the last close
        for name, capture in relay.captures.items():
            for threads in (1, 3):
                linger = Linger(live.linger, ["-r", capture.path, "--set", f"packetThreads={threads}"], live.folder)
                expect(linger.process.wait(60) == 0, linger.errors())
                if name != "server":  # where the RST of a client may never arrive
                    check_against(truth, linger)
                ends = [r for r in linger.records() if r["event"]["action"] == "session-end"]
                expect(len(ends) == truth["connections"], f"{name}: {len(ends)} sessions")
                missed = [r["tcp"]["missed_bytes"] for r in ends if "missed_bytes" in r["tcp"]]
                expect(not missed, f"{name} has every byte, and is said to miss", missed)

    tests.run(connections_through_a_lossy_link_lose_no_session_and_no_byte, 1)
