"""Headers that nobody sane sends."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Limits
from twisted_repeater.framings.async_extra import AsyncExtraHelloFraming
from twisted_repeater.testing.conformance._hostile_headers import endless_headers, hostile_headers
from twisted_repeater.testing.conformance._tried_framing import TriedFraming

from .plain_framing import PlainFraming


class HeadersTests(SynchronousTestCase):
    """What is made of the headers of a framing."""

    def setUp(self) -> None:
        """Try a framing that carries at most 511 bytes."""
        self.tried = TriedFraming(PlainFraming(Limits(max_frame=511)), [b"", b"abc"], 511)

    def test_hostile(self) -> None:
        """Bytes of every header are changed; some bytes stand after each."""
        made = list(hostile_headers(self.tried))
        after = b"*" * 40
        for header in (b"\0\0\x80", b"\0\0\2", b"\0\x80\0", b"\xff\xff\xff", b"\x80\0\3"):
            self.assertIn(header + after, made)
        self.assertEqual(made, list(hostile_headers(self.tried)))

    def test_one_more(self) -> None:
        """There is a header of one byte more than is allowed, in either byte order, unless that is very much."""
        self.assertIn(b"\0\2\0" + b"*" * 40, list(hostile_headers(self.tried)))
        for max_frame in (511, 1 << 40):
            tried = TriedFraming(AsyncExtraHelloFraming(max_frame), [b"abc"], max_frame)
            one_more = (max_frame + 1).to_bytes(8, "little") + b"*" * 40
            self.assertEqual(one_more in list(hostile_headers(tried)), max_frame == 511)

    def test_endless(self) -> None:
        """Every byte is repeated, and some of them after the beginning of every header."""
        made = list(endless_headers(self.tried))
        for value in range(256):
            self.assertIn(bytes([value]) * 4096, made)
        for beginning in (b"\0", b"\0\0"):
            self.assertIn(beginning + b"\x80" * 4096, made)
