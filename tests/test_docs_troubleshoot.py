"""The page about lines of the log: each line that it quotes is in the code."""

from __future__ import annotations

import ast
import re

from twisted.trial.unittest import SynchronousTestCase

from .paths import DOCS, PACKAGE

PAGE = DOCS / "howto" / "troubleshoot.md"

NOT_OURS = {"twistd repeater: "}
"""The beginning of lines that twistd's name begins, before any text of an option."""


def texts() -> str:
    """Return all texts of the code, joined as Python joins them, with one character for each field."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.append(
                    "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)
                )
    return re.sub(r"\{[^{}]*\}", "*", "\n".join(found).replace("{{", "{").replace("}}", "}"))


class LineTests(SynchronousTestCase):
    """The lines of the page."""

    def test_lines(self) -> None:
        """Each part of a line that is quoted stands in the code, so that a changed text is changed on the page, too."""
        rows = re.findall(r"^\| (.*?) \|", PAGE.read_text(), re.M)
        quoted = {part for row in rows for part in re.findall(r"`([^`]+)`", row)} - NOT_OURS
        self.assertGreater(len(quoted), 30)
        code = texts()
        missing = [part for part in sorted(quoted) if not all(word in code for word in pieces(part))]
        self.assertEqual(missing, [])


def pieces(part: str) -> list[str]:
    """Return what must be in the code: a class of errors stands in a field of its own."""
    before, _, name = part.strip().rpartition(": ")
    return [f"{before}: ", name] if before and name.isidentifier() else [part.strip()]
