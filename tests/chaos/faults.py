"""What goes wrong. Each fault begins, lasts for a while, and ends; then everything must come right by itself."""

import os
import random
import signal
import socket
import threading
import time
from contextlib import suppress

from peers.procfs import PROC, family

from .town import Town

MINUTE, HOUR, DAY = 60, 3600, 86_400


class Fault:
    """One thing that goes wrong, for `lasts` seconds."""

    name = ""
    lasts = (10, 40)

    def __init__(self, town: Town, dice: random.Random):
        self.town, self.dice = town, dice

    def begin(self) -> str:
        """Does it. Returns what was done, for the log."""
        raise NotImplementedError

    def end(self) -> None:
        """Takes the cause away; what it has done stays."""


class ClockStep(Fault):
    """A box's clock is wrong: no battery, a wrong time server, a person at the settings."""

    name = "clock"
    steps = (-40 * DAY, -2 * HOUR, -7 * MINUTE, 20 * MINUTE, 3 * HOUR, 40 * DAY)

    def begin(self) -> str:
        self.box = self.dice.choice(list(self.town.boxes.values()))
        step = self.dice.choice(self.steps)
        self.box.set_clock(step)
        return f"{self.box.site} {step:+d} s"

    def end(self) -> None:
        self.box.set_clock(0)


class FullDisk(Fault):
    """No byte is left on the disk of a box, or of a box and its hub."""

    name = "disk"
    # A recorder holds what the disk refuses for half a minute.
    lasts = (5, 20)

    def begin(self) -> str:
        site = self.dice.choice(list(self.town.disks))
        self.disk = self.town.disks[site]
        self.disk.fill()
        return site

    def end(self) -> None:
        self.disk.empty()


class GarbledIndex(Fault):
    """Some pages of the hub's index are overwritten, as a dying card does."""

    name = "index"
    lasts = (5, 10)

    def begin(self) -> str:
        path = self.town.disks["home"].path / "data/hub/index.db"
        size = path.stat().st_size
        with path.open("r+b") as file:
            at = self.dice.choice([0, self.dice.randrange(0, size, 4096)])
            file.seek(at)
            file.write(self.dice.randbytes(self.dice.choice([512, 4096, 65536])))
        return f"at {at} of {size}"


class KilledBroker(Fault):
    """The broker dies. Its port stays with the hub."""

    name = "broker"

    def begin(self) -> str:
        for pid in family(self.town.boxes["home"].program.process.pid):
            with suppress(OSError):
                if (PROC / str(pid) / "comm").read_text().strip() == "mosquitto":
                    os.kill(pid, signal.SIGKILL)
        return "killed"


class TakenPorts(Fault):
    """A box starts while other programs have the ports of its page, store and health."""

    name = "ports"
    lasts = (15, 30)

    def begin(self) -> str:
        box = self.town.boxes["home"]
        self.town.restarts.append((box.site, time.monotonic()))
        box.stop()
        names = self.dice.sample(["page", "store", "web-home", "broker"], 2)
        self.taken = [port for name in names if (port := take(self.town.ports[name]))]
        box.start()
        return ", ".join(names)

    def end(self) -> None:
        for port in self.taken:
            port.close()


class Flood(Fault):
    """Strangers at page and store: heads and bodies that never end, names and passwords by the hundred."""

    name = "flood"
    lasts = (20, 60)
    connections = 150

    def begin(self) -> str:
        self.over = threading.Event()
        ports = [self.town.ports[name] for name in ("page", "proxy", "store")]
        for work in (self.unfinished, self.logins):
            for port in ports:
                threading.Thread(target=work, args=(port,), daemon=True).start()
        return f"{self.connections} connections to each of {len(ports)} ports"

    def end(self) -> None:
        self.over.set()

    def unfinished(self, port: int) -> None:
        head = b"POST /api/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"
        held: list[socket.socket] = []
        while not self.over.wait(0.2):
            while len(held) < self.connections:
                with suppress(OSError):
                    one = socket.create_connection(("127.0.0.1", port), 2)
                    one.setblocking(False)
                    one.send(head[: random.randrange(10, len(head))])
                    held.append(one)
                    continue
                break
            held = [one for one in held if alive(one)]
        for one in held:
            one.close()

    def logins(self, port: int) -> None:
        while not self.over.wait(0.05):
            body = b'{"name":"%s","password":"guess guess guess"}' % random.choice([b"anna", b"root", b"admin"])
            head = b"POST /api/login HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as one:
                one.sendall(head % (port, len(body)) + body)
                one.recv(1024)


FAULTS: tuple[type[Fault], ...] = (ClockStep, FullDisk, GarbledIndex, KilledBroker, Flood, TakenPorts)


def alive(one: socket.socket) -> bool:
    try:
        return bool(one.recv(1024))
    except BlockingIOError:
        return True
    except OSError:
        return False


def take(port: int, seconds: float = 3) -> socket.socket | None:
    """Listens on a port in somebody else's place, as soon as it is free."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()
            return listener
        except OSError:
            listener.close()
            time.sleep(0.005)
    return None

