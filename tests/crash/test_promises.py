"""That the count can fail: each way to break a promise is found and named."""

import hashlib
import json
import unittest

from .promises import Promises, facts_sum

ID = "01990000-0000-7000-8000-000000000001"
PREFIX = f"v1/crash/door/2026-01-01/{ID}"


def message(seq: int, state: str, n: int) -> dict:
    return {"v": 1, "n": n, "id": ID, "seq": seq, "state": state, "sent": 5, "score": 0.9, "thumbnail": None, "clip": {"state": "none"}}


def alert(seq: int, state: str) -> dict:
    return {"kind": "alert", "id": ID, "seq": seq, "state": state, "sha256": facts_sum(message(seq, state, 0))}


def item(kind: str, name: str, content: bytes | None, seq: int = 1) -> dict:
    return {"kind": kind, "id": ID, "seq": seq, "key": f"{PREFIX}/{name}", "sha256": content and hashlib.sha256(content).hexdigest()}


class PromisesTest(unittest.TestCase):
    def setUp(self):
        """A visit of four changes, the third of which took up the second, and a clip of one segment."""
        self.promises = Promises()
        for seq, state in enumerate(["began", "updated", "updated", "ended"], 1):
            self.promises.add(alert(seq, state))
        for line in [
            item("thumb", "thumb.jpg", b"first"),
            item("thumb", "thumb.jpg", b"better", 2),
            item("init", "sub/init-1.mp4", b"header"),
            item("media", "sub/00001.m4s", b"pictures"),
            item("playlist", "sub/index.m3u8", None),
            item("facts", "incident.json", None),
        ]:
            self.promises.add(line)
        self.messages = [message(1, "began", 1), message(3, "updated", 2), message(4, "ended", 3)]
        # One that was away for longer: the update was taken up by the end there.
        self.webhook = [message(1, "began", 1), message(4, "ended", 2)]
        playlist = '#EXTM3U\n#EXT-X-MAP:URI="init-1.mp4"\n#EXTINF:2.0,\n00001.m4s\n#EXT-X-ENDLIST\n'
        contents = {
            "thumb.jpg": b"better",
            "sub/init-1.mp4": b"header",
            "sub/00001.m4s": b"pictures",
            "sub/index.m3u8": playlist.encode(),
            "incident.json": json.dumps(message(4, "ended", 0)).encode(),
        }
        self.store = {f"{PREFIX}/{name}": content for name, content in contents.items()}

    def judge(self):
        verdict = self.promises.at_the_end({"the broker": self.messages, "the webhook": self.webhook}, self.store)
        return verdict.lost, verdict.corrupt

    def test_kept(self):
        self.messages.append(self.messages[1])
        self.assertEqual(self.judge(), ([], []))
        self.assertEqual((self.promises.incidents(), self.promises.segments()), (1, 1))

    def test_lost_alert(self):
        for index, state in enumerate(["began", "updated", "ended"]):
            with self.subTest(state):
                self.setUp()
                del self.messages[index]
                lost, _ = self.judge()
                # The update is taken up by the end; its number is missing all the same.
                self.assertTrue(any(state in text or "number" in text for text in lost), lost)

    def test_changed_alert(self):
        self.messages[0]["score"] = 0.8
        self.assertIn("is not what was committed", self.judge()[1][0])

    def test_foreign_alert(self):
        self.messages.append(message(5, "updated", 4))
        self.assertIn("never committed", self.judge()[1][0])

    def test_number_given_twice(self):
        self.messages[1]["n"] = 1
        self.assertIn("number 1 was given twice at the broker", self.judge()[1])

    def test_each_receiver_counts_for_itself(self):
        for index, state in enumerate(["began", "ended"]):
            with self.subTest(state):
                self.setUp()
                del self.webhook[index]
                self.assertIn(f"alert {[1, 4][index]} ({state}) of {ID} at the webhook", self.judge()[0])

    def test_objects(self):
        for name, content, lost in [
            ("sub/00001.m4s", None, True),
            ("thumb.jpg", None, True),
            ("incident.json", None, True),
            ("thumb.jpg", b"first", False),
            ("sub/00001.m4s", b"pictur", False),
            ("sub/00002.m4s", b"who?", False),
            ("sub/index.m3u8", b"#EXTM3U\n", False),
            ("incident.json", json.dumps(message(3, "updated", 0)).encode(), False),
        ]:
            with self.subTest(name, content=content):
                self.setUp()
                if content is None:
                    del self.store[f"{PREFIX}/{name}"]
                else:
                    self.store[f"{PREFIX}/{name}"] = content
                found = self.judge()[0 if lost else 1]
                self.assertTrue(any(name in text for text in found), self.judge())

    def test_rows_after_a_kill(self):
        facts = {seq: json.dumps(message(seq, state, 0)) for seq, state in [(1, "began"), (3, "updated"), (4, "ended"), (5, "updated")]}
        rows = [(ID, 1, "began", facts[1]), (ID, 3, "updated", facts[3]), (ID, 4, "ended", facts[4])]
        objects = [
            (key, known.kind, known.seq, known.sha256 and bytes.fromhex(known.sha256)) for key, known in self.promises.objects.items()
        ]
        verdict = self.promises.after_kill(rows, objects)
        self.assertEqual((verdict.lost, verdict.corrupt, self.promises.cut_off), ([], [], 0))
        verdict = self.promises.after_kill(rows[:2], objects[1:])
        self.assertEqual(len(verdict.lost), 2, verdict)
        # What was committed and could not be told any more is promised from now on.
        self.promises.after_kill([*rows, (ID, 5, "updated", facts[5])], objects)
        self.assertEqual(self.promises.cut_off, 1)
        self.assertIn(f"alert 5 (updated) of {ID} at the broker", self.judge()[0])
