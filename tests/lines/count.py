"""Counts lines of code in Rust text. Pure."""

import re

# What begins a comment, a literal or a lifetime, so that each is skipped as a whole.
TOKEN = re.compile(
    r"""//[^\n]*"""
    r"""|/\*.*?\*/"""
    r"""|b?c?r(?P<hashes>\#*)".*?"(?P=hashes)"""
    r"""|[bc]?"(?:\\.|[^"\\])*\""""
    r"""|'(?:\\[^\n]{1,10}?|[^\\'\n])'""",
    re.DOTALL | re.VERBOSE,
)
# An item that exists in tests only, up to its body or its end.
TEST = re.compile(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*")


def masked(text: str) -> str:
    """Comments become blanks, the inside of literals becomes x; every line stays where it is."""

    def mask(found: re.Match[str]) -> str:
        comment = found.group().startswith(("//", "/*"))
        return re.sub(r"[^\n]", " " if comment else "x", found.group())

    return TOKEN.sub(mask, text)


def item_end(text: str, begin: int) -> int:
    """Where the item at `begin` ends: after its braces, or at a semicolon outside of brackets."""
    depth = 0
    brace = False
    for at in range(begin, len(text)):
        match text[at]:
            case "(" | "[" | "{":
                brace = brace or (depth == 0 and text[at] == "{")
                depth += 1
            case ")" | "]" | "}":
                depth -= 1
                if depth < 0:
                    return at
                if depth == 0 and brace and text[at] == "}":
                    return at + 1
            case ";" if depth == 0:
                return at + 1
            case "," if depth == 0 and not re.match(r"(?:pub\S*\s+)?(?:fn|impl|struct|enum|mod|use)\b", text[begin:]):
                return at + 1
    return len(text)


def code(text: str) -> int:
    """Lines with code that is not of tests."""
    text = masked(text)
    while found := TEST.search(text):
        end = item_end(text, found.end())
        # Of a line that code shares with what goes, the code stays.
        text = text[: found.start()] + re.sub(r"[^\n]", " ", text[found.start() : end]) + text[end:]
    return sum(1 for line in text.splitlines() if line.strip())


def children_of_tests(text: str) -> list[str]:
    """Names of the modules whose files exist in tests only; a `#[path]` as it is written."""
    names = []
    for found in re.finditer(r"#\[cfg\(test\)\]\s*((?:#\[[^\]]*\]\s*)*)(?:pub\S*\s+)?mod\s+(\w+);", text):
        path = re.search(r'path\s*=\s*"([^"]+)"', found.group(1))
        names.append(path.group(1) if path else found.group(2))
    return names


def children(text: str) -> list[str]:
    """Names of all modules with a file of their own."""
    return re.findall(r"^\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+);", masked(text), re.MULTILINE)
