"""The file of the token."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.service.admin.token_file import MIN_TOKEN, needs_token, read_token

from ..written import written

TOKEN = "0123456789abcdef"


class NeedsTests(SynchronousTestCase):
    """When a token is needed."""

    def test_needed(self) -> None:
        """It is needed wherever another machine or another user could connect."""
        for endpoint, needed in (
            ("tcp:8090:interface=127.0.0.1", False),
            ("tcp:port=8090:interface=127.1.2.3", False),
            (r"tcp6:8090:interface=\:\:1", False),
            ("tcp:8090:interface=localhost", False),
            ("tcp:8090:interface=10.0.0.1", True),
            ("tcp:8090:interface=edge.example.org", True),
            ("tcp:8090:interface=", True),
            ("tcp:8090", True),
            ("ssl:8090:interface=0.0.0.0", True),
            ("unix:/run/edge", False),
            ("unix:/run/edge:mode=600", False),
            ("unix:/run/edge:0600", False),
            ("unix:/run/edge:mode=660", True),
            ("unix:/run/edge:777", True),
            ("systemd:domain=INET:index=0", False),
        ):
            self.assertEqual(needs_token(endpoint), needed, endpoint)


class ReadTests(SynchronousTestCase):
    """How it is read."""

    def test_read(self) -> None:
        """The token is what stands on the line."""
        for data in (TOKEN.encode(), f" {TOKEN}\n".encode()):
            for mode in (0o600, 0o440):
                self.assertEqual(read_token(written(self, data, mode)), TOKEN)

    def test_refused(self) -> None:
        """What cannot be a token, and what others may read, is refused with the reason."""
        pipe, directory = self.mktemp(), self.mktemp()
        os.mkfifo(pipe, 0o600)
        os.mkdir(directory)
        for path, reason in (
            (written(self, b""), f"at least {MIN_TOKEN}"),
            (written(self, b"\n"), f"at least {MIN_TOKEN}"),
            (written(self, TOKEN.encode()[1:]), f"at least {MIN_TOKEN}"),
            (written(self, b"0123456789 abcdef"), "without spaces"),
            (written(self, b"\xff" * 20), "without spaces"),
            (written(self, b"x" * 5000), "without spaces"),
            (written(self, TOKEN.encode(), 0o604), "run chmod 600"),
            (pipe, "must be a file, not"),
            (directory, "Is a directory"),
            ("/nowhere", "No such file"),
        ):
            with self.assertRaisesRegex(ValueError, reason):
                read_token(path)
