"""The numbers of FIX stay right between two engines, whatever filters do, and however the session is interrupted."""

from __future__ import annotations

import functools
import shutil
from functools import partial
from typing import Any

from twisted.internet.task import deferLater

from twisted_repeater import Link, OnFilterError
from twisted_repeater.dialects.fix import ExecutionReport, NewOrderSingle
from twisted_repeater.verdicts import DO_NOTHING, PASS_ON, Close, PassOnAndSendBack, Send, SendBack, Verdict

from ..peers import reactor
from .fix_case import FixCase, on_orders, on_reports
from .fix_engines import Line
from .fix_judge import sent_once
from .quickfix.judged_orders import news, refusal
from .servers import free_port

DEBIAN_PACKAGES = "g++ libquickfix-dev"


def every_third(then: Verdict | None = None) -> object:
    """Return a filter that drops every third order, or does something else with it."""

    def decide(order: NewOrderSingle, link: Link) -> Verdict:
        if then is None or int(order[11]) % 3:
            return every_third_refused(order, link)
        return then

    return on_orders(decide)


def every_third_refused(order: NewOrderSingle, link: Link) -> Verdict:
    """Refuse every third order."""
    return PASS_ON if int(order[11]) % 3 else SendBack([refusal(order)])


def add_after_order(order: NewOrderSingle, link: Link) -> Verdict:
    """Add a message after every third order."""
    return PASS_ON if int(order[11]) % 3 else Send(order, news(f"order {order.text(11)}"))


def add_before_report(report: ExecutionReport, link: Link) -> Verdict:
    """Add a message before every fourth report, and one the other way."""
    number = int(report[11])
    if number % 4 == 0:
        return Send(news(f"fill {number}"), report)
    return PassOnAndSendBack([news(f"report {number}")]) if number % 4 == 1 else PASS_ON


def change(order: NewOrderSingle, link: Link) -> Verdict:
    """Change every third order."""
    return PASS_ON if int(order[11]) % 3 else Send(order.changed({58: "a longer text", 44: "11"}))


PASSING = (2, 3, 4, 6, 7)
"""The orders that `decide_by_eight` lets pass, by the rest when divided by eight."""
OWN = ("2", "3", "4", "6", "10", "11", "12", "14")
"""Those that it changes, or that pass with others."""


def decide_by_eight(order: NewOrderSingle, link: Link) -> Verdict:
    """Do something else with each of seven orders, and pass the eighth."""
    verdicts = {
        0: DO_NOTHING,
        1: SendBack([refusal(order)]),
        2: Send(order.changed({58: "changed"})),
        3: Send(order, news("after")),
        4: Send(news("before"), order),
        5: Send(news("instead")),
        6: PassOnAndSendBack([news("back")]),
    }
    return verdicts.get(int(order[11]) % 8, PASS_ON)


