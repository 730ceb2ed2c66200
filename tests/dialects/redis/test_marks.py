"""Tests of marks, and of answers in turn. `tests/real/test_redis_dialect.py` has the same with a real server."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import DROP, PASS_ON, Close, PassOnAndSendBack, Send, SendBack
from twisted_repeater.codecs import RawCodec
from twisted_repeater.dialects.redis import Command, Raw, Reply, in_turn, marks
from twisted_repeater.dialects.redis.codec import CommandCodec, ReplyCodec
from twisted_repeater.dialects.redis.marks import DROPPED, FORGOTTEN, Marks
from twisted_repeater.filters import FilterPair
from twisted_repeater.interfaces import IFilterPair
from twisted_repeater.verdicts import Mixed

LINK: Any = object()
COMMAND = Command("GET", b"k")
ANSWER = Reply(b"answer")
PUSH = Reply.status("x")


def error_about(command: Command, quote: str = "'") -> Reply:
    """Return what a server says about a command that it does not know."""
    return Reply.failure(f"ERR unknown command {quote}{command.name}{quote}, with args beginning with: ")


def filters_for(answer: Any, to_client: Any = None) -> tuple[Any, Any]:
    """Return both filters of a link whose filter of commands gives one answer."""
    return in_turn(FilterPair(lambda command, link: answer, to_client)).for_link(LINK)


class MarksTests(SynchronousTestCase):
    """The marks of a link."""

    def test_found(self) -> None:
        """Each mark is found again by the error about it, in whatever quotes."""
        sent: Marks[str] = Marks()
        commands = [sent.put(answer) for answer in ("a", "b", "b", "c")]
        self.assertEqual(len({command.name for command in commands}), 4)
        self.assertEqual(len(sent), 3)
        found = [sent.found(error_about(command, quote)) for command, quote in zip(commands, "'`\" ", strict=True)]
        self.assertEqual(found, [("a",), ("b",), ("b",), ("c",)])
        self.assertEqual(len(sent), 0)

    def test_others(self) -> None:
        """Other replies, and those to marks of others, are not found."""
        sent: Marks[str] = Marks()
        other: Marks[str] = Marks()
        self.assertIsNone(sent.found(error_about(other.put("a"))))
        self.assertIsNone(sent.found(Reply.failure("ERR unknown command 'X'")))

    def test_without_reply(self) -> None:
        """A mark that gets no reply is forgotten when a later one gets its."""
        sent: Marks[str] = Marks()
        first, second = sent.put("a"), sent.put("b")
        self.assertEqual(sent.found(error_about(second)), ("b",))
        self.assertEqual(sent.found(error_about(first)), (None,))
        self.assertEqual(sent.found(Reply.failure(f"ERR {first.name[:-1]}")), (None,))

    def test_limits(self) -> None:
        """So many answers are kept that memory is bounded; a later mark is kept again when there is room."""
        sent: Marks[Any] = Marks()
        large = sent.put("large", marks.MOST_BYTES)
        more = sent.put("more")
        self.assertEqual(sent.found(error_about(large)), ("large",))
        self.assertEqual(sent.found(error_about(more)), (None,))
        commands = [sent.put(number) for number in range(marks.MOST_RUNS + 1)]
        self.assertEqual(len(sent), marks.MOST_RUNS)
        self.assertEqual(sent.found(error_about(commands[-1])), (None,))
        self.assertEqual(sent.found(error_about(sent.put("again"))), ("again",))


class InTurnTests(SynchronousTestCase):
    """Verdicts that become marks."""

    def test_answered(self) -> None:
        """An answer, or a drop, is a mark, whose error becomes the answer."""
        for answer, expected in ((SendBack([ANSWER]), ANSWER), (DROP, DROPPED), (SendBack([]), DROPPED)):
            to_server, to_client = filters_for(answer)
            verdict = to_server.filter(COMMAND, LINK)
            (mark,) = verdict.forward
            self.assertTrue(mark.name.startswith("TWISTED-REPEATER:"))
            self.assertEqual(to_client.filter(error_about(mark), LINK), Send(expected))

    def test_unchanged(self) -> None:
        """Verdicts with one answer of the server are as they were, and so are replies."""
        for answer in (PASS_ON, Send(Command("PING")), Close(back=[ANSWER]), Mixed(passes=True, back=[Reply(1)][:0])):
            self.assertEqual(filters_for(answer)[0].filter(COMMAND, LINK), answer)
        to_client = filters_for(PASS_ON)[1]
        for reply in (Reply(1), Reply.failure("ERR x"), error_about(COMMAND)):
            self.assertIs(to_client.filter(reply, LINK), PASS_ON)

    def test_pushes(self) -> None:
        """Pushes take no turn."""
        push = ReplyCodec().decode(b">1\r\n+a\r\n")
        verdict = filters_for(SendBack([push, ANSWER]))[0].filter(COMMAND, LINK)
        self.assertEqual((verdict.back, len(verdict.forward)), ((push,), 1))
        answer = PassOnAndSendBack([push])
        self.assertEqual(filters_for(answer)[0].filter(COMMAND, LINK), answer)

    def test_forgotten(self) -> None:
        """The client reads that too many answers wait."""
        to_server, to_client = filters_for(SendBack([Reply(bytes(marks.MOST_BYTES))]))
        (one,) = to_server.filter(COMMAND, LINK).forward
        to_server._ask = lambda command, link: SendBack([ANSWER])
        (more,) = to_server.filter(COMMAND, LINK).forward
        self.assertEqual(to_client.filter(error_about(one), LINK), Send(Reply(bytes(marks.MOST_BYTES))))
        self.assertEqual(to_client.filter(error_about(more), LINK), Send(FORGOTTEN))

    def test_not_one_answer(self) -> None:
        """A command with two answers, or one that is no reply, is an error of the filter."""
        for answer in (PassOnAndSendBack([ANSWER]), SendBack([ANSWER, ANSWER]), Send(COMMAND, COMMAND)):
            error = self.assertRaises(ValueError, filters_for(answer)[0].filter, COMMAND, LINK)
            self.assertIn("a command must have one answer, not 2", str(error))
        self.assertRaises(TypeError, filters_for(SendBack([b"+OK\r\n"]))[0].filter, COMMAND, LINK)

    def test_raw(self) -> None:
        """What asks for nothing gets no answer."""
        for answer, expected in ((SendBack([ANSWER]), PASS_ON), (DROP, PASS_ON), (Send(COMMAND), Send(COMMAND))):
            self.assertEqual(filters_for(answer)[0].filter(Raw(b"\r\n"), LINK), expected)

    def test_later(self) -> None:
        """A verdict may come later."""
        waiting: Deferred[Any] = Deferred()
        later = filters_for(waiting)[0].filter(COMMAND, LINK)
        self.assertNoResult(later)
        waiting.callback(SendBack([ANSWER]))
        self.assertEqual(len(self.successResultOf(later).forward), 1)

    def test_pair(self) -> None:
        """It is a pair, of a filter or of a pair, whose filter of replies sees the others."""
        pair = in_turn(lambda command, link: PASS_ON)
        self.assertTrue(IFilterPair.providedBy(pair))
        self.assertIn("in_turn(", repr(pair))
        seen: list[Reply] = []

        def see(reply: Reply, link: Any) -> Any:
            seen.append(reply)
            return PASS_ON

        to_server, to_client = filters_for(DROP, see)
        (mark,) = to_server.filter(COMMAND, LINK).forward
        for reply in (error_about(mark), ANSWER):
            to_client.filter(reply, LINK)
        self.assertEqual(seen, [ANSWER])
        self.assertIn("in_turn(", repr(to_server))

    def test_selectors(self) -> None:
        """Of the replies it wants errors alone, and in another dialect it is a ``TypeError``."""
        to_server, to_client = filters_for(PASS_ON)
        self.assertIsNone(to_server.selector_for(CommandCodec()))
        selector = to_client.selector_for(ReplyCodec())
        self.assertEqual([selector.matches(data, 0, 3) for data in (b"-ER", b"+OK")], [True, False])
        self.assertIsNone(filters_for(PASS_ON, lambda reply, link: PASS_ON)[1].selector_for(ReplyCodec()))
        for member in (to_server, to_client):
            for codec in (None, RawCodec()):
                self.assertRaises(TypeError, member.selector_for, codec)

    def test_taking_over(self) -> None:
        """When filters are replaced, marks that are under way are still answered."""
        to_server, to_client = filters_for(SendBack([ANSWER]))
        (mark,) = to_server.filter(COMMAND, LINK).forward
        for new, old in zip(filters_for(PASS_ON), (to_server, to_client), strict=True):
            new.migrate(old)
            new.migrate(object())
            found = new
        self.assertEqual(found.filter(error_about(mark), LINK), Send(ANSWER))

        class Counting:
            before: object = None

            def for_link(self, link: Any) -> Any:
                return (None, None)

            def migrate(self, old: object) -> None:
                self.before = old

        first, second = Counting(), Counting()
        in_turn(second).migrate(in_turn(first))
        self.assertIs(second.before, first)
        in_turn(second).migrate(first)
        self.assertEqual(list(in_turn(FilterPair())._fixed()), [])
