"""DPDK's virtual devices as sources."""

import struct
import subprocess

from stage import HERE, Skipped, expect

PCAPS = HERE.parent.parent / "pcaps"
MICROSECONDS = b"\xd4\xc3\xb2\xa1"
ETHERNET = 1
# What net_pcap does not hand on: times that libpcap reads with a sign, the length that a cut packet
# had on the wire, that a file breaks off.
TOLD_OTHERWISE = {"clock_wild.pcap", "cut.pcap", "broken_off.pcap"}


def has_dpdk(linger):
    return "DPDK: not" not in subprocess.run([linger, "-V"], capture_output=True,
                                             text=True, check=True).stdout


def is_told_alike(path):
    head = path.read_bytes()[:24]
    return (head[:4] == MICROSECONDS and struct.unpack("<I", head[20:])[0] == ETHERNET
            and path.name not in TOLD_OTHERWISE)


def records_of(linger, *arguments):
    run = subprocess.run([linger, *arguments, "-o", "-", "--set", "idSeed=test", "--set",
                          "maxStreams=10000", "--set", "dpdkHugePages=false"],
                         capture_output=True, text=True, check=False)
    expect(run.returncode == 0, f"exit code {run.returncode}:", run.stderr)
    expect("ledger    balanced" in run.stderr, run.stderr)
    return sorted(run.stdout.splitlines())


def run(tests, linger, _folder):
    def net_pcap_equals_a_replay():
        if not has_dpdk(linger):
            raise Skipped("this build has no DPDK")
        captures = [path for path in sorted(PCAPS.glob("*.pcap")) if is_told_alike(path)]
        for path in captures[::4]:
            played = records_of(linger, "-i", f"dpdk:net_pcap0,rx_pcap={path}",
                                "--stop-after-idle", "100ms")
            expect(played == records_of(linger, "-r", path), path, "differs")

    tests.run(net_pcap_equals_a_replay)
