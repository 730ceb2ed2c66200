"""Who speaks with whom in a session, and in which version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .message import Message

__all__ = ["Identity", "version_of"]

VERSIONS: tuple[str, ...] = (
    *("FIX.2.7", "FIX.3.0", "FIX.4.0", "FIX.4.1", "FIX.4.2", "FIX.4.3", "FIX.4.4"),
    *("FIX.5.0", "FIX.5.0SP1", "FIX.5.0SP2"),
)
"""The versions by the digits that DefaultApplVerID and ApplVerID have for them."""


class Identity(NamedTuple):
    """The two parties of a session and its version, as the client's Logon has them. Fields that do not count are ""."""

    begin_string: str
    """BeginString, such as ``FIX.4.4``."""
    sender: str
    """SenderCompID of the client."""
    target: str
    """TargetCompID: the server."""
    sender_sub: str = ""
    """SenderSubID."""
    target_sub: str = ""
    """TargetSubID."""
    sender_location: str = ""
    """SenderLocationID."""
    target_location: str = ""
    """TargetLocationID."""

    @classmethod
    def of(cls, logon: Message, *, sub_ids: bool = False, locations: bool = False) -> Identity:
        """Return the identity in a message of the client.

        Args:
            logon: the message.
            sub_ids: whether SenderSubID and TargetSubID count.
            locations: whether SenderLocationID and TargetLocationID count.
        """
        tags = (8, 49, 56, *((50, 57) if sub_ids else (0, 0)), *((142, 143) if locations else (0, 0)))
        return cls(*((logon.text(tag) or "") if tag else "" for tag in tags))

    @property
    def name(self) -> str:
        """One string for it: ``FIX.4.4:ANN->EXCHANGE``, or with all that count ``FIX.4.4:ANN/DESK/NY->EXCHANGE``."""
        sender = "/".join((self.sender, self.sender_sub, self.sender_location)).rstrip("/")
        target = "/".join((self.target, self.target_sub, self.target_location)).rstrip("/")
        return f"{self.begin_string}:{sender}->{target}"


def version_of(message: Message, details: Mapping[str, object]) -> str:
    """Return the version of the application that a message is in, such as ``FIX.4.4`` or ``FIX.5.0SP2``.

    In FIXT that is ApplVerID, or else DefaultApplVerID of the client's Logon. Otherwise it is BeginString.

    Args:
        message: the message.
        details: ``link.details``.
    """
    own = message.text(1128)
    if own is not None and own.isdigit() and int(own) < len(VERSIONS):
        return VERSIONS[int(own)]
    return str(details.get("version", message.text(8)))


def default_version(logon: Message) -> str:
    """Return the version of the application that a Logon agrees on."""
    own = logon.text(1137) or ""
    return VERSIONS[int(own)] if own.isdigit() and int(own) < len(VERSIONS) else logon.text(8) or ""
