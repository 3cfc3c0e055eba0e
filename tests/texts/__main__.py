"""`python -m texts`: prints what the documents and comments should not say. `python -m texts wrap FILE ...` wraps prose."""

import sys
from pathlib import Path

from . import judge, wrap

# Homely words left in comments of sources. Messages and names follow later; the number only becomes smaller.
LEFT_IN_COMMENTS = 60


def documents() -> list[Path]:
    top = [path for path in Path().glob("*.md")]
    return sorted([*top, *Path("docs").rglob("*.md"), *Path("samples").glob("*.md"), *Path("models").glob("*.md"), *Path("deploy").rglob("*.md")])


def main() -> int:
    wrong = []
    for path in documents():
        text = path.read_text(encoding="utf-8")
        for line, word in judge.homely(judge.prose(text)):
            wrong.append(f'{path}:{line}: "{word}": write {judge.INSTEAD[word]}')
        wide = judge.long_lines(text)
        if wide:
            wrong.append(f"{path}:{wide[0]}: {len(wide)} lines beyond {judge.COLUMNS} columns: PYTHONPATH=tests python3 -m texts wrap {path}")
    left = [
        f"{path}:{line}: {word}"
        for path in sorted([*Path("src").rglob("*.rs"), *Path("crates").rglob("*.rs")])
        for line, word in judge.homely(judge.comments(path.read_text(encoding="utf-8")))
    ]
    if len(left) > LEFT_IN_COMMENTS:
        wrong += [*left, f"{len(left)} homely words in comments of sources, {LEFT_IN_COMMENTS} were left: reword the new ones"]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def rewrap(paths: list[str]) -> int:
    for path in map(Path, paths):
        path.write_text(wrap.wrap(path.read_text(encoding="utf-8"), judge.COLUMNS), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(rewrap(sys.argv[2:]) if sys.argv[1:2] == ["wrap"] else main())
