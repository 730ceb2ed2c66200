"""A recorded link that is played: a connection to the server, with what was recorded and what comes now.

The states of a link, in their order:

* connecting: from `connect` on, while ``connecting`` is true;
* open: requests are sent, and messages come;
* gone: nothing can be sent any more. There was no connection, the server has ended it, or the link was given up;
* finishing: from `finish` on. The link has ended its stream, and waits a moment for the server to end its own;
* over: the comparison has been told that nothing comes any more.

It is never behind the recording when it is gone: nobody has to wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from .._sockets.dialling import Dialled
from .._sockets.endpoints import let_half_close
from .._sockets.tls_errors import tls_trouble
from .._text import text_of
from ..errors import FramingError
from ..framings.base import Framings
from .comparison import Conversation, Trouble
from .cutting import Answers

__all__ = ["PlayedLink"]

CLOSING_TIME = 1.0
"""How many seconds the server has to end its stream after the link has ended its own."""

MOST_AHEAD = 10_000
"""How many messages may come before they would in the recording. Then the server is not read for a while."""


@implementer(IHalfCloseableProtocol, IPushProducer)
class PlayedLink(Protocol):
    """A recorded link that is played.

    Args:
        conversation: compares its answers.
        framings: makes the framings of a link.
        clock: sets the time limit of the end.
        changed: called when something has changed that a player may wait for, with the number of messages by which the
            link has got farther behind the recording.
    """

    transport: Any

    def __init__(
        self,
        conversation: Conversation,
        framings: Callable[[], Framings],
        clock: IReactorTime,
        changed: Callable[[int], None],
    ) -> None:
        self.conversation: Conversation = conversation
        """Compares its answers."""
        self.connecting: bool = False
        """Whether it is being connected."""
        self.full: bool = False
        """Whether the server reads too slowly to be sent more."""
        self.over: bool = False
        """Whether nothing comes any more, and the comparison has been told so."""
        self.came: int = 0
        """How many messages have come."""
        self._clock = clock
        self.changed: Callable[[int], None] = changed
        """Called when something has changed that a player may wait for."""
        self._answers = Answers(framings())
        self._recorded: Answers | None = Answers(framings())
        """Cuts what was recorded; ``None`` if that cannot be cut."""
        self._balance = 0
        """How many messages it is behind the recording; negative if it is ahead."""
        self._came_before = -1
        """How many messages had come when it was late the last time."""
        self._late = ""
        """What has not come in time."""
        self._unsent = 0
        """How many requests could not be sent."""
        self._uncompared = 0
        """How many recorded messages came after these."""
        self._gone: tuple[Trouble, str] | None = None
        """Why it is gone."""
        self._left = False
        """Whether the server has only ended the connection, which is no trouble if all had come."""
        self._dialled: Dialled | None = None
        self._is_connected = False
        self._is_producer = False
        self._reading_paused = False
        self._finishing = False
        self._timer: IDelayedCall | None = None

    @property
    def behind(self) -> int:
        """How many messages must come until it is where the recording is."""
        return max(self._balance, 0) if self._gone is None else 0

    # -- what the player calls -----------------------------------------------------------------------------------

    def connect(self, dial: Callable[[PlayedLink], Dialled]) -> None:
        """Begin to connect to the server."""
        self.connecting = True
        self._dialled = dial(self)
        self._dialled.addCallbacks(self._connected, self._not_connected)

    def send(self, data: bytes, time: int) -> None:
        """Send a request, or count it if the link is gone.

        Args:
            data: the request as it was recorded.
            time: when it was recorded, in microseconds since 1970.
        """
        if self._gone is not None:
            self._unsent += 1
            return
        data = self.conversation.sends(data, time=time)
        self._note_request(data)
        self.transport.write(data)

    def acknowledge(self, data: bytes) -> None:
        """Send a recorded acknowledgement as soon as its message has come."""
        if self._gone is None:
            self._write(self.conversation.acknowledge(data))
        else:
            self._unsent += 1

    def expect(self, data: bytes, time: int) -> None:
        """Expect what the server sent next in the recording.

        Args:
            data: its bytes.
            time: when it was recorded, in microseconds since 1970.
        """
        messages = self._cut_recorded(data)
        if self._unsent:  # they may be answers to what was not sent
            self._uncompared += len(messages)
            return
        self._move(sum(self.conversation.recorded(message, time=time) for message in messages))
        if self._reading_paused and self._balance > -MOST_AHEAD:
            self._read_on()

    def late(self, waited: float) -> None:
        """The messages that it is behind have not come in time. If none has come since the last time, give it up.

        Args:
            waited: how long they were waited for, in seconds.
        """
        if self._came_before == self.came:
            self.give_up(Trouble.STALLED, "the server is silent, so the link was given up")
            return
        self._came_before = self.came
        missing = "a message was" if self.behind == 1 else f"{self.behind} messages were"
        self._late = self._late or f"{missing} missing after {waited:.1f} seconds"
        self._move(-self.behind)

    def give_up(self, trouble: Trouble, text: str) -> None:
        """Send and wait for nothing more, and say why."""
        self._leave(trouble, text)
        self.abort()

    def finish(self) -> None:
        """End the stream. The link is over when the server has ended its own, or after a moment.

        A second call does nothing.
        """
        if self._finishing:
            return
        self._finishing = True
        self._explain()
        if not self._is_connected:
            self._is_over()
            return
        self._timer = self._clock.callLater(CLOSING_TIME, self.abort)
        self._read_on()
        self._unregister()
        if self._gone is not None or ISSLTransport.providedBy(self.transport):  # TLS knows no half-close
            self.transport.loseConnection()
        else:
            self.transport.loseWriteConnection()

    def abort(self) -> None:
        """Cut the connection, or stop connecting."""
        if self.connecting and self._dialled is not None:
            self._dialled.cancel()
        elif self._is_connected:
            self.transport.abortConnection()

    # -- IProtocol, IHalfCloseableProtocol, IPushProducer ------------------------------------------------------------

    def connectionMade(self) -> None:
        """See `IProtocol`."""
        self._is_connected = True
        let_half_close(self.transport, self)
        if ITCPTransport.providedBy(self.transport):
            with suppress(OSError):  # a socket of another kind has no such option
                self.transport.setTcpNoDelay(True)  # requests of other links must not overtake
        self.transport.registerProducer(self, True)
        self._is_producer = True

    def dataReceived(self, data: bytes) -> None:
        """See `IProtocol`."""
        if self._gone is not None:
            return
        came = 0
        try:
            for message in self._answers.feed(data):
                came += self.conversation.replayed(message)
                self._write(self.conversation.acknowledgement_of(message))
        except FramingError as error:
            self.give_up(Trouble.BAD_FRAMING, text_of(error))
        self.came += came
        self._move(-came)
        if self._balance < -MOST_AHEAD and not (self._finishing or self._reading_paused):
            self._reading_paused = True
            self.transport.pauseProducing()

    def readConnectionLost(self) -> None:
        """See `IHalfCloseableProtocol`: the server has ended its stream."""
        self._leave(Trouble.ENDED_EARLY, "by the server", left=True)
        self._unregister()
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """See `IHalfCloseableProtocol`."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See `IProtocol`."""
        self._is_connected = False
        error = reason.value
        if isinstance(error, ConnectionDone):
            self._leave(Trouble.ENDED_EARLY, "by the server", left=True)
        else:
            self._leave(Trouble.LOST, _text(error), left=True)
        if self._finishing:
            self._is_over()

    def pauseProducing(self) -> None:
        """See `IPushProducer`: the server reads slowly."""
        self.full = True

    def resumeProducing(self) -> None:
        """See `IPushProducer`."""
        self.full = False
        self.changed(0)

    def stopProducing(self) -> None:
        """See `IPushProducer`: the connection breaks."""
        self.full = False

    # -- inside --------------------------------------------------------------------------------------------------

    def _connected(self, protocol: object) -> None:
        self.connecting = False
        self.changed(0)

    def _not_connected(self, failure: Failure) -> None:
        self.connecting = False
        self._leave(Trouble.NOT_CONNECTED, _text(failure.value))

    def _write(self, data: bytes) -> None:
        """Send what may be nothing."""
        if data and not self._finishing:
            self.transport.write(data)

    def _cut_recorded(self, data: bytes) -> list[bytes]:
        """Return the messages that are complete with the next bytes that the server sent in the recording."""
        if self._recorded is not None:
            try:
                return list(self._recorded.feed(data))
            except FramingError:
                self.conversation.note("recorded answers that are no messages of the dialect are compared as they are")
                self._recorded = None
        return [data]

    def _note_request(self, data: bytes) -> None:
        """Show a request to the framings that must know it."""
        for answers in (self._answers, self._recorded):
            try:
                if answers is not None:
                    answers.after(data)
            except FramingError:
                pass  # what cannot be cut was sent as it is, and the server may understand it

    def _move(self, count: int) -> None:
        """Get farther behind the recording by a number of messages, negative for messages that have come."""
        before = self.behind
        self._balance += count
        self.changed(self.behind - before)

    def _leave(self, trouble: Trouble, text: str, *, left: bool = False) -> None:
        """Nothing can be sent or come any more: the link is gone. The first reason counts."""
        if self._gone is None:
            behind = self.behind
            self._gone, self._left = (trouble, text), left
            self.full = False
            self.changed(-behind)

    def _explain(self) -> None:
        """Report why recorded messages have not come, and requests were not sent: one difference."""
        if self._gone is None or (self._left and not (self._unsent or self._balance > 0)):
            return
        trouble, text = self._gone
        more = [f"requests not sent: {self._unsent}"] if self._unsent else []
        more += [f"recorded answers not compared: {self._uncompared}"] if self._uncompared else []
        self.conversation.trouble(trouble, text, ", ".join(more))

    def _unregister(self) -> None:
        """Be no producer any more: while there is one, a transport may never close."""
        if self._is_producer:
            self._is_producer = False
            self.transport.unregisterProducer()

    def _read_on(self) -> None:
        if self._reading_paused:
            self._reading_paused = False
            self.transport.resumeProducing()

    def _is_over(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if self._answers.has_rest and (self._gone is None or self._left):
            self.conversation.trouble(Trouble.BAD_FRAMING, "the server's stream ended inside of a message")
        self.conversation.end()
        if self._late and not self.conversation.lacks_messages:
            self.conversation.trouble(Trouble.STALLED, self._late)
        self.over = True
        self.changed(0)


def _text(error: BaseException | None) -> str:
    """Return why there is no connection."""
    assert error is not None
    return tls_trouble("server", error) or text_of(error)
