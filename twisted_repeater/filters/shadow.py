"""`Shadow`: runs a filter without obeying it, to compare its verdicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .._pending import verdict_later
from .._text import loggable
from .._types import Filter, Message
from ..interfaces import ICodec, IFilter, IMigrating, ISelectiveByCodec
from ..link import Link
from ..selectors import Selector
from ..verdicts import Answer, Verdict
from ._migration import hand_over_by_name
from ._provider import checked_function, common_selector, guarded, name_of, pass_on, selector_of

__all__ = ["Shadow"]

T = TypeVar("T")

log: Final = Logger()


@implementer(IFilter, ISelectiveByCodec, IMigrating)
class Shadow:
    """Asks a candidate about each message, and obeys another filter.

    The numbers compare the verdicts: ``agreed``, ``differed``, ``failed`` (the candidate raised, or returned no verdict
    or one that cannot be compared) and ``skipped`` (the candidate was not asked, because it has yet to answer too many
    others). If ``live`` fails, nothing is compared.

    Nothing waits for a candidate that answers later. It must not change messages. Its verdict has no effect, but
    everything else that it does has: to ``link.state`` and by ``link.send_to_client``, for example.

    Args:
        candidate: the filter to try.
        live: the filter to obey; ``None`` passes everything on.
        on_difference: called with the message, the link, the verdict that was obeyed and the candidate's.
        most_waiting: how many answers of the candidate may be awaited at once.

    Raises:
        TypeError: an argument is not a filter.
    """

    def __init__(
        self,
        candidate: Filter,
        live: Filter | None = None,
        *,
        on_difference: Callable[[Message, Link, Verdict, Verdict], object] | None = None,
        most_waiting: int = 1000,
    ) -> None:
        self.candidate = candidate
        self.live = live
        self.on_difference = on_difference
        self.most_waiting = most_waiting
        self.agreed: int = 0
        self.differed: int = 0
        self.failed: int = 0
        self.skipped: int = 0
        self.waiting: int = 0
        self._raised = False
        """Whether ``on_difference`` has raised."""
        self.__qualname__: str = f"Shadow({name_of(candidate)})"
        self._ask = checked_function(candidate) if live is None else guarded(candidate)
        self._obey = pass_on if live is None else guarded(live)

    def migrate(self, old: object) -> None:
        """See `IMigrating`. Both filters take over from those of their names; the numbers begin again at 0."""
        before: tuple[object, ...] = (old.live, old.candidate) if isinstance(old, Shadow) else (old,)
        hand_over_by_name((self.live, self.candidate), before)

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        if self.live is None:
            return selector_of(self.candidate, codec)
        return common_selector((self.candidate, self.live), codec)

    def filter(self, message: object, link: Link) -> Answer:
        """See `IFilter`."""
        answer = self._obey(message, link)
        obeyed = answer if isinstance(answer, Verdict) else verdict_later(answer, name_of(self.live))
        if self.waiting >= self.most_waiting:
            self.skipped += 1
            return obeyed
        candidate = self._candidates(message, link)
        if isinstance(obeyed, Deferred):
            return obeyed.addCallback(self._compare, candidate, message, link)
        return self._compare(obeyed, candidate, message, link)

    def _candidates(self, message: object, link: Link) -> Verdict | Deferred[Verdict | None] | None:
        """Return the candidate's verdict or a Deferred of it, ``None`` if it failed."""
        try:
            verdict = self._ask(message, link)
            if isinstance(verdict, Verdict):
                return verdict
            later = verdict_later(verdict, name_of(self.candidate))
        except KeyboardInterrupt:
            raise
        except BaseException:
            self._failed(Failure())
            return None
        self.waiting += 1
        later.addBoth(self._arrived)
        return later.addErrback(self._failed)

    def _arrived(self, result: T) -> T:
        self.waiting -= 1
        return result

    def _failed(self, failure: Failure) -> None:
        self.failed += 1
        if self.failed == 1:  # a broken candidate must not fill the disk
            log.failure(
                "{name} failed in shadow; further failures are only counted", loggable(failure), name=self.__qualname__
            )

    def _compare(
        self, obeyed: Verdict, candidate: Verdict | Deferred[Verdict | None] | None, message: object, link: Link
    ) -> Verdict:
        """Compare, at once or when the candidate answers. Return the verdict that is obeyed."""
        if isinstance(candidate, Deferred):
            candidate.addCallback(self._count, obeyed, message, link)
        else:
            self._count(candidate, obeyed, message, link)
        return obeyed

    def _count(self, candidate: Verdict | None, obeyed: Verdict, message: object, link: Link) -> None:
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
                    log.failure("on_difference raised; further failures are not logged", loggable(Failure()))
