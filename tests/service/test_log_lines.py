"""The lines of the log."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address
from twisted.logger import LogLevel, capturedLogs, extractField, formatEventAsClassicLogText
from twisted.python import log as old_log
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction
from twisted_repeater.observers._throttle import LeftOut
from twisted_repeater.service.log_lines import LONGEST, json_line, text_line

from ..drawn import examples
from ..unprintable import Mute

MOMENT = 1_700_000_000.25


def event(text: str | None = "hello {who!r}", /, **fields: Any) -> dict[str, Any]:
    """Return an event as a logger makes it."""
    given = {"log_format": text, "log_time": MOMENT, "log_level": LogLevel.warn, "log_namespace": "edge.filters"}
    return {**given, "who": "ann", **fields}


def failed(error: BaseException) -> Failure:
    """Return the failure of an error that was raised."""
    try:
        raise error
    except BaseException:
        return Failure()


def read(made: dict[str, Any]) -> dict[str, Any]:
    """Return the object on the line of an event, which is one line of ASCII."""
    line = json_line(made)
    assert line is not None
    assert line.isascii() and line.endswith("\n") and line[:-1].isprintable(), line
    assert len(line) <= LONGEST
    loaded: dict[str, Any] = json.loads(line, parse_constant=lambda name: 1 / 0)
    return loaded


class ProcessTests(SynchronousTestCase):
    """Lines of one of several processes."""

    def test_number(self) -> None:
        """They have its number: before the name of a repeater, or as a field."""
        one = event("hello", repeater="edge")
        self.assertIn("process 2: edge: hello", str(text_line(one, True, process="2")))
        self.assertEqual(json.loads(str(json_line(one, "2")))["process"], "2")
        self.assertNotIn("process", read(one))


class JSONTests(SynchronousTestCase):
    """Lines of JSON."""

    def test_fields(self) -> None:
        """A line has when, how bad, who and what, and the plain fields of the event."""
        self.assertEqual(
            read(
                event(
                    link=7, rate=0.5, ready=True, direction=Direction.TO_SERVER, level=LogLevel.info, x=LogLevel.debug
                )
            ),
            {
                "time": "2023-11-14T22:13:20.250Z",
                "level": "warn",
                "logger": "edge.filters",
                "message": "hello 'ann'",
                "who": "ann",
                "link": 7,
                "rate": 0.5,
                "ready": True,
                "direction": "to_server",
                "x": "debug",
            },
        )

    def test_values(self) -> None:
        """Values that JSON lacks are texts; objects, and what is not there, are left out."""
        values = {
            "bytes": b"a\xff",
            "huge": 10**5000,
            "nan": float("nan"),
            "address": IPv4Address("TCP", "10.0.0.1", 9000),
            "names": ["a", "b" * 990, "c" * 20, 3],
            "objects": [object()],
            "object": object(),
            "none": None,
            "more": LeftOut(3),
        }
        shown = {key: value for key, value in read(event("x", **values)).items() if key not in read(event("x"))}
        self.assertEqual(
            shown,
            {"bytes": r"a\xff", "nan": "nan", "address": "10.0.0.1:9000", "names": ["a", "b" * 990], "left_out": 3},
        )
        self.assertNotIn("left_out", read(event(more=LeftOut(0))))

    def test_failure(self) -> None:
        """A failure has its error and its traceback, and its own error stays."""
        loaded = read(event(log_failure=failed(ValueError("no\nluck"))))
        self.assertEqual(loaded["error"], "ValueError: no\nluck")
        self.assertIn("test_log_lines.py", loaded["traceback"])
        self.assertEqual(read(event(log_failure=failed(ValueError("x")), error="short"))["error"], "short")
        self.assertIn("Mute", read(event(log_failure=failed(Mute())))["error"])
        self.assertEqual(read(event("", log_failure=failed(ValueError())))["message"], "")

    def test_older_log(self) -> None:
        """Events of Twisted's older log are lines like others; a traceback is no part of the message."""
        with capturedLogs() as events:
            old_log.msg("a text", system="protocol", port=9000)
            old_log.err(failed(ValueError("no luck")), "why")
            old_log.err(failed(ValueError("no luck")))
        self.flushLoggedErrors(ValueError)
        plain, why, unhandled = map(read, events)
        self.assertEqual((plain["level"], plain["message"], plain["port"]), ("info", "a text", 9000))
        self.assertEqual(plain.keys(), {"time", "level", "logger", "message", "port"})
        self.assertEqual((why["message"], why["error"]), ("why", "ValueError: no luck"))
        self.assertEqual(unhandled["message"], "Unhandled Error")

    def test_time_and_level_of_others(self) -> None:
        """An event without a time, a level or a logger gets them."""
        for moment in ("soon", 1e300, float("nan"), None):
            loaded = read({"log_format": "x", "log_time": moment})
            self.assertRegex(loaded["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertEqual((loaded["level"], loaded["logger"]), ("info", "-"))

    def test_nothing(self) -> None:
        """An event without a text has no line."""
        self.assertIs(json_line(event(None, log_namespace="x")), None)
        self.assertIs(text_line(event(None)), None)

    def test_longest(self) -> None:
        """Whatever the fields hold, a line has an end, and as much of a traceback as it can have."""
        text = "\x00\N{PILE OF POO}" * 10_000
        for value in (text, [text] * 20, ["\N{PILE OF POO}" * 2] * 20):
            loaded = read(event(text, **{f"field {number} {text}": value for number in range(100)}))
            self.assertLessEqual(len(loaded), 35)
        loaded = read(event(log_failure=failed(ValueError("x" * 100_000)), other="y" * 2000))
        self.assertIn("are left out", loaded["traceback"])
        self.assertEqual(loaded["other"], "y" * 1000 + "... (2000 characters)")

    @settings(max_examples=examples(100))
    @given(st.dictionaries(st.text(), st.text() | st.binary() | st.floats() | st.integers() | st.none()), st.text())
    def test_any(self, fields: dict[str, Any], name: str) -> None:
        """Every line is valid JSON that strict readers take, with halves of characters too."""
        loaded = read(event("{who}", **{"who": f"{name}\udc80", **fields}))
        json.dumps(loaded, ensure_ascii=False).encode()


class TextTests(SynchronousTestCase):
    """Lines of text."""

    def test_parts(self) -> None:
        """A line is as Twisted writes it, always with the level, and with the repeater's name if that is asked for."""
        for fields, names, line in (
            ({}, True, "[edge.filters#warn] hello 'ann'\n"),
            ({"repeater": "edge"}, False, "[edge.filters#warn] hello 'ann'\n"),
            ({"repeater": "ed\nge"}, True, "[edge.filters#warn] ed\\nge: hello 'ann'\n"),
            ({"log_format": "{repeater} is there", "repeater": "edge"}, True, "[edge.filters#warn] edge is there\n"),
            ({"log_system": "-", "who": "a\nb"}, True, "[-#warn] hello 'a\\nb'\n"),
            ({"log_format": "two\nlines\n"}, True, "[edge.filters#warn] two\n\tlines\n"),
        ):
            made = text_line(event(**fields), names)
            assert made is not None
            self.assertRegex(made, r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} ")
            self.assertEqual(made.partition(" ")[2], line)
            self.assertEqual(text_line(event(**fields), names, time=False), line)

    def test_like_twisted(self) -> None:
        """Whatever the format asks for, and whatever is wrong with it, the line is the one that Twisted writes."""

        class Exits:
            def __str__(self) -> str:
                raise SystemExit

        shaped = event("{who!r:>9} {who:^{width}} {list[1]} {level.name} {{}} {link}", width=7, list=[1, 2], link=7)
        shaped["level"] = LogLevel.info
        flattened = event("{who} ({link})", link=8)
        extractField("who", flattened)
        called = event("{call()} and {who.upper()}", call=lambda: "called")
        for made in (
            shaped,
            flattened,
            called,
            event("nobody ({who})"),
            event("{nothing}"),
            event("{who"),
            event("{0}"),
            event(b"in bytes: {who}"),  # type: ignore[arg-type]
            event(7),  # type: ignore[arg-type]
            event("{who}", who=Exits()),
            event(log_time=None),
            event(log_time=MOMENT + 0.7),
            event(log_time=MOMENT + 0.8),
            event(log_time=-0.5),
            event(log_time=7),
        ):
            self.assertEqual(str(text_line(made)).rstrip(), str(formatEventAsClassicLogText(made)).rstrip())

    def test_interrupted(self) -> None:
        """Ctrl-C while a line is made ends the program."""

        class Interrupted:
            def __str__(self) -> str:
                raise KeyboardInterrupt

        self.assertRaises(KeyboardInterrupt, text_line, event("{who}", who=Interrupted()))

    def test_traceback(self) -> None:
        """The lines of a traceback are indented."""
        made = text_line(event(log_failure=failed(ValueError("no luck"))))
        assert made is not None
        self.assertTrue(made.endswith("\n\tbuiltins.ValueError: no luck\n"), made)
