"""The time of an attempt: the part of a `Making` that waits for the opening and for the application.

* ``hello_timeout`` runs from the beginning until the client is admitted, and again from there until the opening
  returns. It does not run while the server is dialled, for which there is ``connect_timeout``, and while the
  application is asked, which has ``hello_timeout`` for each answer.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from .._coroutines import run
from .._text import told
from ..dialects import Attempt
from ..errors import ConnectingError, HelloTimeout, OpeningFailed, RefusedByApplication
from .opening_peer import ignore_failure
from .pair import Pair

if TYPE_CHECKING:
    from .factory import Links

__all__ = ["TimedMaking"]

T = TypeVar("T")


class TimedMaking:
    """One client on its way to being linked, as far as that takes time."""

    __slots__ = ("_answer", "_deadline", "_due", "_links", "_pair", "_step", "attempt", "stopped")

    def __init__(self, pair: Pair, links: Links) -> None:
        self._pair = pair
        self._links = links
        self._answer: Deferred[Any] | None = None
        """The answer of the application that is awaited."""
        self._deadline = links.clock.seconds() + links.limits.hello_timeout
        """Until when the client must be admitted."""
        self._due: float | None = None
        """Until when the opening must get on; ``None`` while something else has a time of its own."""
        self._step: Deferred[None] | None = None
        """The step that the opening has taken last."""
        self.attempt: Attempt | None = None
        """The attempt that the opening got, once it has begun."""
        self.stopped: bool = False

    def stop(self, why: ConnectingError) -> None:
        """Give up."""
        raise NotImplementedError

    async def step(self, deferred: Deferred[T]) -> T:
        """Wait for one step, unless the attempt is stopped meanwhile."""
        if self.stopped:  # by the application's callback itself, whose answer no longer matters
            deferred.addErrback(self._failed_late)
            raise CancelledError
        result = await deferred
        if self.stopped:
            raise CancelledError
        return result

    # -- what the opening waits for ------------------------------------------------------------------------------

    def _asked(self) -> str | None:
        """Return what the opening has asked a peer for and does not have, if there is something."""
        for connection in (self._pair.client, self._pair.server):
            side, opening = connection.side.value, connection.opening
            if opening is not None and opening.waits:
                return f"bytes of the {side}"
            if connection.handshaking:
                return f"the TLS handshake of the {side}"
        return None

    def _let_go(self) -> None:
        """Cancel what the opening has asked for and does not wait for. If that fails, nobody has to hear of it."""
        step, self._step = self._step, None
        if step is not None:
            step.addErrback(ignore_failure)
            step.cancel()
        for connection in (self._pair.client, self._pair.server):
            if connection.opening is not None:
                connection.opening.end()

    # -- the time of the opening ---------------------------------------------------------------------------------

    def _begin_anew(self) -> None:
        """The time of the attempt begins now."""
        self._deadline = self._links.clock.seconds() + self._links.limits.hello_timeout
        self._wait_for_opening()

    def _wait_for_opening(self) -> None:
        """The opening has its time from now on."""
        timeout = self._links.limits.hello_timeout
        self._due = self._links.clock.seconds() + timeout
        if "opening" not in self._pair.timers:  # one for an attempt: to stop and start it for each step costs more
            self._pair.timers.call_later("opening", timeout, self._look_at_time)

    def _stop_opening_time(self) -> None:
        self._due = None
        self._pair.timers.stop("opening")

    def _look_at_time(self) -> None:
        """Some time is over: look whether it is the opening's."""
        if self._due is None:
            return  # the next step that is done starts the timer again
        left = self._due - self._links.clock.seconds()
        if left > 0:
            self._pair.timers.call_later("opening", left, self._look_at_time)
        else:
            self._opening_is_late()

    def _opening_is_late(self) -> None:
        pair, name = self._pair, self._links.settings.dialect.name
        for connection in (pair.client, pair.server):
            side, opening = connection.side, connection.opening
            if connection.handshaking:
                self.stop(HelloTimeout(f"no TLS handshake of the {side.value} in time", side))
                return
            if opening is not None and (opening.waits or (connection is pair.client and self.attempt is None)):
                sent = f"; it sent only {opening.beginning!r}" if opening.beginning else ""
                self.stop(HelloTimeout(f"no message of {name} from the {side.value} in time{sent}", side))
                return
        timeout = f"{self._links.limits.hello_timeout:g} seconds"
        self.stop(OpeningFailed(f"the opening of {name} did not end within {timeout}"))

    def _left(self) -> float:
        """How much of the time of the attempt is left."""
        return self._deadline - self._links.clock.seconds()

    def _stop_times(self) -> None:
        """The attempt is over."""
        self._due = None
        self._pair.timers.stop("opening", "answer")

    # -- the answers of the application ---------------------------------------------------------------------------

    async def _ask(self, callback: Callable[..., Any], *arguments: Any) -> Any:
        """Call back into the application. If it raises, or does not answer in time, the client is refused."""
        try:
            answer = callback(*arguments)
            if not isinstance(answer, Deferred) and not iscoroutine(answer):
                if self.stopped:  # by the callback itself, whose answer no longer matters
                    raise CancelledError
                return answer
            answer = run(answer) if iscoroutine(answer) else answer
            if not answer.called or answer.paused:
                self._pair.timers.call_later("answer", self._links.limits.hello_timeout, self._answer_is_late)
                self._answer = answer
                answer = _forwarded(answer)
            return await self.step(answer)
        except (ConnectingError, GeneratorExit):
            raise
        except BaseException as error:  # a Deferred would catch Ctrl-C, too, and let it go no further
            if self.stopped:
                raise
            raise RefusedByApplication(told(error)) from error
        finally:
            self._answer = None
            self._pair.timers.stop("answer")

    def _answer_is_late(self) -> None:
        timeout = self._links.limits.hello_timeout
        self.stop(RefusedByApplication(f"no answer of the application within {timeout} seconds"))

    def _cancel_answer(self) -> None:
        """Wait no longer for the application."""
        answer, self._answer = self._answer, None
        if answer is not None:
            try:
                answer.cancel()
            except KeyboardInterrupt:
                raise
            except BaseException:  # raised by the application's canceller: the attempt has ended all the same
                self._failed_late(Failure())

    def _failed_late(self, failure: Failure) -> None:
        self._links.application.log_failure("a callback failed while an attempt was given up", failure)


def _forwarded(deferred: Deferred[T]) -> Deferred[T]:
    """Return a Deferred with the same result, which can be cancelled although the application's cannot."""
    forwarded: Deferred[T] = Deferred()

    def forward(result: Any) -> None:
        if not forwarded.called:
            forwarded.callback(result)

    deferred.addBoth(forward)
    return forwarded
