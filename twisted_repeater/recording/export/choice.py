"""Which part of a recording is exported."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ...model import Direction
from ..records import RecordedLink, RecordedMessage

__all__ = ["Choice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which links and messages of a recording are wanted. By default, all are. Times are microseconds since 1970."""

    links: Collection[int] = ()
    """The numbers of the wanted links, `RecordedLink.id`; empty for all."""
    clients: Collection[str] = ()
    """Patterns of the names of wanted clients, such as ``desk-*``; empty for all."""
    since: int | None = None
    """The time of the first wanted message."""
    until: int | None = None
    """The time of the last wanted message."""
    direction: Direction | None = None
    """The wanted direction; ``None`` for both."""

    def wants_link(self, link: RecordedLink) -> bool:
        """Return whether the messages of a link are wanted."""
        if self.links and link.id not in self.links:
            return False
        return not self.clients or any(fnmatchcase(link.client_name, pattern) for pattern in self.clients)

    def wants_message(self, message: RecordedMessage) -> bool:
        """Return whether a message is wanted, if its link is."""
        return self.has(message.time) and (self.direction is None or message.direction is self.direction)

    def has(self, time: int) -> bool:
        """Return whether a time is between the first and the last."""
        return (self.since is None or time >= self.since) and (self.until is None or time <= self.until)

    def meets(self, began: int | None, ended: int | None) -> bool:
        """Return whether something that began and ended at these times was there between the first and the last."""
        too_late = began is not None and self.until is not None and began > self.until
        too_early = ended is not None and self.since is not None and ended < self.since
        return not (too_late or too_early)
