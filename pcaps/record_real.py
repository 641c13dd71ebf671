#!/usr/bin/env python3
"""Records what real clients and servers of Debian 12 say: record_real.py [SCENE...], as root.

Each scene is one capture in pcaps/real/, and a function below whose text says what it holds; those
texts are written to pcaps/real/MANIFEST.md. Client and server have a network namespace each, keys
and certificates are made anew and thrown away. Bytes differ with each recording, so that it is done
by hand (./dev record), and the golden records are accepted anew afterwards.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "live"))
from stage import Skipped, Veth  # noqa: E402  (its folder is known only now)

REAL = HERE / "real"
CLIENT, SERVER = "a", "b"  # sides of the link
ADDRESS = Veth.ADDRESSES[SERVER]
ADDRESS6 = {"a": "2001:db8::1", "b": "2001:db8::2"}
NAME = "www.example.test"

HEAD = """# Captures of real programs

Made by `pcaps/record_real.py` (`./dev record`) between two network namespaces; nobody's traffic but its own.
`tests/golden/real_NAME.ndjson` holds the records of each.

| capture | what is in it |
|---|---|
"""


class Stage:
    """The link, a folder for what servers need, and all processes of a scene."""

    def __init__(self, veth, folder):
        self.veth = veth
        self.folder = folder
        self.background = []

    def file(self, name, text=""):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def start(self, side, *command, port=None, udp=False):
        """A server in the background, once it listens."""
        log = open(self.folder / f"log{len(self.background)}", "w", encoding="utf-8")
        process = subprocess.Popen(self.veth.command(side, *command), stdin=subprocess.PIPE,
                                   stdout=log, stderr=log, start_new_session=True)
        self.background.append(process)
        until = time.monotonic() + 10
        kind = "-lun" if udp else "-ltn"
        while port and f":{port} " not in self.veth.run(side, "ss", kind):
            if time.monotonic() > until or process.poll() is not None:
                raise SystemExit(f"{command}: does not listen:\n{pathlib.Path(log.name).read_text()}")
            time.sleep(0.05)
        return process

    def client(self, *command, said=""):
        """A client, to its end; it may fail."""
        done = subprocess.run(self.veth.command(CLIENT, *command), input=said, text=True,
                              capture_output=True, timeout=30, check=False, cwd=self.folder)
        print(f"  {' '.join(map(str, command))[:90]}: {done.returncode}", file=sys.stderr)
        return done

    def stop(self):
        for process in reversed(self.background):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(3)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def certificate(self, name, subject=NAME):
        """A key and a certificate of its own; their files."""
        key, certificate = self.folder / f"{name}.key", self.folder / f"{name}.crt"
        if not key.exists():
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-keyout", key,
                            "-out", certificate, "-subj", f"/O=Example/CN={subject}", "-addext",
                            f"subjectAltName=DNS:{subject},DNS:*.example.test,IP:{ADDRESS}"],
                           check=True, capture_output=True)
        return key, certificate

    def nginx(self, servers):
        configuration = self.file("nginx.conf", f"""
            daemon off; user root; pid {self.folder}/nginx.pid; error_log /dev/null;
            events {{}}
            http {{ access_log off; root {self.folder}/www; gzip on; gzip_min_length 1;
                    client_body_temp_path {self.folder}/body; {servers} }}""")
        (self.folder / "www").mkdir(exist_ok=True)
        (self.folder / "www" / "index.html").write_text("<p>It works.</p>\n" * 40)
        (self.folder / "www" / "data.bin").write_bytes(bytes(range(256)) * 8)
        return ["nginx", "-c", configuration]

    def curl(self, *arguments):
        return self.client("curl", "-s", "-o", "/dev/null", "-m", "10", *arguments)


# --- Scenes ---------------------------------------------------------------------------------------


def http(stage):
    """curl and nginx: GET, HEAD, POST, range, redirect and 404 over one connection, gzip, IPv6"""
    stage.start(SERVER, *stage.nginx(
        "server { listen 80; listen [::]:80; location /old { return 301 /index.html; }"
        " location /post { return 204; } }"), port=80)
    url = f"http://{ADDRESS}"
    stage.curl(f"{url}/index.html", "-o", "/dev/null", f"{url}/old?a=b", "-o", "/dev/null", f"{url}/none",
               "--next", "-s", "-o", "/dev/null", "-r", "10-19", f"{url}/data.bin",
               "--next", "-s", "-I", "-o", "/dev/null", f"{url}/index.html",
               "--next", "-s", "-d", "name=value", "-e", "http://example.test/", f"{url}/post")
    stage.curl("--compressed", "-A", "Mozilla/5.0 (X11; Linux)", "-H", f"Host: {NAME}",
               f"http://[{ADDRESS6[SERVER]}]/")


def https(stage):
    """curl and nginx: TLS 1.3 and 1.2 with HTTP/2 and HTTP/1.1 in it, a name that differs"""
    key, certificate = stage.certificate("server")
    stage.start(SERVER, *stage.nginx(
        f"server {{ listen 443 ssl http2; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {certificate};"
        f" ssl_certificate_key {key}; }}"), port=443)
    for more in ([], ["--tls-max", "1.2"], ["--http1.1", "--tls-max", "1.2"]):
        stage.curl("-k", "--resolve", f"{NAME}:443:{ADDRESS}", *more, f"https://{NAME}/")
    stage.curl("-k", f"https://{ADDRESS}/")


def tls(stage):
    """OpenSSL's s_client and s_server: TLS 1.2 and 1.3, resumption in both, a client certificate, another
    group, a refused version"""
    key, certificate = stage.certificate("server")
    client_key, client_certificate = stage.certificate("client", "client.example.test")
    stage.start(SERVER, "openssl", "s_server", "-accept", "443", "-www", "-key", key, "-cert", certificate,
                "-verify", "1", "-groups", "P-256:X25519", "-alpn", "h2,http/1.1", port=443)

    def connect(*more):
        stage.client("openssl", "s_client", "-connect", f"{ADDRESS}:443", "-servername", NAME,
                     "-alpn", "http/1.1", *more, said="GET / HTTP/1.0\r\n\r\n")

    for version in ("-tls1_2", "-tls1_3"):
        session = stage.folder / f"session{version}"
        connect(version, "-sess_out", session, "-ign_eof")
        connect(version, "-sess_in", session, "-ign_eof")
        connect(version, "-key", client_key, "-cert", client_certificate)
    connect("-tls1_3", "-groups", "X448:P-256")
    connect("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")


def gnutls(stage):
    """gnutls-cli and OpenSSL's s_server: TLS 1.3 and 1.2 as another library says them"""
    key, certificate = stage.certificate("server")
    stage.start(SERVER, "openssl", "s_server", "-accept", "443", "-www", "-key", key, "-cert", certificate,
                port=443)
    for priority in ("NORMAL", "NORMAL:-VERS-TLS1.3"):
        stage.client("gnutls-cli", "--insecure", "--sni-hostname", NAME, "--alpn", "h2", "--priority",
                     priority, "-p", "443", ADDRESS, said="GET / HTTP/1.0\r\n\r\n")


