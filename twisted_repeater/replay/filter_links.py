"""The links of a replay through filters: how each is made again in memory, and what became of its messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure

from ..dialects import Attempt, Dialect, Versions
from ..link import Link
from ..model import Direction
from ..recording.records import RecordedLink, RecordedMessage
from ..testing._memory import MemoryEndpoint, MemoryNetwork
from .alignment import Alignment
from .decoding import Decoder
from .learning import LinkTokens, SharedTokens

__all__ = ["Discarding", "OwnMessage", "PlayedLink", "Stage"]


class Discarding(Protocol):
    """A client or a server that sends what it is told, and drops what it gets."""

    lost: bool = False

    def dataReceived(self, data: bytes) -> None:
        """See `IProtocol`."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See `IProtocol`."""
        self.lost = True

    def send(self, data: bytes) -> None:
        """Send bytes, if the connection is there."""
        if self.transport is not None and not self.lost:
            self.transport.write(data)

    def leave(self) -> None:
        """End the connection, if it is there."""
        if self.transport is not None and not self.lost:
            self.transport.loseConnection()


class OwnMessage:
    """A message that nobody has sent to the repeater: a filter, the application or the dialect made it.

    Args:
        data: its bytes.
        time: when it was recorded, in microseconds since 1970; ``None`` if it was not.
        key_of: returns what is compared.
    """

    __slots__ = ("_key_of", "data", "time")

    def __init__(self, data: bytes, time: int | None, key_of: Callable[[bytes], Hashable]) -> None:
        self.data: bytes = data
        """Its bytes."""
        self.time: int | None = time
        """When it was recorded."""
        self._key_of = key_of

    @property
    def size(self) -> int:
        """See `Comparable`."""
        return len(self.data)

    @property
    def kind(self) -> Hashable:
        """See `Comparable`."""
        return self.data[:1]

    @property
    def key(self) -> Hashable:
        """See `Comparable`."""
        return self._key_of(self.data)

    def same_as(self, other: OwnMessage) -> bool:
        """See `Comparable`."""
        return self.data == other.data or self.key == other.key


class PlayedLink:
    """A link that is played.

    Args:
        recorded: the link in the recording.
        client: its client in memory.
        decoder: reads its messages.
        shared: the tokens of all links.
    """

    def __init__(self, recorded: RecordedLink, client: Discarding, decoder: Decoder, shared: SharedTokens) -> None:
        self.recorded: RecordedLink = recorded
        """The link in the recording."""
        self.client: Discarding = client
        """Its client in memory."""
        self.server: Discarding | None = None
        """Its connection at the server in memory."""
        self.link: Link | None = None
        """The link as filters get it, as soon as it is made."""
        self.connects: bool = False
        """Whether its opening is over."""
        self.as_recorded: bool = False
        """Whether its opening is not played."""
        self.addresses: list[str] = []
        """Where its client has connected from: twice if it had to connect again."""
        self.over: bool = False
        """Whether the repeater has ended it."""
        self.not_played: int = 0
        """How many messages were recorded after that."""
        self.last: int = 0
        """When the last recorded message was decided about, in microseconds since 1970."""
        self.waiting: dict[Direction, deque[RecordedMessage]] = {way: deque() for way in Direction}
        """The messages that were played, and whose verdict has not come."""
        self.decoder: Decoder = decoder
        """Reads its messages."""
        self.tokens: LinkTokens = LinkTokens(decoder, shared)
        """What the repeater chose at random for its messages: the recorded values and those of now."""
        self.own: dict[Direction, Alignment[OwnMessage]] = {}
        """Messages that nobody sent to the repeater."""

    def feed(self, direction: Direction, data: bytes) -> None:
        """Let the client or the server send bytes."""
        sender = self.client if direction is Direction.TO_SERVER else self.server
        if sender is not None:
            sender.send(self.tokens.replaced(data, direction))


class Stage:
    """Where links are played: the places where the repeater and the server listen, in memory.

    Args:
        dialect: the dialect of the recording.
        network: the network in memory.
    """

    def __init__(self, dialect: Dialect, network: MemoryNetwork) -> None:
        self.current: PlayedLink | None = None
        """The link that is played at this moment."""
        self.listening: MemoryEndpoint = MemoryEndpoint(network)
        """Where the repeater listens."""
        self.server: MemoryEndpoint = MemoryEndpoint(network)
        """Where the server listens."""
        self.server.listen(_Server(self))
        self._network = network
        self._by_address: dict[str, PlayedLink] = {}
        """The link whose client was the last to connect from each address."""
        self._dialect = dialect
        self._opening = dialect.opening
        self._tokens = SharedTokens()
        self.dialect: Dialect = dialect.changed(opening=self._open)
        """The dialect, whose opening can be left out."""

    def begin(self, recorded: RecordedLink) -> PlayedLink:
        """Let the client of a link connect."""
        version = recorded.details.get("version")
        decoder = Decoder(self._dialect, version if isinstance(version, int) else None)
        played = PlayedLink(recorded, Discarding(), decoder, self._tokens)
        self.current = played
        self._connect(played)
        return played

    def begin_again(self, played: PlayedLink) -> None:
        """Let the client connect again, because its opening cannot be played. The link is made as it was recorded."""
        played.client.leave()
        self._network.settle()
        played.client, played.server = Discarding(), None
        played.as_recorded = True
        self._connect(played)

    def played_at(self, address: IAddress) -> PlayedLink:
        """Return the link whose client has connected from an address."""
        return self._by_address[str(address)]

    def forget(self, played: PlayedLink) -> None:
        """Forget a link that is over."""
        for address in played.addresses:
            if self._by_address.get(address) is played:
                del self._by_address[address]

    def _connect(self, played: PlayedLink) -> None:
        port = self.listening.port
        assert port is not None
        address: Any = _address_of(played.recorded.client_address) or self._network.new_address()
        played.addresses.append(str(address))
        self._by_address[str(address)] = played
        with self._network.unsettled():
            accepting = port.factory.buildProtocol(address)
            if accepting is not None:
                self._network.connect(accepting, played.client, address, self.listening.address)
        self._network.settle()

    async def _open(self, attempt: Attempt) -> None:
        """Play the opening of the dialect, or make the link as it was recorded."""
        played = self.current
        if played is None or not played.as_recorded:
            await self._opening(attempt)
            return
        recorded, dialect = played.recorded, attempt.dialect
        await attempt.admit(recorded.client_name or None, **recorded.details)
        await attempt.dial()
        version = recorded.details.get("version")
        versions = None
        if dialect.to_server.per_link and isinstance(version, int):
            versions = (Versions(version, version), Versions(version, version))
        await attempt.connect(versions=versions)


class _Server(ServerFactory):
    """The server. A new connection is for the link that is played at this moment."""

    noisy = False

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def buildProtocol(self, addr: IAddress | None) -> Discarding:
        """See `IProtocolFactory`."""
        connection = Discarding()
        if self._stage.current is not None:
            self._stage.current.server = connection
        return connection


def _address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Return a recorded address; ``None`` for what is none of TCP."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or text.startswith("unix:"):
        return None
    return IPv6Address("TCP", host[1:-1], int(port)) if host.startswith("[") else IPv4Address("TCP", host, int(port))
