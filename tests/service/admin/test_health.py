"""Calls of programs that watch the process."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SkipTest

from twisted_repeater.observers.metrics import MetricsObserver

from ...modules import missing
from .asking import AdminCase


class HealthTests(AdminCase):
    """Whether it lives, and whether it is ready."""

    async def test_health(self) -> None:
        """A process that lives says so."""
        await self.start()
        self.assertEqual(await self.get("/healthz"), {"healthy": True})

    async def test_readiness(self) -> None:
        """A process that should get no clients says why, with a status that load balancers understand."""
        await self.start()
        self.assertEqual(await self.get("/readyz"), {"ready": True, "reasons": []})
        self.process.reasons = ["draining", "edge: no port is bound"]
        answered = await self.ask("GET", "/readyz")
        self.assertEqual((answered.status, answered.json), (503, {"ready": False, "reasons": self.process.reasons}))

    async def test_version(self) -> None:
        """The versions are there, and how the hot path runs."""
        await self.start()
        version = await self.get("/version")
        self.assertEqual(list(version), ["version", "twisted", "python", "hot_path"])
        self.assertRegex(version["hot_path"], "^(compiled|interpreted)")


class MetricsTests(AdminCase):
    """Numbers for Prometheus."""

    def setUp(self) -> None:
        """Skip without the library."""
        try:
            import prometheus_client  # noqa: F401
        except ImportError:
            raise SkipTest("prometheus_client is missing") from None

    async def test_metrics(self) -> None:
        """The numbers of a repeater have its name, and no name of a client."""
        world = await self.start()
        await world.linked("ann")
        answered = await self.ask("GET", "/metrics")
        self.assertTrue(answered.headers["content-type"].startswith("text/plain; version=0.0.4"))
        self.assertIn(b'\ntwisted_repeater_links{repeater="edge"} 1.0\n', answered.body)
        self.assertNotIn(b"ann", answered.body)

    async def test_fleet(self) -> None:
        """The numbers of a fleet have no name of a repeater."""
        await self.start()
        collector: Any = MetricsObserver()
        collector.made = 7
        self.process.__dict__["fleet"] = collector
        answered = await self.ask("GET", "/metrics")
        self.assertIn(b"\ntwisted_repeater_links_made_total 7.0\n", answered.body)

    async def test_odd_accept(self) -> None:
        """Whatever a client accepts, or says that it accepts, it gets metrics in a format that there is."""
        await self.start()
        for accept in ("\xff", ";;,=", "text/plain; version=x", "application/openmetrics-text; version=1,2"):
            self.assertEqual((await self.ask("GET", "/metrics", accept=accept)).status, 200, accept)

    async def test_no_metrics(self) -> None:
        """Without the library the answer says how to install it."""
        await self.start()
        missing(self, "prometheus_client")
        self.assertIn("pip install 'twisted_repeater[metrics]'", await self.fails(501, "GET", "/metrics"))
