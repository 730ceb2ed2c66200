# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Finds the fields of a message in its bytes, in place.

A message is read when it comes, once, for errors: BodyLength, CheckSum, and whether its bytes are fields at all. After
that a field is searched for only when somebody asks. So a filter that looks at five fields of forty pays for five.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Self, TypeVar

from ...errors import ParseError
from .tags import DATA_FIELDS
from .values import placed, with_lengths

__all__ = ["Garbled", "Scanned", "check_sum", "read_as", "type_of", "written"]

S = TypeVar("S", bound="Scanned")
COMPILED: bool = not __file__.endswith(".py")
"""Whether this module runs compiled."""
MOST_TAG_DIGITS: int = 9
"""How many digits a tag may have."""
MOST_DIGITS: int = 18
"""How many digits BodyLength or the length of data may have."""
IS_LENGTH: bytes = bytes(tag in DATA_FIELDS for tag in range(2048))
"""A table with 1 for each field whose value is the length of the next."""


class Garbled(ParseError):
    """BodyLength or CheckSum is wrong. Engines ignore such a message: it takes no sequence number."""


class Scanned:
    """A message as its bytes, from BeginString to CheckSum, or without these if it has not been sent yet.

    Args:
        data: the bytes.
    """

    data: bytes
    """The bytes."""
    has_data: bool
    """Whether it has a field with the length of data: the value of the next may contain SOH."""

    def __init__(self, data: bytes) -> None:
        self.read(data)

    def read(self, data: bytes) -> None:
        """Check the bytes of a message, and keep them.

        Raises:
            Garbled: BodyLength or CheckSum is wrong.
            ParseError: the bytes are not fields.
        """
        self.data = data
        self._data_tag: int = 0
        self.has_data = False
        size = len(data)
        at = self._next(0)
        if self._tag == 8:
            at = self._next(at)
            if self._tag != 9:
                raise malformed("the second field must be BodyLength", at)
            self._check_frame(at, size)
            at = self._next(at)
        if self._tag != 35:
            raise malformed("MsgType must be behind BodyLength", at)
        while at < size:
            at = self._next(at)

    def _check_frame(self, body: int, size: int) -> None:
        """Check BodyLength, which was just found, and CheckSum."""
        view = self.data
        trailer = size - 7
        if trailer < body or view[trailer] != 49 or view[trailer + 1] != 48 or view[trailer + 2] != 61:
            raise Garbled("the last field must be CheckSum, with three digits")
        if self._number(self._value, self._end) != trailer - body:
            raise Garbled(f"BodyLength must be {trailer - body}")
        total = check_sum(self.data, trailer)
        if view[size - 1] != 1 or self._number(trailer + 3, size - 1) != total:
            raise Garbled(f"CheckSum must be {total:03}")

    def _number(self, start: int, stop: int) -> int:
        """Return the number that some digits are, or -1."""
        view = self.data
        if start == stop or stop - start > MOST_DIGITS:
            return -1
        number = 0
        while start < stop:
            if view[start] < 48 or view[start] > 57:
                return -1
            number = number * 10 + view[start] - 48
            start += 1
        return number

    def _next(self, at: int) -> int:
        """Find the field that begins at an offset, and return the offset of the next."""
        view, size = self.data, len(self.data)
        begin = at
        tag = 0
        while at < size and 48 <= view[at] <= 57 and at - begin < MOST_TAG_DIGITS:
            tag = tag * 10 + view[at] - 48
            at += 1
        if at == begin or at >= size or view[at] != 61 or view[begin] == 48:
            raise malformed("a field must be a number, an equals sign and a value", begin)
        at += 1
        self._tag: int = tag
        self._value: int = at
        if self._data_tag == tag:  # the field before it was the length of its value
            self._data_tag = 0
            if self._data_length < 0 or self._data_length >= size - at or view[at + self._data_length] != 1:
                raise malformed(f"the length of field {tag} must be right", begin)
            at += self._data_length
        else:
            at = find_end(self.data, at, size)
            if at < 0:
                raise malformed("a field must end with SOH", begin)
            self._data_tag = 0
            if tag < 2048 and IS_LENGTH[tag] != 0:
                self._data_length: int = self._number(self._value, at)
                self._data_tag = DATA_FIELDS[tag]
                self.has_data = True
        self._end: int = at
        return at + 1

    def _find(self, tag: int) -> bool:
        """Find the first field with a tag."""
        size = len(self.data)
        if not self.has_data:  # no value can contain SOH
            at = find_tag(self.data, tag)
            if at < 0:
                return False
            self._value = at
            self._end = find_end(self.data, at, size)
            return True
        at = self._data_tag = 0
        while at < size:
            at = self._next(at)
            if self._tag == tag:
                return True
        return False

    def get(self, tag: int) -> bytes | None:
        """Return the value of the first field with a tag; ``None`` without it."""
        return self.data[self._value : self._end] if self._find(tag) else None

    def text(self, tag: int) -> str | None:
        """Return the first field with a tag as a string, in Latin-1; ``None`` without it."""
        return self.data[self._value : self._end].decode("latin-1") if self._find(tag) else None

    def number(self, tag: int) -> Decimal | None:
        """Return the first field with a tag as a number; ``None`` without it.

        Raises:
            ParseError: the value is not a number.
        """
        if not self._find(tag):
            return None
        if not self._is_decimal():
            raise ParseError("the value must be a number", field=str(tag))
        return Decimal(self.data[self._value : self._end].decode("ascii"))

    def whole(self, tag: int) -> int | None:
        """Return the first field with a tag as a whole number; ``None`` without it.

        Raises:
            ParseError: the value is no whole number, from 0 on, of at most 18 digits.
        """
        if not self._find(tag):
            return None
        number = self._number(self._value, self._end)
        if number < 0:
            raise ParseError("the value must be a whole number", field=str(tag))
        return number

    def flag(self, tag: int) -> bool:
        """Return whether the first field with a tag is ``Y``."""
        return self._find(tag) and self._end - self._value == 1 and self.data[self._value] == 89

    def _is_decimal(self) -> bool:
        """Return whether the value that was found is digits, with a point and a sign at most."""
        view = self.data
        at = self._value
        digits = points = 0
        if at < self._end and (view[at] == 45 or view[at] == 43):  # + and -
            at += 1
        while at < self._end:
            if view[at] == 46:
                points += 1
            elif 48 <= view[at] <= 57:
                digits += 1
            else:
                return False
            at += 1
        return digits > 0 and points <= 1

    def values(self, tag: int) -> tuple[bytes, ...]:
        """Return the values of all fields with a tag, in order."""
        return tuple(value for own, value in self.fields if own == tag)

    @property
    def fields(self) -> tuple[tuple[int, bytes], ...]:
        """All fields, in order: tags and values."""
        return self.chosen(None)

    def chosen(self, tags: frozenset[int] | None) -> tuple[tuple[int, bytes], ...]:
        """Return the fields with some tags, or all, in order: tags and values."""
        found = []
        at, size = 0, len(self.data)
        self._data_tag = 0
        while at < size:
            at = self._next(at)
            if tags is None or self._tag in tags:
                found.append((self._tag, self.data[self._value : self._end]))
        return tuple(found)

    def edited(self, changes: Mapping[int, bytes | None]) -> bytes:
        """Return the message with other values for some fields; ``None`` takes one out. The others stay as they are.

        Of a field that occurs several times the first is changed. A new field of the header goes behind the others of
        the header, any other before the trailer. The length of data follows the data. BodyLength and CheckSum are
        computed.

        Args:
            changes: tags, but 8, 9 and 10, and values.
        """
        left = with_lengths(changes)
        data, size = self.data, len(self.data)
        pieces = []
        at = kept = head = self._data_tag = 0
        while at < size:
            begin = at
            at = self._next(at)
            tag = self._tag
            if tag == 9 and head == 0:
                head = begin
                kept = at
            elif tag == 10:
                size = begin
            elif tag in left:
                pieces.append(data[kept:begin])
                value = left.pop(tag)
                if value is not None:
                    pieces.append(b"%d=%b\1" % (tag, value))
                kept = at
        pieces.append(data[kept:size])
        body = b"".join(pieces)
        edited = sealed(data[:head], body) if head != 0 else body
        added = [(own, value) for own, value in left.items() if value is not None]
        return written(placed(Scanned(edited).fields, added)) if added else edited

    def renumbered(self, number: int) -> Self:
        """Return a message of the same class with another MsgSeqNum.

        BodyLength and CheckSum follow from the digits that differ, so no other field is looked at.

        Raises:
            ValueError: the message has no header with a number.
        """
        data = self.data
        if not self._find(34) or data[:2] != b"8=":
            raise ValueError("only a message with a header can be renumbered")
        at, stop = self._value, self._end
        self._find(9)
        length, length_stop = self._value, self._end
        old = data[at:stop]
        new = b"%d" % number
        old_length = new_length = data[length:length_stop]
        if len(old) != len(new):
            new_length = b"%d" % (self._number(length, length_stop) + len(new) - len(old))
        end = len(data)
        total = self._number(end - 4, end - 1) + check_sum(new, len(new)) + check_sum(new_length, len(new_length))
        total = (total - check_sum(old, len(old)) - check_sum(old_length, len(old_length))) % 256
        made = self.__class__.__new__(self.__class__)
        between = data[length_stop:at]
        made.data = b"".join((data[:length], new_length, between, new, data[stop : end - 4], b"%03d\1" % total))
        made._data_tag = 0
        made.has_data = self.has_data
        return made


