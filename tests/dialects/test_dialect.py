"""What a dialect is made of."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Dialect, Limits, MessageType, MultipleVersionsError, SameName
from twisted_repeater.codecs import RawCodec
from twisted_repeater.dialects import by_address, server_first
from twisted_repeater.framings import Framings
from twisted_repeater.framings.length import Int32Framing

LIMITS = Limits()


def framing(limits: Limits) -> Int32Framing:
    """Return a framing."""
    return Int32Framing(limits.max_frame)


class DialectTests(SynchronousTestCase):
    """A dialect."""

    def test_defaults(self) -> None:
        """A name and a framing are enough."""
        dialect = Dialect(name="test", framing=framing)
        self.assertEqual((dialect.name, dialect.framing, dialect.opening), ("test", framing, by_address))
        self.assertEqual((dialect.same_name, dialect.max_frame), (SameName.REFUSE, None))
        self.assertEqual((dialect.refusal, dialect.farewell, dialect.redact), (None, None, None))
        self.assertEqual((dialect.to_server.low, dialect.to_client.test), (1, 1))
        self.assertEqual(repr(dialect), "<dialect test>")

    def test_messages(self) -> None:
        """Messages are described by a codec, or by a type with versions."""
        codec, kind = RawCodec(), MessageType()
        dialect = Dialect(name="test", framing=framing, to_server=codec, to_client=kind)
        self.assertIs(dialect.to_server.codec(1), codec)
        self.assertIs(dialect.to_client, kind)

    def test_wrong_arguments(self) -> None:
        """An argument of another kind is named, with what was given."""
        good: dict[str, Any] = {"name": "test", "framing": framing}
        for wrong, kind, text in (
            ({"name": 3}, TypeError, "name must be a string, not 3"),
            ({"framing": 3}, TypeError, "framing must be a function of the limits that returns a framing, not 3"),
            ({"opening": None}, TypeError, "opening must be a coroutine function of an attempt, not None"),
            ({"refusal": b"no"}, TypeError, "refusal must be a function, not b'no'"),
            ({"farewell": 3}, TypeError, "farewell must be a function, not 3"),
            ({"redact": 3}, TypeError, "redact must be a function, not 3"),
            ({"filters": 3}, TypeError, "filters must be a pair of filters, not 3"),
            ({"same_name": "share"}, TypeError, "same_name must be a SameName, not 'share'"),
            ({"max_frame": 1.5}, TypeError, "max_frame must be a number of bytes, not 1.5"),
            ({"max_frame": 0}, ValueError, "max_frame must be above 0, not 0"),
            ({"to_server": 3}, TypeError, "a codec must be an object with the methods decode and encode, not 3"),
        ):
            error = self.assertRaises(kind, Dialect, **(good | wrong))
            self.assertIn(text, str(error))

    def test_changed(self) -> None:
        """A dialect with other values for some arguments is another dialect."""
        dialect = Dialect(name="test", framing=framing, opening=server_first)
        changed = dialect.changed(same_name=SameName.SHARE)
        self.assertIs(changed.same_name, SameName.SHARE)
        self.assertIs(dialect.same_name, SameName.REFUSE)
        self.assertIs(changed.opening, server_first)
        self.assertRaises(TypeError, dialect.changed, colour="red")

    def test_framings(self) -> None:
        """Each direction of each link has a framing of its own, unless the dialect says otherwise."""
        framings = Dialect(name="test", framing=framing).framings(LIMITS)
        self.assertIsNot(framings.to_server, framings.to_client)
        both = Framings(framing(LIMITS), framing(LIMITS))
        self.assertIs(Dialect(name="test", framing=lambda limits: both).framings(LIMITS), both)

    def test_changing_its_mind(self) -> None:
        """A function that returns one framing, and then two, is wrong."""
        answers: list[Any] = [Framings(framing(LIMITS), framing(LIMITS)), framing(LIMITS)]
        error = self.assertRaises(
            TypeError, Dialect(name="test", framing=lambda limits: answers.pop()).framings, LIMITS
        )
        self.assertIn("the framing of test must return Framings each time, or one framing each time", str(error))

    def test_check_versions(self) -> None:
        """The messages of both directions must have one version, or a conversion for each step."""
        Dialect(name="test", framing=framing).check_versions(convert=False)
        two = MessageType({1: RawCodec(), 2: RawCodec()}, low=1, prod=1, test=2)
        for direction in ("to_server", "to_client"):
            kinds: dict[str, Any] = {direction: two}
            dialect = Dialect(name="test", framing=framing, **kinds)
            error = self.assertRaises(MultipleVersionsError, dialect.check_versions, convert=False)
            self.assertIn(direction.replace("_", " the "), str(error))
            self.assertRaises(ValueError, dialect.check_versions, convert=True)

    def test_check_framings(self) -> None:
        """A function that makes no framings is found when a repeater is created; the error names the dialect."""
        Dialect(name="test", framing=framing).check_framings(LIMITS)
        made: list[tuple[Any, str]] = [
            (lambda: framing(LIMITS), "the framing of test failed: "),
            (lambda limits: 3, "the framing of test must return a framing, not 3"),
        ]
        for function, message in made:
            error = self.assertRaises(TypeError, Dialect(name="test", framing=function).check_framings, LIMITS)
            self.assertIn(message, str(error))
