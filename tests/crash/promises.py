"""What was promised, and whether it was kept. Pure: lines, rows, messages and objects in, broken promises out.

Promised is every row that was committed: those of which a line was read, and those that the database has after a kill although the
line did not get out any more.
"""

import hashlib
import json
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field

# What delivery adds to the facts.
ADDED = {"v", "n", "sent", "thumbnail", "clip"}


def facts_sum(message: dict) -> str:
    """SHA-256 of an alert's facts, as the agent makes it."""
    facts = {name: value for name, value in message.items() if name not in ADDED}
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class Verdict:
    lost: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Alert:
    state: str
    sha256: str


@dataclass(frozen=True)
class Object:
    kind: str
    seq: int
    # None: composed when it leaves.
    sha256: str | None


@dataclass
class Promises:
    # By incident and seq.
    alerts: dict[tuple[str, int], Alert] = field(default_factory=dict)
    # By key; the newest content of each.
    objects: dict[str, Object] = field(default_factory=dict)
    # Committed when a kill came before the line got out.
    cut_off: int = 0

    def add(self, line: dict) -> None:
        if line["kind"] == "alert":
            self.alerts[line["id"], line["seq"]] = Alert(line["state"], line["sha256"])
        elif (known := self.objects.get(line["key"])) is None or known.seq < line["seq"]:
            self.objects[line["key"]] = Object(line["kind"], line["seq"], line["sha256"])

    def incidents(self) -> int:
        return len({incident for incident, _ in self.alerts})

    def segments(self) -> int:
        return sum(known.kind == "media" for known in self.objects.values())

    def after_kill(self, alert_rows: Iterable[tuple], object_rows: Iterable[tuple]) -> Verdict:
        """Compares with the database: alerts as (incident, seq, state, facts), objects as (key, kind, version, sum)."""
        verdict = Verdict()
        rows = {(incident, seq): Alert(state, facts_sum(json.loads(facts))) for incident, seq, state, facts in alert_rows}
        self._lost_alerts(rows.keys(), verdict)
        for name, row in rows.items():
            if name not in self.alerts:
                self.cut_off += 1
                self.alerts[name] = row
            elif self.alerts[name].sha256 != row.sha256:
                verdict.corrupt.append(f"the row of alert {name[1]} of {name[0]} is not what was committed")
        found = {key: Object(kind, version, sha256 and sha256.hex()) for key, kind, version, sha256 in object_rows}
        for key, known in self.objects.items():
            row = found.get(key)
            if row is None or row.seq < known.seq:
                verdict.lost.append(f"the row of {key}, content {known.seq}")
            elif row.seq == known.seq and row.sha256 != known.sha256:
                verdict.corrupt.append(f"the row of {key} is not what was committed")
        for key, row in found.items():
            known = self.objects.get(key)
            if known is None or known.seq < row.seq:
                self.cut_off += 1
                self.objects[key] = row
        return verdict

    def _lost_alerts(self, there: Iterable[tuple[str, int]], verdict: Verdict, where: str = "") -> None:
        newest: dict[str, int] = {}
        there = set(there)
        for incident, seq in there:
            newest[incident] = max(seq, newest.get(incident, 0))
        for (incident, seq), alert in self.alerts.items():
            # An update that was not sent there yet is replaced by a later one, which says all that it said.
            collapsed = alert.state == "updated" and newest.get(incident, 0) > seq
            if (incident, seq) not in there and not collapsed:
                verdict.lost.append(f"alert {seq} ({alert.state}) of {incident}{where}")

    def at_the_end(self, heard: dict[str, list[dict]], store: dict[str, bytes]) -> Verdict:
        """Compares with what has arrived at each receiver of alerts and at the store, once the outbox has drained."""
        verdict = Verdict()
        for receiver, messages in heard.items():
            self._arrived(messages, verdict, f" at {receiver}")

        for key, known in self.objects.items():
            if key not in store:
                verdict.lost.append(key)
            elif known.sha256 and hashlib.sha256(store[key]).hexdigest() != known.sha256:
                verdict.corrupt.append(f"{key} is not what was committed")
        for key in store.keys() - self.objects.keys():
            verdict.corrupt.append(f"{key} arrived and was never committed")
        self._playlists(store, verdict)
        self._documents(store, verdict)
        return verdict

    def _arrived(self, messages: list[dict], verdict: Verdict, where: str) -> None:
        # A later duplicate says the same, or it is found here.
        for message in messages:
            name = (message["id"], message["seq"])
            if name not in self.alerts:
                verdict.corrupt.append(f"alert {name[1]} of {name[0]} arrived{where} and was never committed")
            elif facts_sum(message) != self.alerts[name].sha256:
                verdict.corrupt.append(f"alert {name[1]} of {name[0]}{where} is not what was committed")
        self._lost_alerts(((message["id"], message["seq"]) for message in messages), verdict, where)
        self._numbers(messages, verdict, where)

    def _numbers(self, messages: list[dict], verdict: Verdict, where: str) -> None:
        """Each number of a receiver belongs to one alert, and none is missing."""
        named: dict[int, tuple] = {}
        for message in messages:
            name = (message["id"], message["seq"])
            if named.setdefault(message["n"], name) != name:
                verdict.corrupt.append(f"number {message['n']} was given twice{where}")
        missing = set(range(1, max(named, default=0) + 1)) - named.keys()
        verdict.lost.extend(f"the alert with number {n}{where}" for n in sorted(missing))

    def _playlists(self, store: dict[str, bytes], verdict: Verdict) -> None:
        """Every playlist is over and names only what is there; every segment is in its own incident's playlist."""
        named = set()
        for key, content in store.items():
            if not key.endswith(".m3u8"):
                continue
            lines = content.decode().splitlines()
            if lines[-1] != "#EXT-X-ENDLIST":
                verdict.corrupt.append(f"{key} is not closed")
            files = [line for line in lines if not line.startswith("#")]
            files += [line.split('"')[1] for line in lines if line.startswith("#EXT-X-MAP:URI=")]
            for file in files:
                target = posixpath.normpath(posixpath.join(posixpath.dirname(key), file))
                named.add(target)
                if target not in store:
                    verdict.lost.append(f"{target}, which {key} names")
        for key, known in self.objects.items():
            if known.kind == "media" and key in store and key not in named:
                verdict.lost.append(f"{key}: it is in the store, but in no playlist")

    def _documents(self, store: dict[str, bytes], verdict: Verdict) -> None:
        """`incident.json` says what the incident's last alert said."""
        last: dict[str, tuple[int, str]] = {}
        for (incident, seq), alert in self.alerts.items():
            last[incident] = max(last.get(incident, (0, "")), (seq, alert.sha256))
        for key, content in store.items():
            if key.endswith("/incident.json"):
                document = json.loads(content)
                if facts_sum(document) != last.get(document["id"], (0, ""))[1]:
                    verdict.corrupt.append(f"{key} does not say what the last alert of {document['id']} said")
