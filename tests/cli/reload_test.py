#!/usr/bin/env python3
"""reload_test.py LINGER HTTP-CAPTURE: HUP in the middle of a run changes the rules for sessions that begin after it.

The capture of two sessions goes through a pipe: its first half, a HUP with other rules, its second half, and the same
sessions once more from another port. A HUP with rules that are wrong, or in a pipe, changes nothing. TAP on standard output.
"""

import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time

OLD, NEW, WRONG = "- {name: old, pattern: POST}\n", "- {name: new, pattern: POST}\n", "- {name: wrong, pattern: a(}\n"
SECONDS_MAX = 30


def packets_of(capture):
    """The header of a capture file, and its packets with theirs."""
    data, at, packets = capture.read_bytes(), 24, []
    while at < len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        packets.append(data[at:at + 16 + length])
        at += 16 + length
    return data[:24], packets


def moved(packet, port, seconds):
    """The same packet later, its port 40001 another one."""
    stamp = struct.unpack_from("<I", packet)[0] + seconds
    return struct.pack("<I", stamp) + packet[4:].replace(struct.pack(">H", 40001), struct.pack(">H", port))


class Run:
    def __init__(self, linger, folder):
        self.folder = folder
        self.errors = open(folder / "errors", "w+", encoding="utf-8")
        (folder / "rules.yaml").write_text(OLD, encoding="utf-8")
        self.process = subprocess.Popen(
            [linger, "-r", "-", "-k", "none", "-o", "file:records", "--set", "rules=rules.yaml"], cwd=folder,
            stdin=subprocess.PIPE, stderr=self.errors, env=os.environ | {"XDG_CACHE_HOME": str(folder)})

    def said(self):
        return (self.folder / "errors").read_text(encoding="utf-8")

    def wait_for(self, pattern, signal_number=None):
        """Until linger has said it; asks again and again where a signal makes it speak."""
        for _ in range(SECONDS_MAX * 20):
            if signal_number and (self.folder / "records").exists():  # it takes signals by then
                self.process.send_signal(signal_number)
            time.sleep(0.05)
            if re.search(pattern, self.said()):
                return
        raise AssertionError(f"no '{pattern}' in {self.said()}")

    def feed(self, *packets):
        self.process.stdin.write(b"".join(packets))
        self.process.stdin.flush()

    def reload_from_a_pipe(self, answer):
        rules = self.folder / "rules.yaml"
        rules.unlink()
        os.mkfifo(rules)
        self.process.send_signal(signal.SIGHUP)
        self.wait_for(answer)
        rules.unlink()

    def reload(self, rules, answer):
        (self.folder / "rules.yaml").write_text(rules, encoding="utf-8")
        self.process.send_signal(signal.SIGHUP)
        self.wait_for(answer)


def main():
    linger = pathlib.Path(sys.argv[1]).resolve()
    header, packets = packets_of(pathlib.Path(sys.argv[2]))
    half = len(packets) // 2
    with tempfile.TemporaryDirectory() as name:
        run = Run(linger, pathlib.Path(name))
        run.feed(header, *packets[:half])
        run.wait_for(rf"seen {half} =", signal.SIGUSR1)
        run.reload(WRONG, r"rules.yaml:1: rule wrong: .*stay as they were")
        run.reload_from_a_pipe("a pipe cannot be read again.*stay as they were")
        run.reload(NEW, "read again: 0 and 1")
        run.feed(*packets[half:], *[moved(packet, 40002, 60) for packet in packets])
        run.process.stdin.close()
        code = run.process.wait(SECONDS_MAX)
        records = [json.loads(line) for line in (pathlib.Path(name) / "records").read_text().splitlines()]
        told = sorted((r["source"]["port"], r["network"]["packets"], *r["rule"]["name"]) for r in records)
        expected = [(40001, half, "old")] * 2 + [(40002, half, "new")] * 2
        good = code == 0 and told == expected and "balanced" in run.said()
        print("1..1")
        print(f"{'ok' if good else 'not ok'} 1 sessions_keep_the_rules_that_they_began_with")
        if not good:
            print("\n".join(f"# {line}" for line in [f"exit code {code}", str(told), *run.said().splitlines()]))
    sys.exit(0 if good else 1)


main()
