"""Tests of the filters that name a client. `tests/real/test_redis_dialect.py` has the same with a real server."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, ClientNotAllowed, Send, Side
from twisted_repeater.codecs import RawCodec
from twisted_repeater.dialects.redis import Command, Raw, Reply
from twisted_repeater.dialects.redis.codec import CommandCodec, ReplyCodec
from twisted_repeater.dialects.redis.messages import read_reply
from twisted_repeater.dialects.redis.naming import MOST_CLAIMS, NO_REPLICATION, NO_REPLIES, TOO_MANY, Naming
from twisted_repeater.verdicts import DO_NOTHING, Close

OK = Reply.status("OK")
HELLO = Reply([b"server", b"redis"])
PUSH = read_reply(b">1\r\n+a\r\n")
LOGIN = Command("AUTH", "ann", "secret")


class FakeLink:
    """Stands for a link; it keeps the names that it gets."""

    def __init__(self) -> None:
        self.client_name = "127.0.0.1:5"
        self.named: Deferred[None] = succeed(None)

    def identify(self, name: str) -> Deferred[None]:
        self.client_name = name
        return self.named


class NamingTests(SynchronousTestCase):
    """Commands and replies of one link."""

    def setUp(self) -> None:
        link: Any = FakeLink()
        self.link: Any = link
        self.to_server: Any
        self.to_client: Any
        self.to_server, self.to_client = Naming().for_link(link)
        self.gate = self.to_client.selector_for(ReplyCodec())

    def claim(self, command: Command) -> Command:
        """Send a command that brings a name; return the mark before it."""
        verdict = self.to_server.filter(command, self.link)
        assert isinstance(verdict, Send)
        mark, same = verdict.forward
        assert isinstance(mark, Command)
        self.assertIs(same, command)
        self.assertTrue(self.gate.is_open)
        return mark

    def get(self, reply: Reply) -> Any:
        """Get a reply, and return the verdict."""
        verdict = self.to_client.filter(reply, self.link)
        return self.successResultOf(verdict) if isinstance(verdict, Deferred) else verdict

    def about(self, mark: Command) -> Reply:
        """Return the error about a mark."""
        return Reply.failure(f"ERR unknown command '{mark.name}'")

    def said(self, command: Command, reply: Reply = OK) -> str:
        """Send a command, get the reply to it, and return the name of the link after that."""
        self.assertIs(self.get(self.about(self.claim(command))), DO_NOTHING)
        self.assertIs(self.get(reply), PASS_ON)
        self.assertFalse(self.gate.is_open)
        return str(self.link.client_name)

    def refuses(self, command: Command, answer: Reply) -> None:
        """Send a command in whose place a mark is sent, for this answer."""
        (self.refusing,) = self.to_server.filter(command, self.link).forward
        self.assertNotEqual(self.refusing, command)
        self.assertIn(answer, [run[2] for run in self.to_client._session.marks._runs])

    def passes(self, *commands: Command | Raw) -> None:
        """Send commands that are not marked."""
        for command in commands:
            self.assertIs(self.to_server.filter(command, self.link), PASS_ON)

    def test_user(self) -> None:
        """The user that has logged in is the name, and stronger than that of a connection."""
        self.assertEqual(self.said(Command("CLIENT", "setname", "web")), "web")
        self.assertEqual(self.said(LOGIN, Reply.failure("WRONGPASS no")), "web")
        self.assertEqual(self.said(LOGIN), "ann")
        self.assertEqual(self.said(Command("CLIENT", "SETNAME", "web")), "ann")
        self.assertEqual(self.said(Command("AUTH", "secret")), "ann")
        self.assertEqual(self.said(Command("CLIENT", "SETNAME", "web")), "web")

    def test_hello(self) -> None:
        """HELLO may log in, and give a name, in either order; nothing else may look like its reply."""
        self.assertEqual(self.said(Command("HELLO", 3, "SETNAME", "job"), HELLO), "job")
        self.assertEqual(self.said(Command("HELLO", 3, "AUTH", "ann", "secret"), Reply([b"message", b"server"])), "job")
        self.assertEqual(self.said(Command("HELLO", 3, "setname", "x", "auth", "ann", "secret"), HELLO), "ann")
        self.passes(Command("RESET"))
        self.assertEqual(self.said(Command("HELLO", 3, "SETNAME", "x", "AUTH", "default", ""), HELLO), "x")
        self.passes(
            Command("HELLO"), Command("HELLO", 3), Command("HELLO", 3, "AUTH"), Command("HELLO", 3, "AUTH", "a")
        )

    def test_replies_between(self) -> None:
        """Earlier replies and pushes pass, also between the mark and the reply that counts."""
        mark = self.claim(LOGIN)
        for reply in (OK, PUSH, Reply.failure("ERR x"), self.about(mark), PUSH, OK):
            self.get(reply)
        self.assertEqual(self.link.client_name, "ann")
        self.assertIs(self.get(OK), PASS_ON)

    def test_pipeline(self) -> None:
        """Several logins may be under way, up to a limit: further ones are refused, and other names not looked at."""
        marks = [self.claim(Command("AUTH", f"u{number}", "x")) for number in range(MOST_CLAIMS)]
        self.passes(Command("CLIENT", "SETNAME", "web"))
        self.refuses(LOGIN, TOO_MANY)
        for mark in marks:
            self.get(self.about(mark))
            self.get(OK)
        self.get(self.about(self.refusing))
        self.assertEqual(self.link.client_name, f"u{MOST_CLAIMS - 1}")
        self.assertFalse(self.gate.is_open)

    def test_not_now(self) -> None:
        """In a transaction, and without replies, names that clients give themselves are not looked at."""
        name = Command("CLIENT", "SETNAME", "web")
        self.passes(Command("MULTI"), name, Command("EXEC"), Command("MULTI"), name, Command("DISCARD"))
        self.passes(Command("CLIENT", "REPLY", "OFF"), name, Command("CLIENT", "REPLY", "on"))
        self.passes(Command("CLIENT", "REPLY", "SKIP"), name, Command("MULTI"), Command("RESET"))
        self.assertEqual(self.said(name), "web")

    def test_login_in_a_transaction(self) -> None:
        """A login in a transaction is marked, so that the server gives up the transaction."""
        self.passes(Command("MULTI"))
        self.assertEqual(self.said(LOGIN, Reply.status("QUEUED")), "127.0.0.1:5")

    def test_login_without_reply(self) -> None:
        """A login whose reply the client has turned off is refused; one after that is not."""
        for off in (("OFF",), ("SKIP",)):
            self.passes(Command("CLIENT", "REPLY", *off))
            self.refuses(LOGIN, NO_REPLIES)
            self.passes(Command("CLIENT", "REPLY", "ON"))
        self.passes(Command("CLIENT", "REPLY", "OFF", "x"), Command("CLIENT", "REPLY", "what"))
        for how in ("OFF", "SKIP"):
            self.passes(Command("MULTI"), Command("CLIENT", "REPLY", how), Command("CLIENT", "REPLY", "ON"))
            self.passes(Command("EXEC"))
            self.refuses(LOGIN, NO_REPLIES)
            self.passes(Command("CLIENT", "REPLY", "ON"))
        self.get(self.about(self.refusing))
        selector = self.to_server.selector_for(CommandCodec())
        for skipped in (Command("GET", "k"), LOGIN):
            self.passes(Command("CLIENT", "REPLY", "SKIP"))
            self.assertTrue(selector.matches(bytes(Command("GET", "k")), 0, 20))
            if skipped is LOGIN:
                self.refuses(LOGIN, NO_REPLIES)
                self.get(self.about(self.refusing))
            else:
                self.passes(Raw(b"\r\n"), skipped)
            self.assertFalse(selector.matches(bytes(Command("GET", "k")), 0, 20))
        self.assertEqual(self.said(LOGIN), "ann")

    def test_monitor(self) -> None:
        """What MONITOR shows is no reply to a login."""
        mark = self.claim(LOGIN)
        for reply in (self.about(mark), Reply.status('1700000000.123456 [0 127.0.0.1:5] "PING"'), OK):
            self.get(reply)
        self.assertEqual(self.link.client_name, "ann")

    def test_other_commands(self) -> None:
        """Commands that bring no name pass as they are."""
        self.passes(Command("GET", "k"), Raw(b"\r\n"), Command("CLIENT"), Command("CLIENT", "LIST"), Command("AUTH"))
        self.passes(Command("CLIENT", "SETNAME"), Command("AUTH", "a", "b", "c"))
        self.assertEqual(self.said(Command("CLIENT", "SETNAME", "")), "127.0.0.1:5")

    def test_not_allowed(self) -> None:
        """The client reads why it cannot have its name, and the link is closed."""
        error = ClientNotAllowed("client 'ann' is not allowed", Side.CLIENT)
        self.link.named = fail(error)
        self.get(self.about(self.claim(LOGIN)))
        self.assertEqual(self.get(OK), Close(error, forward=[Reply.failure("ERR client 'ann' is not allowed")]))

    def test_replication(self) -> None:
        """A replica is refused in its turn, and its refusal is no name."""
        (mark,) = self.to_server.filter(Command("PSYNC", "?", -1), self.link).forward
        self.assertEqual(self.get(self.about(mark)), Send(NO_REPLICATION))
        self.assertFalse(self.gate.is_open)

    def test_selectors(self) -> None:
        """Of the commands few are looked at, and of the replies none while nothing is waited for."""
        selector = self.to_server.selector_for(CommandCodec())
        for payload, found in ((b"*1\r\n$4\r\nauth\r\n", True), (b"*1\r\n$3\r\nGET\r\n", False), (b"GET\r\n", True)):
            self.assertEqual(selector.matches(payload, 0, len(payload)), found)
        self.assertFalse(self.gate.is_open)
        self.assertEqual(repr(Naming()), "<the names of redis>")
        for member in (self.to_server, self.to_client):
            self.assertRaises(TypeError, member.selector_for, RawCodec())