def dtls(stage):
    """OpenSSL's s_client and s_server: DTLS 1.2 with a cookie, and a certificate in fragments"""
    key, certificate = stage.certificate("server")
    stage.start(SERVER, "openssl", "s_server", "-dtls1_2", "-listen", "-accept", "4433", "-key", key,
                "-cert", certificate, "-mtu", "600", port=4433, udp=True)
    stage.client("timeout", "3", "openssl", "s_client", "-dtls1_2", "-mtu", "600", "-connect",
                 f"{ADDRESS}:4433", "-servername", NAME, said="hello\n")


def quic(stage):
    """ngtcp2's client and server: QUIC v1, the draft of v2, version negotiation, a Retry"""
    key, certificate = stage.certificate("server")
    (stage.folder / "www").mkdir(exist_ok=True)
    (stage.folder / "www" / "index.html").write_text("<p>It works.</p>\n" * 40)
    for port, more in ((443, []), (8443, ["--validate-addr"])):
        stage.start(SERVER, "gtlsserver", "-q", "-d", stage.folder / "www", *more, ADDRESS, port, key,
                    certificate, port=port, udp=True)
    url = f"https://{NAME}/index.html"
    for port, more in ((443, []), (443, ["-v", "v2draft"]), (443, ["-v", "0x1a2a3a4a"]), (8443, [])):
        stage.client("gtlsclient", "-q", "--exit-on-all-streams-close", *more, ADDRESS, port, url)


