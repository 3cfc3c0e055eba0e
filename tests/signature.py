"""Who receives Lares' webhook tells by this what is forged, stale, or was here before. Shown in docs/contracts.md."""

import hashlib
import hmac
import json
import time

TOLERANCE_S = 300


class Verifier:
    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        # What has been taken, and its t. On disk, where a restart must not open the door.
        self.taken: dict[tuple, int] = {}

    def status(self, header: str, body: bytes, now: float | None = None) -> int:
        """The status to answer with; the body may be believed where it is 204."""
        now = time.time() if now is None else now
        try:
            fields = dict(part.split("=", 1) for part in header.split(","))
            t, n, code = int(fields["t"]), int(fields["n"]), fields["v1"]
        except (KeyError, ValueError):
            return 401
        expected = hmac.new(self.secret, b"%d.%d." % (t, n) + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), code.encode()):
            return 401  # forged, or another secret
        if abs(now - t) > TOLERANCE_S:
            return 401  # stale
        self.taken = {key: at for key, at in self.taken.items() if abs(now - at) <= TOLERANCE_S}
        alert = json.loads(body)
        key = alert.get("site"), alert.get("id"), alert.get("seq")
        if key in self.taken:
            return 409  # has been here
        self.taken[key] = t
        return 204
