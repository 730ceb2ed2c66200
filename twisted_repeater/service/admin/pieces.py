"""Long answers, which are made piece by piece, so that no link waits for all of one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from twisted.internet.interfaces import IPullProducer
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from .request import GuardedRequest

__all__ = ["Pieces", "answer_in_pieces"]


def answer_in_pieces(request: GuardedRequest, pieces: Iterator[bytes], at_once: int) -> object:
    """Begin to write an answer in JSON, and return what says so to Twisted.

    Args:
        request: the request that is answered.
        pieces: the parts of the answer; to make one is a part of the work.
        at_once: how many are made before the reactor can do other work.
    """
    if request.method == b"HEAD":
        request.begin()
        request.finish()  # type: ignore[no-untyped-call]
    else:
        request.begin_long()
        request.registerProducer(Pieces(request, pieces, at_once), False)  # type: ignore[no-untyped-call]
    return NOT_DONE_YET


@implementer(IPullProducer)
class Pieces:
    """Writes the pieces as fast as the client receives them; the arguments are those of `answer_in_pieces`."""

    def __init__(self, request: GuardedRequest, pieces: Iterator[bytes], at_once: int) -> None:
        self._request = request
        self._pieces = pieces
        self._at_once = at_once

    def resumeProducing(self) -> None:
        """See `IPullProducer`."""
        pieces = list(islice(self._pieces, self._at_once))
        if pieces:
            self._request.write(b"".join(pieces) or b" ")  # type: ignore[no-untyped-call]  # nothing would not go on
        else:
            self._request.unregisterProducer()  # type: ignore[no-untyped-call]
            self._request.finish()  # type: ignore[no-untyped-call]

    def stopProducing(self) -> None:
        """See `IPullProducer`."""
        self._pieces = iter(())