def read_as(classes: Mapping[bytes, type[S]], other: type[S], data: bytes) -> S:
    """Return a whole message, of the class of its MsgType or else of another.

    Raises:
        Garbled: BodyLength or CheckSum is wrong.
        ParseError: the bytes are not a message.
    """
    kind = classes.get(type_of(data), other)
    message = kind.__new__(kind)
    message.read(data)
    if data[:2] != b"8=":
        raise malformed("a message must begin with BeginString", 0)
    return message


def malformed(why: str, at: int) -> ParseError:
    """Return the error about bytes that are not fields. It ends the link: a number would be missing."""
    return ParseError(why, offset=at, ends_link=True)


def find_end(data: bytes, at: int, stop: int) -> int:
    """Return the offset of the SOH that ends a value, or -1."""
    return (
        find_soh(data, at, stop)  # type: ignore[name-defined]  # noqa: F821
        if COMPILED  # the function is in the .pxd
        else data.find(b"\1", at, stop)
    )


def find_tag(data: bytes, tag: int) -> int:
    """Return the offset of the value of the first field with a tag, in a message without data, or -1."""
    if COMPILED or (at := (b"\1" + data).find(b"\1%d=" % tag)) < 0:
        return find_value(data, tag) if COMPILED else -1  # type: ignore  # noqa: F821
    return at + len(b"%d=" % tag)


