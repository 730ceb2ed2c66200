"""What `MetricsObserver` counts, and how it is read."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SkipTest
from zope.interface.verify import verifyObject

from twisted_repeater import Direction, IObserver
from twisted_repeater._link.link import pair_of
from twisted_repeater.errors import WrongVerdict
from twisted_repeater.observers.metrics import MetricsObserver, exposition

from ..modules import missing
from ..paths import DOCS
from ..peers import PeerCase, hello

RECORDING = SimpleNamespace(recorded=5, left_out=4, waiting=3, age=0.5, suspended="full")
"""The numbers of a recording."""


def samples(observer: MetricsObserver) -> dict[str, float]:
    """Return what an observer collected, by name and labels."""
    collected = {}
    for family in observer.collect():
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sample.labels.items())
            collected[f"{sample.name.removeprefix('twisted_repeater_')}{{{labels}}}"] = sample.value
    return collected


class MetricsCase(PeerCase):
    """A test case that needs ``prometheus_client``."""

    def setUp(self) -> None:
        """See whether it is there."""
        try:
            import prometheus_client  # noqa: F401
        except ImportError:
            raise SkipTest("prometheus_client is missing") from None
        self.observer = MetricsObserver()


class CountingTests(MetricsCase):
    """The numbers."""

    def test_interface(self) -> None:
        """It provides the interface."""
        verifyObject(IObserver, self.observer)

    def test_nothing_yet(self) -> None:
        """Before anything has happened, what is certain to be counted is there, and 0."""
        self.assertEqual(
            samples(self.observer),
            {
                "links{}": 0,
                "stopped_directions{direction=to_server}": 0,
                "stopped_directions{direction=to_client}": 0,
                "links_made_total{}": 0,
                "messages_total{direction=to_server}": 0,
                "messages_total{direction=to_client}": 0,
                "bytes_total{direction=to_server}": 0,
                "bytes_total{direction=to_client}": 0,
            },
        )

    async def test_links(self) -> None:
        """Links are counted while they are there, and when they have ended, by who left, or that they were closed."""
        world = await self.world(observers=[self.observer])
        ann, _ = await world.linked("ann")
        _, peer = await world.linked("bob")
        eve, _ = await world.linked("eve")
        self.assertEqual(self.observer.links, 3)
        ann.close()
        peer.abort()
        world.repeater.close_connection_from_client("eve")
        await eve.lost()
        await world.repeater.shutdown()
        counted = samples(self.observer)
        self.assertEqual((counted["links{}"], counted["links_made_total{}"]), (0, 3))
        self.assertEqual(counted["links_ended_total{side=client,reason=ConnectionDone}"], 1)
        self.assertEqual(counted["links_ended_total{side=server,reason=ConnectionLost}"], 1)
        self.assertEqual(counted["links_ended_total{side=,reason=closed}"], 1)

    def test_recording(self) -> None:
        """The numbers of a recording are there if there is one."""
        self.observer.recording = RECORDING
        found = {name: value for name, value in samples(self.observer).items() if name.startswith("recording")}
        self.assertEqual(
            found,
            {
                "recording_messages_total{}": 5,
                "recording_left_out_total{}": 4,
                "recording_waiting_bytes{}": 3,
                "recording_age_seconds{}": 0.5,
                "recording_suspended{}": 1,
            },
        )

    async def test_messages(self) -> None:
        """Messages and their bytes are counted each way."""
        world = await self.world(observers=[self.observer])
        client, peer = await world.linked("ann")
        client.send(b"one", b"two")
        await peer.seen.reach(3)
        peer.send(b"three")
        await client.seen.reach(2)
        counted = samples(self.observer)
        self.assertEqual(counted["messages_total{direction=to_server}"], 2)
        self.assertEqual(counted["bytes_total{direction=to_server}"], 14)
        self.assertEqual(counted["messages_total{direction=to_client}"], 1)
        self.assertEqual(counted["bytes_total{direction=to_client}"], 9)

    async def test_refusals(self) -> None:
        """Refusals are counted by their error, never by what a stranger chooses."""
        world = await self.world(observers=[self.observer], is_client_allowed=lambda name: False)
        for name in ("ann", "bob"):
            await world.connect(hello(name))
        await world.connect(b"\0\0\0\1[")
        await world.refused(3)
        counted = samples(self.observer)
        self.assertEqual(counted["clients_refused_total{error=ClientNotAllowed}"], 2)
        self.assertEqual(counted["clients_refused_total{error=InvalidHello}"], 1)

    async def test_errors(self) -> None:
        """Trouble is counted by the side, the error, and its reason where it has one."""

        def broken(message: bytes, link: Any) -> None:
            link.send_to_client("no bytes")
            raise OSError

        world = await self.world(observers=[self.observer], to_server_filter=broken)
        client, _ = await world.linked("ann")
        client.send(b"one")
        await world.calls.until(lambda: len(world.errors) == 2)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        counted = samples(self.observer)
        self.assertEqual(counted["errors_total{side=client,error=MarshalingError,reason=}"], 1)
        self.assertEqual(counted["errors_total{side=client,error=CallbackFailed,reason=OSError}"], 1)

    async def test_stopped(self) -> None:
        """A direction that a failed filter has stopped is counted as long as its link is there."""
        world = await self.world(
            observers=[self.observer], to_client_filter=lambda message, link: None, on_error=lambda *arguments: None
        )
        client, peer = await world.linked("ann")
        _, other = await world.linked("bob")
        peer.send(b"one")
        other.send(b"one")
        await world.calls.until(lambda: len(world.errors) == 2)
        self.flushLoggedErrors(WrongVerdict)

        def stopped() -> list[float]:
            counted = samples(self.observer)
            return [counted[f"stopped_directions{{direction={direction.value}}}"] for direction in Direction]

        self.assertEqual(stopped(), [0, 2])
        world.repeater.close_connection_from_client("ann")
        await client.lost()
        await pair_of(world.repeater.links()[0]).when_over()
        self.assertEqual(stopped(), [0, 1])

    async def test_stopped_and_closed(self) -> None:
        """A link that is closed at once, as it is by default, leaves nothing in that count."""
        world = await self.world(observers=[self.observer], to_server_filter=lambda message, link: None)
        client, _ = await world.linked("ann")
        client.send(b"one")
        await client.lost()
        await world.repeater.shutdown()
        self.flushLoggedErrors(WrongVerdict)
        self.assertEqual(self.observer.stopped.total(), 0)
        counted = samples(self.observer)
        self.assertEqual(counted["links_ended_total{side=,reason=CallbackFailed}"], 1)

    async def test_ended_by_the_application(self) -> None:
        """A link that is closed with an error of the application's is counted by that."""
        world = await self.world(observers=[self.observer])
        await world.linked("ann")
        world.repeater.links()[0].close(KeyError())
        await world.repeater.shutdown()
        self.assertEqual(samples(self.observer)["links_ended_total{side=,reason=KeyError}"], 1)


