"""What a holder sees of a message."""

from __future__ import annotations

from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction, HeldMessage, Link


class HeldMessageTests(SynchronousTestCase):
    """A message that may be held."""

    def held(self, message: Any, **options: Any) -> HeldMessage:
        """Return a held message."""
        given = {"payload": None, "decode": None, "encode": None, "behind": lambda: 7} | options
        return HeldMessage(cast("Link", None), Direction.TO_SERVER, 1.5, message, **given)

    def test_facts(self) -> None:
        """It has its direction, its time, and how many bytes wait behind it."""
        held = self.held(b"buy")
        self.assertEqual((held.link, held.direction, held.time, held.behind), (None, Direction.TO_SERVER, 1.5, 7))

    def test_without_codec(self) -> None:
        """Without a codec, messages are their payloads."""
        held = self.held(b"buy")
        self.assertEqual((held.payload, held.decode(b"x"), held.encode(b"y")), (b"buy", b"x", b"y"))

    def test_with_codec(self) -> None:
        """With a codec, the payload of a message that came is its bytes, and others are decoded and encoded."""
        held = self.held("buy", payload=b" buy", decode=bytes.decode, encode=str.encode)
        self.assertEqual((held.payload, held.decode(b"x"), held.encode("y")), (b" buy", "x", b"y"))

    def test_made_by_a_filter(self) -> None:
        """The payload of a message that a filter has made is encoded once."""
        calls: list[str] = []

        def encode(message: str) -> bytes:
            calls.append(message)
            return message.encode()

        held = self.held("buy", encode=encode)
        self.assertEqual((held.payload, held.payload, calls), (b"buy", b"buy", ["buy"]))
