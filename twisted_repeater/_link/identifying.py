"""The change of a link's name while messages are relayed: ``link.identify``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from .._coroutines import call
from .._text import repr_of, told
from ..errors import ClientGone, ClientNotAllowed, ConnectingError, RefusedByApplication, Replaced
from ..model import Side

if TYPE_CHECKING:
    from .application import Application
    from .names import Names
    from .pair import Pair

__all__ = ["Identifications"]


class Identifications:
    """The calls of ``link.identify`` that are under way, one for a link at most."""

    def __init__(
        self,
        names: Names,
        application: Application,
        clock: IReactorTime,
        is_client_allowed: Callable[[str], object],
    ) -> None:
        self._names = names
        self._application = application
        self._clock = clock
        self._is_client_allowed = is_client_allowed
        self._under_way: dict[Pair, _Identification] = {}

    def begin(self, pair: Pair, name: str, timeout: float) -> Deferred[None]:
        """Give a link another name; see `ILink`. A call that is still under way fails with `Replaced`."""
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, not {repr_of(name)}")
        if not (pair.made or pair.closing):
            raise RuntimeError("the link is not made yet: the opening of the dialect names its client (Attempt.admit)")
        earlier = self._under_way.pop(pair, None)
        if earlier is not None:
            earlier.stop(Replaced(f"the link was identified again, as {name!r}", Side.CLIENT))
        if pair.closing:
            state = "is over" if pair.over else "closes"
            return fail(ClientGone(f"the link {state}, so it cannot get the name {name!r}", Side.CLIENT))
        if pair.claim == name and not self._names.is_labelled(pair):
            return succeed(None)
        begun = self._under_way[pair] = _Identification(
            pair, name, names=self._names, application=self._application, clock=self._clock, timeout=timeout
        )
        begun.done.addBoth(self._done, pair, begun)
        begun.start(self._is_client_allowed)
        return begun.done

    def stop(self, pair: Pair) -> None:
        """A link is over: the call that is under way fails."""
        begun = self._under_way.pop(pair, None)
        if begun is not None:
            begun.stop(ClientGone("the link ended before it got the name", Side.CLIENT))

    def _done(self, result: object, pair: Pair, begun: _Identification) -> object:
        if self._under_way.get(pair) is begun:
            del self._under_way[pair]
        return result


class _Identification:
    """One call of ``link.identify``.

    ``done`` fires when the link has the name, and fails with a `ConnectingError` when it cannot have it. Then it keeps
    the name that it had.
    """

    __slots__ = ("_application", "_awaited", "_clock", "_deadline", "_name", "_names", "_pair", "_stopped", "done")

    def __init__(
        self, pair: Pair, name: str, *, names: Names, application: Application, clock: IReactorTime, timeout: float
    ) -> None:
        self._pair = pair
        self._name = name
        self._names = names
        self._application = application
        self._clock = clock
        self._deadline = clock.seconds() + timeout
        self._awaited: Deferred[Any] | None = None
        self._stopped = False
        self.done: Deferred[None] = Deferred(lambda done: self.stop(CancelledError()))

    def start(self, is_client_allowed: Callable[[str], object]) -> None:
        """Begin. Call it once."""
        Deferred.fromCoroutine(self._identify(is_client_allowed)).addBoth(self._ended)

    def stop(self, why: BaseException) -> None:
        """Give up: ``done`` fails now, even if the application's answer is still to come."""
        if self._stopped or self.done.called:
            return
        self._stopped = True
        self._pair.timers.stop("identify")
        if self._awaited is not None:
            try:
                self._awaited.cancel()
            except KeyboardInterrupt:
                raise
            except BaseException:  # raised by the application's canceller
                self._failed_late(Failure())
        if not self.done.called:
            self.done.errback(why)

    async def _identify(self, is_client_allowed: Callable[[str], object]) -> None:
        pair, name = self._pair, self._name
        allowed = await self._ask(is_client_allowed, name)
        if not await self._ask(bool, allowed):  # bool may call code of the application, too
            raise ClientNotAllowed(f"client {name!r} is not allowed", Side.CLIENT)
        if pair.closing:  # by the callback
            raise ClientGone(f"the link closes, so it cannot get the name {name!r}", Side.CLIENT)
        left = self._deadline - self._clock.seconds()
        await self._step(Deferred.fromCoroutine(self._names.take(pair, name, left)))
        old, pair.client_name = pair.client_name, name
        pair.timers.stop("name")
        self._application.link_identified(pair, old)

    async def _ask(self, callback: Callable[..., object], *arguments: object) -> Any:
        """Call back into the application. If it raises, or does not answer in time, the link cannot have the name."""
        try:
            answer = call(callback, *arguments)
            if not answer.called or answer.paused:
                left = self._deadline - self._clock.seconds()
                self._pair.timers.call_later("identify", left, self._answer_is_late)
            return await self._step(answer)
        except (ConnectingError, GeneratorExit):
            raise
        except BaseException as error:  # a Deferred has caught Ctrl-C, too, and would let it go no further
            raise RefusedByApplication(told(error)) from error
        finally:
            self._pair.timers.stop("identify")

    def _answer_is_late(self) -> None:
        self.stop(RefusedByApplication("no answer of the application in time"))

    async def _step(self, deferred: Deferred[Any]) -> Any:
        """Wait for one step; `stop` cancels it."""
        if self._stopped:  # by the application's callback itself, whose answer no longer matters
            deferred.addErrback(self._failed_late)
            raise CancelledError
        self._awaited = deferred
        try:
            result = await deferred
        finally:
            self._awaited = None
        if self._stopped:
            raise CancelledError
        return result

    def _ended(self, result: Any) -> None:
        if not self._stopped:
            self.done.callback(result)
        elif isinstance(result, Failure):
            error = result.value
            reason = error.__cause__ if isinstance(error, RefusedByApplication) else error
            if not isinstance(reason, (CancelledError, ConnectingError)):
                self._failed_late(result)

    def _failed_late(self, failure: Failure) -> None:
        self._application.log_failure("is_client_allowed failed after it was no longer waited for", failure)
