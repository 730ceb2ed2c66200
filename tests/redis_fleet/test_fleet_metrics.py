"""What a node counts."""

from __future__ import annotations

from twisted_repeater import Repeater

from .test_fleet import FleetCase


def numbers(repeater: Repeater) -> dict[str, float]:
    """Return the numbers of a repeater's node, by the ends of their names."""
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    registry.register(repeater.fleet._fleet)  # type: ignore[arg-type]  # it is a collector
    samples = (sample for family in registry.collect() for sample in family.samples)
    return {sample.name.removeprefix("twisted_repeater_fleet_"): sample.value for sample in samples}


class MetricsTests(FleetCase):
    """The numbers of two nodes."""

    async def test_numbers(self) -> None:
        """A node counts the nodes, its names, the names that others had, and what it has asked the engine."""
        engine, here, there = await self.two(lease=1.0, timeout=0.2)
        await here.linked("ann")
        await self.refused(there, "ann")
        await self.until(lambda: numbers(here.repeater)["nodes"] == 2)
        first, second = numbers(here.repeater), numbers(there.repeater)
        self.assertEqual((first["member"], first["names"], first["names_refused_total"]), (1, 1, 0))
        self.assertEqual((second["member"], second["names"], second["names_refused_total"]), (1, 0, 1))
        self.assertGreater(first["engine_calls_total"], first["engine_errors_total"])
        engine.fill()
        await self.until(lambda: not numbers(here.repeater)["member"])
        after = numbers(here.repeater)
        self.assertEqual((after["nodes"], after["names"]), (0, 1))
        self.assertGreater(after["engine_errors_total"], first["engine_errors_total"])
        engine.empty()
        await self.until(lambda: numbers(here.repeater)["member"])
