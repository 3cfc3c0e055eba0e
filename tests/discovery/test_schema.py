"""The validator finds what is wrong, and lets the documentation's own examples pass."""

import json
import unittest
from copy import deepcopy
from typing import Any

from discovery import schema, values
from discovery.templates import render

TOPIC = "homeassistant/device/kitchen/config"
# Made after the example of the documentation, without abbreviations.
GOOD: dict[str, Any] = {
    "device": {"identifiers": "ea334450945afc", "name": "Kitchen", "sw_version": "1.0"},
    "origin": {"name": "bla2mqtt", "sw_version": "2.1", "support_url": "https://bla2mqtt.example.com/support"},
    "availability": [{"topic": "kitchen/status"}],
    "components": {
        "free": {
            "platform": "sensor", "device_class": "data_size", "unit_of_measurement": "GB", "state_topic": "kitchen/state",
            "value_template": "{{ value_json.free }}", "unique_id": "kitchen_free",
        },
        "mode": {
            "platform": "sensor", "device_class": "enum", "options": ["a", "b"], "state_topic": "kitchen/mode", "unique_id": "kitchen_mode",
        },
        "picture": {"platform": "image", "image_topic": "kitchen/jpeg", "unique_id": "kitchen_picture"},
        "light": {"platform": "switch", "command_topic": "kitchen/set", "state_topic": "kitchen/light", "unique_id": "kitchen_light"},
        "moving": {"platform": "binary_sensor", "state_topic": "kitchen/moving", "unique_id": "kitchen_moving"},
    },
}


def faults(change: Any = None, topic: str = TOPIC) -> list[str]:
    document = deepcopy(GOOD)
    if change:
        change(document)
    found = schema.Findings()
    root = schema.document(found, topic, json.dumps(document))
    schema.site(found, {topic: root})
    return found.faults


def of(key: str, **changes: Any) -> Any:
    def change(document: dict[str, Any]) -> None:
        for name, value in changes.items():
            if value is None:
                del document["components"][key][name]
            else:
                document["components"][key][name] = value

    return change


class Schema(unittest.TestCase):
    def test_what_is_documented_passes(self):
        self.assertEqual(faults(), [])
        self.assertEqual(faults(topic="homeassistant/device/node/kitchen/config"), [])

    def test_what_is_not_is_named(self):
        wrong = [
            (of("free", colour="red"), "free.colour: is not a documented key"),
            (of("free", object_id="x"), "object_id: is not a documented key"),
            (of("free", unique_id=None), "unique_id is missing"),
            (of("free", state_topic=None), "state_topic is missing"),
            (of("free", state_topic="kitchen/+/state"), "has a wildcard"),
            (of("free", unit_of_measurement="gigabytes"), "is no unit of data_size"),
            (of("free", value_template="{{ value_json.free }"), "is no template"),
            (of("free", device_class="weight of the soul"), "is none of"),
            (of("free", entity_category="config"), "is diagnostic, not config"),
            (of("free", default_entity_id="switch.free"), "is no entity id of sensor"),
            (of("free", platform="sensors"), "is not known"),
            (of("free", availability=[{"payload_available": "x"}]), "topic is missing"),
            (of("free", unique_id="kitchen_mode"), "has the unique_id of"),
            (of("mode", state_class="measurement"), "options need device_class enum"),
            (of("mode", options=None), "an enum needs options"),
            (of("picture", url_topic="kitchen/url"), "needs one of image_topic and url_topic"),
            (of("picture", image_topic=None), "needs one of image_topic and url_topic"),
            (of("light", command_topic=None), "command_topic is missing"),
            (of("light", retain="yes"), "is neither true nor false"),
            (of("moving", icon="cctv"), "is no icon"),
            (lambda d: d["device"].pop("identifiers"), "neither identifiers nor connections"),
            (lambda d: d["device"].update(via_device="ea334450945afc"), "is no other device"),
            (lambda d: d["device"].update(colour="red"), "device.colour: is not a documented key"),
            (lambda d: d.pop("origin"), "origin is missing"),
            (lambda d: d.update(availability_topic="x"), "must not be used together"),
            (lambda d: d.update(availability_mode="every"), "is none of all, any, latest"),
            (lambda d: d.update(dev={}), "dev: is not a documented key"),
        ]
        for change, words in wrong:
            found = faults(change)
            self.assertTrue(any(words in fault for fault in found), f"{words!r} is not in {found}")
        self.assertIn("is no topic of a device's discovery", faults(topic="homeassistant/device/köche/config")[0])


class Values(unittest.TestCase):
    def findings(self, *messages: tuple[str, str]) -> schema.Findings:
        found = schema.Findings()
        values.check(found, TOPIC, GOOD, list(messages))
        return found

    def test_what_entities_can_show(self):
        good = self.findings(("kitchen/state", '{"free": 1.5}'), ("kitchen/mode", "b"), ("kitchen/moving", "OFF"), ("kitchen/light", "ON"))
        self.assertEqual((good.faults, good.values), ([], 4))

    def test_what_entities_cannot_show(self):
        for topic, payload, words in [
            ("kitchen/state", '{"free": "much"}', "is no number"),
            ("kitchen/mode", "c", "is none of"),
            ("kitchen/moving", "yes", "is none of"),
            ("kitchen/status", "asleep", "neither that it is there"),
            ("kitchen/state", "broken", "its template fails"),
        ]:
            found = self.findings((topic, payload)).faults
            self.assertTrue(any(words in fault for fault in found), f"{words!r} is not in {found}")

    def test_templates_are_those_of_home_assistant(self):
        self.assertEqual(render("{{ as_datetime(value) }}", "1707294116"), "2024-02-07 08:21:56+00:00")
        self.assertEqual(render("{{ as_timestamp(states('sensor.none'), 0) }}", ""), "0")
        self.assertEqual(render(None, "as it is"), "as it is")


if __name__ == "__main__":
    unittest.main()