def type_of(data: bytes) -> bytes:
    """Return MsgType of a whole message, without a look at anything else; b"" if it is not the third field."""
    view, size = data, len(data)
    at = find_end(data, 0, size) + 1
    at = find_end(data, at, size) + 1
    stop = find_end(data, at, size)
    if stop - at < 4 or view[at] != 51 or view[at + 1] != 53 or view[at + 2] != 61:
        return b""
    return data[at + 3 : stop]


def written(fields: Iterable[tuple[int, bytes]]) -> bytes:
    """Return a message of some fields. BodyLength and CheckSum are computed, if it begins with BeginString."""
    parts = [b"%d=%b\1" % field for field in fields if field[0] not in (9, 10)]
    if parts and parts[0].startswith(b"8="):
        return sealed(parts[0], b"".join(parts[1:]))
    return b"".join(parts)


def sealed(head: bytes, body: bytes) -> bytes:
    """Return a message of BeginString and all that is counted by BodyLength."""
    whole = b"%b9=%d\1%b" % (head, len(body), body)
    return b"%b10=%03d\1" % (whole, check_sum(whole, len(whole)))


def check_sum(data: bytes, stop: int) -> int:
    """Return the sum of the bytes before an offset, modulo 256."""
    return sum_before(data, stop) if COMPILED else sum(data[:stop]) & 255  # type: ignore  # noqa: F821
