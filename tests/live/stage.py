"""What the live tests stand on: network namespaces, the program under test, TAP."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
# Two of these test runs on one machine keep apart.
OWN = f"linger-test-{os.getpid()}"
OWN_DPDK_FILES = pathlib.Path("/var/run/dpdk", OWN)
OWN_DPDK = ("--set", f"dpdkFilePrefix={OWN}", "--set", "dpdkHugePages=false")


class Skipped(Exception):
    """This machine cannot do it, and why."""


class Disturbed(Exception):
    """The machine got in the way (its stack lost or repeated packets): the test is run again, up to TRIES times."""


TRIES = 4


def call(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Veth:
    """Two namespaces with a link between them: 10.77.0.1 and 10.77.0.2, no IPv6, offloads off.

    What is sent on `a` arrives on `b`: each interface sees both directions of every connection.
    """

    ADDRESSES = {"a": "10.77.0.1", "b": "10.77.0.2"}

    def __init__(self):
        self.spaces = {side: f"{OWN}-{side}" for side in "ab"}

    def __enter__(self):
        if os.geteuid() != 0:
            raise Skipped("needs root for network namespaces")
        self.remove()
        try:
            for space in self.spaces.values():
                call("ip", "netns", "add", space)
                self.run_in(space, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                            "net.ipv6.conf.default.disable_ipv6=1")
            call("ip", "link", "add", "name", "a", "netns", self.spaces["a"], "type", "veth", "peer",
                 "name", "b", "netns", self.spaces["b"])
        except (OSError, subprocess.CalledProcessError) as error:
            self.remove()
            raise Skipped(f"no network namespaces or veth here: {error}") from error
        for side, space in self.spaces.items():
            self.run_in(space, "ip", "address", "add", f"{self.ADDRESSES[side]}/24", "dev", side)
            self.run_in(space, "ip", "link", "set", "dev", "lo", "up")
            self.run_in(space, "ip", "link", "set", "dev", side, "up")
            self.set_offloads(side, False)
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        for space in self.spaces.values():
            subprocess.run(["ip", "netns", "delete", space], capture_output=True, check=False)

    def command(self, side, *command):
        return ["ip", "netns", "exec", self.spaces[side], *map(str, command)]

    @staticmethod
    def run_in(space, *command):
        return call("ip", "netns", "exec", space, *command)

    def run(self, side, *command):
        return call(*self.command(side, *command))

    def set_offloads(self, side, on):
        self.run(side, sys.executable, HERE / "offloads.py", side, "on" if on else "off")

    def packets(self, side):
        """Frames that this interface sent and received, and those it refused."""
        link = self.statistics(side)
        return link["rx"]["packets"] + link["tx"]["packets"]

    def packets_at_rest(self, side):
        """The same, once no frame has moved for a while."""
        count = -1
        while count != (count := self.packets(side)):
            time.sleep(0.3)
        return count

    def statistics(self, side, name=None):
        return json.loads(self.run(side, "ip", "-s", "-j", "link", "show", "dev", name or side))[0]["stats64"]

    def turn_off_and_on(self, side, name=None):
        """Its interface, which is called `name` from then on."""
        self.run(side, "ip", "link", "set", "dev", side, "down")
        time.sleep(0.1)
        if name:
            self.run(side, "ip", "link", "set", "dev", side, "name", name)
        self.run(side, "ip", "link", "set", "dev", name or side, "up")

    def troubles(self):
        """Frames that the kernel dropped or sent again: 0 on a machine that keeps up."""
        count = 0
        for side in "ab":
            link = self.statistics(side)
            count += link["rx"]["dropped"] + link["tx"]["dropped"]
            names, values = [line.split() for line in
                             self.run(side, "cat", "/proc/net/snmp").splitlines() if line.startswith("Tcp:")]
            count += int(values[names.index("RetransSegs")])
        return count


class ServiceManager:
    """What systemd is to a service of Type=notify: hears what it says of itself."""

    def __init__(self, folder):
        self.path = folder / "notify"

    def __enter__(self):
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.bind(str(self.path))
        self.notices.settimeout(10)
        for path in (self.path.parent, self.path):  # the service may be another user by then
            path.chmod(0o777)
        os.environ["NOTIFY_SOCKET"] = str(self.path)
        return self

    def __exit__(self, *_):
        del os.environ["NOTIFY_SOCKET"]
        self.notices.close()
        self.path.unlink()

    def expect(self, notice):
        heard = self.notices.recv(100)
        expect(heard == notice, "heard", heard, "instead of", notice)


class Linger:
    """The program under test, in the background."""

    started = []

    def __init__(self, program, arguments, folder, command=()):
        self.records_path = folder / "records"
        self.errors_path = folder / "errors"
        for path in (self.records_path, self.errors_path):
            path.unlink(missing_ok=True)
        with open(self.errors_path, "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                [*command, program, *map(str, arguments), "-o", f"file:{self.records_path}",
                 "--set", "maxStreams=100000", *OWN_DPDK],
                stderr=errors, stdin=subprocess.DEVNULL)
        self.started.append(self.process)

    @classmethod
    def end_all(cls):
        """Those that a test has left behind, too."""
        while cls.started:
            process = cls.started.pop()
            process.kill()
            process.wait()

    def errors(self):
        return self.errors_path.read_text(encoding="utf-8")

    def wait_for(self, pattern, seconds=60, start=0):
        """In what it has said from there on."""
        until = time.monotonic() + seconds
        while not re.search(pattern, self.errors()[start:]):
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"no '{pattern}', exit code {self.process.poll()}, in:\n{self.errors()}")
            time.sleep(0.01)

    def stop(self, seconds=60):
        """Asks it to end, if it has not; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(seconds)

    def records(self):
        return [json.loads(line) for line in self.records_path.read_text().splitlines()]

    def number(self, pattern):
        """The number that the first group of the pattern finds in the summary."""
        found = re.search(pattern, self.errors())
        assert found, f"no '{pattern}' in:\n{self.errors()}"
        return int(found.group(1).replace(",", ""))


class Tests:
    """Runs functions whose names contain the word and tells TAP."""

    def __init__(self, word=""):
        self.word = word
        self.count = 0
        self.failed = 0

    def run(self, test, *arguments):
        words = [test.__name__, *(str(a) for a in arguments if a != "--set")]
        name = re.sub(r"[^\w=]+", "_", "_".join(words))
        if self.word not in name:
            return
        self.count += 1
        try:
            for attempt in range(1, TRIES + 1):
                try:
                    test(*arguments)
                    break
                except Disturbed as why:
                    print(f"# {name}, try {attempt} of {TRIES}: {why}", flush=True)
            else:
                raise AssertionError("the machine is too busy for it")
        except Skipped as why:
            print(f"ok {self.count} {name} # SKIP {why}", flush=True)
        except Exception as why:
            self.failed += 1
            print(f"not ok {self.count} {name}")
            print("\n".join(f"# {line}" for line in str(why).splitlines()), flush=True)
        else:
            print(f"ok {self.count} {name}", flush=True)
        finally:
            Linger.end_all()

    def finish(self):
        for folder in pathlib.Path("/var/run/dpdk").glob(f"{OWN}*"):
            shutil.rmtree(folder, ignore_errors=True)
        print(f"1..{self.count}")
        return 1 if self.failed else 0


def expect(is_good, *what):
    if not is_good:
        raise AssertionError(" ".join(map(str, what)))
