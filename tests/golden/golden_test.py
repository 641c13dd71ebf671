#!/usr/bin/env python3
"""The records of every capture in pcaps/, for any number of threads.

Usage: golden_test.py LINGER GENERATE_CAPTURES ROOT [--accept | --threads N...]

TAP on standard output, a case each:
  * every file in pcaps/ is what the generator makes (GENERATE_CAPTURES; not asked where that is `-`);
  * every run of the manifest, and every capture in pcaps/real/, gives the records in tests/golden/NAME.ndjson (sorted), byte for byte,
    with 1, 2, 3 and 8 threads (or those named) and another secret of the hash each time, with the exit
    code of the manifest and a balanced ledger;
  * there is no other golden file, which nobody would look at;
  * every record follows the JSON schema that linger prints (where all thread counts are tried);
  * a run that hits a limit tells the same sessions as one that does not: as many chains of records,
    with the same totals, wherever each was cut;
  * with LINGER_CORPUS set to a directory, each capture in it gives equal records for any number of
    threads.

--accept writes the golden files anew, from one thread. Read the difference before you commit it: a
golden file says what linger should do, not what it does.
"""

import collections
import concurrent.futures
import difflib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import jsonschema

THREADS = (1, 2, 3, 8)
DIFFERENCE_LINES_MAX = 20
CAPTURE_NAMES = (".pcap", ".pcapng", ".cap", ".pcap.gz", ".pcapng.gz", ".snoop", ".snoop.gz", ".trace")

Run = collections.namedtuple("Run", "name exit_code hits_limit files settings")
Result = collections.namedtuple("Result", "exit_code records summary")


