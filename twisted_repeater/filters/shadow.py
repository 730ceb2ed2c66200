"""`Shadow`: runs a filter without obeying it, to see what it would do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .._pending import verdict_later
from .._text import loggable
from ..interfaces import ICodec, IFilter
from ..selectors import Selector
from ..verdicts import Verdict
from ._migration import hand_over_by_name
from ._provider import checked_function, common_selector, guarded, name_of, pass_on, selector_of

__all__ = ["Shadow"]


@implementer(IFilter)
class Shadow:
    """Asks a candidate about each message, and obeys another filter: ``live``, or by default lets all pass on.

    The numbers say how the verdicts compare: ``agreed``, ``differed``, ``failed`` (the candidate raised, gave none, or
    one that cannot be compared) and ``skipped`` (it was not asked: ``most_waiting`` of its answers had not come). Where
    ``live`` fails, nothing is compared. ``on_difference`` is called with the message, the link, the verdict that was
    obeyed and the candidate's.

    Nothing waits for a candidate that answers later. It must not change messages, and what it does besides giving a
    verdict is done: to ``link.state`` and by ``link.send_to_client``, for example.
    """

    log = Logger()

    def __init__(
        self,
        candidate: Any,
        live: Any = None,
        *,
        on_difference: Callable[[Any, Any, Verdict, Verdict], Any] | None = None,
        most_waiting: int = 1000,
    ) -> None:
        self.candidate = candidate
        self.live = live
        self.on_difference = on_difference
        self.most_waiting = most_waiting
        self.agreed = self.differed = self.failed = self.skipped = self.waiting = 0
        self._raised = False
        """Whether ``on_difference`` has raised."""
        self.__qualname__ = f"Shadow({name_of(candidate)})"
        self._ask = checked_function(candidate) if live is None else guarded(candidate)
        self._obey = pass_on if live is None else guarded(live)

    def migrate(self, old: Any) -> None:
        """Let both filters take over from those of their names before; the numbers begin anew, for a new candidate."""
        before = (old.live, old.candidate) if isinstance(old, Shadow) else (old,)
        hand_over_by_name((self.live, self.candidate), before)

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `IFilter`."""
        if self.live is None:
            return selector_of(self.candidate, codec)
        return common_selector((self.candidate, self.live), codec)

    def filter(self, message: Any, link: Any) -> Any:
        """See `IFilter`."""
        obeyed = self._obey(message, link)
        if not isinstance(obeyed, Verdict):
            obeyed = verdict_later(obeyed, name_of(self.live))
        if self.waiting >= self.most_waiting:
            self.skipped += 1
            return obeyed
        candidate = self._candidates(message, link)
        if isinstance(obeyed, Deferred):
            return obeyed.addCallback(self._compare, candidate, message, link)
        return self._compare(obeyed, candidate, message, link)

    def _candidates(self, message: Any, link: Any) -> Verdict | Deferred[Verdict | None] | None:
        """Return the candidate's verdict or a Deferred of it, ``None`` if it failed."""
        try:
            verdict = self._ask(message, link)
            if isinstance(verdict, Verdict):
                return verdict
            later = verdict_later(verdict, name_of(self.candidate))
        except KeyboardInterrupt:
            raise
        except BaseException:  # one that calls sys.exit() has failed, no more
            self._failed(Failure())
            return None
        self.waiting += 1
        return later.addBoth(self._arrived).addErrback(self._failed)

    def _arrived(self, result: Any) -> Any:
        self.waiting -= 1
        return result

    def _failed(self, failure: Failure) -> None:
        self.failed += 1
        if self.failed == 1:  # a broken candidate must not fill the disk
            self.log.failure(
                "{name} failed in shadow; the next times are only counted", loggable(failure), name=self.__qualname__
            )

    def _compare(self, obeyed: Any, candidate: Any, message: Any, link: Any) -> Any:
        """Compare, at once or when the candidate answers; give what is obeyed."""
        if isinstance(candidate, Deferred):
            candidate.addCallback(self._count, obeyed, message, link)
        else:
            self._count(candidate, obeyed, message, link)
        return obeyed

    def _count(self, candidate: Any, obeyed: Any, message: Any, link: Any) -> None:
        if candidate is None:
            return
        try:
            agreed = bool(candidate == obeyed)
        except KeyboardInterrupt:
            raise
        except BaseException:  # of messages that are compared
            self._failed(Failure())
            return
        if agreed:
            self.agreed += 1
            return
        self.differed += 1
        if self.on_difference is not None:
            try:
                self.on_difference(message, link, obeyed, candidate)
            except KeyboardInterrupt:
                raise
            except BaseException:
                if not self._raised:
                    self._raised = True
                    self.log.failure("on_difference raised; the next times are not logged", loggable(Failure()))
