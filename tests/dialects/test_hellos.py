"""The opening with hellos. `tests.link.test_making` has how links are made by it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Dialect, Hello, InvalidHello, Limits, MessageType, Side, dialects
from twisted_repeater.dialects import Frame, Versions, hellos
from twisted_repeater.dialects.hellos import Hellos
from twisted_repeater.errors import UnexpectedServerName, VersionMismatch, WrongMode

from ..peers import frame, handshake_of, hello
from ..unprintable import UNPRINTABLE, Mute

LIMITS = Limits()

INT32 = dialects.int32(mode="test")


class Peer:
    """A peer that has said something."""

    def __init__(self, side: Side, said: bytes) -> None:
        self.side = side
        self._said = said
        self.got: list[bytes] = []

    def read(self, framing: Any) -> Deferred[Frame]:
        """See `Peer`."""
        return succeed(Frame(self._said, self._said[4:]))

    def send(self, data: bytes) -> None:
        """See `Peer`."""
        self.got.append(data)


class Attempt:
    """Keeps the steps that an opening takes."""

    repeater_name, server_name, limits = "edge", "quotes", LIMITS

    def __init__(self, dialect: Dialect, client: bytes, server: bytes) -> None:
        self.dialect = dialect
        self.client, self.server = Peer(Side.CLIENT, client), Peer(Side.SERVER, server)
        self.steps: list[Any] = []
        self.admission: Deferred[None] = succeed(None)

    def admit(self, name: str) -> Deferred[None]:
        """See `Attempt`."""
        self.steps.append(name)
        return self.admission

    def dial(self) -> Deferred[None]:
        """See `Attempt`."""
        self.steps.append("dial")
        return succeed(None)

    def connect(self, **what: Any) -> Deferred[None]:
        """See `Attempt`."""
        self.steps.append(what)
        return succeed(None)


class HellosTests(SynchronousTestCase):
    """The opening with hellos."""

    def play(self, client: bytes, server: bytes = hello("quotes", mode="test"), dialect: Dialect = INT32) -> Any:
        """Play the opening; ``done`` has its result."""
        attempt: Any = Attempt(dialect, client, server)
        attempt.done = Deferred.fromCoroutine(dialect.opening(attempt))  # type: ignore[arg-type]
        return attempt

    def failed(self, attempt: Any, kind: type[Exception]) -> Any:
        """Return the error with which it has failed."""
        return self.failureResultOf(attempt.done, kind).value

    def test_order(self) -> None:
        """The client is admitted, the server greeted in its name, and only then the client answered."""
        attempt = self.play(hello("ann", mode="test", token="t"))
        self.successResultOf(attempt.done)
        name, dial, connect = attempt.steps
        self.assertEqual((name, dial, connect["versions"]), ("ann", "dial", (Versions(1, 1), Versions(1, 1))))
        self.assertEqual((connect["client"].name, connect["server"].name), ("ann", "quotes"))
        handshake = handshake_of(INT32, LIMITS)
        (greeting,), (answer,) = attempt.server.got, attempt.client.got
        said = handshake.decode(greeting[4:])
        self.assertEqual((said.name, said.mode, said.credentials), ("ann", "test", "edge"))
        self.assertEqual(dict(said.extra), {"token": "t"})
        answered = handshake.decode(answer[4:])
        self.assertEqual((answered.name, answered.mode, answered.credentials), ("quotes", "test", "edge"))

    def test_mode(self) -> None:
        """Both peers must be in the mode of the dialect."""
        for client, server, side in (("prod", "test", Side.CLIENT), ("test", "prod", Side.SERVER)):
            attempt = self.play(hello("ann", mode=client), hello("quotes", mode=server))
            error = self.failed(attempt, WrongMode)
            self.assertEqual((error.side, error.client_name), (side, "ann"))
            self.assertEqual(attempt.client.got, [])

    def test_server_name(self) -> None:
        """The server must be the one that is expected."""
        error = self.failed(self.play(hello("ann", mode="test"), hello("orders", mode="test")), UnexpectedServerName)
        self.assertEqual(str(error), "the server's name is 'orders', 'quotes' was expected")

    def test_versions(self) -> None:
        """Each connection speaks the newest versions that both ends have; without one there is no link."""
        kind = MessageType(dict.fromkeys((1, 2, 3), INT32.to_server.codec(1)), low=1, prod=2, test=3)
        dialect = dialects.int32(to_server=kind, to_client=kind)
        old = hello("quotes", send_version=1, recv_version=9)
        attempt = self.play(hello("ann", send_version=9, recv_version=1), old, dialect)
        self.assertEqual(attempt.steps[-1]["versions"], (Versions(2, 1), Versions(1, 2)))
        for client, side in ((hello("ann", send_version=0), Side.CLIENT), (hello("ann"), Side.SERVER)):
            attempt = self.play(client, hello("quotes", send_version=0), dialect)
            self.assertIs(self.failed(attempt, VersionMismatch).side, side)

    def test_refused(self) -> None:
        """A client that is not admitted costs the server nothing; the error has its name."""
        attempt: Any = Attempt(INT32, hello("ann", mode="test"), b"")
        attempt.admission = fail(VersionMismatch("no"))
        attempt.done = Deferred.fromCoroutine(INT32.opening(attempt))  # type: ignore[arg-type]
        self.assertEqual(self.failed(attempt, VersionMismatch).client_name, "ann")
        self.assertEqual(attempt.steps, ["ann"])

    def test_no_hello(self) -> None:
        """What is not a hello says whose it is, of which dialect it should be, and how it begins."""
        for sent, told in (
            (frame(b"[]"), "a hello must be a JSON object, not list; no hello of int32: b'\\x00\\x00\\x00\\x02[]'"),
            (frame(b"\xff\n"), "no hello of int32: b'\\x00\\x00\\x00\\x02\\xff\\n'"),
        ):
            error = self.failed(self.play(sent), InvalidHello)
            self.assertTrue(str(error).startswith("the client's hello: "), error)
            self.assertTrue(str(error).endswith(told), error)
            self.assertIs(error.side, Side.CLIENT)
        error = self.failed(self.play(hello("ann", mode="test"), frame(b"{}")), InvalidHello)
        self.assertTrue(str(error).startswith("the server's hello: "), error)

    def test_wrong_hello(self) -> None:
        """Nothing is shown of a hello with something wrong in it, which may have a secret."""
        error = self.failed(self.play(frame(b'{"token": "s3cret", "name": 7}')), InvalidHello)
        self.assertEqual(str(error), "the client's hello: 'name' in a hello must be str, not int")

    def test_broken_handshake(self) -> None:
        """Whatever a handshake raises costs the stranger who brought it out only his own connection."""

        class NoHello(InvalidHello, Mute):
            """One of the errors that are expected."""

            is_hello = True

        class Broken:
            """A handshake that raises what no handshake should."""

            framing = handshake_of(INT32, LIMITS).framing

            def __init__(self, error: BaseException) -> None:
                self._error = error

            def decode(self, payload: bytes) -> Any:
                """See `IHandshake`."""
                raise self._error

            def encode(self, hello: Hello) -> bytes:
                """See `IHandshake`."""
                raise self._error

        for error in [*(kind() for kind in UNPRINTABLE), SystemExit(), LookupError("broken")]:
            broken = Broken(error)
            dialect = INT32.changed(opening=hellos(lambda limits, broken=broken: broken))  # type: ignore[misc]
            told = self.failed(self.play(frame(b"{}"), dialect=dialect), InvalidHello)
            self.assertTrue(str(told).startswith(f"the client's hello: {type(error).__name__}: "), str(told))
        dialect = INT32.changed(opening=hellos(lambda limits: Broken(NoHello("no", Side.CLIENT))))
        told = self.failed(self.play(frame(b"{}"), dialect=dialect), InvalidHello)
        self.assertEqual(str(told), "the client's hello: <ValueError raised by its __str__>")
        interrupted = INT32.changed(opening=hellos(lambda limits: Broken(KeyboardInterrupt())))
        self.failed(self.play(frame(b"{}"), dialect=interrupted), KeyboardInterrupt)  # type: ignore[arg-type]

    def test_unsayable(self) -> None:
        """A name that cannot be said to the server is refused before the dial, as the client's fault."""
        attempt = self.play(hello("x" * 65_600, mode="test"))
        self.assertIs(self.failed(attempt, InvalidHello).side, Side.CLIENT)
        self.assertNotIn("dial", attempt.steps)

    def test_check(self) -> None:
        """A repeater must have a server's name, and names that fit into a hello."""
        opening: Any = INT32.opening
        opening.check(LIMITS, "edge", "quotes")
        error = self.assertRaises(ValueError, opening.check, LIMITS, "edge", "")
        self.assertIn("server_name must be given", str(error))
        self.assertRaises(InvalidHello, opening.check, LIMITS, "edge", "x" * 70_000)

    def test_one_handshake(self) -> None:
        """The reader and writer of hellos is made once for the limits of a repeater."""
        opening = hellos(lambda limits: handshake_of(INT32, limits))
        self.assertIsInstance(opening, Hellos)
        self.assertIs(opening.handshake(LIMITS), opening.handshake(Limits()))
        self.assertIsNot(opening.handshake(LIMITS), opening.handshake(Limits(max_hello=10)))
