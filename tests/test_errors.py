"""Tests of the exceptions: one tree, drawn as it is; each with its values."""

from __future__ import annotations

import re

from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import errors
from twisted_repeater.errors import (
    FARTHEST,
    BadLength,
    CallbackFailed,
    ConnectingError,
    Disconnected,
    FrameTooLong,
    FramingError,
    HelloTimeout,
    LinkError,
    MarshalingError,
    ParseError,
    PartialFrame,
    SlowConsumer,
    outside,
)
from twisted_repeater.model import Side

from .unprintable import UNPRINTABLE, Mute


def drawn_tree() -> list[tuple[str, str]]:
    """Return each class of the drawing in the module's docstring, with the one it hangs from."""
    tree: list[tuple[str, str]] = []
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").partition("::")[2].splitlines():
        drawn = re.match(r"( *[|+ -]*)([A-Z]\w+)", line)
        if drawn:
            depth, name = len(drawn[1]), drawn[2]
            while above and above[-1][0] >= depth:
                above.pop()
            tree.append((name, above[-1][1] if above else "Exception"))
            above.append((depth, name))
    return tree


class TreeTests(SynchronousTestCase):
    """The tree of exceptions."""

    def test_drawn_as_it_is(self) -> None:
        """The drawing shows every class once, hanging from its base."""
        classes = [value for value in vars(errors).values() if isinstance(value, type)]
        self.assertEqual(
            sorted(drawn_tree()),
            sorted((value.__name__, value.__mro__[1].__name__) for value in classes),
        )

    def test_all_are_public(self) -> None:
        """Every class can be imported by name, and says what it is."""
        self.assertEqual(sorted(errors.__all__), sorted(name for name, _ in drawn_tree()))
        for name in errors.__all__:
            self.assertTrue(getattr(errors, name).__doc__)

    def test_one_base_for_all(self) -> None:
        """Whoever catches `RepeaterError` has caught everything that the package defines."""
        for name in errors.__all__:
            self.assertTrue(issubclass(getattr(errors, name), errors.RepeaterError))


class ValueTests(SynchronousTestCase):
    """The attributes of exceptions."""

    def test_connecting_error(self) -> None:
        """It knows the side whose peer is at fault, if one is."""
        error = HelloTimeout("no hello", Side.SERVER)
        self.assertEqual((str(error), error.side), ("no hello", Side.SERVER))
        self.assertIs(ConnectingError("full").side, None)

    def test_link_error(self) -> None:
        """Its side is unknown until the link reports it."""
        self.assertIs(LinkError("trouble").side, None)

    def test_parse_error(self) -> None:
        """It knows where decoding stopped, as far as the codec does."""
        error = ParseError("not a number", offset=7, field="order.price")
        self.assertEqual((str(error), error.offset, error.field), ("not a number", 7, "order.price"))
        bare = ParseError("what is this")
        self.assertEqual((bare.offset, bare.field), (None, None))

    def test_marshaling_error(self) -> None:
        """It knows the field that cannot be written, as far as the codec does."""
        error = MarshalingError("too large", field="order.size")
        self.assertEqual((str(error), error.field), ("too large", "order.size"))
        self.assertIs(MarshalingError("too large").field, None)

    def test_disconnected(self) -> None:
        """It carries the reason, and whether the side can still be written to."""
        reason = PartialFrame(3)
        error = Disconnected(reason)
        self.assertEqual((str(error), error.reason, error.half_closed), (str(reason), reason, False))

    def test_half_closed(self) -> None:
        """An end of stream reads as one."""
        error = Disconnected(ConnectionDone(), half_closed=True)
        self.assertTrue(error.half_closed)
        self.assertTrue(str(error).startswith("end of stream: "))

    def test_callback_failed(self) -> None:
        """It names the filter, the message by its number, and the reason."""
        reason = KeyError("price")
        error = CallbackFailed("filter check", 12, reason)
        self.assertEqual((error.callback, error.number, error.reason), ("filter check", 12, reason))
        self.assertEqual(str(error), "filter check failed on message 12: KeyError: 'price'")

    def test_unprintable_reasons(self) -> None:
        """A reason that cannot be printed is reported all the same."""
        for kind in UNPRINTABLE:
            error = CallbackFailed("filter check", 12, kind())
            self.assertTrue(str(error).startswith(f"filter check failed on message 12: {kind.__name__}: "), str(error))
            self.assertIsInstance(str(Disconnected(kind())), str)
        self.assertEqual(str(Disconnected(Mute())), "<ValueError raised by its __str__>")
        self.assertEqual(
            str(Disconnected(Mute(), half_closed=True)), "end of stream: <ValueError raised by its __str__>"
        )

    def test_frame_too_long(self) -> None:
        """It knows the size that was announced and the limit."""
        error = FrameTooLong(100, 64)
        self.assertEqual((error.size, error.limit), (100, 64))
        self.assertEqual(str(error), "frame of 100 bytes, at most 64 are allowed")

    def test_partial_frame(self) -> None:
        """It knows how much of the frame had come."""
        error = PartialFrame(5)
        self.assertEqual((error.have, str(error)), (5, "the stream ended inside a frame, after 5 of its bytes"))

    def test_bytes_that_are_no_frames(self) -> None:
        """Whatever is wrong with a stream of frames is a `FramingError`."""
        for error in (BadLength("-1"), FrameTooLong(2, 1), PartialFrame(1)):
            self.assertIsInstance(error, FramingError)

    def test_slow_consumer(self) -> None:
        """It knows how much was not taken."""
        self.assertEqual(SlowConsumer("too slow", 4096).waiting, 4096)


class OutsideTests(SynchronousTestCase):
    """The error for a start and an end."""

    def test_outside(self) -> None:
        """Offsets that are not within the data are a ``ValueError``, up to the farthest there can be."""
        for start, end in ((0, 4), (-1, 2), (FARTHEST, -FARTHEST)):
            self.assertIsInstance(outside(start, end), ValueError)

    def test_too_large(self) -> None:
        """Offsets that do not fit into C integers are an ``OverflowError``, as in compiled code."""
        for start, end in ((FARTHEST + 1, 0), (0, -FARTHEST - 1)):
            self.assertIsInstance(outside(start, end), OverflowError)
