"""A thousand connections to a port, from an address of their own, that say little and slowly; closed ones are opened anew. One program for
each port, as many systems let a program open 1024 files.

    flood.py PORT

Prints "ready" when all are open or were refused once, and ends when it is killed.
"""

import selectors
import socket
import sys
import time

FROM = "127.0.0.2"
CONNECTIONS = 1000


def connect(port):
    """A connection on its way."""
    out = socket.socket()
    out.setblocking(False)
    out.bind((FROM, 0))
    out.connect_ex(("127.0.0.1", port))
    return out


def main():
    port = int(sys.argv[1])
    watch = selectors.DefaultSelector()
    said = {}

    def open_one():
        out = connect(port)
        said[out] = 0
        watch.register(out, selectors.EVENT_READ)

    for _ in range(CONNECTIONS):
        open_one()
    told = False
    while True:
        began = time.monotonic()
        for key, _ in watch.select(timeout=0):
            out = key.fileobj
            try:
                over = not out.recv(65536)
            except OSError:
                over = True
            if over:
                watch.unregister(out)
                del said[out]
                out.close()
                open_one()
        # A byte of a head now and then, so that none of them is at rest.
        for out, at in said.items():
            try:
                said[out] += out.send(b"GET /api/house HTTP/1.1\r\nHost: localhost\r\nX: "[at : at + 1] or b"x")
            except OSError:
                pass
        if not told:
            print("ready", flush=True)
            told = True
        time.sleep(max(0.0, began + 0.5 - time.monotonic()))


main()
