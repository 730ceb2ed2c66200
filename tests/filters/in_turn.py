"""A filter that answers in many ways, in a pair made by `in_order`, and the case of tests of that."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import (
    DROP,
    PASS_ON,
    Close,
    Mixed,
    PassOnAndSendBack,
    Send,
    SendBack,
    Verdict,
)
from twisted_repeater.filters import in_order
from twisted_repeater.filters.in_order import InOrder
from twisted_repeater.testing import FilterHarness

LINK: Any = None


def here(message: bytes, link: Any) -> Verdict:
    """Answer what begins with an exclamation mark, and do as other first letters say."""
    if message.startswith(b"!"):
        return SendBack([b"no " + message[1:]])
    if message.startswith(b"both "):
        return PassOnAndSendBack([b"also " + message[5:]])
    if message.startswith(b"twice "):
        return Send(message[6:], message[6:])
    if message.startswith(b"mixed "):
        return Mixed(passes=True, forward=[message[6:]], back=[b"mixed"])
    if message.startswith(b"drop "):
        return DROP
    if message.startswith(b"close "):
        return Close(ValueError("close"), forward=[b"bye"], back=[b"closed"])
    if message.startswith(b"end "):
        return Close(ValueError("end"))
    return PASS_ON


def ends(message: bytes) -> bool:
    """Return whether a message of the server ends an answer: a push or the beginning of an answer does not."""
    return not message.startswith((b">", b"+"))


def asks(message: bytes) -> int:
    """Return how many answers a message asks for."""
    return 0 if message.startswith(b"quiet") else 3 if message.startswith(b"three") else True


def pair(filter: Any = here, **options: Any) -> InOrder:  # noqa: A002
    """Make a pair."""
    return in_order(filter, ends_answer=ends, asks=asks, **options)


def harness(filter: Any = here, **options: Any) -> FilterHarness:  # noqa: A002
    """Make a link."""
    return FilterHarness(filters=pair(filter), **options)


class InOrderCase(SynchronousTestCase):
    """A test case in which filters may fail."""

    def setUp(self) -> None:
        """Forget at the end the errors that were logged."""
        self.addCleanup(self.flushLoggedErrors)


class LaterCase(InOrderCase):
    """A test case with a filter whose answers a test gives."""

    def setUp(self) -> None:
        """Nothing is asked yet."""
        super().setUp()
        self.asked: list[Deferred[Verdict]] = []

    def later(self, message: bytes, link: Any) -> Any:
        """Wait for the test, about some messages."""
        if message.startswith(b"?"):
            self.asked.append(Deferred())
            return self.asked[-1]
        return here(message, link)
