"""TLS on one of a link's connections: the part of a `Connection` that starts it, and that waits for its handshake.

TLS begins with the connection, if an endpoint says so, or later, by `SecureConnection.start_tls`. Both make the same
chain: the transport with the socket, Twisted's ``TLSMemoryBIOProtocol``, and our protocol, which has that for its
transport. The rules for what is closed, paused and lost are the same from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import (
    IHandshakeListener,
    INegotiated,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from twisted.protocols.policies import ProtocolWrapper
from zope.interface import implementer

from .._sockets.tls_errors import tls_trouble
from .._text import repr_of, text_of
from ..errors import ClientGone, ConnectingError, InvalidHello, ServerUnreachable
from ..model import Side
from .ending_connection import EndingConnection
from .outlets import outlet_for

if TYPE_CHECKING:
    from OpenSSL.crypto import X509

    from .connection import Connection
    from .outlet import Outlet

__all__ = ["READ_SIZE", "SecureConnection", "TLSHandshake", "handshake_error"]

READ_SIZE = FileDescriptor.bufferSize
"""How many bytes a transport reads at once; Twisted's own choice."""


def handshake_error(side: Side, reason: BaseException) -> ConnectingError:
    """Return the error for a connection that was lost before its handshake was done."""
    error: ConnectingError
    trouble = tls_trouble(side.value, reason)
    if side is Side.SERVER:
        text = trouble or f"the server closed the connection before the TLS handshake was done: {text_of(reason)}"
        error = ServerUnreachable(text, side)
    elif trouble is not None:
        error = InvalidHello(trouble, side)
    else:
        error = ClientGone(f"the client left before the TLS handshake was done: {text_of(reason)}", side)
    error.__cause__ = reason
    return error


class TLSHandshake:
    """The handshake of one connection over TLS, and those who wait for it."""

    __slots__ = ("_certificate", "_failed", "_side", "_transport", "_waiting", "alpn", "done")

    def __init__(self, side: Side) -> None:
        self.done: bool = False
        self.alpn: bytes | None = None
        """The protocol that was agreed on, ``None`` if none was."""
        self._side = side
        self._waiting: list[Deferred[None]] = []
        self._failed: BaseException | None = None
        """Why the connection was lost before the handshake was done."""
        self._transport: Any = None
        self._certificate: X509 | None = None

    def when_done(self) -> Deferred[None]:
        """Fire when the handshake is done. A Deferred of its own for each caller."""
        if self.done:
            return succeed(None)
        if self._failed is not None:
            return fail(handshake_error(self._side, self._failed))
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def complete(self, transport: Any) -> None:
        """The handshake is done, or nobody will report that it is."""
        if self.done or self._failed is not None:
            return
        self.done = True
        self.alpn = transport.negotiatedProtocol
        self._transport = transport
        for waiting in self._take_waiting():
            waiting.callback(None)

    def lost(self, reason: BaseException) -> None:
        """The connection is lost."""
        if self.done:
            self._certificate, self._transport = self.certificate, None  # the transport will not have it any more
            return
        self._failed = reason
        for waiting in self._take_waiting():
            waiting.errback(handshake_error(self._side, reason))

    def _take_waiting(self) -> list[Deferred[None]]:
        waiting, self._waiting = self._waiting, []
        return waiting

    @property
    def certificate(self) -> X509 | None:
        """The peer's certificate, once it has proven that it is the peer's: with the end of the handshake."""
        transport = self._transport
        if self._certificate is None and transport is not None and transport.getHandle().get_peer_finished():
            self._certificate = transport.getPeerCertificate()
        return self._certificate


