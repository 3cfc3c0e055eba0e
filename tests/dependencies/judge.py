"""Which licences may be shipped, and which crates may be there twice. Pure: JSON in, sentences out."""

import re

# Each may be shipped in a program under MIT OR Apache-2.0 when its text goes along.
ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT",
    "MIT-0", "Unicode-3.0", "Unlicense", "Zlib",
}  # fmt: skip

# Crates that are there in several versions: who needs the older one. Take a line out when it is no longer true.
TWICE = {
    "base64": "axum's WebSockets",
    "block-buffer": "digest 0.10",
    "cpufeatures": "sha1 0.10, below tungstenite",
    "crypto-common": "digest 0.10, below crc-fast",
    "digest": "crc-fast, below object_store and s3s",
    "getrandom": "ring",
    "nom": "x509-parser",
    "rand": "tungstenite",
    "rand_core": "rand 0.9, below tungstenite",
    "rustls-webpki": "rumqttc",
    "sha1": "tungstenite and axum's WebSockets",
    "spin": "flume, below rumqttc",
    "syn": "macros that have not moved to 3",
    "synstructure": "macros that have not moved to syn 3",
}


def shipped(metadata: dict) -> list[dict]:
    """What is compiled into the program; neither tests nor build scripts."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    used: set[str] = set()
    left = [metadata["resolve"]["root"]]
    while left:
        if (package := left.pop()) in used:
            continue
        used.add(package)
        left += [dep["pkg"] for dep in nodes[package]["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])]
    return [package for package in metadata["packages"] if package["id"] in used]


def allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met with ALLOWED; AND binds tighter than OR, and `/` is an old OR."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    at = 0

    def one() -> bool:
        nonlocal at
        if tokens[at] == "(":
            at += 1
            value = either()
            at += 1
            return value
        name = tokens[at]
        at += 1
        if tokens[at : at + 1] == ["WITH"]:
            name += f" WITH {tokens[at + 1]}"
            at += 2
        return name in ALLOWED

    def both() -> bool:
        nonlocal at
        value = one()
        while tokens[at : at + 1] == ["AND"]:
            at += 1
            value = one() and value
        return value

    def either() -> bool:
        nonlocal at
        value = both()
        while tokens[at : at + 1] == ["OR"]:
            at += 1
            value = both() or value
        return value

    return either()


def licences(packages: list[dict]) -> list[str]:
    wrong = []
    for package in packages:
        name, licence = f"{package['name']} {package['version']}", package["license"]
        if not licence:
            wrong.append(f"{name} names no licence: read its text and replace the crate or write why it may stay")
        elif not allowed(licence):
            wrong.append(f"{name} is under {licence}, which is not among ALLOWED in tests/dependencies/judge.py")
    return wrong


def duplicates(packages: list[dict]) -> list[str]:
    versions: dict[str, set[str]] = {}
    for package in packages:
        versions.setdefault(package["name"], set()).add(package["version"])
    twice = {name: sorted(found) for name, found in versions.items() if len(found) > 1}
    new = [
        f"{name} is there as {' and '.join(found)}: use one version, or name who needs the older one in TWICE"
        for name, found in sorted(twice.items())
        if name not in TWICE
    ]
    return new + [f"{name} is there once: take it out of TWICE" for name in sorted(TWICE.keys() - twice.keys())]
