"""A message of HL7, which reads its bytes only when it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any

from ...errors import MarshalingError
from .escapes import escape, unescape
from .frames import SHOWN, Headed, headers_in
from .paths import Path, path_of
from .structure import USUAL, Segment, edited, named, parts_of

__all__ = ["Message", "Value"]

TYPES: dict[bytes, str] = {}
"""The types of messages that were read, by MSH-9, where that has the event and the usual delimiters."""

MOST_TYPES = 1000
LONGEST_TYPE = 40
"""Limits of `TYPES`: senders choose them."""

BLANKS = bytes(range(33)).decode()
"""What may be around a type."""

Value = str | bytes | Callable[[str], str]
"""What to put in place of a part: a text, bytes that are written as they are, or a function of the old text."""


class Message(Headed):
    r"""A message: ``Message(b"MSH|^~\\&|LAB|...\rPID|...\r")``.

    Parts are named by paths: ``PID-5`` is a field, ``PID-5.1`` a component, ``PID-5.1.2`` a subcomponent. ``OBX[2]-5``
    is in the second OBX, ``PID-3[1].1`` in the first repetition of the field. Without these numbers, `get` returns the
    first one, and `replaced` replaces all.

    Args:
        data: the bytes, without the marks of MLLP.
        charset: the character set if MSH-18 does not say it.

    Raises:
        MarshalingError: the bytes do not begin with the segment MSH, or have a second one.
    """

    __slots__ = ()

    def __init__(self, data: bytes, *, charset: str = "utf-8") -> None:
        Headed.__init__(self, data, charset=charset)
        if self._at < 0 or not self._is_message or len(headers_in(self._data, self._at)) > 1:
            raise MarshalingError(f"a message must begin with MSH, and have it once, not {self._data[:SHOWN]!r}")

    @property
    def type(self) -> str:
        """The type and the event, such as ``"ADT^A01"``, in upper case, whatever the delimiters of the message are.

        The event is that of EVN-1 if MSH-9 has none. Without any it is the type alone, such as ``"ACK"``.
        """
        field = self.header_field(9)
        is_usual = self._delimiters is USUAL  # they were read with the field
        known = TYPES.get(field) if is_usual else None
        if known is not None:
            return known
        code, event, from_header = self._type(field)
        found = f"{code}^{event}" if event else code
        if is_usual and from_header and len(field) <= LONGEST_TYPE and len(TYPES) < MOST_TYPES:
            TYPES[field] = found
        return found

    @property
    def is_acknowledgement(self) -> bool:
        """Whether its type is ACK, so that it asks for no answer."""
        return self.type[:4] in ("ACK", "ACK^")

    def _type(self, field: bytes) -> tuple[str, str, bool]:
        """Return the type and the event, and whether both are in MSH-9."""
        _, component, repetition, _, subcomponent, _ = self.delimiters
        if repetition:
            field = field.partition(repetition)[0]
        pieces = field.split(component, 2) if component else [field]
        code, event = (self._word(piece, subcomponent) for piece in [*pieces, b""][:2])
        from_header = bool(event)
        if not event and code != "ACK":
            event = self._word(self.part("EVN-1"), subcomponent)
        return code, event, from_header

    def _word(self, part: bytes, subcomponent: bytes) -> str:
        """Return a type or an event: without what may be around it, in upper case."""
        if subcomponent:
            part = part.partition(subcomponent)[0]
        text = part.decode("latin-1")
        return unescape(text, self.delimiters, self.charset).strip(BLANKS).upper()

    @property
    def control_id(self) -> str:
        """MSH-10. The answer to the message has it in MSA-2."""
        return self.charset.decode(self.header_field(10))

    @property
    def messages(self) -> tuple[Message, ...]:
        """The message itself, as a batch has all of its messages."""
        return (self,)

    def changed(self, function: Callable[[Message], Message]) -> Message:
        """Return what a function makes of the message. With `Batch.changed`, one filter serves both."""
        return function(self)

    def get(self, path: str) -> str:
        """Return a part of the message as text; ``""`` if there is no such part.

        Escape sequences are resolved, unless the part has smaller parts.

        Raises:
            ValueError: the path is not one.
        """
        found = path_of(path)
        return self._read(found, self._part(found))

    def part(self, path: str) -> bytes:
        """Return a part of the message as it is written; ``b""`` if there is no such part.

        Raises:
            ValueError: the path is not one.
        """
        return self._part(path_of(path))

    def has_segment(self, name: str) -> bool:
        """Return whether the message has a segment of a name, such as ``"MSA"``, also after a line feed in a text."""
        return bool(named(self._seen, name.encode(), self._at, self.delimiters, loose=True))

    def all(self, path: str) -> list[str]:
        """Return the parts that a path stands for, of all segments and repetitions, as `get` does.

        Raises:
            ValueError: the path is not one.
        """
        found = path_of(path)
        return [self._read(found, part) for part in self._parts(found)]

    def replaced(self, path: str, value: Value) -> Message:
        r"""Return the message with another value for a part. All other bytes stay as they are.

        A part that is missing in its segment is added. A segment that is missing is not.

        Args:
            path: the part, in all segments of the name, and all repetitions of the field.
            value: a text, whose delimiters are escaped: ``"Smith & Sons"``. Or bytes, which are written as they are:
                ``b"DOE^JOHN"``. Or a function of the old text, as `get` returns it, that returns the new one.

        Raises:
            ValueError: the path is not one, or it is MSH-1 or MSH-2.
            MarshalingError: the value is not one.
            ParseError: the message cannot have the value: it has no such delimiter, no escape character, or a character
                set without these letters. In a filter this closes the link, as an error of the sender.
        """
        return self._replaced(path, value, loose=False)

    def _replaced(self, path: str, value: Value, *, loose: bool) -> Message:
        found = path_of(path)
        if found.is_delimiters:
            raise ValueError(f"{path} has the delimiters of the message, which cannot be replaced")
        edit = self._edit(found, value)
        levels = found.levels(self.delimiters)
        data: list[bytes] = []
        at = 0
        for segment in self._named(found, loose=loose):
            data += self._data[at : segment.start], edited(self._data, self._seen, segment[1:], levels, edit)
            at = segment.stop
        return self._new(b"".join((*data, self._data[at:]))) if data else self

    def without(self, *names: str) -> Message:
        """Return the message without the segments of some names, such as ``"NK1"``. MSH always stays."""
        return self._without(names, loose=False)

    def _without(self, names: tuple[str, ...], *, loose: bool) -> Message:
        unwanted = {name.encode() for name in names} - {b"MSH"}
        found = [each for name in unwanted for each in named(self._seen, name, self._at, self.delimiters, loose=loose)]
        kept: list[bytes] = []
        at = 0
        for segment in sorted(found, key=attrgetter("start")):
            kept.append(self._data[at : segment.start])
            at = segment.stop + 1
            if self._data[segment.stop : at + 1] == b"\r\n":
                at += 1
        return self._new(b"".join((*kept, self._data[at:]))) if kept else self

    def parsed(self) -> Any:
        """Return the message as an ``hl7.Message`` of the library ``hl7``, for what paths cannot express.

        Raises:
            ImportError: the library is not installed.
        """
        try:
            import hl7 as library
        except ImportError as error:
            raise ImportError("parsed needs the library hl7: pip install 'twisted_repeater[hl7]'") from error
        text = self.charset.decode(self._data[self._at :])
        return library.parse(text.replace(self.delimiters.segment.decode(), "\r"))

    def _new(self, data: bytes) -> Message:
        return Message(data, charset=self.default_charset)

    def _named(self, path: Path, *, loose: bool = False) -> list[Segment]:
        """Return the segments that a path stands for."""
        found = named(self._seen, path.segment, self._at, self.delimiters, loose=loose)
        return found if path.occurrence is None else found[path.occurrence - 1 : path.occurrence]

    def _part(self, path: Path) -> bytes:
        """Return the first part that a path stands for."""
        return next(iter(self._parts(path)), b"")

    def _parts(self, path: Path) -> list[bytes]:
        """Return the parts that a path stands for."""
        if path.is_delimiters:
            return [self.delimiters.field if path.field == 1 else self.header_field(2)] * len(self._named(path))
        pieces = [(segment.start, segment.stop) for segment in self._named(path)]
        for level in path.levels(self.delimiters):
            pieces = [smaller for piece in pieces for smaller in parts_of(self._seen, *piece, level)]
        return [self._data[start:stop] for start, stop in pieces]

    def _read(self, path: Path, part: bytes) -> str:
        """Return the text of a part."""
        text = self.charset.decode(part)
        delimiters = self.delimiters
        smaller = (delimiters.repetition, delimiters.component, delimiters.subcomponent)
        seen = self.charset.view(part)
        if path.is_delimiters or any(delimiter and delimiter in seen for delimiter in smaller):
            return text
        return unescape(text, delimiters, self.charset)

    def _edit(self, path: Path, value: Value) -> Callable[[bytes], bytes]:
        """Return the function that makes the new bytes of a part of the old ones."""
        if isinstance(value, bytes):
            if any(end in value for end in (b"\r", b"\n", b"\x1c", self.delimiters.field)):
                raise MarshalingError(f"the value of {path.segment.decode()} must be within a field, not {value!r}")
            return lambda old: value
        if callable(value):
            return partial(self._call, value, path)
        written = self._write(value)
        return lambda old: written

    def _call(self, function: Callable[[str], str], path: Path, old: bytes) -> bytes:
        """Return the bytes of what a function makes of a text. If it is the same text, the bytes stay, too."""
        text = self._read(path, old)
        new = function(text)
        return old if new == text else self._write(new)

    def _write(self, text: object) -> bytes:
        if not isinstance(text, str):
            raise MarshalingError(f"a value must be a str or bytes, not {text!r}")
        return self.charset.encode(escape(text, self.delimiters))
