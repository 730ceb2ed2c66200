"""An attempt and its peers, as an opening sees them: each name leads to what is behind it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Limits, Side
from twisted_repeater.dialects import Attempt, Frame, Peer, Versions


class Behind(SimpleNamespace):
    """Keeps each call of one of its methods."""

    def __init__(self, *methods: str, **attributes: Any) -> None:
        super().__init__(calls=[], **attributes)
        for name in methods:
            setattr(self, name, lambda *arguments, name=name: self.called(name, *arguments))

    def called(self, *call: object) -> tuple[object, ...]:
        """Keep a call; return it as the result."""
        self.calls.append(call)
        return call


class PeerTests(SynchronousTestCase):
    """A peer."""

    def test_names(self) -> None:
        """Its names lead to the connection."""
        attributes = {"side": Side.CLIENT, "address": "there", "certificate": "X.509", "alpn": b"mqtt"}
        behind: Any = Behind("peek", "read", "peek_bytes", "send", "start_tls", **attributes)
        peer = Peer(behind)
        self.assertEqual({name: getattr(peer, name) for name in attributes}, attributes)
        peer.send(b"hello")
        framing: Any = object()
        for call in (
            peer.peek(),
            peer.peek(framing),
            peer.read(),
            peer.read(framing),
            peer.peek_bytes(7),
            peer.start_tls("options"),
            peer.start_tls("options", unread="feed"),
        ):
            self.assertIs(behind.calls[[id(made) for made in behind.calls].index(id(call))], call)
        self.assertEqual(
            behind.calls,
            [
                ("send", b"hello"),
                ("peek", None),
                ("peek", framing),
                ("read", None),
                ("read", framing),
                ("peek_bytes", 7),
                ("start_tls", "options", "refuse"),
                ("start_tls", "options", "feed"),
            ],
        )


class AttemptTests(SynchronousTestCase):
    """An attempt."""

    def test_names(self) -> None:
        """Its names lead to the making of the link."""
        limits = Limits()
        behind: Any = Behind(
            "admit",
            "dial",
            "connect",
            dialect="test",
            limits=limits,
            repeater_name="edge",
            server_name="quotes",
            details={"token": "t"},
        )
        client: Any = object()
        server: Any = object()
        attempt = Attempt(behind, client, server)
        self.assertEqual((attempt.client, attempt.server, attempt.dialect), (client, server, "test"))
        self.assertEqual((attempt.limits, attempt.repeater_name, attempt.server_name), (limits, "edge", "quotes"))
        self.assertEqual(attempt.details, {"token": "t"})
        attempt.admit()
        attempt.admit("ann", token="t")
        attempt.dial()
        attempt.connect()
        versions = (Versions(1, 2), Versions(3, 4))
        attempt.connect(client="hello", server="welcome", versions=versions)
        self.assertEqual(
            behind.calls,
            [
                ("admit", None, {}),
                ("admit", "ann", {"token": "t"}),
                ("dial",),
                ("connect", None, None, None),
                ("connect", "hello", "welcome", versions),
            ],
        )

    def test_values(self) -> None:
        """A frame is its bytes and its payload, versions are those sent and received."""
        self.assertEqual(Frame(b"\0x", b"x").payload, b"x")
        self.assertEqual((Versions(1, 2).sends, Versions(1, 2).receives), (1, 2))
