"""`python -m texts`: prints what the documents and comments should not say. `python -m texts wrap FILE ...` wraps prose."""

import sys
from pathlib import Path

from . import judge, wrap

# Homely words left in comments of src/. Messages and names follow later; the number only becomes smaller.
LEFT_IN_COMMENTS = 60
# Documents whose prose is not wrapped yet. The list only becomes shorter.
WIDE: list[str] = [
    "CHANGELOG.md",
    "docs/architecture.md",
    "docs/benchmarks.md",
    "docs/cameras.md",
    "docs/configuration.md",
    "docs/contracts.md",
    "docs/decisions/0012-dependencies.md",
    "docs/decisions/0014-where-to-look-and-whom-to-believe.md",
    "docs/decisions/0021-the-hub.md",
    "docs/decisions/0022-clips-encoded-anew.md",
    "docs/decisions/README.md",
    "docs/decisions/0024-worker-pools.md",
    "docs/evaluation.md",
    "docs/first-run.md",
    "docs/hub.md",
    "docs/page-api.md",
    "docs/reliability.md",
    "docs/troubleshooting.md",
    "models/README.md",
]


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
        if str(path) in WIDE:
            if not wide:
                wrong.append(f"{path} is wrapped: take it out of WIDE in tests/texts/__main__.py")
        elif wide:
            wrong.append(f"{path}:{wide[0]}: {len(wide)} lines beyond {judge.COLUMNS} columns: PYTHONPATH=tests python3 -m texts wrap {path}")
    left = [
        f"{path}:{line}: {word}"
        for path in sorted(Path("src").rglob("*.rs"))
        for line, word in judge.homely(judge.comments(path.read_text(encoding="utf-8")))
    ]
    if len(left) > LEFT_IN_COMMENTS:
        wrong += [*left, f"{len(left)} homely words in comments of src/, {LEFT_IN_COMMENTS} were left: reword the new ones"]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def rewrap(paths: list[str]) -> int:
    for path in map(Path, paths):
        path.write_text(wrap.wrap(path.read_text(encoding="utf-8"), judge.COLUMNS), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(rewrap(sys.argv[2:]) if sys.argv[1:2] == ["wrap"] else main())
