"""The dialect ``fix`` between two engines of QuickFIX: what passes, who is let in, and what is not understood."""

from __future__ import annotations

from typing import Any

from twisted_repeater.dialects.fix import Message
from twisted_repeater.errors import ConnectingError, DuplicateClient
from twisted_repeater.link import Link
from twisted_repeater.verdicts import DO_NOTHING, PASS_ON, Verdict

from .fix_case import FixCase, fix_message
from .fix_engines import Engine
from .fix_filters import on_orders
from .servers import free_port, talk

DEBIAN_PACKAGES = "g++ libquickfix-dev"

NAME = "FIX.4.4:BUYER->SELLER"
NEWS = "send 35=B|148=café|33=1|58=a=b|95=3|96=x=y|8001=own"


def look(message: Message, link: Link) -> Verdict:
    """Pass a message after looking at all its fields."""
    assert message.fields
    return PASS_ON


class PassingTests(FixCase):
    """What passes is not touched."""

    async def check_untouched(self, version: str) -> None:
        """Trade in a version, and check that each engine gets the very bytes that the other has sent."""
        await self.engines(of_engines={"BeginString": version, "DefaultApplVerID": "FIX.5.0SP2", "HeartBtInt": 1})
        await self.trade(1, 20)
        self.repeater.replace_filters(to_server_filter=on_orders(look))
        await self.trade(21, 20)
        self.initiator.type(NEWS)
        await self.in_step()
        for one, other in ((self.initiator, self.acceptor), (self.acceptor, self.initiator)):
            sent, came = [line.text for line in one.told("sent")], [line.text for line in other.told("came")]
            self.assertEqual(sent[: len(came)], came)
            self.assertGreater(len(came), 40)
        self.calm()

    async def test_fix_4_0(self) -> None:
        """FIX.4.0 passes, byte by byte."""
        await self.check_untouched("FIX.4.0")

    async def test_fix_4_1(self) -> None:
        """FIX.4.1 passes, byte by byte."""
        await self.check_untouched("FIX.4.1")

    async def test_fix_4_2(self) -> None:
        """FIX.4.2 passes, byte by byte."""
        await self.check_untouched("FIX.4.2")

    async def test_fix_4_3(self) -> None:
        """FIX.4.3 passes, byte by byte."""
        await self.check_untouched("FIX.4.3")

    async def test_fix_4_4(self) -> None:
        """FIX.4.4 passes, byte by byte."""
        await self.check_untouched("FIX.4.4")

    async def test_fixt_1_1(self) -> None:
        """FIXT.1.1 passes, byte by byte."""
        await self.check_untouched("FIXT.1.1")

    async def test_data(self) -> None:
        """Data fields may hold anything, also what looks like the end of a message; repeated fields stay in order."""
        data = "x\x0110=000\x01"
        fields = [(33, 2), (58, "one"), (58, "two"), (95, len(data)), (96, data), (354, 3), (355, "\1\1="), (33, 9)]
        seen: list[Message] = []

        def watch(message: Message, link: Link) -> Verdict:
            seen.append(message)
            return PASS_ON

        client, server = await self.scripted(to_server_filter=watch)
        message = fix_message("B", 2, *fields)
        for at in range(len(message)):
            client.send(message[at : at + 1])
        await self.until(lambda: server.heard.endswith(message))
        self.assertEqual(seen[-1].get(96), data.encode())
        self.assertEqual(seen[-1].values(58), (b"one", b"two"))

    async def test_cancel(self) -> None:
        """Types of messages that nobody knows pass too."""
        await self.engines()
        for type_ in ("F", "G", "E", "AE", "U99", "n"):
            self.initiator.type(f"send 35={type_}|11=1|41=2|55=ACME")
        await self.until(lambda: len(self.acceptor.told("got")) == 6, self.both_logs)
        self.assertEqual([line.type for line in self.acceptor.told("got")], ["F", "G", "E", "AE", "U99", "n"])
        await self.in_step()

    async def test_heartbeats(self) -> None:
        """A filter may see heartbeats, and nothing else is needed for them to go on."""
        seen: list[str] = []

        def watch(message: Message, link: Link) -> Verdict:
            seen.append(message.type)
            return PASS_ON

        await self.engines(of_engines={"HeartBtInt": 1}, to_server_filter=watch)
        await self.until(lambda: len(self.acceptor.told("came", "0")) >= 2, self.both_logs)
        self.assertEqual(seen[:3], ["A", "0", "0"])
        self.calm()

    async def test_logout(self) -> None:
        """A Logout is answered by the other engine; afterwards the session begins again where it was."""
        await self.engines()
        await self.trade(1, 3)
        self.initiator.type("logout")
        await self.until(lambda: self.initiator.count("logout") == self.acceptor.count("logout") == 1, self.both_logs)
        await self.nothing_left(self.repeater)
        self.initiator.type("logon")
        await self.logged_on()
        await self.trade(4, 3)
        await self.in_step()
        self.calm()


