"""Tests of the dialect `hl7`, as a whole."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, Limits, SameName, Send, ServerUnreachable, dialects
from twisted_repeater.dialects.hl7 import Filler, Message, Raw
from twisted_repeater.dialects.openings import server_first
from twisted_repeater.filters import Deny, FilterPair
from twisted_repeater.testing import FilterHarness

from .texts import PATIENT

FRAME = b"\x0b" + PATIENT + b"\x1c\r"


class DialectTests(SynchronousTestCase):
    """What the dialect says."""

    def test_parts(self) -> None:
        """Names are shared, both directions have their framing with the limit, and the codec its character set."""
        dialect = dialects.hl7(charset="latin-1", max_frame=1000)
        self.assertEqual((dialect.name, dialect.same_name, dialect.max_frame), ("hl7", SameName.SHARE, 1000))
        self.assertIs(dialect.opening, server_first)
        one: Any
        other: Any
        one, other = dialect.framings(Limits(max_frame=99))
        self.assertIsNot(one, other)
        self.assertEqual((one.max_frame, one.start, one.end), (99, b"\x0b", b"\x1c\r"))
        self.assertIsNone(dialect.filters)

    def test_wrong(self) -> None:
        """Options have their values."""
        for options in ({"name": "MSH-3"}, {"filler": "drop"}):
            wrong: dict[str, Any] = dict(options)
            with self.assertRaisesRegex(ValueError, f"must be .* or .*, not '{next(iter(options.values()))}'"):
                dialects.hl7(**wrong)

    def test_refusal(self) -> None:
        """A client that cannot be linked reads an answer to its message."""
        refusal: Any = dialects.hl7().refusal
        self.assertRegex(refusal(ServerUnreachable("no server"), None), rb"\A\x0bMSH.*\rMSA\|AE\|\|no server\r\x1c\r\Z")


class BetweenFramesTests(SynchronousTestCase):
    """Bytes between frames, and any cut."""

    def test_pass(self) -> None:
        """They pass as they came, and a filter may see them."""
        seen: list[object] = []

        def look(message: object, link: object) -> Any:
            seen.append(message)
            return PASS_ON

        for filter_ in (None, look):
            run = FilterHarness(filter_, dialect=dialects.hl7())
            data = b"\r\n" + FRAME + b"\n\0" + FRAME + b"\n"
            run.client.send_bytes(data)
            self.assertEqual(run.outcome().to_server_bytes, data)
        line, message = Filler(b"\n"), Message(PATIENT)
        self.assertEqual(seen, [Filler(b"\r"), line, message, line, Filler(b"\0"), message, line])

    def test_strip(self) -> None:
        """They may be stripped, in both directions."""
        run = FilterHarness(dialect=dialects.hl7(filler="strip"))
        run.client.send_bytes(b"\r\n" + FRAME + b"\n\0" + FRAME + b"\n")
        self.assertEqual(run.outcome().to_server_bytes, FRAME * 2)
        run.server.send_bytes(FRAME + b"\n")
        self.assertEqual(run.outcome().to_client_bytes, FRAME)

    def test_others(self) -> None:
        """Other bytes between frames are an error of their sender."""
        run = FilterHarness(dialect=dialects.hl7())
        run.client.send_bytes(FRAME + b"x")
        self.assertTrue(run.outcome().closed)

    @given(st.lists(st.integers(1, 400), max_size=20), st.booleans())
    def test_any_cut(self, cuts: list[int], edits: bool) -> None:
        """Messages are whole however the stream is cut, also between the two bytes that end a frame."""

        def edit(message: Any, link: object) -> Any:
            return Send(message.replaced("PID-5", "X")) if isinstance(message, Message) else PASS_ON

        run = FilterHarness(edit if edits else None, dialect=dialects.hl7())
        # Only the pair ends a frame: either byte alone is one of the message.
        data = FRAME.replace(b"JOHN", b"JO\x1cHN") + b"\n" + b"\x0bMSH|^~\\&|x\x1c\x1c\r" + FRAME
        expected = data
        if edits:
            expected = data.replace(b"DOE^JO\x1cHN^Q&R", b"X").replace(b"DOE^JOHN^Q&R", b"X")
        start = 0
        for cut in [*cuts, len(data)]:
            run.client.send_bytes(data[start : start + cut])
            start += cut
        self.assertEqual(run.server.received_bytes, expected)

    def test_long_message(self) -> None:
        """A long message passes in pieces if no filter wants it."""
        run = FilterHarness(dialect=dialects.hl7(), filters=FilterPair(Deny(Raw)))
        run.client.send_bytes(b"\x0bMSH|^~\\&|" + b"x" * 100_000)
        run.client.send_bytes(b"\x1c\r")
        self.assertEqual(len(run.server.received_bytes), 100_012)
