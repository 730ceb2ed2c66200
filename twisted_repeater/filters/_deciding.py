"""The base of filters that ask another one about each message, and decide what becomes of its verdict."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from .._pending import verdict_later
from .._types import Filter, FilterFunction, Message
from ..interfaces import ICodec, IFilter, ISelectiveByCodec
from ..link import Link
from ..selectors import Selector
from ..verdicts import Answer, Verdict
from ._migration import Around
from ._provider import common_selector, guarded, name_of, pass_on

__all__ = ["Deciding"]


@implementer(IFilter, ISelectiveByCodec)
class Deciding(Around):
    """A filter of one direction of a link, which sees all messages, to know the order of answers.

    Args:
        inner: the filter that it asks; ``None`` passes everything on.
    """

    def __init__(self, inner: Filter | None) -> None:
        self.inner: Filter | None = inner
        self._ask: FilterFunction = pass_on if inner is None else guarded(inner)

    def filter(self, message: Message, link: Link) -> Answer:
        """See `IFilter`."""
        try:
            answer = self._ask(message, link)
        except KeyboardInterrupt:
            raise
        except BaseException:
            self._failed(message)
            raise
        if isinstance(answer, Verdict):
            return self._decide(answer, message)
        later: Deferred[Verdict] = verdict_later(answer, name_of(self.inner))
        return later.addCallbacks(self._decide, self._failed_later, callbackArgs=(message,), errbackArgs=(message,))

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        if self.inner is not None:
            common_selector((self.inner,), codec)  # for its error
        return None

    def _decide(self, verdict: Verdict, message: Message) -> Verdict | Deferred[Verdict]:
        """Return what becomes of a verdict."""
        raise NotImplementedError

    def _failed(self, message: Message) -> None:
        """The filter has failed on a message."""
        raise NotImplementedError

    def _failed_later(self, failure: Failure, message: Message) -> Failure:
        self._failed(message)
        return failure
