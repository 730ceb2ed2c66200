"""Redis, with a filter that keeps people from emptying it by accident.

Put it before a Redis on its usual port, and type ``FLUSHALL`` into redis-cli::

    twistd -n repeater --dialect redis_dialect:redis --to-server-filter redis_dialect:no_flush \\
        --listen tcp:6380:interface=127.0.0.1 --server tcp:127.0.0.1:6379
    redis-cli -p 6380

Every command and every reply is one message of bytes, in RESP2 and RESP3.
"""

import re

from zope.interface import implementer

from twisted_repeater import PASS_ON, Dialect, FramingError, IFraming, Link, MarshalingError, Send, Verdict
from twisted_repeater.framings import Framings

REPLY = re.compile(rb"([*~>%|$=!])(-1|\d{1,9})\r\n|[+\-:_,#(][^\n]*\n")
COMMAND = re.compile(rb"(\*)(-1|\d{1,9})\r\n|(?!\*)[^\n]*\n")  # the second kind is typed, for example in telnet
ARGUMENT = re.compile(rb"(\$)(\d{1,9})\r\n")
INSIDE = {b"*": 1, b"~": 1, b">": 1, b"%": 2, b"|": 2}  # how many values follow for each that is counted
LONGEST_LINE = 64 * 1024  # Redis reads no longer ones
FLUSH = re.compile(rb"(?:\*\d+\r\n\$\d+\r\n)?(FLUSH(?:ALL|DB))\s", re.IGNORECASE)


@implementer(IFraming)
class Resp:
    """Cuts RESP into whole commands or replies, however they are nested."""

    body = 0  # a payload is the whole frame
    seen = 0

    def __init__(self, max_frame: int, first: re.Pattern[bytes], inside: re.Pattern[bytes]) -> None:
        self.max_frame, self.first, self.inside = max_frame, first, inside

    def find(self, data: bytes, start: int, end: int) -> int:
        """See `IFraming`."""
        self.body, self.owed, self.size, self.ahead, self.expected = start, 1, 0, 0, self.first
        return self.go_on(data, start, end)

    def more(self, data: bytes, start: int, end: int) -> int:
        """See `IResumingFraming`: a long reply is read once, however many pieces it comes in."""
        self.body = 0
        return self.go_on(data, start, end)

    def go_on(self, data: bytes, at: int, end: int) -> int:
        """Read values, of which ``owed`` are still to come. The last string may reach ``ahead`` of what has come."""
        at += self.ahead
        while self.owed and at < end and (value := self.expected.match(data, at, end)):
            kind, count = value.groups()
            size = value.end() - at
            if kind in INSIDE:
                self.owed += max(int(count), 0) * INSIDE[kind] + (kind == b"|")  # the value follows its attribute
            elif kind and count != b"-1":
                size += int(count) + 2
            at += size
            self.size += size
            self.owed -= 1
            self.expected = self.inside
        line = data[at:end] if self.owed else b""  # the beginning of one
        if b"\n" in line or len(line) > LONGEST_LINE or self.size + len(line) > self.max_frame:
            raise FramingError(f"not Redis, or too long: {line[:32]!r}")
        self.seen = min(at, end)
        self.ahead = at - self.seen
        return 0 if self.owed else at

    def encode(self, payload: bytes) -> bytes:
        """See `IFraming`."""
        if len(payload) > self.max_frame:
            raise MarshalingError(f"a message must have at most {self.max_frame} bytes, not {len(payload)}")
        return payload

    def replace(self, frame: bytes, payload: bytes) -> bytes:
        """See `IFraming`."""
        return self.encode(payload)


redis = Dialect(
    name="redis",
    framing=lambda limits: Framings(
        Resp(limits.max_frame, COMMAND, ARGUMENT),
        Resp(limits.max_frame, REPLY, REPLY),
    ),
    refusal=lambda error, attempt: f"-ERR {' '.join(str(error).split())}\r\n".encode(),
)


def no_flush(command: bytes, link: Link) -> Verdict:
    """Let Redis refuse FLUSHALL and FLUSHDB, by a name that it does not know.

    So the refusal comes in its turn, after the replies to earlier commands, and makes a transaction fail.
    """
    found = FLUSH.match(command)
    if found is None:
        return PASS_ON
    name = found[1] + b"-IS-REFUSED"
    return Send(b"*1\r\n$%d\r\n%s\r\n" % (len(name), name))
