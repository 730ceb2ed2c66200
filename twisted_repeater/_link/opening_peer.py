"""A connection while its link is being made: received bytes are kept, and the opening reads frames of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure

from .._text import class_name, repr_of, text_of
from .._types import FramingObject
from ..dialects import Frame
from ..errors import FrameTooLong, FramingError, InvalidHello
from ..framings.base import Framing, framing_of
from ..model import Direction, Side

if TYPE_CHECKING:
    from .connection import Connection
    from .making import Making

__all__ = ["SHOWN", "OpeningPeer", "ignore_failure"]

T = TypeVar("T")

MAX_EARLY = 64 * 1024
"""How many bytes are read that the opening has not asked for."""

MAX_HEADER = 64
"""More than the header of any frame that is read before the client is admitted, if its size is not known."""

SHOWN = 32
"""How many bytes of a wrong frame an error shows: enough for "GET / HTTP/1.1"."""


class OpeningPeer:
    """The bytes of one connection while its link is being made. A `Peer` calls it.

    After an attempt was stopped, nothing comes that is asked for. An error would not do: an opening that catches errors
    and tries again would never return.
    """

    __slots__ = ("_connection", "_data", "_error", "_failed", "_find", "_framing", "_wanted", "beginning", "making")

    def __init__(self, connection: Connection, framing: Framing) -> None:
        self.making: Making | None = None
        """Knows the step of the attempt, and is told when the peer leaves; set when the attempt begins."""
        self.beginning: bytes = b""
        """The first bytes that came, for errors."""
        self._connection = connection
        self._framing = framing
        self._data = bytearray()
        self._find: Callable[[], Any] | None = None
        """Looks for what the opening waits for; returns ``None`` as long as it is not there."""
        self._wanted: Deferred[Any] | None = None
        self._error: InvalidHello | None = None
        """What was wrong with the bytes. Nothing can be read after them, and the client cannot be linked."""
        self._failed: Deferred[Any] | None = None
        """The Deferred that told the opening of the error, or that tells it of the end of a handshake."""

    # -- what a Peer needs ---------------------------------------------------------------------------------------

    @property
    def side(self) -> Side:
        """See `Peer`."""
        return self._connection.side

    @property
    def address(self) -> IAddress:
        """See `Peer`."""
        self._check_there()
        address: IAddress = self._connection.address
        return address

    @property
    def certificate(self) -> Any:
        """See `Peer`."""
        self._check_there()
        return self._connection.certificate

    @property
    def alpn(self) -> bytes | None:
        """See `Peer`."""
        self._check_there()
        return self._connection.alpn

    def peek(self, framing: FramingObject | None) -> Deferred[Frame]:
        """See `Peer`."""
        return self._ask(_FrameSearch(self._data, self._framing_for(framing), self._most()))

    def read(self, framing: FramingObject | None) -> Deferred[Frame]:
        """See `Peer`."""
        used = self._framing_for(framing)
        search = _FrameSearch(self._data, used, self._most())

        def read() -> Frame | None:
            frame = search()
            if frame is not None:
                del self._data[: len(frame.data)]
                self._note(received=frame.data)
                if used.follows:
                    used.taken(frame.data, 0, len(frame.data))
            return frame

        return self._ask(read)

    def peek_bytes(self, count: int) -> Deferred[bytes]:
        """See `Peer`."""
        most = self._connection.limits.max_hello
        if not isinstance(count, int) or not 0 < count <= most:
            raise ValueError(f"count must be 1 to {most}, the limit max_hello, not {repr_of(count)}")
        return self._ask(lambda: bytes(self._data[:count]) if len(self._data) >= count else None)

    def send(self, data: bytes) -> None:
        """See `Peer`."""
        self._check_there()
        if not isinstance(data, bytes):
            raise TypeError(f"data must be bytes, not {repr_of(data)}")
        if self.making is not None and self.making.relays:  # these bytes could come inside of a message
            raise RuntimeError("the attempt is over: send messages by the link")
        if data and not self._connection.gone:
            self._note(sent=data)
            self._connection.outlet.push([data])

    def start_tls(self, options: Any, unread: Literal["refuse", "feed"]) -> Deferred[None]:
        """See `Peer`."""
        self._check_free()
        if unread not in ("refuse", "feed"):
            raise ValueError(f"unread must be 'refuse' or 'feed', not {repr_of(unread)}")
        if self._is_over():
            return Deferred()
        if self._data and unread == "refuse":
            sent = f"the {self.side.value} sent bytes before TLS began, which anybody may have put there"
            return self._fail(InvalidHello(f"{sent}: {bytes(self._data[:SHOWN])!r}", self.side), Deferred())
        self._connection.valve.open("early")
        secure = self._connection.start_tls(options, self.take_rest())
        self._failed = secure
        return secure

    # -- what the connection and the attempt need ----------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether the opening waits for bytes."""
        return self._wanted is not None

    @property
    def size(self) -> int:
        """How many bytes are kept."""
        return len(self._data)

    @property
    def survives(self) -> bool:
        """Whether the attempt can go on although the peer has ended its stream, or is gone.

        It can if bytes of it wait for the relay: a client has only finished sending, a server has said its last word.
        A client that never says a word may listen to a server that speaks first.
        """
        if self.waits or (self._connection.lost and self.side is Side.CLIENT):
            return False
        listens = not self._connection.heard and self.making is not None and self.making.admitted
        return self.size > 0 or (listens and self.side is Side.CLIENT)

    def received(self, data: bytes) -> None:
        """Accept the next bytes of the stream. After wrong ones they are dropped."""
        if self._error is not None:
            return
        if len(self.beginning) < SHOWN:
            self.beginning += data[: SHOWN - len(self.beginning)]
        self._data += data
        self._look()

    def take_rest(self) -> bytes:
        """Return the bytes that nobody has looked at, and keep them no longer."""
        data = bytes(self._data)
        self._data.clear()
        return data

    def end(self) -> None:
        """The attempt has ended. If the opening has forgotten something that fails, nobody has to hear of it."""
        for deferred in (self._wanted, self._failed):
            if deferred is not None:
                deferred.addErrback(ignore_failure)
        self._wanted = self._find = self._failed = None

    # -- inside --------------------------------------------------------------------------------------------------

    def _note(self, *, received: bytes = b"", sent: bytes = b"") -> None:
        """Note for watchers what the opening has read or sent."""
        if self.making is not None and self.making.notes is not None:
            from_client = self.side is Side.CLIENT
            way = Direction.TO_SERVER if from_client is bool(received) else Direction.TO_CLIENT
            self.making.notes.add(self.making.now(), way, received=received, sent=sent)

    def _check_there(self) -> None:
        if self.side is Side.SERVER and (self.making is None or not self.making.dialled):
            raise RuntimeError("the server must be dialled first: await attempt.dial()")

    def _check_free(self) -> None:
        """Raise ``RuntimeError`` unless the opening may read now."""
        self._check_there()
        assert self.making is not None
        if self.making.connecting:
            raise RuntimeError("after attempt.connect() an opening can only send")
        if self.waits:
            raise RuntimeError(f"the opening waits for bytes of the {self.side.value} already")

    def _is_over(self) -> bool:
        """Return whether nothing comes any more. An opening that asks again after an error would do so for ever."""
        assert self.making is not None
        if self._error is not None:
            self.making.stop(self._error)
        return self.making.stopped

    def _framing_for(self, framing: FramingObject | None) -> Framing:
        return self._framing if framing is None else framing_of(framing)

    def _most(self) -> int | None:
        """Return how long a payload may be; ``None`` leaves that to the framing."""
        admitted = self.making is not None and self.making.admitted
        return None if admitted else self._connection.limits.max_hello

    def _ask(self, find: Callable[[], T | None]) -> Deferred[T]:
        self._check_free()
        wanted: Deferred[T] = Deferred(self._given_up)
        if not self._is_over():
            self._find, self._wanted = find, wanted
            self._look()
        return wanted

    def _given_up(self, wanted: Deferred[Any]) -> None:
        """The opening no longer waits, because of a timeout of its own perhaps."""
        if self._wanted is wanted:
            self._find = self._wanted = None

    def _look(self) -> None:
        """Give the opening what it waits for, if it is there. Stop reading if bytes wait that nobody asks for."""
        connection, wanted, found = self._connection, self._wanted, None
        if self._find is not None and wanted is not None:
            try:
                found = self._find()
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # a framing may be the application's
                self._find = self._wanted = None
                self._fail(_invalid(error, connection, bytes(self._data[:SHOWN])), wanted)
                return
            if found is None:
                connection.valve.open("early")
                if connection.ended and self.making is not None:
                    self.making.side_left(self.side, connection.loss or ConnectionDone())
                return
            self._find = self._wanted = None
        if self.size > MAX_EARLY:
            connection.valve.close("early")
        if wanted is not None:
            wanted.callback(found)

    def _fail(self, error: InvalidHello, deferred: Deferred[T]) -> Deferred[T]:
        """The bytes are wrong: tell the opening by its Deferred, and drop them and all later ones."""
        assert self.making is not None
        self.making.refuse(error)
        self._error = error
        self._data.clear()
        self._connection.valve.open("early")
        self._failed = deferred
        deferred.errback(error)
        return deferred


