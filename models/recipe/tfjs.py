"""Read a TensorFlow.js graph model: its nodes in order and its weights as arrays."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Node:
    """One operation. `inputs` are tensor names, without a trailing `:0`."""

    op: str
    name: str
    inputs: list[str]
    attributes: dict

    def ints(self, key: str) -> list[int]:
        """A list-of-integers attribute."""
        return [int(value) for value in self.attributes[key]["list"]["i"]]

    def text(self, key: str) -> str:
        """A string attribute (stored in base64)."""
        return base64.b64decode(self.attributes[key]["s"]).decode()

    def flag(self, key: str) -> bool:
        """A boolean attribute, false where absent."""
        return bool(self.attributes.get(key, {}).get("b", False))


@dataclass(frozen=True)
class GraphModel:
    """A graph: `outputs` maps an output's tensor name to its static shape."""

    nodes: list[Node]
    weights: dict[str, np.ndarray]
    outputs: dict[str, list[int]]


def _tensor(name: str) -> str:
    return name.removesuffix(":0")


def load(folder: Path, stem: str) -> GraphModel:
    """Read `stem.json` and `stem.bin`. Weights stored as float16 become float32."""
    description = json.loads((folder / f"{stem}.json").read_text())
    raw = (folder / f"{stem}.bin").read_bytes()

    weights: dict[str, np.ndarray] = {}
    offset = 0
    for entry in (e for group in description["weightsManifest"] for e in group["weights"]):
        stored = np.dtype(entry.get("quantization", entry)["dtype"])
        count = int(np.prod(entry["shape"]))
        values = np.frombuffer(raw, stored, count, offset).reshape(entry["shape"])
        weights[entry["name"]] = values.astype(entry["dtype"])
        offset += count * stored.itemsize
    if offset != len(raw):
        raise SystemExit(f"{stem}.bin has {len(raw)} bytes, its description {offset}: the download is damaged.")

    nodes = [
        Node(n["op"], n["name"], [_tensor(i) for i in n.get("input", [])], n.get("attr", {}))
        for n in description["modelTopology"]["node"]
        if n["op"] != "Const"
    ]
    outputs = {
        _tensor(value["name"]): [int(d["size"]) for d in value["tensorShape"]["dim"]]
        for value in description["signature"]["outputs"].values()
    }
    return GraphModel(nodes, weights, outputs)
