# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Commands and replies of Redis, in RESP2 and RESP3, as whole frames however they are nested: `RespFraming`.

A frame is one value, with all that is inside. Its size is not known before its last part begins, so the framing goes on
where it stopped. It keeps no bytes, only this state of the frame whose end has not come:

* how many values are still owed, of those that the arrays promised whose beginning it has seen;
* how many bytes are left of the string that it is in;
* what comes next: a value, the rest of a line, or a part of a streamed string;
* for streamed arrays, which promise no number of values, how many values are owed after each.

So a declared size costs no memory, and nesting needs no recursion.

This module is ordinary Python; where a compiler was found at installation it runs compiled, with the types of the
``.pxd`` file beside it.
"""

from __future__ import annotations

from ..errors import FARTHEST, BadLength, FrameTooLong, FramingError, MarshalingError, outside
from .base import TRUSTED, Framing, checked_flag, checked_number

__all__ = ["RespFraming"]

COMPILED: bool = not __file__.endswith(".py")
"""Whether this module runs compiled."""

LARGEST: int = FARTHEST // 8
"""Limits above this count as this: sums and products with it fit into a C integer."""

LONGEST_LINE = 64 * 1024
"""How many bytes a typed command may have. Redis reads no longer ones."""

MOST_DIGITS = 18
"""How many digits a length may have."""

MOST_STREAMED = 1024
"""How deeply streamed arrays may be nested. Others need no memory, and may be nested as deeply as they like."""

SHORTEST = 3
"""The fewest bytes that a value has."""

ABSENT, STREAMED, NEGATIVE = -1, -2, -3
"""Stand for the length -1, for ``?``, of a value that comes in parts, and for a number below -1."""

VALUE, COMMAND, PART, LINE, TYPED = range(5)
"""What comes next: a value; a command, which may be typed; a part of a streamed string; the rest of a line of a reply,
and of a typed command."""


class RespFraming(Framing):
    """Commands or replies of Redis, with all that is inside. A payload is the whole frame.

    A command is an array of strings. It may also be a line, as it is typed in telnet; then it must not be the beginning
    of a request of HTTP: Redis, too, closes connections of web browsers that were lured to it. Empty lines and empty
    arrays, to which Redis answers nothing, are frames too.

    A reply, or a push, is a value of any type of RESP2 or RESP3. Attributes belong to the value after them.

    It remembers where it is in an unfinished frame, so each stream needs one of its own. A `Dialect` makes one for each
    direction of each link.

    Args:
        max_frame: the longest frame allowed, in bytes.
        commands: whether it reads what clients send; else, what servers send.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: ``max_frame`` is out of range.
    """

    commands: bool
    """Whether it reads what clients send."""

    def __init__(self, max_frame: int, *, commands: bool) -> None:
        Framing.__init__(self, checked_number("max_frame", max_frame, 0, FARTHEST))
        self.commands = checked_flag("commands", commands)
        self.goes_on = True
        self.opens = 0
        self._owed: int = 0
        self._ahead: int = 0
        self._before: int = 0
        """How many bytes of the unfinished frame are before those that `more` gets."""
        self._next: int = VALUE
        self._count: int = 0
        """The number that `_number` has read."""
        self._streams: list[int] | None = None
        self._judge: RespFraming | None = None
        """Checks what is sent, without the state of what is read."""

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        if start < 0 or start > end or end > len(data):
            raise outside(start, end)
        self._begin()
        stop = self._scan(data, start, start, end)
        self.body: int = start
        return stop

    def more(self, data: bytes, start: int, end: int) -> int:
        """See `IResumingFraming`."""
        if start < 0 or start > end or end > len(data):
            raise outside(start, end)
        stop = self._scan(data, start - self._before, start, end)
        self.body = 0
        return stop

    def skip(self, data: bytes, start: int, end: int) -> int:
        """See `Framing`. It looks for frames as `find` does, without a call through Python for each."""
        if start < 0 or start > end or end > len(data):
            raise outside(start, end)
        count = 0
        try:
            while start < end:
                self._begin()
                stop = self._scan(data, start, start, end)
                if stop <= start or stop > end:
                    break
                count += 1
                start = stop
        except FramingError:  # find raises it again
            pass
        self.count = count
        return start

    def _begin(self) -> None:
        """Stand before a frame."""
        self._owed = 1
        self._ahead = self._before = 0
        self._next = COMMAND if self.commands else VALUE
        self._streams = None

    def _scan(self, data: bytes, start: int, at: int, end: int) -> int:
        """Go on with the frame that begins at ``start``, which may be below 0; return its end, 0 if not known."""
        view = data
        limit = start + min(self.max_frame, LARGEST)
        at += self._ahead
        while self._owed != 0 or self._streams is not None:
            if at >= end:
                return self._wait(start, at, end)
            byte = view[at]
            if self._owed == 0 and byte != 46:  # one more value of a streamed array, or a dot: its end
                self._owed = 1
            if self._next == VALUE and byte == 36:  # $
                found = self._number(data, at, end)
                if found != 0:
                    found = self._string(data, at, found)
            elif self._next >= LINE:
                found = self._line_end(data, start, at, end, limit)
            elif self.commands:
                found = self._command(data, start, at, end, limit)
            else:
                found = self._other(data, start, at, end, limit)
            if found <= 0:
                return self._wait(start, at if found == 0 else -found, end)
            at = found
            if at > limit:
                raise FrameTooLong(at - start, self.max_frame)
        return at

    def _wait(self, start: int, at: int, end: int) -> int:
        """Keep where the search stopped: at ``at``, which may be after the bytes that have come."""
        self.seen: int = min(at, end)
        self._ahead = at - self.seen
        self._before = self.seen - start
        return 0

    def _number(self, data: bytes, at: int, end: int) -> int:
        """Read the number after a type byte into `_count`; return the offset after its line, 0 if that has not come."""
        view = data
        at += 1
        first = at
        count = 0
        while at < end and at - first < MOST_DIGITS:
            byte = view[at]
            if byte < 48 or byte > 57 or (count == 0 and at > first):  # no digit, or one after a zero
                break
            count = count * 10 + byte - 48
            at += 1
        if at >= end:
            return 0
        if at == first:
            if view[at] == 63:  # ?
                count = STREAMED
                at += 1
            elif view[at] == 45:  # -
                if at + 1 < end and (view[at + 1] < 49 or view[at + 1] > 57):
                    raise self._bad_length(data, first, at + 1)
                count = ABSENT if at + 2 < end and view[at + 1] == 49 and view[at + 2] == 13 else NEGATIVE
                at += 1
                while at < end and at - first < MOST_DIGITS and 48 <= view[at] <= 57:
                    at += 1
            else:
                raise self._bad_length(data, first, at)
        self._count = count
        if at < end and view[at] != 13:
            raise self._bad_length(data, first, at)
        if at + 1 >= end:
            return 0
        if view[at + 1] != 10:
            raise self._bad_length(data, first, at + 1)
        return at + 2

    def _bad_length(self, data: bytes, first: int, at: int) -> FramingError:
        """Return the error about a length that begins at ``first`` and is wrong at ``at``."""
        return BadLength(f"a length must be a number that ends its line, not {data[first : at + 1]!r}")

    def _string(self, data: bytes, at: int, found: int) -> int:
        """Return the offset after the string whose size was read, from the line that ends at ``found``."""
        if self._count >= 0:
            self._owed -= 1
            return found + self._count + 2
        if self.commands or self._count == NEGATIVE or (self._count == STREAMED and data[at] != 36):
            raise self._bad_length(data, at + 1, found - 1)
        if self._count == ABSENT:
            self._owed -= 1
        else:
            self._next = PART
        return found

    def _line_end(self, data: bytes, start: int, at: int, end: int, limit: int) -> int:
        """Return the offset after the line; if its end has not come, where the search must go on, negated."""
        typed = self._next == TYPED
        most = min(limit, start + LONGEST_LINE) if typed else limit
        last = min(end, most)
        found = -1
        if at < last:
            found = (
                find_line_end(data, typed, at, last)  # type: ignore[name-defined]  # noqa: F821
                if COMPILED  # the function is in the .pxd
                else data.find(b"\n" if typed else b"\r\n", at, last) + (0 if typed else 1)
            )
        if found > 0 or (found == 0 and typed):
            self._owed -= 1
            self._next = VALUE
            return found + 1
        if end >= most:
            if most < limit:
                raise FramingError(f"a command that is typed must have at most {LONGEST_LINE} bytes")
            raise FrameTooLong(self.max_frame + 1, self.max_frame)
        return -(end - 1 if not typed and end > at and data[end - 1] == 13 else end)

    def _command(self, data: bytes, start: int, at: int, end: int, limit: int) -> int:
        """Begin a command: return the offset after what was understood, 0 if more bytes are needed."""
        view = data
        if self._next != COMMAND:
            raise FramingError(f"an argument of a command must begin with b'$', not {data[at : at + 1]!r}")
        if view[at] == 42:  # *
            found = self._number(data, at, end)
            if found != 0:
                if self._count == STREAMED:
                    raise self._bad_length(data, at + 1, found - 1)
                self._next = VALUE
                self._owed = 0
                self._owe(self._count if self._count > 0 else 0, start, found, limit)
            return found
        if end - at < 5 and data.find(b"\n", at, end) < 0:
            return 0
        if data[at : at + 5].upper() in (b"POST ", b"HOST:"):
            raise FramingError(f"a client of Redis must not speak HTTP: {data[at : at + 5]!r}")
        self._next = TYPED
        return self._line_end(data, start, at, end, limit)

    def _other(self, data: bytes, start: int, at: int, end: int, limit: int) -> int:
        """Do the same for a part of a reply."""
        byte = data[at]
        if self._next == PART:
            return self._part(data, at, end)
        if byte in b"+-:_,#(":
            self._next = LINE
            return self._line_end(data, start, at + 1, end, limit)
        if byte == 46:  # .
            return self._end_stream(data, at, end)
        pairs = byte == 37 or byte == 124  # % |
        if pairs or byte == 42 or byte == 126 or byte == 62:  # * ~ >
            found = self._number(data, at, end)
            if found != 0:
                if byte != 124:  # the value that belongs to an attribute follows it
                    self._owed -= 1
                self._open(data, start, at, found, limit, pairs)
            return found
        if byte == 61 or byte == 33:  # = !
            found = self._number(data, at, end)
            return found if found == 0 else self._string(data, at, found)
        raise FramingError(f"a reply must begin with a type of RESP, not {data[at : at + 1]!r}")

    def _open(self, data: bytes, start: int, at: int, found: int, limit: int, pairs: bool) -> None:
        """Owe the values of an array or the like; their number was read."""
        count = self._count
        if count >= 0:
            self._owe(count * 2 if pairs else count, start, found, limit)
        elif count == STREAMED:
            self._streams = self._streams or []
            if len(self._streams) == MOST_STREAMED:
                raise FramingError(f"streamed arrays must be nested at most {MOST_STREAMED} deep")
            self._streams.append(self._owed)
            self._owed = 0
        elif count == NEGATIVE or data[at] == 124:
            raise self._bad_length(data, at + 1, found - 1)

    def _owe(self, count: int, start: int, found: int, limit: int) -> None:
        """Owe so many values more; they begin at ``found``."""
        self._owed += count
        if self._owed > (limit - found) // SHORTEST:
            size = found - start + self._owed * SHORTEST if self._owed < LARGEST else self._owed
            raise FrameTooLong(max(size, self.max_frame + 1), self.max_frame)

    def _part(self, data: bytes, at: int, end: int) -> int:
        """Return the offset after a part of a streamed string, 0 if more bytes are needed."""
        if data[at] != 59:  # ;
            raise FramingError(f"a part of a streamed string must begin with b';', not {data[at : at + 1]!r}")
        found = self._number(data, at, end)
        if found == 0:
            return 0
        if self._count < 0:
            raise self._bad_length(data, at + 1, found - 1)
        if self._count > 0:
            return found + self._count + 2
        self._owed -= 1
        self._next = VALUE
        return found

    def _end_stream(self, data: bytes, at: int, end: int) -> int:
        """Return the offset after the end of a streamed array, 0 if more bytes are needed."""
        text = data[at : min(at + 3, end)]
        if self._owed != 0 or self._streams is None or not b".\r\n".startswith(text):
            raise FramingError("a streamed array must end with b'.\\r\\n', after its values")
        if len(text) < 3:
            return 0
        self._owed = self._streams.pop()
        self._streams = self._streams or None
        return at + 3

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`. It returns the payload, which must be exactly one frame."""
        frame = bytes(payload)
        self.check_size(len(frame))
        if self._judge is None:
            self._judge = RespFraming(self.max_frame, commands=self.commands)
        try:
            stop = self._judge.find(frame, 0, len(frame))
        except FramingError as error:
            raise MarshalingError(f"a message must be a whole frame: {error}") from error
        if stop != len(frame) or stop == 0:
            what = "command" if self.commands else "reply"
            raise MarshalingError(f"a message must be exactly one whole {what}, not {frame[:32]!r}")
        return frame


TRUSTED.add(RespFraming)
