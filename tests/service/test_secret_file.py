"""Files with secrets."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.service.secret_file import MAX_SECRET, read_secret

from .written import written


class SecretFileTests(SynchronousTestCase):
    """`read_secret`."""

    def test_read(self) -> None:
        """White space around it does not belong to a secret, and one that is too long is not read as a shorter one."""
        for mode in (0o600, 0o440):
            self.assertEqual(read_secret(written(self, b" se cret\n", mode)), b"se cret")
        self.assertGreater(len(read_secret(written(self, b"x" * 10_000))), MAX_SECRET)

    def test_refused(self) -> None:
        """What others may read, and what is no file, is refused with the reason."""
        pipe, directory = self.mktemp(), self.mktemp()
        os.mkfifo(pipe, 0o600)
        os.mkdir(directory)
        for path, reason in (
            (written(self, b"secret", 0o604), "run chmod 600"),
            (pipe, "must be a file, not"),
            (directory, "Is a directory"),
            ("/nowhere", "No such file"),
        ):
            with self.assertRaisesRegex(ValueError, reason):
                read_secret(path)