class _FrameSearch:
    """Looks for the frame at the beginning of ``data``, again each time that bytes were added."""

    __slots__ = ("_data", "_framing", "_goes_on", "_most", "_need", "_seen")

    def __init__(self, data: bytearray, framing: Framing, most: int | None) -> None:
        self._data = data
        self._framing = framing
        self._most = most
        self._goes_on = False
        """Whether the framing goes on where it stopped."""
        self._need = 1
        """How many bytes are needed before it is worth to ask."""
        self._seen = 0
        """How many bytes need not be shown to the framing again."""

    def __call__(self) -> Frame | None:
        """Return the frame; ``None`` as long as it is not complete."""
        have = len(self._data)
        if have < self._need:
            return None
        framing = self._framing
        data = bytes(self._data[self._seen :])
        if self._goes_on:
            stop, body = framing.more(data, 0, len(data)), framing.body
            stop += self._seen if stop else 0
        else:
            stop, body = framing.find(data, 0, have), framing.body
        if stop:
            self._check(stop - framing.tail - body)
        elif self._most is not None and have > self._most + MAX_HEADER:
            raise FrameTooLong(have, self._most)
        if 0 < stop <= have:
            frame = bytes(self._data[:stop])
            return Frame(frame, frame[body : stop - framing.tail])
        least = framing.least if self._most is None else min(framing.least, self._most + MAX_HEADER + 1)
        self._need = stop or max(least, have + 1)
        self._goes_on = framing.goes_on and not stop  # if the size is known, it is asked again about the whole frame
        self._seen = self._seen + framing.seen if self._goes_on else 0
        return None

    def _check(self, size: int) -> None:
        if self._most is not None and size > self._most:
            raise FrameTooLong(size, self._most)


def ignore_failure(failure: Failure) -> None:
    """Ignore that something failed which nobody waits for."""


def _invalid(error: BaseException, connection: Connection, beginning: bytes) -> InvalidHello:
    """Return the error about bytes that are no frame."""
    text = (
        text_of(error) if isinstance(error, FramingError) else f"{class_name(error)} in the framing: {text_of(error)}"
    )
    side = connection.side
    invalid = InvalidHello(f"the {side.value} does not speak {connection.dialect_name}: {text}: {beginning!r}", side)
    invalid.__cause__ = error
    return invalid
