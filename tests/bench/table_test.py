#!/usr/bin/env python3
"""table_test.py BUILD-DIRECTORY: what bench/table.py cannot do it says at once and in a line. TAP on standard output."""

import pathlib
import subprocess
import sys

TABLE = pathlib.Path(__file__).resolve().parent.parent.parent / "bench" / "table.py"
# What a call says.
WRONG = {
    ("nosuch",): "no benchmark nosuch; there are: ",
    ("replay", "--against", "."): "no benchmark replay to compare; there are: ",
    ("track", "--rounds", "1"): "--rounds 1: not known",
    ("replay", "live", "--rounds", "1"): "each named alone",
    ("--json", "/nowhere/x"): "there is no folder /nowhere",
    ("replay", "--captures", "nosuch"): "no capture nosuch; there are: ",
    ("live", "--nosuch"): "unrecognized arguments: --nosuch",
}

failed = 0
for number, (words, said) in enumerate(WRONG.items(), start=1):
    run = subprocess.run([sys.executable, TABLE, sys.argv[1], *words], capture_output=True, text=True, check=False,
                         timeout=60)
    is_good = run.returncode == 2 and said in run.stderr and "Traceback" not in run.stderr
    failed += not is_good
    print(f"{'' if is_good else 'not '}ok {number} {'_'.join(words)}")
    if not is_good:
        print("\n".join(f"# {line}" for line in [f"exit code {run.returncode}", *run.stderr.splitlines()]))
print(f"1..{len(WRONG)}")
sys.exit(1 if failed else 0)
