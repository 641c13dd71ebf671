#!/usr/bin/env python3
"""What a core tracks live: live.py BUILD-DIRECTORY [--packets N] [--rounds N] [--set name=value]…

linger-blast sends from memory over net_memif as fast as the other end takes it, so that nothing is
lost: to linger, and to a loop that only receives, in turn. Printed are both rates (the median of
the rounds), linger's as a share of the loop's, and between which shares the rounds were. 60-byte
segments of 100,000 and 1,000,000 sessions that stay open, in random order (parsers look at the
first 22 of each), and a mix of real sessions. Needs two idle cores; no huge pages.
"""

import argparse
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

LOADS = {
    "100,000 live sessions": ["live", "--sessions", "100000"],
    "1,000,000 live sessions": ["live", "--sessions", "1000000"],
    "a mix": ["mix", "--share", "0.1"],
}


def rate_in(text):
    found = re.search(r"mpps=([\d.]+)", text)
    if not found:
        raise SystemExit(f"live.py: no rate in: {text}")
    return float(found.group(1))


class Bench:
    def __init__(self, build, packets, settings, folder):
        self.settings = [word for setting in settings for word in ("--set", setting)]
        self.linger = build / "linger"
        self.blast = build / "bench" / "linger-blast"
        self.packets = packets
        self.socket = folder / "memif.sock"
        self.folder = folder

    def device(self, role):
        return f"net_memif0,role={role},socket={self.socket},socket-abstract=no,rsize=12"

    @staticmethod
    def wait_until(is_so, program, said=lambda: ""):
        while not is_so():
            if program.poll() is not None:
                raise SystemExit(f"live.py: {program.args[0]}: exit code {program.returncode}: {said()}")
            time.sleep(0.1)

    def send(self, load):
        packets = self.packets if load[0] == "live" else 0  # sessions of a mix come but once
        command = [self.blast, *load, "--to", self.device("client"), "--packets", str(packets)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def bare(self, load):
        self.socket.unlink(missing_ok=True)
        with subprocess.Popen([self.blast, "receive", "--from", self.device("server")],
                              stdout=subprocess.PIPE, text=True) as loop:
            self.wait_until(self.socket.exists, loop)
            with self.send(load) as sender:
                sender.wait()
            return rate_in(loop.communicate()[0])

    def tracked(self, load):
        self.socket.unlink(missing_ok=True)
        errors = self.folder / "errors"

        def said():
            return errors.read_text(encoding="utf-8")

        with open(errors, "w", encoding="utf-8") as file, subprocess.Popen(
                [self.linger, "-i", "dpdk:" + self.device("server"), "-o", "/dev/null", "--set",
                 "dpdkHugePages=false", "--set", "maxStreams=2000000", "--set",
                 "recordQueue=262144", *self.settings], stderr=file) as program:
            self.wait_until(lambda: "capturing on" in said(), program, said)
            with self.send(load) as sender:
                told = sender.communicate()[0]
            program.send_signal(2)
            program.wait()
        summary = said()
        seen = re.search(r"seen ([\d,]+)", summary)
        if seen is None or f"sent={seen.group(1).replace(',', '')} " not in told:
            raise SystemExit(f"live.py: packets are missing: {told}\n{summary}")
        return rate_in(told)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--packets", type=int, default=100_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], help="for linger, as parsers=none")
    arguments = parser.parse_args()
    print(f"{'':<26}{'bare receive':>14}{'tracked':>14}{'share':>8}{'rounds':>12}   M packets/s")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.build.resolve(), arguments.packets, arguments.set,
                      pathlib.Path(folder))
        for name, load in LOADS.items():
            rates = [(bench.bare(load), bench.tracked(load)) for _ in range(arguments.rounds)]
            bare, tracked = (statistics.median(column) for column in zip(*rates))
            shares = [100 * one[1] / one[0] for one in rates]
            between = f"{min(shares):.0f} to {max(shares):.0f}%"
            print(f"{name:<26}{bare:>14.2f}{tracked:>14.2f}{100 * tracked / bare:>7.0f}%{between:>12}",
                  flush=True)


main()
