"""Tests of what logs may show."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction
from twisted_repeater.dialects.redis import Command, Raw, Reply
from twisted_repeater.dialects.redis.messages import read_command
from twisted_repeater.dialects.redis.redacting import redacted

SECRET = b"s3cret"


class RedactTests(SynchronousTestCase):
    """Messages with passwords, and without."""

    def test_secrets(self) -> None:
        """No password is left, whether the command is an array or a line; the rest is."""
        for line in (
            "auth s3cret",
            "AUTH ann s3cret",
            "HELLO 3 AUTH ann s3cret SETNAME x",
            "MIGRATE h 1 k 0 9 AUTH s3cret",
            "MIGRATE h 1 k 0 9 auth2 ann s3cret",
            "CONFIG SET requirepass s3cret maxmemory 1 masterauth s3cret",
            "ACL SETUSER ann on >s3cret <s3cret #s3cret !s3cret +@all",
            "SENTINEL SET x auth-pass s3cret",
        ):
            name, *arguments = line.split(" ")
            for command in (Command(name, *arguments), read_command(line.encode() + b"\r\n")):
                shown = redacted(command, Direction.TO_SERVER)
                assert isinstance(shown, Command)
                self.assertNotIn(SECRET, bytes(shown))
                self.assertIn(b"(redacted)", bytes(shown))
                self.assertEqual(len(shown.arguments), len(arguments))
        self.assertEqual(redacted(Raw(b'AUTH "s3cret\r\n'), Direction.TO_SERVER), Raw(b"(redacted)"))

    def test_others(self) -> None:
        """Messages without passwords are shown as they are."""
        for message in (
            *(Command("GET", "auth"), Command("CONFIG", "GET", "requirepass"), Command("ACL", "WHOAMI")),
            *(Command("HELLO", 3), Command("CLIENT", "LIST"), Raw(b"\r\n"), Raw(b"*0\r\n"), Raw(b"*-1\r\n")),
            Reply("AUTH"),
        ):
            self.assertIs(redacted(message, Direction.TO_SERVER), message)
