#!/usr/bin/env python3
"""All benchmarks as one table: table.py BUILD-DIRECTORY [NAME …] [--json FILE] [--svg FILE]

Runs the programs BUILD-DIRECTORY/bench/NAME_bench, whole replays (NAME replay) and, only when named,
late (a quarter of an hour, 10 GB), live and latency (as root, two cores for itself, and tables of their own).
A row says what was measured, our figure, that of the reference in the same run, their ratio, how far
the slowest quarter of our pieces lies above the best, and the budget, if there is one, with whether
it is kept. With --against OTHER BUILD-DIRECTORY both builds run in turn, benchmark after benchmark,
and the table holds their figures side by side: seconds of a shared machine drift, what runs in turn
drifts together.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import picture

HERE = pathlib.Path(__file__).parent
TABLES_OF_THEIR_OWN = ("live", "latency")
OPTIONS_OF_THEIR_OWN = ("replay", *TABLES_OF_THEIR_OWN)
ONLY_BY_NAME = ("late", *TABLES_OF_THEIR_OWN)
# A budget is a label of the benchmark: a counter, how it compares, a number.
BUDGET = re.compile(r"^([\w/]+) (<=|>=) ([\d.]+)$")
UNITS = {"track": "ns/packet", "decode": "ns/packet", "stream": "ns/segment", "life": "ns",
         "late": "ns/session", "parser": "ns/session", "encode": "ns/record", "defrag": "ns/fragment",
         "scale": "ns/packet"}


def row_of(program, told):
    """A row of the table from what Google Benchmark says of one benchmark."""
    name = re.sub(r"/(iterations:\d+|manual_time|real_time)", "", told["name"])
    budget = BUDGET.match(told.get("label", ""))
    measured = told.get(budget.group(1)) if budget else None
    is_kept = None
    if budget:
        limit = float(budget.group(3))
        is_kept = measured <= limit if budget.group(2) == "<=" else measured >= limit
    unit = UNITS.get(program, "ns")
    ours = told.get("ns")
    if ours is None:  # not a time: memory
        unit = budget.group(1) if budget else "bytes/session"
        ours = told.get(unit)
    return {"what": f"{program} {name}", "unit": unit, "ours": ours, "reference": told.get("ref_ns"),
            "ratio": told.get("ratio"), "spread": told.get("spread_%"),
            "budget": told.get("label") or None, "measured": measured, "kept": is_kept,
            "error": told.get("error_message")}


def run_program(build, program, only=""):
    """The rows of one benchmark program, as they come."""
    command = [build / "bench" / f"{program}_bench", "--benchmark_format=json"]
    if only:
        command.append(f"--benchmark_filter=^{re.escape(only)}$")
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise SystemExit(f"table.py: {program}_bench: exit code {run.returncode}: {run.stderr}")
    return [row_of(program, told) for told in json.loads(run.stdout)["benchmarks"]]


def benchmarks_of(build, program):
    run = subprocess.run([build / "bench" / f"{program}_bench", "--benchmark_list_tests"],
                         capture_output=True, text=True, check=True)
    return run.stdout.split()


def run_script(name, build, words, **how):
    """Another program of this folder; what is wrong it has said itself."""
    code = subprocess.run([sys.executable, HERE / f"{name}.py", build, *words], check=False, **how).returncode
    if code != 0:
        raise SystemExit(code)


def run_replays(build, words):
    """Whole replays as rows: the reference is that of replay.py, the spread that of the median."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        run_script("replay", build, ["--json", file.name, *words], stdout=sys.stderr)
        told = json.loads(pathlib.Path(file.name).read_text(encoding="utf-8"))
    rows = []
    for r in told["rows"]:
        budget = f"ratio <= {r['budget']:g}" if r["budget"] is not None else None
        rows.append({"what": f"replay {r['capture']}: {r['program']}", "unit": "ms",
                     "ours": r["best_s"] * 1e3,
                     "reference": r["reference_s"] and r["reference_s"] * 1e3,
                     "ratio": r["ratio"], "spread": 100 * (r["median_s"] / r["best_s"] - 1),
                     "budget": budget, "measured": r["ratio"],
                     "kept": r["ratio"] <= r["budget"] if budget and r["ratio"] else None,
                     "error": None})
    start = told["start_to_exit_ms"]
    rows.append({"what": "replay of eleven packets, start to exit", "unit": "ms", "ours": start,
                 "reference": None, "ratio": None, "spread": None, "budget": "ms <= 30",
                 "measured": start, "kept": start <= 30, "error": None})
    memory = told["bytes_per_session"]
    ratio = memory["linger"] / memory["nfpcapd"] if "nfpcapd" in memory else None
    rows.append({"what": "replay memory of a live session", "unit": "bytes", "ours": memory["linger"],
                 "reference": memory.get("nfpcapd"), "ratio": ratio, "spread": None,
                 "budget": f"ratio <= {told['memory_share']:g}", "measured": ratio,
                 "kept": ratio <= told["memory_share"] if ratio is not None else None, "error": None})
    return rows


