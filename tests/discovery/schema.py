"""Which keys a discovery payload may have, which it must have, and what their values may be."""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Callable

from .templates import parse_fault

Check = Callable[[Any], str | None]

DISCOVERY_TOPIC = re.compile(r"(?P<prefix>.+)/device/(?:(?P<node>[a-zA-Z0-9_-]+)/)?(?P<object>[a-zA-Z0-9_-]+)/config")
UNITS = {
    "data_size": {
        "bit", "kbit", "Mbit", "Gbit", "B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB",
        "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB",
    },
    "duration": {"d", "h", "min", "s", "ms"},
    "battery": {"%"},
}
# Of the classes that there are, those that the units above or the rules below say something about, and a few more.
SENSOR_CLASSES = {*UNITS, "data_rate", "date", "enum", "temperature", "timestamp"}
BINARY_CLASSES = {
    "battery", "connectivity", "light", "motion", "moving", "occupancy", "opening", "power", "presence", "problem",
    "running", "safety", "sound", "tamper", "update", "vibration",
}
NOT_NUMERIC = {"date", "enum", "timestamp"}


def text(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "is no text"


def flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "is neither true nor false"


def whole(value: Any) -> str | None:
    return None if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else "is no whole number"


def url(value: Any) -> str | None:
    return None if isinstance(value, str) and re.match(r"(https?|homeassistant)://\S", value) else "is no address"


def icon(value: Any) -> str | None:
    return None if isinstance(value, str) and re.fullmatch(r"[a-z]+:[a-z0-9-]+", value) else "is no icon, such as mdi:cctv"


def topic(value: Any) -> str | None:
    """What can be published on, and subscribed to without hearing of others."""
    if not isinstance(value, str) or not value or len(value.encode()) > 65535:
        return "is no topic"
    if any(c in value for c in "+#\0"):
        return "has a wildcard"
    return None


def template(value: Any) -> str | None:
    return parse_fault(value) if isinstance(value, str) else "is no template"


def one_of(*choices: Any) -> Check:
    def check(value: Any) -> str | None:
        return None if value in choices else f"is none of {', '.join(map(str, choices))}"

    return check


def texts(value: Any) -> str | None:
    return None if isinstance(value, list) and value and all(isinstance(v, str) and v for v in value) else "is no list of texts"


def text_or_texts(value: Any) -> str | None:
    return None if text(value) is None or texts(value) is None else "is neither text nor a list of texts"


def connections(value: Any) -> str | None:
    pairs = isinstance(value, list) and all(isinstance(v, list) and len(v) == 2 and texts(v) is None for v in value)
    return None if pairs else "is no list of pairs"


def name(value: Any) -> str | None:
    """Null where the device's own name says enough."""
    return None if value is None else text(value)


DEVICE: dict[str, Check] = {
    "identifiers": text_or_texts, "connections": connections, "name": text, "manufacturer": text, "model": text,
    "model_id": text, "hw_version": text, "sw_version": text, "serial_number": text, "suggested_area": text,
    "via_device": text, "configuration_url": url,
}
ORIGIN: dict[str, Check] = {"name": text, "sw_version": text, "support_url": url}
AVAILABILITY_ENTRY: dict[str, Check] = {
    "topic": topic, "payload_available": text, "payload_not_available": text, "value_template": template,
}
AVAILABILITY: dict[str, Check] = {
    "availability": lambda value: None if isinstance(value, list) and value else "is no list",
    "availability_mode": one_of("all", "any", "latest"), "availability_topic": topic, "availability_template": template,
    "payload_available": text, "payload_not_available": text,
}
SHARED: dict[str, Check] = {**AVAILABILITY, "qos": one_of(0, 1, 2), "encoding": lambda v: None if isinstance(v, str) else "is no text"}
ROOT: dict[str, Check] = {
    **SHARED, "state_topic": topic, "command_topic": topic,
    "device": lambda v: None, "origin": lambda v: None, "components": lambda v: None,
}
ENTITY: dict[str, Check] = {
    **SHARED, "platform": text, "unique_id": text, "name": name, "default_entity_id": text, "enabled_by_default": flag,
    "entity_category": one_of("config", "diagnostic"), "entity_picture": url, "icon": icon,
    "json_attributes_topic": topic, "json_attributes_template": template,
}
PLATFORMS: dict[str, dict[str, Check]] = {
    "binary_sensor": {
        "state_topic": topic, "value_template": template, "device_class": one_of(*sorted(BINARY_CLASSES)), "payload_on": text,
        "payload_off": text, "expire_after": whole, "force_update": flag, "off_delay": whole,
    },
    "image": {
        "image_topic": topic, "content_type": text, "image_encoding": one_of("b64"), "url_topic": topic, "url_template": template,
    },
    "sensor": {
        "state_topic": topic, "value_template": template, "device_class": one_of(*sorted(SENSOR_CLASSES)), "options": texts,
        "state_class": one_of("measurement", "measurement_angle", "total", "total_increasing"), "unit_of_measurement": text,
        "suggested_display_precision": whole, "expire_after": whole, "force_update": flag, "last_reset_value_template": template,
    },
    "switch": {
        "command_topic": topic, "command_template": template, "state_topic": topic, "value_template": template,
        "device_class": one_of("outlet", "switch"), "payload_on": text, "payload_off": text, "state_on": text, "state_off": text,
        "optimistic": flag, "retain": flag,
    },
}
REQUIRED = {"binary_sensor": {"state_topic"}, "image": set(), "sensor": {"state_topic"}, "switch": {"command_topic"}}


@dataclass
class Findings:
    """What is wrong, and what there was."""

    faults: list[str] = field(default_factory=list)
    devices: int = 0
    entities: int = 0
    values: int = 0

    def fault(self, where: str, what: str) -> None:
        self.faults.append(f"{where}: {what}")


def keys(found: Findings, where: str, value: Any, known: dict[str, Check], required: set[str]) -> dict[str, Any]:
    """Checks keys and values of a mapping."""
    if not isinstance(value, dict):
        found.fault(where, "is no mapping")
        return {}
    for key in sorted(required - value.keys()):
        found.fault(where, f"{key} is missing")
    for key, inner in value.items():
        check = known.get(key)
        fault = "is not a documented key" if check is None else check(inner)
        if fault:
            found.fault(f"{where}.{key}", fault)
    return value


def availability(found: Findings, where: str, value: dict[str, Any]) -> None:
    if "availability" in value and "availability_topic" in value:
        found.fault(where, "availability must not be used together with availability_topic")
    entries = value.get("availability", [])
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        keys(found, f"{where}.availability[{index}]", entry, AVAILABILITY_ENTRY, {"topic"})


def sensor(found: Findings, where: str, entity: dict[str, Any]) -> None:
    kind, unit, state = (entity.get(key) for key in ("device_class", "unit_of_measurement", "state_class"))
    if "options" in entity and (kind != "enum" or unit or state):
        found.fault(where, "options need device_class enum, without state_class or unit_of_measurement")
    if kind == "enum" and "options" not in entity:
        found.fault(where, "an enum needs options")
    if kind in NOT_NUMERIC and (unit or state or "suggested_display_precision" in entity):
        found.fault(where, f"a {kind} is no number: it has no unit, state_class or precision")
    if kind in UNITS and unit not in UNITS[kind]:
        found.fault(where, f"{unit} is no unit of {kind}")
    if "last_reset_value_template" in entity and state != "total":
        found.fault(where, "last_reset_value_template needs state_class total")


def image(found: Findings, where: str, entity: dict[str, Any]) -> None:
    if ("image_topic" in entity) == ("url_topic" in entity):
        found.fault(where, "needs one of image_topic and url_topic")
    if "content_type" in entity and "url_topic" in entity:
        found.fault(where, "content_type does not go with url_topic")


def component(found: Findings, where: str, entity: Any) -> None:
    platform = entity.get("platform") if isinstance(entity, dict) else None
    if platform not in PLATFORMS:
        found.fault(where, f"platform {platform!r} is not known")
        return
    required = {"platform", "unique_id"} | REQUIRED[platform]
    keys(found, where, entity, {**ENTITY, **PLATFORMS[platform]}, required)
    availability(found, where, entity)
    if entity.get("entity_category") == "config" and platform in {"binary_sensor", "sensor"}:
        found.fault(where, "what cannot be set is diagnostic, not config")
    wanted = entity.get("default_entity_id")
    if wanted and not re.fullmatch(platform + r"\.[a-z0-9_]+", wanted):
        found.fault(f"{where}.default_entity_id", f"is no entity id of {platform}")
    {"sensor": sensor, "image": image}.get(platform, lambda *_: None)(found, where, entity)
    found.entities += 1


def document(found: Findings, where: str, payload: str) -> dict[str, Any]:
    """Checks one payload, and gives what it says: empty when it is not JSON."""
    match = DISCOVERY_TOPIC.fullmatch(where)
    if not match or topic(where):
        found.fault(where, "is no topic of a device's discovery")
    try:
        root = json.loads(payload)
    except ValueError as error:
        found.fault(where, f"is not JSON ({error})")
        return {}
    root = keys(found, where, root, ROOT, {"device", "origin", "components"})
    availability(found, where, root)
    device = keys(found, f"{where}.device", root.get("device", {}), DEVICE, set())
    if not device.get("identifiers") and not device.get("connections"):
        found.fault(f"{where}.device", "has neither identifiers nor connections")
    keys(found, f"{where}.origin", root.get("origin", {}), ORIGIN, {"name"})
    components = root.get("components")
    if not isinstance(components, dict) or not components:
        found.fault(f"{where}.components", "is no mapping, or empty")
        components = {}
    for key, entity in components.items():
        component(found, f"{where}.components.{key}", entity)
    found.devices += 1
    return root


def site(found: Findings, documents: dict[str, dict[str, Any]]) -> None:
    """Checks what documents have to do with one another."""
    ids: dict[str, str] = {}
    devices: dict[str, str] = {}
    for where, root in documents.items():
        own = root.get("device", {}).get("identifiers", [])
        for identifier in [own] if isinstance(own, str) else own:
            if other := devices.setdefault(identifier, where):
                if other != where:
                    found.fault(where, f"is the same device as {other}")
        for key, entity in root.get("components", {}).items():
            unique, entity_where = entity.get("unique_id"), f"{where}.components.{key}"
            if (other := ids.setdefault(unique, entity_where)) != entity_where:
                found.fault(entity_where, f"has the unique_id of {other}")
    for where, root in documents.items():
        via = root.get("device", {}).get("via_device")
        if via is not None and devices.get(via, where) == where:
            found.fault(where, f"via_device {via} is no other device")
