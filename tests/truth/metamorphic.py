#!/usr/bin/env python3
"""Changes captures in ways that must not change their sessions, and compares what linger tells of both.

usage: metamorphic.py LINGER CAPTURE|DIRECTORY… [--only CHANGE]… [--tap] [--worst N] [--largest BYTES]

Every capture (pcap and pcapng, also in gzip) is replayed as it is written anew, and once more for each change of the
table CHANGES below: in another container or link type, in a tunnel, in fragments, cut into small segments, sent twice,
in another order, with other addresses. Records have to be equal but for the fields that the change's row names. A line
each tells how many captures a change was made to, the records compared, and how many differ; then which fields, and
with --worst the first N differences. What a change cannot be made to (a frame that is no IP, was captured in part, …)
stays as it is. --tap: as a test, a case for each change. --only: changes whose name begins so.
"""

import argparse
import collections
import concurrent.futures
import datetime
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

from changes import CHANGES, EXPLAINED, HOUR, SECOND
from frames import pcapng, read

# How long after its last packet a record is written, at most.
LINGERING = {"closed": 6 * SECOND, "reset": 6 * SECOND, "attempt": 31 * SECOND, "idle": 601 * SECOND}
CUTS_MAX = 12
REPLAY_SECONDS = 600

Result = collections.namedtuple("Result", "exit_code records said")


# --- Comparison -----------------------------------------------------------------------------------

LINKS = ("event.continues", "tcp.reuse_of", "tcp.reused_by", "tcp.continues", "quic.continues", "ftp.control.id")
IDENTITY = ("event.id", "event.action", "event.start", "event.duration", "network.community_id", "network.transport",
    "source.ip", "source.port", "destination.ip", "destination.port")


def replay(linger, arguments, data):
    try:
        done = subprocess.run([linger, "-q", *arguments], input=data, capture_output=True, check=False, timeout=REPLAY_SECONDS)
    except subprocess.TimeoutExpired:
        return Result("none in time", [], "")
    return Result(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode())


