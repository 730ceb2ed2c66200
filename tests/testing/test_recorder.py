"""What is put down of a repeater."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DO_NOTHING, PASS_ON, Close, Send
from twisted_repeater.testing import Event, MemoryRepeater


def told(running: MemoryRepeater, *events: Event) -> list[str]:
    """Return these entries as they are printed, without the time."""
    return [" ".join(str(entry).split()[2:]) for entry in running.transcript if entry.event in events]


class VerdictTests(SynchronousTestCase):
    """Verdicts."""

    def test_each(self) -> None:
        """Each verdict is put down, with its direction."""
        running = MemoryRepeater(
            to_server_filter=lambda message, link: PASS_ON if message == b"1" else DO_NOTHING,
            to_client_filter=lambda message, link: Send(message.upper()),
        )
        client = running.connect("alice")
        client.send(b"1", b"2")
        running.server["alice"].send(b"three")
        self.assertEqual(
            told(running, Event.TO_SERVER, Event.TO_CLIENT),
            ["alice to server: PASS_ON", "alice to server: DO_NOTHING", "alice to client: Send(b'THREE')"],
        )

    def test_later(self) -> None:
        """One that comes later is put down twice: when it is asked for, and when it is there."""
        asked: list[Deferred[Any]] = []

        def ask(message: bytes, link: Any) -> Deferred[Any]:
            asked.append(Deferred())
            return asked[-1]

        async def pass_on(message: bytes, link: Any) -> Any:
            return PASS_ON

        running = MemoryRepeater(to_server_filter=ask, to_client_filter=pass_on)
        client = running.connect("alice")
        client.send(b"1")
        running.server["alice"].send(b"2")
        asked[0].callback(DO_NOTHING)
        self.assertEqual(
            told(running, Event.TO_SERVER, Event.TO_CLIENT),
            ["alice to server: (no verdict yet)", "alice to client: PASS_ON", "alice to server: DO_NOTHING"],
        )

    def test_failures(self) -> None:
        """What is no verdict is none here; the error tells, and names the filter as it would without all this."""

        class Broken:
            def __repr__(self) -> str:
                return "<Broken>"

            def __call__(self, message: bytes, link: Any) -> Any:
                if message == b"raise":
                    raise ValueError("broken")
                return "no verdict"

        for message in (b"raise", b"return"):
            running = MemoryRepeater(to_server_filter=Broken())
            running.connect("alice").send(message)
            (line,) = told(running, Event.TO_SERVER, Event.CLIENT_ERROR)
            self.assertIn("Broken", line)
            self.assertNotIn("watched", line)
        self.assertEqual(len(self.flushLoggedErrors()), 2)

    def test_filters_that_take_over(self) -> None:
        """The verdicts of filters that replace others later are put down too."""
        running = MemoryRepeater(to_server_filter=lambda message, link: PASS_ON)
        client = running.connect("alice")
        client.send(b"1")
        running.repeater.replace_filters(to_server_filter=lambda message, link: DO_NOTHING)
        client.send(b"2")
        running.repeater.replace_filters(to_server_filter=None)
        client.send(b"3")
        self.assertEqual(told(running, Event.TO_SERVER), ["alice to server: PASS_ON", "alice to server: DO_NOTHING"])


class LinkTests(SynchronousTestCase):
    """Links."""

    def test_from_beginning_to_end(self) -> None:
        """Links that are made, refused and ended are put down, with reasons; sides that go with them are no errors."""
        running = MemoryRepeater(
            to_server_filter=lambda message, link: Close(ValueError("enough")),
            is_client_allowed=lambda name: name != "mallory",
        )
        running.connect("mallory")
        running.connect("alice").send(b"1")
        running.connect("bob")
        running.repeater.close_connection_from_client("bob")
        running.settle()
        ends = told(running, Event.LINKED, Event.REFUSED, Event.ENDED)
        self.assertEqual(
            ends,
            [
                "mallory refused ClientNotAllowed: client 'mallory' is not allowed",
                "alice linked",
                "alice link ended ValueError: enough",
                "bob linked",
                "bob link ended",
            ],
        )
        self.assertEqual((len(told(running, Event.CLIENT_GONE, Event.SERVER_GONE)), running.errors), (4, []))

    def test_errors(self) -> None:
        """Errors are put down with their side."""
        running = MemoryRepeater(on_error=lambda link, side, error: None)
        client = running.connect("alice")
        running.server["alice"].abort()
        client.send_bytes(b"\xff\xff\xff\xff")
        self.assertEqual(
            [line.split(":")[0] for line in told(running, Event.SERVER_ERROR, Event.CLIENT_ERROR)],
            ["alice server error Disconnected", "alice client error Disconnected"],
        )