def number(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def line_of(row):
    kept = {True: "kept", False: "MISSED", None: ""}[row["kept"]]
    spread = f"{row['spread']:.0f} %" if row["spread"] is not None else "-"
    return (f"{row['what']:<48.48} {number(row['ours']):>9} {row['unit']:<13} "
            f"{number(row['reference']):>9} {number(row['ratio']):>7} {spread:>6}  "
            f"{row['budget'] or '':<22} {kept}{row['error'] or ''}").rstrip()


HEAD = (f"{'what':<48} {'ours':>9} {'unit':<13} {'reference':>9} {'ratio':>7} {'spread':>6}  "
        f"{'budget':<22}")


def compare(build, other, programs):
    """Each benchmark with both builds in turn."""
    print(f"{'what':<48} {'ours':>9} {'other':>9} {'ours/other':>10} {'ratio':>7} {'other':>7}")
    rows = []
    for program in programs:
        if not (other / "bench" / f"{program}_bench").exists():
            print(f"{program}: the other build has no such benchmark")
            continue
        theirs = set(benchmarks_of(other, program))
        for name in benchmarks_of(build, program):
            if name not in theirs:
                continue
            for one, two in zip(run_program(build, program, name), run_program(other, program, name)):
                if one["ours"] is None or two["ours"] is None:
                    continue
                print(f"{one['what']:<48.48} {number(one['ours']):>9} {number(two['ours']):>9} "
                      f"{one['ours'] / two['ours']:>10.2f} {number(one['ratio']):>7} "
                      f"{number(two['ratio']):>7}", flush=True)
                rows.append({**one, "other": two["ours"], "other_ratio": two["ratio"]})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("names", nargs="*")
    parser.add_argument("--against", type=lambda text: pathlib.Path(text).resolve(),
                        help="another build directory")
    parser.add_argument("--json", type=pathlib.Path, help="the same for machines")
    parser.add_argument("--svg", type=pathlib.Path, help="how much of the budgets is used, as a picture")
    arguments, rest = parser.parse_known_args()
    programs = sorted(path.name.removesuffix("_bench")
                      for path in (arguments.build / "bench").glob("*_bench"))
    known = programs if arguments.against else [*programs, *OPTIONS_OF_THEIR_OWN]
    for name in arguments.names:
        if name not in known:
            parser.error(f"no benchmark {name}{' to compare' if arguments.against else ''}; "
                         f"there are: {', '.join(known)}")
    if rest and (len(arguments.names) != 1 or arguments.names[0] not in OPTIONS_OF_THEIR_OWN):
        parser.error(f"{' '.join(rest)}: not known; {', '.join(OPTIONS_OF_THEIR_OWN)} have options of their own, "
                     "each named alone")
    for path in (arguments.json, arguments.svg):
        if path and not path.parent.is_dir():
            parser.error(f"{path}: there is no folder {path.parent}")
    wanted = arguments.names or [name for name in known if name not in ONLY_BY_NAME]
    if arguments.against:
        rows = compare(arguments.build, arguments.against, wanted)
    else:
        rows = []
        print(HEAD, flush=True)
        for name in wanted:
            if name in TABLES_OF_THEIR_OWN:
                run_script(name, arguments.build, rest)
                continue
            new = run_replays(arguments.build, rest) if name == "replay" else run_program(
                arguments.build, name)
            for row in new:
                print(line_of(row), flush=True)
            rows += new
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows}, indent=1) + "\n", encoding="utf-8")
    if arguments.svg:
        arguments.svg.write_text(picture.draw(rows), encoding="utf-8")
    return 1 if any(row["error"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
