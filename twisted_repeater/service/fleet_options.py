"""The options that make a process a node of a fleet: how they are read, what is wrong with them together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from .._types import Reactor
from .option import Form, Option
from .option_values import not_empty, one_of, positive_seconds
from .secret_file import MAX_SECRET, read_secret

if TYPE_CHECKING:
    from ..redis_fleet._settings import FleetSettings

__all__ = ["FLEET", "check_engine", "fleet_arguments", "wrong_together"]

MOST_WAITING = 2.0
"""How many seconds the engine may take to answer, if a fifth of the lease is not less."""

OPTION_OF = {"fleet": "fleet-name", "node": "fleet-node", "lease": "lease", "timeout": "lease"}
"""The options by what the errors of `FleetSettings` begin with."""


def engine(text: str) -> str:
    """Read the address of the engine. Errors do not show it, because a password may be in it."""
    from ..redis_fleet._address import EngineAddress

    try:
        login = urlsplit(text)  # a user may have his password in a file
        address = EngineAddress.parse(_with_password(text, "x" if login.username and not login.password else None))
    except ValueError as error:
        raise ValueError(f"cannot be used: {error}") from None
    if address.scheme == "rediss" and find_spec("OpenSSL") is None:
        raise ValueError("needs pyOpenSSL for TLS: pip install 'twisted_repeater[tls]'")
    if find_spec("txredisapi") is None:
        raise ValueError("needs txredisapi: pip install 'twisted_repeater[fleet]'")
    return text


def password(path: str) -> str:
    """Read the password of the engine from a file."""
    try:
        text = read_secret(path).decode()
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isprintable() or len(text) > MAX_SECRET:
        raise ValueError(f"must have one line with a password, not {path!r}")
    return text


def on_lease_lost(text: str) -> str:
    """Read what becomes of links if the lease is lost."""
    return one_of(("keep", "close"), text)


def newcomers(text: str) -> str:
    """Read what becomes of newcomers without the engine."""
    return one_of(("refuse", "alone"), text)


FLEET = [
    Option(
        name="fleet",
        read=engine,
        example="redis://127.0.0.1:6379",
        description="The Redis or Valkey where the nodes of a fleet meet, such as `redis://127.0.0.1:6379`.",
        more="With TLS `rediss://HOST`; over a Unix socket `unix:///PATH`. Needs the extra `fleet`. "
        "See [Many repeaters as one](../howto/fleet.md).",
    ),
    Option(
        name="fleet-password-file",
        read=password,
        example="/run/secrets/fleet-password",
        description="A file with the password for the engine of the fleet.",
        more="So it stands neither on the command line nor in the configuration.",
    ),
    Option(
        name="fleet-name",
        read=not_empty,
        example="quotes",
        default="main",
        description="The name of the fleet. Nodes of the same name, at the same engine, belong together.",
    ),
    Option(
        name="fleet-node",
        read=not_empty,
        example="edge-1",
        without="`HOST:PID`",
        numbered=True,
        description="The name of this node, which no other node of the fleet has.",
    ),
    Option(
        name="lease",
        form=Form.SECONDS,
        read=positive_seconds,
        example="10",
        default="10",
        description="How long the fleet trusts a node that does not say that it is there. In seconds.",
        more="All nodes of a fleet have the same.",
    ),
    Option(
        name="on-lease-lost",
        read=on_lease_lost,
        example="close",
        default="keep",
        description="What to do with links if the lease could not be renewed: `keep` or `close`.",
        more="All nodes of a fleet have the same. See "
        "[Keep or close](../howto/fleet.md#choose-what-a-lost-lease-does-keep-or-close).",
    ),
    Option(
        name="newcomers-without-engine",
        read=newcomers,
        example="alone",
        default="refuse",
        description="What to do with newcomers while the engine cannot be asked: `refuse`, or link them `alone`, "
        "without asking other nodes.",
    ),
]


def fleet_arguments(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `RedisFleet` by the values of these options."""
    from ..redis_fleet._settings import NewcomersWithoutEngine, OnLeaseLost

    arguments = {
        "address": _with_password(values["fleet"], values["fleet-password-file"]),
        "name": values["fleet-name"],
        "lease": values["lease"],
        "timeout": min(MOST_WAITING, values["lease"] / 5),
        "on_lease_lost": OnLeaseLost(values["on-lease-lost"]),
        "newcomers": NewcomersWithoutEngine(values["newcomers-without-engine"]),
    }
    return arguments if values["fleet-node"] is None else {**arguments, "node": values["fleet-node"]}


def check_engine(values: Mapping[str, Any], reactor: Reactor) -> None:
    """Raise ``ValueError`` if the engine cannot be connected to, wherever it is: a certificate cannot be read, say."""
    if values["fleet"] is not None:
        from ..redis_fleet._address import EngineAddress

        try:
            EngineAddress.parse(fleet_arguments(values)["address"]).endpoint(reactor)
        except ValueError as error:
            raise ValueError(f"cannot be used: {error}") from error


def wrong_together(values: Mapping[str, Any], given: Collection[str], fleet: str) -> Iterator[tuple[str, str]]:
    """Return what is wrong with these options, each error with the option that it is about.

    Args:
        values: the values of the options of the process.
        given: the options that were given.
        fleet: what an error calls the option of the address.
    """
    if values["fleet"] is None:
        yield from ((option.name, f"needs {fleet}") for option in FLEET if option.name in given)
        return
    if values["fleet-password-file"] is not None and urlsplit(values["fleet"]).password:
        yield "fleet-password-file", "is not needed: the address of the engine has a password"
        return
    try:
        _settings(**fleet_arguments(values))
    except ValueError as error:
        name, _, rule = str(error).partition(" ")
        yield (OPTION_OF[name], rule) if name in OPTION_OF else ("fleet", f"cannot be used: {error}")


def _settings(address: str, name: str, **others: Any) -> FleetSettings:
    from ..redis_fleet._address import EngineAddress
    from ..redis_fleet._settings import FleetSettings

    return FleetSettings(address=EngineAddress.parse(address), fleet=name, **others)


def _with_password(address: str, secret: str | None) -> str:
    """Return the address of the engine with a password."""
    if secret is None:
        return address
    parts = urlsplit(address)
    user, at, host = parts.netloc.rpartition("@")
    login = f"{user.removesuffix(':') if at else ''}:{quote(secret, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{host}"))
