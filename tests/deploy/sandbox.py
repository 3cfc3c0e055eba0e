"""`python -m deploy.sandbox COMMAND...`, with `tests` on the path: runs a command under the system call filters of deploy/lares.service.

It installs by libseccomp what systemd would: SystemCallFilter with its groups as systemd-analyze lists them, MemoryDenyWriteExecute,
RestrictAddressFamilies, and NoNewPrivileges. What systemd does by namespaces and users is not in here.
"""

import ctypes
import errno
import mmap
import os
import re
import socket
import subprocess
import sys

from . import ROOT
from .unit import Unit

ALLOW = 0x7FFF0000
NE, EQ, MASKED_EQ = 1, 4, 7
PR_SET_NO_NEW_PRIVS = 38
SHM_EXEC = 0o100000


def refuse(number: int) -> int:
    return 0x00050000 | number


class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


class Filter:
    """One filter. A call must pass all that are installed."""

    def __init__(self, otherwise: int):
        self.seccomp = ctypes.CDLL("libseccomp.so.2")
        self.seccomp.seccomp_init.restype = ctypes.c_void_p
        self.handle = ctypes.c_void_p(self.seccomp.seccomp_init(ctypes.c_uint32(otherwise)))

    def rule(self, action: int, call: str, *compare: Compare) -> None:
        number = self.seccomp.seccomp_syscall_resolve_name(call.encode())
        if number < 0:  # of another architecture, or newer than the library
            return
        array = (Compare * len(compare))(*compare)
        status = self.seccomp.seccomp_rule_add_array(self.handle, ctypes.c_uint32(action), number, len(compare), array)
        if status != 0:
            raise OSError(-status, f"rule for {call}")

    def install(self) -> None:
        status = self.seccomp.seccomp_load(self.handle)
        if status != 0:
            raise OSError(-status, "seccomp_load")


def group(name: str, known: dict[str, set[str]]) -> set[str]:
    """All calls of a group such as @system-service."""
    if name not in known:
        known[name] = set()
        text = subprocess.run(
            ["systemd-analyze", "syscall-filter", "--no-pager", name], check=True, capture_output=True, text=True
        ).stdout
        for word in re.findall(r"^\s+(@?[a-z0-9_-]+)$", text, re.MULTILINE):
            known[name] |= group(word, known) if word.startswith("@") else {word}
    return known[name]


def allowed(unit: Unit) -> set[str]:
    """The calls that SystemCallFilter leaves: the first list allows, those with ~ take away."""
    calls: set[str] = set()
    known: dict[str, set[str]] = {}
    for line in unit.all("SystemCallFilter"):
        away = line.startswith("~")
        for word in line.lstrip("~").split():
            these = group(word, known) if word.startswith("@") else {word}
            calls = calls - these if away else calls | these
    return calls | group("@default", known)


def install(unit: Unit) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    # These first: loading a filter is itself a call that the last one refuses.
    if unit.last("MemoryDenyWriteExecute") == "yes":
        memory = Filter(ALLOW)
        both = mmap.PROT_WRITE | mmap.PROT_EXEC
        memory.rule(refuse(errno.EPERM), "mmap", Compare(2, MASKED_EQ, both, both))
        memory.rule(refuse(errno.EPERM), "mprotect", Compare(2, MASKED_EQ, mmap.PROT_EXEC, mmap.PROT_EXEC))
        memory.rule(refuse(errno.EPERM), "pkey_mprotect", Compare(2, MASKED_EQ, mmap.PROT_EXEC, mmap.PROT_EXEC))
        memory.rule(refuse(errno.EPERM), "shmat", Compare(2, MASKED_EQ, SHM_EXEC, SHM_EXEC))
        memory.install()
    families = {getattr(socket, name) for name in (unit.last("RestrictAddressFamilies") or "").split()}
    sockets = Filter(ALLOW)
    for family in set(range(socket.AF_UNSPEC, 46)) - families:
        sockets.rule(refuse(errno.EAFNOSUPPORT), "socket", Compare(0, EQ, family, 0))
    sockets.install()
    calls = Filter(refuse(errno.EPERM))
    for call in allowed(unit):
        calls.rule(ALLOW, call)
    calls.install()


if __name__ == "__main__":
    install(Unit(ROOT / "deploy/lares.service"))
    os.execvp(sys.argv[1], sys.argv[1:])