def ssh_server(stage):
    """A login that needs no password; how to call the client."""
    for name in ("host", "user"):
        if not (stage.folder / name).exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f",
                            stage.folder / name], check=True)
    configuration = stage.file("sshd_config", f"HostKey {stage.folder}/host\nUsePAM no\n"
                               f"AuthorizedKeysFile {stage.folder}/user.pub\nStrictModes no\n"
                               f"PidFile none\nPermitRootLogin yes\n")
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    stage.start(SERVER, "/usr/sbin/sshd", "-D", "-e", "-f", configuration, port=22)
    return ["ssh", "-F", "none", "-i", stage.folder / "user", "-o", "StrictHostKeyChecking=no", "-o",
            f"UserKnownHostsFile={stage.folder}/known", "-o", "BatchMode=yes"]


def ssh(stage):
    """OpenSSH: a command run, one with other algorithms, a login refused"""
    call = ssh_server(stage)
    stage.client(*call, ADDRESS, "true")
    stage.client(*call, "-c", "aes256-gcm@openssh.com", "-o", "KexAlgorithms=ecdh-sha2-nistp256",
                 ADDRESS, "true")
    stage.client(*call, "-i", "/nonexistent", "-o", "IdentitiesOnly=yes", "-o", "IdentityFile=none",
                 f"nobody@{ADDRESS}", "true")


def dns(stage):
    """dig and dnsmasq: A, AAAA, MX, TXT, SRV, PTR, CNAME, NXDOMAIN, REFUSED, over UDP, TCP and IPv6"""
    records = ["--address=/www.example.test/192.0.2.80", "--address=/www.example.test/2001:db8::80",
               "--mx-host=example.test,mail.example.test,10", "--txt-record=example.test,v=spf1 -all",
               "--srv-host=_sip._udp.example.test,sip.example.test,5060", "--cname=web.example.test,host.example.test",
               "--host-record=host.example.test,192.0.2.81", "--local=/example.test/"]
    stage.start(SERVER, "dnsmasq", "-k", "-C", "/dev/null", "-h", "-R", "--pid-file=", "-u", "root", *records,
                port=53, udp=True)
    for words in ("www.example.test A", "www.example.test AAAA +nocookie", "example.test MX +noedns",
                  "example.test TXT", "_sip._udp.example.test SRV", "web.example.test A", "none.example.test A",
                  "www.elsewhere.example A", "-x 192.0.2.81", "www.example.test A +tcp",
                  "www.example.test A +tcp +keepopen example.test MX +tcp +keepopen"):
        stage.client("dig", f"@{ADDRESS}", "+tries=1", "+time=2", *words.split())
    stage.client("dig", f"@{ADDRESS6[SERVER]}", "+tries=1", "+time=2", "www.example.test", "AAAA")


def smtp(stage):
    """swaks and aiosmtpd: a mail, one behind STARTTLS, a recipient refused"""
    key, certificate = stage.certificate("server")
    program = stage.file("smtpd.py", f"""
import asyncio, ssl
from aiosmtpd.smtp import SMTP
class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody"):
            return "550 No such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"
    async def handle_DATA(self, server, session, envelope):
        return "250 Queued"
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain({str(certificate)!r}, {str(key)!r})
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
make = lambda: SMTP(Handler(), hostname="mail.example.test", tls_context=context, loop=loop)
loop.run_until_complete(loop.create_server(make, {ADDRESS!r}, 25))
loop.run_forever()
""")
    stage.start(SERVER, "/usr/bin/python3", program, port=25)
    mail = ["swaks", "--server", ADDRESS, "--helo", "client.example.test", "--from", "alice@example.test",
            "--h-Subject", "A test", "--body", "Hello.\nMAIL FROM:<inside@the.mail>\n", "--suppress-data"]
    stage.client(*mail, "--to", "bob@example.test")
    stage.client(*mail, "--to", "bob@example.test", "--tls")
    stage.client(*mail, "--to", "nobody@example.test")


