"""Home Assistant's device discovery as its documentation describes it, and whether payloads keep to it. Knows nothing of Lares.

Written from https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload and from the pages of the platforms
(binary_sensor.mqtt, image.mqtt, sensor.mqtt, switch.mqtt), as they were in 2025. Abbreviations are not understood, and what the
documentation calls deprecated is a fault. Jinja and PyYAML come with moto (tests/requirements.txt).
"""
