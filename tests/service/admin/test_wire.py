"""The bytes of a repeater's messages."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Dialect, Direction, MarshalingError, ParseError, dialects
from twisted_repeater.codecs import LEFT_OUT, text
from twisted_repeater.dialects import Conversion, MessageType
from twisted_repeater.dialects.modbus import Raw
from twisted_repeater.framings import DelimitedFraming
from twisted_repeater.service.admin.wire import MOST_FRAMES, Wire
from twisted_repeater.testing import MemoryRepeater


class Following(DelimitedFraming):
    """A framing that must see every frame, and that writes what it would not read."""

    def __init__(self, follows: bool) -> None:
        super().__init__(100, b"\n")
        self.follows = follows

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        return payload + b"\n"


class WireTests(SynchronousTestCase):
    """Reading and checking."""

    def wire(self, dialect: Dialect) -> Wire:
        """Return the wire of a repeater with a link."""
        self.world = MemoryRepeater(dialect)
        says: Any = {"int32": [b""], "modbus": [Raw(17)]}.get(dialect.name, [b"x\n"])
        self.world.connect("ann" if dialect.name == "int32" else None, says=says)
        (self.link,) = self.world.repeater.links()
        return Wire(dialect, self.world.repeater.limits)

    def test_messages(self) -> None:
        """Frames that went out are told apart and decoded; what is not frames, or too many, is an error."""
        wire = self.wire(dialects.lines(to_client=text()))
        self.assertEqual(wire.messages(self.link, Direction.TO_CLIENT, b"one\ntwo\n"), ["one", "two"])
        self.assertEqual(wire.messages(self.link, Direction.TO_SERVER, b"one\n"), [b"one"])
        self.assertRaises(ValueError, wire.messages, self.link, Direction.TO_CLIENT, b"one\ntw")
        self.assertRaises(ValueError, wire.messages, self.link, Direction.TO_CLIENT, b"\n" * (MOST_FRAMES + 1))

    def test_first_payload(self) -> None:
        """The payload of a frame is without what the framing adds; what is no frame stays as it is."""
        wire = self.wire(dialects.lines())
        for data, payload in ((b"one\ntwo\n", b"one"), (b"on", b"on"), (b"", b"")):
            self.assertEqual(wire.first_payload(Direction.TO_SERVER, data), payload)
        wire = self.wire(Dialect(name="own", framing=lambda limits: Following(True)))
        self.assertEqual(wire.first_payload(Direction.TO_SERVER, b"x\n"), b"x\n")

    def test_check(self) -> None:
        """A message that cannot be sent as one is an error."""
        wire = self.wire(dialects.lines())
        wire.check(self.link, Direction.TO_SERVER, b"one")
        self.assertRaises(MarshalingError, wire.check, self.link, Direction.TO_SERVER, b"one\ntwo")
        self.assertRaises(MarshalingError, wire.check, self.link, Direction.TO_SERVER, 5)
        own = self.wire(Dialect(name="own", framing=lambda limits: Following(False)))
        error = self.assertRaises(ValueError, own.check, self.link, Direction.TO_SERVER, b"one\ntwo")
        self.assertEqual(str(error), "the bytes are not exactly one message")
        modbus = self.wire(dialects.modbus())
        modbus.check(self.link, Direction.TO_SERVER, Raw(17))
        longer = Raw(17, b"\0")  # libmodbus would take the byte for the beginning of the next request
        self.assertRaises(ParseError, modbus.check, self.link, Direction.TO_SERVER, longer)

    def test_version(self) -> None:
        """A message that does not exist in the version of the peer is an error."""
        older = MessageType(
            {1: text(), 2: text()}, low=1, prod=1, test=2, conversions={2: Conversion(str, lambda message: LEFT_OUT)}
        )
        dialect = dialects.int32(to_server=older)
        self.world = MemoryRepeater(dialect, convert_versions=True)
        self.world.connect("ann")
        (link,) = self.world.repeater.links()
        wire = Wire(dialect, self.world.repeater.limits)
        self.assertEqual([wire.version(each, Direction.TO_SERVER) for each in (link, None)], [1, 2])
        self.assertEqual(wire.version(link, Direction.TO_SERVER), 1)
        error = self.assertRaises(ValueError, wire.check, link, Direction.TO_SERVER, "new")
        self.assertIn("does not exist in the version", str(error))

    def test_following(self) -> None:
        """Frames that depend on those before them are not told apart."""
        wire = self.wire(Dialect(name="own", framing=lambda limits: Following(True)))
        self.assertRaises(ValueError, wire.messages, self.link, Direction.TO_SERVER, b"x\n")
