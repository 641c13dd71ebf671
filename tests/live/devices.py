"""DPDK's virtual devices as sources."""

import concurrent.futures
import contextlib
import itertools
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess

from stage import HERE, OWN, OWN_DPDK, Linger, Skipped, expect

PCAPS = HERE.parent.parent / "pcaps"
MICROSECONDS = b"\xd4\xc3\xb2\xa1"
TIMES = {"@timestamp", "end", "duration"}
# What net_pcap does not hand on, and the fields that differ for it: times that libpcap reads with a sign, the length
# that a cut packet had on the wire, that a file breaks off, nanoseconds.
TOLD_OTHERWISE = {"clock_wild": TIMES, "cut": {"bytes"}, "broken_off": set(),
                  "pcap_nanoseconds": {*TIMES, "ack_ns", "syn_ack_ns", "time_ns"}}
# Small rings, so that shards wait for each other.
PLAYED = ("--stop-after-idle", "100ms", "--set", "idleSleep=1ms", "--set", "rxDescriptors=256", "--set",
          "maxPacketsInQueue=256")
RUNS = itertools.count()
# Runs of linger at once: a third of the time of each is a pause of the EAL's.
AT_ONCE = 3 * len(os.sched_getaffinity(0))


def has_dpdk(linger):
    return "DPDK: not" not in subprocess.run([linger, "-V"], capture_output=True,
                                             text=True, check=True).stdout


def need_dpdk(linger):
    if not has_dpdk(linger):
        raise Skipped("this build has no DPDK")


def is_told_alike(path):
    return path.read_bytes()[:4] == MICROSECONDS and path.stem not in TOLD_OTHERWISE


def records_of(linger, *arguments, code=0):
    run = subprocess.run([linger, *arguments, "-o", "-", "--set", "idSeed=test", "--set",
                          "maxStreams=10000", "--set", "parserMemory=16MiB", *OWN_DPDK, "--set",
                          f"dpdkFilePrefix={OWN}-{next(RUNS)}"],
                         capture_output=True, text=True, check=False)
    expect(run.returncode == code, f"exit code {run.returncode}:", run.stderr)
    expect("ledger    balanced" in run.stderr, run.stderr)
    return sorted(run.stdout.splitlines())


def free_huge_pages():
    return int(re.search(r"HugePages_Free: +(\d+)", pathlib.Path("/proc/meminfo").read_text(encoding="ascii"))[1])


@contextlib.contextmanager
def huge_pages(count, folder):
    """So many more of them, free and mounted."""
    pool = pathlib.Path("/proc/sys/vm/nr_hugepages")
    before = pool.read_text(encoding="ascii")
    folder.mkdir()
    try:
        pool.write_text(str(int(before) + count), encoding="ascii")
        mount = subprocess.run(["mount", "-t", "hugetlbfs", "none", folder], check=False, capture_output=True, text=True)
        if free_huge_pages() < count or mount.returncode != 0:
            raise Skipped(f"no huge pages can be had here {mount.stderr}")
        yield
    except PermissionError as error:
        raise Skipped(f"no huge pages can be had here: {error}") from error
    finally:
        subprocess.run(["umount", folder], check=False, capture_output=True)
        folder.rmdir()
        if pool.read_text(encoding="ascii") != before:
            pool.write_text(before, encoding="ascii")


def fields_that_differ(one, other):
    """Their names, at any depth."""
    if isinstance(one, dict) and isinstance(other, dict):
        expect(one.keys() == other.keys(), one, other)
        pairs = [({name}, one[name], other[name]) for name in one]
    elif isinstance(one, list) and isinstance(other, list):
        expect(len(one) == len(other), one, other)
        pairs = [(set(), *pair) for pair in zip(one, other)]
    else:
        return set()
    return set().union(*(fields_that_differ(a, b) or (name if a != b else set()) for name, a, b in pairs))


def by_id(lines):
    return sorted(map(json.loads, lines), key=lambda record: record["event"]["id"])


def for_each(test, arguments):
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(test, arguments):
            pass


def split_by_direction(path, folder):
    """The two captures that taps of each direction would have made."""
    data = path.read_bytes()
    halves = [bytearray(data[:24]) for _ in range(2)]
    at = 24
    while at < len(data):
        end = at + 16 + struct.unpack("<I", data[at + 8:at + 12])[0]
        frame = data[at + 16:end]
        size = 16 if frame[12:14] == b"\x86\xdd" else 4
        first = 14 + (8 if size == 16 else 12)
        is_lower = frame[first:first + size] < frame[first + size:first + 2 * size]
        halves[is_lower] += data[at:end]
        at = end
    paths = [folder / f"{path.stem}{i}.pcap" for i in range(2)]
    for half_path, half in zip(paths, halves):
        half_path.write_bytes(half)
    return paths


