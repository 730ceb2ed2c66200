"""The report of a replay."""

from __future__ import annotations

import base64
import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.replay.decoding import Shown
from twisted_repeater.replay.differences import Difference, Findings, Kind, Part, Request
from twisted_repeater.replay.report import Report

TIME = 1_700_000_000_123_456


def shown(data: bytes) -> Shown:
    """Return what is shown of bytes."""
    return Shown(repr(data), data, len(data))


def report(*differences: Difference, keep: int = 100, **facts: Any) -> Report:
    """Return a report with these differences."""
    findings = Findings(keep, links=1, equal=1234)
    for difference in differences:
        findings.add(difference)
    return Report(findings, "redis", facts)


DIFFERENT = Difference(
    kind=Kind.DIFFERENT,
    link=3,
    client_name="ann",
    number=17,
    replayed_number=18,
    time=TIME,
    request=Request(9, shown(b"GET x")),
    parts=(Part("answer", shown(b"one"), shown(b"two")),),
)
MISSING = Difference(kind=Kind.MISSING, link=4, client_name="", number=2, parts=(Part("answer", shown(b"x"), None),))
VERDICT = Difference(
    kind=Kind.DIFFERENT,
    link=5,
    client_name="a\nb",
    direction="to_server",
    number=1,
    time=2**80,
    message=shown(b"DEL x"),
    parts=(Part("sent back", None, shown(b"no")), Part("link", Shown("open", None, 0), Shown("closed", None, 0))),
    text="the verdict was PASS_ON, and is Close",
)


class ReportTests(SynchronousTestCase):
    """Promises about `Report`."""

    def test_no_difference(self) -> None:
        """A report without differences says so, with what was compared."""
        found = report(seconds=1.25, server="tcp:x", links_left=1000)
        self.assertTrue(found.same)
        self.assertEqual(
            [
                "No differences.",
                "  links played                      1",
                "  equal                         1,234",
                "  seconds                        1.25",
                "  server                        tcp:x",
                "  links left                    1,000",
            ],
            found.text().splitlines(),
        )

    def test_differences_are_described_for_people(self) -> None:
        """Each difference has its place, the request or the message, both answers, and where they differ."""
        text = report(DIFFERENT, MISSING, VERDICT).text()
        for line in (
            "3 differences.",
            "1. link 3, client ann, message 17 to the client, 2023-11-14T22:13:20.123456Z: different",
            "     request 9: b'GET x'",
            "     expected: b'one'",
            "     came:     b'two'",
            "     byte 0: one",
            "2. link 4, client -, message 2 to the client: missing",
            "     came:     nothing",
            "3. link 5, client a\\nb, message 1 to the server: different",
            "     the verdict was PASS_ON, and is Close",
            "     message:  b'DEL x'",
            "     sent back",
            "     expected: open",
        ):
            self.assertIn(f"{line}\n", text)

    def test_differences_that_are_not_shown_are_counted(self) -> None:
        """The end says how many more there are."""
        self.assertTrue(report(DIFFERENT, MISSING, keep=1).text().endswith("\n1 more difference.\n"))
        self.assertTrue(report(*[MISSING] * 4, keep=2).text().endswith("\n2 more differences.\n"))
        self.assertNotIn("more", report(DIFFERENT, keep=0).text())

    def test_troubles_and_notes_are_counted(self) -> None:
        """A text that came more than once has its number."""
        found = report()
        found.findings.troubles.update(["connection lost"] * 2)
        found.findings.notes.update(["in the middle"])
        trouble = Difference(kind=Kind.TROUBLE, link=3, client_name="ann", text="connection lost")
        self.assertIn("1. link 3, client ann: trouble\n     connection lost\n", report(trouble).text())
        self.assertIn("\nTroubles:\n  connection lost (2 times)\n\nNotes:\n  in the middle\n", found.text())

    def test_json_has_all_that_the_text_has(self) -> None:
        """A program reads one object with documented names."""
        found = json.loads(report(DIFFERENT, MISSING, VERDICT, seconds=2.0).json())
        self.assertEqual(
            (1, False, "redis", {"seconds": 2.0}), tuple(found[name] for name in ("format", "same", "dialect", "facts"))
        )
        self.assertEqual(
            {"different": 2, "missing": 1, "extra": 0, "trouble": 0, "differences": 3, "equal": 1234}.items()
            & found["counts"].items(),
            {"different": 2, "missing": 1, "extra": 0, "trouble": 0, "differences": 3, "equal": 1234}.items(),
        )
        first, second, third = found["differences"]
        part = {"text": "b'one'", "data": base64.b64encode(b"one").decode(), "size": 3}
        self.assertEqual(part, first["parts"][0]["expected"])
        self.assertEqual({"number": 9, "text": "b'GET x'", "data": "R0VUIHg=", "size": 5}, first["request"])
        self.assertEqual(("2023-11-14T22:13:20.123456Z", None, None), (first["time"], second["time"], third["time"]))
        self.assertEqual((None, "answer"), (second["parts"][0]["came"], second["parts"][0]["what"]))
        self.assertEqual("b'DEL x'", third["message"]["text"])
