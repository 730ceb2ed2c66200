"""Compares the answers of one link.

Answers come in the order of their requests, but other messages come by themselves: what is published, notices,
heartbeats. When they come is chance, so they may change places, with answers and with each other. The messages of a
link are therefore paired in several sequences: the answers, in their order, and each kind of messages that nobody
asked for, in any order. The report notes it if the order was another one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

from .._text import printable, shortened
from ..dialects import Dialect
from ..model import Direction
from ..recording.records import RecordedLink
from .acknowledgements import Acknowledgements, is_acknowledgement, is_publication, without_id
from .alignment import Alignment, Unordered
from .decoding import Decoder, Shown
from .differences import Difference, Findings, Kind, Part, Request, Trouble, count_text
from .learning import LinkTokens, SharedTokens
from .masks import Masks, Token
from .sequences import ANSWERS, Asked, sequence_of

__all__ = ["Conversation"]

MOST_SEQUENCES = 1000
"""How many sequences a link has at most. Further kinds of messages share one."""

MOST_WITH_TOKENS = 1000
"""How many answers with tokens wait for their counterpart."""

MESSAGE = Direction.TO_CLIENT

MOVED = "messages that come by themselves came in another order"

UNSENT = "links with acknowledgements that were not sent, as their messages had not come"


class Answer:
    """A message of the server.

    Args:
        data: its frame.
        number: which of the link it is, from 1.
        time: when it was recorded.
        request: the request before it, with its number.
        conversation: reads it.
    """

    __slots__ = ("_conversation", "_key", "data", "number", "request", "time")

    def __init__(
        self, data: bytes, number: int, time: int | None, request: tuple[int, bytes] | None, conversation: Conversation
    ) -> None:
        self.data: bytes = data
        """Its frame."""
        self.number: int = number
        """Which of the link it is."""
        self.time: int | None = time
        """When it was recorded."""
        self.request: tuple[int, bytes] | None = request
        """The request before it."""
        self._conversation = conversation
        self._key: Hashable = None

    @property
    def size(self) -> int:
        """See `Comparable`."""
        return len(self.data)

    @property
    def kind(self) -> Hashable:
        """See `Comparable`."""
        return self.data[:1]

    def same_as(self, other: Answer) -> bool:
        """See `Comparable`."""
        return self.data == other.data or (self._conversation.masks_something and self.key == other.key)

    @property
    def key(self) -> Hashable:
        """The message without what is masked."""
        if self._key is None:
            self._key = self._conversation.key_of(self.data)
        return self._key


class Conversation:
    """The comparison of one link. A `Comparison` makes it.

    Call `sends` and `recorded` with what was recorded, and `replayed` with what comes now. Each has its order. A
    recorded message may be given before or after its counterpart has come.
    """

    def __init__(
        self, dialect: Dialect, masks: Masks, findings: Findings, shared: SharedTokens, link: RecordedLink
    ) -> None:
        version = link.details.get("version")
        self._decoder = Decoder(dialect, version if isinstance(version, int) else None)
        self._dialect = dialect.name
        self._masks = masks
        self.masks_something: bool = not masks.empty
        """Whether messages may be equal although their bytes differ."""
        self.lacks_messages: bool = False
        """Whether a recorded message is missing."""
        self._findings = findings
        self._link = link
        self._tokens = LinkTokens(self._decoder, shared)
        self._request: tuple[int, bytes] | None = None
        self._asked = Asked() if dialect.name == "redis" else None
        self._numbers = [0, 0]
        self._alignments: dict[str, Alignment[Answer] | Unordered[Answer]] = {}
        self._acknowledgements = Acknowledgements() if dialect.name == "mqtt" else None
        self._with_tokens: tuple[deque[Answer], deque[Answer]] = (deque(), deque())

    # -- what the player calls -----------------------------------------------------------------------------------

    def sends(self, data: bytes, *, time: int | None = None) -> bytes:
        """Return what to send for the next recorded request: the same object, unless it has a token.

        Args:
            data: the request as it was recorded.
            time: when it was recorded, in microseconds since 1970.
        """
        sent = self._tokens.replaced(data)
        self._findings.requests += 1
        self._request = (1 if self._request is None else self._request[0] + 1, sent)
        if self._asked is not None:
            self._asked.add(self._request)
        return sent

    def gets_answer(self, request: bytes) -> bool:
        """Return whether the server does something for a request that other links may notice, or answers it."""
        if self._acknowledgements is not None:
            return not is_publication(request)
        return self._numbers[1] * 4 >= (0 if self._request is None else self._request[0])

    def acknowledges(self, data: bytes) -> bool:
        """Return whether a recorded request only acknowledges: it is for `acknowledge`, at its turn or before."""
        return self._acknowledgements is not None and is_acknowledgement(data)

    def acknowledge(self, data: bytes) -> bytes:
        """Return what to send now for a recorded acknowledgement: nothing if its message has not come."""
        assert self._acknowledgements is not None
        return self._counted(self._acknowledgements.send(data))

    def acknowledgement_of(self, message: bytes) -> bytes:
        """Return what to send now for a message that has come: the acknowledgement that waits for it, or nothing."""
        return b"" if self._acknowledgements is None else self._counted(self._acknowledgements.answer(message))

    def _counted(self, sent: bytes) -> bytes:
        self._findings.requests += bool(sent)
        return sent

    def recorded(self, message: bytes, *, time: int | None = None) -> bool:
        """Accept the next message that the server sent in the recording.

        Args:
            message: its frame.
            time: when it was recorded, in microseconds since 1970.

        Returns:
            Whether to wait for its counterpart. What is ignored may never come.
        """
        return self._add(0, message, time)

    def replayed(self, message: bytes) -> bool:
        """Accept the next message that the server has sent now; return whether somebody may wait for it."""
        return self._add(1, message, None)

    def trouble(self, kind: Trouble, text: str, more: str = "") -> None:
        """Report that something has happened to the link.

        Args:
            kind: what has happened.
            text: the reason, such as "connection refused".
            more: what this link lacks because of it.
        """
        text = printable(shortened(f"{kind.value}: {text}" if text else kind.value))
        count_text(self._findings.troubles, text)
        self._add_difference(Kind.TROUBLE, text=f"{text}; {more}" if more else text)

    def note(self, text: str) -> None:
        """Add a note to the report. It is no difference."""
        self._findings.note(printable(shortened(text)))

    def end(self) -> None:
        """Nothing more comes: what has no counterpart is missing, or was not recorded."""
        for alignment in self._alignments.values():
            alignment.end()
        self._alignments.clear()
        if self._acknowledgements is not None and self._acknowledgements.unsent:
            self._findings.note(UNSENT)
        if self._tokens.unchanged:
            self._findings.note("links with requests that could not be made with a new token, and had the old one")

    # -- comparing -----------------------------------------------------------------------------------------------

    def key_of(self, data: bytes) -> Hashable:
        """Return what is compared of a message: all that is not masked."""
        if self._acknowledgements is not None:
            data = without_id(data)
        return self._masks.key_of(data, self._decoder, MESSAGE)

    def _add(self, which: int, data: bytes, time: int | None) -> bool:
        self._numbers[which] += 1
        name = "unasked" if self._masks.is_unasked(data) else sequence_of(self._dialect, data, self._decoder)
        request = None if self._asked is None else self._asked.request_of(which, name)
        if self._masks.ignores(data):
            self._findings.ignored += 1
            return False
        if which == 0:
            self._findings.recorded += 1
        else:
            self._findings.replayed += 1
        answer = Answer(data, self._numbers[which], time, request or self._request, self)
        if self._masks.has_tokens:
            self._learn(which, answer)
        alignment = self._alignment(name)
        if which == 0:
            alignment.first(answer)
        else:
            alignment.second(answer)
        return True

    def _alignment(self, name: str) -> Alignment[Answer] | Unordered[Answer]:
        """Return the pairing of a sequence."""
        if name not in self._alignments and len(self._alignments) >= MOST_SEQUENCES:
            name = ""
        alignment = self._alignments.get(name)
        if alignment is None:
            ordered = name == ANSWERS
            alignment = Alignment(self._found) if ordered else Unordered(self._found, self._note_moved)
            self._alignments[name] = alignment
        return alignment

    def _learn(self, which: int, answer: Answer) -> None:
        """Learn the tokens of an answer and its counterpart, as soon as both are there."""
        tokens = self._tokens_in(answer)
        if not tokens:
            return
        waiting = self._with_tokens[1 - which]
        for other in waiting:
            others = self._tokens_in(other)
            if other.same_as(answer) and len(others) == len(tokens):
                waiting.remove(other)
                pairs = zip(others, tokens, strict=True) if which else zip(tokens, others, strict=True)
                for (_, old), (_, new) in pairs:
                    self._tokens.learn(old, new)
                return
        own = self._with_tokens[which]
        own.append(answer)
        if len(own) > MOST_WITH_TOKENS:
            own.popleft()

    def _tokens_in(self, answer: Answer) -> list[Token]:
        found = list(self._masks.tokens_in(answer.data))
        if self._masks.token_fields:
            message, _ = self._decoder.decoded(answer.data, MESSAGE)
            try:
                found += self._masks.tokens_of(message)
            except KeyboardInterrupt:
                raise
            except BaseException:  # as above
                pass
        return found

    # -- what was found ------------------------------------------------------------------------------------------

    def _note_moved(self) -> None:
        self._findings.note(MOVED)

    def _found(self, recorded: Answer | None, replayed: Answer | None) -> None:
        if recorded is not None and replayed is not None and recorded.same_as(replayed):
            if recorded.data == replayed.data:
                self._findings.equal += 1
            else:
                self._findings.masked += 1
            return
        self.lacks_messages |= replayed is None
        kind = Kind.MISSING if replayed is None else Kind.EXTRA if recorded is None else Kind.DIFFERENT
        self._add_difference(kind, recorded, replayed)

    def _add_difference(
        self, kind: Kind, recorded: Answer | None = None, replayed: Answer | None = None, text: str = ""
    ) -> None:
        findings = self._findings
        if not findings.wants_more:
            findings.counts[kind] += 1
            return
        either = recorded or replayed
        before = self._request if either is None else either.request
        parts = () if either is None else (Part("answer", self._shown(recorded), self._shown(replayed)),)
        request = None
        if before is not None:
            request = Request(before[0], self._decoder.shown(before[1], Direction.TO_SERVER))
        findings.add(
            Difference(
                kind=kind,
                link=self._link.id,
                client_name=self._link.client_name,
                number=None if recorded is None else recorded.number,
                replayed_number=None if replayed is None else replayed.number,
                time=None if recorded is None else recorded.time,
                request=request,
                parts=parts,
                text=text,
            )
        )

    def _shown(self, answer: Answer | None) -> Shown | None:
        return None if answer is None else self._decoder.shown(answer.data, MESSAGE)