class OpeningTests(FixCase):
    """Who is let in, and by which name."""

    async def test_name(self) -> None:
        """A link's name says who talks to whom."""
        await self.engines()
        self.assertEqual(self.repeater.active_clients(), [NAME])
        (link,) = self.repeater.links()
        self.assertEqual(link.details["begin_string"], "FIX.4.4")

    async def test_same_name(self) -> None:
        """Who comes by the name of a session that is there is refused, and the session does not notice."""
        await self.engines()
        said = await self.in_thread(talk, self.repeater.port, fix_message("A", 1, (98, 0), (108, 30)))
        self.assertEqual(said, b"")
        self.assertEqual(self.calls.refusals, [(NAME, DuplicateClient)])
        await self.trade(1, 3)
        await self.in_step()

    async def test_not_allowed(self) -> None:
        """The application decides by the name; who is refused never reaches the server."""
        server, port = self.scripted_server()
        ours = await self.repeat(port, is_client_allowed=lambda name: name != NAME)
        self.assertEqual(await self.in_thread(talk, ours, fix_message("A", 1, (98, 0), (108, 30))), b"")
        self.assertEqual(server.peers, [])

    async def test_no_logon(self) -> None:
        """Who does not begin with a Logon, or not with FIX, is closed."""
        _, port = self.scripted_server()
        ours = await self.repeat(port)
        for wrong in (fix_message("0", 1), b"GET / HTTP/1.0\r\n\r\n", b"8=FIX.4.4\x019=x\x01", b"\x16\x03\x01\x02"):
            self.assertEqual(await self.in_thread(talk, ours, wrong), b"")
        self.assertEqual(len(self.calls.refusals), 4)
        self.assertTrue(all(issubclass(error, ConnectingError) for _, error in self.calls.refusals))


class GarbledTests(FixCase):
    """Messages that no engine understands."""

    async def between(self, **settings: Any) -> Engine:
        """Start an acceptor with a repeater before it, and log a scripted client on."""
        port = free_port()
        self.acceptor = self.start_engine("acceptor", port)
        self.client = await self.scripted_client(await self.repeat(port, **settings))
        self.client.log_on()
        await self.hears(self.client, 1)
        return self.acceptor

    def order(self, number: int) -> bytes:
        """Return an order."""
        return fix_message("D", number, (11, number), (55, "ACME"), (54, 1), (38, 100))

    async def check_garbled(self, **settings: Any) -> None:
        """Check that a wrong checksum costs its message only, and no number."""
        acceptor = await self.between(**settings)
        good = self.order(2)
        self.client.send(good[:-4] + b"%03d\x01" % ((int(good[-4:-1]) + 1) % 256))
        self.client.send(good + self.order(3))
        await self.hears(self.client, 3)
        self.assertEqual([line.number for line in acceptor.told("got")], [2, 3])
        self.assertEqual(len(acceptor.told("sent", "2")), 0)

    async def test_checksum(self) -> None:
        """A message with a wrong checksum consumes no number; the next ones are handled."""
        await self.check_garbled()

    async def test_checksum_filtered(self) -> None:
        """The same where a filter would drop the message: it is not asked about it."""
        seen: list[Message] = []

        def watch(message: Message, link: Link) -> Verdict:
            seen.append(message)
            return PASS_ON

        await self.check_garbled(to_server_filter=on_orders(watch))
        self.assertEqual([message.sequence_number for message in seen], [2, 3])

    async def test_no_message(self) -> None:
        """What is no message of FIX closes the link; a message before it still arrives."""
        acceptor = await self.between()
        self.client.send(self.order(2) + b"8=FIX.4.4\x019=5\x0135=0\x0111=000\x01")
        await self.until(lambda: self.client.is_gone)
        await self.until(lambda: acceptor.count("logout") == 1)
        self.assertEqual([line.number for line in acceptor.told("got")], [2])

    async def test_leading_zeros(self) -> None:
        """Leading zeros in numbers are understood, and pass as they are; also where a message before was dropped."""
        acceptor = await self.between(
            to_server_filter=on_orders(lambda order, link: DO_NOTHING if order[11] == b"2" else PASS_ON)
        )
        self.client.send(self.order(2))
        order = self.order(3).replace(b"\x0134=3\x01", b"\x0134=0000003\x01")
        size = int(order.split(b"\x01")[1][2:])
        frame = order.replace(b"9=%d\x01" % size, b"9=%06d\x01" % (size + 6), 1)[:-7]
        self.client.send(frame + b"10=%03d\x01" % (sum(frame) % 256))
        await self.hears(self.client, 2)
        self.assertEqual([line.get(11) for line in acceptor.told("got")], ["3"])
        self.assertIn("|34=0000003|", acceptor.told("came", "D")[0].text)
