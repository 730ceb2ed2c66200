"""Writes recordings as captures in the format pcapng, which Wireshark and others read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Final

from ..._text import printable
from ...model import Side
from .conversation import Conversation, Segment
from .endpoints import endpoints_of
from .pieces import Kind, Piece, Splitter, Track, in_order
from .timeline import Event

__all__ = ["load_dpkt", "write_pcapng"]

LINKTYPE_RAW: Final = 101
"""Packets begin with their header of IPv4 or IPv6."""

LONGEST_PACKET: Final = 262_144
"""The most bytes in a packet that Wireshark reads. Those written here are far shorter."""

COMMENT: Final = 1
"""The option of any block that has a text for people."""

USER_APPLICATION: Final = 4
"""The option of a section that names the program that has written it."""

INTERFACE_NAME: Final = 2
"""The option of an interface that has its name."""

TIME_RESOLUTION: Final = 9
"""The option of an interface that says in which unit times are: the negative power of ten of a second."""

MICROSECONDS: Final = b"\x06"

TCP: Final = 6
"""The number of TCP in the header of IP."""

WINDOW: Final = 65_535
"""The largest window without scaling."""

LONGEST_COMMENT: Final = 2000
"""How many characters of a comment are written."""


def load_dpkt() -> Any:
    """Import dpkt.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import dpkt
    except ImportError as error:
        raise ImportError("pcapng needs dpkt: pip install 'twisted_repeater[pcapng]'") from error
    return dpkt


def write_pcapng(
    events: Iterable[Event],
    file: BinaryIO,
    *,
    facts: Mapping[str, str],
    leg: Side = Side.CLIENT,
    since: int | None = None,
) -> None:
    """Write one leg of a recording as a capture.

    The bytes are those that travelled, in packets of TCP that are made up. A packet with a message that was not just
    passed on has a comment that says what became of it.

    Args:
        events: what happened; see `timeline`.
        file: where to write.
        facts: what is known about the whole recording; see `Recording.facts`.
        leg: the connections of the clients, or those to the server.
        since: the time of the first wanted message, in microseconds since 1970; older links have no beginning.

    Raises:
        ImportError: dpkt is not installed.
    """
    packets = _Packets(file, load_dpkt(), f"{leg.value} leg")
    began = max(_number(facts.get("began")), since or 0)
    dialect = facts.get("dialect", "")
    for piece in in_order(Splitter(leg, began).split(events)):
        for segment in _segments(piece, leg, dialect):
            packets.write(segment)


def _segments(piece: Piece, leg: Side, dialect: str) -> Iterator[Segment]:
    """Return the segments that a piece becomes. The first one of a link has a comment about the link."""
    track = piece.track
    for segment in _bare_segments(track, piece, leg, dialect):
        if track.is_new:
            track.is_new = False
            segment.comment = "\n".join(filter(None, (_about(track), segment.comment)))
        yield segment


def _bare_segments(track: Track, piece: Piece, leg: Side, dialect: str) -> Iterator[Segment]:
    conversation = track.conversation
    if conversation is None:
        if piece.kind is Kind.ENDED and (leg is Side.SERVER or track.link.refused is None):
            return  # the client was refused before the server was dialled, or nothing of the link was recorded
        conversation = track.conversation = Conversation(*endpoints_of(track.link, dialect), track.link.id)
        if track.is_whole:
            yield from conversation.begin(piece.time)
    if piece.kind is Kind.SENT:
        yield from conversation.send(piece.time, piece.by_client, piece.data, piece.comment)
    elif piece.kind is Kind.ENDED:
        link = track.link
        yield from conversation.end(
            piece.time, reset=link.reason is not None, comment=link.refused or link.reason or ""
        )


def _about(track: Track) -> str:
    """Return a text about a link."""
    link = track.link
    began = "" if track.is_whole else "; it began before this capture"
    return printable(
        f"link {link.id}: client {link.client_name} at {link.client_address or '?'}, "
        f"server {link.server_name} at {link.server_address or '?'}{began}"
    )


def _number(fact: str | None) -> int:
    try:
        return int(fact or 0)
    except ValueError:  # the file is damaged
        return 0


class _Packets:
    """Writes segments as packets of IP.

    Args:
        file: where to write.
        dpkt: the library.
        interface: the name of the interface that packets seem to come from.
    """

    def __init__(self, file: BinaryIO, dpkt: Any, interface: str) -> None:
        self._write = file.write
        # To make these takes longer than to fill them again.
        self._tcp = dpkt.tcp.TCP(win=WINDOW)
        self._ip = dpkt.ip.IP(p=TCP, df=1, data=self._tcp)
        self._ip6 = dpkt.ip6.IP6(nxt=TCP, hlim=64, data=self._tcp)
        blocks = dpkt.pcapng
        self._block, self._option = blocks.EnhancedPacketBlockLE(), blocks.PcapngOptionLE
        program = self._options((USER_APPLICATION, b"twisted_repeater"))
        about = self._options((INTERFACE_NAME, interface.encode()), (TIME_RESOLUTION, MICROSECONDS))
        self._write(bytes(blocks.SectionHeaderBlockLE(opts=program)))
        self._write(
            bytes(blocks.InterfaceDescriptionBlockLE(linktype=LINKTYPE_RAW, snaplen=LONGEST_PACKET, opts=about))
        )

    def write(self, segment: Segment) -> None:
        """Write a segment as one packet."""
        block = self._block
        block.ts_high, block.ts_low = divmod(max(segment.time, 0), 2**32)
        block.pkt_data = self._packet(segment)
        comment = segment.comment[:LONGEST_COMMENT].encode("utf-8", "replace")
        block.opts = self._options((COMMENT, comment)) if comment else []
        self._write(bytes(block))

    def _packet(self, segment: Segment) -> bytes:
        tcp, source, target = self._tcp, segment.source, segment.target
        tcp.sport, tcp.dport = source.port, target.port
        tcp.seq, tcp.ack, tcp.flags = segment.sequence, segment.acknowledged, segment.flags
        tcp.data = segment.data
        tcp.sum = 0  # then it is computed when the packet becomes bytes
        if len(source.host) == 4:
            packet = self._ip
            packet.sum = 0
        else:
            packet = self._ip6
            packet.plen = len(tcp)
        packet.src, packet.dst = source.host, target.host
        return bytes(packet)

    def _options(self, *options: tuple[int, bytes]) -> list[Any]:
        return [*(self._option(code=code, data=data) for code, data in options), self._option()]
