"""A recording as a test: its links are played through filters, and nothing may differ from what was recorded."""

from __future__ import annotations

import fnmatch
import os
from typing import TYPE_CHECKING, Any

from twisted.internet.task import Clock

from ..dialects import Dialect
from ..recording.reader import open_recording
from ..recording.records import RecordedLink
from ._transcript import __tracebackhide__

if TYPE_CHECKING:
    from ..replay.masks import Masks
    from ..replay.report import Report

__all__ = ["LinkRecording", "__tracebackhide__", "recorded_links"]


def recorded_links(path: str | os.PathLike[str], *, clients: str = "*") -> list[LinkRecording]:
    """Return the links of a recording, each of which is a test case.

    Args:
        path: the file.
        clients: a pattern of the names of the clients whose links you want, such as ``edge-*``.

    Raises:
        RecordingError: the file is not a recording.
        ValueError: it has no such link, so that there would be nothing to test.
    """
    with open_recording(path) as recording:
        links = [link for link in recording.links() if link.made and fnmatch.fnmatchcase(link.client_name, clients)]
    if not links:
        raise ValueError(f"{os.fspath(path)} must have a link of a client whose name is like {clients!r}")
    return [LinkRecording(path, link) for link in links]


class LinkRecording:
    """One link of a recording, to test filters with. `recorded_links` makes it."""

    def __init__(self, path: str | os.PathLike[str], link: RecordedLink) -> None:
        self.path: str = os.path.abspath(path)
        """The file."""
        self.link: RecordedLink = link
        """What is known about the link."""

    def __str__(self) -> str:
        return f"{self.link.client_name}-{self.link.id}"

    __repr__ = __str__

    def check(self, *, masks: Masks | None = None, **options: Any) -> None:
        """Play the link through filters, and check that they do with each message what was done when it was recorded.

        Args:
            masks: what may differ.
            options: as in `replay`.

        Raises:
            AssertionError: something differs. The message is the report.
        """
        report = self.replay(masks=masks, **options)
        if not report.same:
            raise AssertionError(f"client {self.link.client_name!r} of {self.path}: {report.text()}")

    def replay(
        self,
        *,
        dialect: Dialect | None = None,
        masks: Masks | None = None,
        clock: Clock | None = None,
        **options: Any,
    ) -> Report:
        """Play the link through filters, without a network and without waiting.

        Args:
            dialect: its dialect, by default that which was recorded.
            masks: what may differ.
            clock: the clock of the recorded time, for filters that need one.
            options: the filters, ``to_server_filter``, ``to_client_filter`` and ``filters``, and any other argument of
                `Repeater.start`. Filters are called with one link only.

        Returns:
            What was different from the recording.
        """
        # Here, as these need the rest of the kit.
        from ..replay.through_filters import play_link
        from ..service.loading import load_dialect

        with open_recording(self.path) as recording:
            if dialect is None:
                dialect = load_dialect(recording.facts.get("dialect") or "int32")
            messages = recording.messages(link=self.link.id)
            return play_link(self.link, messages, dialect, masks=masks, clock=clock, **options)
