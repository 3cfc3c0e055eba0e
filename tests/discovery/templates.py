"""Home Assistant's templates, as far as discovery payloads use them, on Jinja itself."""

import datetime
import json
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

RAISE = object()


def as_datetime(value: Any, default: Any = RAISE) -> Any:
    """Seconds of Unix time or an ISO text, as a time of UTC."""
    try:
        return datetime.datetime.fromtimestamp(float(value), datetime.UTC)
    except (TypeError, ValueError):
        pass
    try:
        return datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        if default is RAISE:
            raise
        return default


def as_timestamp(value: Any, default: Any = RAISE) -> Any:
    """The other way round."""
    try:
        return datetime.datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError):
        if default is RAISE:
            raise
        return default


def environment(states: dict[str, str]) -> ImmutableSandboxedEnvironment:
    made = ImmutableSandboxedEnvironment(undefined=Undefined)
    made.globals |= {
        "as_datetime": as_datetime,
        "as_timestamp": as_timestamp,
        "states": lambda entity: states.get(entity, "unknown"),
    }
    made.filters |= {"as_datetime": as_datetime, "as_timestamp": as_timestamp, "to_json": json.dumps, "from_json": json.loads}
    return made


def parse_fault(template: str) -> str | None:
    """What is wrong with the way it is written."""
    try:
        environment({}).from_string(template)
    except TemplateSyntaxError as error:
        return f"is no template: {error.message}"
    return None


def render(template: str | None, payload: str, entity: str = "sensor.x", states: dict[str, str] | None = None) -> str:
    """What an entity makes of a message: without a template the message itself."""
    if template is None:
        return payload
    variables: dict[str, Any] = {"value": payload, "entity_id": entity}
    try:
        variables["value_json"] = json.loads(payload)
    except ValueError:
        pass
    return environment(states or {}).from_string(template).render(variables)


__all__ = ["TemplateError", "as_datetime", "parse_fault", "render"]
