#!/usr/bin/env python3
"""live_test.py LINGER: live capture from outside, against real TCP stacks and virtual devices.

TAP on standard output. A test that this machine cannot run is skipped with the reason.
"""

import collections
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import devices
from stage import HERE, Linger, Tests, Veth, expect

CONNECTIONS = 1500
PORT = 8080


class Server:
    """Answers in namespace b while the block lasts."""

    def __init__(self, veth):
        self.process = subprocess.Popen(
            veth.command("b", sys.executable, HERE / "traffic.py", "serve", veth.ADDRESSES["b"],
                         PORT),
            stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def connect(veth, connections=CONNECTIONS, seed=1):
    return json.loads(veth.run("a", sys.executable, HERE / "traffic.py", "connect",
                               veth.ADDRESSES["b"], PORT, connections, seed))


def check_against(truth, linger):
    """Each connection is one session, with the client's bytes and its RST."""
    tcp = [r for r in linger.records() if r["network"]["transport"] == "tcp"]
    ends = [r for r in tcp if r["event"]["action"] == "session-end"]
    ports = collections.Counter(r["source"]["port"] for r in ends)
    expect(sorted(ports) == truth["ports"], len(ports), "ports, truth:", truth["connections"])
    expect(len(ends) == truth["connections"], len(ends), "sessions:", linger.errors())
    expect(all(r["destination"]["port"] == PORT for r in ends), "a session is turned around")
    sent = sum(r["source"].get("payload_bytes", 0) for r in ends)
    expect(sent == truth["sent"], f"clients sent {truth['sent']} bytes, recorded {sent}")
    received = sum(r["destination"].get("payload_bytes", 0) for r in ends
                   if r["event"]["reason"] != "reset")
    expect(received == truth["received"], f"clients received {truth['received']} bytes of "
           f"connections without abort, recorded {received}")


class Live:
    """The tests; each stands alone."""

    def __init__(self, linger, folder):
        self.linger = linger
        self.folder = folder

    def capture(self, veth, side, *arguments):
        linger = Linger(self.linger, arguments, self.folder, veth.command(side))
        linger.wait_for("capturing on")
        return linger

    def every_connection_is_one_session(self, source, shards):
        with Veth() as veth, Server(veth):
            linger = self.capture(veth, "b", "-i", source, "--set", f"packetThreads={shards}",
                                  "--set", "idleSleep=50us", "--set", "dpdkHugePages=false")
            before = veth.packets("b")
            truth = connect(veth)
            time.sleep(0.2)
            frames = veth.packets("b") - before
            code = linger.stop()
            expect(code == 0, f"exit code {code}:", linger.errors())
            expect("ledger    balanced" in linger.errors(), linger.errors())
            check_against(truth, linger)
            seen = linger.number(r"seen ([\d,]+)")
            expect(seen == frames, f"{frames} frames on the link, seen {seen}")

    def both_interfaces_are_ports_of_one_run(self):
        with Veth() as veth, Server(veth):
            linger = self.capture(veth, "b", "-i", "b", "-i", "lo", "--set", "packetThreads=2",
                                  "--set", "idleSleep=50us", "--set", "statsInterval=1s")
            truth = connect(veth, 100)
            linger.wait_for("statistics seconds=.* port=b taken=[1-9].* port=lo taken=")
            linger.process.send_signal(signal.SIGUSR1)
            linger.wait_for(r"port      b queue 1: received")
            expect("ledger" not in linger.errors(), "a law is checked before the end")
            code = linger.stop()
            expect(code == 0, f"exit code {code}:", linger.errors())
            check_against(truth, linger)

    def a_filter_keeps_the_rest_out(self):
        with Veth() as veth, Server(veth):
            linger = self.capture(veth, "b", "-i", "b", "--set", "idleSleep=50us", "udp")
            connect(veth, 20)
            expect(linger.stop() == 0, linger.errors())
            expect(linger.number(r"seen ([\d,]+)") == 0, linger.errors())

    def an_interrupt_records_open_sessions_and_a_second_one_leaves_at_once(self):
        with Veth() as veth, Server(veth):
            linger = self.capture(veth, "b", "-i", "b", "--set", "idleSleep=50us")
            with subprocess.Popen(
                    veth.command("a", sys.executable, HERE / "traffic.py", "hold",
                                 veth.ADDRESSES["b"], PORT),
                    stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as client:
                client.stdout.readline()
                expect(linger.stop() == 0, linger.errors())
                expect([r["event"]["reason"] for r in linger.records()] == ["shutdown"],
                       linger.records())
                linger = self.capture(veth, "b", "-i", "b", "--set", "idleSleep=50us")
                linger.process.send_signal(signal.SIGSTOP)
                linger.process.send_signal(signal.SIGINT)
                linger.process.send_signal(signal.SIGTERM)
                linger.process.send_signal(signal.SIGCONT)
                expect(linger.process.wait(5) == 3, "exit code", linger.process.returncode)
                client.stdin.close()


def main():
    linger = pathlib.Path(sys.argv[1]).resolve()
    tests = Tests()
    with tempfile.TemporaryDirectory() as folder:
        live = Live(linger, pathlib.Path(folder))
        tests.run(live.every_connection_is_one_session, "b", 1)
        tests.run(live.every_connection_is_one_session, "b", 2)
        tests.run(live.both_interfaces_are_ports_of_one_run)
        tests.run(live.a_filter_keeps_the_rest_out)
        tests.run(live.an_interrupt_records_open_sessions_and_a_second_one_leaves_at_once)
        devices.run(tests, linger, pathlib.Path(folder))
    return tests.finish()


sys.exit(main())
