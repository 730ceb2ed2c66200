"""Recordings as captures. Wireshark judges them in `tests.real.test_export`."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from typing import Any
from unittest import mock

import dpkt
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Side
from twisted_repeater.recording.export import pcapng, write_pcapng
from twisted_repeater.recording.export.conversation import ACK, FIN, PSH, RST, SYN
from twisted_repeater.recording.export.timeline import Event, LinkEnded, LinkMade, MessagePassed

from .made import SECOND, START, made_link, made_message


def blocks_of(events: Iterable[Event], facts: dict[str, str] | None = None, **options: Any) -> list[Any]:
    """Return the blocks of packets that are written for events."""
    file = io.BytesIO()
    write_pcapng(events, file, facts=facts or {}, **options)
    data, blocks = file.getvalue(), []
    while data:
        size = int.from_bytes(data[4:8], "little")
        if data[0] == dpkt.pcapng.PCAPNG_BT_EPB:
            blocks.append(dpkt.pcapng.EnhancedPacketBlockLE(data[:size]))
        data = data[size:]
    return blocks


def flags_of(blocks: Iterable[Any]) -> list[int]:
    """Return the flags of TCP of packets."""
    return [dpkt.ip.IP(block.pkt_data).data.flags for block in blocks]


def comments_of(block: Any) -> list[str]:
    """Return the comments of a packet."""
    return [option.text for option in block.opts if option.code == pcapng.COMMENT]


class CaptureTests(SynchronousTestCase):
    """What is written for a link."""

    def setUp(self) -> None:
        """Make a link with one message each way."""
        self.link = made_link(1, ended=START + 9 * SECOND)
        self.messages: list[Event] = [
            MessagePassed(self.link, made_message(1, b"GET", after=1, took=SECOND)),
            MessagePassed(
                self.link, made_message(2, b"OK", after=3, to_client=True, passed=False, forward=b"NO", verdict="Send")
            ),
        ]
        self.events: list[Event] = [LinkMade(self.link), *self.messages, LinkEnded(self.link)]

    def test_file(self) -> None:
        """The file names its program, its leg, its link type and its unit of time."""
        file = io.BytesIO()
        write_pcapng([], file, facts={}, leg=Side.SERVER)
        data, size = file.getvalue(), int.from_bytes(file.getvalue()[4:8], "little")
        section = dpkt.pcapng.SectionHeaderBlockLE(data[:size])
        interface = dpkt.pcapng.InterfaceDescriptionBlockLE(data[size:])
        self.assertEqual([(option.code, option.data) for option in section.opts[:1]], [(4, b"twisted_repeater")])
        self.assertEqual((interface.linktype, interface.snaplen), (101, 262_144))
        options = [(option.code, option.data) for option in interface.opts[:2]]
        self.assertEqual(options, [(2, b"server leg"), (9, b"\x06")])

    def test_link(self) -> None:
        """A link is a handshake, its bytes on one leg, and an end, each at its time."""
        blocks = blocks_of(self.events)
        self.assertEqual(flags_of(blocks), [SYN, SYN | ACK, ACK, PSH | ACK, PSH | ACK, FIN | ACK, FIN | ACK, ACK])
        times = [(block.ts_high << 32) + block.ts_low - START for block in blocks]
        self.assertEqual([time / SECOND for time in times], [0, 0, 0, 1, 3, 9, 9, 9])
        packet = dpkt.ip.IP(blocks[4].pkt_data)
        self.assertEqual((packet.src, packet.dst), (b"\x7f\0\0\1", b"\x7f\0\0\1"))
        self.assertEqual((packet.data.sport, packet.data.dport, packet.data.data), (6379, 40001, b"NO"))
        self.assertEqual(dpkt.ip.IP(blocks_of(self.events, leg=Side.SERVER)[3].pkt_data).data.data, b"GET")

    def test_checksums(self) -> None:
        """The checksums of IPv4, and of TCP over IPv4 and IPv6, are right, also for an odd number of bytes."""
        self.assertEqual(dpkt.dpkt.in_cksum(blocks_of(self.events)[3].pkt_data[:20]), 0)
        for address, packet_class, hosts in (
            ("10.0.0.1", dpkt.ip.IP, slice(12, 20)),
            ("[::1]", dpkt.ip6.IP6, slice(8, 40)),
        ):
            link = made_link(1, client_address=f"{address}:4000", server_address=f"{address}:6379")
            for data in (b"odd", b"even"):
                message = MessagePassed(link, made_message(1, data))
                block = blocks_of([LinkMade(link), message])[3]
                tcp = block.pkt_data[-20 - len(data) :]
                pseudo_header = block.pkt_data[hosts] + bytes([0, 6]) + len(tcp).to_bytes(2, "big")
                self.assertEqual(dpkt.dpkt.in_cksum(pseudo_header + tcp), 0)
                self.assertEqual(packet_class(block.pkt_data).data.data, data)

    def test_comments(self) -> None:
        """The first packet of a link says which it is, and one that did not just pass says why."""
        blocks = blocks_of(self.events)
        about = "link 1: client client-1 at 127.0.0.1:40001, server server at 127.0.0.1:6379"
        self.assertEqual(comments_of(blocks[0]), [about])
        self.assertEqual(comments_of(blocks[4]), ["message 2: verdict Send"])
        self.assertEqual([comments_of(block) for block in blocks[1:4]], [[], [], []])
        self.link.client_name = "漢" * 3000
        self.assertEqual(len(comments_of(blocks_of(self.events)[0])[0]), 2000)

    def test_older_link(self) -> None:
        """A link that is older than the recording, or than the wanted part, has no handshake, and says so."""
        for facts, since in (({"began": str(START + 1)}, None), ({"began": "x"}, START + 1)):
            blocks = blocks_of(self.events, facts, since=since)
            self.assertEqual(flags_of(blocks)[:2], [PSH | ACK, PSH | ACK])
            self.assertIn("it began before this capture", comments_of(blocks[0])[0])
        self.link.made = None
        self.assertEqual(flags_of(blocks_of(self.events))[0], PSH | ACK)
        self.assertEqual(blocks_of([LinkMade(self.link), LinkEnded(self.link)]), [])

    def test_lost_link(self) -> None:
        """A link that ended with an error ends with a reset, and the error."""
        self.link.reason = "ConnectionLost: gone"
        *_, last = blocks_of(self.events)
        self.assertEqual(flags_of([last]), [RST | ACK])
        self.assertEqual(comments_of(last), ["ConnectionLost: gone"])

    def test_open_link(self) -> None:
        """A link whose end is not in the recording has none."""
        self.assertEqual(flags_of(blocks_of(self.events[:-1]))[-1], PSH | ACK)

    def test_refused_client(self) -> None:
        """A client that was refused has a connection, but none to the server, unless the opening sent something."""
        link = made_link(1, made=None, ended=START, refused="ClientNotAllowed: no")
        events: list[Event] = [LinkMade(link), LinkEnded(link)]
        blocks = blocks_of(events)
        self.assertEqual(flags_of(blocks), [SYN, SYN | ACK, ACK, FIN | ACK, FIN | ACK, ACK])
        self.assertEqual(comments_of(blocks[3]), ["ClientNotAllowed: no"])
        self.assertEqual(blocks_of(events, leg=Side.SERVER), [])
        sent = MessagePassed(link, made_message(1, passed=False, forward=b"hi", verdict=None))
        self.assertEqual(flags_of(blocks_of([events[0], sent, events[1]], leg=Side.SERVER))[3], PSH | ACK)

    def test_unix_socket(self) -> None:
        """A server without an address of IP has the usual port of the dialect."""
        self.link.server_address = "unix:/run/x"
        block = blocks_of(self.events, {"dialect": "mqtt"})[0]
        self.assertEqual(dpkt.ip.IP(block.pkt_data).data.dport, 1883)

    def test_no_dpkt(self) -> None:
        """Without dpkt the error says how to install it."""
        with mock.patch.dict(sys.modules, {"dpkt": None}):
            error = self.assertRaises(ImportError, write_pcapng, [], io.BytesIO(), facts={})
        self.assertEqual(str(error), "pcapng needs dpkt: pip install 'twisted_repeater[pcapng]'")
