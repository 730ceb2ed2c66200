"""``python -m twisted_repeater ctl``."""

from __future__ import annotations

import os

from twisted_repeater.ctl import fleet

from .stand_in import CtlCase, Raw


class StatusTests(CtlCase):
    """The exit status, and what is said on the standard error."""

    def test_well(self) -> None:
        """0 if all went well."""
        self.assertEqual(self.ctl("status"), 0)
        self.assertEqual(self.errors.getvalue(), "")

    def test_refused(self) -> None:
        """1 if the administration refused; its sentence is printed, and cannot change the terminal."""
        self.answer(**{"POST /drain": Raw(409, b'{"error": "not\\u001b now"}')})
        self.assertEqual(self.ctl("drain"), 1)
        self.assertEqual(self.errors.getvalue(), "python -m twisted_repeater ctl: not\\x1b now\n")

    def test_printed(self) -> None:
        """1 if the answer is that something is wrong; nothing is said twice."""
        self.answer(**{"GET /readyz": Raw(503, b'{"ready": false, "reasons": ["draining"]}')})
        self.assertEqual(self.ctl("ready"), 1)
        self.assertEqual((self.output.getvalue(), self.errors.getvalue()), ("not ready: draining\n", ""))

    def test_wrong(self) -> None:
        """2 if the command is wrong."""
        self.assertEqual(self.ctl("close"), 2)
        self.assertIn("give either the name of a client, or --link ID", self.errors.getvalue())
        with self.assertRaises(SystemExit) as caught:
            self.ctl("clsoe")
        self.assertEqual(caught.exception.code, 2)

    def test_other_kinds(self) -> None:
        """2 if a field of an answer is of another kind, without a traceback."""
        for repeaters in (b"[1]", b'{"a": 1}', b"5", b"null"):
            self.answer(**{"GET /repeaters": Raw(200, b'{"repeaters": %s}' % repeaters)})
            self.assertEqual(self.ctl("status"), 2)
            self.assertIn("is it the administration of another version?", self.errors.getvalue())

    def test_interrupted(self) -> None:
        """130 after Ctrl-C, as shells have it."""

        def interrupt(*arguments: object) -> None:
            raise KeyboardInterrupt

        self.patch(fleet, "drain", interrupt)
        self.assertEqual(self.ctl("drain"), 130)

    def test_reader_left(self) -> None:
        """0 if whoever reads the output leaves, as ``head`` does."""
        replaced: list[int] = []

        def replace(old: int, new: int) -> None:
            replaced.append(new)
            os.close(old)

        self.patch(os, "dup2", replace)
        self.patch(self.output, "fileno", lambda: 42)

        def leave(*arguments: object) -> None:
            raise BrokenPipeError

        self.patch(fleet, "drain", leave)
        self.assertEqual(self.ctl("drain"), 0)
        self.assertEqual(replaced, [42])
