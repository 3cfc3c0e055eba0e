"""What entities make of messages that really came: numbers where there is a unit, times where a time is meant."""

import json
from typing import Any

from .schema import Findings
from .templates import TemplateError, as_datetime, render


def value_fault(entity: dict[str, Any], value: str) -> str | None:
    """Why an entity could not show `value`; an empty one is passed over."""
    kind, platform = entity.get("device_class"), entity["platform"]
    if platform == "binary_sensor":
        allowed = {entity.get("payload_on", "ON"), entity.get("payload_off", "OFF")}
        return None if value in allowed else f"is none of {sorted(allowed)}"
    if platform == "switch":
        on, off = entity.get("payload_on", "ON"), entity.get("payload_off", "OFF")
        allowed = {entity.get("state_on", on), entity.get("state_off", off)}
        return None if value in allowed else f"is none of {sorted(allowed)}"
    if value == "":
        return None
    if kind == "enum":
        return None if value in entity["options"] else f"is none of {entity['options']}"
    if kind == "timestamp":
        try:
            return None if as_datetime(value).tzinfo else "has no time zone"
        except (TypeError, ValueError):
            return "is no time"
    if entity.get("unit_of_measurement") or entity.get("state_class"):
        try:
            float(value)
        except ValueError:
            return "is no number"
    return None


def attributes_fault(text: str) -> str | None:
    try:
        attributes = json.loads(text)
    except ValueError as error:
        return f"is not JSON ({error})"
    if not isinstance(attributes, dict):
        return "is no mapping"
    # Names that Home Assistant keeps for itself, and drops.
    kept = {"available", "device_class", "entity_picture", "icon", "name", "state", "unique_id", "unit_of_measurement"}
    return f"{sorted(kept & attributes.keys())} would be dropped" if kept & attributes.keys() else None


def check(found: Findings, where: str, root: dict[str, Any], messages: list[tuple[str, str]]) -> None:
    """Renders what the entities of a document read, from all messages on their topics."""
    for key, entity in root.get("components", {}).items():
        place = f"{where}.components.{key}"
        tries = [("state_topic", "value_template", lambda v, e=entity: value_fault(e, v))]
        tries.append(("json_attributes_topic", "json_attributes_template", attributes_fault))
        for topic, template, fault_of in tries:
            for payload in (p for t, p in messages if t == entity.get(topic)):
                render_one(found, place, entity.get(template), payload, fault_of)
        entries = entity.get("availability", root.get("availability", []))
        for entry in entries:
            words = {entry.get("payload_available", "online"), entry.get("payload_not_available", "offline")}
            for payload in (p for t, p in messages if t == entry["topic"]):
                def unknown(value: str, words: set[str] = words) -> str | None:
                    return None if value in words else "says neither that it is there nor that it is not"

                render_one(found, f"{place}.availability", entry.get("value_template"), payload, unknown)


def render_one(found: Findings, place: str, template: str | None, payload: str, fault_of: Any) -> None:
    found.values += 1
    try:
        value = render(template, payload)
    except (TemplateError, TypeError, ValueError, ZeroDivisionError) as error:
        found.fault(place, f"its template fails on {payload[:200]}: {error}")
        return
    if fault := fault_of(value):
        found.fault(place, f"{value[:200]!r} {fault}")