def leaves(value, path):
    """(path, value) of all that a record says."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    else:
        yield path, value


def told(record, ignored):
    """What a record says, without what a change may change: fields below a name, or with it as last word."""
    says = collections.defaultdict(list)
    for path, value in leaves(record, ""):
        if path in LINKS and "links" in ignored:
            says[path].append("another session")
        elif not any(f"{path}.".startswith(f"{name}.") or f".{path}".endswith(f".{name}") for name in ignored):
            says[path].append(value)
    return frozenset((path, tuple(values)) for path, values in says.items())


def differences(before, after, ignored):
    """(record before, record after) where they differ, those of one session side by side; none is an empty dict."""
    old = collections.Counter(told(record, ignored) for record in before)
    new = collections.Counter(told(record, ignored) for record in after)
    missing, extra = list((old - new).elements()), list((new - old).elements())
    for record in missing:
        shared = [sum(path in IDENTITY for path, _ in record & other) for other in extra]
        best = extra.pop(shared.index(max(shared))) if shared and max(shared) >= 4 else {}
        yield dict(record), dict(best)
    for record in extra:
        yield {}, dict(record)


def fields_of(before, after):
    """What differs: (field, before, after)."""
    if not before or not after:
        record = before or after
        identity = {path: (before or after).get(path) for path in IDENTITY}
        yield ("a record less", identity, None) if before else ("a record more", None, identity)
        return
    for path in sorted({*before, *after}):
        if before.get(path) != after.get(path):
            yield path, before.get(path), after.get(path)


# --- Truncation -----------------------------------------------------------------------------------


def written_by(record):
    """When, as seconds of the source clock; None: at the end of input."""
    event = record["event"]
    if event["action"] != "session-end" or event["reason"] not in LINGERING:
        return None
    end = datetime.datetime.fromisoformat(event["end"][:19] + "+00:00").timestamp()
    return int(end + 1) * SECOND + LINGERING[event["reason"]]


def cut(linger, frames, records, rng):
    """Cut between packets, all that had ended is told as before; within one, nothing crashes. Yields what is wrong."""
    if any(not 0 <= two.time - one.time < HOUR for one, two in zip(frames, frames[1:])):
        return
    for place in sorted(rng.sample(range(1, len(frames)), min(CUTS_MAX, len(frames) - 1))):
        data = pcapng(frames[:place])
        result = replay(linger, ["-r", "-"], data)
        if result.exit_code != 0:
            yield f"exit code at packet {place}", 0, result.exit_code
        for record in records:
            if (written_by(record) or HOUR**2) < frames[place - 1].time and record not in result.records:
                yield f"a record less at packet {place}", record, None
        broken = replay(linger, ["-r", "-"], data[: -rng.randrange(1, len(frames[place - 1].data) + 36)])
        if broken.exit_code not in (0, 3):
            yield f"exit code within packet {place}", 3, broken.exit_code


# --- The run --------------------------------------------------------------------------------------


class Tally:
    """Of one change."""

    def __init__(self):
        self.captures = self.records = self.explained = 0
        self.fields = collections.Counter()
        self.examples = []

    def add(self, name, path, records, differing):
        """differing: for each record that differs, a list of (field, before, after)."""
        self.captures += 1
        self.records += records
        if any(path.stem == capture and name.startswith(changes) for capture, changes, _ in EXPLAINED):
            self.explained += len(differing)
            return
        for fields in differing:
            self.fields.update({field for field, _, _ in fields})
            self.examples.append((path, fields))


def compare(linger, row, frames, base):
    """[[(field, before, after)]] of a change; None: it does not apply."""
    changed = row.make(frames)
    with tempfile.TemporaryDirectory() as folder:
        inputs = changed and row.encode(changed, folder)
        if not inputs:
            return None
        after = replay(linger, *inputs)
    differing = [list(fields_of(*pair)) for pair in differences(base.records, after.records, row.ignored)]
    if after.exit_code != base.exit_code:
        differing.append([("exit code", base.exit_code, f"{after.exit_code}: {after.said}")])
    return differing


def check(linger, path, rows, largest):
    """{name of a change: (records, what differs)} of one capture."""
    try:
        frames = read(path)
    except (ValueError, OSError, EOFError, struct.error):
        return {}
    if sum(len(frame.data) for frame in frames) > largest:
        return {}
    bases, found = {}, {}
    for row in rows:
        if row.prepare not in bases:
            prepared = row.prepare(frames)
            bases[row.prepare] = prepared, replay(linger, ["-r", "-"], pcapng(prepared))
        prepared, base = bases[row.prepare]
        if len(prepared) < 2 or sum(len(frame.data) for frame in prepared) > row.largest:
            continue
        if row.make is None:
            differing = [[field] for field in cut(linger, prepared, base.records, random.Random(path.name))]
        else:
            differing = compare(linger, row, prepared, base)
        if differing is not None:
            found[row.name] = len(base.records), differing
    return found


def captures_of(places):
    for place in map(pathlib.Path, places):
        found = sorted(place.rglob("*")) if place.is_dir() else [place]
        yield from (path for path in found if path.is_file())


def lines_of(examples):
    for path, fields in examples:
        yield f"    {path}"
        yield from (f"        {field}: {before} -> {after}"[:400] for field, before, after in fields[:8])


def show(tallies, worst):
    print(f"{'change':26} {'captures':>8} {'records':>8} {'explained':>9} {'differ':>6}  in")
    for name, tally in tallies.items():
        print(f"{name:26} {tally.captures:8} {tally.records:8} {tally.explained:9} {len(tally.examples):6}  "
            + ", ".join(f"{field} {count}" for field, count in tally.fields.most_common(8)))
        print("".join(f"{line}\n" for line in lines_of(tally.examples[:worst])), end="")


def show_tap(tallies, worst):
    """As the Test Anything Protocol has it."""
    print(f"1..{len(tallies)}")
    for number, (name, tally) in enumerate(tallies.items(), 1):
        good = tally.captures and not tally.examples
        print(f"{'ok' if good else 'not ok'} {number} {name}: {tally.records} records of {tally.captures} captures")
        print("".join(f"#{line}\n" for line in lines_of(tally.examples[: worst or 4])), end="")


def run(options, rows):
    tallies = {row.name: Tally() for row in rows}
    paths = list(captures_of(options.captures))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        work = lambda path: check(os.path.abspath(options.linger), path, rows, options.largest)
        for path, found in zip(paths, pool.map(work, paths)):
            for name, (records, differing) in found.items():
                tallies[name].add(name, path, records, differing)
    return tallies


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("linger")
    parser.add_argument("captures", nargs="+")
    parser.add_argument("--only", action="append", default=[], metavar="CHANGE")
    parser.add_argument("--largest", type=int, default=1 << 40, metavar="BYTES")
    parser.add_argument("--worst", type=int, default=0, metavar="N")
    parser.add_argument("--tap", action="store_true")
    options = parser.parse_args()
    rows = [row for row in CHANGES if not options.only or row.name.startswith(tuple(options.only))]
    with tempfile.TemporaryDirectory() as cache:  # of compiled patterns
        os.environ["XDG_CACHE_HOME"] = cache
        tallies = run(options, rows)
    (show_tap if options.tap else show)(tallies, options.worst)
    return 1 if any(tally.examples for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
