"""The outlets for three kinds of transports: plain sockets, TLS on a plain socket, and all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.protocol import connectionDone

from .._types import FramingObject
from .outlet import Outlet

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["BufferedOutlet", "SocketOutlet", "TLSOutlet", "outlet_for"]

LARGE = 16 * 1024
"""Pieces of this size on average go to a socket one by one: joining them would cost more than a system call each."""

AT_ONCE = FileDescriptor.SEND_LIMIT
"""How many bytes a transport hands to the system at once."""


def outlet_for(transport: Any, connection: Connection, framing: FramingObject, max_waiting: int) -> Outlet:
    """Return the outlet of a connection: the one that gets along with the fewest steps on its transport.

    Args:
        transport: what to write to.
        connection: whose link is told when the outlet is full, drained or overflowed.
        framing: makes frames of the messages that are encoded.
        max_waiting: how many bytes of the application's own may wait when it sends one more message.
    """
    kind: type[Outlet] = BufferedOutlet
    if SocketOutlet.fits(transport):
        kind = SocketOutlet
    elif TLSOutlet.fits(transport):
        kind = TLSOutlet
    return kind(transport, connection, framing, max_waiting)


class SocketOutlet(Outlet):
    """Writes to a plain socket, past the transport's buffer, which stays empty.

    Twisted's own ``write`` puts bytes into a buffer and asks the reactor for a turn: each read that is relayed would
    cost another round of the reactor and two copies. This outlet calls the transport's ``writeSomeData`` instead, and
    keeps what the socket does not take. It is registered as a pull producer: when the reactor finds the socket
    writable, the transport finds its buffer empty and asks its producer for more.

    Nothing waits in the transport. So this outlet does not wait for a turn of the reactor either to end the stream, or
    to close: it calls ``doWrite`` and ``connectionLost`` itself, as the reactor would.

    Most writes are small enough for ``writeSomeData`` to hand all of it to the socket. They go to the socket from here,
    which saves a tenth of a message there and back; if that fails, ``writeSomeData`` says how.

    The names that Twisted does not promise (``writeSomeData``, ``startWriting``, ``TLS``) stand in this class only.
    Where a transport lacks them, `fits` says no, and a `BufferedOutlet` does the same work by public interfaces.
    """

    __slots__ = ()

    can_half_close = True
    _joined_below = LARGE
    _streaming = False

    @staticmethod
    def fits(transport: Any) -> bool:
        """Return whether a transport is a plain socket that can be written to so."""
        return (
            isinstance(transport, FileDescriptor)
            and not getattr(transport, "TLS", False)
            and callable(getattr(transport, "writeSomeData", None))
            and callable(getattr(transport, "startWriting", None))
        )

    def _write(self, data: bytes | bytearray | memoryview) -> None:
        size = len(data)
        sent = self._write_some(data)
        while isinstance(sent, int) and 0 < sent < size:
            self.progress += sent
            data = memoryview(data)[sent:]
            size -= sent
            sent = self._write_some(data)
        if sent == size:
            self.progress += size
        elif isinstance(sent, int):
            self._enqueue(data, first=True)
            self._ask_for_turn()
        else:  # lost, it seems: the transport finds that out by itself, and tells the protocol in its own time
            self._busy = True
            self._transport.write(bytes(data))

    def _write_some(self, data: bytes | bytearray | memoryview) -> object:
        """Write as much as the system takes; return how much that is, or the transport's error."""
        if self.socket is not None and len(data) <= AT_ONCE:
            try:
                return self.socket.send(data)
            except BlockingIOError:
                return 0
            except OSError:
                pass
        return self._transport.writeSomeData(data)

    def _write_soon(self, frame: bytes) -> None:
        self._enqueue(frame)
        self._ask_for_turn()

    def _ask_for_turn(self) -> None:
        """Have the transport ask for more as soon as the socket takes some."""
        self._busy = True
        self._transport.startWriting()

    def close_connection(self) -> None:
        """See `Outlet`."""
        self._transport.connectionLost(connectionDone)

    def end_stream(self) -> None:
        """See `Outlet`."""
        super().end_stream()
        self._transport.doWrite()  # what it returns if the connection is broken, it returns to the reactor again

    def read_at_once(self, size: int) -> None:
        """See `Outlet`.

        A transport's ``bufferSize`` is also the mark above which it pauses a push producer. That does not matter here:
        a pull producer is not paused, and the transport's buffer stays empty. Elsewhere it must not be set: wrappers
        have no use for it, and inside of TLS it would change when writing pauses.
        """
        self._transport.bufferSize = size


class BufferedOutlet(Outlet):
    """Writes to a transport's buffer until the transport asks for a pause: with TLS, wrappers, and in memory."""

    __slots__ = ()

    can_half_close = False
    _joined_below = float("inf")
    _streaming = True

    def _write(self, data: bytes | bytearray | memoryview) -> None:
        self._transport.write(bytes(data))

    def read_at_once(self, size: int) -> None:
        """Do nothing; see `SocketOutlet`."""

    def resumeProducing(self) -> None:
        """The transport takes more. See `IPushProducer`."""
        self.progress += 1
        # Not in ITransport, but all of Twisted's transports have it. Where one does not, the link's deadlines end it.
        if getattr(self.innermost, "disconnecting", False):
            # The peer has ended TLS while this was paused: the transport waits for its producer, and closes then.
            self.discard()
            self._transport.unregisterProducer()
            return
        super().resumeProducing()


class TLSOutlet(BufferedOutlet):
    """Writes to TLS on a plain socket, without waiting for a turn of the reactor. See `RelayingTLS`.

    What the socket does not take waits in its transport, which asks for a pause if that is too much.
    """

    __slots__ = ()

    @staticmethod
    def fits(transport: Any) -> bool:
        """Return whether a transport is TLS on a plain socket that can be written to so."""
        can_write_at_once = getattr(transport, "can_write_at_once", None)
        return can_write_at_once is not None and SocketOutlet.fits(transport.transport) and can_write_at_once()

    def _write(self, data: bytes | bytearray | memoryview) -> None:
        self._transport.write_at_once(data)

    def _write_soon(self, frame: bytes) -> None:
        self._transport.write(frame)  # which collects what comes in one turn

    def read_at_once(self, size: int) -> None:
        """See `Outlet`.

        This also sets how much may wait in the transport before it asks for a pause. Nothing waits there as long as the
        socket takes everything.
        """
        self.innermost.bufferSize = size
