"""Each direction of a link on an interface of its own, as two taps give them."""

import contextlib
import json
import subprocess

from stage import Linger, Skipped, Veth, expect

CONNECTIONS = 600


@contextlib.contextmanager
def taps(veth):
    """What `b` receives and sends, mirrored to the ends of two veth pairs."""
    try:
        veth.run("b", "tc", "qdisc", "add", "dev", "b", "clsact")
        for way in ("ingress", "egress"):
            tap, mirror = f"tap-{way}", f"to-{way}"
            veth.run("b", "ip", "link", "add", "name", tap, "type", "veth", "peer", "name", mirror)
            for name in (tap, mirror):
                veth.run("b", "ip", "link", "set", "dev", name, "up")
            veth.run("b", "tc", "filter", "add", "dev", "b", way, "u32", "match", "u32", "0", "0",
                     "action", "mirred", "egress", "mirror", "dev", mirror)
    except subprocess.CalledProcessError as error:
        raise Skipped(f"no tc mirred here: {error.stderr.strip()}") from error
    yield ["-i", "tap-ingress", "-i", "tap-egress"]


def run(tests, live, Server, connect, check_against):
    def two_taps_of_a_link_tell_its_packets_in_their_order(shards):
        """Those of most sessions, on a machine that puts a shard aside for milliseconds."""
        with Veth() as veth, Server(veth), taps(veth) as ports:
            linger = live.capture(veth, "b", *ports, "--set", f"packetThreads={shards}", "--set", "idleSleep=50us")
            truth = connect(veth, CONNECTIONS)
            expect(linger.stop() == 0, linger.errors())
            check_against(truth, linger)
            tcp = [r["tcp"] for r in linger.records() if r["network"]["transport"] == "tcp"]
            in_order = sum(t["history"].startswith("ShA") for t in tcp)
            expect(in_order > CONNECTIONS / 2, f"{in_order} of {CONNECTIONS}:", json.dumps(tcp[:5]))

    def an_interface_by_two_names_is_given_twice():
        with Veth() as veth:
            try:
                veth.run("b", "ip", "link", "property", "add", "dev", "b", "altname", "also-b")
            except subprocess.CalledProcessError as error:
                raise Skipped(f"no other names here: {error.stderr.strip()}") from error
            for other in ("also-b", "dpdk:net_af_packet0,iface=also-b"):
                linger = Linger(live.linger, ["-i", "b", "-i", other], live.folder, veth.command("b"))
                expect(linger.process.wait(20) == 2, linger.errors())
                expect("-i b: it is given twice" in linger.errors(), linger.errors())
            linger = live.capture(veth, "b", "-i", "also-b")
            expect(linger.stop() == 0, linger.errors())
            expect("is called b now" not in linger.errors(), linger.errors())

    tests.run(an_interface_by_two_names_is_given_twice)
    for shards in (1, 2):
        tests.run(two_taps_of_a_link_tell_its_packets_in_their_order, shards)
