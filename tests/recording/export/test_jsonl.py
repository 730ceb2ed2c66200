"""Recordings as JSON lines."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects import redis
from twisted_repeater.recording import Origin, RecordedGap
from twisted_repeater.recording.export import Decoder, write_jsonl
from twisted_repeater.recording.export.jsonl import write_line
from twisted_repeater.recording.export.timeline import Event, LinkEnded, LinkMade, MessagePassed

from .made import SECOND, START, made_link, made_message


class BadCodec:
    """A codec that fails in its own way."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def decode(self, payload: bytes) -> object:
        """See `ICodec`."""
        raise self.error("bad codec")

    def encode(self, message: object) -> bytes:
        """See `ICodec`."""
        raise NotImplementedError


def lines_of(events: Iterable[Event], decoder: Decoder | None = None) -> list[dict[str, Any]]:
    """Return the objects that are written for events, but for the first one."""
    file = io.BytesIO()
    write_jsonl(events, file, facts={"dialect": "redis"}, decoder=decoder)
    first, *others = map(json.loads, file.getvalue().decode().splitlines())
    assert first == {"event": "recording", "format": 1, "facts": {"dialect": "redis"}}
    return others


class JsonLinesTests(SynchronousTestCase):
    """One object for each event."""

    maxDiff = None

    def test_message(self) -> None:
        """A message has its columns by their names, times for people and for programs, and its bytes."""
        message = made_message(
            5,
            b"PING\r\n",
            after=1.5,
            number=3,
            passed=False,
            forward=b"\xff",
            back=b"+OK\r\n",
            verdict="Mixed",
            by_filter=True,
            took=12,
        )
        self.assertEqual(
            lines_of([MessagePassed(made_link(1), message)]),
            [
                {
                    "event": "message",
                    "id": 5,
                    "link": 1,
                    "client_name": "client-1",
                    "time": "2026-09-21T14:13:21.500000Z",
                    "timestamp": 1790000001.5,
                    "direction": "to_server",
                    "origin": "message",
                    "number": 3,
                    "verdict": "Mixed",
                    "by_filter": True,
                    "took": 0.000012,
                    "passed": False,
                    "frame": "PING\r\n",
                    "forward": {"base64": "/w==", "text": r"\xff"},
                    "back": "+OK\r\n",
                }
            ],
        )

    def test_link(self) -> None:
        """A link has its addresses and details where it begins, and its error where it ends."""
        link = made_link(
            2, ended=START + SECOND, reason="ConnectionLost: gone", details={"user": "ann", "key": b"\xff"}
        )
        client = {"link": 2, "client_name": "client-2"}
        self.assertEqual(
            lines_of([LinkMade(link), LinkEnded(link)]),
            [
                {
                    "event": "link_made",
                    **client,
                    "time": "2026-09-21T14:13:20.000000Z",
                    "timestamp": 1790000000.0,
                    "client_address": "127.0.0.1:40002",
                    "server_name": "server",
                    "server_address": "127.0.0.1:6379",
                    "details": {"user": "ann", "key": {"base64": "/w==", "text": r"\xff"}},
                },
                {
                    "event": "link_ended",
                    **client,
                    "time": "2026-09-21T14:13:21.000000Z",
                    "timestamp": 1790000001.0,
                    "reason": "ConnectionLost: gone",
                },
            ],
        )

    def test_older_link(self) -> None:
        """A link that is older than the recording begins at no time."""
        [made] = lines_of([LinkMade(made_link(1, made=None))])
        self.assertEqual([made["event"], made["time"], made["timestamp"]], ["link_made", None, None])

    def test_refused_client(self) -> None:
        """A client that was refused is one object, with the reason."""
        link = made_link(1, made=None, ended=START, refused="ClientNotAllowed: no")
        [refused] = lines_of([LinkMade(link), LinkEnded(link)])
        self.assertEqual(refused["event"], "client_refused")
        self.assertEqual(refused["refused"], "ClientNotAllowed: no")
        self.assertEqual(refused["client_address"], "127.0.0.1:40001")
        self.assertEqual(refused["timestamp"], 1790000000)

    def test_gap(self) -> None:
        """A place where messages were left out says how many, and why."""
        gap = RecordedGap(after=4, began=START, ended=START + SECOND, left_out=9, reason="the disk is full")
        [line] = lines_of([gap])
        self.assertEqual(
            line,
            {
                "event": "gap",
                "time": "2026-09-21T14:13:20.000000Z",
                "timestamp": 1790000000,
                "ended": "2026-09-21T14:13:21.000000Z",
                "after": 4,
                "left_out": 9,
                "reason": "the disk is full",
            },
        )

    def test_decoded(self) -> None:
        """With a decoder, messages of peers have their decoded form, or the error."""
        link = made_link(1)
        good, bad = made_message(1, b"*1\r\n$4\r\nPING\r\n"), made_message(2, b"*1\r\n$x\r\n")
        own = made_message(3, forward=b"*1\r\n", origin=Origin.OWN)
        first, second, third = lines_of(
            [MessagePassed(link, message) for message in (good, bad, own)], Decoder(redis())
        )
        self.assertEqual(first["decoded"], {"class": "Command", "name": "PING", "arguments": []})
        self.assertEqual(second["decoded"], None)
        self.assertIn("BadLength: a length must be", second["error"])
        self.assertNotIn("decoded", third)

    def test_bad_codecs(self) -> None:
        """Whatever a codec raises is an error of the message; only Ctrl-C ends the export."""
        event = MessagePassed(made_link(1), made_message(1, b"+OK\r\n", to_client=True))
        decoder = Decoder(redis().changed(to_client=BadCodec(SystemExit)))
        self.assertEqual(lines_of([event], decoder)[0]["error"], "SystemExit: bad codec")
        decoder = Decoder(redis().changed(to_client=BadCodec(KeyboardInterrupt)))
        self.assertRaises(KeyboardInterrupt, lines_of, [event], decoder)

    def test_ended_links_are_forgotten(self) -> None:
        """The decoder keeps nothing of a link that has ended."""
        decoder = Decoder(redis())
        forgotten: list[int] = []
        self.patch(decoder, "forget", forgotten.append)
        lines_of([LinkMade(made_link(3)), LinkEnded(made_link(3, ended=START))], decoder)
        self.assertEqual(forgotten, [3])

    def test_terminal(self) -> None:
        """A line has no character that changes a terminal or hides text, but letters of any language as they are."""
        file = io.BytesIO()
        values = {"a": "é漢\x1b[31m\x7f\x9b\u202e\u200b\n", "b": "\udc80"}
        write_line(file, values)
        text = file.getvalue().decode()
        self.assertEqual(json.loads(text), values)
        self.assertTrue(text.removesuffix("\n").isprintable(), text)
        self.assertIn("é漢", text)
