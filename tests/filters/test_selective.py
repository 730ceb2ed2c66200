"""Tests of `wants`."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_repeater import DO_NOTHING, PASS_ON, IFilter, Verdict
from twisted_repeater.codecs import RawCodec, TextCodec, tagged, text
from twisted_repeater.dialects import int32
from twisted_repeater.filters import selector_of, wants
from twisted_repeater.filters._provider import name_of
from twisted_repeater.selectors import bytes_at, first_byte
from twisted_repeater.testing import FilterHarness

LINK: Any = None
"""A link that no filter here looks at."""


class Number(int):
    """A message that is written as its digits."""


class NumberCodec(TextCodec):
    """Its codec, which counts how often it decodes."""

    message_types = (Number,)
    decoded = 0

    def decode(self, payload: bytes) -> Any:
        """See `ICodec`."""
        self.decoded += 1
        return Number(super().decode(payload))

    def encode(self, message: Any) -> bytes:
        """See `ICodec`."""
        return super().encode(str(message))


@implementer(IFilter)
class Stop:
    """A filter with a selector of its own."""

    selector = bytes_at(1, {b"x"})

    def filter(self, message: Any, link: Any) -> Verdict:
        """See `IFilter`."""
        return DO_NOTHING


def stop(message: Any, link: Any) -> Verdict:
    """Let nothing pass."""
    return DO_NOTHING


class BytesTests(SynchronousTestCase):
    """Wanting by bytes."""

    def test_function(self) -> None:
        """A function sees what is wanted, the rest passes on."""
        decorated = wants(first_byte(b"O"), first_byte(b"C"))(stop)
        self.assertTrue(verifyObject(IFilter, decorated))
        FilterHarness(decorated).client_sends(b"O", b"x", b"C", b"").expect(to_server=[b"x", b""])

    def test_no_detour(self) -> None:
        """A message takes no detour: what the lane asks is the function itself."""
        self.assertIs(wants(first_byte(b"O"))(stop).filter, stop)

    def test_provider(self) -> None:
        """A filter that wants less already sees what both want."""
        decorated = wants(first_byte(b"O"))(Stop())
        self.assertEqual(repr(selector_of(decorated, RawCodec())), "(first_byte(b'O') & bytes_at(1, [b'x']))")
        self.assertEqual(decorated.filter(b"any", LINK), DO_NOTHING)

    def test_called(self) -> None:
        """Called by its name, a decorated function is what it was."""
        self.assertEqual(wants(first_byte(b"O"))(stop)(b"any", LINK), DO_NOTHING)


class ClassTests(SynchronousTestCase):
    """Wanting by class."""

    def setUp(self) -> None:
        """Make a dialect whose codec tells texts from numbers."""
        self.numbers = NumberCodec("ascii")
        self.dialect = int32(to_server=tagged({b"N": self.numbers, b"T": text()}))

    def test_told_by_the_codec(self) -> None:
        """What the codec can tell is not even decoded."""
        harness = FilterHarness(wants(str)(stop), dialect=self.dialect)
        harness.client_sends("a", Number(5), "b").expect(to_server=[Number(5)])
        decoded = self.numbers.decoded
        harness.client_sends_payloads(b"Nnot a number")
        self.assertEqual(self.numbers.decoded - decoded, 1)  # by the server

    def test_not_told(self) -> None:
        """What the codec cannot tell is decoded, and not shown."""
        self.assertIsNone(wants(str, bytes)(stop).selector_for(RawCodec()))
        self.assertIsNone(wants(str)(stop).selector_for(None))
        decorated = wants(str, bytes)(stop)
        self.assertIs(decorated.filter(Number(5), LINK), PASS_ON)
        self.assertIs(decorated.filter("text", LINK), DO_NOTHING)

    def test_never_there(self) -> None:
        """If no message can be of its classes, starting raises ``TypeError``."""
        for codec, are in ((None, "bytes"), (text(), "str")):
            with self.assertRaisesRegex(TypeError, f"^to_server_filter: stop wants Number; the messages are {are}"):
                FilterHarness(wants(Number)(stop), dialect=int32(to_server=codec))

    def test_subclass(self) -> None:
        """A message of a subclass is wanted too."""
        self.assertIs(wants(int)(stop).filter(Number(5), LINK), DO_NOTHING)

    def test_name(self) -> None:
        """It is called what the filter is called."""
        decorated = wants(str)(stop)
        self.assertEqual(name_of(decorated), "stop")
        self.assertEqual(decorated.filter.__qualname__, "stop")
        self.assertEqual(wants(str)(Stop()).filter.__qualname__, "Stop.filter")
        self.assertTrue(repr(decorated).startswith("wants(str)(<function stop"))
        self.assertTrue(repr(wants(first_byte(b"O"))(stop)).startswith("wants(first_byte(b'O'))("))


class MistakeTests(SynchronousTestCase):
    """Mistakes are told at once."""

    def test_nothing(self) -> None:
        """It must be told what is wanted."""
        with self.assertRaisesRegex(TypeError, "wants needs selectors or classes"):
            wants()

    def test_mixed(self) -> None:
        """Selectors and classes do not mix, and nothing else is either."""
        wrong: list[Any] = [(str, first_byte(b"O")), (b"O",), (stop,)]
        for wanted in wrong:
            with self.assertRaisesRegex(TypeError, "wants takes selectors or classes, not both"):
                wants(*wanted)

    def test_no_instances(self) -> None:
        """Classes that ``isinstance`` cannot check are refused."""

        class HasSize(Protocol):
            size: int

        with self.assertRaisesRegex(TypeError, "wants cannot recognize a HasSize"):
            wants(HasSize)

    def test_no_filter(self) -> None:
        """Only a filter can be decorated."""
        with self.assertRaisesRegex(TypeError, "a function or an object with a method filter"):
            wants(str)(5)  # type: ignore[arg-type]


class MigrationTests(SynchronousTestCase):
    """A filter that takes over from another."""

    def test_migrate(self) -> None:
        """It is the filter inside that takes over, from the one inside, or from one that was not decorated."""

        class Kept(Stop):
            before: Any = None

            def migrate(self, old: Any) -> None:
                self.before = old

        old, new = Kept(), Kept()
        decorate = wants(first_byte(b"O"))
        for before in (decorate(old), old):
            decorate(new).migrate(before)
            self.assertIs(new.before, old)
            new.before = None
