"""Twisted's TLS with fewer steps between the bytes of a socket and those of a link.

Twisted hands over each record, of 16 KiB at most, by itself. It encrypts in pieces of that size, and writes each of
them to a buffer that leaves in a later turn of the reactor. For a relay that is half of the cost of TLS. `RelayingTLS`
does the same in one step for each read and one for each write. Handshakes, errors and the end of TLS stay Twisted's.

The names that Twisted does not promise stand in `RelayingTLS` only. Where one is missing, it works as its base does.
"""

from __future__ import annotations

from typing import Any

from OpenSSL.SSL import Error, WantReadError, ZeroReturnError
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["ListeningOverTLS", "RelayingTLS", "RelayingTLSFactory"]

READING = ("_aborted", "_flushSendBIO", "_lostTLSConnection", "_shutdownTLS", "_tlsConnection", "_tlsShutdownFinished")
WRITING = ("_aggregator", "_appSendBuffer", "_handshakeDone", "_lostTLSConnection")
"""What this module uses of Twisted's TLS without a promise."""

SOCKET_NAMES = ("_tempDataBuffer", "dataBuffer", "writeSomeData")
"""The same of a transport with a socket."""

RECORD = 16 * 1024
"""How many bytes a record of TLS has at most."""

ADDED = 256
"""More than a record adds to its bytes, in every version of TLS."""


class RelayingTLS(BufferingTLSTransport):
    """TLS on a connection: hands over the records of one read together, and can write at once."""

    def _flushReceiveBIO(self) -> None:
        """Hand over all that is decrypted, then see to the end of TLS. Twisted's own takes one record at a time."""
        if not self._has(READING):
            super()._flushReceiveBIO()  # type: ignore[no-untyped-call]
            return
        own: Any = self
        records: list[bytes] = []
        error: Error | None = None
        while error is None and not own._lostTLSConnection:
            try:
                records.append(own._tlsConnection.recv(2 * RECORD))
            except Error as raised:
                error = raised
        if records and not own._aborted:
            self.wrappedProtocol.dataReceived(b"".join(records))  # which may write, or close the connection
        if own._lostTLSConnection:
            return
        if isinstance(error, ZeroReturnError):
            own._shutdownTLS()
            own._tlsShutdownFinished(None)
        elif not isinstance(error, WantReadError):
            own._tlsShutdownFinished(Failure(error))
        own._flushSendBIO()

    def _has(self, names: tuple[str, ...]) -> bool:
        """Return whether Twisted's TLS has these names."""
        return all(hasattr(self, name) for name in names)

    def can_write_at_once(self) -> bool:
        """Return whether all is there that `write_at_once` needs. The transport must be one with a socket."""
        return self._has(WRITING) and all(hasattr(self.transport, name) for name in SOCKET_NAMES)

    def write_at_once(self, data: bytes | bytearray | memoryview) -> None:
        """Write without waiting for a turn of the reactor, as far as the socket takes it; the rest leaves as usual.

        What cannot be encrypted now is given to Twisted's ``write``. Before the end of a handshake, that keeps it.
        After an error, that meets the same error and ends the connection.
        """
        self._aggregator.flush()  # small writes from before
        view, sent = memoryview(data), 0
        if self._handshakeDone and not (self._appSendBuffer or self._lostTLSConnection or self.disconnecting):
            connection: Any = self.getHandle()  # type: ignore[no-untyped-call]
            try:
                while sent < len(view):
                    sent += connection.send(view[sent:])  # a record
            except Error:
                pass
            if sent:
                self._send(connection.bio_read(sent + (sent // RECORD + 2) * ADDED))
        if sent < len(view):
            self.write(bytes(view[sent:]))  # type: ignore[no-untyped-call]

    def _send(self, encrypted: bytes) -> None:
        """Send to the socket, unless something waits for it already."""
        transport: Any = self.transport
        if not (transport.dataBuffer or transport._tempDataBuffer):
            sent = transport.writeSomeData(encrypted)
            while isinstance(sent, int) and 0 < sent < len(encrypted):  # it offers the socket no more than 128 KiB
                encrypted = encrypted[sent:]
                sent = transport.writeSomeData(encrypted)
            if sent == len(encrypted):
                return
        transport.write(encrypted)  # also if the socket is lost: the transport finds that out by itself


class RelayingTLSFactory(TLSMemoryBIOFactory):
    """Makes them."""

    protocol = RelayingTLS


@implementer(IStreamServerEndpoint)
class ListeningOverTLS:
    """An endpoint whose connections use TLS; Twisted's ``wrapServerTLS`` with `RelayingTLS`.

    Args:
        options: what a connection begins with.
        endpoint: what listens.
    """

    def __init__(self, options: Any, endpoint: IStreamServerEndpoint) -> None:
        self._options = options
        self._endpoint = endpoint

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """See `IStreamServerEndpoint`."""
        return self._endpoint.listen(RelayingTLSFactory(self._options, False, protocolFactory))