def ftp(stage):
    """curl and vsftpd: files fetched in passive and active mode, an upload refused, a wrong password, AUTH TLS"""
    key, certificate = stage.certificate("server")
    root = stage.folder / "ftp"
    root.mkdir(mode=0o755)
    (root / "file.txt").write_text("a line\n" * 20)
    os.chmod(stage.folder, 0o755)
    for port, more in ((21, ""), (2121, f"ssl_enable=YES\nallow_anon_ssl=YES\nrsa_cert_file={certificate}\n"
                                        f"rsa_private_key_file={key}\nrequire_ssl_reuse=NO\n")):
        configuration = stage.file(f"vsftpd{port}.conf", f"listen=YES\nlisten_port={port}\nanonymous_enable=YES\n"
                                   f"anon_root={root}\nbackground=NO\nseccomp_sandbox=NO\nlocal_enable=NO\n"
                                   f"secure_chroot_dir=/var/empty-ftp\n{more}")
        pathlib.Path("/var/empty-ftp").mkdir(exist_ok=True)
        stage.start(SERVER, "vsftpd", configuration, port=port)
    stage.curl(f"ftp://{ADDRESS}/file.txt")
    stage.curl("-P", "-", "--disable-eprt", f"ftp://{ADDRESS}/")
    stage.curl("-T", stage.file("upload", "text"), f"ftp://{ADDRESS}/upload")
    stage.curl("-u", "bob:wrong", f"ftp://{ADDRESS}/")
    stage.curl("-k", "--ssl-reqd", f"ftp://{ADDRESS}:2121/file.txt")
    pathlib.Path("/var/empty-ftp").rmdir()


def mqtt(stage):
    """mosquitto: publishers and a subscriber of MQTT 3.1.1 and 5, a retained message, a client refused"""
    passwords = stage.file("passwords")
    subprocess.run(["mosquitto_passwd", "-b", passwords, "alice", "secret"], check=True, capture_output=True)
    os.chmod(passwords, 0o644)
    os.chmod(stage.folder, 0o755)
    configuration = stage.file("mosquitto.conf", f"listener 1883\nallow_anonymous false\nuser root\n"
                               f"password_file {passwords}\n")
    stage.start(SERVER, "mosquitto", "-c", configuration, port=1883)
    login = ["-h", ADDRESS, "-u", "alice", "-P", "secret"]
    for version in ("mqttv311", "mqttv5"):
        stage.client("mosquitto_pub", *login, "-V", version, "-i", f"sensor-{version}", "-t",
                     "house/kitchen/temperature", "-m", "21.5", "-q", "1", "-r")
        stage.client("mosquitto_sub", *login, "-V", version, "-i", f"reader-{version}", "-t", "house/#", "-q",
                     "2", "-C", "1")
    stage.client("mosquitto_pub", "-h", ADDRESS, "-u", "mallory", "-P", "guess", "-t", "x", "-m", "y")


def socks(stage):
    """curl through OpenSSH's proxy: SOCKS 5 by name and by address, 4a, 4, a connect that is refused"""
    stage.start(SERVER, *stage.nginx("server { listen 80; }"), port=80)
    call = ssh_server(stage)
    stage.start(SERVER, *call, "-N", "-D", f"{ADDRESS}:1080", "127.0.0.1", port=1080)
    for kind in ("socks5h", "socks5", "socks4a", "socks4"):
        name = "localhost" if kind in ("socks5h", "socks4a") else ADDRESS
        stage.curl("-x", f"{kind}://{ADDRESS}:1080", f"http://{name}/index.html")
    stage.curl("-x", f"socks5h://{ADDRESS}:1080", "http://localhost:9/")


