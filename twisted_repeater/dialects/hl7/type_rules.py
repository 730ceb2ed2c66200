"""`Messages`: refuses messages by their types and segments."""

from __future__ import annotations

from collections.abc import Iterator

from zope.interface import implementer

from ..._types import Filter, FilterPairObject
from ...filters.pair import FilterPair
from ...interfaces import ICodec, IFilter, IFilterPair, ISelectiveByCodec
from ...link import Link
from ...model import Direction
from ...selectors import Selector
from ...verdicts import PASS_ON, Verdict
from .acknowledging import Code, refuse
from .batches import Batch, has_word
from .by_message_type import split_type
from .codec import check_codec
from .frames import Filler, Raw
from .in_turn import in_turn
from .messages import Message
from .segment_names import checked_names

__all__ = ["Messages"]

LONGEST_SHOWN = 32
"""How many characters of a type are in a refusal. Senders choose them."""


@implementer(IFilterPair)
class Messages:
    """Refuses messages of clients that are not allowed, with a negative acknowledgement in its turn. All others pass.

    A batch with one message that is not allowed is refused as a whole.

    In a `chain`, no filter that answers messages may come after it. Put the rules and your filter into one `in_turn`::

        in_turn(chain(Messages(refuse=("ADT^A40",)).rules, mine))

    Args:
        allow: types that are allowed, such as ``"ADT^A01"``, or ``"ADT"`` for all events. All others are refused,
            except acknowledgements. Without any, all are allowed.
        refuse: types that are refused, even if ``allow`` has them.
        refuse_segments: names of segments, such as ``"ZPD"``. Messages that have one are refused.
        code: what a refused client gets: ``"AR"`` for "rejected", or ``"AE"`` for "in error".
        answer_timeout: how long a refusal waits for the answers to earlier messages; see `in_turn`.

    Raises:
        TypeError: an argument is one text, not several.
        ValueError: a type or a name is not one, or nothing is given to allow or refuse.
    """

    def __init__(
        self,
        *,
        allow: tuple[str, ...] = (),
        refuse: tuple[str, ...] = (),
        refuse_segments: tuple[str, ...] = (),
        code: Code = "AR",
        answer_timeout: float = 30.0,
    ) -> None:
        if not (allow or refuse or refuse_segments):
            raise ValueError("Messages needs types to allow or to refuse, or segments to refuse")
        if code not in ("AE", "AR"):
            raise ValueError(f"code must be AE or AR, not {code!r}")
        self._allow = _types("allow", allow)
        self._refuse = _types("refuse", refuse)
        self._segments = checked_names("refuse_segments", refuse_segments)
        self._code: Code = code
        self.rules: FilterPairObject = FilterPair(_Rules(self))
        """The rules alone, for an `in_turn` around them and filters of your own."""
        self._pair = in_turn(self.rules, answer_timeout=answer_timeout)
        self.__qualname__: str = "Messages"

    def for_link(self, link: Link) -> tuple[Filter | None, Filter | None]:
        """See `IFilterPair`."""
        return self._pair.for_link(link)

    def refusal(self, message: Message | Batch | Raw | Filler) -> str | None:
        """Return why a message is refused; ``None`` if it is not."""
        if isinstance(message, Filler):
            return None
        if isinstance(message, Raw):
            return "this is not a message" if self._allow or has_word(bytes(message), b"MSH") else None
        if isinstance(message, Batch) and self._allow and not message.messages:
            return "the batch has no message"
        for name in self._segments:
            if message.has_segment(name):
                return f"messages with the segment {name} are not accepted here"
        return next(
            (why for each in message.messages for name in _types_of(each) if (why := self._refusal(name))), None
        )

    def _refusal(self, name: str) -> str | None:
        code, _, event = name.partition("^")
        names = {(code, event), (code, "")}
        if names & self._refuse or (self._allow and code != "ACK" and not names & self._allow):
            return f"messages of the type {name[:LONGEST_SHOWN]} are not accepted here"
        return None

    def act(self, message: Message | Batch | Raw | Filler) -> Verdict:
        """Return the verdict on a message."""
        why = self.refusal(message)
        return PASS_ON if why is None else refuse(message, why, code=self._code)

    def _fixed(self) -> Iterator[tuple[Direction, Filter]]:
        yield from self._pair._fixed()


@implementer(IFilter, ISelectiveByCodec)
class _Rules:
    """The filter that `Messages` has inside `in_turn`."""

    __qualname__ = "Messages"

    def __init__(self, rules: Messages) -> None:
        self._rules = rules

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        check_codec(codec, "Messages")
        return None

    def filter(self, message: Message | Batch | Raw | Filler, link: Link) -> Verdict:
        """See `IFilter`."""
        return self._rules.act(message)


def _types_of(message: Message) -> Iterator[str]:
    """Return the type of a message, and that which a server sees that always takes ``^`` for a delimiter."""
    yield message.type
    if message.delimiters.component != b"^":
        code, event, *_ = [*message.header_field(9).decode("latin-1").upper().split("^"), ""]
        if event:
            yield f"{code.strip()}^{event.strip()}"


def _types(argument: str, texts: tuple[str, ...]) -> set[tuple[str, str]]:
    """Return types, each as its code and its event."""
    if isinstance(texts, str):
        raise TypeError(f"{argument} must be several types: write ({texts!r},)")
    return {(code.decode(), event.decode()) for code, event in map(split_type, texts)}