def numbers_of(command):
    """name=value of the line that linger-blast prints."""
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    expect(run.returncode == 0, f"exit code {run.returncode}:", run.stderr)
    return {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", run.stdout)}


def run(tests, linger, blast, folder):
    def net_pcap_equals_a_replay():
        """Every capture, by two shards or by three."""
        need_dpdk(linger)

        def compare(numbered):
            number, path = numbered
            shards = 2 + number % 2
            replayed = records_of(linger, "-r", path)
            played = records_of(linger, "-i", f"dpdk:net_pcap0,rx_pcap={path}", *PLAYED, "--set",
                                f"packetThreads={shards}")
            expect(played == replayed, path, "differs by", shards, "shards:", played, replayed)

        captures = [path for path in sorted(PCAPS.glob("*.pcap")) if is_told_alike(path)]
        expect(len(captures) > 100, len(captures), "captures")
        for_each(compare, enumerate(captures))

    def net_pcap_differs_from_a_replay_as_stated():
        need_dpdk(linger)
        for name, fields in TOLD_OTHERWISE.items():
            path = PCAPS / f"{name}.pcap"
            played = by_id(records_of(linger, "-i", f"dpdk:net_pcap0,rx_pcap={path}", *PLAYED))
            replayed = by_id(records_of(linger, "-r", path, code=3 if name == "broken_off" else 0))
            expect(fields_that_differ(played, replayed) == fields, name, played, replayed)

    def directions_in_files_of_their_own_give_the_same_records():
        """As two ports, and as two queues of one port; by one shard and by several."""
        need_dpdk(linger)

        def compare(name):
            path = PCAPS / f"{name}.pcap"
            halves = split_by_direction(path, folder)
            together = records_of(linger, "-r", path)
            ports = [word for i, half in enumerate(halves)
                     for word in ("-i", f"dpdk:net_pcap{i},rx_pcap={half}")]
            queues = ["-i", f"dpdk:net_pcap0,rx_pcap={halves[0]},rx_pcap={halves[1]}"]
            for files, shards in ((ports, 1), (ports, 3), (queues, 2)):
                apart = records_of(linger, *files, *PLAYED, "--set", f"packetThreads={shards}")
                expect(apart == together, path, files, shards, apart, together)

        for_each(compare, ["fragments", "fragments_overlapping", "fragments_turned", "fragments_unfinished",
                           "late_rst", "late_segments", "reuse_lingering", "tcp_interim", "tcp_whole"])

    def error_of(*arguments, program=linger, user=None):
        run = subprocess.run([program, *arguments], capture_output=True, text=True, check=False,
                             user=user, timeout=20)
        expect(run.returncode == 1, f"exit code {run.returncode}:", run.stderr)
        return run.stderr

    def a_device_that_cannot_be_had_is_an_error_with_the_mend():
        for name in ("nowhere0", "nflog"):  # the second is one of libpcap's, and no interface
            told = error_of("-i", name)
            expect("no such interface; there are: " in told and "nflog" not in told.split("there are: ")[1], told)
        folder.chmod(0o755)
        copy = shutil.copy(linger, folder / "linger")  # the build may lie where others cannot go
        expect("setcap" in error_of("-i", "lo", program=copy, user="nobody"), "permission")
        need_dpdk(linger)
        for device, mend in {"0000:3b:00.7": "dpdk-devbind.py", "net_nothing0": "no such driver",
                             f"net_pcap0,rx_pcap={folder}/none": "interface or file",
                             "net_af_packet0,iface=nowhere0": "No such device",
                             f"net_memif0,socket={folder}/none,socket-abstract=no": "role=server"}.items():
            expect(mend in error_of("-i", f"dpdk:{device}", *OWN_DPDK), device)
        capture = PCAPS / "late_rst.pcap"
        expect("set packetThreads to 1" in error_of("-i", "dpdk:net_af_packet0,iface=lo", "--set",
                                                    "packetThreads=2", *OWN_DPDK), "queues")
        expect("set packetThreads to 2, or qpairs to 1" in
               error_of("-i", "dpdk:net_af_packet0,iface=lo,qpairs=2", *OWN_DPDK), "queues that nobody reads")
        expect("dpdkMbufs" in error_of("-i", f"dpdk:net_pcap0,rx_pcap={capture}", "--set",
                                       "dpdkMbufs=10", *OWN_DPDK), "mbufs")
        expect("-i and its name" in error_of("-i", "dpdk:net_pcap0,iface=lo", *OWN_DPDK), "not a file")
        expect("802.11" in error_of("-i", f"dpdk:net_pcap0,rx_pcap={capture}", *OWN_DPDK, "type", "mgt"), "filter")
        if "HugePages_Free:        0" in open("/proc/meminfo", encoding="ascii").read():
            expect("vm.nr_hugepages" in error_of("-i", f"dpdk:net_pcap0,rx_pcap={capture}"), "huge")
        busy = f"dpdk:net_memif0,role=server,socket={folder}/busy,socket-abstract=no"
        running = Linger(linger, ["-i", busy, "-i", "dpdk:net_null0"], folder)
        running.wait_for("capturing on")
        expect("dpdkFilePrefix" in error_of("-i", "dpdk:net_null1", *OWN_DPDK), "two of one name")
        expect("another process has it" in error_of("-i", busy, "--set", "dpdkHugePages=false", "--set",
                                                    f"dpdkFilePrefix={OWN}-2"), "busy")
        running.stop()

    def a_killed_run_leaves_no_huge_page_in_use():
        need_dpdk(linger)
        with huge_pages(16, folder / "huge"):
            free = free_huge_pages()
            for _ in range(2):  # a new one finds as many
                run = subprocess.Popen([linger, "-i", "dpdk:net_null0", "-o", "file:/dev/null", "--set",
                                        "maxStreams=10000", "--set", f"dpdkFilePrefix={OWN}-{next(RUNS)}"],
                                       stderr=subprocess.PIPE, text=True)
                told = run.stderr.readline()
                taken = free - free_huge_pages()
                run.kill()
                run.communicate()
                expect("capturing on" in told and taken > 0, told, taken)
                expect(free_huge_pages() == free, f"{free_huge_pages()} of {free}")

    def the_machine_is_checked_a_line_for_each_finding():
        run = subprocess.run([linger, "-T", "-i", "lo", "-i", "nowhere0"], capture_output=True,
                             text=True, check=False)
        expect(run.returncode == 1, f"exit code {run.returncode}:", run.stdout)
        findings = [line for line in run.stdout.splitlines()
                    if re.match(r"(ok|warn|fail) +\S", line)]
        expect(any(line.startswith("fail") and "nowhere0" in line for line in findings), findings)
        expect(any("memory: " in line for line in findings), findings)

    def a_user_who_is_not_there_is_found_by_the_check():
        run = subprocess.run([linger, "-T", "-i", "lo", "--set", "user=nobody-of-that-name"], capture_output=True,
                             text=True, check=False)
        expect(run.returncode == 1 and re.search("^fail +user: .*useradd", run.stdout, re.M), run)
        run = subprocess.run(["setpriv", "--reuid=nobody", "--clear-groups", "/proc/self/fd/0", "-T", "-i", "lo",
                              "--set", "user=daemon"], stdin=open(linger, "rb"), capture_output=True, text=True,
                             check=False)
        expect(re.search("^fail +user: only root can become daemon", run.stdout, re.M), run)

    def cores_that_cannot_be_had_as_named_are_an_error_with_the_mend():
        cores = sorted(os.sched_getaffinity(0))

        def check(names, shards):
            return subprocess.run([linger, "-T", "-i", "lo", "--set", f"shardCores={','.join(map(str, names))}",
                                   "--set", f"packetThreads={shards}"], capture_output=True, text=True, check=False)

        too_few = check(cores[:1], 2)
        expect(too_few.returncode == 2 and "set packetThreads to 1" in too_few.stderr, too_few)
        overlap = check(cores, len(cores))
        expect(overlap.returncode == 1 and re.search("^fail .*shardCores names every core", overlap.stdout, re.M),
               overlap)

    def memif(*options, settings=()):
        """linger and the generator as two processes, the directions of a session on two queues."""
        need_dpdk(linger)
        traffic = ["small", "--share", "0.01"]
        truth = numbers_of([blast, *traffic])
        socket = folder / "memif.sock"
        socket.unlink(missing_ok=True)
        device = f"socket={socket},socket-abstract=no"
        live = Linger(linger, ["-i", f"dpdk:net_memif0,role=server,{device}", "--set",
                               "packetThreads=2", "--set",
                               "idleSleep=50us", "--set", "recordQueue=100000",
                               *(word for s in settings for word in ("--set", s))], folder)
        live.wait_for("capturing on")
        sent = numbers_of([blast, *traffic, "--to", f"net_memif0,role=client,{device}", "--queues",
                           "2", "--apart", *options])
        code = live.stop()
        expect("ledger    balanced" in live.errors(), live.errors())
        expect(live.number(r"seen ([\d,]+)") == sent["sent"], sent, live.errors())
        expect(sent["sent"] + sent["refused"] == truth["packets"], sent, truth)
        expect(re.search("losses unknown", live.errors()), live.errors())
        return truth, sent, live, code

    def what_the_generator_sends_is_what_it_writes():
        need_dpdk(linger)
        port = ["--to", "net_null0"]
        for traffic in (["talk"], ["mix"], ["mix", "--wrapping", "vxlan"]):
            traffic += ["--share", "0.001"]
            made = numbers_of([blast, *traffic])
            sent = numbers_of([blast, *traffic, *port])
            expect(made["packets"] == sent["packets"] == sent["sent"] > 0 and sent["refused"] == 0, made, sent)
            expect(made["sessions"] == sent["sessions"] and made["bytes"] == sent["bytes"], made, sent)
        ring = ["--to", "net_ring0", "--queues", "16", "--give-up"]  # nobody reads it
        sent = numbers_of([blast, "live", "--sessions", "100", "--packets", "100000", *ring])
        expect(sent["sent"] + sent["refused"] == 100_000 and sent["sent"] > 10_000, sent)
        for wrong in (["nothing", *port], ["live"], ["receive"], ["small", "-w", "x", *port],
                      ["small", "--share", "-1"], ["small", "--share", "nan"], ["mix", "--reuse", "2"],
                      ["talk", "--wrapping", "vlan"], ["live", "--sessions", "0", *port],
                      ["small", "--share", "0", *port]):
            run = subprocess.run([blast, *wrong], capture_output=True, text=True, check=False)
            expect(run.returncode == 2 and run.stderr, wrong, run)

    def memif_tells_every_session_though_directions_come_apart():
        truth, sent, live, code = memif()
        expect(code == 0, "exit code", code, live.errors())
        expect(sent["refused"] == 0, sent)
        opened = live.number(r"sessions  ([\d,]+)")
        expect(opened == truth["sessions"], f"{opened} sessions of {truth['sessions']}:", live.errors())
        expect(live.number(r"apart in ([\d,]+)") > 0, live.errors())

    def memif_accounts_for_what_the_sender_could_not_send():
        memif("--give-up")

    def a_full_handoff_ring_drops_and_the_ledger_says_how_much():
        _, sent, live, code = memif(settings=["maxPacketsInQueue=64"])
        dropped = live.number(r"dropped ([\d,]+) \(handoff ring full\)")
        expect(dropped > 0 and code == 3, f"exit code {code}, dropped {dropped}")
        expect(live.number(r"in sessions ([\d,]+)") + dropped == sent["sent"], live.errors())

    def a_pool_without_mbufs_leaves_packets_with_the_sender():
        _, sent, live, code = memif(settings=["rxDescriptors=512", "dpdkMbufs=1100"])
        expect(code == 0 and sent["refused"] == 0, f"exit code {code}:", live.errors())
        expect("less than" in live.errors(), "no word of the small pool:", live.errors())

    def memif_goes_on_when_its_peer_has_gone_and_another_comes():
        need_dpdk(linger)
        device = f"socket={folder}/again.sock,socket-abstract=no"
        live = Linger(linger, ["-i", f"dpdk:net_memif0,role=server,{device}", "--set", "idleSleep=50us"], folder)
        live.wait_for("capturing on")
        sent = [numbers_of([blast, "small", "--share", "0.001", "--seed", str(seed), "--to",
                            f"net_memif0,role=client,{device}"])["sent"] for seed in (1, 2)]
        expect(live.stop() == 0, live.errors())
        expect(live.number(r"seen ([\d,]+)") == sum(sent) and min(sent) > 0, sent, live.errors())

    tests.run(a_device_that_cannot_be_had_is_an_error_with_the_mend)
    tests.run(a_killed_run_leaves_no_huge_page_in_use)
    tests.run(the_machine_is_checked_a_line_for_each_finding)
    tests.run(a_user_who_is_not_there_is_found_by_the_check)
    tests.run(cores_that_cannot_be_had_as_named_are_an_error_with_the_mend)
    tests.run(net_pcap_equals_a_replay)
    tests.run(net_pcap_differs_from_a_replay_as_stated)
    tests.run(directions_in_files_of_their_own_give_the_same_records)
    tests.run(what_the_generator_sends_is_what_it_writes)
    tests.run(memif_tells_every_session_though_directions_come_apart)
    tests.run(memif_goes_on_when_its_peer_has_gone_and_another_comes)
    tests.run(memif_accounts_for_what_the_sender_could_not_send)
    tests.run(a_full_handoff_ring_drops_and_the_ledger_says_how_much)
    tests.run(a_pool_without_mbufs_leaves_packets_with_the_sender)
