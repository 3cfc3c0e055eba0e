"""Reads systemd units, as far as Lares uses them."""

from pathlib import Path


class Unit:
    """Directives by section, in order. A directive may come more than once."""

    def __init__(self, path: Path):
        self.path = path
        self.lines: list[tuple[str, str, str]] = []
        section = ""
        for number, raw in enumerate(path.read_text().splitlines(), 1):
            line = raw.strip()
            if not line or line[0] in "#;":
                continue
            if line.startswith("["):
                section = line.strip("[]")
                continue
            key, equals, value = line.partition("=")
            if not equals or not section:
                raise ValueError(f"{path}:{number}: neither section nor directive: {raw}")
            self.lines.append((section, key.strip(), value.strip()))

    def all(self, key: str, section: str = "Service") -> list[str]:
        return [value for where, name, value in self.lines if (where, name) == (section, key)]

    def last(self, key: str, section: str = "Service") -> str | None:
        values = self.all(key, section)
        return values[-1] if values else None
