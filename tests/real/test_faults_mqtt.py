"""The tests of an MQTT client, which the docs show, fail under faults, and fail again in the same way."""

from __future__ import annotations

import re
import sys

from ..paths import DOCS
from ..run_page import fences_of, file_name_of
from .mqtt_broker import MqttCase

DEBIAN_PACKAGES = "mosquitto mosquitto-clients"

PAGE = DOCS / "howto" / "testing-with-recordings.md"
FILES = ("meter.py", "test_meter.py", "conftest.py")


class MeterTests(MqttCase):
    """The suite of the page, with paho, before mosquitto, run by pytest."""

    def setUp(self) -> None:
        """Write the suite as the page shows it."""
        super().setUp()
        (self.directory / "pytest.ini").touch()
        for fence in fences_of(PAGE.read_text()):
            name = file_name_of(fence.code)
            if name in FILES:
                code = fence.code.replace("BROKER = 1883", f"BROKER = {self.broker.port}")
                (self.directory / name).write_text(code)

    async def pytest(self, *options: str) -> tuple[int, list[str], str]:
        """Run the suite; return its status, its complaint, and the option with its seed."""
        status, told = await self.run_client(
            "env", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1", sys.executable, "-m", "pytest", "-vv", *options
        )
        (seed,) = re.findall(r"^pytest (--repeater-seed=\d+) test_meter.py::test_\w+$", told, re.M) or [told]
        return status, re.findall(r"^E .*", told, re.M), seed

    async def test_fails_again(self) -> None:
        """It fails, and shows the lost readings and its seed; with this seed it loses the same readings again."""
        status, complaint, seed = await self.pytest()
        self.assertEqual(status, 1)
        self.assertRegex(complaint[0], r"assert \[.*\] == \[0, 1, 2, ")
        self.assertEqual(await self.pytest(seed), (1, complaint, seed))
