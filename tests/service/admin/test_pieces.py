"""Long answers in pieces."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.interfaces import IPullProducer
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import NOT_DONE_YET
from zope.interface.verify import verifyObject

from twisted_repeater.service.admin.pieces import Pieces, answer_in_pieces


class PiecesTests(SynchronousTestCase):
    """What is written, and when."""

    def setUp(self) -> None:
        self.calls: list[Any] = []
        self.request: Any = SimpleNamespace(
            method=b"GET",
            begin=lambda: self.calls.append("begin"),
            begin_long=lambda: self.calls.append("begin long"),
            write=self.calls.append,
            registerProducer=lambda producer, streaming: self.calls.append((producer, streaming)),
            unregisterProducer=lambda: self.calls.append("unregistered"),
            finish=lambda: self.calls.append("finished"),
        )

    def test_pieces(self) -> None:
        """Others have their turn after each piece, also if there is nothing in it."""
        pieces: Any = Pieces(self.request, iter([b"1", b"2", b"", b"", b"3"]), 2)
        verifyObject(IPullProducer, pieces)
        for _ in range(4):
            pieces.resumeProducing()
        self.assertEqual(self.calls, [b"12", b" ", b"3", "unregistered", "finished"])

    def test_gone(self) -> None:
        """Nothing more is made when whoever asked is gone."""
        pieces = Pieces(self.request, iter([b"1", b"2"]), 1)
        pieces.resumeProducing()
        pieces.stopProducing()
        pieces.resumeProducing()
        self.assertEqual(self.calls, [b"1", "unregistered", "finished"])

    def test_answer(self) -> None:
        """The answer begins, and goes on as fast as the client receives it; that to HEAD has nothing more."""
        self.assertEqual(answer_in_pieces(self.request, iter([b"1"]), 1), NOT_DONE_YET)
        self.assertEqual((self.calls[0], self.calls[1][1]), ("begin long", False))
        self.request.method = b"HEAD"
        self.assertEqual(answer_in_pieces(self.request, iter([b"1"]), 1), NOT_DONE_YET)
        self.assertEqual(self.calls[2:], ["begin", "finished"])
