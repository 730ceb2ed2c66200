"""A client, or one connection of a server, that a test scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from twisted.internet.defer import Deferred

from .._text import address_text
from .._types import Message
from ..dialects import MessageType
from ..dialects.message_types import agreed_version
from ..interfaces import ICodec
from ..model import Hello, Side
from ._scripted import ScriptedConnection
from ._setting import TIMEOUT, Inbox, Setting, Waiting, stated_version
from ._transcript import Event, Remark, __tracebackhide__

if TYPE_CHECKING:
    from .._link.pair import Pair

__all__ = ["Answer", "Peer", "__tracebackhide__"]

Answer: TypeAlias = "Callable[[Message, Peer], Iterable[object] | None]"
"""Makes the answers to a message that came to a peer."""


class Peer(ScriptedConnection):
    """One connection of a scripted program. It follows the test, and records all that it sends and gets.

    Do not confuse it with `twisted_repeater.dialects.Peer`, which an opening gets.
    """

    def __init__(self, side: Side, setting: Setting, hello: Hello | None, says: Sequence[object] = ()) -> None:
        super().__init__(side, setting.transcript)
        self.hello = hello
        """The hello that it sends as soon as it is connected. With ``None`` it waits for `say_hello`, if the dialect
        has hellos at all."""
        self.heard: Hello | None = None
        """The hello of the repeater, once it has come."""
        self.received: list[Any] = []
        """The messages that came, without the hello. If the codec cannot decode one, its payload stands here; bytes
        that are no frame stand here as they came."""
        self.answer: Answer | None = None
        """Called with each message that comes and the peer; returns the messages to answer with."""
        self.on_hello: Callable[[Peer], None] = lambda peer: None
        """Called with the peer when the repeater's hello has come."""
        self._says = says
        self._setting = setting
        self._found_pair: Pair | None = None
        self._address: Any = None
        self._inbox = Inbox(setting.dialect, side)
        self._frames: list[bytes] = []
        self._taken = 0
        self._waiting = Waiting(self, setting)

    def __repr__(self) -> str:
        return f"<the {self.side.value} side of {self.client_name!r}>"

    @property
    def client_name(self) -> str:
        """The name of the client whose link it is on, "" if it is unknown.

        In a dialect without hellos it is the name that the repeater has for the client. Before that a client has its
        address for a name.
        """
        if self._inbox.handshake is None:
            name = "" if self._pair is None else self._pair.client_name
            of_address = address_text(self._address) if self.side is Side.CLIENT and self._address is not None else ""
            return name or of_address
        hello = self.hello if self.side is Side.CLIENT else self.heard
        return "" if hello is None else hello.name

    @property
    def address(self) -> Any:
        """The address of the end that was connected, which tells a connection from all others."""
        return self._address

    @property
    def _pair(self) -> Pair | None:
        """The repeater's pair of connections that it is an end of."""
        if self._found_pair is None:
            self._found_pair = self._setting.pair_of(self)
        return self._found_pair

    # -- the orders of a test ---------------------------------------------------------------------------------

    def say_hello(self, hello: Hello) -> None:
        """Send a hello, before anything else."""
        if self._inbox.handshake is None:
            raise TypeError(f"the dialect {self._setting.dialect.name} has no hellos")
        self.hello = hello
        self._write(self._inbox.handshake.encode(hello))

    def send(self, *messages: object) -> None:
        """Send messages in one write."""
        frames = []
        for message in messages:
            frame = self._inbox.frame(self._convert(message, lambda codec: codec.encode, sends=True))
            self._record(Event.CLIENT_SENDS, Event.SERVER_SENDS, message, frame)
            frames.append(frame)
        self._write(b"".join(frames))

    def send_payloads(self, *payloads: bytes) -> None:
        """Send payloads that no codec has made, in one write."""
        frames = [self._inbox.frame(payload) for payload in payloads]
        for payload, frame in zip(payloads, frames, strict=True):
            self._record(Event.CLIENT_SENDS, Event.SERVER_SENDS, Remark(f"payload {payload!r}"), frame)
        self._write(b"".join(frames))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes, whole frames or not."""
        self._record(Event.CLIENT_SENDS, Event.SERVER_SENDS, Remark(f"bytes {data!r}"), data)
        self._write(data)

    def pause(self) -> None:
        """Stop reading, until `resume`."""
        self._transport.pauseProducing()

    def resume(self) -> None:
        """Read again."""
        self._transport.resumeProducing()
        self._settle()

    # -- the questions of a test ------------------------------------------------------------------------------

    @property
    def received_bytes(self) -> bytes:
        """The frames of the messages that came."""
        return b"".join(self._frames)

    @property
    def unfinished(self) -> bytes:
        """The bytes of a frame whose end has not come."""
        return self._inbox.unfinished

    @property
    def open(self) -> bool:
        """Whether the connection is there, and the repeater has not ended its stream."""
        return self.lost is None and not self.stream_ended

    def expect(self, *messages: object) -> None:
        """Check that exactly these messages have come since the last `expect`.

        Raises:
            AssertionError: others have come. The message shows them and the whole transcript.
        """
        untaken = self.received[self._taken :]
        self._taken = len(self.received)
        who = "client {!r}" if self.side is Side.CLIENT else "the server, on the link of {!r},"
        self._transcript.expect(f"{who.format(self.client_name)} got", untaken, messages)

    def will_get(self, *messages: object, timeout: float = TIMEOUT) -> Deferred[None]:
        """Wait until as many messages have come since the last `expect`, then check that they are these."""
        count = len(messages)
        came = self.when(
            lambda: len(self.received) - self._taken >= count, f"{count} more message{'s' * (count != 1)}", timeout
        )
        # After a timeout there are fewer messages, and `expect` shows that better.
        return came.addBoth(lambda _: self.expect(*messages))

    def receive(self, timeout: float = TIMEOUT) -> Deferred[Message]:
        """Wait for the next message that `expect` has not seen, and return it."""

        def take(_: None) -> object:
            self._taken += 1
            return self.received[self._taken - 1]

        return self.when(lambda: len(self.received) > self._taken, "a message", timeout).addCallback(take)

    def when_linked(self, timeout: float = TIMEOUT) -> Deferred[None]:
        """Wait for the repeater's hello; in a dialect without hellos, until the link is made."""
        if self._inbox.handshake is None:
            return self.when(lambda: self._pair is not None and self._pair.made, "its link", timeout)
        return self.when(lambda: self.heard is not None, "the repeater's hello", timeout)

    def when_closed(self, timeout: float = TIMEOUT) -> Deferred[None]:
        """Wait until the connection is lost."""
        return self.when(lambda: self.lost is not None, "the end of the connection", timeout)

    def when(self, condition: Callable[[], bool], what: str, timeout: float = TIMEOUT) -> Deferred[None]:
        """Wait until a condition holds. It is asked whenever something comes.

        Args:
            condition: returns whether to go on.
            what: the subject of the complaint, such as "a message".
            timeout: how many seconds to wait.

        Returns:
            A Deferred. It fails with ``AssertionError`` when the connection is lost or the time is over.
        """
        done = self._waiting.until(condition, what, timeout)
        self._look()
        return done

    # -- what Twisted calls ----------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """See `IProtocol`."""
        transport = self._transport
        self._address = transport.getHost() if self.side is Side.CLIENT else transport.getPeer()
        if self.hello is not None:
            self.say_hello(self.hello)
        for said in self._says:
            if isinstance(said, bytes):
                self.send_bytes(said)
            else:
                self.send(said)

    def dataReceived(self, data: bytes) -> None:
        """See `IProtocol`."""
        for frame, payload in self._inbox.feed(data):
            if self.heard is None and self._inbox.handshake is not None:
                self.heard = self._inbox.handshake.decode(payload)
                self.on_hello(self)
            else:
                self._receive(frame, payload)
        self._look()

    # -- inside ----------------------------------------------------------------------------------------------

    def _look(self) -> None:
        self._waiting.look(self.lost)

    def _settle(self) -> None:
        self._setting.settle()

    def _write(self, data: bytes) -> None:
        self._transport.write(data)
        self._settle()

    def _convert(self, given: Any, method: Callable[[ICodec], Callable[[Any], Any]], *, sends: bool) -> Any:
        """Encode a message that it sends, or decode the payload of one that it gets, in the version of its link.

        If each link has its own version, and this one's is not known yet, it is the newest that fits.
        """
        *others, last = self._codecs(sends=sends)
        for codec in others:
            with suppress(Exception):
                return method(codec)(given)
        return method(last)(given)

    def _codecs(self, *, sends: bool) -> list[ICodec]:
        """Return the codec of the messages that it sends, or gets; several as long as the version is not known."""
        to_server = sends is (self.side is Side.CLIENT)
        dialect = self._setting.dialect
        kind: MessageType = dialect.to_server if to_server else dialect.to_client
        if kind.per_link:
            lanes = self._pair.lanes if self._pair is not None else ()
            known = {lane.setup.versions[0] for lane in lanes}
            return [kind.codec(version) for version in known or range(kind.test, kind.low - 1, -1)]
        stated = stated_version(dialect, kind)
        unheard = Hello("", send_version=stated, recv_version=stated)
        own, heard = self.hello or unheard, self.heard or unheard
        if sends:
            return [kind.codec(agreed_version(own.send_version, heard.recv_version))]
        return [kind.codec(agreed_version(heard.send_version, own.recv_version))]

    def _receive(self, frame: bytes, payload: bytes) -> None:
        try:
            message = self._convert(payload, lambda codec: codec.decode, sends=False)
        except Exception:
            message = payload
        self.received.append(message)
        self._frames.append(frame)
        self._record(Event.CLIENT_GETS, Event.SERVER_GETS, message, frame)
        if self.answer is not None:
            answers = self.answer(message, self)
            if isinstance(answers, (bytes, bytearray, str)):
                raise TypeError(f"answer must return a list of messages or None, not {type(answers).__name__}")
            if answers := list(answers or ()):
                self.send(*answers)