class InterferingTests(FixCase):
    """Each kind of interference, then resends both ways, then a new connection."""

    async def interfere(self, to_server: int = 0, to_client: int = 0) -> None:
        """Check that all is in step now, after resends, after a new connection, and after resends once more."""
        await self.in_step(to_server, to_client)
        self.calm()
        await self.gets_all_again(self.acceptor)
        await self.gets_all_again(self.initiator)
        await self.in_step(to_server, to_client)
        self.calm(1, 1)
        await self.reconnect()
        await self.gets_all_again(self.acceptor)
        await self.gets_all_again(self.initiator)
        await self.in_step(to_server, to_client)
        self.calm(2, 2)

    async def reconnect(self) -> None:
        """Close the initiator's connection, and wait for its new one."""
        self.initiator.type("cut")
        await self.until(lambda: self.initiator.count("logon") > 1, self.both_logs)
        await self.logged_on()

    async def test_nothing(self) -> None:
        """Without interference nothing is changed by resends and reconnects."""
        await self.engines()
        await self.trade(1, 12)
        await self.interfere()

    async def test_drop(self) -> None:
        """Dropped orders leave no gap: a SequenceReset-GapFill stands in their place, also when they are resent."""
        await self.engines(to_server_filter=every_third(DO_NOTHING))
        await self.trade(1, 12, reports=8)
        self.assertEqual(self.ids(self.acceptor), [1, 2, 4, 5, 7, 8, 10, 11])
        await self.interfere()

    async def test_refuse(self) -> None:
        """Refused orders leave no gap, and their answers take numbers of the acceptor's flow."""
        await self.engines(to_server_filter=every_third())
        await self.trade(1, 12)
        self.assertEqual(self.ids(self.acceptor), [1, 2, 4, 5, 7, 8, 10, 11])
        self.assertEqual(sorted(self.ids(self.initiator, "8")), list(range(1, 13)))
        await self.interfere(to_client=4)

    async def test_refuse_all(self) -> None:
        """With the kill switch on, all orders are refused, and the acceptor asks for none of them."""
        await self.engines(to_server_filter=on_orders(lambda order, link: SendBack([refusal(order)])))
        await self.trade(1, 50)
        self.assertEqual(self.ids(self.acceptor), [])
        await self.interfere(to_client=50)

    async def test_drop_everything(self) -> None:
        """If all orders are dropped without a word, the acceptor is told of the gap before its next message."""
        await self.engines(to_server_filter=on_orders(lambda order, link: DO_NOTHING))
        await self.trade(1, 50, reports=0)
        await self.interfere()
        self.assertEqual(self.ids(self.acceptor), [])

    async def test_change(self) -> None:
        """Changed orders are resent as they were changed."""
        await self.engines(to_server_filter=on_orders(change))
        await self.trade(1, 12)
        texts = [line.get(58) for line in self.acceptor.told("got", "D")]
        self.assertEqual(texts, ["", "", "a longer text"] * 4)
        await self.interfere()

    async def test_add_to_server(self) -> None:
        """Messages that are added on the way to the acceptor are there once, and the numbers behind them move on."""
        await self.engines(to_server_filter=on_orders(add_after_order))
        await self.trade(1, 12)
        self.assertEqual(self.headlines(self.acceptor), ["order 3", "order 6", "order 9", "order 12"])
        await self.interfere(to_server=4)

    async def test_add_both_ways(self) -> None:
        """Messages may be added in both directions, and in answer to reports."""
        await self.engines(to_server_filter=on_orders(add_after_order), to_client_filter=on_reports(add_before_report))
        await self.trade(1, 12)
        self.assertEqual(self.headlines(self.initiator), ["fill 4", "fill 8", "fill 12"])
        await self.until(lambda: len(self.headlines(self.acceptor)) == 7, self.both_logs)
        await self.interfere(to_server=7, to_client=3)

    async def test_send(self) -> None:
        """What the application sends by itself takes numbers in both flows."""
        await self.engines()
        await self.trade(1, 3)
        (link,) = self.repeater.links()
        link.send_to_server(news("to the server"))
        link.send_to_client(news("to the client"))
        await self.trade(4, 3)
        self.repeater.send_to_all_clients(news("to all"))
        await self.in_step(1, 2)
        self.assertEqual(self.headlines(self.acceptor), ["to the server"])
        self.assertEqual(self.headlines(self.initiator), ["to the client", "to all"])
        await self.interfere(1, 2)

    async def test_everything(self) -> None:
        """Dropped, refused, changed and added messages may come one after another, in any order."""
        await self.engines(to_server_filter=on_orders(decide_by_eight), to_client_filter=on_reports(add_before_report))
        await self.trade(1, 64, reports=48)
        await self.answered(self.acceptor)
        # Order 8k + 4 has a report that is preceded by news, order 8k + 1 no report; 8k + 5 no order.
        to_server = 8 * 2 + sum(number % 4 == 1 for number in self.ids(self.initiator, "8") if number % 8 != 1)
        to_client = 8 * 2 + sum(number % 4 == 0 for number in self.ids(self.acceptor))
        await self.interfere(to_server, to_client)


