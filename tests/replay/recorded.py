"""A recording in memory: what a watcher of a repeater of the test kit sees, as a file would have it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from twisted_repeater.link import Link
from twisted_repeater.recording.reader import Recording
from twisted_repeater.recording.records import Origin, RecordedLink, RecordedMessage
from twisted_repeater.verdicts import Verdict
from twisted_repeater.watching import WatchedMessage

BEGAN = 1_700_000_000_000_000
"""When the recordings of tests begin, in microseconds since 1970."""


class MemoryRecording:
    """Records what it watches, and is read like the recording in a file."""

    def __init__(self, dialect: str = "") -> None:
        self.facts: dict[str, str] = {"dialect": dialect}
        self.recorded_links: list[RecordedLink] = []
        self.recorded_messages: list[RecordedMessage] = []
        self._by_link: dict[int, RecordedLink] = {}

    def as_recording(self) -> Recording:
        """Return it typed as what it stands for."""
        return cast("Recording", self)

    damaged = False

    def links(self) -> Iterator[RecordedLink]:
        """See `Recording`."""
        return iter(self.recorded_links)

    def messages(self) -> Iterator[RecordedMessage]:
        """See `Recording`."""
        return iter(self.recorded_messages)

    def add_link(self, **values: Any) -> RecordedLink:
        """Add a link."""
        number = len(self.recorded_links) + 1
        usual: dict[str, Any] = {"id": number, "link": number, "made": BEGAN, "server_name": "server"}
        link = RecordedLink(**usual | values)
        self.recorded_links.append(link)
        return link

    def add(self, **values: Any) -> RecordedMessage:
        """Add a message."""
        number = len(self.recorded_messages) + 1
        usual: dict[str, Any] = {"id": number, "link": 1, "time": BEGAN + number}
        message = RecordedMessage(**usual | values)
        self.recorded_messages.append(message)
        return message

    # -- as a watcher --------------------------------------------------------------------------------------------

    def link_made(self, link: Link) -> None:
        """See `ILinkWatcher`."""
        self._by_link[link.id] = self.add_link(
            client_name=link.client_name,
            client_address=f"{link.client_address.host}:{link.client_address.port}",  # type: ignore[attr-defined]
            server_name=link.server_name,
            details=json.loads(json.dumps(dict(link.details), default=str)),
        )

    def link_ended(self, link: Link, reason: BaseException | None) -> None:
        """See `ILinkWatcher`."""
        self._by_link[link.id].ended = self.recorded_messages[-1].time + 1

    def message_watched(self, message: WatchedMessage) -> None:
        """See `IWatcher`."""
        link = self._by_link[message.link.id]
        link.client_name = message.link.client_name
        self.add(
            link=link.id,
            time=BEGAN + int(message.time * 1_000_000),
            direction=message.direction,
            origin=Origin[message.origin.name],
            number=message.number,
            frame=message.frame,
            passed=message.passed,
            forward=message.forward,
            back=message.back,
            verdict=_name_of(message.verdict),
            by_filter=message.by_filter,
            took=int(message.took * 1_000_000),
        )


def _name_of(verdict: Verdict | None) -> str | None:
    if verdict is None:
        return None
    shown = repr(verdict)
    return shown if shown.isupper() else type(verdict).__name__
