"""The first frame of a connection: bytes are collected until the hello is complete; later ones are kept."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from .._text import text_of, told
from .._types import Handshake
from ..errors import FramingError, HelloTimeout, InvalidHello
from ..model import Hello, Side
from .deadline import within

__all__ = ["SHOWN", "HelloReader"]

MAX_HEADER = 64
"""More than the header of any hello."""

SHOWN = 32
"""How many bytes of a wrong hello an error shows: enough for "GET / HTTP/1.1"."""


class HelloReader:
    """Reads one hello. ``dialect`` is the name of its dialect, for errors.

    It also has the Deferreds of those who wait: for the hello, and before that for a PROXY header.
    """

    __slots__ = ("_body", "_data", "_dialect", "_handshake", "_need", "_side", "address", "asked", "complete")

    def __init__(self, side: Side, handshake: Handshake, dialect: str) -> None:
        self.complete = False
        """Whether the hello was read."""
        self.asked: Deferred[Hello] | None = None
        self.address: Deferred[None] | None = None
        self._dialect = dialect
        self._side = side
        self._handshake = handshake
        self._data = bytearray()
        self._need = 0
        self._body = 0

    def ask(self, timeout: float, clock: IReactorTime) -> Deferred[Hello]:
        """Return a Deferred for the hello. Fails with `HelloTimeout` after so many seconds."""
        self.asked = Deferred()
        side = self._side
        return within(self.asked, timeout, clock, lambda: HelloTimeout(f"no hello from the {side.value} in time", side))

    def ask_address(self, timeout: float, clock: IReactorTime) -> Deferred[None]:
        """Return a Deferred for the PROXY header. Fails with `HelloTimeout` after so many seconds."""
        self.address = Deferred()
        return within(self.address, timeout, clock, lambda: HelloTimeout("no PROXY header in time", self._side))

    @property
    def size(self) -> int:
        """How many bytes are kept."""
        return len(self._data)

    def add(self, data: bytes) -> None:
        """Accept the next bytes of the stream."""
        self._data += data

    def read(self) -> Hello | None:
        """Return the hello, ``None`` as long as it is not complete. Whatever is wrong with it is an `InvalidHello`."""
        try:
            if not self._need:
                start = bytes(self._data[:MAX_HEADER])
                self._need = self._handshake.framing.find(start, 0, len(start))
                self._body = self._handshake.framing.body
            if not self._need or self.size < self._need:
                return None
            payload = bytes(self._data[self._body : self._need])
            hello = self._handshake.decode(payload)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # Some are the dialect's fault; but a stranger's bytes brought them out.
            expected = isinstance(error, (InvalidHello, FramingError))
            text = text_of(error) if expected else told(error)
            if not (isinstance(error, InvalidHello) and error.is_hello):
                text = f"{text}; no hello of {self._dialect}: {bytes(self._data[:SHOWN])!r}"
            raise InvalidHello(f"the {self._side.value}'s hello: {text}", self._side) from error
        del self._data[: self._need]
        self.complete = True
        return hello

    def take_rest(self) -> bytes:
        """Return the bytes after the hello."""
        return bytes(self._data)
