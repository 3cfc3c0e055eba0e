"""What live pictures cost the box, and what viewers on slow lines get. Prints one JSON document.

  python -m tests.live.measure --page HOST:PORT --pid PID --cameras home/cam1,home/cam2,... [--seconds S] [--cookie COOKIE]
"""

import argparse
import json
import os
import threading
import time

from tests.live.socket_client import Client, Closed, Fragments

TICK = os.sysconf("SC_CLK_TCK")


def cpu(pid):
    """CPU seconds of a program so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def private(pid):
    """Memory of a program that is its own, in bytes."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        return sum(int(line.split()[1]) * 1024 for line in rollup if line.startswith(("Private_", "Swap:")))


class Viewer(threading.Thread):
    """Watches cameras on one socket until it is told to stop."""

    def __init__(self, options, cameras, rate=None):
        super().__init__(daemon=True)
        self.options, self.cameras, self.rate = options, cameras, rate
        self.heard, self.over, self.first, self.ended = [], False, None, None
        self.start()

    def run(self):
        try:
            self.watch()
        except (Closed, OSError) as error:
            self.ended = f"{type(error).__name__}: {error}"

    def watch(self):
        host, port = self.options.page.split(":")
        began = time.monotonic()
        client = Client(host, int(port), "/api/ws", self.options.cookie, self.rate)
        for channel, camera in enumerate(self.cameras):
            client.say(type="watch", channel=channel, src=camera, value="avc1.640029")
        streams = [Fragments() for _ in self.cameras]
        while not self.over:
            message = client.hear()
            if isinstance(message, dict):
                if message["type"] == "error":
                    raise Closed(message["value"])
                continue
            channel = int.from_bytes(message[:2], "big")
            for key, picture, size in streams[channel].feed(message[4:]):
                now = time.monotonic()
                self.first = self.first or now - began
                self.heard.append((now, key, picture, size))
        client.socket.close()


def share(pid, seconds):
    """CPU of a program over so many seconds, as a share of a core."""
    before, began = cpu(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu(pid) - before) / (time.monotonic() - began)


def tiles(options):
    """CPU of the box with one socket for all cameras, above that without; by turns, so that what else runs tells on both."""
    quiet, busy = [], []
    for _ in range(options.turns):
        quiet.append(share(options.pid, options.seconds))
        viewer = Viewer(options, options.cameras)
        time.sleep(3)
        busy.append(share(options.pid, options.seconds))
        if viewer.ended:
            raise SystemExit(f"the tiles ended: {viewer.ended}")
        viewer.over = True
        viewer.join(10)
        pictures = len(viewer.heard)
        time.sleep(2)
    quiet, busy = sorted(quiet), sorted(busy)
    middle = options.turns // 2
    return {"not_watching": quiet[middle], "watching": busy[middle], "above": busy[middle] - quiet[middle], "pictures": pictures}


def memory(options, count=8):
    """Private memory of the box for each viewer more of a camera that somebody watches already."""
    first = Viewer(options, options.cameras[:1])
    time.sleep(10)
    before = private(options.pid)
    more = [Viewer(options, options.cameras[:1]) for _ in range(count)]
    time.sleep(10)
    each = (private(options.pid) - before) / count
    for viewer in [first, *more]:
        viewer.over = True
        viewer.join(10)
    return {"bytes_per_viewer": each}


def slow(options):
    """How old the pictures are that viewers at half and at a tenth of the stream's rate get."""
    quick = Viewer(options, options.cameras[:1])
    time.sleep(8)
    spent = [size for at, _, _, size in quick.heard if at > quick.heard[0][0] + 3]
    rate = sum(spent) / (quick.heard[-1][0] - quick.heard[0][0] - 3)
    flat = private(options.pid)
    viewers = {"half": Viewer(options, options.cameras[:1], rate / 2), "tenth": Viewer(options, options.cameras[:1], rate / 10)}
    time.sleep(60)
    grown = private(options.pid) - flat
    came = {}
    for at, _, picture, _ in quick.heard:
        came.setdefault(picture, []).append(at)
    result = {"rate": rate, "grown": grown}
    for name, viewer in viewers.items():
        # The first group of pictures is a burst of what was there before.
        heard = [one for one in viewer.heard if one[0] > viewer.heard[0][0] + 20]
        ages = []
        for at, _, picture, _ in heard:
            before = [time for time in came.get(picture, []) if time <= at]
            if before:
                ages.append(at - before[-1])
        keys = [key for _, key, _, _ in heard]
        result[name] = {
            "pictures": len(heard), "keyframes": sum(keys), "oldest": max(ages, default=None), "ended": viewer.ended,
            # A picture stays on the screen until the next one comes.
            "longest_gap": max((b[0] - a[0] for a, b in zip(heard, heard[1:])), default=None),
        }
    for viewer in [quick, *viewers.values()]:
        viewer.over = True
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", required=True)
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--cameras", required=True, type=lambda text: text.split(","))
    parser.add_argument("--cookie", default="")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    print(json.dumps({"tiles": tiles(options), "memory": memory(options), "slow": slow(options)}))


if __name__ == "__main__":
    main()
