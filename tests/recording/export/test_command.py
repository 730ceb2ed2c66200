"""``python -m twisted_repeater export``."""

from __future__ import annotations

import io
import json
import os
import signal
import stat
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import _progress
from twisted_repeater.recording import Recording, open_recording
from twisted_repeater.recording.export import command

from ...recordings import write_recording
from .made import SECOND, START, made_link, made_message

PING = b"*1\r\n$4\r\nPING\r\n"


class Output(io.TextIOWrapper):
    """Standard output, or what takes its place: a file or a terminal."""

    def __init__(self, file: Any, terminal: bool = False) -> None:
        super().__init__(file)
        self.terminal = terminal

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self.terminal


class CommandTests(SynchronousTestCase):
    """What the command does."""

    def setUp(self) -> None:
        """Write a recording."""
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.path = self.directory / "traffic.db"
        self.output = self.directory / "output"
        self.write()

    def write(self, dialect: str = "redis", **values: Any) -> None:
        """Write a recording."""
        self.path.unlink(missing_ok=True)
        messages = [
            made_message(1, PING),
            made_message(2, b"+PONG\r\n", after=1, to_client=True),
            made_message(3, PING, after=2, link=2),
        ]
        links = [made_link(1, ended=START + 5 * SECOND), made_link(2)]
        write_recording(self.path, messages, links=links, facts={"dialect": dialect, "began": str(START)})

    def run_command(self, *arguments: str, terminal: bool = False) -> tuple[int, bytes, str]:
        """Run the command; return its exit status, and what it wrote to standard output and standard error."""
        with open(self.directory / "stdout", "wb+") as file:
            errors = io.StringIO()
            with Output(file, terminal) as output:
                self.patch(sys, "stdout", output)
                self.patch(sys, "stderr", errors)
                status = command.main([str(self.path), *arguments])
                output.flush()
                return status, (self.directory / "stdout").read_bytes(), errors.getvalue()

    def objects(self, *arguments: str) -> list[Any]:
        """Return the objects that the command writes."""
        status, output, errors = self.run_command(*arguments)
        self.assertEqual((status, errors), (0, ""))
        return [json.loads(line) for line in output.splitlines()]

    def ids(self, *arguments: str) -> list[int]:
        """Return the numbers of the messages that the command writes."""
        return [each["id"] for each in self.objects(*arguments) if each["event"] == "message"]

    def test_json_lines(self) -> None:
        """By default JSON lines are written to standard output, decoded in the dialect of the recording."""
        objects = self.objects()
        events = ["recording", "link_made", "message", "message", "link_made", "message", "link_ended"]
        self.assertEqual([each["event"] for each in objects], events)
        self.assertEqual(objects[2]["decoded"]["name"], "PING")

    def test_choice(self) -> None:
        """Options choose links, times and a direction."""
        self.assertEqual(self.ids("--link", "2"), [3])
        self.assertEqual(self.ids("--client", "client-1", "--client", "x"), [1, 2])
        self.assertEqual(self.ids("--since", "2026-09-21T14:13:21Z", "--until", "2026-09-21T16:13:21.5+02:00"), [2])
        self.assertEqual(self.ids("--direction", "to-client"), [2])

    def test_local_time(self) -> None:
        """A time without a zone is local."""
        moment = datetime.fromtimestamp(START / SECOND + 2).isoformat()
        self.assertEqual(self.ids("--since", moment), [3])
        error = self.assertRaises(SystemExit, self.run_command, "--since", "yesterday")
        self.assertEqual(error.code, 2)

    def test_dialect(self) -> None:
        """A dialect can be chosen; one that cannot be loaded is an error if it was chosen, else a warning."""
        self.assertEqual(self.objects("--dialect", "lines")[2]["decoded"], None)
        status, _, errors = self.run_command("--dialect", "nothing")
        self.assertEqual(status, 2)
        self.assertIn("dialect must be one of", errors)
        self.write("no.such.module:dialect")
        status, output, errors = self.run_command()
        self.assertEqual(status, 0)
        self.assertIn("messages are not decoded: cannot import no.such.module", errors)
        self.assertNotIn(b'"decoded"', output)
        self.write("")
        self.assertNotIn("decoded", self.objects()[2])

    def test_capture(self) -> None:
        """A capture of either leg is written to a file; the end of its name says the format, too."""
        for arguments in (
            ["--format", "pcapng", "--output", str(self.output)],
            ["-o", f"{self.output}.pcapng", "--leg", "server"],
        ):
            self.assertEqual(self.run_command(*arguments), (0, b"", ""))
        client, server = self.output.read_bytes(), Path(f"{self.output}.pcapng").read_bytes()
        self.assertIn(b"client leg", client)
        self.assertIn(b"server leg", server)
        self.assertIn(PING, server)

    def test_no_capture_on_a_terminal(self) -> None:
        """A capture is not written to a terminal."""
        status, output, errors = self.run_command("--format", "pcapng", terminal=True)
        self.assertEqual((status, output), (2, b""))
        self.assertIn("name a file with --output", errors)

    def test_output(self) -> None:
        """A file is only for its owner, and is not overwritten without being told."""
        self.assertEqual(self.run_command("--output", str(self.output))[0], 0)
        self.assertEqual(stat.S_IMODE(self.output.stat().st_mode), 0o600)
        written = self.output.read_bytes()
        self.output.write_bytes(b"mine")
        status, _, errors = self.run_command("--output", str(self.output))
        self.assertEqual((status, self.output.read_bytes()), (2, b"mine"))
        self.assertIn(f"{self.output} exists: --force overwrites it", errors)
        self.assertEqual(self.run_command("--output", str(self.output), "--force")[0], 0)
        self.assertEqual(self.output.read_bytes(), written)

    def test_recording_is_never_overwritten(self) -> None:
        """The recording itself cannot be the output, under whatever name."""
        link = self.directory / "other"
        link.symlink_to(self.path.absolute())
        before = self.path.read_bytes()
        status, _, errors = self.run_command("--output", str(link), "--force")
        self.assertEqual((status, self.path.read_bytes()), (2, before))
        self.assertIn("must be another file than the recording", errors)

    def test_options_of_formats(self) -> None:
        """An option that the format does not have is an error."""
        for arguments, told in (
            (["--leg", "server"], "--leg is for --format pcapng, not jsonl"),
            (["--format", "pcapng", "--dialect", "redis"], "--dialect is for --format jsonl, not pcapng"),
            (["--format", "pcapng", "--direction", "to-client"], "--direction is for --format jsonl, not pcapng"),
        ):
            status, output, errors = self.run_command(*arguments)
            self.assertEqual((status, output), (2, b""))
            self.assertIn(told, errors)

    def test_files(self) -> None:
        """A file that is no recording, or cannot be read or written, is an error of one line."""
        for file, arguments, told in (
            ("nothing.db", [], "nothing.db: No such file or directory"),
            ("traffic.db", ["--output", str(self.directory / "no" / "x")], "No such file or directory"),
            ("text", [], "must be a recording"),
        ):
            (self.directory / "text").write_text("hello" * 1000)
            self.path = self.directory / file
            status, _, errors = self.run_command(*arguments)
            self.assertEqual(status, 2)
            self.assertRegex(errors, rf"^python -m twisted_repeater export: .*{told}.*\n$")

    def test_no_dpkt(self) -> None:
        """Without dpkt a capture is an error that says how to install it, and no file is made."""
        with mock.patch.dict(sys.modules, {"dpkt": None}):
            status, _, errors = self.run_command("--format", "pcapng", "--output", str(self.output))
        self.assertEqual(status, 2)
        self.assertIn("pip install 'twisted_repeater[pcapng]'", errors)
        self.assertFalse(self.output.exists())

    def test_damaged(self) -> None:
        """Of a damaged file what can be read is written, and the exit status says that it is not all."""

        def damaged(path: str) -> Recording:
            recording = open_recording(path)
            recording.damaged = True
            return recording

        self.patch(command, "open_recording", damaged)
        status, output, errors = self.run_command()
        self.assertEqual((status, len(output.splitlines())), (2, 7))
        self.assertIn("traffic.db is damaged: what can be read of it was written", errors)

    def test_progress(self) -> None:
        """Progress is shown if the output is a file, and not if it may be on the same terminal."""
        self.patch(_progress, "LONG_PAUSE", 0)
        self.assertIn("exported 3 of 3 messages", self.run_command()[2])
        self.assertIn("exported 3 of 3 messages", self.run_command("--output", str(self.output))[2])
        reading, writing = os.pipe()
        errors = io.StringIO()
        with open(reading, "rb") as pipe, Output(open(writing, "wb")) as output:
            self.patch(sys, "stdout", output)
            self.patch(sys, "stderr", errors)
            self.assertEqual(command.main([str(self.path)]), 0)
            output.close()
            self.assertEqual(len(pipe.read().splitlines()), 7)
        self.assertEqual(errors.getvalue(), "")

    def test_interrupted(self) -> None:
        """Ctrl-C ends it without a traceback."""

        def interrupt(*arguments: object, **options: object) -> None:
            raise KeyboardInterrupt

        self.patch(command, "write_jsonl", interrupt)
        self.assertEqual(self.run_command(), (130, b"", ""))

    def test_closed_pipe(self) -> None:
        """If nobody reads the output any more, it ends without a word, also when Python flushes it at the end."""
        reading, writing = os.pipe()
        os.close(reading)
        with Output(open(writing, "wb")) as output:
            self.patch(sys, "stdout", output)
            self.patch(sys, "stderr", errors := io.StringIO())
            self.assertEqual(command.main([str(self.path)]), 128 + signal.SIGPIPE)
        self.assertEqual(errors.getvalue(), "")

    def test_full_disk(self) -> None:
        """A disk that is full is an error of one line."""
        with Output(open("/dev/full", "wb", buffering=0)) as output:
            self.patch(sys, "stdout", output)
            self.patch(sys, "stderr", errors := io.StringIO())
            self.assertEqual(command.main([str(self.path)]), 2)
        self.assertEqual(errors.getvalue(), "python -m twisted_repeater export: the output: No space left on device\n")
