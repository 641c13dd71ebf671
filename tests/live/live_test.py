#!/usr/bin/env python3
"""live_test.py LINGER BLAST [WORD]: live capture from outside, against real TCP stacks and virtual devices.

TAP on standard output. WORD: only tests whose name contains it. A test that this machine cannot run is skipped with the reason.
"""

import collections
import json
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import devices
import lossy
import service
import taps
from stage import HERE, OWN_DPDK_FILES, Disturbed, Linger, ServiceManager, Skipped, Tests, Veth, expect
from traffic import FLOOD_SOURCE

CONNECTIONS = 1500
PORT = 8080
BURST = 64  # packets that a shard takes at once


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


def connect(veth, connections=CONNECTIONS, seed=1, response=20_000):
    return json.loads(veth.run("a", sys.executable, HERE / "traffic.py", "connect",
                               veth.ADDRESSES["b"], PORT, connections, seed, response))


def check_against(truth, linger):
    """Each connection is one session, with the client's bytes and its RST."""
    tcp = [r for r in linger.records() if r["network"]["transport"] == "tcp"]
    ends = [r for r in tcp if r["event"]["action"] == "session-end"]
    ports = sorted(r["source"]["port"] for r in ends)
    expect(ports == truth["ports"], "not the clients' ports:", set(ports) ^ set(truth["ports"]))
    expect(len(ends) == truth["connections"], len(ends), "sessions:", linger.errors())
    expect(all(r["destination"]["port"] == PORT for r in ends), "a session is turned around")
    sent = sum(r["source"].get("payload_bytes", 0) for r in ends)
    expect(sent == truth["sent"], f"clients sent {truth['sent']} bytes, recorded {sent}")
    received = sum(r["destination"].get("payload_bytes", 0) for r in ends
                   if r["event"]["reason"] != "reset")
    expect(received == truth["received"], f"clients received {truth['received']} bytes of "
           f"connections without abort, recorded {received}")


def expect_undisturbed(veth, lost=0):
    troubles = veth.troubles()
    if lost or troubles:
        raise Disturbed(f"{lost} frames lost by the capture, {troubles} dropped or sent again by the kernel")


