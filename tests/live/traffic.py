"""Real TCP connections, and the truth about them.

    traffic.py serve ADDRESS PORT
    traffic.py hold ADDRESS PORT         one connection, until standard input ends
    traffic.py datagrams ADDRESS PORT    one for each line of standard input, of one session
    traffic.py frames INTERFACE -        the same datagram again and again, until the interface is gone
    traffic.py connect ADDRESS PORT CONNECTIONS SEED BYTES    responses of fewer than so many bytes
        prints {"connections": …, "aborted": …, "sent": bytes, "received": bytes, "ports": […]}

A client sends a request, reads the response to its end, and closes; a part of them aborts with a
RST halfway.
"""

import errno
import json
import random
import socket
import struct
import sys
import threading

CLIENT_THREADS = 8
FLOOD_SOURCE = "10.78.0.1"
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of no time


def answer(connection):
    with connection:
        try:
            request = connection.recv(65536)
            size = int(request.split(b" ")[1].strip(b"/")) if request else 0
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        except OSError:
            pass


def serve(address, port):
    listener = socket.create_server((address, port), backlog=4096)
    print("serving", flush=True)

    def accept():
        while True:
            answer(listener.accept()[0])

    for _ in range(CLIENT_THREADS):
        threading.Thread(target=accept).start()


def connect_once(address, port, rng, response, truth):
    size = rng.randrange(response)
    aborts = rng.random() < 0.2
    with socket.create_connection((address, port)) as connection:
        truth["ports"].append(connection.getsockname()[1])
        request = b"GET /%d HTTP/1.1\r\nHost: test\r\n\r\n" % size
        connection.sendall(request)
        truth["sent"] += len(request)
        if aborts:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            connection.recv(1)
            truth["aborted"] += 1
            return
        while part := connection.recv(65536):
            truth["received"] += len(part)


def connect(address, port, connections, seed, response):
    truths = []

    def work(index):
        rng = random.Random(seed * 1000 + index)
        truth = {"aborted": 0, "sent": 0, "received": 0, "ports": []}
        truths.append(truth)
        for _ in range(index, connections, CLIENT_THREADS):
            connect_once(address, port, rng, response, truth)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(CLIENT_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sums = {name: sum(truth[name] for truth in truths) for name in ("aborted", "sent", "received")}
    ports = sorted(port for truth in truths for port in truth["ports"])
    print(json.dumps({"connections": len(ports), **sums, "ports": ports}))


def datagrams(address, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for line in sys.stdin:
            sender.sendto(line.encode(), (address, port))
            print("sent", flush=True)


def frames(interface):
    payload = b"x" * 100
    udp = struct.pack(">HHHH", 1024, 9, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                     *map(socket.inet_aton, (FLOOD_SOURCE, "10.78.0.2")))
    frame = bytes.fromhex("0200000000020200000000010800") + ip + udp
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((interface, 0))
        while True:
            try:
                sender.send(frame)
            except OSError as error:
                if error.errno == errno.ENOBUFS:  # its queue is full, or it is being taken away
                    continue
                return


def main():
    _, what, address, port, *rest = sys.argv
    if what == "serve":
        serve(address, int(port))
    elif what == "hold":
        with socket.create_connection((address, int(port))):
            print("connected", flush=True)
            sys.stdin.read()
    elif what == "frames":
        frames(address)
    elif what == "datagrams":
        datagrams(address, int(port))
    else:
        connect(address, int(port), *map(int, rest))


if __name__ == "__main__":
    main()
