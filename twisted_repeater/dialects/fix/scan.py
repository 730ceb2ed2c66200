# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Finds the fields of a message in its bytes, in place.

A message is read when it comes, once, for errors: BodyLength, CheckSum, and whether its bytes are fields at all. After
that a field is searched for only when somebody asks. So a filter that looks at five fields of forty pays for five.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...errors import ParseError
from .tags import DATA_FIELDS, HEADER, LENGTH_FIELDS, TRAILER

__all__ = ["Garbled", "Scanned", "check_sum", "edited", "written"]

COMPILED: bool = not __file__.endswith(".py")
"""Whether this module runs compiled."""

MOST_DIGITS = 9
"""How many digits a tag or the length of data may have."""

IS_LENGTH: bytes = bytes(tag in DATA_FIELDS for tag in range(2048))
"""A table with 1 for each field whose value is the length of the next."""


class Garbled(ParseError):
    """BodyLength or CheckSum is wrong. Engines ignore such a message: it takes no sequence number."""


class Scanned:
    """A message as its bytes, from BeginString to CheckSum, or without both if it has not been sent yet."""

    data: bytes
    """The bytes."""

    def __init__(self, data: bytes) -> None:
        self.read(data)

    def read(self, data: bytes) -> None:
        """Check the bytes of a message, and keep them.

        Raises:
            Garbled: BodyLength or CheckSum is wrong.
            ParseError: the bytes are not fields.
        """
        self.data = data
        self._tag = self._value = self._end = self._data_length = self._data_tag = 0
        size = len(data)
        at = self._next(0)
        if self._tag == 8:
            at = self._next(at)
            if self._tag != 9:
                raise self._malformed("BodyLength must be the second field", at)
            if size < 7 or data[size - 7 : size - 4] != b"10=":
                raise Garbled("CheckSum must be the last field")
            length = self._number(self._value, self._end)
            if length != size - 7 - at:
                raise Garbled(f"BodyLength must be {size - 7 - at}")
            total = check_sum(data, size - 7)
            if self._number(size - 4, size - 1) != total or data[size - 1] != 1:
                raise Garbled(f"CheckSum must be {total:03}")
            at = self._next(at)
            if self._tag != 35:
                raise self._malformed("MsgType must be the third field", at)
        elif self._tag != 35:
            raise self._malformed("a message must begin with BeginString", 0)
        while at < size:
            at = self._next(at)

    def _malformed(self, why: str, at: int) -> ParseError:
        """Return the error about bytes that are not fields. It ends the link: a number would be missing."""
        return ParseError(why, offset=at, ends_link=True)

    def _number(self, start: int, stop: int) -> int:
        """Return the number that some digits are, or -1."""
        view = self.data
        if start == stop or stop - start > 18:
            return -1
        number = 0
        while start < stop:
            digit = view[start] - 48
            if digit < 0 or digit > 9:
                return -1
            number = number * 10 + digit
            start += 1
        return number

    def _next(self, at: int) -> int:
        """Find the field that begins at an offset, and return the offset of the next."""
        view = self.data
        size = len(self.data)
        begin = at
        tag = 0
        while at < size and 48 <= view[at] <= 57 and at - begin < MOST_DIGITS:
            tag = tag * 10 + view[at] - 48
            at += 1
        if at == begin or at >= size or view[at] != 61 or view[begin] == 48:
            raise self._malformed("a field must be a number, an equals sign and a value", begin)
        at += 1
        self._tag = tag
        self._value = at
        if self._data_length >= 0 and tag == self._data_tag:
            at += self._data_length
            self._data_length = -1
            self._data_tag = 0
            if at >= size or view[at] != 1:
                raise self._malformed(f"the length of field {tag} is wrong", begin)
        else:
            self._data_tag = 0
            while at < size and view[at] != 1:
                at += 1
            if at >= size:
                raise self._malformed("a field must end with SOH", begin)
            if tag < 2048 and IS_LENGTH[tag] != 0:
                self._data_length = self._number(self._value, at)
                self._data_tag = DATA_FIELDS[tag]
                if self._data_length > size:
                    raise self._malformed(f"field {tag} must be a length", begin)
        self._end = at
        return at + 1

    def _find(self, tag: int) -> bool:
        """Find the first field with a tag."""
        at = 0
        size = len(self.data)
        self._data_tag = 0
        while at < size:
            at = self._next(at)
            if self._tag == tag:
                return True
        return False

    def get(self, tag: int) -> bytes | None:
        """Return the value of the first field with a tag, or ``None``."""
        return self.data[self._value : self._end] if self._find(tag) else None

    def values(self, tag: int) -> tuple[bytes, ...]:
        """Return the values of all fields with a tag, in order."""
        return tuple(value for own, value in self.fields if own == tag)

    @property
    def fields(self) -> tuple[tuple[int, bytes], ...]:
        """All fields, in order."""
        found = []
        at = 0
        self._data_tag = 0
        while at < len(self.data):
            at = self._next(at)
            found.append((self._tag, self.data[self._value : self._end]))
        return tuple(found)


def edited(fields: Iterable[tuple[int, bytes]], changes: Mapping[int, bytes | None]) -> bytes:
    """Return a message with other values for some fields; ``None`` takes a field out. The others stay as they are.

    Of a field that occurs several times the first is changed. A new field of the header goes behind the others of the
    header, any other before the trailer. The length of data follows the data. BodyLength and CheckSum are computed.
    """
    left: dict[int, bytes | None] = {}
    for tag, value in changes.items():
        length = LENGTH_FIELDS.get(tag)
        if length is not None:
            left[length] = None if value is None else b"%d" % len(value)
        left[tag] = value
    kept: list[tuple[int, bytes]] = []
    for field in fields:
        if field[0] in left:
            changed = left.pop(field[0])
            if changed is not None:
                kept.append((field[0], changed))
        else:
            kept.append(field)
    added = [(tag, value) for tag, value in left.items() if value is not None]
    if added:
        body = next((at for at, (tag, _) in enumerate(kept) if tag not in HEADER), len(kept))
        trailer = next((at for at, (tag, _) in enumerate(kept) if tag in TRAILER), len(kept))
        kept[trailer:trailer] = [field for field in added if field[0] not in HEADER]
        kept[body:body] = [field for field in added if field[0] in HEADER]
    return written(kept)


def written(fields: Iterable[tuple[int, bytes]]) -> bytes:
    """Return a message of some fields. BodyLength and CheckSum are computed, if it begins with BeginString."""
    parts = [b"%d=%b\1" % field for field in fields if field[0] not in (9, 10)]
    if not parts or not parts[0].startswith(b"8="):
        return b"".join(parts)
    body = b"".join(parts[1:])
    whole = b"%b9=%d\1%b" % (parts[0], len(body), body)
    return b"%b10=%03d\1" % (whole, check_sum(whole, len(whole)))


def check_sum(data: bytes, stop: int) -> int:
    """Return the sum of the bytes before an offset, modulo 256."""
    view = data
    total = 0
    for at in range(stop):
        total += view[at]
    return total & 255
