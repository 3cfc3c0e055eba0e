"""Finds words and long lines in text. Pure."""

import re

COLUMNS = 100

# A homely word, and what to write. docs/glossary.md has the terms of the product.
INSTEAD = {
    "anew": "again, re-...",
    "whoever": "who it is: an attacker, the owner, everybody who ...",
    "in vain": "without success",
    "for people": "display name, readable",
    "tires": "triggers back-off",
    "stumbles": "fails repeatedly",
    "haste": "latency",
    "dearest": "most expensive",
}

PATTERN = re.compile(r"\b(" + "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in INSTEAD) + r")\b", re.IGNORECASE)


def homely(text: str) -> list[tuple[int, str]]:
    """Line and word of each homely word."""
    return [
        (text.count("\n", 0, found.start()) + 1, re.sub(r"\s+", " ", found.group()).lower())
        for found in PATTERN.finditer(text)
    ]


def prose(text: str) -> str:
    """Markdown without code, addresses and the headings that repeat a message of the program, line for line."""
    lines = []
    fenced = False
    for line in text.split("\n"):
        if line.lstrip().startswith("```"):
            fenced = not fenced
            line = ""
        if fenced or line.startswith(("    ", "### ")):
            line = ""
        line = re.sub(r"`[^`]*`", "", line)
        lines.append(re.sub(r"\]\([^)]*\)", "]", line))
    return "\n".join(lines)


def comments(text: str) -> str:
    """The comments of Rust text, each on its line."""
    return "\n".join(found.group() if (found := re.search(r"//.*", line)) else "" for line in text.split("\n"))


def long_lines(text: str) -> list[int]:
    """Lines of prose beyond COLUMNS; tables, code, headings, and lines of one long word are left alone."""
    found = []
    fenced = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        plain = not fenced and not line.startswith(("    ", "|", "#", "<", "!["))
        if plain and len(line) > COLUMNS and re.search(r"\s", line.strip().removeprefix("- ")[: COLUMNS - 2]):
            found.append(number)
    return found
