"""The judge of a chaos: what the server and the clients may see, and what not.

* A name has one link at the server. If a link begins while another one of its name has not ended, as far as the end has
  arrived at the server's machine, the name is doubled. That is excused, with ``close``, only if the node of the older
  link stood still: a node that doesn't run cannot close anything. Then at least nothing may come on the older link
  after the newer one has begun. With ``keep`` it is excused while the fleet is troubled, and for a while after that.
* The messages of a connection arrive once and in order, and so do the answers to them.
* What a client sends on a connection that a drained node has ended arrives.
* A call to all clients comes to none of them twice on one connection, and once to those of the nodes that have done it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from .clients import Visit
from .server import ServedLink
from .wire import has_ended

__all__ = ["Judge", "Span"]

MOST = 10
"""How many faults of a kind are kept."""


@dataclass(eq=False)
class Span:
    """A time in which a node stands still, or the fleet is troubled.

    Attributes:
        began: when it began.
        ended: when it was over; ``None`` while it lasts.
    """

    began: float
    ended: float | None = None

    def touches(self, first: float, last: float) -> bool:
        """Return whether some of it lies between these times."""
        return self.began <= last and (self.ended is None or self.ended >= first)

    def end(self) -> None:
        """It is over."""
        self.ended = time.monotonic()


@dataclass(eq=False)
class _Doubled:
    """A link that had not ended when another one of its name began."""

    older: ServedLink
    newer: ServedLink
    at: float
    ended: float | None = None


@dataclass
class Judge:
    """Sees what happens.

    Attributes:
        keeps: whether a node that has lost its lease keeps its links.
        grace: for how many seconds after a trouble it is excused that a name is doubled.
    """

    keeps: bool
    grace: float
    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    absences: list[float] = field(default_factory=list)
    """For how many seconds clients had no link, between two."""
    settled: list[float] = field(default_factory=list)
    """How many seconds after the end of the last trouble the doubled names had one link again."""
    troubles: list[Span] = field(default_factory=list)
    """When the engine was not there, or not for all nodes."""
    stops: dict[str, list[Span]] = field(default_factory=dict)
    """When nodes stood still, by their addresses."""

    def __post_init__(self) -> None:
        self.open: dict[str, list[ServedLink]] = {}
        self._doubled: list[_Doubled] = []
        self._drained: dict[str, Span] = {}
        self._lost: list[tuple[float, str, str]] = []
        self._visits: dict[str, Visit] = {}
        """Visits that have ended while their node was drained, by session."""
        self._served: dict[str, ServedLink] = {}
        """The links that are open or have ended after that, by session."""

    def fault(self, kind: str, text: str) -> None:
        """Something has happened that must not."""
        self.counts[f"faults: {kind}"] += 1
        if self.counts[f"faults: {kind}"] <= MOST:
            self.faults.append(f"{kind} at {time.monotonic():.3f}: {text}")

    # -- names -----------------------------------------------------------------------------------------------

    def link_began(self, link: ServedLink) -> None:
        """The server has got the hello of a link."""
        self.counts["links"] += 1
        others = self.open.setdefault(link.name, [])
        for other in others:
            if not has_ended(other):
                other.overtaken()
                self._doubled.append(_Doubled(other, link, time.monotonic()))
        others.append(link)
        if link.session in self._served:
            self.fault("linked", f"the connection {link.session} of {link.name} was linked twice")
        self._served[link.session] = link

    def link_ended(self, link: ServedLink) -> None:
        """The server has lost a link."""
        links = self.open[link.name]
        links.remove(link)
        if not links:
            del self.open[link.name]
        for doubled in self._doubled:
            if link in (doubled.older, doubled.newer) and doubled.ended is None:
                doubled.ended = time.monotonic()
        if link.session in self._visits:
            self._compare(self._visits.pop(link.session), link)
        elif link.node not in self._drained:
            del self._served[link.session]

    @property
    def doubled(self) -> list[str]:
        """The names that have several links now."""
        return [name for name, links in self.open.items() if len([each for each in links if not has_ended(each)]) > 1]

    def judge_names(self) -> None:
        """Find the doubled names that nothing excuses. Some excuses are only heard afterwards: call it at the end."""
        for doubled in self._doubled:
            self.counts["doubled"] += 1
            if not self._excused(doubled):
                older, newer = doubled.older, doubled.newer
                lasted = "does not end" if doubled.ended is None else f"for {doubled.ended - doubled.at:.3f} s"
                self.fault(
                    "doubled",
                    f"{older.name} was linked twice {lasted}, from {doubled.at:.3f} on: "
                    f"at {older.node} ({older.session}), then at {newer.node} ({newer.session})",
                )

    def _excused(self, doubled: _Doubled) -> bool:
        last = doubled.at if doubled.ended is None else doubled.ended
        spans: Iterable[Span] = self.stops.get(doubled.older.node, ())
        if self.keeps:
            spans = [*self.troubles, *(span for stops in self.stops.values() for span in stops)]
        ends = [last if span.ended is None else min(span.ended, last) for span in spans if span.began <= last]
        self.settled.append(last - max(ends, default=doubled.at))
        began = any(span.touches(doubled.at - self.grace, doubled.at) for span in spans)
        return began and any(span.touches(last - self.grace, last) for span in spans)

    # -- messages --------------------------------------------------------------------------------------------

    def message_came(self, link: ServedLink, number: int) -> None:
        """The server has got a message of a client."""
        self.counts["messages"] += 1
        if number != link.number + 1:
            self.fault("order", f"the server got message {number} of {link.session} after {link.number}")
        links = self.open[link.name]
        if link is not links[-1] and not link.before and not self.keeps and not has_ended(link):
            self.fault(
                "relayed",
                f"{link.node} relayed message {number} of {link.name} ({link.session}) after "
                f"{links[-1].node} had linked the name ({links[-1].session})",
            )

    def answer_came(self, visit: Visit, number: int) -> None:
        """A client has got an answer."""
        if number != visit.answered + 1 or number > visit.sent:
            self.fault("order", f"{visit.session} got answer {number} after {visit.answered}, of {visit.sent} messages")

    def visit_ended(self, visit: Visit) -> None:
        """A client has lost its connection."""
        span = self._drained.get(visit.node)
        if span is None or visit.left or not visit.ended:
            return
        link = self._served.get(visit.session)
        if link is None:
            return  # the link ended before the drain began, and the client hears of it only now
        self.counts["drained"] += 1
        if link in self.open.get(link.name, ()):
            self._visits[visit.session] = visit
        else:
            self._compare(visit, link)

    def _compare(self, visit: Visit, link: ServedLink) -> None:
        if link.number != visit.sent:
            text = f"of {visit.sent} messages of {visit.session}, which {visit.node} drained, {link.number} came"
            self._lost.append((time.monotonic(), visit.node, text))

    def judge_drains(self) -> None:
        """Find what was lost by drains, and by nothing else: call it at the end."""
        for at, node, text in self._lost:
            spans = [*self.troubles, *self.stops.get(node, ())]
            if not any(span.touches(at - self.grace, at) for span in spans):
                self.fault("lost", text)

    # -- drained nodes ---------------------------------------------------------------------------------------

    def drain_begins(self, node: str) -> None:
        """A node is drained."""
        self._drained[node] = Span(time.monotonic())

    def drain_ends(self, node: str) -> None:
        """A node was drained."""
        del self._drained[node]
        for session in [each for each, link in self._served.items() if link.node == node]:
            if self._served[session] not in self.open.get(self._served[session].name, ()):
                del self._served[session]

    # -- calls -----------------------------------------------------------------------------------------------

    def call_came(self, link: ServedLink, call: str) -> None:
        """The server has got what the application sent on a link."""
        self.counts["calls at the server"] += 1
        if link.calls[call] > 1:
            self.fault("call", f"the server got the call {call} twice on {link.session}")

    def broadcast_came(self, visit: Visit, call: str) -> None:
        """A client has got what the application sent to all."""
        self.counts["broadcasts at clients"] += 1
        if visit.calls[call] > 1:
            self.fault("call", f"{visit.session} at {visit.node} got the call {call} twice")

    def broadcast_due(self, visit: Visit, call: str) -> None:
        """A client must have got this by now."""
        self.counts["broadcasts checked"] += 1
        if visit.calls[call] != 1:
            self.fault("call", f"{visit.session} at {visit.node} did not get the call {call}, which its node has done")