@implementer(IHandshakeListener)
class SecureConnection(EndingConnection):
    """A connection that may use TLS, from its beginning or from some point on."""

    __slots__ = ()

    @property
    def certificate(self) -> X509 | None:
        """The peer's TLS certificate; ``None`` without TLS, before the handshake is done, or if it has none."""
        return None if self.handshake is None else self.handshake.certificate

    @property
    def alpn(self) -> bytes | None:
        """The protocol that was agreed on in the TLS handshake; ``None`` without TLS, or if none was."""
        return None if self.handshake is None else self.handshake.alpn

    @property
    def handshaking(self) -> bool:
        """Whether a TLS handshake has begun and is not done."""
        return self.handshake is not None and not self.handshake.done

    def when_secure(self) -> Deferred[None]:
        """Fire when the TLS handshake is done: at once without TLS.

        Fails with a `ConnectingError` if the connection is lost before. The caller has the deadline.
        """
        return succeed(None) if self.handshake is None else self.handshake.when_done()

    def handshakeCompleted(self) -> None:
        """The TLS handshake is done. See `IHandshakeListener`."""
        assert self.handshake is not None
        self.handshake.complete(self.transport)

    def start_tls(self, options: Any, unread: bytes = b"") -> Deferred[None]:
        """Speak TLS from here on. What was sent before leaves unencrypted.

        Args:
            options: for a client ``CertificateOptions`` or the like; for a server what ``optionsForClientTLS`` returns.
            unread: bytes of the handshake that were received already.

        Returns:
            A Deferred that fires when the handshake is done, and fails with a `ConnectingError` if the connection is
            lost before. The caller has the deadline.

        Raises:
            TypeError: these options are not for this side.
            RuntimeError: the connection uses TLS already, or its transport cannot.
        """
        _check_options(self.side, options)
        if self.handshake is not None:
            raise RuntimeError(f"the connection of the {self.side.value} uses TLS already")
        if self.gone or self.ended or self.closes:
            return fail(handshake_error(self.side, self.loss or EOFError("nothing more comes")))
        from .._sockets.tls_transport import RelayingTLSFactory  # needs pyOpenSSL, which only TLS needs

        plain = self.transport
        wrapper = plain if isinstance(plain, ProtocolWrapper) else None
        if wrapper is None and not hasattr(plain, "protocol"):
            raise RuntimeError(f"TLS cannot be started on {repr_of(plain)}")
        clock: Any = self._host.clock
        factory: Any = RelayingTLSFactory(options, self.side is Side.SERVER, None, clock)  # type: ignore[arg-type]
        secure = factory.protocol(factory, self)
        self.handshake = TLSHandshake(self.side)
        try:
            secure.makeConnection(plain)  # which calls our own makeConnection, and then begins
        except BaseException:  # raised by the options: nothing was changed, or sent
            if self.transport is plain:
                self.handshake = None
            raise
        if wrapper is not None:
            wrapper.wrappedProtocol = secure
        else:
            plain.protocol = secure  # what Twisted's own startTLS does
        done = self.handshake.when_done()
        if unread:
            secure.dataReceived(unread)
        return done

    def _change_transport(self, transport: Any) -> None:
        """TLS comes between the transport and this connection."""
        before, connection = self.outlet, cast("Connection", self)
        before.read_at_once(READ_SIZE)
        before.hand_over()
        self.transport = transport
        self.outlet: Outlet = outlet_for(transport, connection, before.framing, before.max_waiting)

    def _find_tls(self) -> None:
        """Find out whether the transport is one over TLS."""
        transport = self.transport
        if not INegotiated.providedBy(transport):
            return
        self.handshake = TLSHandshake(self.side)
        # The end of the handshake is reported to the protocol that TLS has for its own. If a wrapper stands between,
        # it is not reported to us. With the wrapper that reads PROXY headers the header's arrival shows it.
        if not INegotiated.implementedBy(type(transport)) and not self._awaits_header():
            self.handshake.complete(transport)

    def _awaits_header(self) -> bool:
        return self.side is Side.CLIENT and self._host.admission.proxied

    def _header_read(self) -> None:
        """A PROXY header is read. If it came over TLS, the handshake is done."""
        if self.handshake is not None and not INegotiated.implementedBy(type(self.transport)):
            self.handshake.complete(self.transport)


def _check_options(side: Side, options: object) -> None:
    """Raise ``TypeError`` unless these options are for a peer of this side."""
    if side is Side.CLIENT:
        if not IOpenSSLServerConnectionCreator.providedBy(options) and not hasattr(options, "getContext"):
            raise TypeError(
                f"the TLS options for a client must be twisted.internet.ssl.CertificateOptions, not {repr_of(options)}"
            )
    elif not IOpenSSLClientConnectionCreator.providedBy(options):
        raise TypeError(
            "the TLS options for a server must come from twisted.internet.ssl.optionsForClientTLS, "
            f"not {repr_of(options)}"
        )
