"""`with_requests`: shows a filter each response together with the request that it answers.

A response to a read has only the values: what they are is in the request. Both filters of a link share a `Waiting`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from twisted.logger import Logger
from zope.interface import implementer

from ..._text import repr_of, shortened
from ..._types import Filters
from ...errors import LinkError
from ...filters._provider import selector_for_types
from ...interfaces import ICodec, IFilter, IFilterPair, IMigrating, ISelectiveByCodec
from ...link import Link
from ...selectors import Selector
from ...verdicts import DROP, PASS_ON, Answer, Close, Verdict
from .codec import RequestCodec, ResponseCodec
from .message import Area, Raw
from .requests import Request
from .responses import ExceptionResponse, Response

__all__ = ["MixedUpResponses", "WithRequests", "with_requests"]

log: Logger = Logger()

Decide: TypeAlias = Callable[[Response, Request, Link], Answer]

MOST = 256
"""Among how many of the latest requests the one that a response answers is looked for."""
NAME = "with_requests"
BITS = (Area.COILS, Area.DISCRETE_INPUTS)
"""The tables whose values come in groups of eight."""


class MixedUpResponses(LinkError):
    """A response may belong to different requests, as the client has given them the same number."""


def with_requests(decide: Decide, /) -> WithRequests:
    """Return a pair of filters that calls a function with each response, and with the request that it answers.

    For example, register 100 reads as 21.5 degrees, whatever the sensor says::

        def warm(response: Response, request: Request, link: Link) -> Verdict:
            if not isinstance(response, ReadHoldingRegistersResponse) or 100 not in request.read:
                return PASS_ON
            values = list(response.values)
            values[100 - request.address] = 215
            return Send(replace(response, values=tuple(values)))

        repeater.start(filters=with_requests(warm))

    A response answers a request with the same transaction number, unit and function, if it has as many values as the
    request asks for. So a late response is never taken for the response to a later request. A response without a
    request among the latest 256 is dropped, and the first one is logged. If the client has given the same number to
    different requests, and a response may belong to several of them, the link is closed with `MixedUpResponses`: the
    client would not know either.

    In a `chain`, put it after the filters that answer requests themselves.

    Args:
        decide: a function of a response, its request and the link, which returns a verdict on the response, or a
            Deferred or a coroutine of one.

    Raises:
        TypeError: ``decide`` is not a function.
    """
    return WithRequests(decide)


@implementer(IFilterPair)
class WithRequests:
    """A pair of filters that matches responses to requests; `with_requests` makes it."""

    def __init__(self, decide: Decide) -> None:
        if not callable(decide):
            raise TypeError(f"with_requests takes a function of a response, its request and a link, not {decide!r}")
        self.decide: Decide = decide
        self.__qualname__: str = NAME
        self._unasked = False

    def __repr__(self) -> str:
        return f"with_requests({repr_of(self.decide)})"

    def for_link(self, link: Link) -> Filters:
        """See `IFilterPair`."""
        waiting = Waiting()
        return (_Asking(waiting), _Answering(waiting, self))

    def log_unasked(self, link: Link) -> None:
        """Log once that a server has sent a response that no request has asked for."""
        if not self._unasked:
            self._unasked = True
            log.warn(
                "client {client!r}: a response of the server answers none of the latest requests; it is dropped "
                "(logged once)",
                client=shortened(link.client_name),
                link=link.id,
            )


class Waiting:
    """The latest requests of a link that are not answered.

    Some are never answered: those that time out, and broadcasts. They are forgotten when enough others have come, so
    that they do not meet a later request when the numbers of a client begin again.
    """

    def __init__(self) -> None:
        self._count = 0
        self._requests: deque[tuple[int, Request]] = deque()

    def add(self, request: Request) -> None:
        """Remember a request."""
        self._count += 1
        while self._requests and self._requests[0][0] <= self._count - MOST:
            self._requests.popleft()
        self._requests.append((self._count, request))

    def take(self, response: Response) -> list[Request]:
        """Return the different requests that a response may answer, and forget the first one.

        One that the client has sent again may be answered again.
        """
        found = [entry for entry in self._requests if is_answer(response, entry[1])]
        if found:
            self._requests.remove(found[0])
        return list(dict.fromkeys(request for _, request in found))


def is_answer(response: Response, request: Request) -> bool:
    """Return whether a response may be the answer to a request."""
    if (
        response.transaction != request.transaction
        or response.unit != request.unit
        or response.function != request.function & 0x7F
    ):
        return False
    if isinstance(response, (ExceptionResponse, Raw)):
        return True
    count = len(request.read)
    return len(response.values) == ((count + 7) // 8 * 8 if request.area in BITS else count)


class _Filter:
    """The filter of one direction of a link."""

    __qualname__ = NAME

    def __init__(self, waiting: Waiting) -> None:
        self.waiting: Waiting = waiting

    def migrate(self, old: object) -> None:
        """See `IMigrating`. It goes on with the requests of the link."""
        if isinstance(old, _Filter):
            self.waiting = old.waiting


@implementer(IFilter, ISelectiveByCodec, IMigrating)
class _Asking(_Filter):
    """Remembers the requests."""

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        return selector_for_types(self, RequestCodec.message_types, codec)

    def filter(self, request: Request, link: Link) -> Verdict:
        """See `IFilter`."""
        self.waiting.add(request)
        return PASS_ON


@implementer(IFilter, ISelectiveByCodec, IMigrating)
class _Answering(_Filter):
    """Shows the responses with their requests."""

    def __init__(self, waiting: Waiting, pair: WithRequests) -> None:
        super().__init__(waiting)
        self._pair = pair

    def selector_for(self, codec: ICodec | None) -> Selector | None:
        """See `ISelectiveByCodec`."""
        return selector_for_types(self, ResponseCodec.message_types, codec)

    def filter(self, response: Response, link: Link) -> Answer:
        """See `IFilter`."""
        requests = self.waiting.take(response)
        if len(requests) == 1:
            return self._pair.decide(response, requests[0], link)
        if requests:
            return Close(MixedUpResponses(f"a response may answer any of {len(requests)} requests: {response!r}"))
        self._pair.log_unasked(link)
        return DROP
