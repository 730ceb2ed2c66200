"""The filters of lines by regular expression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Dialect, MarshalingError, ParseError, chain, dialects
from twisted_repeater.codecs import RawCodec, fixed
from twisted_repeater.dialects.lines import AllowLines, LogLines, RefuseLines, ReplaceInLines
from twisted_repeater.filters import FilterPair, selector_of
from twisted_repeater.selectors import Selector
from twisted_repeater.testing import FilterHarness


class Number(NamedTuple):
    """A message that is no line."""

    value: int


def harness(filters: FilterPair, dialect: Dialect | None = None) -> FilterHarness:
    """Return a harness for a pair, with lines that end with a line feed."""
    return FilterHarness(filters=filters, dialect=dialect or dialects.lines())


class RefuseTests(SynchronousTestCase):
    """`RefuseLines`."""

    def test_drop(self) -> None:
        """A line that matches is dropped, others pass; the other direction is not looked at."""
        run = harness(RefuseLines(match="^DROP"))
        run.client_sends(b"drop x", b"see DROP", b"").expect(to_server=[b"see DROP", b""])
        run.server_sends(b"DROP").expect(to_client=[b"DROP"])

    def test_answer(self) -> None:
        """Its sender gets the answer, with groups of the match, and the end that its own line had."""
        for end in (b"", b"\r"):
            run = harness(RefuseLines(match="^JOIN (#secret)$", answer=r":here 473 * \1 :no"))
            run.client_sends(b"JOIN #Secret" + end, b"JOIN #a" + end).expect(
                to_server=[b"JOIN #a" + end], to_client=[b":here 473 * #Secret :no" + end]
            )

    def test_directions(self) -> None:
        """A rule may be for lines to the client, or for both; the answer goes to the sender."""
        run = harness(RefuseLines(match="a", answer="no", direction="to-client"))
        run.client_sends(b"a").expect(to_server=[b"a"])
        run.server_sends(b"a").expect(to_server=[b"no"])
        run = harness(RefuseLines(match="a", direction="both"))
        run.client_sends(b"a", b"b").expect(to_server=[b"b"])
        run.server_sends(b"a", b"b").expect(to_client=[b"b"])


class AllowTests(SynchronousTestCase):
    """`AllowLines`."""

    def test_whole_lines(self) -> None:
        """Only lines that match from beginning to end pass."""
        run = harness(AllowLines(match="LIST|CWD .*"))
        lines = [b"LIST\r", b"CWD a\r", b"LIST a\r", b"x LIST\r", b"STOR a\r"]
        run.client_sends(*lines).expect(to_server=[b"LIST\r", b"CWD a\r"])

    def test_answer(self) -> None:
        """The senders of others get an answer, which may have their line in it."""
        run = harness(AllowLines(match="LIST", answer=r"500 \0?"))
        run.client_sends(b"LIST", b"STOR a\r").expect(to_server=[b"LIST"], to_client=[b"500 STOR a?\r"])


class ReplaceTests(SynchronousTestCase):
    """`ReplaceInLines`."""

    def test_places(self) -> None:
        """Each place where it matches is replaced; lines without one pass as they are."""
        run = harness(ReplaceInLines(match=r"darn(ed)?", by=r"d*\1", direction="both"))
        run.client_sends(b"Darn, darned\r", b"well").expect(to_server=[b"d*, d*ed\r", b"well"])
        run.server_sends(b"darn").expect(to_client=[b"d*"])

    def test_too_many(self) -> None:
        """A line with more than a hundred places closes the link; one with a hundred is changed."""
        run = harness(ReplaceInLines(match="a", by="b"))
        run.client_sends(b"a" * 100).expect(to_server=[b"b" * 100])
        outcome = run.client_sends(b"a" * 101)
        self.assertTrue(outcome.closed)
        self.assertEqual(outcome.to_server, [])

    def test_too_long(self) -> None:
        """A line that has become longer than the limit is not sent, and reported."""
        run = harness(ReplaceInLines(match="a", by="b" * 50), dialects.lines(max_frame=100))
        run.client_sends(b"aa").expect(to_server=[b"b" * 100])
        outcome = run.client_sends(b"aaa")
        self.assertEqual(outcome.to_server, [])
        self.assertIsInstance(outcome.errors[0], MarshalingError)


RULES: tuple[Callable[..., FilterPair], ...] = (
    lambda **options: RefuseLines(match="secret", **options),
    lambda **options: AllowLines(match=".*", **options),
    lambda **options: ReplaceInLines(match="secret", by="x", **options),
)


class LoneTests(SynchronousTestCase):
    """Bytes that some take for the end of a line."""

    def test_close(self) -> None:
        """A CR, LF or NUL that does not end a line closes the link, so that nobody sees another line in it."""
        for end in (b"\n", b"\r\n"):
            for rule in RULES:
                for lone in (b"\r", b"\0", *([b"\n"] if end == b"\r\n" else [])):
                    outcome = harness(rule(), dialects.lines(end=end)).client_sends(b"hello" + lone + b"JOIN")
                    self.assertTrue(outcome.closed)
                    self.assertEqual(outcome.to_server, [])
                    self.assertIsInstance(outcome.entries[-1].value, ParseError)

    def test_pass(self) -> None:
        """If they are to pass, they are bytes like others."""
        for rule in RULES:
            run = harness(rule(lone="pass"), dialects.lines(end=b"\r\n"))
            line = b"a\rb\nc\0d\r"
            run.client_sends(line).expect(to_server=[line])

    def test_in_what_is_made(self) -> None:
        """Where they pass, none gets into a line that a rule makes: the link is closed."""
        for rule in (
            RefuseLines(match="^(.*)$", answer=r"no \1", lone="pass"),
            AllowLines(match="b", answer=r"no \0", lone="pass"),
            ReplaceInLines(match="(a.)", by=r"\1", lone="pass"),
        ):
            for lone in (b"\r", b"\0"):
                outcome = harness(rule).client_sends(b"a" + lone + b"c")
                self.assertTrue(outcome.closed)
                self.assertEqual((outcome.to_server, outcome.to_client), ([], []))


class LogTests(SynchronousTestCase):
    """`LogLines`."""

    def logged(self, pair: FilterPair, dialect: Dialect | None = None) -> list[str]:
        """Return what is logged of some lines."""
        run = harness(pair, dialect)
        with capturedLogs() as events:
            run.client_sends(b"PASS sesame\r", b"JOIN #a key\r").expect(to_server=[b"PASS sesame\r", b"JOIN #a key\r"])
            run.server_sends(b"JOIN #a\0\xff").expect(to_client=[b"JOIN #a\0\xff"])
        self.levels = {event["log_level"] for event in events}
        return [(formatEvent(event) or "").partition(", ")[2] for event in events]

    def test_lines(self) -> None:
        """Lines that match are logged, with their direction and without their end."""
        up, down = (
            r"to the server: b'JOIN #a key'",
            r"to the client: b'JOIN #a\x00\xff'",
        )
        self.assertEqual(self.logged(LogLines(match="^JOIN")), [up, down])
        self.assertEqual(self.levels, {LogLevel.info})
        self.assertEqual(self.logged(LogLines(match="^JOIN", direction="to-client", level="warn")), [down])
        self.assertEqual(self.levels, {LogLevel.warn})

    def test_text(self) -> None:
        """A text with groups leaves out what nobody shall read."""
        pair = LogLines(match=r"^(PASS|JOIN \S+)", text=r"says \1", direction="to-server")
        self.assertEqual(self.logged(pair), [f"to the server: b'says {what}'" for what in ("PASS", "JOIN #a")])

    def test_secret(self) -> None:
        """What the dialect calls secret is left out."""
        (line,) = self.logged(LogLines(match="PASS"), dialects.lines(secret="^PASS "))
        self.assertEqual(line, "to the server: b'PASS ...'")


class ManyLinesTests(SynchronousTestCase):
    """Lines that come together."""

    def selector(self, pair: FilterPair, codec: Any) -> Selector | None:
        """Return the selector of the rule for lines to the server."""
        return selector_of(pair.for_link(None)[0], codec)  # type: ignore[arg-type]

    def test_same_verdicts(self) -> None:
        """Lines of one read get the verdicts that they get one by one."""
        run = harness(RefuseLines(match="^JOIN.*#secret"))
        lines = [b"JOIN #a", b"PING", b"JOIN #secret", b"PONG"]
        run.client_sends(*lines).expect(to_server=[b"JOIN #a", b"PING", b"PONG"])
        outcome = run.client_sends(b"PING", b"PI\0NG", b"PONG")
        self.assertEqual(outcome.to_server, [b"PING"])
        self.assertTrue(outcome.closed)

    def test_selected(self) -> None:
        """Lines without the words of an expression are not looked at, if messages are the lines that came."""
        read = b"PING\nPONG\n"
        for pair in (RefuseLines("JOIN"), ReplaceInLines("JOIN", by="b"), LogLines("JOIN")):
            selector = self.selector(pair, RawCodec())
            assert selector is not None
            self.assertFalse(selector.matches(read, 0, 4))
        self.assertIsNone(self.selector(RefuseLines("."), RawCodec()))
        self.assertIsNone(self.selector(AllowLines("JOIN"), RawCodec()))
        self.assertIsNone(self.selector(RefuseLines("JOIN"), Reversed()))


class Reversed:
    """A codec whose messages are bytes, but others than those on the wire."""

    def decode(self, payload: bytes) -> bytes:
        """See `ICodec`."""
        return payload[::-1]

    encode = decode


class StartTests(SynchronousTestCase):
    """What is found out before a client comes."""

    def test_options(self) -> None:
        """An option that is not one of the choices is an error that names them."""
        wrong: tuple[tuple[Callable[..., FilterPair], dict[str, str], str], ...] = (
            (RefuseLines, {"direction": "up"}, "direction must be to-server, to-client or both, not 'up'"),
            (AllowLines, {"lone": "drop"}, "lone must be close or pass, not 'drop'"),
            (LogLines, {"level": "loud"}, "level must be debug, info or warn, not 'loud'"),
        )
        for make, options, error in wrong:
            with self.assertRaisesRegex(ValueError, error):
                make(match="a", **options)

    def test_messages_that_are_no_lines(self) -> None:
        """They work with lines of bytes, and say so where a codec makes other messages."""
        with self.assertRaisesRegex(TypeError, "RefuseLines wants bytes; the messages are Number"):
            harness(RefuseLines(match="a"), dialects.lines(to_server=fixed(Number, value="i")))

    def test_names(self) -> None:
        """Logs and errors call each rule by the name of its class."""
        self.assertEqual(repr(AllowLines(match="a", direction="both")), "FilterPair(AllowLines, AllowLines)")

    def test_in_a_chain(self) -> None:
        """Several rules are a chain: the second sees what the first has made."""
        run = harness(chain(ReplaceInLines(match="a", by="b"), RefuseLines(match="b", answer="no")))  # type: ignore[arg-type]
        run.client_sends(b"a", b"c").expect(to_server=[b"c"], to_client=[b"no"])
