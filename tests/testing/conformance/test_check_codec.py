"""Broken codecs are found out, each with a complaint that says what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import classImplements, implementer

from twisted_repeater import ICodec, MarshalingError, ParseError
from twisted_repeater.interfaces import ITypedCodec
from twisted_repeater.selectors import Selector, first_byte
from twisted_repeater.testing import ConformanceError, check_codec


@implementer(ICodec)
class PlainCodec:
    """Lists of small numbers: a count, then a byte for each."""

    def decode(self, payload: bytes) -> Any:
        """See `ICodec`."""
        if not payload or payload[0] != len(payload) - 1:
            raise ParseError("the count is wrong")
        return list(payload[1:])

    def encode(self, message: Any) -> bytes:
        """See `ICodec`."""
        try:
            return bytes([len(message), *message])
        except (TypeError, ValueError) as error:
            raise MarshalingError(str(error)) from error


@implementer(ICodec)
class JSONCodec:
    """JSON as it is written at first: with `json` as it is."""

    def decode(self, payload: bytes) -> Any:
        """See `ICodec`."""
        try:
            return json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise ParseError(str(error)) from error

    def encode(self, message: Any) -> bytes:
        """See `ICodec`."""
        try:
            return json.dumps(message).encode()
        except TypeError as error:
            raise MarshalingError(str(error)) from error


class Ranges(PlainCodec):
    """A `PlainCodec` that can read several messages, of which none is empty."""

    def each(self, payload: bytes) -> list[Any]:
        """Read all."""
        messages = []
        while payload:
            if payload[0] == 0:
                raise ParseError("an empty one")
            end = payload[0] + 1
            messages.append(PlainCodec.decode(self, payload[:end]))
            payload = payload[end:]
        return messages


class Long(PlainCodec):
    """Lists of any length, in which each number has a byte."""

    def decode(self, payload: bytes) -> Any:
        """See `ICodec`."""
        return list(payload)

    def encode(self, message: Any) -> bytes:
        """See `ICodec`."""
        return bytes(message) if isinstance(message, list) else PlainCodec.encode(self, message)


def decoding(decode: Callable[[PlainCodec, bytes], Any]) -> PlainCodec:
    """Make a codec that decodes in a way of its own."""
    broken: PlainCodec = type("Broken", (PlainCodec,), {"decode": decode})()
    return broken


def encoding(encode: Callable[[PlainCodec, Any], Any]) -> PlainCodec:
    """Make a codec that encodes in a way of its own."""
    broken: PlainCodec = type("Broken", (PlainCodec,), {"encode": encode})()
    return broken


def never(self: PlainCodec, payload: bytes) -> Any:
    """Reads nothing."""
    raise EOFError("never")


def raises_anything(self: PlainCodec, payload: bytes) -> Any:
    """Has no error of its own for what is cut off."""
    if payload[0] > len(payload) - 1:
        raise IndexError("no byte there")
    return PlainCodec.decode(self, payload)


def ignores_the_rest(self: PlainCodec, payload: bytes) -> Any:
    """Does not mind bytes that are left over."""
    return PlainCodec.decode(self, payload[: payload[0] + 1] if payload else payload)


def prepares(self: PlainCodec, payload: bytes) -> Any:
    """Makes room for what is announced before it is there."""
    if payload and payload[0] > 200:
        bytearray(payload[0] * 100_000)
    return PlainCodec.decode(self, payload)


def alters(self: PlainCodec, payload: bytes) -> Any:
    """Reads something else than what would be written for it."""
    message = PlainCodec.decode(self, payload)
    return [min(number + (number >= 0xFD), 255) for number in message]


def is_not_written(self: PlainCodec, payload: bytes) -> Any:
    """Reads what cannot be written."""
    message = PlainCodec.decode(self, payload)
    return [number if number != 0xFD else 999 for number in message]


def takes_back(self: PlainCodec, message: Any) -> bytes:
    """Writes what it would not read."""
    return PlainCodec.encode(self, message) if 0xFD not in message else b"\3"


def wrong_error(self: PlainCodec, message: Any) -> bytes:
    """Has no error of its own for what is no message."""
    return PlainCodec.encode(self, list(message))


def no_bytes(self: PlainCodec, message: Any) -> Any:
    """Writes anything as something."""
    return PlainCodec.encode(self, message) if isinstance(message, list) else "?"


class Alternating(PlainCodec):
    """Writes every other message wrong."""

    written = 0

    def encode(self, message: Any) -> bytes:
        """See `ICodec`."""
        self.written += 1
        return PlainCodec.encode(self, message if self.written % 2 else message[1:])


class BrokenCodecTests(SynchronousTestCase):
    """Codecs that break a promise."""

    def check(self, *cases: tuple[Any, str]) -> None:
        """See that each is complained about, like this."""
        for codec, complaint in cases:
            told = str(self.assertRaises(ConformanceError, check_codec, codec, [[1, 2, 3], []]))
            self.assertTrue(re.match(complaint, told), f"{told}\nis not\n{complaint}")

    def test_good_messages(self) -> None:
        """Messages that change when they are encoded and decoded."""
        self.check(
            ("no codec", "str: it does not provide ICodec: "),
            (encoding(lambda self, message: 1 // 0), r"Broken: encode raised ZeroDivisionError: .* for \[1, 2, 3\]"),
            (
                encoding(lambda self, message: bytearray(3)),
                r"Broken: encode must return bytes, not bytearray, for \[1, 2, 3\]",
            ),
            (
                decoding(never),
                r"Broken: decode raised EOFError: never for b'.*', the payload of \[1, 2, 3\]",
            ),
            (decoding(lambda self, payload: []), r"Broken: \[1, 2, 3\] becomes \[\] when it is encoded and decoded"),
            (Alternating(), r"Alternating: \[1, 2, 3\] becomes \[2, 3\] when it is encoded and decoded"),
        )

    def test_hostile_payloads(self) -> None:
        """Payloads that are cut off, too long, or changed."""
        self.check(
            (decoding(ignores_the_rest), r"Broken: decode ignores the b'\\x00' after b'\\x03\\x01\\x02\\x03'"),
            (decoding(raises_anything), "Broken: decode raised IndexError: .*, not ParseError, for b''"),
            (decoding(prepares), r"Broken: decode takes 2\d+ bytes of memory for 4 bytes, b'\\xf\w\\x01\\x02\\x03'"),
        )

    def test_another_message_after(self) -> None:
        """A message after another is ignored, in either order, though single bytes are not."""

        class First(Ranges):
            """Reads all messages, and gives the first."""

            def decode(self, payload: bytes) -> Any:
                if not payload:
                    raise ParseError("nothing there")
                messages = self.each(payload)
                return messages[0]

        check_codec(First(), [[1, 2, 3]])  # it takes a second one to see it
        check_codec(First(), [[1, 2, 3], [1, 2, 3]])
        error = self.assertRaises(ConformanceError, check_codec, First(), [[1, 2, 3], [4]])
        self.assertEqual(
            str(error), r"First: decode ignores the b'\x01\x04' after b'\x03\x01\x02\x03': it must raise ParseError"
        )

    def test_joined_messages(self) -> None:
        """A codec whose messages may be joined passes, also where the first of two has all that the second has."""

        class Joined(Ranges):
            """Sets of numbers, of which any number may follow each other."""

            def decode(self, payload: bytes) -> Any:
                return sorted({number for message in self.each(payload) for number in message})

            def encode(self, message: Any) -> bytes:
                return super().encode(message) if message else b""

        check_codec(Joined(), [[1, 2, 3], [1, 2], [4], []])

    def test_messages_from_hostile_payloads(self) -> None:
        """What is read from them must be written as what it is; what cannot be written is not."""
        self.check(
            (
                decoding(alters),
                r"Broken: \[254, 2, 3\], decoded from b'\\x03\\xfd\\x02\\x03', is encoded and decoded to \[255, 2, 3\]",
            ),
            (
                encoding(takes_back),
                r"Broken: decode raised ParseError: .* for \[253, 2, 3\], decoded from b'.*', and encoded",
            ),
        )
        check_codec(decoding(is_not_written), [[1, 2, 3]])

    def test_no_messages(self) -> None:
        """What is no message."""
        self.check(
            (encoding(wrong_error), r"Broken: encode raised TypeError: .*, not MarshalingError, for an object\(\)"),
            (encoding(no_bytes), r"Broken: encode must return bytes, not str, for an object\(\)"),
        )

    def test_json(self) -> None:
        """JSON as it is at first sight is found to have holes."""
        messages: list[Any] = [{"price": 1.5, "symbol": "ACME"}, [1, None]]
        check_codec(JSONCodec(), messages)

        class Careless(JSONCodec):
            def decode(self, payload: bytes) -> Any:
                return json.loads(payload)

        told = str(self.assertRaises(ConformanceError, check_codec, Careless(), messages))
        self.assertIn("Careless: decode raised JSONDecodeError", told)


class CostTests(SynchronousTestCase):
    """Costs that are not linear."""

    def complaint(self, codec: Any) -> str:
        """Return what is said about the cost."""
        return str(self.assertRaises(ConformanceError, check_codec, codec, [[1, 2, 3]], grow=lambda size: [7] * size))

    def test_linear(self) -> None:
        """A codec that is linear passes, however it grows."""
        check_codec(Long(), [[1, 2, 3]], grow=lambda size: [7] * size)

    def test_steps(self) -> None:
        """Steps of Python are counted, of decoding and encoding."""

        class Decoding(Long):
            def decode(self, payload: bytes) -> Any:
                for at in range(0, len(payload), 64):
                    for _ in range(0, at, 64):
                        pass
                return super().decode(payload)

        class Encoding(Long):
            def encode(self, message: Any) -> bytes:
                payload = super().encode(message)
                for at in range(0, len(payload), 64):
                    for _ in range(0, at, 64):
                        pass
                return payload

        self.assertRegex(
            self.complaint(Decoding()),
            r"Decoding: decode takes \d+ steps for a payload of 1000 bytes and \d+ for one of 4000: its cost is not",
        )
        self.assertRegex(self.complaint(Encoding()), r"Encoding: encode takes \d+ steps")

    def test_copies(self) -> None:
        """So are bytes that are copied out of the payload."""

        class Slicing(Long):
            def decode(self, payload: bytes) -> Any:
                numbers = []
                while payload:
                    numbers.append(payload[0])
                    payload = payload[1:]
                return numbers

        self.assertRegex(self.complaint(Slicing()), r"Slicing: decode takes \d+ bytes copied")

    def test_memory(self) -> None:
        """And memory."""

        class Holding(Long):
            def encode(self, message: Any) -> bytes:
                if isinstance(message, list) and len(message) <= 4000:
                    bytearray(len(message) ** 2)
                return super().encode(message)

        self.assertRegex(self.complaint(Holding()), r"Holding: encode takes 1\d+ bytes of memory")


class GivenTests(SynchronousTestCase):
    """What the check can be given."""

    def test_no_messages(self) -> None:
        """Without messages there is nothing to try."""
        self.assertRaises(TypeError, check_codec, PlainCodec(), [])

    def test_codec(self) -> None:
        """A codec that keeps its promises passes."""
        check_codec(PlainCodec(), [[], [1], [255] * 200])
        check_codec(Long(), [[], [1]])

    def test_anything(self) -> None:
        """One for which everything is a message may be fine too."""

        class Printing(PlainCodec):
            def decode(self, payload: bytes) -> Any:
                return payload.hex()

            def encode(self, message: Any) -> bytes:
                return bytes.fromhex(message) if isinstance(message, str) else repr(message).encode()

        check_codec(Printing(), ["", "00ff"])

    def test_typed(self) -> None:
        """One that knows the classes of its messages is asked about them, and for its selectors."""

        class Lists(Long):
            message_types: Any = (list,)

            def selector_for(self, types: tuple[type, ...]) -> Selector | None:
                return first_byte(b"\1")

        def told(codec: Any) -> str:
            return str(self.assertRaises(ConformanceError, check_codec, codec, [[1]]))

        classImplements(Lists, ITypedCodec)
        self.assertEqual(
            told(Lists()), r"Lists: the selector for list, first_byte(b'\x01'), misses b'', which decodes to []"
        )
        self.assertRegex(told(type("Lists", (Lists,), {"selector_for": None})()), "it does not provide ITypedCodec: ")
        for types, complaint in (
            ([list], r"message_types must be a tuple of classes, not \[<class 'list'>\]"),
            ((dict,), r"\[1\], which it must carry, must be of one of its message_types, dict"),
        ):
            self.assertRegex(told(type("Lists", (Lists,), {"message_types": types})()), complaint)

    def test_nan(self) -> None:
        """A message that is unlike itself is let be, where it comes from a hostile payload."""

        class WithNaN(PlainCodec):
            def decode(self, payload: bytes) -> Any:
                return float("nan") if payload == b"\1\xfd" else super().decode(payload)

            def encode(self, message: Any) -> bytes:
                return b"\1\xfd" if isinstance(message, float) else super().encode(message)

        check_codec(WithNaN(), [[1]])
