"""The numbers of FIX stay right, whatever engines do to their sessions, and when the repeater is restarted."""

from __future__ import annotations

import functools
import shutil
from functools import partial
from typing import Any

from .fix_case import FixCase
from .fix_engines import Line
from .fix_filters import (
    OWN,
    PASSING,
    add_after_order,
    add_before_report,
    decide_by_eight,
    every_third,
    on_orders,
    on_reports,
)
from .fix_judge import sent_once
from .servers import free_port

DEBIAN_PACKAGES = "g++ libquickfix-dev"


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