class PageTests(MetricsCase):
    """The page about the administration."""

    def test_every_metric(self) -> None:
        """Every metric has a row there, and there are no others."""
        page = (DOCS / "reference" / "administration.md").read_text()
        told = re.findall(r"^\| `(twisted_repeater_\w+)` \|", page, re.M)
        self.observer.recording = RECORDING
        names = [f"{family.name}{'_total' if family.type == 'counter' else ''}" for family in self.observer.collect()]
        self.assertEqual(told, names)


class ReadingTests(MetricsCase):
    """The text."""

    def test_text(self) -> None:
        """It has what was counted, documented, and what ``prometheus_client`` knows of the process."""
        from prometheus_client.parser import text_string_to_metric_families

        self.observer.refused['Odd\\"\n'] += 1
        text, content_type = exposition(self.observer, "")
        self.assertTrue(content_type.startswith("text/plain; version=0.0.4"))
        families = {family.name: family for family in text_string_to_metric_families(text.decode())}
        (sample,) = families["twisted_repeater_clients_refused"].samples
        self.assertEqual((sample.labels, sample.value), ({"error": 'Odd\\"\n'}, 1))
        self.assertTrue(families["twisted_repeater_links"].documentation)
        self.assertIn("python_info", families)

    def test_open_metrics(self) -> None:
        """A client that prefers OpenMetrics gets that."""
        text, content_type = exposition(self.observer, "application/openmetrics-text; version=1.0.0")
        self.assertTrue(content_type.startswith("application/openmetrics-text"))
        self.assertTrue(text.endswith(b"# EOF\n"))

    def test_odd_format(self) -> None:
        """A client that asks for a format that makes no sense gets the usual one."""
        for accept in ("text/plain; version=x", "application/openmetrics-text; version=1,2", ";;,="):
            text, content_type = exposition(self.observer, accept)
            self.assertIn(b"twisted_repeater_links 0.0", text, accept)
        self.assertTrue(content_type.startswith("text/plain; version=0.0.4"))

    def test_several(self) -> None:
        """The numbers of several repeaters have their names, escaped; each metric is described once."""
        from prometheus_client.parser import text_string_to_metric_families

        other, name = MetricsObserver(), 'o"\\\n'
        other.made = 7
        other.refused["Full"] += 1
        other.recording = RECORDING
        text, _ = exposition({"edge": self.observer, name: other}, "")
        self.assertEqual(text.decode().count("# TYPE twisted_repeater_links gauge"), 1)
        families = {family.name: family for family in text_string_to_metric_families(text.decode())}
        links = {sample.labels["repeater"]: sample.value for sample in families["twisted_repeater_links"].samples}
        self.assertEqual(links, {"edge": 0, name: 7})
        (refused,) = families["twisted_repeater_clients_refused"].samples
        self.assertEqual(refused.labels, {"repeater": name, "error": "Full"})
        (recorded,) = families["twisted_repeater_recording_messages"].samples
        self.assertEqual((recorded.labels, recorded.value), ({"repeater": name}, 5))
        self.assertIn("python_info", families)

    def test_others(self) -> None:
        """Other collectors stand between them and the numbers of the process, without a name."""
        other = MetricsObserver()
        other.made = 7
        text, _ = exposition({"edge": self.observer}, "", other)
        self.assertIn('twisted_repeater_links_made_total{repeater="edge"} 0.0', text.decode())
        self.assertIn("twisted_repeater_links_made_total 7.0", text.decode())

    def test_registry(self) -> None:
        """The observer can be registered like any other collector."""
        from prometheus_client import CollectorRegistry

        registry = CollectorRegistry()
        registry.register(self.observer)
        self.assertEqual(registry.get_sample_value("twisted_repeater_links_made_total"), 0)

    def test_not_installed(self) -> None:
        """Without ``prometheus_client`` counting goes on, reading is an ``ImportError``."""
        missing(self, "prometheus_client")
        self.observer.link_refused(None, Exception())  # type: ignore[arg-type]
        self.assertRaises(ImportError, exposition, self.observer, "")
