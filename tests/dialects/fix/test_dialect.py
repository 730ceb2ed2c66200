"""Tests of the dialect as a whole."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, DuplicateClient, Link, SameName, Verdict, dialects
from twisted_repeater.dialects.fix import Garbled, NewOrderSingle
from twisted_repeater.dialects.fix.codec import SessionCodec, decode
from twisted_repeater.filters import ByType
from twisted_repeater.testing import MemoryRepeater, check_framing

from .samples import LOGON, ORDER, frame


class Seen(ByType):
    """Notes the orders that it sees."""

    def __init__(self) -> None:
        self.orders: list[NewOrderSingle] = []

    def on_order(self, order: NewOrderSingle, link: Link) -> Verdict:
        """Pass an order on."""
        self.orders.append(order)
        return PASS_ON


def long(size: int) -> bytes:
    """Return a message of about so many bytes."""
    return frame("35=B|" + "58=text|" * (size // 8))


class DialectTests(SynchronousTestCase):
    """What it is made of."""

    def test_parts(self) -> None:
        """It refuses a second client of a session, and speaks one codec both ways."""
        dialect = dialects.fix()
        self.assertEqual((dialect.name, dialect.same_name), ("fix", SameName.REFUSE))
        for kind in (dialect.to_server, dialect.to_client):
            self.assertEqual([type(codec) for codec in kind.codecs.values()], [SessionCodec])

    def test_framing(self) -> None:
        """Its framing keeps the promises of one."""
        check_framing(
            lambda limits: dialects.fix().framings(limits).to_server, [LOGON, ORDER], grow=long, max_frame=8192
        )

    def test_second_client(self) -> None:
        """A second client of the same session is refused; one of another session is not."""
        running = MemoryRepeater(dialects.fix())
        running.connect(says=[LOGON])
        second = running.connect(says=[LOGON])
        self.assertEqual([type(error) for error in running.refusals], [DuplicateClient])
        self.assertIsNotNone(second.lost)
        running.connect(says=[frame("35=A|49=BOB|56=EXCHANGE|34=1|98=0|108=30|")])
        self.assertEqual(len(running.refusals), 1)

    def test_filter(self) -> None:
        """A filter sees the messages of its classes; all leave as the very bytes that came."""
        seen = Seen()
        running = MemoryRepeater(dialects.fix(), to_server_filter=seen)
        client = running.connect(says=[LOGON])
        loose = frame("35=D|49=ANN|56=EXCHANGE|34=0003|55=X|", length="000037")
        client.send_bytes(ORDER + loose)
        self.assertEqual(seen.orders, [decode(ORDER), decode(loose)])
        self.assertEqual(running.server[client].received_bytes, LOGON + ORDER + loose)

    def test_garbled(self) -> None:
        """An order whose CheckSum is wrong never gets past a filter of orders, and is reported; the next one passes."""
        seen = Seen()
        running = MemoryRepeater(dialects.fix(), to_server_filter=seen)
        client = running.connect(says=[LOGON])
        client.send_bytes(frame("35=D|34=2|38=999|", check="000") + ORDER)
        self.assertEqual(seen.orders, [decode(ORDER)])
        self.assertEqual(running.server[client].received_bytes, LOGON + ORDER)
        self.assertEqual([type(error) for error in running.errors], [Garbled])

    def test_wrong(self) -> None:
        """Arguments that make no sense are refused, with the reason."""
        wrong: Any
        for wrong, kind, complaint in (
            ({"sub_ids": 1}, TypeError, "sub_ids must be True or False, not 1"),
            ({"locations": None}, TypeError, "locations must be True or False, not None"),
            ({"max_logon": "1"}, TypeError, "max_logon must be a whole number, not '1'"),
            ({"max_logon": 0}, ValueError, "max_logon must be above 0, not 0"),
            ({"store": 1}, TypeError, "store must be the path of a file, not 1"),
            ({"store": ""}, ValueError, "store must be the path of a file, not ''"),
            ({"store": "no-such/fix.db"}, ValueError, "store must be in a directory that exists, not 'no-such/fix.db'"),
            ({"max_frame": 0}, ValueError, "max_frame must be above 0, not 0"),
        ):
            self.assertEqual(str(self.assertRaises(kind, dialects.fix, **wrong)), complaint)
