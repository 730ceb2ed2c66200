"""`Mask`: takes fields and segments out of messages, for example those that say who a patient is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from zope.interface import implementer

from ..._types import Filter
from ...errors import MarshalingError, ParseError
from ...interfaces import ICodec, IFilter, IFilterPair, ISelectiveByCodec
from ...link import Link
from ...model import Direction, Side
from ...selectors import Selector, contains
from ...verdicts import PASS_ON, Send, Verdict
from .batches import Batch, has_word
from .codec import HEADERS, check_codec, check_fits
from .frames import Filler, Raw
from .messages import Message
from .paths import path_of
from .segment_names import checked_names

__all__ = ["Mask"]

NULL = '""'
"""A field with this tells the receiver to delete its value. It says nothing about anybody."""


@implementer(IFilterPair)
class Mask:
    """Replaces fields of messages, and removes segments. All other bytes stay as they are.

    Empty fields stay empty, and so do those that delete a value (``""``).

    Args:
        fields: paths of what is replaced, such as ``"PID-5"`` or ``"PID-3.1"``: in all segments of the name, and in all
            repetitions.
        segments: names of segments that are removed, such as ``"NK1"``.
        text: what stands in the fields instead; nothing by default.
        direction: the direction of the messages.

    Raises:
        TypeError: an argument is one text, not several.
        ValueError: a path or a name is not one, MSH is to be removed or is damaged, or nothing is given.
    """

    def __init__(
        self,
        *,
        fields: tuple[str, ...] = (),
        segments: tuple[str, ...] = (),
        text: str = "",
        direction: Literal["both", "to-server", "to-client"] = "both",
    ) -> None:
        if isinstance(fields, str):
            raise TypeError(f"fields must be several paths: write ({fields!r},)")
        if not (fields or segments):
            raise ValueError("Mask needs fields, or segments")
        if direction not in ("both", "to-server", "to-client"):
            raise ValueError(f"direction must be both, to-server or to-client, not {direction!r}")
        self.fields: tuple[str, ...] = tuple(fields)
        self.segments: tuple[str, ...] = checked_names("segments", segments)
        self.text: str = text
        if "MSH" in self.segments:
            raise ValueError("segments must not have MSH: there is no message without it")
        paths = [path_of(field) for field in self.fields]
        if any(path.is_delimiters for path in paths):
            raise ValueError("fields must not have MSH-1 or MSH-2: these are the delimiters")
        names = {path.segment for path in paths} | {name.encode() for name in self.segments}
        self._selector: Selector | None = None if b"MSH" in names else contains(names) | ~HEADERS
        self._names = names - {b"MSH"}
        self._filters: tuple[Filter | None, Filter | None] = (
            _Masking(self, Side.SERVER) if direction != "to-client" else None,
            _Masking(self, Side.CLIENT) if direction != "to-server" else None,
        )

    def for_link(self, link: Link) -> tuple[Filter | None, Filter | None]:
        """See `IFilterPair`."""
        return self._filters

    def _fixed(self) -> Iterator[tuple[Direction, Filter]]:
        """Return the filters, which `start` checks."""
        for direction, filter_ in zip((Direction.TO_SERVER, Direction.TO_CLIENT), self._filters, strict=True):
            if filter_ is not None:
                yield direction, filter_

    def masked(self, message: Message) -> Message:
        """Return a message without what is masked; the same object if nothing in it is."""
        # A line feed in a text may end a segment, for some servers: both readings must show nothing.
        for loose in (True, False) if b"\n" in bytes(message) else (False,):
            if self.segments:
                message = message._without(self.segments, loose=loose)
            for field in self.fields:
                message = message._replaced(field, self._replace, loose=loose)
        return message

    def _check(self, rest: bytes) -> None:
        """Raise ``ParseError`` if what is in no message seems to have something to mask."""
        for name in self._names:
            if has_word(rest, name):
                raise ParseError(f"{name.decode()} is outside of a message, where it cannot be masked", ends_link=True)

    def _replace(self, old: str) -> str:
        return self.text if old and old != NULL else old


@implementer(IFilter, ISelectiveByCodec)
class _Masking:
    """The filter of one direction. It sees only what has one of the segments."""

    __qualname__ = "Mask"

    def __init__(self, mask: Mask, side: Side) -> None:
        self._mask = mask
        self._side = side

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        check_codec(codec, "Mask")
        return self._mask._selector

    def filter(self, message: Message | Batch | Raw | Filler, link: Link) -> Verdict:
        """See `IFilter`."""
        if isinstance(message, Raw):
            self._mask._check(bytes(message))
        if not isinstance(message, (Message, Batch)):
            return PASS_ON
        masked = message.changed(self._mask.masked)
        if isinstance(message, Batch):
            self._mask._check(message.outside)
        if masked == message:
            return PASS_ON
        try:
            check_fits(masked, link, self._side)
        except MarshalingError as error:
            raise ParseError(f"a message cannot be sent when it is masked: {error}", ends_link=True) from error
        return Send(masked)
