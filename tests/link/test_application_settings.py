"""The settings of a repeater, how they are checked, and a callback that is left out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest import mock

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import ClientGone, ClientNotAllowed, ConnectingError, Disconnected, Limits, Side, dialects
from twisted_repeater._link.application import (
    Application,
    Callbacks,
    Settings,
    check_callable,
    server_dialler,
    with_own_defaults,
)


class SettingsTests(SynchronousTestCase):
    """What `Repeater.create` is given."""

    def settings(self, **given: Any) -> Settings:
        """Make settings."""
        named = {"repeater_name": "edge", "server_name": "quotes", "is_client_allowed": lambda name: True}
        return Settings(**{"dialect": dialects.int32(), **named, **given})

    def test_defaults(self) -> None:
        """Everything but names, the dialect and who is allowed has a default."""
        settings = self.settings()
        self.assertEqual((settings.limits, settings.observers), (Limits(), ()))
        self.assertIsNone(settings.is_client_ip_authorized)

    def test_open_to_everyone(self) -> None:
        """A dialect without hellos needs no name of a server, and everyone is allowed."""
        settings = Settings(dialect=dialects.lines(), repeater_name="edge")
        self.assertEqual((settings.server_name, settings.is_client_allowed("ann")), ("", True))

    def test_dialler(self) -> None:
        """A link is connected to the server, which first gets a PROXY header if it is to have one."""
        for version, first in ((None, b""), ("v1", b"PROXY TCP4 10.0.0.1 10.0.0.2 5 6\r\n")):
            reactor, transport = MemoryReactorClock(), StringTransport()
            dial = server_dialler(self.settings(send_proxy=version), reactor, "tcp:127.0.0.1:9", None, None)
            here = SimpleNamespace(getHost=lambda: IPv4Address("TCP", "10.0.0.2", 6))
            client = SimpleNamespace(address=IPv4Address("TCP", "10.0.0.1", 5), transport=here)
            pair: Any = SimpleNamespace(server=Protocol(), client=client)
            dialled = dial(pair)
            introduction: Any = reactor.tcpClients[0][2].buildProtocol(None)
            introduction.makeConnection(transport)
            self.assertEqual((self.successResultOf(dialled), transport.value()), (pair.server, first))

    def test_longest_payload(self) -> None:
        """A limit that is stated counts, then that of the dialect, then the usual one, which is a plain int then."""
        for own, stated, longest in ((None, None, 16 << 20), (10, None, 10), (10, 20, 20)):
            limits = Limits() if stated is None else Limits(max_frame=stated)
            dialect = dialects.int32().changed(max_frame=own)
            settings = with_own_defaults(self.settings(dialect=dialect, limits=limits))
            self.assertEqual((settings.limits.max_frame, type(settings.limits.max_frame)), (longest, int))

    def test_wrong(self) -> None:
        """A wrong one is named in the error, which says what it must be."""
        for name, value, told in (
            ("dialect", 3, "dialect must be a Dialect, not 3"),
            ("limits", None, "limits must be a Limits, not None"),
            ("repeater_name", b"edge", "repeater_name must be a str, not b'edge'"),
            ("server_name", 5, "server_name must be a str, not 5"),
            ("is_client_allowed", [], "is_client_allowed must be callable, not []"),
            ("is_client_ip_authorized", "all", "is_client_ip_authorized must be callable, not 'all'"),
        ):
            error = self.assertRaises(TypeError, self.settings, **{name: value})
            self.assertEqual(str(error), told)

    def test_callable(self) -> None:
        """A function passes."""
        check_callable("on_connect", print)

    def test_default_on_error(self) -> None:
        """If the application gave no ``on_error``, a link ends by default."""
        application = Application(self.settings(), Clock())
        application.started = Callbacks(print, None, print)
        pair, error = mock.Mock(), Disconnected(ConnectionDone())
        application.link_error(pair, Side.CLIENT, error)
        pair.end_by_default.assert_called_once_with(error)
        self.assertIs(error.side, Side.CLIENT)


class RefusalTests(SynchronousTestCase):
    """The last words of a dialect to a client that cannot be linked."""

    def setUp(self) -> None:
        """Make the application of a dialect that has such words."""
        self.words: Any = b"no"
        dialect = dialects.lines().changed(refusal=self.refuse)
        self.application = Application(Settings(dialect=dialect, repeater_name="edge"), Clock())
        self.attempt: Any = mock.Mock()

    def refuse(self, error: ConnectingError, attempt: Any) -> Any:
        """Return the words, or raise them."""
        self.assertEqual((str(error), attempt), ("not today", self.attempt))
        if isinstance(self.words, BaseException):
            raise self.words
        return self.words

    def test_said(self) -> None:
        """The dialect is asked for them, with the error and the attempt; it may have none."""
        for self.words in (b"no", None):
            self.assertIs(self.application.refusal(self.attempt, ClientNotAllowed("not today")), self.words)

    def test_not_asked(self) -> None:
        """It is not asked if the client has gone, the opening has not begun, or the repeater is at fault."""
        for attempt, error in (
            (self.attempt, ClientGone("gone", Side.CLIENT)),
            (None, ClientNotAllowed("not today")),
            (self.attempt, ValueError("a bug")),
        ):
            self.assertIsNone(self.application.refusal(attempt, error))

    def test_failing(self) -> None:
        """If it raises, or returns something else, that is logged, and nothing is said. Ctrl-C goes through."""
        for self.words, kind in ((ValueError(), ValueError), (SystemExit(), SystemExit), ("text", TypeError)):
            self.assertIsNone(self.application.refusal(self.attempt, ClientNotAllowed("not today")))
            self.assertEqual(len(self.flushLoggedErrors(kind)), 1)
        self.words = KeyboardInterrupt()
        refusal = self.application.refusal
        self.assertRaises(KeyboardInterrupt, refusal, self.attempt, ClientNotAllowed("not today"))
