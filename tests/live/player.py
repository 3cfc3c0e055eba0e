"""A player of one camera after go2rtc's protocol: writes what it gets to a file that any player opens.

  python -m tests.live.player --page HOST:PORT --camera home/cam1 --seconds 5 --out FILE [--cookie COOKIE]
"""

import argparse
import time

from tests.live.socket_client import Client


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("page", "camera", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--cookie", default="")
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    host, port = options.page.split(":")
    client = Client(host, int(port), f"/api/ws?src={options.camera}", options.cookie)
    client.say(type="mse", value="avc1.640029,avc1.64002A,avc1.640033,hvc1.1.6.L153.B0,mp4a.40.2,mp4a.40.5,flac,opus")
    answer = client.hear()
    if answer["type"] != "mse" or not answer["value"].startswith('video/mp4; codecs="avc1.'):
        raise SystemExit(f"an answer that go2rtc's player does not take: {answer}")
    until = time.monotonic() + options.seconds
    with open(options.out, "wb") as out:
        while time.monotonic() < until:
            message = client.hear()
            if isinstance(message, dict):
                raise SystemExit(f"a message that go2rtc's player does not expect: {message}")
            out.write(message)


if __name__ == "__main__":
    main()
