"""Reading the first frame of a connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_repeater import Hello, HelloTimeout, IHandshake, InvalidHello, Limits, Side, dialects
from twisted_repeater._link.hello import HelloReader
from twisted_repeater.errors import FrameTooLong
from twisted_repeater.framings.length import Int32Framing

from ..peers import frame, hello
from ..unprintable import UNPRINTABLE, Mute

HANDSHAKE = dialects.int32().handshake(Limits(max_hello=1024))


@implementer(IHandshake)
class Broken:
    """A handshake that raises what no handshake should."""

    framing = Int32Framing(1024)

    error: BaseException = LookupError("broken")

    def decode(self, payload: bytes) -> Any:
        """See `IHandshake`."""
        raise self.error

    def encode(self, hello: Hello) -> bytes:
        """See `IHandshake`."""
        raise LookupError("broken")


class GreetingTests(SynchronousTestCase):
    """Bytes in, a hello out."""

    def setUp(self) -> None:
        """Begin to read a client's hello."""
        self.greeting = HelloReader(Side.CLIENT, HANDSHAKE, "int32")

    def test_byte_by_byte(self) -> None:
        """The hello is there with its last byte, and not before."""
        wire = hello("ann")
        for index in range(len(wire)):
            self.assertIsNone(self.greeting.read())
            self.assertFalse(self.greeting.complete)
            self.greeting.add(wire[index : index + 1])
        self.assertEqual(self.greeting.read(), Hello("ann"))
        self.assertTrue(self.greeting.complete)
        self.assertEqual(self.greeting.size, 0)

    def test_rest(self) -> None:
        """What comes behind the hello is kept."""
        self.greeting.add(hello("ann") + b"one")
        self.assertEqual(self.greeting.read(), Hello("ann"))
        self.greeting.add(b"two")
        self.assertEqual(self.greeting.size, 6)
        self.assertEqual(self.greeting.take_rest(), b"onetwo")

    def refusal(self, data: bytes) -> InvalidHello:
        """Return the error that these bytes are."""
        self.greeting.add(data)
        error: InvalidHello = self.assertRaises(InvalidHello, self.greeting.read)
        return error

    def test_no_hello(self) -> None:
        """What is no hello says whose it is, of which dialect it should be, and how it begins, in at most 32 bytes."""
        for sent, told in (
            (frame(b"[]"), "a hello must be a JSON object, not list; no hello of int32: b'\\x00\\x00\\x00\\x02[]'"),
            (frame(b"ann"), "no hello of int32: b'\\x00\\x00\\x00\\x03ann'"),
            (frame(b"\xff\n"), "no hello of int32: b'\\x00\\x00\\x00\\x02\\xff\\n'"),
            (
                b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
                "at most 1024 are allowed; no hello of int32: b'GET / HTTP/1.1\\r\\nHost: example.or'",
            ),
        ):
            self.setUp()
            error = self.refusal(sent)
            self.assertTrue(str(error).startswith("the client's hello: "), error)
            self.assertTrue(str(error).endswith(told), error)
            self.assertEqual((error.side, self.greeting.complete), (Side.CLIENT, False))

    def test_wrong_hello(self) -> None:
        """Nothing is shown of a hello with something wrong in it, which may have a secret."""
        error = self.refusal(frame(b'{"token": "s3cret", "name": 7}'))
        self.assertEqual(str(error), "the client's hello: 'name' in a hello must be str, not int")

    def test_too_long(self) -> None:
        """A hello that is too long is refused with its header."""
        error = self.refusal(b"\0\0\4\1")
        self.assertIn("the client's hello: frame of 1025 bytes, at most 1024 are allowed; ", str(error))
        self.assertIsInstance(error.__cause__, FrameTooLong)

    def test_broken_handshake(self) -> None:
        """Whatever a handshake raises costs the stranger who brought it out only his own connection."""
        self.greeting = HelloReader(Side.SERVER, Broken(), "broken")
        error = self.refusal(frame(b"{}"))
        self.assertEqual(error.side, Side.SERVER)
        self.assertIn("the server's hello: LookupError: broken; no hello of broken: ", str(error))

    def test_unprintable_errors(self) -> None:
        """It may be no ``Exception``, and one that cannot be printed."""
        for kind in [*UNPRINTABLE, SystemExit]:
            self.patch(Broken, "error", kind())
            self.greeting = HelloReader(Side.SERVER, Broken(), "broken")
            error = self.refusal(frame(b"{}"))
            self.assertTrue(str(error).startswith(f"the server's hello: {kind.__name__}: "), str(error))

        class NoHello(InvalidHello, Mute):
            """One of the errors that are expected."""

            is_hello = True

        self.patch(Broken, "error", NoHello("no", Side.CLIENT))
        self.greeting = HelloReader(Side.SERVER, Broken(), "broken")
        self.assertEqual(str(self.refusal(frame(b"{}"))), "the server's hello: <ValueError raised by its __str__>")

    def test_interrupted(self) -> None:
        """Ctrl-C goes through."""
        self.patch(Broken, "error", KeyboardInterrupt())
        self.greeting = HelloReader(Side.SERVER, Broken(), "broken")
        self.greeting.add(frame(b"{}"))
        self.assertRaises(KeyboardInterrupt, self.greeting.read)

    def test_asked(self) -> None:
        """Whoever asks for the hello, or for a PROXY header, waits for so long."""
        clock: Any = Clock()
        for ask, told in (
            (self.greeting.ask, "no hello from the client"),
            (self.greeting.ask_address, "no PROXY header"),
        ):
            asked: Any = ask(10, clock)
            clock.advance(9)
            self.assertNoResult(asked)
            clock.advance(1)
            self.assertIn(told, str(self.failureResultOf(asked, HelloTimeout).value))
