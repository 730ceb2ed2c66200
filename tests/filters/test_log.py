"""Tests of `Log`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, CallbackFailed, Dialect, Direction, Verdict, chain
from twisted_repeater.dialects import int32
from twisted_repeater.filters import Log
from twisted_repeater.filters.log import short_repr
from twisted_repeater.testing import FilterHarness


class LogTests(SynchronousTestCase):
    """The lines in the log."""

    def logged(self, messages: list[bytes], log: Log) -> list[str]:
        """Let messages go through, and give what is logged of them."""
        harness = FilterHarness(log, client_name="ann")
        with capturedLogs() as events:
            harness.client_sends(*messages).expect(to_server=messages)
        self.level = [event["log_level"] for event in events]
        return [str(formatEvent(event)) for event in events]

    def test_all(self) -> None:
        """Each message is logged and passes on."""
        told = ["client 'ann', to the server: b'a'", "client 'ann', to the server: b'b'"]
        self.assertEqual(self.logged([b"a", b"b"], Log("to the server")), told)
        self.assertEqual(self.level, [LogLevel.info] * 2)

    def test_long(self) -> None:
        """A long message is cut short."""
        for long in (b"x" * 10**6, b"\n" * 10**6):
            (told,) = self.logged([long], Log(level=LogLevel.debug))
            self.assertLess(len(told), 225)
            self.assertEqual(self.level, [LogLevel.debug])
        self.assertLessEqual(len(short_repr([list(range(100))] * 100)), 200)
        self.assertLessEqual(len(short_repr(10**1000)), 200)

    def test_long_name(self) -> None:
        """So is a long name of a client."""
        harness = FilterHarness(Log(), client_name="x" * 60_000)
        with capturedLogs() as events:
            harness.client_sends(b"a").expect(to_server=[b"a"])
        self.assertLess(len(str(formatEvent(events[0]))), 300)

    def test_not_long(self) -> None:
        """One that is not long is shown in full."""
        message = b"buy 500000 ACME at 10.50, good till cancelled, for the account of ann; the note is: " + b"x" * 100
        self.assertEqual(self.logged([message], Log()), [f"client 'ann', message: {message!r}"])
        order = {f"field{number}": "x" * 5 for number in range(8)}
        self.assertEqual(short_repr(order), repr(order))

    def test_sample(self) -> None:
        """Of a sample, the first is logged, and then the share that was asked for."""
        messages = [b"%d" % number for number in range(1000)]
        self.assertEqual(len(self.logged(messages, Log(sample=0.01))), 10)
        self.assertEqual(len(self.logged(messages, Log(sample=0.75))), 750)
        told = self.logged(messages[:5], Log(sample=0.5))
        self.assertEqual([one[-3:] for one in told], ["'0'", "'2'", "'4'"])

    def test_exact_sample(self) -> None:
        """The share is exact, also if a float cannot hold it."""
        messages = [b"%d" % number for number in range(1, 301)]
        for sample, step in ((0.1, 10), (0.01, 100), (1 / 3, 3), (1 / 7, 7), (0.05, 20)):
            told = self.logged(messages, Log(sample=sample, redact=bytes.decode))
            expected = [f"client 'ann', message: {number}" for number in range(1, 301, step)]
            self.assertEqual(told, expected, sample)

    def test_redact(self) -> None:
        """The log shows the redacted message; redaction is called for logged messages only."""
        called: list[Any] = []

        def redact(message: bytes) -> str:
            called.append(message)
            return f"{len(message)} bytes"

        self.assertEqual(
            self.logged([b"secret", b"b"], Log(sample=0.5, redact=redact)), ["client 'ann', message: 6 bytes"]
        )
        self.assertEqual(called, [b"secret"])

    def test_own_line(self) -> None:
        """What redaction makes of a message stays on its line and cannot pass for another."""
        told = self.logged([b"pay\n2026 [-] client 'admin' linked\x1b[2J"], Log(redact=bytes.decode))
        self.assertEqual(told, [r"client 'ann', message: pay\n2026 [-] client 'admin' linked\x1b[2J"])
        self.assertEqual(self.logged([b"abc"], Log(redact=len)), ["client 'ann', message: 3"])

    def test_braces(self) -> None:
        """A message is not used as a format."""
        self.assertEqual(self.logged([b"{client}"], Log()), ["client 'ann', message: b'{client}'"])

    def test_redaction_fails(self) -> None:
        """What cannot be redacted is not logged, but that is."""

        def redact(message: bytes) -> str:
            raise LookupError("cannot")

        with capturedLogs() as events:
            FilterHarness(Log(redact=redact)).client_sends(b"secret").expect(errors=[CallbackFailed], closed=True)
        self.assertNotIn("secret", str(events))
        self.flushLoggedErrors(LookupError)

    def test_wrong_sample(self) -> None:
        """A sample is a share."""
        make: Callable[[float], Log] = lambda sample: Log(sample=sample)  # noqa: E731
        for sample in (0, -1, 1.5):
            self.assertRaises(ValueError, make, sample)

    def test_redacted_by_the_dialect(self) -> None:
        """What the dialect calls secret is not shown, in either direction, at once and later; the peers get it."""

        def redact(message: Any, direction: Direction) -> bytes:
            return b"%b %b" % (direction.value.encode(), message[:3])

        plain = int32()
        dialect = Dialect(name="secretive", framing=plain.framing, opening=plain.opening, redact=redact)
        later: Deferred[Verdict] = Deferred()
        log = Log(redact=lambda message: message.decode())
        run = FilterHarness(chain(lambda message, link: later, log), log, dialect=dialect)
        with capturedLogs() as events:
            run.server_sends(b"key 1").expect(to_client=[b"key 1"])
            run.client_sends(b"pin 2")
            later.callback(PASS_ON)
            run.outcome().expect(to_server=[b"pin 2"])
        self.assertEqual(
            [formatEvent(event) for event in events],
            ["client 'client', message: to_client key", "client 'client', message: to_server pin"],
        )
        pair = run.link._pair
        self.assertEqual(pair.redacted(b"key"), b"to_client to_")
