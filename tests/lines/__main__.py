"""`python -m lines`: the table of rooms, with the largest file of each."""

from pathlib import Path

from . import count

CRATES = [Path("src"), *sorted(Path("crates").glob("*/src"))]


def room_of(file: Path) -> str:
    """`src/NAME…`; in a crate the same, but where the crate itself is the room."""
    src = next(src for src in CRATES if file.is_relative_to(src))
    first = file.relative_to(src).parts[0].removesuffix(".rs")
    return src.parent.name if src.parent.name in ("net", "hub") else first


def files() -> dict[Path, int]:
    """Code in each file that is not of tests."""
    found: dict[Path, int] = {}
    left = [src / name for src in CRATES for name in ("lib.rs", "main.rs") if (src / name).exists()]
    while left:
        file = left.pop()
        text = file.read_text(encoding="utf-8")
        found[file] = count.code(text)
        folder = file.parent if file.name in ("lib.rs", "main.rs", "mod.rs") else file.with_suffix("")
        of_tests = set(count.children_of_tests(text))
        for name in count.children(text):
            paths = [folder / f"{name}.rs", folder / name / "mod.rs"]
            if name not in of_tests:
                left += [path for path in paths if path.exists()]
    return found


def main() -> None:
    rooms: dict[str, list[tuple[int, Path]]] = {}
    for file, lines in files().items():
        rooms.setdefault(room_of(file), []).append((lines, file))
    print(f"{'room':<10} {'files':>5} {'lines':>6}  largest")
    for room, sizes in sorted(rooms.items(), key=lambda room: -sum(lines for lines, _ in room[1])):
        lines, file = max(sizes)
        print(f"{room:<10} {len(sizes):>5} {sum(size for size, _ in sizes):>6}  {file} {lines}")
    every = [size for sizes in rooms.values() for size in sizes]
    print(f"{'together':<10} {len(every):>5} {sum(lines for lines, _ in every):>6}  median {sorted(every)[len(every) // 2][0]}")


main()