class FilterTests(FixCase):
    """Filters that answer later, fail, or close the link."""

    async def test_later(self) -> None:
        """Verdicts may come later; messages of both directions keep their numbers in order."""

        async def decide(order: NewOrderSingle, link: Link) -> Verdict:
            await deferLater(reactor, 0.001 * (int(order[11]) % 3), lambda: None)
            return decide_by_eight(order, link)

        await self.engines(to_server_filter=on_orders(decide), to_client_filter=on_reports(add_before_report))
        await self.trade(1, 40, reports=30)
        self.initiator.type("send 35=2|7=1|16=0")
        self.acceptor.type("send 35=2|7=1|16=0")
        await self.answered(self.acceptor)
        counts = len(self.headlines(self.acceptor)), len(self.headlines(self.initiator))
        # Of eight orders, one is refused to the client, and news stand in the place of one.
        await self.in_step(counts[0] - 5, counts[1] + 5)
        await self.gets_all_again(self.acceptor)
        await self.gets_all_again(self.initiator)

    async def check_failing(self, policy: OnFilterError, reports: int) -> None:
        """Check that a filter that fails at every third order leaves the numbers right."""

        def fail(order: NewOrderSingle, link: Link) -> Verdict:
            if int(order[11]) % 3:
                return PASS_ON
            raise ZeroDivisionError

        await self.engines(to_server_filter=on_orders(fail), on_filter_error=policy)
        await self.trade(1, 12, reports=reports)
        await self.in_step()
        self.calm()
        await self.gets_all_again(self.acceptor)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)  # the log is told of the first one only

    async def test_failing_passes(self) -> None:
        """What a filter failed on passes, if that is the policy."""
        await self.check_failing(OnFilterError.PASS_ON, 12)

    async def test_failing_drops(self) -> None:
        """Or it is dropped, and the acceptor gets a gap fill."""
        await self.check_failing(OnFilterError.DROP, 8)

    async def test_close(self) -> None:
        """An order that closes the link is dropped; all others arrive, over the next link."""

        def close(order: NewOrderSingle, link: Link) -> Verdict:
            return Close() if int(order[11]) % 5 == 0 else every_third_refused(order, link)

        await self.engines(to_server_filter=on_orders(close))
        await self.trade(1, 12, reports=10)
        await self.logged_on()
        self.assertEqual(self.ids(self.acceptor), [1, 2, 4, 7, 8, 11])
        await self.in_step(to_client=4)

    async def test_closed_by_application(self) -> None:
        """The session goes on where it was if the application closes its link."""
        await self.engines(to_server_filter=every_third())
        await self.trade(1, 6)
        (link,) = self.repeater.links()
        link.close()
        await self.until(lambda: self.initiator.count("logon") == 2, self.both_logs)
        await self.logged_on()
        await self.trade(7, 6)
        await self.in_step(to_client=4)