class Tap:
    """Counts cases and tells them in the Test Anything Protocol."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def case(self, name, trouble=""):
        self.count += 1
        if not trouble:
            print(f"ok {self.count} {name}")
            return
        self.failed += 1
        print(f"not ok {self.count} {name}")
        for line in trouble.splitlines():
            print(f"# {line}")

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} {name} # SKIP {reason}")

    def finish(self):
        print(f"1..{self.count}")
        return 1 if self.failed else 0


def replay(linger, captures, settings, threads, root="."):
    """Runs linger once, in the root; its records come back sorted."""
    command = [linger]
    for capture in captures:
        command += ["-r", capture]
    for assignment in [*settings, f"packetThreads={threads}", f"hashSeed={threads}"]:
        command += ["--set", assignment]
    done = subprocess.run(command, capture_output=True, check=False, cwd=root)
    lines = sorted(done.stdout.decode().splitlines(keepends=True))
    return Result(done.returncode, lines, done.stderr.decode(errors="replace"))


def difference(expected, found):
    """Empty when equal; else the beginning of a unified difference."""
    if expected == found:
        return ""
    lines = difflib.unified_diff(expected, found, "expected", "found", n=0, lineterm="\n")
    return "".join(list(lines)[:DIFFERENCE_LINES_MAX])


def ending_trouble(result, exit_code):
    """What is wrong with the exit code or the ledger."""
    if result.exit_code != exit_code:
        return f"exit code {result.exit_code}, not {exit_code}\n{result.summary}"
    if "ledger    balanced" not in result.summary:
        return f"the ledger is not balanced\n{result.summary}"
    return ""


def schema_trouble(validator, records):
    """The first finding of the schema."""
    for line in records:
        for error in validator.iter_errors(json.loads(line)):
            return f"{error.json_path}: {error.message}\n{line}"
    return ""


def chains(records):
    """{id of a chain's first session: totals over its end and late records}."""
    records = [json.loads(line) for line in records]
    before = {}
    for record in records:
        event = record["event"]
        linked = record.get("tcp", {}).get("continues") or event.get("continues")
        if linked:
            before[event["id"]] = linked
    totals = collections.defaultdict(collections.Counter)
    for record in records:
        first = record["event"]["id"]
        while first in before:
            first = before[first]
        if record["event"]["action"] in ("session-interim", "mptcp-end"):
            continue
        for side in ("source", "destination"):
            for what in ("packets", "bytes", "payload_bytes"):
                totals[first][f"{side}.{what}"] += record[side][what]
    return {first: dict(counter) for first, counter in totals.items()}


def chain_lines(records):
    return [f"{first} {totals}\n" for first, totals in sorted(chains(records).items())]


class Golden:
    def __init__(self, linger, generate, root, threads=THREADS):
        self.linger = os.path.abspath(linger)
        self.generate = generate
        self.root = pathlib.Path(root).resolve()
        self.pcaps = self.root / "pcaps"
        self.folder = self.root / "tests" / "golden"
        self.threads = threads
        version = subprocess.run([linger, "-V"], capture_output=True, check=True, text=True).stdout
        self.has_patterns = "Hyperscan: not in this build" not in version
        self.runs = self.runs_told()

    def runs_told(self):
        """The real captures, and the rows of the manifest."""
        runs = [
            Run(f"real_{path.stem}", 0, False, [f"real/{path.name}"], [])
            for path in sorted((self.pcaps / "real").glob("*.pcap"))
        ]
        table = (self.pcaps / "MANIFEST.md").read_text(encoding="utf-8").partition("|---|")[2]
        for row in table.splitlines()[1:]:
            name, _, files, settings, exit_code, limit = (cell.strip() for cell in row.split("|")[1:-1])
            runs.append(Run(name, int(exit_code), limit == "yes", files.split(), settings.split()))
        return runs

    def replay(self, run, threads, settings=None):
        captures = [str(self.pcaps / name) for name in run.files]
        settings = run.settings if settings is None else settings
        return replay(self.linger, captures, settings, threads, self.root)

    def golden_file(self, run):
        return self.folder / f"{run.name}.ndjson"

    def accept(self):
        """Writes pcaps/ and the golden files anew."""
        subprocess.run([self.generate, str(self.pcaps)], check=True)
        self.runs = self.runs_told()
        for old in self.folder.glob("*.ndjson"):
            old.unlink()
        for run in self.runs:
            if not run.hits_limit:
                lines = self.replay(run, 1).records
                self.golden_file(run).write_text("".join(lines), encoding="utf-8")

    def check_captures(self, tap):
        if self.generate == "-":
            return
        with tempfile.TemporaryDirectory() as fresh:
            subprocess.run([self.generate, fresh], check=True)
            for path in sorted(pathlib.Path(fresh).iterdir()):
                there = self.pcaps / path.name
                good = there.exists() and there.read_bytes() == path.read_bytes()
                tap.case(f"pcaps/{path.name} is generated", "" if good else "it differs")

    def expected(self, run):
        """The lines a run is compared with, and how its records become such lines."""
        if run.hits_limit:
            return chain_lines(self.replay(run, 1, settings=[]).records), chain_lines
        path = self.golden_file(run)
        if not path.exists():
            return [f"{path} is missing\n"], list
        return path.read_text(encoding="utf-8").splitlines(keepends=True), list

    def is_possible(self, run):
        """Builds without Hyperscan have no signatures and rules."""
        return self.has_patterns or not any(
            setting.startswith(("rules=", "signatures=")) for setting in run.settings
        )

    def check_run(self, run, validator):
        """(name, trouble) of each case of one run."""
        expected, lines_of = self.expected(run)
        cases = []
        for threads in self.threads:
            result = self.replay(run, threads)
            trouble = ending_trouble(result, run.exit_code)
            if not trouble:
                trouble = difference(expected, lines_of(result.records))
            if not trouble and run.hits_limit and "  limit  " not in result.summary:
                trouble = f"the summary names no limit\n{result.summary}"
            cases.append((f"{run.name} with {threads} threads", trouble))
            if self.threads == THREADS and threads == THREADS[0]:
                cases.append((f"{run.name} follows the schema", schema_trouble(validator, result.records)))
        return cases

    def check_runs(self, tap):
        schema = subprocess.run(
            [self.linger, "--dump-schema", "json-schema"], capture_output=True, check=True
        )
        schema = json.loads(schema.stdout)
        kind = jsonschema.validators.validator_for(schema)
        kind.check_schema(schema)
        validator = kind(schema)
        runs = []
        for run in self.runs:
            runs.append(run) if self.is_possible(run) else tap.skip(run.name, "built without Hyperscan")
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for cases in pool.map(lambda run: self.check_run(run, validator), runs):
                for name, trouble in cases:
                    tap.case(name, trouble)

    def check_files(self, tap):
        compared = {self.golden_file(run) for run in self.runs if not run.hits_limit}
        strays = sorted(path.name for path in set(self.folder.glob("*.ndjson")) - compared)
        tap.case("every golden file is of a run", "\n".join(strays))

    def check_corpus(self, tap, corpus):
        if not corpus:
            tap.skip("a corpus of captures", "set LINGER_CORPUS to a directory to run it")
            return
        captures = [p for p in sorted(pathlib.Path(corpus).rglob("*")) if p.name.endswith(CAPTURE_NAMES)]
        if not captures:
            tap.case("a corpus of captures", f"LINGER_CORPUS={corpus} holds none")
        for capture in captures:
            path = str(capture.resolve())
            first, *others = [replay(self.linger, [path], [], n) for n in self.threads]
            trouble = ""
            if first.exit_code == 0 or first.records:
                trouble = ending_trouble(first, first.exit_code)
            for threads, result in zip(self.threads[1:], others):
                found = difference(first.records, result.records)
                if found and not trouble:
                    trouble = f"with {threads} threads\n{found}"
            tap.case(f"{capture.name} for any number of threads", trouble)


def main(arguments):
    with tempfile.TemporaryDirectory() as cache:  # of compiled patterns
        os.environ["XDG_CACHE_HOME"] = cache
        return check(arguments)


def check(arguments):
    threads = tuple(map(int, arguments[4:])) if arguments[3:4] == ["--threads"] else THREADS
    golden = Golden(*arguments[:3], threads)
    if arguments[3:] == ["--accept"]:
        golden.accept()
        return 0
    tap = Tap()
    golden.check_captures(tap)
    golden.check_files(tap)
    golden.check_runs(tap)
    golden.check_corpus(tap, os.environ.get("LINGER_CORPUS"))
    return tap.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
