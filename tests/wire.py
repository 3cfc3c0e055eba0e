"""Counts what goes over TCP connections, without knowing what it is: a proxy on loopback that asks the kernel for the packets.

    wire.py PORT:TARGET_PORT...

Prints `ready`, then JSON lines: a `chunk` for each piece that was handed on, and a `count` with the sums of a port when a
connection ends and twice a second while there are any. Packets are those of the side that was connected to: what the
client sent (up) and what it was sent (down), as TCP_INFO counts them. Segments are as small as on Ethernet.
"""

import json
import socket
import struct
import sys
import threading
import time

ETHERNET = 1460
lock = threading.Lock()
closed = {}
live = {}


def say(**line):
    with lock:
        print(json.dumps(line), flush=True)


def packets(sock):
    """Segments sent and received, as the kernel counts them (struct tcp_info, offsets 136 and 140)."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    return struct.unpack_from("<II", info, 136)


class Connection:
    def __init__(self, port, client, target):
        self.port, self.client, self.target = port, client, target
        self.bytes = {"up": 0, "down": 0}
        self.packets = {"up": 0, "down": 0}

    def look(self):
        try:
            self.packets["down"], self.packets["up"] = packets(self.client)
        except OSError:
            pass

    def pump(self, direction, source, sink):
        try:
            while piece := source.recv(65536):
                self.bytes[direction] += len(piece)
                say(what="chunk", at=time.time(), port=self.port, direction=direction, bytes=len(piece))
                sink.sendall(piece)
        except OSError:
            pass
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def run(self):
        back = threading.Thread(target=self.pump, args=("down", self.target, self.client), daemon=True)
        back.start()
        self.pump("up", self.client, self.target)
        back.join(5)
        time.sleep(0.05)
        self.look()
        with lock:
            live[self.port].remove(self)
            closed[self.port].append(self)
        self.client.close()
        self.target.close()
        tell(self.port)


def tell(port):
    with lock:
        connections = closed[port] + live[port]
        for connection in live[port]:
            connection.look()
        sums = {
            f"{direction}_{unit}": sum(getattr(c, unit)[direction] for c in connections)
            for direction in ("up", "down")
            for unit in ("bytes", "packets")
        }
    if connections:
        say(what="count", at=time.time(), port=port, connections=len(connections), **sums)


def listen(port, target):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, ETHERNET)
    listener.bind(("127.0.0.1", port))
    listener.listen(64)
    closed[port], live[port] = [], []

    def accept():
        while True:
            client, _ = listener.accept()
            try:
                onward = socket.create_connection(("127.0.0.1", target))
            except OSError:
                client.close()
                continue
            for sock in (client, onward):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(port, client, onward)
            with lock:
                live[port].append(connection)
            threading.Thread(target=connection.run, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def main():
    pairs = [tuple(map(int, pair.split(":"))) for pair in sys.argv[1:]]
    for port, target in pairs:
        listen(port, target)
    print("ready", flush=True)
    while True:
        time.sleep(0.5)
        for port, _ in pairs:
            if live[port]:
                tell(port)


main()
