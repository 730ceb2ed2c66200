"""The selector of commands by their names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.redis.messages import Command, read_command
from twisted_repeater.dialects.redis.names import CommandNames, command_names
from twisted_repeater.selectors import Selector, reach_of

NAMES = command_names([b"FLUSHALL", b"GET"], prefixes=[b"CONF", b"J"])


def selects(payload: bytes, selector: Selector = NAMES) -> bool:
    """Return whether a payload is selected, in the middle of a buffer, as it is when its reach has come."""
    whole = selector.matches(b"*1" + payload + b"FLUSHALL", 2, 2 + len(payload))
    beginning = payload[: reach_of(selector)]
    if whole != selector.matches(beginning, 0, len(beginning)):
        raise AssertionError(f"the beginning of {payload!r} says something else")
    return whole


class NamesTests(SynchronousTestCase):
    """`command_names`."""

    def test_names(self) -> None:
        """Commands are selected by their names in whatever case, or by how these begin; others are not."""
        for name in ("FLUSHALL", "flushall", "FlushAll", "get", "CONF", "config", "JSON.GET", "j"):
            for arguments in ((), ("a",) * 1234, ("FLUSHALL", "x" * 10_000)):
                self.assertTrue(selects(bytes(Command(name, *arguments))), name)
        for name in ("FLUSHALLX", "FLUSHAL", "GETSET", "GE", "CON", "SET", "{ET", "\x07ET", "x" * 100, "X" * 100_000):
            for arguments in ((), ("FLUSHALL", "GET"), ("GET",) * 1234):
                self.assertFalse(selects(bytes(Command(name, *arguments))), name)

    def test_without_a_name(self) -> None:
        """What is typed as a line, and what has no name, is selected: only decoding says what it is."""
        for payload in (
            b"SET a b\r\n",
            b'"GET" a\n',
            b"\r\n",
            b"*0\r\n",
            b"*-1\r\n",
            b"*0\r\n*1",
            b"",
            b"*" + b"9" * 40,
            b"*1\r\n$3\r\n",
        ):
            self.assertTrue(selects(payload), payload)

    def test_empty_name(self) -> None:
        """An empty string as a name is one like others: only an empty prefix selects it."""
        self.assertFalse(selects(b"*1\r\n$0\r\n\r\n"))
        self.assertTrue(selects(b"*1\r\n$0\r\n\r\n", command_names([], prefixes=[b""])))
        self.assertTrue(selects(b"*1\r\n$3\r\nSET\r\n", command_names([], prefixes=[b""])))
        self.assertFalse(selects(b"*1\r\n$3\r\nSET\r\n", command_names([])))

    @given(st.binary(max_size=12), st.lists(st.binary(max_size=6), max_size=12))
    def test_as_decoded(self, name: bytes, arguments: list[bytes]) -> None:
        """It agrees with the name of the decoded command."""
        words = [name, *arguments]
        frame = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        command = read_command(frame)
        assert isinstance(command, Command)
        wanted = command.name in ("FLUSHALL", "GET") or command.name.startswith(("CONF", "J"))
        self.assertEqual(selects(frame), wanted)

    def test_checked(self) -> None:
        """Names are given in upper case; offsets must be within the data."""
        with self.assertRaisesRegex(ValueError, "must be in upper case, not b'get'"):
            command_names([b"get"])
        for start, stop in ((-1, 1), (2, 1), (0, 9)):
            with self.assertRaises(ValueError):
                NAMES.matches(b"*1\r\n", start, stop)
        with self.assertRaises(AttributeError):
            CommandNames.__new__(CommandNames).matches(b"*1\r\n", 0, 4)

    def test_repr(self) -> None:
        """It shows how it was made."""
        self.assertEqual(repr(NAMES), "command_names([b'FLUSHALL', b'GET'], prefixes=[b'CONF', b'J'])")
        self.assertEqual(repr(command_names([b"A", b"A"])), "command_names([b'A'])")
