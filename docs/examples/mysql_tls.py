r"""MySQL and MariaDB over TLS: the repeater ends the client's TLS, and begins TLS to the server.

    twistd -n repeater --dialect mysql_tls:mysql_over_tls --to-server-filter mysql_dialect:guard \
        --listen tcp:3307:interface=127.0.0.1 --server tcp:db.example:3306

In the same directory are the key and the certificate of the repeater, in ``repeater.pem``, and the certificate that the
server's is compared with, in ``trusted.pem``.
"""

from pathlib import Path

from mysql_dialect import mysql, without_offers
from twisted.internet.ssl import Certificate, PrivateCertificate, optionsForClientTLS

from twisted_repeater import Dialect
from twisted_repeater.dialects import Attempt

TLS_REQUEST = 4 + 32
"""The size of a packet that asks for TLS: a login without a user."""


def mysql_over_tls(host: str = "db.example") -> Dialect:
    """Return the dialect; ``host`` is the name in the server's certificate."""
    for_clients = PrivateCertificate.loadPEM(Path("repeater.pem").read_bytes()).options()
    for_server = optionsForClientTLS(host, trustRoot=Certificate.loadPEM(Path("trusted.pem").read_bytes()))

    async def greet(attempt: Attempt) -> None:
        await attempt.admit()
        await attempt.dial()
        greeting = (await attempt.server.read()).data
        attempt.client.send(without_offers(greeting, keep_tls=True))
        if greeting[4:5] != b"\xff" and len((await attempt.client.peek()).data) == TLS_REQUEST:
            request = await attempt.client.read()
            attempt.server.send(request.data)
            await attempt.client.start_tls(for_clients, unread="feed")  # the client does not wait for an answer
            await attempt.server.start_tls(for_server)

    return mysql().changed(opening=greet)
