"""A disk that forgets what was not flushed: calls in, what is there after a power cut out. Pure.

Flushing a file keeps its content, flushing a folder keeps its entries; nothing else keeps anything. Real file systems keep more, each
of them something else.
"""

import posixpath
import random
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Node:
    """A file (`data`) or a folder (`entries`), as it is on the disk for sure; what may be lost waits in `pending`, with its time."""

    folder: bool
    data: bytearray = field(default_factory=bytearray)
    entries: dict[str, "Node"] = field(default_factory=dict)
    pending: list[tuple[int, tuple]] = field(default_factory=list)
    # As programs see it while there is power.
    seen: dict[str, "Node"] = field(default_factory=dict)
    length: int = 0

    def apply(self, change: tuple) -> None:
        match change:
            case ("write", offset, data):
                if len(self.data) < offset:
                    self.data.extend(bytes(offset - len(self.data)))
                self.data[offset : offset + len(data)] = data
            case ("truncate", length):
                del self.data[length:]
                self.data.extend(bytes(length - len(self.data)))
            case ("enter", name, node):
                self.entries[name] = node
            case ("remove", name):
                self.entries.pop(name, None)
            case ("rename", old, new, node):
                self.entries.pop(old, None)
                self.entries[new] = node


class Disk:
    """Paths are below `/`, which is always there."""

    def __init__(self):
        self.root = Node(folder=True)
        self.now = 0

    def find(self, path: str) -> Node | None:
        node = self.root
        for name in path.strip("/").split("/"):
            if name and (node := node.seen.get(name)) is None:
                return None
        return node

    def _parent(self, path: str) -> tuple[Node, str]:
        parent = self.find(posixpath.dirname(path))
        if parent is None:
            raise KeyError(f"{path} has no folder")
        return parent, posixpath.basename(path)

    def _change(self, node: Node, change: tuple) -> None:
        self.now += 1
        node.pending.append((self.now, change))

    def make(self, path: str, folder: bool = False) -> None:
        parent, name = self._parent(path)
        if name not in parent.seen:
            parent.seen[name] = node = Node(folder)
            self._change(parent, ("enter", name, node))

    def write(self, path: str, offset: int, data: bytes) -> None:
        if node := self.find(path):
            node.length = max(node.length, offset + len(data))
            self._change(node, ("write", offset, data))

    def truncate(self, path: str, length: int) -> None:
        if (node := self.find(path)) and node.length != length:
            node.length = length
            self._change(node, ("truncate", length))

    def rename(self, old: str, new: str) -> None:
        (parent, before), (other, after) = self._parent(old), self._parent(new)
        if parent is not other:
            raise ValueError(f"{old} moves to another folder")
        node = parent.seen.pop(before)
        parent.seen[after] = node
        self._change(parent, ("rename", before, after, node))

    def remove(self, path: str) -> None:
        parent, name = self._parent(path)
        if parent.seen.pop(name, None):
            self._change(parent, ("remove", name))

    def flush(self, path: str, since: int) -> None:
        """What was done to it up to `since`, when the flush began, is on the disk now."""
        if node := self.find(path):
            for at, change in node.pending:
                if at <= since:
                    node.apply(change)
            node.pending = [(at, change) for at, change in node.pending if at > since]

    def after_cut(self, to: Path, dice: random.Random | None = None) -> None:
        """Writes into the folder `to` what is there now if the power goes. `dice`: of what was not flushed, some is there."""
        self._restore(self.root, to, dice)

    def _restore(self, node: Node, to: Path, dice: random.Random | None) -> None:
        copy = Node(node.folder, bytearray(node.data), dict(node.entries))
        for _, change in node.pending:
            if dice and dice.random() < 0.5:
                copy.apply(change)
        if not node.folder:
            to.write_bytes(copy.data)
            return
        to.mkdir(exist_ok=True)
        for name, entry in copy.entries.items():
            self._restore(entry, to / name, dice)