class Live:
    """The tests; each stands alone."""

    def __init__(self, linger, folder):
        self.linger = linger
        self.folder = folder

    def capture(self, veth, side, *arguments):
        linger = Linger(self.linger, arguments, self.folder, veth.command(side))
        linger.wait_for("capturing on")
        return linger

    def capture_or_skip(self, veth, *arguments):
        """net_af_xdp asks much of a kernel."""
        try:
            return self.capture(veth, "b", *arguments)
        except AssertionError as error:
            if "net_af_xdp" not in " ".join(arguments):
                raise
            raise Skipped(f"net_af_xdp does not start here: {error}") from error

    def every_connection_is_one_session(self, source, shards):
        """With so few ports that clients use the same ones again, as they sometimes do with more."""
        if source.startswith("dpdk:"):
            devices.need_dpdk(self.linger)
        with Veth() as veth, Server(veth):
            veth.run("a", "sysctl", "-qw", "net.ipv4.ip_local_port_range=20000 21299")
            linger = self.capture(veth, "b", "-i", source, "--set", f"packetThreads={shards}",
                                  "--set", "idleSleep=50us")
            before = veth.packets_at_rest("b")
            truth = connect(veth)
            frames = veth.packets_at_rest("b") - before
            code = linger.stop()
            expect("ledger    balanced" in linger.errors(), linger.errors())
            seen = linger.number(r"seen ([\d,]+)")
            lost = linger.number(r"port .* \+ lost ([\d,]+)")
            expect(seen + lost == frames, f"{frames} frames = {seen} + {lost}:", linger.errors())
            expect(code == (3 if lost else 0), f"exit code {code}:", linger.errors())
            expect(not OWN_DPDK_FILES.exists(), "files of DPDK are left behind")
            expect_undisturbed(veth, lost)
            check_against(truth, linger)

    def overload_is_counted_to_the_packet(self, source, *settings):
        """Every frame on the link is in the ledger: seen, or lost and said so; the exit code too."""
        if source.startswith("dpdk:"):
            devices.need_dpdk(self.linger)
        with Veth() as veth, Server(veth):
            self.overload(veth, self.capture(veth, "b", "-i", source, *settings))

    @staticmethod
    def overload(veth, linger, mirror=None):
        """`mirror`: where the frames of `b` go to linger through; it may refuse some on a busy machine."""
        before = veth.packets_at_rest("b")
        linger.process.send_signal(signal.SIGSTOP)  # a shard that takes nothing
        connect(veth, 400)
        linger.process.send_signal(signal.SIGCONT)
        connect(veth, 100)
        frames = veth.packets_at_rest("b") - before - (veth.statistics("b", mirror)["tx"]["dropped"] if mirror else 0)
        code = linger.stop()
        lost = linger.number(r"port .* \+ lost ([\d,]+)")
        seen = linger.number(r"seen ([\d,]+)")
        expect(lost > 0, "nothing was lost:", linger.errors())
        expect(seen + lost == frames, f"{frames} frames = {seen} + {lost}:", linger.errors())
        expect(code == 3, "exit code", code)
        expect("ledger    balanced" in linger.errors(), linger.errors())
        expect(any(r["network"].get("capture_loss") for r in linger.records()),
               "no record says that packets are missing")

    def records_tell_the_losses_of_their_own_ports(self):
        """What `b` loses is told by sessions seen on `b`, not by those on `lo` at the same time."""
        with Veth() as veth, Server(veth):
            linger = self.capture(veth, "b", "-i", "b", "-i", "lo", "--set", "pcapBufferSize=1MiB")
            with subprocess.Popen(
                    veth.command("b", sys.executable, HERE / "traffic.py", "datagrams", "127.0.0.1", PORT),
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as other:
                def send(line):
                    print(line, file=other.stdin)
                    other.stdout.readline()
                send("before")
                linger.process.send_signal(signal.SIGSTOP)
                connect(veth, 400)
                linger.process.send_signal(signal.SIGCONT)
                connect(veth, 10)
                send("after")
                other.stdin.close()
            expect(linger.stop() == 3, linger.errors())
            expect(linger.number(r"port +b: .* \+ lost ([\d,]+)") > 0, linger.errors())
            told = collections.Counter((r["source"]["ip"], r["network"].get("capture_loss", False))
                                       for r in linger.records())
            expect(told["127.0.0.1", False] == 1 and told["127.0.0.1", True] == 0, told, linger.errors())
            expect(told[veth.ADDRESSES["a"], True] > 0, told)

    def monitor_by_af_xdp(self, veth):
        """Both directions of the link, mirrored to a veth pair whose end is read by net_af_xdp."""
        try:
            veth.run("b", "ip", "link", "add", "name", "tap0", "type", "veth", "peer", "name", "mon0")
            for name in ("tap0", "mon0"):
                veth.run("b", "ip", "link", "set", "dev", name, "up")
            veth.run("b", "tc", "qdisc", "add", "dev", "b", "clsact")
            for way in ("ingress", "egress"):
                veth.run("b", "tc", "filter", "add", "dev", "b", way, "u32", "match", "u32", "0", "0",
                         "action", "mirred", "egress", "mirror", "dev", "tap0")
        except subprocess.CalledProcessError as error:
            raise Skipped(f"no tc mirred here: {error.stderr.strip()}") from error
        return self.capture_or_skip(veth, "-i", "dpdk:net_af_xdp0,iface=mon0", "--set", "idleSleep=50us")

    def a_monitor_port_is_captured_by_af_xdp(self):
        devices.need_dpdk(self.linger)
        with Veth() as veth, Server(veth):
            linger = self.monitor_by_af_xdp(veth)
            before = veth.packets_at_rest("b")
            truth = connect(veth, 300)
            frames = veth.packets_at_rest("b") - before
            unmirrored = veth.statistics("b", "tap0")["tx"]["dropped"]
            code = linger.stop()
            lost = linger.number(r"port .* \+ lost ([\d,]+)")
            seen = linger.number(r"seen ([\d,]+)")
            expect(seen + lost + unmirrored == frames, f"{frames} frames = {seen} + {lost} + {unmirrored}:",
                   linger.errors())
            expect(code == (3 if lost else 0), f"exit code {code}:", linger.errors())
            if not lost + unmirrored:  # its rings are small: a busy machine may have lost some
                expect_undisturbed(veth)
                check_against(truth, linger)

    def a_monitor_port_overloaded_by_af_xdp_is_counted_to_the_packet(self):
        devices.need_dpdk(self.linger)
        with Veth() as veth, Server(veth):
            linger = self.monitor_by_af_xdp(veth)
            self.overload(veth, linger, mirror="tap0")
            expect("the kernel no longer gets what arrives here" in linger.errors(), linger.errors())

    def queues_that_af_xdp_does_not_read_are_named(self):
        devices.need_dpdk(self.linger)
        with Veth() as veth:
            for queues in (1, 4):
                each = ("numrxqueues", queues, "numtxqueues", queues)
                veth.run("b", "ip", "link", "add", "name", "mon0", *each, "type", "veth", "peer", "name", "tap0", *each)
                veth.run("b", "ip", "link", "set", "dev", "mon0", "up")
                linger = self.capture_or_skip(veth, "-i", "dpdk:net_af_xdp0,iface=mon0", "--set", "idleSleep=50us",
                                              *(("--set", "user=nobody") if queues == 4 else ()))
                expect(linger.stop() == 0, linger.errors())
                is_left = "xdp" in json.loads(veth.run("b", "ip", "-d", "-j", "link", "show", "dev", "mon0"))[0]
                expect(is_left == ("its XDP program stays" in linger.errors()) == (queues == 4), linger.errors())
                expect(("in the other 3 of the 4 receive queues" in linger.errors()) == (queues == 4), linger.errors())
                veth.run("b", "ip", "link", "delete", "mon0")

    def a_link_that_goes_down_and_up_again_is_captured_on(self, source):
        """Under another name, too."""
        if source.startswith("dpdk:"):
            devices.need_dpdk(self.linger)
        with Veth() as veth, Server(veth):
            linger = self.capture(veth, "b", "-i", source, "--set", "idleSleep=50us")
            first = connect(veth, 30)
            veth.turn_off_and_on("b")
            second = connect(veth, 30, seed=2)
            veth.turn_off_and_on("b", "c")
            third = connect(veth, 30, seed=3)
            if not source.startswith("dpdk:"):
                linger.wait_for("linger: b: the interface is called c now; it is captured on")
            expect(linger.stop() == 0, linger.errors())
            ports = {r["source"]["port"] for r in linger.records() if r["network"]["transport"] == "tcp"}
            expect(ports == {*first["ports"], *second["ports"], *third["ports"]}, "sessions are missing:",
                   linger.errors())

    def a_port_that_is_taken_away_ends_and_the_others_go_on(self, source):
        """While frames arrive; then with no other port: the run ends by itself."""
        if source.startswith("dpdk:"):
            devices.need_dpdk(self.linger)
        name = re.escape(source.split(",")[0])
        with Veth() as veth, Server(veth):
            for others in (["-i", "b"], []):
                for words in (["add", "name", "gone", "type", "veth", "peer", "name", "other"],
                              ["set", "dev", "gone", "up"], ["set", "dev", "other", "up"]):
                    veth.run("b", "ip", "link", *words)
                linger = self.capture_or_skip(veth, "-i", source, *others, "--set", "idleSleep=50us", "--set",
                                              "statsInterval=100ms")
                with subprocess.Popen(veth.command("b", sys.executable, HERE / "traffic.py", "frames", "other", "-")):
                    linger.wait_for(f" port={name} taken=[1-9]")
                    veth.run("b", "ip", "link", "delete", "gone")
                linger.wait_for(f"(?m)^linger: {name}: .* disappeared; "
                                + ("the other ports go on" if others else "no port is left"))
                if others:
                    truth = connect(veth, 30)
                    expect(linger.stop() == 3, linger.errors())
                    expect_undisturbed(veth)
                    tcp = [r for r in linger.records() if r["network"]["transport"] == "tcp"]
                    expect(sorted(r["source"]["port"] for r in tcp) == truth["ports"], linger.errors())
                else:
                    expect(linger.process.wait(10) == 1, linger.errors())
                expect("ledger    balanced" in linger.errors(), linger.errors())
                told = sum(r["source"]["packets"] for r in linger.records() if r["source"].get("ip") == FLOOD_SOURCE)
                taken = linger.number(rf"port +{name}: .*taken ([\d,]+)")
                expect(told == taken > 0, f"{told} of {taken} frames in records:", linger.errors())

    def rights_are_given_up_and_outputs_still_opened_again(self):
        with Veth() as veth, Server(veth), ServiceManager(self.folder) as manager:
            linger = self.capture(veth, "b", "-i", "b", "--set", "idleSleep=50us", "--set", "user=nobody")
            manager.expect(b"READY=1")
            status = pathlib.Path(f"/proc/{linger.process.pid}/status").read_text(encoding="utf-8")
            nobody = str(pwd.getpwnam("nobody").pw_uid)
            expect(re.search(r"Uid:\s+" + "\\s+".join([nobody] * 4), status), status)
            expect(re.search(r"Seccomp:\s+2", status), status)
            linger.process.send_signal(signal.SIGHUP)  # the file of root is still the same
            connect(veth, 10)
            linger.records_path.rename(self.folder / "moved")
            linger.process.send_signal(signal.SIGHUP)
            connect(veth, 10)
            expect(linger.stop() == 0, linger.errors())
            expect("reopen" not in linger.errors(), linger.errors())
            manager.expect(b"STOPPING=1")
            expect(len(linger.records()) >= 10, "records are not in the new file")

    def a_peer_that_takes_nothing_costs_its_own_records_only(self):
        with Veth() as veth, Server(veth), socket.socket(socket.AF_UNIX) as peer:
            path = self.folder / "peer"
            peer.bind(str(path))
            peer.listen()
            linger = self.capture(veth, "b", "-i", "b", "-o", f"unix:{path}", "--set",
                                  "idleSleep=50us", "--set", "recordQueue=64")
            before = veth.packets_at_rest("b")
            truth = connect(veth, 600)
            frames = veth.packets_at_rest("b") - before
            linger.process.send_signal(signal.SIGINT)
            linger.wait_for("another INT or TERM drops it")
            linger.process.send_signal(signal.SIGTERM)
            code = linger.process.wait(60)
            path.unlink()
            expect(linger.number(r"seen ([\d,]+)") == frames, f"{frames} frames:", linger.errors())
            expect(code == 3, f"exit code {code}:", linger.errors())
            expect("it did not take every record when the run was stopped" in linger.errors(), linger.errors())
            expect("ledger    balanced" in linger.errors(), linger.errors())
            expect_undisturbed(veth)
            check_against(truth, linger)

    def both_interfaces_are_ports_of_one_run(self):
        with Veth() as veth, Server(veth):
            linger = self.capture(veth, "b", "-i", "b", "-i", "lo", "--set", "packetThreads=2",
                                  "--set", "idleSleep=50us", "--set", "statsInterval=1s")
            truth = connect(veth, 100)
            linger.wait_for("statistics seconds=.* port=b taken=[1-9].* port=lo taken=")
            linger.process.send_signal(signal.SIGUSR1)
            linger.wait_for(r"port      b queue 1: received")
            linger.wait_for(r"open      [\d,]+ sessions: .*\n  largest   [\d,]+ bytes, tcp [\d.]+:\d+ > [\d.]+:\d+, ")
            expect("ledger" not in linger.errors(), "a law is checked before the end")
            expect(re.search(r" in (?!0\.000)[\d.]+ s \(", linger.errors()), "no time has passed:", linger.errors())
            code = linger.stop()
            expect_undisturbed(veth)
            expect(code == 0, f"exit code {code}:", linger.errors())
            check_against(truth, linger)

    def a_capture_that_goes_on_accounts_for_every_frame(self, source):
        """Whenever it is asked; what waits in the ring is told where the device counts it."""
        if source.startswith("dpdk:"):
            devices.need_dpdk(self.linger)
        terms = (rf"port      {re.escape(source.split(',')[0])}: received ([\d,]+) = taken ([\d,]+)"
                 r"(?: \+ before the start ([\d,]+))? \+ lost ([\d,]+)(?: \+ waiting ([\d,]+))?\n")
        with Veth() as veth, Server(veth):
            linger = self.capture(veth, "b", "-i", source, "--set", "packetThreads=2")
            def ask():
                before = len(linger.errors())
                linger.process.send_signal(signal.SIGUSR1)
                linger.wait_for("(?s)output .*written", start=before)
                found = re.search(terms, linger.errors()[before:]).groups("0")
                received, *parts = (int(number.replace(",", "")) for number in found)
                expect(received <= sum(parts) <= received + 2 * BURST, found)
                return parts
            with subprocess.Popen(veth.command("a", sys.executable, HERE / "traffic.py", "frames", "a", "-")) as flood:
                while ask()[0] < 20000:
                    pass
                first = ask()[0]
                until = time.monotonic() + 60  # a busy machine may let it wait
                while (asked := [ask() for _ in range(20)])[-1][0] == first and time.monotonic() < until:
                    pass
                flood.kill()
            expect(first < asked[-1][0], "it stands still:", asked)
            veth.packets_at_rest("b")
            expect(ask()[-1] == 0, "something waits though nothing comes:", linger.errors())
            code = linger.stop()
            expect("ledger    balanced" in linger.errors() and code in (0, 3), f"exit code {code}:", linger.errors())

    def offloads_are_recognised(self):
        """Frames above the MTU and checksums left to the card: the same sessions."""
        with Veth() as veth, Server(veth):
            for side in "ab":
                veth.set_offloads(side, True)
            linger = self.capture(veth, "b", "-i", "b", "--set", "idleSleep=50us")
            truth = connect(veth, 200)
            code = linger.stop()
            expect_undisturbed(veth)
            expect(code == 0, f"exit code {code}:", linger.errors())
            check_against(truth, linger)
            expect(linger.number(r"off-loaded ([\d,]+)") > 0, linger.errors())
            largest = max(r["destination"]["bytes"] / r["destination"]["packets"]
                          for r in linger.records() if r["destination"]["packets"])
            expect(largest > 1514, "no frame above the MTU, largest mean", largest)

    def shards_run_on_their_cores_and_other_threads_elsewhere(self):
        core = max(os.sched_getaffinity(0))
        if len(os.sched_getaffinity(0)) < 2:
            raise Skipped("one core only")
        with Veth() as veth, Server(veth):
            linger = self.capture(veth, "b", "-i", "b", "--set", f"shardCores={core}", "--set", "idleSleep=50us")
            threads = [int(task.name) for task in pathlib.Path(f"/proc/{linger.process.pid}/task").iterdir()]
            cores = [os.sched_getaffinity(thread) for thread in threads]
            truth = connect(veth, 20)
            expect(linger.stop() == 0, linger.errors())
            expect(cores.count({core}) == 1 and sum(core in of_one for of_one in cores) == 1, cores)
            check_against(truth, linger)

    def a_jumbo_frame_is_whole_or_counted_as_cut(self, source, bytes_each):
        if source.startswith("dpdk:"):
            devices.need_dpdk(self.linger)
        with Veth() as veth:
            for side in "ab":
                veth.run(side, "ip", "link", "set", "dev", side, "mtu", 9000)
            linger = self.capture(veth, "b", "-i", source, "--set", "idleSleep=50us", "udp port 9")
            veth.run("a", sys.executable, "-c", "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
                     f"[s.sendto(bytes(8000), ('{veth.ADDRESSES['b']}', 9)) for _ in range(10)]")
            is_whole = bytes_each == 8042
            expect(linger.stop() == (0 if is_whole else 3), linger.errors())
            expect([r["source"]["bytes"] for r in linger.records() if r["network"]["transport"] == "udp"]
                   == [10 * bytes_each], linger.errors())
            expect(is_whole or linger.number(r", cut ([\d,]+)") == 10, linger.errors())

    def a_frame_longer_than_what_is_captured_of_it_is_counted_as_cut(self):
        """Segments of 500,000 bytes, as the kernel passes them on with BIG TCP."""
        words = {"a": "s = socket.create_connection(('fd00::2', 9)); s.sendall(bytes(40_000_000))",
                 "b": "s = socket.create_server(('fd00::2', 9), family=socket.AF_INET6); print('here', flush=True); "
                      "c = s.accept()[0]\nwhile c.recv(1 << 20): pass"}
        with Veth() as veth:
            for side, address in (("a", "fd00::1"), ("b", "fd00::2")):
                veth.set_offloads(side, True)
                veth.run(side, "sysctl", "-qw", f"net.ipv6.conf.{side}.disable_ipv6=0")
                try:
                    for word in ("gso_max_size", "gro_max_size"):
                        veth.run(side, "ip", "link", "set", "dev", side, word, 500000)
                except subprocess.CalledProcessError as error:
                    raise Skipped(f"no BIG TCP here: {error.stderr.strip()}") from error
                veth.run(side, "ip", "address", "add", f"{address}/64", "dev", side, "nodad")
            with subprocess.Popen(veth.command("b", sys.executable, "-c", "import socket; " + words["b"]),
                                  stdout=subprocess.PIPE, text=True) as server:
                server.stdout.readline()
                linger = self.capture(veth, "b", "-i", "b", "--set", "idleSleep=50us")
                veth.run("a", sys.executable, "-c", "import socket; " + words["a"])
            code = linger.stop()
            expect("ledger    balanced" in linger.errors(), linger.errors())
            tcp = [r for r in linger.records() if r["network"]["transport"] == "tcp"]
            if max(r["source"]["bytes"] / r["source"]["packets"] for r in tcp) < 262144:
                raise Skipped("no frame was longer than 262,144 bytes")
            expect(code == 3 and linger.number(r", cut ([\d,]+)") > 0, linger.errors())

    def a_cut_frame_that_the_filter_keeps_out_is_no_loss(self):
        devices.need_dpdk(self.linger)
        with Veth() as veth:
            for side in "ab":
                veth.run(side, "ip", "link", "set", "dev", side, "mtu", 9000)
            linger = self.capture(veth, "b", "-i", "dpdk:net_af_packet0,iface=b,framecnt=4096", "--set",
                                  "idleSleep=50us", "tcp")
            veth.run("a", sys.executable, "-c", "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
                     f"s.sendto(bytes(8000), ('{veth.ADDRESSES['b']}', 9))")
            expect(linger.stop() == 0, linger.errors())
            expect(linger.number(r" filtered ([\d,]+)") > 0 and ", cut " not in linger.errors().split("port ")[1],
                   linger.errors())

    def a_filter_that_the_kernel_does_not_take_is_an_error_with_the_mend(self):
        with Veth() as veth:
            try:
                veth.run("b", "sysctl", "-qw", "net.core.optmem_max=1024")  # of this namespace alone since Linux 6.7
            except subprocess.CalledProcessError as error:
                raise Skipped(f"no limit of its own here: {error.stderr.strip()}") from error
            words = " or ".join(f"host 10.0.{i}.1" for i in range(60)).split()
            linger = Linger(self.linger, ["-i", "b", *words], self.folder, veth.command("b"))
            expect(linger.process.wait(20) == 1, linger.errors())
            expect("raise net.core.optmem_max" in linger.errors(), linger.errors())

    def promiscuous_mode_ends_with_the_run_and_stays_where_it_was(self, source):
        if source.startswith("dpdk:"):
            devices.need_dpdk(self.linger)
        def asked_for(veth):
            link = json.loads(veth.run("b", "ip", "-d", "-j", "link", "show", "dev", "b"))[0]
            return link["promiscuity"], "PROMISC" in link["flags"]
        for state, before in (("off", (0, False)), ("on", (1, True))):
            with Veth() as veth:
                veth.run("b", "ip", "link", "set", "dev", "b", "promisc", state)
                linger = self.capture_or_skip(veth, "-i", source, "--set", "idleSleep=50us")
                expect(asked_for(veth)[0] > 0, "it is not asked for:", linger.errors())
                expect(linger.stop() == 0, linger.errors())
                expect(asked_for(veth) == before, asked_for(veth), "after", before)

    def loopback_overloaded_is_counted_to_the_packet(self, source, shards):
        """Each of its frames goes out and comes in, and is one."""
        with Veth() as veth:
            linger = self.capture(veth, "b", "-i", source, "--set", "pcapBufferSize=1MiB", "--set",
                                  f"packetThreads={shards}")
            linger.process.send_signal(signal.SIGSTOP)
            veth.run("b", sys.executable, "-c", "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
                     "s.bind(('127.0.0.1', 9)); [s.sendto(bytes(1000), ('127.0.0.1', 9)) for _ in range(5000)]")
            linger.process.send_signal(signal.SIGCONT)
            expect(linger.stop() == 3, linger.errors())
            lost = linger.number(r"port .* \+ lost ([\d,]+)")
            expect(lost > 0 and lost + linger.number(r"seen ([\d,]+)") == 5000, linger.errors())
            expect(f"{source}: received 5,000 =" in linger.errors(), linger.errors())

    def statistics_that_a_pause_left_out_are_not_told_after_it(self):
        with Veth() as veth:
            linger = self.capture(veth, "b", "-i", "b", "--set", "idleSleep=1ms", "--set", "statsInterval=300ms")
            linger.process.send_signal(signal.SIGSTOP)
            time.sleep(3)
            linger.process.send_signal(signal.SIGCONT)
            time.sleep(1)
            expect(linger.stop() == 0, linger.errors())
            expect(1 <= linger.errors().count("statistics seconds=") <= 6, linger.errors())

    def an_interface_without_ethernet_is_no_dpdk_port(self):
        devices.need_dpdk(self.linger)
        with Veth() as veth:
            try:
                veth.run("b", "ip", "tuntap", "add", "mode", "tun", "name", "tun0")
            except subprocess.CalledProcessError as error:
                raise Skipped(f"no tun here: {error.stderr.strip()}") from error
            linger = Linger(self.linger, ["-i", "dpdk:net_af_packet0,iface=tun0"], self.folder, veth.command("b"))
            expect(linger.process.wait(20) == 1, linger.errors())
            expect("tun0 has no Ethernet" in linger.errors() and "use -i tun0" in linger.errors(), linger.errors())

    def a_filter_keeps_the_rest_out(self):
        with Veth() as veth, Server(veth):
            linger = self.capture(veth, "b", "-i", "b", "--set", "idleSleep=50us", "udp")
            connect(veth, 20)
            expect(linger.stop() == 0, linger.errors())
            expect(linger.number(r"seen ([\d,]+)") == 0, linger.errors())

    def a_filter_for_one_direction_takes_every_frame_of_it(self, shards):
        with Veth() as veth, Server(veth):
            linger = self.capture(veth, "b", "-i", "b", "--set", "idleSleep=50us", "--set", f"packetThreads={shards}",
                                  "inbound")
            before = veth.statistics("b")["rx"]["packets"]
            connect(veth, 20)
            veth.packets_at_rest("b")
            frames = veth.statistics("b")["rx"]["packets"] - before
            expect(linger.stop() == 0, linger.errors())
            expect(linger.number(r"seen ([\d,]+)") == frames > 0, f"{frames} frames:", linger.errors())

    def an_interrupt_while_memory_is_taken_ends_the_run_at_once(self):
        with Veth() as veth:
            linger = Linger(self.linger, ["-i", "b", "--set", "graveyardSize=40000000"], self.folder, veth.command("b"))
            status = pathlib.Path(f"/proc/{linger.process.pid}/status")
            while int(re.search(r"VmRSS:\s+(\d+)|$", status.read_text(encoding="utf-8"))[1] or 0) < 200_000:  # kB
                expect(linger.process.poll() is None, linger.errors())
                time.sleep(0.01)
            linger.process.send_signal(signal.SIGINT)
            expect(linger.process.wait(20) == -signal.SIGINT, "exit code", linger.process.returncode, linger.errors())

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
    tests = Tests(*sys.argv[3:])
    with tempfile.TemporaryDirectory() as folder:
        live = Live(linger, pathlib.Path(folder))
        tests.run(live.every_connection_is_one_session, "b", 1)
        tests.run(live.every_connection_is_one_session, "b", 2)
        for shards in (1, 2):
            tests.run(live.every_connection_is_one_session,
                      f"dpdk:net_af_packet0,iface=b,qpairs={shards},framecnt=16384", shards)
        tests.run(live.overload_is_counted_to_the_packet, "b", "--set", "pcapBufferSize=1MiB")
        tests.run(live.overload_is_counted_to_the_packet, "dpdk:net_af_packet0,iface=b")
        tests.run(live.records_tell_the_losses_of_their_own_ports)
        tests.run(live.a_monitor_port_is_captured_by_af_xdp)
        tests.run(live.a_monitor_port_overloaded_by_af_xdp_is_counted_to_the_packet)
        tests.run(live.queues_that_af_xdp_does_not_read_are_named)
        tests.run(live.a_link_that_goes_down_and_up_again_is_captured_on, "b")
        tests.run(live.a_link_that_goes_down_and_up_again_is_captured_on,
                  "dpdk:net_af_packet0,iface=b,framecnt=16384")
        for source in ("gone", "dpdk:net_af_packet0,iface=gone", "dpdk:net_af_xdp0,iface=gone"):
            tests.run(live.a_port_that_is_taken_away_ends_and_the_others_go_on, source)
        tests.run(live.rights_are_given_up_and_outputs_still_opened_again)
        tests.run(live.a_peer_that_takes_nothing_costs_its_own_records_only)
        tests.run(live.both_interfaces_are_ports_of_one_run)
        for source in ("b", "dpdk:net_af_packet0,iface=b,qpairs=2,framecnt=16384"):
            tests.run(live.a_capture_that_goes_on_accounts_for_every_frame, source)
        tests.run(live.offloads_are_recognised)
        tests.run(live.shards_run_on_their_cores_and_other_threads_elsewhere)
        tests.run(live.a_jumbo_frame_is_whole_or_counted_as_cut, "b", 8042)
        tests.run(live.a_jumbo_frame_is_whole_or_counted_as_cut, "dpdk:net_af_packet0,iface=b,framecnt=4096", 1982)
        tests.run(live.a_frame_longer_than_what_is_captured_of_it_is_counted_as_cut)
        tests.run(live.a_cut_frame_that_the_filter_keeps_out_is_no_loss)
        tests.run(live.a_filter_that_the_kernel_does_not_take_is_an_error_with_the_mend)
        for source in ("b", "dpdk:net_af_packet0,iface=b,framecnt=4096", "dpdk:net_af_xdp0,iface=b"):
            tests.run(live.promiscuous_mode_ends_with_the_run_and_stays_where_it_was, source)
        for source, shards in (("lo", 1), ("lo", 2), ("any", 2)):
            tests.run(live.loopback_overloaded_is_counted_to_the_packet, source, shards)
        tests.run(live.statistics_that_a_pause_left_out_are_not_told_after_it)
        tests.run(live.an_interface_without_ethernet_is_no_dpdk_port)
        tests.run(live.a_filter_keeps_the_rest_out)
        for shards in (1, 2):
            tests.run(live.a_filter_for_one_direction_takes_every_frame_of_it, shards)
        tests.run(live.an_interrupt_while_memory_is_taken_ends_the_run_at_once)
        tests.run(live.an_interrupt_records_open_sessions_and_a_second_one_leaves_at_once)
        service.run(tests, live, Server, connect, check_against)
        lossy.run(tests, live, Server, connect, check_against)
        taps.run(tests, live, Server, connect, check_against)
        devices.run(tests, linger, pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(folder))
    return tests.finish()


sys.exit(main())
