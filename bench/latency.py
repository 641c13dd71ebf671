#!/usr/bin/env python3
"""What sleeping costs: latency.py BUILD-DIRECTORY [--packets N] [--sleep 50us]…

A quiet link: a datagram every 1 to 4 ms over a veth pair, each of a session of its own. net_af_packet
gives packets the time at which linger took them, so a record's start minus the time of sending is how
long its packet waited; the way through the sender's system call and the link is part of all figures.
Printed beside each other: polling without a pause, and each idleSleep. Needs root and two idle cores.
"""

import argparse
import datetime
import json
import pathlib
import platform
import random
import re
import socket
import statistics
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "live"))
from stage import Linger, Skipped, Veth  # pylint: disable=wrong-import-position

FIRST_PORT = 20_000
BROADCAST = ("10.77.0.255", 9)  # nobody answers


def send(packets):
    """In namespace a: prints the time of each datagram by its port."""
    rng = random.Random(1)
    sent = {}
    for port in range(FIRST_PORT, FIRST_PORT + packets):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sender.bind(("", port))
            time.sleep(rng.uniform(0.001, 0.004))
            sent[port] = time.clock_gettime_ns(time.CLOCK_REALTIME)
            sender.sendto(b"?", BROADCAST)
    print(json.dumps(sent))


def nanoseconds(text):
    """Since 1970, of a time as records have it."""
    second, fraction = text.rstrip("Z").split(".")
    moment = datetime.datetime.fromisoformat(second + "+00:00")
    return int(moment.timestamp()) * 1_000_000_000 + int(fraction.ljust(9, "0"))


def processor_seconds(process):
    """Of user and system, by /proc/PID/stat."""
    words = pathlib.Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rsplit(") ", 1)[1].split()
    return (int(words[11]) + int(words[12])) / 100


def measure(program, packets, sleep, folder):
    with Veth() as veth:
        linger = Linger(program, ["-i", "dpdk:net_af_packet0,iface=b", "--set", f"idleSleep={sleep}"],
                        folder, veth.command("b"))
        linger.wait_for("capturing on")
        start, used = time.monotonic(), processor_seconds(linger.process)
        sent = json.loads(veth.run("a", sys.executable, __file__, "--send", packets))
        share = (processor_seconds(linger.process) - used) / (time.monotonic() - start)
        if linger.stop() != 0:
            raise SystemExit(linger.errors())
        waited = [nanoseconds(r["event"]["start"]) - sent[str(r["source"]["port"])]
                  for r in linger.records() if str(r["source"]["port"]) in sent]
    if len(waited) != packets:
        raise SystemExit(f"latency.py: {len(waited)} of {packets} datagrams are recorded")
    waited = sorted(nanos / 1000 for nanos in waited)
    return statistics.median(waited), waited[len(waited) * 99 // 100], share


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"model name\s*: (.*)", info)
    cores = len(re.findall(r"^processor", info, re.MULTILINE))
    return f"{model.group(1) if model else 'unknown'}, {cores} cores, Linux {platform.release()}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path, nargs="?")
    parser.add_argument("--packets", type=int, default=2000)
    parser.add_argument("--sleep", action="append", help="of idleSleep; several times")
    parser.add_argument("--send", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.send:
        return send(arguments.send)
    if not arguments.build:
        parser.error("which build directory?")
    print(machine())
    print(f"{'':<18}{'median':>9}{'p99':>9}   us from sending to tracking; share of a core")
    with tempfile.TemporaryDirectory() as folder:
        for sleep in ["0", *(arguments.sleep or ["50us", "100us", "1ms"])]:
            median, late, share = measure(arguments.build.resolve() / "linger", arguments.packets, sleep,
                                          pathlib.Path(folder))
            name = "polling" if sleep == "0" else f"idleSleep={sleep}"
            print(f"{name:<18}{median:>9.0f}{late:>9.0f}{100 * share:>12.0f}%", flush=True)
    return None


try:
    main()
except (AssertionError, Skipped) as why:  # linger did not start, or this machine has no such network
    sys.exit(f"latency.py: {why}")