class SessionTests(FixCase):
    """What engines do to their numbers, after some were dropped and some added."""

    async def some_trade(self, **settings: object) -> None:
        """Start, and refuse one order of three."""
        await self.engines(to_server_filter=every_third(), of_engines=settings)
        await self.trade(1, 6)

    async def test_logout(self) -> None:
        """After a Logout the session goes on with the numbers that it had."""
        await self.some_trade()
        self.initiator.type("logout")
        await self.until(lambda: self.acceptor.count("logout") == 1, self.both_logs)
        self.initiator.type("logon")
        await self.until(lambda: self.initiator.count("logon") == 2, self.both_logs)
        await self.logged_on()
        await self.trade(7, 6)
        await self.in_step(to_client=4)
        self.calm()

    async def check_reset(self, **settings: object) -> None:
        """Check that a new connection begins with number 1 at both ends, and goes on to be right."""
        await self.some_trade(**settings)
        self.initiator.type("cut")
        await self.until(lambda: self.initiator.count("logon") == 2, self.both_logs)
        await self.logged_on()
        state = self.initiator.ask()
        self.assertEqual((state.sender, state.target), (2, 2))
        await self.trade(7, 6)
        await self.in_step(to_client=2)
        await self.gets_all_again_since_logon()

    async def gets_all_again_since_logon(self) -> None:
        """Let the acceptor ask for all of its new session."""
        count = len(self.acceptor.lines)
        self.acceptor.type("set target 1")
        await self.answered(self.acceptor)
        again = [int(line.get(11)) for line in self.acceptor.lines[count:] if line.kind == "got"]
        self.assertEqual(again, [7, 8, 10, 11])
        await self.in_step(to_client=2)

    async def test_reset_on_logon(self) -> None:
        """A Logon with ResetSeqNumFlag begins both flows again, and what was known of them is forgotten."""
        await self.check_reset(ResetOnLogon="Y")

    async def test_reset_on_disconnect(self) -> None:
        """The same if both engines forget their numbers with each connection, and say so in no flag."""
        await self.check_reset(ResetOnDisconnect="Y")

    async def test_reset_on_logout(self) -> None:
        """The same if they forget them with each Logout."""
        await self.some_trade(ResetOnLogout="Y")
        self.initiator.type("logout")
        await self.until(lambda: self.acceptor.count("logout") == 1, self.both_logs)
        self.initiator.type("logon")
        await self.until(lambda: self.initiator.count("logon") == 2, self.both_logs)
        await self.logged_on()
        await self.trade(7, 6)
        await self.in_step(to_client=2)

    async def test_resets_in_vain(self) -> None:
        """An acceptor that never comes back from a reset's Logon leaves the numbers as they were."""
        await self.some_trade()
        self.acceptor.kill()
        await self.until(lambda: self.initiator.count("logout") >= 1, self.both_logs)
        self.acceptor.start()
        await self.logged_on()
        await self.trade(7, 3)
        await self.in_step(to_client=3)

    async def test_number_too_high(self) -> None:
        """An engine that skips numbers is asked for them, and fills the gap."""
        await self.some_trade()
        state = self.initiator.ask()
        self.initiator.type(f"set sender {state.sender + 10}")
        await self.trade(7, 3)
        await self.in_step(to_client=3)
        self.calm(0, 1)
        state = self.acceptor.ask()
        self.acceptor.type(f"set sender {state.sender + 10}")
        await self.trade(10, 3)
        await self.in_step(to_client=4)
        self.calm(1, 1)

    async def test_number_too_low(self) -> None:
        """An engine whose numbers are too low is logged out by the other, whose reason arrives."""
        await self.some_trade()
        state = self.initiator.ask()
        self.initiator.type(f"set sender {state.sender - 3}")
        self.initiator.type("send 35=D|11=7|55=ACME|54=1|38=100")
        await self.until(lambda: self.initiator.count("logout") >= 1, self.both_logs)
        reasons = [line.get(58) for line in self.initiator.told("came", "5")]
        self.assertRegex(reasons[0], "MsgSeqNum too low, expecting [0-9]+ but received [0-9]+")

    async def test_asked_again(self) -> None:
        """Ranges of a ResendRequest may begin and end at messages that were dropped or added."""
        await self.some_trade()
        await self.trade(7, 20)
        for engine in (self.acceptor, self.initiator):
            last = engine.ask().target - 1
            other = self.initiator if engine is self.acceptor else self.acceptor
            for first in range(2, last + 1, 3):
                for end in (first, min(first + 1, last), min(first + 4, last)):
                    before = len(engine.lines)
                    engine.type(f"send 35=2|7={first}|16={end}")
                    await self.answered(engine)
                    again = [line for line in engine.lines[before:] if line.kind == "came" and line.is_again]
                    self.assertEqual(covered(again), list(range(first, end + 1)), self.both_logs())
            await self.answered(other)
        await self.in_step(to_client=8)

    async def test_nothing_to_resend(self) -> None:
        """An engine that keeps no messages fills all gaps; what the repeater has added or changed is resent in them."""
        await self.engines(to_server_filter=on_orders(decide_by_eight), of_engines={"PersistMessages": "N"})
        await self.trade(1, 16, reports=12)
        await self.answered(self.acceptor)
        kept = [line.number for line in self.acceptor.told("got") if line.type == "B" or line.get(11) in OWN]
        count = len(self.acceptor.lines)
        self.acceptor.type("set target 1")
        await self.answered(self.acceptor)
        again = [line.number for line in self.acceptor.lines[count:] if line.kind == "got"]
        self.assertEqual(again, kept)  # QuickFIX then does not count the request that it has answered so

    async def test_asked_while_trading(self) -> None:
        """Engines may ask for messages again, and lose some, while others are on their way."""
        await self.engines(
            to_server_filter=on_orders(decide_by_eight),
            to_client_filter=on_reports(add_before_report),
        )
        self.initiator.type("orders 1 400 1000")
        for left in range(350, 0, -50):
            await self.until(partial(self.has_left, left), self.both_logs)
            for engine in (self.acceptor, self.initiator):
                engine.type(f"send 35=2|7={max(1, engine.ask().target - 30)}|16=0")
            if left % 100:
                self.initiator.type("cut")
                self.initiator.type("rush 5")
        await self.until(lambda: not self.initiator.ask().left)
        counts = self.expected_of_eight(400)
        await self.in_step(*counts)
        await self.gets_all_again(self.acceptor)
        await self.gets_all_again(self.initiator)
        orders = [line for line in sent_once(self.initiator, "D") if int(line.get(11)) % 8 in PASSING]
        by_number = {line.number: line for line in self.acceptor.told("got", "D")}
        self.assertEqual([line.get(11) for _, line in sorted(by_number.items())], [line.get(11) for line in orders])

    def has_left(self, count: int) -> bool:
        """Return whether the initiator has no more than so many orders left to send."""
        return self.initiator.ask().left <= count

    def expected_of_eight(self, count: int) -> tuple[int, int]:
        """Return how many messages `decide_by_eight` and `add_before_report` add to both flows for so many orders."""
        passing = [number for number in range(1, count + 1) if number % 8 in PASSING]
        to_server = sum(number % 8 in (3, 4) for number in passing) + sum(number % 4 == 1 for number in passing)
        refused = sum(number % 8 == 1 for number in range(1, count + 1))
        return to_server, refused + sum(number % 8 == 6 or number % 4 == 0 for number in passing)

    async def test_rejects(self) -> None:
        """A Reject names the number that its receiver knows; one of an added message ends at the repeater."""
        await self.engines(to_server_filter=on_orders(add_after_order))
        await self.trade(1, 9)
        orders = {line.get(11): line.number for line in self.acceptor.told("got", "D")}
        added = {line.get(148): line.number for line in self.acceptor.told("got", "B")}
        self.acceptor.type(f"send 35=j|45={orders['8']}|372=D|380=0|58=order 8")
        self.acceptor.type(f"send 35=3|45={orders['5']}|58=order 5")
        self.acceptor.type(f"send 35=3|45={added['order 6']}|58=news")
        await self.in_step(to_server=3)
        numbers = {line.get(11): line.number for line in self.initiator.told("sent", "D")}
        found = [(line.get(58), int(line.get(45))) for line in self.initiator.told("came", "3j")]
        self.assertEqual(found, [("order 8", numbers["8"]), ("order 5", numbers["5"])])


