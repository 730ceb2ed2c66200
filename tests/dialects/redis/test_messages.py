"""Tests of commands and replies."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import MarshalingError
from twisted_repeater.dialects.redis import Command, ErrorText, Raw, Reply, messages
from twisted_repeater.dialects.redis.messages import read_command, read_reply


class CommandTests(SynchronousTestCase):
    """Commands."""

    def test_read(self) -> None:
        """An array or a line is a command, which keeps its bytes."""
        for frame in (b"*3\r\n$3\r\nsEt\r\n$1\r\nk\r\n$3\r\na\r\n\r\n", b'set k "a\\r\\n"\r\n'):
            command = read_command(frame)
            assert isinstance(command, Command)
            self.assertEqual((command.name, bytes(command)), ("SET", frame))
            self.assertEqual(read_command(frame), command)
            same = Command("set", "k", b"a\r\n")
            self.assertEqual((command, hash(command)), (same, hash(same)))
            self.assertEqual(repr(command), "Command('SET', b'k', b'a\\r\\n')")
            self.assertNotEqual(command, Command("SET", "k", "b"))
            self.assertNotEqual(command, "SET")

    def test_names_again(self) -> None:
        """A name is remembered for the next command that has it, unless it is long."""
        names: dict[bytes, str] = {}
        self.patch(messages, "NAMES", names)
        for name in ("get", "X" * 33) * 2:
            self.assertEqual(read_command(bytes(Command(name))), Command(name))
        self.assertEqual(list(names.values()), ["GET"])

    def test_long(self) -> None:
        """A long command is read when its arguments are asked for."""
        long = b"x" * messages.SHORT
        command = read_command(bytes(Command("set", "k", long)))
        self.assertEqual(command, Command("SET", "k", long))
        self.assertEqual(read_command(b"*-" + b"1" * messages.SHORT), Raw(b"*-" + b"1" * messages.SHORT))

    def test_raw(self) -> None:
        """What asks for nothing is raw."""
        for frame in (b"\r\n", b"*0\r\n", b"*-1\r\n", b"*-5\r\n", b'GET "a\r\n', b" \n"):
            self.assertEqual((read_command(frame), bytes(read_command(frame))), (Raw(frame), frame))

    def test_written(self) -> None:
        """Arguments may be bytes, text, or numbers."""
        command = Command("set", b"k", "v", 1, 1.5)
        self.assertEqual(bytes(command), b"*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n$1\r\n1\r\n$3\r\n1.5\r\n")
        wrong: Any
        for wrong in ((b"SET",), ("SET", None), ("SET", True)):
            self.assertRaises(MarshalingError, Command, *wrong)

    def test_many_names(self) -> None:
        """Names that clients make up do not fill the memory."""
        for number in range(2000):
            name = b"n%d" % number
            command = read_command(b"*1\r\n$%d\r\n%s\r\n" % (len(name), name))
            assert isinstance(command, Command)
            self.assertEqual(command.name, f"N{number}")
        self.assertLessEqual(len(messages.NAMES), messages.MOST_NAMES)
        long = read_command(b"*1\r\n$99\r\n%s\r\n" % (b"x" * 99))
        assert isinstance(long, Command)
        self.assertEqual(long.name, "X" * 99)


class ReplyTests(SynchronousTestCase):
    """Replies."""

    def test_read(self) -> None:
        """A reply says what it is."""
        for frame, kind, error, push in (
            (b"+OK\r\n", "+", None, False),
            (b"-ERR \xff\r\n", "-", "ERR \udcff", False),
            (b"!3\r\nERR\r\n", "!", "ERR", False),
            (b">1\r\n+a\r\n", ">", None, True),
            (b"|1\r\n+a\r\n+b\r\n-ERR x\r\n", "-", "ERR x", False),
        ):
            reply = read_reply(frame)
            self.assertEqual((reply.kind, reply.error, reply.is_push), (kind, error, push))
            self.assertEqual((reply.is_error, bytes(reply)), (error is not None, frame))

    def test_written(self) -> None:
        """Replies are made of values, and equal if their bytes are."""
        self.assertEqual(bytes(Reply([1, b"a"])), b"*2\r\n:1\r\n$1\r\na\r\n")
        self.assertEqual(bytes(Reply.status("OK")), b"+OK\r\n")
        self.assertEqual(Reply.failure("ERR x\r\ny"), Reply(ErrorText("ERR x y")))
        self.assertEqual(hash(Reply(1)), hash(read_reply(b":1\r\n")))
        self.assertNotEqual(Reply(1), Reply(2))
        self.assertNotEqual(Reply(1), 1)
        reply = Reply([1, None])
        self.assertEqual((repr(reply), reply.value, reply.value is reply.value), ("Reply([1, None])", [1, None], True))
        self.assertRaises(MarshalingError, Reply, object())

    def test_no_value(self) -> None:
        """A reply without a value can be printed all the same."""
        self.assertEqual(repr(read_reply(b"%1\r\n%0\r\n+a\r\n")), "<reply b'%1\\r\\n%0\\r\\n+a\\r\\n'>")