def proxy(stage):
    """haproxy before nginx: PROXY protocol 1, 2, and 2 with values and a checksum"""
    stage.start(SERVER, *stage.nginx("server { listen 80 proxy_protocol; }"), port=80)
    ways = {8001: "send-proxy", 8002: "send-proxy-v2",
            8003: "send-proxy-v2 proxy-v2-options crc32c,unique-id"}
    text = "global\ndefaults\n mode http\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n"
    for port, way in ways.items():
        text += (f"frontend f{port}\n bind 127.0.0.1:{port}\n unique-id-format id-%[rand(9)]\n"
                 f" default_backend b{port}\nbackend b{port}\n server s {ADDRESS}:80 {way}\n")
    stage.start(CLIENT, "haproxy", "-db", "-f", stage.file("haproxy.cfg", text), port=8003)
    for port in ways:
        stage.curl(f"http://127.0.0.1:{port}/index.html")


def modbus(stage):
    """pymodbus: registers and coils read and written, an address that does not exist"""
    server = stage.file("server.py", f"""
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartTcpServer
block = lambda: ModbusSequentialDataBlock(0, [17] * 100)
slave = ModbusSlaveContext(di=block(), co=block(), hr=block(), ir=block())
StartTcpServer(context=ModbusServerContext(slaves=slave, single=True), address=({ADDRESS!r}, 502))
""")
    client = stage.file("client.py", f"""
from pymodbus.client import ModbusTcpClient
client = ModbusTcpClient({ADDRESS!r}, port=502)
client.connect()
client.read_holding_registers(1, 8, slave=1)
client.write_register(3, 42, slave=1)
client.write_coils(2, [True] * 5, slave=1)
client.read_coils(1, 10, slave=1)
client.read_input_registers(500, 2, slave=1)
client.close()
""")
    stage.start(SERVER, "/usr/bin/python3", server, port=502)
    stage.client("/usr/bin/python3", client)


SCENES = (http, https, tls, gnutls, dtls, quic, ssh, dns, smtp, ftp, mqtt, socks, proxy, modbus)

# --- Recording ------------------------------------------------------------------------------------


def give_addresses(veth):
    """Always the same MAC addresses, and IPv6."""
    for number, (side, space) in enumerate(veth.spaces.items(), 1):
        veth.run_in(space, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0",
                    f"net.ipv6.conf.{side}.disable_ipv6=0")
        veth.run(side, "ip", "link", "set", "dev", side, "address", f"02:00:5e:00:53:{number:02x}")
        veth.run(side, "ip", "address", "add", f"{ADDRESS6[side]}/64", "dev", side, "nodad")


def record(scene):
    path = REAL / f"{scene.__name__}.pcap"
    print(scene.__name__, file=sys.stderr)
    with tempfile.TemporaryDirectory() as name, Veth() as veth:
        give_addresses(veth)
        stage = Stage(veth, pathlib.Path(name))
        # Without what the stacks say by themselves (neighbours, routers).
        capture = subprocess.Popen(
            veth.command(CLIENT, "tcpdump", "-i", CLIENT, "-U", "--immediate-mode", "-Z", "root", "-w", path,
                         "tcp or udp"), stderr=subprocess.PIPE, text=True)
        capture.stderr.readline()  # it listens
        try:
            scene(stage)
        finally:
            stage.stop()
            time.sleep(0.5)
            capture.terminate()
            capture.wait()
    print(f"  {path.stat().st_size} bytes", file=sys.stderr)


def main(arguments):
    REAL.mkdir(exist_ok=True)
    by_name = {scene.__name__: scene for scene in SCENES}
    for name in arguments or by_name:
        if name not in by_name:
            return f"no scene {name}; there are: {' '.join(by_name)}"
        try:
            record(by_name[name])
        except Skipped as reason:
            return str(reason)
    rows = [f"| {name} | {' '.join(scene.__doc__.split())} |\n" for name, scene in by_name.items()]
    (REAL / "MANIFEST.md").write_text(HEAD + "".join(rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
