"""Wraps the prose of Markdown at a width. Pure; what is no plain paragraph or list stays as it is."""

import re
import textwrap

LEFT_ALONE = ("|", "#", "<", "![", ">", "    ")
ITEM = re.compile(r"(\s*)([-*]|\d+\.)(\s+)")


def wrap(text: str, columns: int) -> str:
    out: list[str] = []
    block: list[str] = []
    fenced = False

    def flush() -> None:
        out.extend(paragraph(block, columns))
        block.clear()

    for line in text.split("\n"):
        fence = line.lstrip().startswith("```")
        in_item = bool(block) and bool(ITEM.match(block[0]))
        if fenced or fence or not line.strip() or (line.startswith(LEFT_ALONE) and not in_item):
            flush()
            out.append(line)
            fenced = fenced != fence
        elif ITEM.match(line) or (in_item and not line.startswith(" ") and block):
            # A line that continues an item without an indent is one all the same.
            if ITEM.match(line):
                flush()
            block.append(line)
        else:
            block.append(line)
    flush()
    return "\n".join(out)


def paragraph(lines: list[str], columns: int) -> list[str]:
    if not lines:
        return []
    if all(len(line) <= columns for line in lines) or any(line.endswith(("  ", "\\")) for line in lines):
        return list(lines)
    item = ITEM.match(lines[0])
    first = item.group() if item else re.match(r"\s*", lines[0]).group()
    rest = " " * len(first)
    words = " ".join(line.strip() for line in [lines[0][len(first) :], *lines[1:]])
    # What is code or a link's text keeps its blanks on one line.
    glued = re.sub(r"`[^`]*`", lambda code: code.group().replace(" ", "\0"), words)
    wrapped = textwrap.wrap(
        glued, columns, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    return [safe(line.replace("\0", " "), at, rest) for at, line in enumerate(wrapped)]


def safe(line: str, at: int, rest: str) -> str:
    """A line may not begin with what would make it an item or a heading."""
    body = line[len(rest) :]
    if at > 0 and re.match(r"([-*+#>]|\d+\.)\s", body):
        return f"{rest}\\{body}" if not body[0].isdigit() else rest + re.sub(r"^(\d+)\.", r"\1\\.", body)
    return line
