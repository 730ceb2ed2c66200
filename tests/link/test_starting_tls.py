"""TLS that begins on a connection which is there already, and the handshake of one that has TLS from its beginning."""

from __future__ import annotations

import ssl
from typing import Any, ClassVar

from OpenSSL.SSL import Error, VERIFY_NONE, Context, TLS_METHOD
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint, wrapClientTLS, wrapServerTLS
from twisted.internet.endpoints import TCP4ServerEndpoint, UNIXServerEndpoint
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.ssl import Certificate, CertificateOptions, PrivateCertificate, optionsForClientTLS
from twisted.internet.ssl import trustRootFromCertificates
from twisted.internet.testing import StringTransport
from twisted.protocols.haproxy._wrapper import HAProxyWrappingFactory
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from twisted_repeater import Side
from twisted_repeater._link.closing import ConnectionState
from twisted_repeater._link.connection import ClientSideProtocol, ServerSideProtocol
from twisted_repeater._link.outlets import BufferedOutlet, SocketOutlet
from twisted_repeater.errors import ClientGone, InvalidHello, ServerUnreachable
from twisted_repeater.testing._memory import MemoryEndpoint, MemoryNetwork

from ..certificates import Authority
from ..peers import END, LOST, Seen, turn
from .connections import Far, MemoryCase, Own, host_and_links, reactor

MEGABYTES = 3_000_000


class OwnServerSide(ServerSideProtocol):
    """The connection to a server; it is recorded as `Own` is."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seen = Seen()

    dataReceived = Own.dataReceived  # type: ignore[assignment]
    connectionLost = Own.connectionLost  # type: ignore[assignment]
