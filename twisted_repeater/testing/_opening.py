"""Plays the opening of a dialect step by step: one client and one server, in memory, that send and get bytes."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, ServerFactory
from twisted.internet.task import Clock

from .._link.link import Link
from .._link.pair import Pair
from .._repeater import Repeater
from ..dialects import Dialect
from ..errors import ConnectingError
from ..model import Side
from ._running import MemoryRepeater
from ._scripted import ScriptedConnection
from ._transcript import Entry, Event, Remark, Transcript, __tracebackhide__

__all__ = ["OpeningHarness", "Progress", "RawPeer", "Step", "__tracebackhide__"]


class Step(enum.Enum):
    """How far an opening is."""

    BEGUN = "begun"
    """The client is connected, and not admitted."""
    ADMITTED = "admitted"
    """The client has its name, and the server is not dialled yet."""
    DIALLED = "dialled"
    """The server is connected."""
    CONNECTED = "connected"
    """``on_connect`` was called, and the opening has not returned."""
    LINKED = "linked"
    """The opening is over, and messages are relayed."""
    REFUSED = "refused"
    """The client could not be linked."""
    ENDED = "ended"
    """The link was made, and is closing or over."""


@dataclass(frozen=True)
class Progress:
    """The consequences of one call of an `OpeningHarness`."""

    step: Step
    """How far the opening is."""
    to_client: bytes
    """The bytes that the client got."""
    to_server: bytes
    """The bytes that the server got."""
    error: ConnectingError | None
    """Why the client was refused; ``None`` if it was not refused in this call, or left before it had sent a byte."""
    client_closed: bool
    """Whether the client's connection is over, or the repeater has ended its stream to it."""
    server_closed: bool
    """Whether the same is true of the server. False if it was not connected."""
    entries: Sequence[Entry]
    """What happened, in order."""
    transcript: Transcript
    """All that has happened in this harness."""

    def expect(
        self,
        step: Step,
        *,
        to_client: bytes = b"",
        to_server: bytes = b"",
        error: type[ConnectingError] | None = None,
    ) -> None:
        """Check that the opening is at a step, and that this has happened and nothing else.

        Args:
            step: how far the opening is.
            to_client: the bytes that the client got.
            to_server: the bytes that the server got.
            error: the class of the error with which the client was refused.

        Raises:
            AssertionError: something else happened. The message shows the difference and the whole transcript.
        """
        self.transcript.expect("the client got", [self.to_client], [to_client])
        self.transcript.expect("the server got", [self.to_server], [to_server])
        if (self.error is None) != (error is None) or (error is not None and not isinstance(self.error, error)):
            expected = "none" if error is None else error.__name__
            raise self.transcript.error(f"the error is {self.error!r}, expected {expected}")
        if step is not self.step:
            raise self.transcript.error(f"the opening is {self.step.value}, expected {step.value}")


class RawPeer(ScriptedConnection):
    """A client, or a server's connection, that sends and gets bytes and knows nothing of any dialect.

    Do not confuse it with `twisted_repeater.dialects.Peer`, which an opening gets.
    """

    def __init__(self, side: Side, harness: OpeningHarness) -> None:
        super().__init__(side, harness.transcript)
        self.received: bytes = b""
        """All bytes that came; after `start_tls` those inside of TLS."""
        self._harness = harness

    @property
    def client_name(self) -> str:
        """See `OpeningHarness.name`."""
        return self._harness.name

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._record(Event.CLIENT_SENDS, Event.SERVER_SENDS, Remark(f"bytes {data!r}"), data)
        self._transport.write(data)

    def start_tls(self, options: Any, received: bytes = b"") -> None:
        """Speak TLS from here on, the client as TLS client, the server as TLS server."""
        from twisted.protocols.tls import TLSMemoryBIOFactory  # needs pyOpenSSL, which only TLS needs

        self._record(Event.CLIENT_SENDS, Event.SERVER_SENDS, Remark("the beginning of TLS"))
        plain = self._transport
        network: Any = self._harness.running.network
        factory: Any = TLSMemoryBIOFactory(options, self.side is Side.CLIENT, None, network)  # type: ignore[arg-type]
        secure = factory.protocol(factory, self)
        secure.makeConnection(plain)
        plain.protocol = secure
        if received:
            secure.dataReceived(received)

    def dataReceived(self, data: bytes) -> None:
        """See `IProtocol`."""
        self.received += data
        self._record(Event.CLIENT_GETS, Event.SERVER_GETS, Remark(f"bytes {data!r}"), data)


