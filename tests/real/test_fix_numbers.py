"""The numbers of FIX stay right between two engines, whatever filters do."""

from __future__ import annotations

from twisted.internet.task import deferLater

from twisted_repeater import Link, OnFilterError
from twisted_repeater.dialects.fix import NewOrderSingle
from twisted_repeater.verdicts import DO_NOTHING, PASS_ON, Close, SendBack, Verdict

from ..peers import reactor
from .fix_case import FixCase
from .fix_filters import (
    add_after_order,
    add_before_report,
    change,
    decide_by_eight,
    every_third,
    every_third_refused,
    on_orders,
    on_reports,
)
from .quickfix.judged_orders import news, refusal

DEBIAN_PACKAGES = "g++ libquickfix-dev"


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
