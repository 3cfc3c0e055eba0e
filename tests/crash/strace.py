"""What `strace -f -y -xx` wrote, as calls on the files below a folder, in the order in which they ended."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CALLS = "openat,write,writev,pwrite64,pwritev,rename,renameat,renameat2,fsync,fdatasync,unlink,unlinkat,rmdir,mkdir,mkdirat,ftruncate"
COMMAND = ["strace", "-f", "-y", "-xx", "-s", "16777216", "--seccomp-bpf", "-e", f"trace={CALLS}", "-e", "signal=none", "-o"]

LINE = re.compile(r"^(\d+) +(.*)$")
CALL = re.compile(r"^(\w+)\((.*)\) += (-?\d+)(?:<(.*?)>)?")
HEX = re.compile(r"(?:\\x[0-9a-f]{2})+")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
FD = re.compile(r"(-?\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})+)>")


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


@dataclass(frozen=True)
class Call:
    name: str
    # How many calls had ended when it began.
    began: int
    # Path of its first file descriptor, and those among its arguments.
    file: str
    fd: int
    paths: list[str]
    data: bytes
    # The arguments after the last string.
    rest: str
    result: int


def calls(trace: Path) -> Iterator[Call]:
    unfinished: dict[str, tuple[str, int]] = {}
    ended = 0
    with trace.open() as lines:
        for line in lines:
            if not (match := LINE.match(line)):
                continue
            thread, text = match.groups()
            began = ended
            if text.endswith(" <unfinished ...>"):
                unfinished[thread] = (text.removesuffix(" <unfinished ...>"), ended)
                continue
            if text.startswith("<... "):
                head, began = unfinished.pop(thread, ("", ended))
                text = head + text.split(" resumed>", 1)[1]
            if (call := parse(text, began)) is not None:
                ended += 1
                yield call


def parse(text: str, began: int) -> Call | None:
    """None for what failed, or is no call."""
    match = CALL.match(text)
    if not match or int(match[3]) < 0:
        return None
    name, arguments, result, opened = match.groups()
    fd = FD.search(arguments)
    strings = [unhex(found) for found in STRING.findall(arguments)]
    path = opened or (fd[2] if fd else "")
    writes = "write" in name
    return Call(
        name=name,
        began=began,
        file=unhex(path).decode(errors="replace") if HEX.fullmatch(path) else "",
        fd=int(result) if opened else int(fd[1]) if fd and fd[1] != "AT_FDCWD" else -1,
        paths=[] if writes else [string.decode(errors="replace") for string in strings],
        data=b"".join(strings) if writes else b"",
        rest=arguments.rsplit('"', 1)[-1],
        result=int(result),
    )
