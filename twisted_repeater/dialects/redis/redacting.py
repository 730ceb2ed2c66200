"""What logs may show of commands that have passwords in them."""

from __future__ import annotations

from ...model import Direction
from .messages import Command, Raw, Reply

__all__ = ["redacted"]

HIDDEN = b"(redacted)"

SECRET_SETTINGS = frozenset(
    {b"REQUIREPASS", b"MASTERAUTH", b"PRIMARYAUTH", b"TLS-KEY-FILE-PASS", b"TLS-CLIENT-KEY-FILE-PASS"}
)
"""The settings whose values are passwords."""

SECRET_OPTIONS = frozenset({b"AUTH-PASS", b"SENTINEL-PASS"})
"""The same for Redis Sentinel."""


def redacted(message: Command | Raw | Reply, direction: Direction) -> Command | Raw | Reply:
    """Return a message without its passwords; the same object if it has none."""
    if isinstance(message, Raw):
        return Raw(HIDDEN) if message.data.strip(b"*-0123456789\r\n") else message
    if not isinstance(message, Command) or message.name not in BY_COMMAND:
        return message
    arguments = message.arguments
    hidden = BY_COMMAND[message.name](arguments, tuple(argument.upper() for argument in arguments))
    if not hidden:
        return message
    return Command(message.name, *(HIDDEN if at in hidden else argument for at, argument in enumerate(arguments)))


def _of_auth(arguments: tuple[bytes, ...], upper: tuple[bytes, ...]) -> set[int]:
    return {0} if len(arguments) == 1 else set(range(1, len(arguments)))


def _of_hello(arguments: tuple[bytes, ...], upper: tuple[bytes, ...]) -> set[int]:
    return {at + 2 for at, word in enumerate(upper) if word == b"AUTH"}


def _of_migrate(arguments: tuple[bytes, ...], upper: tuple[bytes, ...]) -> set[int]:
    found = {at + 1 for at, word in enumerate(upper) if word == b"AUTH"}
    return found | {at + 2 for at, word in enumerate(upper) if word == b"AUTH2"}


def _of_config(arguments: tuple[bytes, ...], upper: tuple[bytes, ...]) -> set[int]:
    if upper[:1] != (b"SET",):
        return set()
    return {at + 1 for at in range(1, len(upper), 2) if upper[at] in SECRET_SETTINGS}


def _of_acl(arguments: tuple[bytes, ...], upper: tuple[bytes, ...]) -> set[int]:
    if upper[:1] != (b"SETUSER",):
        return set()
    return {at for at, word in enumerate(arguments) if at > 1 and word[:1] in (b">", b"<", b"#", b"!")}


def _of_sentinel(arguments: tuple[bytes, ...], upper: tuple[bytes, ...]) -> set[int]:
    return {at + 1 for at, word in enumerate(upper) if word in SECRET_OPTIONS}


BY_COMMAND = {
    "AUTH": _of_auth,
    "HELLO": _of_hello,
    "MIGRATE": _of_migrate,
    "CONFIG": _of_config,
    "ACL": _of_acl,
    "SENTINEL": _of_sentinel,
}
"""The commands that may have passwords, and which of their arguments those are."""
