"""Limits for orders between two engines: refused orders are answered, the next ones pass, and the numbers are right."""

from __future__ import annotations

from twisted_repeater.dialects.fix import Orders

from ..programs import TWISTD, Program, environment
from .fix_case import FixCase
from .fix_engines import Line
from .servers import free_port

DEBIAN_PACKAGES = "g++ libquickfix-dev"

REST = "21=1|54=1|60=20261126-12:00:00|40=2|44=10"


class OrdersTests(FixCase):
    """The filter `Orders`."""

    def reports(self) -> dict[str, Line]:
        """Return the last answer to each order, by its ClOrdID."""
        return {line.get(11): line for line in self.initiator.told("got", "89")}

    async def refused(self, order: str, why: str) -> Line:
        """Let the initiator send an order or a change, and return the answer that refuses it."""
        self.initiator.type(f"send {order}|{REST}")
        number = Line("sent", f"|{order}|").get(11)
        await self.until(lambda: number in self.reports(), self.both_logs)
        answer = self.reports()[number]
        self.assertIn(why, answer.get(58))
        return answer

    async def check_limits(self, version: str) -> None:
        """Trade in a version, with orders that are refused and others between them."""
        await self.engines(
            of_engines={"BeginString": version, "DefaultApplVerID": "FIX.5.0SP2"},
            filters=Orders(max_quantity=100, symbols=("ACME",)),
        )
        await self.trade(1, 2)
        large = await self.refused("35=D|11=3|55=ACME|38=101", "the quantity is 101")
        self.assertEqual((large.type, large.get(39), large.get(150)), ("8", "8", "" if version == "FIX.4.0" else "8"))
        await self.refused("35=D|11=4|55=OTHER|38=1", "orders of OTHER are not allowed")
        await self.trade(5, 2)
        change = await self.refused("35=G|11=7|41=5|55=ACME|38=101", "the quantity is 101")
        self.assertEqual(change.type, "9")
        await self.trade(8, 1)
        self.assertEqual(self.ids(self.acceptor), [1, 2, 5, 6, 8])
        await self.in_step(to_client=3)
        self.calm()
        await self.gets_all_again(self.initiator)
        await self.gets_all_again(self.acceptor)
        await self.in_step(to_client=3)

    async def test_4_0(self) -> None:
        """FIX 4.0: refused orders and changes are answered, and the answers come again where they are asked for."""
        await self.check_limits("FIX.4.0")

    async def test_4_4(self) -> None:
        """FIX 4.4: likewise."""
        await self.check_limits("FIX.4.4")

    async def test_5_0(self) -> None:
        """FIX 5.0: likewise."""
        await self.check_limits("FIXT.1.1")

    async def test_halt(self) -> None:
        """While orders are halted all are refused, and cancels pass; afterwards orders pass again."""
        orders = Orders()
        await self.engines(filters=orders)
        await self.trade(1, 1)
        orders.halt()
        await self.trade(2, 100)
        self.initiator.type("send 35=F|11=200|41=1|55=ACME|54=1|60=20261126-12:00:00")
        await self.until(lambda: len(self.acceptor.told("got", "F")) == 1, self.both_logs)
        orders.resume()
        await self.trade(201, 1)
        self.assertEqual(self.ids(self.acceptor), [1, 201])
        self.assertEqual({line.get(58) for line in self.initiator.told("got", "8")}, {"", "orders are halted"})
        await self.in_step(to_client=100)
        self.calm()

    async def test_command_line(self) -> None:
        """The filter works by its name on the command line, with a file that halts."""
        halt = self.directory / "halt"
        port, server = free_port(), free_port()
        command = f"{TWISTD} -n --pidfile= repeater --dialect fix:store=fix.db --listen tcp:{port}:interface=127.0.0.1"
        rules = f"fix-orders:max-quantity=100:symbols=ACME,OTHER:halt-file={halt}"
        words = f"{command} --server tcp:127.0.0.1:{server} --filter {rules}"
        program = Program(*words.split(), cwd=str(self.directory), env=environment())
        self.addCleanup(program.kill)
        program.wait_for("accepting clients at")
        self.acceptor = self.start_engine("acceptor", server)
        self.initiator = self.start_engine("initiator", port)
        await self.logged_on()
        await self.trade(1, 1)
        halt.touch()
        await self.refused("35=D|11=2|55=ACME|38=1", "orders are halted")
        halt.unlink()
        await self.refused("35=D|11=3|55=ACME|38=101", "the quantity is 101")
        await self.trade(4, 1)
        self.assertEqual(self.ids(self.acceptor), [1, 4])
        self.assertIn("refused NewOrderSingle '3'", program.output)
