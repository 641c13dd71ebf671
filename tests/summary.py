#!/usr/bin/env python3
"""Counts the test cases of meson build directories; the last line is the sum of all.

Usage: summary.py BUILD-DIRECTORY...

A GoogleTest or TAP program counts by its cases, any other test as one. A program that failed
without naming a case (a crash, a time limit, a leak found at exit) counts as one failure, and so
does a directory without results (its build is broken). What a failed case said stands under its name.
"""

import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


GOOD = ("OK", "EXPECTEDFAIL")
MOST_LINES = 40  # of what a failed case said


def said(case, test):
    """What a failed case said: GoogleTest puts it into the failure, TAP into comments below."""
    told = case.find("failure") if case.find("failure") is not None else case.find("error")
    text = told.get("message") or told.text or ""
    if not text:
        number = re.escape(case.get("name").split(" ")[0])
        comments = re.search(rf"^not ok {number}\b.*\n((?:#.*\n?)*)", test.get("stdout", ""), re.MULTILINE)
        text = comments.group(1) if comments else ""
    return text


def outcome(case, test):
    """passed, failed or skipped, and why."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed", said(case, test)
    skipped = case.find("skipped")
    if skipped is not None:
        text = skipped.get("message") or case.findtext("system-out") or "no reason given"
        return "skipped", " ".join(text.split())
    if case.get("status") == "notrun":
        return "skipped", "disabled"
    return "passed", ""


def outcomes_of(test, suites):
    """(outcome, name, why) of every case of one test program."""
    program = f"linger.{test['name']}"
    cases = []
    for suite in suites:
        title = suite.get("name")
        if title == program or title.startswith(program + "."):
            for case in suite.findall("testcase"):
                state, why = outcome(case, test)
                name = f"{test['name']} / {title[len(program) + 1:]} {case.get('name')}"
                cases.append((state, " ".join(name.split()), why))
    if test["result"] not in GOOD and not any(state == "failed" for state, _, _ in cases):
        if test["result"] == "SKIP":
            words = (test.get("stdout") or test.get("stderr") or "no reason given").split()
            return cases or [("skipped", test["name"], " ".join(words))]
        end = "".join(test.get(name, "") for name in ("stdout", "stderr")).splitlines()[-MOST_LINES:]
        why = "\n".join([f"{test['result']}, exit status {test.get('returncode')}", *end])
        return cases + [("failed", test["name"], why)]
    return cases or [("passed", test["name"], "")]


def outcomes(directory):
    """(outcome, name, why) of every case in one build directory."""
    logs = pathlib.Path(directory, "meson-logs")
    try:
        tests = [json.loads(line) for line in (logs / "testlog.json").read_text().splitlines()]
        suites = ElementTree.parse(logs / "testlog.junit.xml").getroot().findall("testsuite")
    except (OSError, ValueError, ElementTree.ParseError) as error:
        return [("failed", "build", str(error))]
    return [case for test in tests for case in outcomes_of(test, suites)]


def main(directories):
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for directory in directories:
        for state, name, why in outcomes(directory):
            total[state] += 1
            if state != "passed":
                first, *more = why.splitlines() or [""]
                print(f"{state}: {directory}: {name}{': ' if first else ''}{first}")
                print("".join(f"    {line}\n" for line in more[:MOST_LINES]), end="")
    print(", ".join(f"{count} {state}" for state, count in total.items()))
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
