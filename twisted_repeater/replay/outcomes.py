"""Compares what became of messages in a replay through filters with what was recorded."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial

from .._text import printable, shortened
from ..dialects import Dialect
from ..model import Direction
from ..recording.records import RecordedMessage
from ..verdicts import DO_NOTHING, PASS_ON, Verdict
from ..watching import WatchedMessage
from .alignment import Alignment
from .decoding import LONGEST_DATA, Shown
from .differences import Difference, Findings, Kind, Part, Trouble, count_text
from .filter_links import OwnMessage, PlayedLink
from .masks import Masks

__all__ = ["Outcomes"]

STATES = {False: "stays open", True: "is closed"}

MOST_SHOWN = 20
"""How many of the messages that a verdict has sent at once are shown."""

SLACK = 1000
"""Within so many microseconds after a verdict, a message that the recording has belongs to the verdict."""


class Outcomes:
    """The comparison of a replay through filters.

    Args:
        dialect: the dialect of the recording.
        masks: what may differ.
        max_differences: how many differences are kept.
    """

    def __init__(self, dialect: Dialect, masks: Masks, max_differences: int) -> None:
        self.findings: Findings = Findings(max_differences)
        """What was found so far."""
        self._masks = masks.with_usual(dialect.name).with_own(dialect.name)

    def compare(self, played: PlayedLink, recorded: RecordedMessage, message: WatchedMessage) -> None:
        """Compare what became of a message with what was recorded."""
        played.last = max(played.last, recorded.time + recorded.took)
        findings = self.findings
        findings.recorded += 1
        findings.replayed += 1
        if recorded.verdict is None:
            findings.ignored += 1  # the recorded link ended before there was a verdict
            return
        if message.verdict is None:
            self._add(played, Kind.MISSING, recorded, message)
            return
        if self._masks.has_tokens:
            self._learn(played, recorded, message)
        parts, masked = self._parts(played, recorded, message)
        closes = message.verdict.closes
        if recorded.verdict != "Mixed" and closes is not (recorded.verdict == "Close"):
            parts.append(Part("link", *(Shown(STATES[closed], None, 0) for closed in (not closes, closes))))
        if parts:
            self._add(played, Kind.DIFFERENT, recorded, message, tuple(parts))
        elif masked:
            findings.masked += 1
        else:
            findings.equal += 1

    def _parts(self, played: PlayedLink, recorded: RecordedMessage, message: WatchedMessage) -> tuple[list[Part], bool]:
        """Return the bytes that differ, and whether any do that are masked."""
        way = recorded.direction
        onward = (recorded.to_server, message.to_server)
        if way is Direction.TO_CLIENT:
            onward = (recorded.to_client, message.to_client)
        parts = []
        masked = False
        for what, direction, expected, came in (
            ("passed on", way, *onward),
            ("sent back", _other(way), recorded.back, message.back),
        ):
            if expected == came:
                continue
            if self._key_of(played, direction, expected) == self._key_of(played, direction, came):
                masked = True
                continue
            shown = [self._shown(played, direction, data) for data in (expected, came)]
            parts.append(Part(what, *shown))
        return parts, masked

    def _learn(self, played: PlayedLink, recorded: RecordedMessage, message: WatchedMessage) -> None:
        """Learn what the repeater has chosen at random, which comes back to it."""
        for expected, came in ((recorded.forward, message.forward), (recorded.back, message.back)):
            pairs = zip(self._masks.tokens_in(expected), self._masks.tokens_in(came), strict=False)
            for (name, old), (other, new) in pairs:
                if name == other:
                    played.tokens.learn(old, new)

    def _add(
        self,
        played: PlayedLink,
        kind: Kind,
        recorded: RecordedMessage,
        message: WatchedMessage | None,
        parts: tuple[Part, ...] = (),
    ) -> None:
        if not self.findings.wants_more:
            self.findings.counts[kind] += 1
            return
        now = "none" if message is None or message.verdict is None else _name_of(message.verdict)
        self.findings.add(
            Difference(
                kind=kind,
                link=played.recorded.id,
                client_name=played.recorded.client_name,
                direction=recorded.direction.value,
                number=recorded.number,
                replayed_number=None if message is None else message.number,
                time=recorded.time,
                message=self._shown(played, recorded.direction, recorded.frame),
                parts=parts,
                text=f"the verdict was {recorded.verdict}, and is {'the same' if now == recorded.verdict else now}",
            )
        )

    def trouble(self, played: PlayedLink, text: str) -> None:
        """Report that something has happened to a link."""
        text = printable(shortened(text))
        count_text(self.findings.troubles, text)
        recorded = played.recorded
        self.findings.add(Difference(kind=Kind.TROUBLE, link=recorded.id, client_name=recorded.client_name, text=text))

    def over(self, played: PlayedLink) -> None:
        """A link is over, in the recording and in the replay: what has not come by now is missing."""
        for waiting in played.waiting.values():
            for recorded in waiting:
                self.findings.recorded += 1
                if recorded.verdict is None:
                    self.findings.ignored += 1
                else:
                    self._add(played, Kind.MISSING, recorded, None)
            waiting.clear()
        for alignment in played.own.values():
            alignment.end()
        if played.not_played:
            self.trouble(played, f"{Trouble.NOT_SENT.value}: {played.not_played} messages, because the link was over")
            played.not_played = 0

    def _found_own(
        self, played: PlayedLink, direction: Direction, recorded: OwnMessage | None, sent: OwnMessage | None
    ) -> None:
        """Compare a message that nobody sent to the repeater."""
        findings = self.findings
        findings.recorded += recorded is not None
        findings.replayed += sent is not None
        if recorded is not None and sent is not None and recorded.same_as(sent):
            if recorded.data == sent.data:
                findings.equal += 1
            else:
                findings.masked += 1
            return
        if recorded is not None and sent is None and (recorded.time or 0) > played.last + SLACK:
            findings.ignored += 1
            findings.note("messages that the application had sent by itself were not sent")
            return
        kind = Kind.MISSING if sent is None else Kind.EXTRA if recorded is None else Kind.DIFFERENT
        what = "sent to the server" if direction is Direction.TO_SERVER else "sent to the client"
        shown = [None if own is None else self._shown(played, direction, own.data) for own in (recorded, sent)]
        findings.add(
            Difference(
                kind=kind,
                link=played.recorded.id,
                client_name=played.recorded.client_name,
                direction=direction.value,
                time=None if recorded is None else recorded.time,
                parts=(Part(what, *shown),),
            )
        )

    def own_recorded(self, played: PlayedLink, message: RecordedMessage) -> None:
        """Accept a message that nobody had sent to the repeater, from the recording."""
        self._own(played, message.direction).first(
            self._own_message(played, message.direction, message.forward, message.time)
        )

    def own_sent(self, played: PlayedLink, message: WatchedMessage) -> None:
        """Accept a message that nobody has sent to the repeater, from the replay."""
        self._own(played, message.direction).second(self._own_message(played, message.direction, message.forward, None))

    def _own(self, played: PlayedLink, direction: Direction) -> Alignment[OwnMessage]:
        if direction not in played.own:
            played.own[direction] = Alignment(partial(self._found_own, played, direction))
        return played.own[direction]

    def _own_message(self, played: PlayedLink, direction: Direction, data: bytes, time: int | None) -> OwnMessage:
        return OwnMessage(data, time, partial(self._key_of, played, direction))

    def _key_of(self, played: PlayedLink, direction: Direction, data: bytes) -> Hashable:
        """Return what is compared of the messages that went out at once."""
        if self._masks.empty:
            return data
        decoder = played.decoder
        return tuple(self._masks.key_of(frame, decoder, direction) for frame in decoder.frames(data, direction))

    def _shown(self, played: PlayedLink, direction: Direction, data: bytes) -> Shown | None:
        """Return what the report shows of messages that went out at once; ``None`` if none did."""
        if not data:
            return None
        decoder = played.decoder
        frames = decoder.frames(data, direction)
        if len(frames) == 1:
            return decoder.shown(data, direction)
        shown = [decoder.shown(frame, direction) for frame in frames[:MOST_SHOWN]]
        whole = None if any(each.data is None for each in shown) else data[:LONGEST_DATA]
        return Shown(", ".join(each.text for each in shown), whole, len(data))


def _other(direction: Direction) -> Direction:
    return Direction.TO_CLIENT if direction is Direction.TO_SERVER else Direction.TO_SERVER


def _name_of(verdict: Verdict) -> str:
    """Return the name of a verdict as a recording has it."""
    return repr(verdict) if verdict in (PASS_ON, DO_NOTHING) else type(verdict).__name__
