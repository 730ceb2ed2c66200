"""The live page of the demonstration."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent, readBody

from twisted_repeater import Repeater, dialects
from twisted_repeater.service.demo_page import DemoPage, DemoRepeater, Unchanged

reactor: Any = installed_reactor


class DemoPageTests(TestCase):
    """`DemoPage`."""

    timeout = 60

    def setUp(self) -> None:
        """Make a page."""
        self.drained: list[str] = []
        self.repeater = DemoRepeater(dialects.int32(), {"dialect": "int32"})
        self.page = DemoPage(self.repeater, lambda: self.drained.append("drained"))

    async def test_served(self) -> None:
        """It is an administration of the repeater, on a free port, until it is stopped."""
        self.repeater.repeater = await Repeater.create(
            self.repeater.dialect,
            repeater_name="demo",
            server_name="exchange",
            listen="tcp:0:interface=127.0.0.1",
            server="tcp:127.0.0.1:1",
            observers=self.repeater.observers,
            reactor=reactor,
        )
        self.addCleanup(self.repeater.repeater.shutdown)
        url = self.page.listen(reactor, "127.0.0.1")
        agent = Agent(reactor)
        for path, key, value in (("readyz", "ready", True), ("repeaters/demo", "name", "demo")):
            response = await agent.request(b"GET", f"{url}{path}".encode())
            self.assertEqual(json.loads(await readBody(response))[key], value)
        await self.page.stop()
        self.flushWarnings()  # of readBody, about a connection that is closed already

    async def test_calls(self) -> None:
        """A reload changes nothing, and a drain ends the demonstration; stopping it unserved is nothing."""
        self.assertEqual(self.page.reload(), [Unchanged("demo")])
        self.assertEqual(self.page.unready(), [])
        self.page.drain()
        self.assertEqual(self.drained, ["drained"])
        await self.page.stop()