class OpeningHarness:
    """One client on its way to being linked, by the opening of a dialect. The repeater and the link are the real ones.

    Begin with `client_connects`. Each call that does something returns the `Progress` since the call before.

    Args:
        dialect: the dialect whose opening is played.
        client_host: the address that the client connects from.
        clock: the clock, if other parts of the test use it too.
        options: any other argument of `Repeater.create` and `Repeater.start`.
    """

    def __init__(
        self, dialect: Dialect, *, client_host: str = "127.0.0.1", clock: Clock | None = None, **options: Any
    ) -> None:
        self.running: MemoryRepeater = MemoryRepeater(dialect, clock=clock, **options)
        """The repeater. Its ``stop_listening`` lets the server be down, for example."""
        self.transcript: Transcript = self.running.transcript
        """All that has happened, in order."""
        self.client: RawPeer = RawPeer(Side.CLIENT, self)
        """The client."""
        self.server: RawPeer = RawPeer(Side.SERVER, self)
        """The server's connection, which is there as soon as the opening has dialled the server."""
        self.running.stop_listening()
        self.running.server_endpoint.listen(_Server(self.server))
        self._client_host = client_host
        self._pair: Pair | None = None
        self._mark = len(self.transcript)
        self._counts = (0, 0, 0)

    # -- what client and server do -------------------------------------------------------------------------------

    def client_connects(self) -> Progress:
        """Connect the client."""
        connected = self.running.listening.connect(Factory.forProtocol(lambda: self.client), self._client_host)
        assert isinstance(connected, Deferred)
        self._pair = next(iter(self.repeater._factory.links), None)
        return self.progress()

    def client_sends(self, data: bytes) -> Progress:
        """Let the client send bytes."""
        self.client.send(data)
        return self.progress()

    def server_sends(self, data: bytes) -> Progress:
        """Let the server send bytes."""
        self.server.send(data)
        return self.progress()

    def client_starts_tls(self, options: Any) -> Progress:
        """Let the client speak TLS from here on.

        Args:
            options: what ``twisted.internet.ssl.optionsForClientTLS`` returns.
        """
        self.client.start_tls(options)
        return self.progress()

    def server_starts_tls(self, options: Any, *, received: bytes = b"") -> Progress:
        """Let the server speak TLS from here on.

        Args:
            options: ``twisted.internet.ssl.CertificateOptions`` or the like.
            received: the bytes of the handshake that the server has got already, if the repeater has begun it.
        """
        self.server.start_tls(options, received)
        return self.progress()

    def client_ends_stream(self) -> Progress:
        """Let the client end its stream. It goes on reading."""
        self.client.end_stream()
        return self.progress()

    def server_ends_stream(self) -> Progress:
        """Let the server end its stream. It goes on reading."""
        self.server.end_stream()
        return self.progress()

    def client_closes(self) -> Progress:
        """Let the client close its connection."""
        self.client.close()
        return self.progress()

    def server_closes(self) -> Progress:
        """Let the server close its connection."""
        self.server.close()
        return self.progress()

    def advance(self, seconds: float) -> Progress:
        """Let time pass."""
        self.running.advance(seconds)
        return self.progress()

    # -- what came of it -----------------------------------------------------------------------------------------

    def progress(self) -> Progress:
        """Let everything happen that needs no time; return what has happened since the last progress."""
        self.running.settle()
        mark, self._mark = self._mark, len(self.transcript)
        (client, server, refusals), refused = self._counts, self.running.refusals
        self._counts = (len(self.client.received), len(self.server.received), len(refused))
        return Progress(
            step=self.step,
            to_client=self.client.received[client:],
            to_server=self.server.received[server:],
            error=refused[refusals] if len(refused) > refusals else None,
            client_closed=self.client.stream_ended or self.client.lost is not None,
            server_closed=self.server.stream_ended or self.server.lost is not None,
            entries=self.transcript.since(mark),
            transcript=self.transcript,
        )

    @property
    def step(self) -> Step:
        """How far the opening is."""
        pair = self._pair
        if pair is None:
            return Step.REFUSED if self.running.refusals else Step.BEGUN
        making = self.repeater._factory.links._attempts.get(pair)
        if making is None or making.stopped:
            made = Step.ENDED if pair.closing or pair not in self.repeater._factory.links else Step.LINKED
            return made if pair.made else Step.REFUSED
        if making.connected:
            return Step.CONNECTED
        if making.dialled:
            return Step.DIALLED
        return Step.ADMITTED if making.admitted else Step.BEGUN

    @property
    def name(self) -> str:
        """The name that the client has been admitted by, "" before that."""
        return "" if self._pair is None else self._pair.client_name

    @property
    def link(self) -> Link:
        """The link, as filters and ``on_connect`` get it."""
        if self._pair is None:
            raise self.transcript.error("no client is connected")
        return self._pair.link

    @property
    def repeater(self) -> Repeater:
        """The repeater itself."""
        return self.running.repeater

    @property
    def clock(self) -> Clock:
        """The clock of everything in the harness."""
        return self.running.clock


class _Server(ServerFactory):
    """Accepts one connection."""

    noisy = False

    def __init__(self, peer: RawPeer) -> None:
        self._peer = peer

    def buildProtocol(self, addr: IAddress | None) -> RawPeer:
        """See `IProtocolFactory`."""
        return self._peer
