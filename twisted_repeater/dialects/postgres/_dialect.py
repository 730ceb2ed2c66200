"""The dialect ``postgres``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ..._text import repr_of
from ...framings import LengthFraming
from ...model import SameName
from .._dialect import Dialect
from .codec import TO_CLIENT, TO_SERVER
from .opening import PostgresOpening
from .own_filters import OWN_FILTERS
from .refusals import farewell, refusal
from .tls import ServerTLSMode, client_tls, server_tls

__all__ = ["postgres"]

# `client_tls` and `server_tls` are also the names of arguments.
make_client_tls, make_server_tls = client_tls, server_tls

LARGEST = 1024 * 1024 * 1024
"""The longest message that PostgreSQL sends or reads, in bytes. If no filter wants it, it passes in pieces."""


def postgres(
    *,
    certificate: str | None = None,
    key: str | None = None,
    client_tls: Literal["allow", "require"] = "allow",
    client_options: object | None = None,
    server_tls: ServerTLSMode = "no",
    server_host: str | None = None,
    server_roots: str | None = None,
    server_options: object | None = None,
    parameters: tuple[str, ...] | Mapping[str, str] = (),
    max_frame: int = LARGEST,
) -> Dialect:
    """Return the dialect of PostgreSQL's protocol, version 3.

    A client has the name of its user, as the server cuts it, and any number of clients may have the same.
    ``link.details`` has ``database``, ``application_name``, ``secure`` (whether the client uses TLS) and ``cancel``.
    ``link.client_hello`` is the `Startup` packet of the client, and ``link.server_hello`` a `Session`. If ``cancel`` is
    true, the link is not a session: the client has asked to cancel a statement of another. It has a label for a name,
    and sends no message.

    Filters see everything from the settings of the session on. The opening relays passwords.

    Args:
        certificate: the PEM file with the certificate for TLS with clients, and with those between it and a root.
            Without it, clients are told that there is no TLS.
        key: the PEM file with the key; by default the certificate's.
        client_tls: ``allow`` leaves TLS to the client. ``require`` refuses sessions without.
        client_options: ``CertificateOptions`` in place of the two files, with ``acceptableProtocols=[b"postgresql"]``.
        server_tls: ``no``, ``prefer`` (use TLS if the server offers it), ``require``, or ``verify``, which also checks
            the server's certificate.
        server_host: the name that the server's certificate must have, for ``verify``.
        server_roots: the PEM file with the authorities that are trusted, for ``verify``; by default the system's.
        server_options: what ``optionsForClientTLS`` returns, for ``prefer`` or ``require``.
        parameters: parameters that each session gets, whatever its client says of them: a mapping, or texts such as
            ``default_transaction_read_only=on``.
        max_frame: the longest message, in bytes, unless the repeater's limits say otherwise.

    Raises:
        TypeError: the parameters are neither.
        ValueError: the arguments contradict each other, or a file has no certificate.
        OSError: a file cannot be read.
    """
    opening = PostgresOpening(
        make_client_tls(certificate, key, client_tls, client_options),
        make_server_tls(server_tls, server_host, server_roots, server_options),
        _checked(parameters),
    )
    return Dialect(
        name="postgres",
        framing=lambda limits: LengthFraming(int(limits.max_frame), size=4, at=1, adds=-4, whole=True),
        opening=opening,
        refusal=refusal,
        farewell=farewell,
        same_name=SameName.SHARE,
        max_frame=max_frame,
        filters=OWN_FILTERS,
        to_server=TO_SERVER,
        to_client=TO_CLIENT,
    )


def _checked(parameters: tuple[str, ...] | Mapping[str, str]) -> dict[str, str]:
    """Return the parameters that each session gets."""
    pairs: dict[str, str] = {}
    for each in parameters.items() if isinstance(parameters, Mapping) else parameters:
        name, value = _pair(each) if isinstance(each, str) else each
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"parameters must be strings, not {repr_of(name)}: {repr_of(value)}")
        if not name or "\0" in name + value:
            raise ValueError(f"a parameter must have a name, and no zero byte, not {name!r}: {value!r}")
        if name.lower() == "user" or name.startswith("_pq_."):
            raise ValueError(f"parameters must not have {name!r}: it is the client's to choose")
        pairs[name] = value
    return pairs


def _pair(text: str) -> tuple[str, str]:
    """Split a parameter that is written as text."""
    name, mark, value = text.partition("=")
    if not mark:
        raise ValueError(f"parameters must be such as search_path=public, not {text!r}")
    return name, value
