"""A scripted server."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Hello, HelloTimeout, ServerUnreachable, dialects
from twisted_repeater.testing import MemoryRepeater


class ServerTests(SynchronousTestCase):
    """What it does for each connection."""

    def setUp(self) -> None:
        """Run a repeater."""
        self.running = MemoryRepeater()
        self.server = self.running.server

    def test_connections(self) -> None:
        """It has a connection for each client, by name; the last one, if there were several."""
        for name in ("alice", "bob", "alice"):
            client = self.running.connect(name)
            client.send(name.encode())
            last = self.server[name]
            client.close()
        self.assertIs(self.server["alice"], last)
        self.assertEqual([peer.received for peer in self.server.connections], [[b"alice"], [b"bob"], [b"alice"]])
        error = self.assertRaises(AssertionError, lambda: self.server["carol"])
        self.assertTrue(str(error).startswith("the server has no connection for client 'carol'"), error)

    def test_answer(self) -> None:
        """It answers on every connection."""
        client = self.running.connect()
        client.send(b"unanswered")
        self.server.answer = lambda message, peer: [message.upper()]
        client.send(b"one", b"two")
        client.expect(b"ONE", b"TWO")

    def test_silent(self) -> None:
        """Without a hello it says nothing, until its connection is told to."""
        self.server.hello = None
        client = self.running.connect("alice")
        self.assertIsNone(client.heard)
        self.server["alice"].say_hello(Hello("server"))
        self.assertIsNotNone(client.heard)
        self.running.connect("bob")
        self.running.advance(10)
        self.assertEqual([type(error) for error in self.running.refusals], [HelloTimeout])

    def test_unreachable(self) -> None:
        """It may stop listening, and listen again."""
        self.running.stop_listening()
        self.running.stop_listening()
        self.assertFalse(self.running.connect().open)
        self.assertEqual([type(error) for error in self.running.refusals], [ServerUnreachable])
        self.running.listen()
        self.assertIsNotNone(self.running.connect().heard)

    def test_when_connected(self) -> None:
        """It says when there is a connection for a client."""
        late, alice, never = (self.server.when_connected(name) for name in ("late", "alice", "never"))
        self.running.connect("alice")
        self.assertIs(self.successResultOf(alice), self.server["alice"])
        self.assertIs(self.successResultOf(self.server.when_connected("alice")), self.server["alice"])
        self.assertNoResult(late)
        self.running.clients[0].close()
        again = self.server.when_connected("alice")
        self.assertNoResult(again)
        self.running.connect("alice")
        self.assertIs(self.successResultOf(again), self.server.connections[-1])
        self.running.advance(5)
        told = self.failureResultOf(never, AssertionError).getErrorMessage()
        self.assertIn("has waited 5 s in vain for a connection for client 'never'", told)
        self.running.connect("late")
        self.failureResultOf(late, AssertionError)


class WithoutHelloTests(SynchronousTestCase):
    """In a dialect without hellos."""

    def setUp(self) -> None:
        """Run a repeater."""
        self.running = MemoryRepeater(dialects.lines())
        self.server = self.running.server

    def test_connections(self) -> None:
        """Its connections are found by the client, or by the name that the repeater has for it."""
        clients = [self.running.connect() for _ in range(3)]
        for number, client in enumerate(clients):
            client.send(b"%d" % number)
        for number, client in enumerate(clients):
            self.server[client].expect(b"%d" % number)
            self.assertIs(self.server[client.client_name], self.server[client])
        stranger = MemoryRepeater(dialects.lines()).connect()
        error = self.assertRaises(AssertionError, lambda: self.server[stranger])
        self.assertTrue(str(error).startswith(f"the server has no connection for {stranger!r}"), error)

    def test_when_connected(self) -> None:
        """It says when there is a connection for a client."""
        self.running.stop_listening()
        refused = self.running.connect()
        self.running.listen()
        waiting = self.server.when_connected(refused)
        client = self.running.connect()
        connected = self.server.when_connected(client)
        self.assertIs(self.successResultOf(connected), self.server[client])
        self.running.advance(5)
        told = self.failureResultOf(waiting, AssertionError).getErrorMessage()
        self.assertIn(f"has waited 5 s in vain for a connection for {refused!r}", told)

    def test_says(self) -> None:
        """What it says at once may be changed."""
        self.server.says = [b"hello\n"]
        self.running.connect().expect(b"hello")