class RestartTests(FixCase):
    """The repeater is started again, with the file in which it keeps what it did."""

    async def start_again(self, **settings: Any) -> None:
        """Shut the repeater down, and start another one on its port, with what its store has then."""
        await self.repeater.shutdown()
        await self.until(lambda: not self.acceptor.ask().is_logged_on, self.both_logs)
        shutil.copytree(
            self.directory / "store", self.directory / "copy"
        )  # the first one has its file as long as we run
        await self.repeat(self.acceptor.port, **self.kept("copy"), **settings)
        await self.until(lambda: self.initiator.count("logon") > 1, self.both_logs)
        await self.logged_on()

    def kept(self, name: str = "store") -> dict[str, Any]:
        """Return the settings of a repeater with a store, on a port that stays the same."""
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        return {"fix": {"store": str(directory / "fix.db")}, "listen": self.listen}

    @functools.cached_property
    def listen(self) -> str:
        """Where all repeaters of a test listen."""
        return f"tcp:{free_port()}:interface=127.0.0.1"

    async def test_store(self) -> None:
        """What was dropped, refused, changed and added before is resent as before, and nothing is decided again."""
        await self.engines(
            to_server_filter=on_orders(decide_by_eight), to_client_filter=on_reports(add_before_report), **self.kept()
        )
        await self.trade(1, 24, reports=18)
        counts = await self.counts()
        await self.in_step(*counts)
        await self.start_again()
        await self.in_step(*counts)
        for engine in (self.acceptor, self.initiator):
            await self.gets_all_again(engine)
        await self.trade(25, 8, reports=8)
        await self.in_step(*counts)

    async def test_decided_before(self) -> None:
        """A filter is not asked again about messages with answers, though it would decide in another way now."""
        await self.engines(
            to_server_filter=on_orders(decide_by_eight), to_client_filter=on_reports(add_before_report), **self.kept()
        )
        await self.trade(1, 24, reports=18)
        counts = await self.counts()
        await self.start_again(
            to_server_filter=on_orders(decide_by_eight), to_client_filter=on_reports(add_before_report)
        )
        for engine in (self.acceptor, self.initiator):
            await self.gets_all_again(engine)
        await self.in_step(*counts)

    async def counts(self) -> tuple[int, int]:
        """Return how many messages were added to both flows, by the numbers of the engines."""
        await self.answered(self.initiator)
        await self.answered(self.acceptor)
        initiator, acceptor = self.initiator.ask(), self.acceptor.ask()
        counts = acceptor.target - initiator.sender, initiator.target - acceptor.sender
        self.assertGreater(min(counts), 3)
        return counts


class OtherVersionsTests(FixCase):
    """The same in the oldest and the newest version."""

    async def check(self, **settings: object) -> None:
        """Refuse and add, then let both ask for all again."""
        await self.engines(
            to_server_filter=every_third(), to_client_filter=on_reports(add_before_report), of_engines=settings
        )
        await self.trade(1, 12)
        await self.in_step(to_server=2, to_client=6)
        await self.gets_all_again(self.acceptor)
        await self.gets_all_again(self.initiator)
        await self.in_step(to_server=2, to_client=6)
        self.calm(1, 1)

    async def test_first(self) -> None:
        """In FIX 4.0, where "all after" is 999999."""
        await self.check(BeginString="FIX.4.0")

    async def test_last(self) -> None:
        """In FIX 5.0 SP2, over FIXT 1.1."""
        await self.check(BeginString="FIXT.1.1", DefaultApplVerID="FIX.5.0SP2")


def covered(lines: list[Line]) -> list[int]:
    """Return the numbers that resent messages and gap fills stand for."""
    numbers: list[int] = []
    for line in lines:
        end = int(line.get(36)) if line.type == "4" else line.number + 1
        numbers += range(line.number, end)
    return numbers
