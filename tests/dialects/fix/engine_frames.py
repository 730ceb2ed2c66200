"""FIX messages as the engines of the tests write and read them: simple, strict, and by nobody else's code."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["HEADER", "TRAILER", "Frame", "body_of", "cut", "frame_of", "shown"]

HEADER = (8, 9, 35, 49, 56, 34, 43, 52, 122, 369, 1128)
"""The tags of the header that an engine writes."""
TRAILER = (10,)


class Frame:
    """A message that came: its fields, in order.

    Args:
        data: the whole message. An `AssertionError` says what is wrong with it.
    """

    def __init__(self, data: bytes) -> None:
        assert data.endswith(b"\x01"), data
        self.fields = [(int(tag), value) for tag, _, value in (f.partition(b"=") for f in data[:-1].split(b"\x01"))]
        self.data = data
        self.answered = False
        """Whether it is a request that was answered before its turn."""
        tags = [tag for tag, _ in self.fields]
        assert tags[:3] == [8, 9, 35] and tags[-1] == 10, f"order of the fields: {shown(data)}"
        for tag in HEADER:
            assert tags.count(tag) <= 1, f"tag {tag} twice: {shown(data)}"
        assert set(HEADER).isdisjoint(tags[self.header_length() :]), f"a header field in the body: {shown(data)}"
        total = b"%03d" % (sum(data[:-7]) % 256)
        assert self[10] == total, f"checksum should be {total!r}: {shown(data)}"
        size = len(data) - 7 - (data.index(b"\x01", data.index(b"\x019=") + 1) + 1)
        assert int(self[9]) == size, f"length should be {size}: {shown(data)}"

    def header_length(self) -> int:
        """Return how many fields the header has."""
        count = 0
        while self.fields[count][0] in HEADER:
            count += 1
        return count

    def __getitem__(self, tag: int) -> bytes:
        return next(value for name, value in self.fields if name == tag)

    def __contains__(self, tag: int) -> bool:
        return any(name == tag for name, _ in self.fields)

    def number(self, tag: int) -> int:
        """Return a number."""
        return int(self[tag])

    def says_yes(self, tag: int) -> bool:
        """Return whether a field is Y."""
        return tag in self and self[tag] == b"Y"

    @property
    def type(self) -> str:
        """The message type."""
        return self[35].decode()


def body_of(frame: Frame) -> list[tuple[int, bytes]]:
    """Return what must be the same when the message is sent again."""
    return [(35, frame[35])] + [(tag, value) for tag, value in frame.fields if tag not in HEADER + TRAILER]


def frame_of(version: bytes, fields: Iterable[tuple[int, bytes]]) -> bytes:
    """Return a message; without 8, 9 and 10, which are added."""
    content = b"".join(b"%d=%s\x01" % field for field in fields)
    whole = b"8=%s\x019=%d\x01%s" % (version, len(content), content)
    return whole + b"10=%03d\x01" % (sum(whole) % 256)


def cut(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the whole messages that stand in front of some bytes, and the rest."""
    found = []
    while data.count(b"\x01") > 1:
        assert data.startswith(b"8=FIX"), f"not a message: {shown(data)}"
        size_at = data.index(b"\x01") + 1
        content_at = data.index(b"\x01", size_at) + 1
        end = content_at + int(data[size_at + 2 : content_at - 1]) + 7
        if len(data) < end:
            break
        found.append(data[:end])
        data = data[end:]
    return found, data


def shown(data: bytes) -> str:
    """Return a message in one readable line."""
    return data.replace(b"\x01", b"|").decode("latin-1")
