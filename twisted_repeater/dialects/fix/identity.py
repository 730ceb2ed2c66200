"""Who speaks with whom in a session, and in which version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .message import Message

__all__ = ["Identity", "version_of"]

VERSIONS: dict[bytes, str] = {
    b"0": "FIX.2.7",
    b"1": "FIX.3.0",
    b"2": "FIX.4.0",
    b"3": "FIX.4.1",
    b"4": "FIX.4.2",
    b"5": "FIX.4.3",
    b"6": "FIX.4.4",
    b"7": "FIX.5.0",
    b"8": "FIX.5.0SP1",
    b"9": "FIX.5.0SP2",
}
"""The versions by what DefaultApplVerID and ApplVerID say for them."""


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
    return VERSIONS.get(message.get(1128) or b"") or str(details.get("version", message.text(8)))


def default_version(logon: Message) -> str:
    """Return the version of the application that a Logon agrees on."""
    return VERSIONS.get(logon.get(1137) or b"") or logon.text(8) or ""
