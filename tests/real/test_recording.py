"""A real process records: it is killed, its disk is full, and other programs read the file meanwhile."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
from contextlib import closing

from twisted.trial.unittest import SkipTest

from twisted_repeater.recording import open_recording

from ..needed import needed
from ..programs import LONGEST, TWISTD, Program
from .servers import RealCase

DEBIAN_PACKAGES = "sqlite3"

LINE = b"x" * 199 + b"\n"


class RecordingCase(RealCase):
    """A server that reads everything, and twistd with ``--record`` before it."""

    def setUp(self) -> None:
        super().setUp()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        """Read what one client after the other sends, and answer each line that ends with a question mark."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with closing(connection):
                self.answer(connection)

    def answer(self, connection: socket.socket) -> None:
        """Be the server of one client."""
        try:
            while data := connection.recv(1 << 16):
                if data.endswith(b"?\n"):
                    connection.sendall(b"answer\n")
        except ConnectionError:
            pass

    def start_recording(self, record: str) -> tuple[Program, socket.socket]:
        """Start twistd, and connect a client."""
        port = self.listener.getsockname()[1]
        program = self.start_client(
            TWISTD, "-n", "--pidfile=", "repeater", "--dialect=lines", "--listen=tcp:0:interface=127.0.0.1",
            f"--server=tcp:127.0.0.1:{port}", f"--record={record}",
        )  # fmt: skip
        port = int(program.wait_for(r"accepting clients at .*?(\d+)\D*$")[1])
        program.wait_for("recording into ")
        client = socket.create_connection(("127.0.0.1", port), LONGEST / 2)
        self.addCleanup(client.close)
        return program, client

    def ask(self, client: socket.socket) -> None:
        """Wait until all that was sent has reached the server."""
        client.sendall(b"?\n")
        self.assertEqual(client.recv(100), b"answer\n")


class KillTests(RecordingCase):
    """The process ends."""

    def test_kill(self) -> None:
        """After kill -9 under load the file opens, and has everything that was committed: it grew until then."""
        path = self.directory / "traffic.db"
        program, client = self.start_recording(str(path))
        seen = 0
        while seen < 3000:
            client.sendall(LINE * 500)
            with open_recording(path) as recording:
                seen = recording.count
        program.send_signal(signal.SIGKILL)
        program.end()
        with open_recording(path) as recording:
            messages = list(recording.messages())
            self.assertFalse(recording.damaged)
            self.assertEqual(recording.facts["dialect"], "lines")
        self.assertGreaterEqual(len(messages), seen)
        self.assertEqual([message.number for message in messages], list(range(1, len(messages) + 1)))
        self.assertEqual({message.frame for message in messages}, {LINE})

    def test_end(self) -> None:
        """Programs read the file while it grows; a lock of theirs holds no link up; after SIGTERM it is complete."""
        program_of_sqlite = needed("sqlite3", "sqlite3")
        path = self.directory / "traffic.db"
        program, client = self.start_recording(str(path))
        client.sendall(LINE * 1000)
        self.ask(client)
        found = ""
        while found != "1000":  # the answer and the question have other sizes
            query = "SELECT count(*) FROM traffic WHERE direction = 'to server' AND size = 200"
            done = subprocess.run(
                [program_of_sqlite, "-readonly", path, query],
                capture_output=True,
                text=True,
                check=True,
                timeout=LONGEST,
            )
            found = done.stdout.strip()
        with closing(sqlite3.connect(path, isolation_level=None, timeout=LONGEST)) as other:
            other.execute("BEGIN IMMEDIATE")  # now the disk is slow
            client.sendall(LINE * 1000)
            self.ask(client)
            self.assertEqual(other.execute("SELECT count(*) FROM messages").fetchone(), (1002,))
            other.execute("ROLLBACK")
        self.assertEqual({entry.stat().st_mode & 0o777 for entry in self.directory.glob("traffic.db*")}, {0o600})
        _, output = program.terminate()
        self.assertIn("2004 messages are recorded", output)
        self.assertEqual([entry.name for entry in self.directory.glob("traffic.db*")], ["traffic.db"])
        with open_recording(path) as recording:
            (link,) = recording.links()
            self.assertTrue(link.ended)
            self.assertEqual((recording.count, recording.facts["left_out"]), (2004, "0"))


class DiskTests(RecordingCase):
    """The disk is full."""

    def test_full(self) -> None:
        """On a disk of 3 MB the recording is suspended when it is full, and goes on by itself; no link notices."""
        disk = self.directory / "disk"
        disk.mkdir()
        mount = shutil.which("mount")
        if os.geteuid() != 0 or mount is None:
            raise SkipTest("only root can mount a small disk")
        if subprocess.run([mount, "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], check=False).returncode:
            raise SkipTest("no disk can be mounted here")
        self.addCleanup(lambda: subprocess.run(["umount", "-l", disk], check=True))
        (disk / "other").write_bytes(bytes(1_500_000))
        path = disk / "traffic.db"
        program, client = self.start_recording(str(path))
        for _ in range(8):
            client.sendall(LINE * 1000)
            self.ask(client)
        program.wait_for("is suspended: the disk is full")
        (disk / "other").unlink()
        program.wait_for(r"goes on; \d+ messages are missing")
        self.ask(client)
        _, output = program.terminate()
        left_out = int(re.findall(r"goes on; (\d+) messages", output)[-1])
        with open_recording(path) as recording:
            self.assertEqual(recording.count + left_out, 8 * 1002 + 2)
            self.assertEqual(sum(gap.left_out for gap in recording.gaps()), left_out)
            self.assertFalse(recording.damaged)
