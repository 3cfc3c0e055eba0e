"""`python -m discovery FILE [PREFIX]`, with `tests` on the path. FILE has a line for each message, in the order in which they came:
JSON with `topic` and `payload`, a text. Checks each discovery payload, what they have to do with one another, and what their entities
make of all other messages. Prints what there was, or what is wrong.
"""

import json
import sys
from pathlib import Path
from typing import Any

from . import schema, values


def main(file: str, prefix: str = "homeassistant") -> int:
    lines = [json.loads(line) for line in Path(file).read_text().splitlines()]
    messages = [(line["topic"], line["payload"]) for line in lines]
    found = schema.Findings()
    documents: dict[str, dict[str, Any]] = {}
    for topic, payload in messages:
        if not topic.startswith(f"{prefix}/") or not topic.endswith("/config"):
            continue
        if payload:
            documents[topic] = schema.document(found, topic, payload)
        else:
            documents.pop(topic, None)
    schema.site(found, documents)
    for topic, root in documents.items():
        values.check(found, topic, root, messages)
    if not documents:
        found.fault(file, "there is no discovery payload")
    print("\n".join(found.faults) or f"ok: {len(documents)} devices, {found.entities} entities, {found.values} values")
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
