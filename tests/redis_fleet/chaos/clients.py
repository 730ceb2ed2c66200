"""The clients of a chaos: each has a name, comes back whenever it is cut off, and checks what it gets."""

from __future__ import annotations

import json
import time
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from ...peers import reactor
from .wire import Speaker

if TYPE_CHECKING:
    from .judge import Judge

__all__ = ["Client", "Visit"]

LEAVES = 0.02
"""How likely a client leaves, to come back, when it could send its next message."""

LONGEST_PAUSE = 5.0
"""Seconds that a client pauses at most before it connects again, after failing several times in a row."""


class Visit(Speaker):
    """A connection of a client."""

    node = ""
    """The node that its link goes through; empty before it is linked."""
    sent = 0
    answered = 0
    left = False
    """Whether the client has ended it."""

    def __init__(self, client: Client, session: str) -> None:
        self.client = client
        self.session = session
        self.calls: Counter[str] = Counter()
        self.awaited: dict[str, int] = {}
        """The calls that must have come when this message is answered."""
        self._deadline: IDelayedCall | None = None
        self._next: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Say hello."""
        self.greet(name=self.client.name, session=self.session)
        self._wait()

    def stringReceived(self, string: bytes) -> None:
        """A hello, an answer or a call came."""
        judge = self.client.judge
        if not self.node:
            self.node = json.loads(string)["node"]
            self.client.is_linked(self)
            self._send_later()
            return
        kind, _, what = string.decode().partition(" ")
        if kind == "r":
            judge.answer_came(self, int(what))
            self.answered = int(what)
            self._check_calls()
            self._send_later()
        else:
            self.calls[what] += 1
            judge.broadcast_came(self, what)

    def expect(self, call: str) -> None:
        """A call has been carried out for this client: it must come before the answer to the next message."""
        self.awaited[call] = self.sent + 1

    def _check_calls(self) -> None:
        for call, number in list(self.awaited.items()):
            if self.answered >= number:
                del self.awaited[call]
                self.client.judge.broadcast_due(self, call)

    def _send_later(self) -> None:
        self._stop_waiting()
        random, pace = self.client.random, self.client.pace
        self._next = reactor.callLater(pace * random.uniform(0.5, 1.5), self._send)

    def _send(self) -> None:
        self._next = None
        if not self.client.wanted or self.client.random.random() < LEAVES:
            self.leave()
            return
        for _ in range(self.client.random.choice((1, 1, 1, 3))):
            self.sent += 1
            self.say(f"m {self.sent}")
        self._wait()

    def _wait(self) -> None:
        self._stop_waiting()
        self._deadline = reactor.callLater(self.client.patience, self._give_up)

    def _give_up(self) -> None:
        self._deadline = None
        self.left = True
        self.transport.abortConnection()

    def leave(self) -> None:
        """End the connection in good order."""
        self.left = True
        self.transport.loseConnection()

    def _stop_waiting(self) -> None:
        for call in (self._deadline, self._next):
            if call is not None and call.active():
                call.cancel()
        self._deadline = self._next = None

    def readConnectionLost(self) -> None:
        """The repeater has ended its stream: send no more."""
        self._stop_waiting()
        super().readConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._stop_waiting()
        self.client.judge.visit_ended(self)
        self.client.is_gone(self)


class Client:
    """A client, which others may have the same name as.

    Args:
        name: its name.
        number: tells it from others of this name.
        port: where the load balancer listens.
        judge: hears what it sees.
        seed: what chance draws from.
        pace: how many seconds pass between two messages, on average.
        patience: how many seconds an answer may take. After that it connects again.
    """

    def __init__(
        self, name: str, number: int, port: int, judge: Judge, seed: int, *, pace: float, patience: float
    ) -> None:
        self.name = name
        self.judge = judge
        self.random = Random(f"{seed} {number}")
        self.pace = pace
        self.patience = patience
        self.wanted = True
        """Whether it is to come back."""
        self.visit: Visit | None = None
        self.linked = False
        self.has_rival = False
        """Whether others have its name."""
        self._number = number
        self._port = port
        self._visits = 0
        self._failures = 0
        self._later: IDelayedCall | None = None
        self._connecting = False
        self._gone_at: float | None = None

    def come(self, within: float = 0.0) -> None:
        """Connect soon."""
        self._later = reactor.callLater(self.random.uniform(0, within), self._connect)

    def _connect(self) -> None:
        self._later = None
        self._visits += 1
        self._connecting = True
        visit = Visit(self, f"{self._number}.{self._visits}")
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self._port, timeout=self.patience)
        connectProtocol(endpoint, visit).addCallbacks(self._is_connected, self._again)

    def _is_connected(self, visit: Any) -> None:
        self._connecting = False
        self.visit = visit
        if not self.wanted:
            visit.leave()

    def is_linked(self, visit: Visit) -> None:
        """The server's hello has come."""
        self.linked = True
        self._failures = 0
        now = time.monotonic()
        if self._gone_at is not None and not self.has_rival:
            self.judge.absences.append(now - self._gone_at)
        self._gone_at = None

    def is_gone(self, visit: Visit) -> None:
        """The connection is gone."""
        if self.linked:
            self._gone_at = time.monotonic()
        self.visit, self.linked = None, False
        self._again()

    def _again(self, failure: Failure | None = None) -> None:
        self._connecting = False
        if self.wanted:
            self._failures += 1
            self.come(within=min(0.1 * 1.5 ** min(self._failures, 20), LONGEST_PAUSE))

    @property
    def is_away(self) -> bool:
        """Whether it has no connection, and makes none."""
        return self.visit is None and self._later is None and not self._connecting

    def stay_away(self) -> None:
        """Leave, and come no more."""
        self.wanted = False
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self.visit is not None:
            self.visit.leave()
