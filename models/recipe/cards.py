"""Write and check model cards: the small TOML files by which the product loads a model."""

import json
import tomllib
from pathlib import Path

import onnx

from .fetch import sha256

VERSION = 1


def _value(value) -> str:
    """A TOML value. Strings, numbers and arrays are written in TOML as in JSON."""
    return json.dumps(value, ensure_ascii=False)


def text(card: dict) -> str:
    """The card as TOML: plain keys first, then one table per dictionary."""
    lines = [f"{key} = {_value(value)}" for key, value in card.items() if not isinstance(value, dict)]
    for key, table in card.items():
        if isinstance(table, dict):
            lines += ["", f"[{key}]"]
            lines += [f"{inner} = {_value(value)}" for inner, value in table.items()]
    return "\n".join(lines) + "\n"


def write(folder: Path, model: onnx.ModelProto, card: dict) -> None:
    """Write `name`.onnx and its card, with the version, file name and sha256 filled in."""
    name = card["name"]
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    head = {"version": VERSION, "name": name, "task": card["task"], "file": path.name, "sha256": sha256(path)}
    (folder / f"{name}.toml").write_text(text(head | card), encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB, {len(model.graph.node)} nodes")


def verify(folder: Path) -> None:
    """Check that every card's file is there and has the sha256 that the card tells."""
    for path in sorted(folder.glob("*.toml")):
        card = tomllib.loads(path.read_text(encoding="utf-8"))
        model = folder / card["file"]
        if not model.is_file() or sha256(model) != card["sha256"]:
            raise SystemExit(f"{model.name} is not the file that {path.name} tells of: run the recipe again.")
        print(f"{path.name}: ok")
