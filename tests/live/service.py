"""linger as the unit of systemd starts it, with the profiles."""

import os
import re
import shlex
import shutil
import signal
import subprocess

from devices import need_dpdk
from stage import HERE, OWN_DPDK, Linger, ServiceManager, Skipped, Veth, expect

CONF = HERE.parent.parent / "conf"
UNIT = CONF / "linger.service"
# What a profile says of its machine, for any.
ANY_MACHINE = ("--set", "shardCores=", "--set", "user=nobody", *OWN_DPDK)
SMALL_RINGS = ("--set", "maxPacketsInQueue=64", "--set", "maxStreams=100000")
# A file system as ProtectSystem=strict and PrivateTmp=yes leave it, but for the folder $0.
READ_ONLY = """
mount --bind "$0" "$0"
while read -r _ at _; do
  case "$at" in /dev*|/proc*|/sys*|"$0") ;; *) mount -o remount,bind,ro "$at" ;; esac
done </proc/self/mounts
exec "$@"
"""


def settings_of(text):
    return dict(re.findall(r'^(\w+): *"?([^"#\n]*?)"? *(?:#.*)?$', text, re.MULTILINE))


def unit_values(name):
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)


def profiles():
    return sorted(CONF.glob("*g.yaml"))


class Installation:
    """The places that the unit names, below one folder."""

    def __init__(self, program, devices, folder):
        self.folder = folder / "service"
        for name in ("logs", "run", "cache"):
            (self.folder / name).mkdir(parents=True)
        shutil.copy(CONF / "10g.yaml", self.folder / "linger.yaml")
        self.places = {"/usr/local/bin/linger": [str(program)],
                       "/etc/linger/linger.yaml": [str(self.folder / "linger.yaml")],
                       "$LINGER_DEVICES": devices,
                       "/var/log/linger": [str(self.folder / "logs")],
                       "file:/var/log/linger/sessions.ndjson": [f"file:{self.records}"],
                       "linger:": ["nobody:"]}

    @property
    def records(self):
        return self.folder / "logs" / "sessions.ndjson"

    def words(self, line):
        return [place for word in shlex.split(line.lstrip("+")) for place in self.places.get(word, [word])]

    @staticmethod
    def need_mounts():
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
            raise Skipped("no mount namespaces here")

    def confined(self):
        """A command before the service's own: the unit's limits, as far as they can be had without systemd."""
        capabilities = [name.lower().removeprefix("cap_") for name in unit_values("CapabilityBoundingSet")[0].split()]
        expect(unit_values("ProtectSystem") == ["strict"] and unit_values("NoNewPrivileges") == ["yes"])
        return ["unshare", "--mount", "setpriv", "--no-new-privs", "--bounding-set",
                ",".join(["-all", *("+" + name for name in capabilities)]), "--",
                "sh", "-ec", READ_ONLY, str(self.folder.parent)]

    def environment(self):
        names = {"RuntimeDirectory": ("RUNTIME_DIRECTORY", "run"), "CacheDirectory": ("XDG_CACHE_HOME", "cache")}
        expect(unit_values("Environment") == ["XDG_CACHE_HOME=/var/cache"], "no cache")
        return {name: str(self.folder / place) for setting, (name, place) in names.items()
                if unit_values(setting) == ["linger"]}


def run(tests, live, server, connect, check_against):
    def every_profile_is_in_effect():
        for profile in profiles():
            dumped = subprocess.run([live.linger, "--dump-config", "-c", profile], capture_output=True,
                                    text=True, check=True).stdout
            wanted = settings_of(profile.read_text(encoding="utf-8"))
            expect(len(wanted) >= 8, profile, wanted)
            expect(wanted.items() <= settings_of(dumped).items(), profile, dumped)

    def every_profile_passes_the_check_of_the_machine():
        need_dpdk(live.linger)
        for profile in profiles():
            check = subprocess.run([live.linger, "-T", "-c", profile, "-i", "dpdk:net_null0", *ANY_MACHINE,
                                    *SMALL_RINGS], capture_output=True, text=True, check=False)
            expect(check.returncode == 0 and "\nfail" not in check.stdout, profile, check.stdout, check.stderr)
            expect("dpdk:net_null0: driver" in check.stdout, profile, check.stdout)

    def the_unit_is_verified():
        if shutil.which("systemd-analyze") is None:
            raise Skipped("no systemd-analyze here")
        copy = live.folder / UNIT.name
        copy.write_text(UNIT.read_text(encoding="utf-8").replace("/usr/local/bin/linger", str(live.linger)),
                        encoding="utf-8")
        check = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
        # It may have something to say of other units of the machine, too.
        expect(check.returncode == 0 and UNIT.name not in check.stderr, check.stdout, check.stderr)

    def the_unit_is_started_again_for_as_long_as_a_port_is_away():
        expect(unit_values("Restart") == ["on-failure"] and unit_values("StartLimitIntervalSec") == ["0"])
        expect(int(unit_values("RestartSec")[0]) >= 1, "it would try many times a second")

    def a_profile_captures_as_the_unit_starts_it():
        need_dpdk(live.linger)
        with Veth() as veth, server(veth), ServiceManager(live.folder) as manager:
            device = ["-i", "dpdk:net_af_packet0,iface=b,qpairs=2,framecnt=16384", *ANY_MACHINE]
            installed = Installation(live.linger, device, live.folder)
            installed.need_mounts()
            before = [installed.words(line) for line in unit_values("ExecStartPre")]
            command = installed.words(unit_values("ExecStart")[0])
            os.environ.update(installed.environment())
            try:
                for words in before:
                    done = subprocess.run(veth.command("b", *installed.confined(), *words), check=False,
                                          capture_output=True, text=True)
                    expect(done.returncode == 0, words, done.stdout, done.stderr)
                linger = Linger(command[0], command[1:], live.folder, veth.command("b", *installed.confined()))
            finally:
                for name in installed.environment():
                    del os.environ[name]
            manager.expect(b"READY=1")
            truth = connect(veth, 50)
            installed.records.rename(installed.folder / "logs" / "moved")
            linger.process.send_signal(signal.SIGHUP)  # ExecReload
            linger.process.send_signal(getattr(signal, unit_values("KillSignal")[0]))
            expect(linger.process.wait(60) == 0, linger.errors())
            manager.expect(b"STOPPING=1")
            check_against(truth, linger)
            expect(any((installed.folder / "cache").rglob("*.*")), "no compiled patterns are kept")
            told = [path.read_text(encoding="utf-8") for path in installed.records.parent.iterdir()]
            expect(len(told) == 2 and sum(text.count("\n") for text in told) == len(linger.records()), told)

    tests.run(every_profile_is_in_effect)
    tests.run(every_profile_passes_the_check_of_the_machine)
    tests.run(the_unit_is_verified)
    tests.run(the_unit_is_started_again_for_as_long_as_a_port_is_away)
    tests.run(a_profile_captures_as_the_unit_starts_it)
