#!/usr/bin/env python3
"""Whole replays of generated captures: linger beside cat, tcpdump and whatever flow meter is there.

Usage: replay.py BUILD-DIRECTORY [--captures small,bulk,…] [--runs 5] [--share 1.0] [--json FILE]

Makes each capture with linger-blast in a temporary directory, runs every program in turn, round
after round, and prints one table: best and median wall time, processor time, peak memory, sessions
a second, the ratio of the best times to that of `tcpdump -r X -w /dev/null` (of `talk`, where
sessions say something, to a replay without parsers), and the budget where there is one. Every run
of linger is checked against what linger-blast made: the same packets, bytes and sessions, a
balanced ledger, exit code 0. Exits 1 if one was not. At last the memory of a live session: how much
more four million of them take than one, with those that can be measured likewise. Compiled patterns
are kept in the temporary directory.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

CAPTURES = ("small", "bulk", "late", "nat", "ipv6", "flood", "mix", "talk")
RECORDS = "records.ndjson"
TCPDUMP, NO_PARSERS = "tcpdump copy", "linger, no parsers"
# (capture, program): at most so many times the reference.
BUDGETS = {
    ("small", "linger, 2 threads"): 1.2,
    ("small", "linger, no parsers, 2 threads"): 0.8,
    ("small", "linger, no parsers, null"): 1.0,
    ("bulk", "linger, no parsers, 2 threads"): 0.5,
    ("talk", "linger, parsers"): 2.0,
}
TEN_PACKETS_MS = 30
MEMORY_SHARE = 0.5
RULES = pathlib.Path(__file__).resolve().parent.parent / "conf" / "rules.yaml"


def reference_of(preset):
    return NO_PARSERS if preset == "talk" else TCPDUMP


def programs(linger, capture, scratch):
    """name: command of everything that is installed here."""
    read = [str(linger), "-r", str(capture)]
    on_one_core = ["taskset", "-c", "0"] + read + ["-o", "file:/dev/null"]
    no_parsers = ["--set", "parsers=none"]
    if capture.stem == "talk":
        commands = {
            NO_PARSERS: on_one_core + no_parsers,
            "linger, parsers": on_one_core,
        }
        if "Hyperscan: not" not in subprocess.run([linger, "-V"], capture_output=True, text=True, check=True).stdout:
            commands["linger, parsers, rules"] = on_one_core + ["--set", f"rules={RULES}"]
        return commands
    one, two = (read + ["-o", f"file:{scratch / RECORDS}", "--set", f"packetThreads={n}"] for n in (1, 2))
    commands = {
        "cat": ["cat", str(capture)],
        TCPDUMP: ["tcpdump", "-r", str(capture), "-w", "/dev/null"],
        "linger, 1 thread": one,
        "linger, 2 threads": two,
        "linger, null": on_one_core,
        "linger, no parsers, 2 threads": two + no_parsers,
        "linger, no parsers, null": on_one_core + no_parsers,
        "nfpcapd": ["nfpcapd", "-r", str(capture), "-w", str(scratch)],
        "softflowd": ["softflowd", "-d", "-m", "10000000", "-r", str(capture)],
    }
    return {name: words for name, words in commands.items() if shutil.which(words[0])}


def run(command, scratch):
    """Runs it once: wall and processor seconds, peak MiB, exit code, what it said."""
    with open(scratch / "said", "w+", encoding="utf-8", errors="replace") as said:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, cwd=scratch)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    return {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "mib": usage.ru_maxrss / 1024,
        "code": process.returncode,
        "said": text,
    }


def blast(build, preset, share, path):
    """Makes a capture; what it holds, by name."""
    command = [str(build / "bench/linger-blast"), preset, "-w", str(path), "--share", str(share)]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", made)}


def disagreement(result, truth):
    """What a run of linger told otherwise than linger-blast, or nothing."""
    found = re.search(r"linger: ([\d,]+) packets, ([\d,]+) bytes, ([\d,]+) sessions", result["said"])
    if found is None or result["code"] != 0 or "balanced" not in result["said"]:
        return f"exit code {result['code']}: {result['said']}"
    counts = [int(group.replace(",", "")) for group in found.groups()]
    expected = [int(truth[name]) for name in ("packets", "bytes", "sessions")]
    return f"{counts} packets, bytes, sessions; made were {expected}" if counts != expected else ""


def failure(result):
    """What a run of another program says when it did not come to its end: its time is none."""
    return f"exit code {result['code']}: {result['said'][-500:]}" if result["code"] != 0 else ""


def measure(arguments, preset, scratch):
    """All programs on one capture: rows of the table, and what went wrong."""
    capture = scratch / f"{preset}.pcap"
    truth = blast(arguments.build, preset, arguments.share, capture)
    commands = programs(arguments.build / "linger", capture, scratch)
    results = {name: [] for name in commands}
    wrong = []
    run(["cat", str(capture)], scratch)  # into the page cache
    for _ in range(arguments.runs):
        for name, command in commands.items():
            (scratch / RECORDS).unlink(missing_ok=True)  # to empty a gigabyte of it would take half a second
            result = run(command, scratch)
            results[name].append(result)
            trouble = disagreement(result, truth) if name.startswith("linger") else failure(result)
            if trouble and name not in (w[0] for w in wrong):
                wrong.append((name, f"{preset}: {name}: {trouble}"))
    capture.unlink()
    best = {name: min(r["wall"] for r in runs) for name, runs in results.items()}
    reference = best.get(reference_of(preset))
    rows = []
    for name, runs in results.items():
        rows.append(
            {
                "capture": preset,
                "program": name,
                "best_s": best[name],
                "median_s": statistics.median(r["wall"] for r in runs),
                "cpu_s": min(r["cpu"] for r in runs),
                "mib": min(r["mib"] for r in runs),
                "sessions_per_s": truth["sessions"] / best[name],
                "ns_per_packet": best[name] * 1e9 / truth["packets"],
                "reference_s": reference,
                "ratio": best[name] / reference if reference else None,
                "budget": BUDGETS.get((preset, name)),
            }
        )
    return rows, [text for _, text in wrong]


def start_to_exit(arguments, scratch):
    """A replay of eleven packets, in milliseconds."""
    capture = scratch / "few.pcap"
    command = [str(arguments.build / "bench/linger-blast"), "late", "--sessions", "1"]
    subprocess.run(command + ["-w", str(capture)], stdout=subprocess.DEVNULL, check=True)
    command = [str(arguments.build / "linger"), "-q", "-r", str(capture)]
    times = [run(command, scratch)["wall"] * 1000 for _ in range(4 * arguments.runs)]
    return min(times), statistics.median(times)


def bytes_per_session(arguments, scratch):
    """By program: what each live session more takes, between a million of them and four."""
    peaks = {}
    room = max(10_000, int(4_500_000 * arguments.share))
    for millions in (1, 4):
        capture = scratch / "live.pcap"
        made = blast(arguments.build, "flood", millions * arguments.share / 3.1, capture)
        commands = {
            "linger": [str(arguments.build / "linger"), "-q", "-r", str(capture), "-o", "file:/dev/null",
                       "--set", "parsers=none", "--set", f"maxStreams={room}", "--set", "halfOpenShare=100",
                       "--set", "tcpSynTimeout=60s", "--set", "tcpClosingTimeout=30s"],
            "nfpcapd": ["nfpcapd", "-r", str(capture), "-w", str(scratch), "-e", "300,60"],
            "softflowd": ["softflowd", "-d", "-m", "10000000", "-r", str(capture)],
        }
        for name, command in commands.items():
            if not shutil.which(command[0]):
                continue
            result = run(command, scratch)
            if failure(result):
                raise SystemExit(f"replay.py: {name}: {failure(result)}")
            peaks.setdefault(name, []).append((made["sessions"], result["mib"]))
        capture.unlink()
    return {name: (more[1] - few[1]) * 2**20 / (more[0] - few[0]) for name, (few, more) in peaks.items()}


def print_rows(rows):
    for row in rows:
        ratio = f"{row['ratio']:.2f}" if row["ratio"] is not None else "-"
        budget = f"<= {row['budget']}" if row["budget"] is not None else ""
        print(
            f"{row['capture']:8} {row['program']:30} {row['best_s']:8.3f} {row['median_s']:8.3f} "
            f"{row['cpu_s']:8.3f} {row['mib']:7.0f} {row['sessions_per_s'] / 1e3:9.0f} "
            f"{row['ns_per_packet']:7.1f} {ratio:>6} {budget}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("--captures", default=",".join(CAPTURES))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--share", type=float, default=1, help="of the sessions of each capture")
    parser.add_argument("--json", type=pathlib.Path, help="the same figures for machines")
    arguments = parser.parse_args()
    captures = arguments.captures.split(",")
    unknown = [name for name in captures if name not in CAPTURES]
    if unknown:
        parser.error(f"no capture {unknown[0]}; there are: {', '.join(CAPTURES)}")

    print(
        f"{'capture':8} {'program':30} {'best s':>8} {'median s':>8} {'cpu s':>8} {'MiB':>7} "
        f"{'k sess/s':>9} {'ns/pkt':>7} {'ratio':>6} budget"
    )
    rows, wrong = [], []
    with tempfile.TemporaryDirectory(prefix="linger-bench-") as name:
        scratch = pathlib.Path(name)
        os.environ["XDG_CACHE_HOME"] = name
        for preset in captures:
            more, troubles = measure(arguments, preset, scratch)
            print_rows(more)
            rows += more
            wrong += troubles
        best, median = start_to_exit(arguments, scratch)
        print(f"eleven packets, start to exit: {best:.1f} ms, median {median:.1f} ms; "
              f"budget {TEN_PACKETS_MS} ms")
        memory = bytes_per_session(arguments, scratch)
        print("memory of a live session: "
              + ", ".join(f"{name} {value:.0f} bytes" for name, value in memory.items())
              + f"; budget {MEMORY_SHARE} of nfpcapd's")
    if arguments.json:
        told = {"rows": rows, "start_to_exit_ms": best, "bytes_per_session": memory,
                "memory_share": MEMORY_SHARE}
        arguments.json.write_text(json.dumps(told, indent=1))
    for text in wrong:
        print(f"wrong: {text}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
