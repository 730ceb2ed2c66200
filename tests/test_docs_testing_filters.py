"""The page about tests of filters: the output that it shows is what is printed."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from .paths import DOCS
from .run_page import fences_of

PAGE = DOCS / "howto" / "testing-filters.md"


class PrintedTests(SynchronousTestCase):
    """What is printed."""

    def test_complaint(self) -> None:
        """The complaint on the page is that of the program before it."""
        fences = list(fences_of(PAGE.read_text()))
        at = next(index for index, fence in enumerate(fences) if fence.language == "text")
        house, complaint, shown = fences[0], fences[at - 1], fences[at]
        printed = StringIO()
        namespace: dict[str, object] = {}
        exec(house.code, namespace)
        with redirect_stdout(printed):
            exec(complaint.code.replace("from house import no_init\n", ""), namespace)
        self.assertEqual(printed.getvalue(), shown.code)
