"""Values that are made of files, and made again when the files change."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater._renewal import ALL, LOOK_EVERY, Contents, Renewed, Reread, look_at_all, read_all


class RenewalTests(SynchronousTestCase):
    """A value that is made of two files and a directory."""

    def setUp(self) -> None:
        """Write the files, and make the value: all their contents."""
        self.directory = Path(self.mktemp())
        (self.directory / "roots").mkdir(parents=True)
        self.write("one", b"1")
        self.write("two", b"2")
        self.write("roots/a.pem", b"3")
        self.write("roots/not-pem", b"x")
        self.clock = Clock()
        self.ends: datetime | None = None
        self.renewed = self.make()

    def write(self, name: str, content: bytes) -> None:
        """Write a file."""
        (self.directory / name).write_bytes(content)

    def make(self, *paths: str) -> Renewed[bytes]:
        """Make a value of files."""
        named = [str(self.directory / path) for path in paths or ("one", "two", "roots", "one")]
        made = Renewed("edge\n", named, self.joined, lambda _: self.ends, self.clock.seconds)
        self.addCleanup(ALL.discard, made)
        return made

    def joined(self, contents: Contents) -> bytes:
        """Make a value of contents, unless they are bad."""
        joined = b"".join(content for files in contents.values() for content in files.values())
        if b"bad" in joined:
            raise ValueError("it is bad")
        return joined

    def newest(self) -> bytes:
        """Return the value as it is when the next look has come."""
        self.clock.advance(LOOK_EVERY)
        return self.renewed.newest()

    def test_changed(self) -> None:
        """When a file has other contents, the next look makes the value again; before the look it stays."""
        self.assertEqual(self.renewed.newest(), b"123")
        self.write("one", b"7")
        with capturedLogs() as logs:
            self.assertEqual(self.renewed.newest(), b"123")
            self.assertEqual(self.newest(), b"723")
            self.assertEqual(self.newest(), b"723")
        self.assertEqual([formatEvent(event) for event in logs], ["the certificates of edge\\n were read again"])

    def test_directory(self) -> None:
        """A file that is added to a directory counts, and one that is taken away, if it is a .pem file."""
        self.write("roots/b.pem", b"4")
        self.write("roots/other", b"5")
        self.assertEqual(self.newest(), b"1234")
        (self.directory / "roots/a.pem").unlink()
        self.assertEqual(self.newest(), b"124")

    def test_symbolic_link(self) -> None:
        """A directory that a symbolic link stands for may be replaced by another, as mounted secrets are."""
        for version in ("v1", "v2"):
            (self.directory / version).mkdir()
            self.write(f"{version}/key", version.encode())
        (self.directory / "data").symlink_to("v1")
        (self.directory / "key").symlink_to("data/key")
        self.renewed = self.make("key")
        (self.directory / "new").symlink_to("v2")
        (self.directory / "new").rename(self.directory / "data")
        self.assertEqual(self.newest(), b"v2")

    def test_touched(self) -> None:
        """A file that is written again with the same contents changes nothing."""
        made = self.renewed.newest()
        for name in ("one", "two"):
            self.write(name, (self.directory / name).read_bytes())
            os.utime(self.directory / name, (0, 0))
        with capturedLogs() as logs:
            self.assertIs(self.newest(), made)
        self.assertEqual(self.renewed.read(), Reread("edge\\n", False, None))
        self.assertEqual(logs, [])

    def test_unusable(self) -> None:
        """Contents that cannot be used leave the value as it is; the log says so once, until they can be used."""
        with capturedLogs() as logs:
            for _ in range(2):
                self.write("one", b"bad")
                os.utime(self.directory / "one", (1, 1))
                self.assertEqual(self.newest(), b"123")
                self.assertEqual(self.renewed.look(), Reread("edge\\n", False, "it is bad"))
                self.assertEqual(self.renewed.read(), Reread("edge\\n", False, "it is bad"))
            (self.directory / "one").unlink()
            self.assertEqual(self.newest(), b"123")
            self.write("one", b"1")
            self.assertEqual(self.newest(), b"123")
            self.assertEqual(self.renewed.look().error, None)
        texts = [formatEvent(event) for event in logs if event["log_level"] is LogLevel.error]
        self.assertEqual(len(texts), 2)
        self.assertIn("cannot be used, so the old ones stay: it is bad", texts[0])
        self.assertIn("No such file", texts[1])

    def test_cannot_be_made(self) -> None:
        """If the value cannot be made at first, that is an error of the caller."""
        self.assertRaises(OSError, self.make, "nowhere")
        self.write("one", b"bad")
        self.assertRaises(ValueError, self.make)

    def test_end(self) -> None:
        """A value that will soon be useless is logged once a day, and again when it was renewed in vain."""
        now = datetime.now(UTC)
        with capturedLogs() as logs:
            self.ends = now + timedelta(days=15)
            self.renewed.look()
            self.assertEqual(logs, [])
            self.ends = now + timedelta(days=13)
            for _ in range(2):
                self.renewed.look()
            self.assertEqual(self.warnings(logs), ["expires"])
            when = f"{self.ends:%Y-%m-%dT%H:%M}+00:00"
            self.assertEqual(formatEvent(logs[-1]), f"the certificate of edge\\n expires at {when}")
            self.renewed._warned = (now - timedelta(days=1)).date()
            self.ends = now - timedelta(days=1)
            self.renewed.look()
            self.assertEqual(self.warnings(logs), ["expires", "has expired"])
            self.write("one", b"7")
            self.renewed.look()
            self.assertEqual(self.warnings(logs), ["expires", "has expired", "has expired"])

    def warnings(self, logs: Any) -> list[str]:
        """Return how the values end that were logged."""
        return [event["ends"] for event in logs if event["log_level"] is LogLevel.warn]

    def test_all(self) -> None:
        """All values that have files can be read, or looked at, together; others are not among them."""
        other = Renewed("other", [], self.joined)
        self.assertEqual(other.newest(), b"")
        self.assertNotIn(other, ALL)
        self.write("one", b"7")
        (found,) = [each for each in read_all() if each.name == "edge\\n"]
        self.assertTrue(found.changed)
        (found,) = [each for each in look_at_all() if each.name == "edge\\n"]
        self.assertFalse(found.changed)
        self.assertEqual(self.renewed.newest(), b"723")
