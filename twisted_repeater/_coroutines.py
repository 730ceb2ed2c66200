"""Runs the coroutines of an application, which may await Deferreds and, with Twisted's asyncio reactor, asyncio too."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from inspect import iscoroutine
from types import coroutine as awaitable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.python.failure import Failure

from .errors import ConnectingError

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

Work: TypeAlias = Coroutine[Any, Any, T]
"""A coroutine of the application, which awaits whatever it likes."""

NEEDS_ASYNCIO = (
    "no running event loop",
    "await wasn't used with future",
    "Timeout should be used inside a task",
)
"""Errors that asyncio raises where its loop does not run; they do not say that another reactor is needed."""


def call(callback: Callable[..., object], *arguments: object) -> Deferred[Any]:
    """Call a callback of the application. Return a Deferred of its result, whatever kind of function it is."""
    return maybeDeferred(_call, callback, arguments)


def _call(callback: Callable[..., object], arguments: tuple[object, ...]) -> object:
    result = callback(*arguments)
    return run(result) if iscoroutine(result) else result


def run(coroutine: Work[T]) -> Deferred[T]:
    """Run a coroutine of the application. Return a Deferred of its result.

    With Twisted's asyncio reactor the coroutine is an asyncio task: it may await Deferreds and everything that asyncio
    can await. If the Deferred is cancelled, so is the task. With other reactors the coroutine may await Deferreds, and
    begins at once.
    """
    loop = _running_loop()
    if loop is None:
        deferred = Deferred.fromCoroutine(coroutine)
        if deferred.called and not isinstance(deferred.result, Failure):
            return deferred  # most have; an errback would double the cost of a coroutine that answers at once
        return deferred.addErrback(_explained)
    task: asyncio.Task[Any] = loop.create_task(_outcome(coroutine, loop))
    task.add_done_callback(lambda _: coroutine.close())  # a task that is cancelled before its first step never runs it
    return Deferred.fromFuture(task).addErrback(_cancelled)


def begin(coroutine: Work[T]) -> tuple[bool, Any]:
    """Run a coroutine as `run` does, without the price of a Deferred for one that waits for nothing.

    Returns:
        Whether it has ended, and its result; or a Deferred of that, if it waits for something.

    Raises:
        BaseException: what the coroutine raises before it waits for anything.
    """
    if _running_loop() is not None:
        return False, run(coroutine)
    context = copy_context()
    try:
        awaited = context.run(coroutine.send, None)
    except StopIteration as end:
        return True, end.value
    except RuntimeError as error:
        _explain(error)
        raise
    return False, run(_rest(coroutine, context, awaited))


@awaitable
def _rest(coroutine: Work[T], context: Context, awaited: object) -> Generator[Any, Any, T]:
    """Go on with a coroutine that waits for ``awaited``; return its result.

    All its steps run in one context, so that it may reset a variable that it has set in an earlier one.
    """
    error: BaseException | None
    while True:
        try:
            answer, error = (yield awaited), None
        except GeneratorExit:  # nobody waits any more
            context.run(coroutine.close)
            raise
        except BaseException as thrown:  # what it awaits has failed: the coroutine gets the error
            answer, error = None, thrown
        try:
            awaited = context.run(coroutine.send, answer) if error is None else context.run(coroutine.throw, error)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            error = None  # its traceback has this frame


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """Return asyncio's loop if it runs in this thread. Its module is loaded if a loop runs."""
    events = sys.modules.get("asyncio.events")
    return None if events is None else events._get_running_loop()  # get_running_loop would raise, which costs more


def _explain(error: BaseException | None) -> None:
    """Raise an error that says which reactor is needed if this is one of asyncio where its loop does not run."""
    if isinstance(error, RuntimeError) and str(error) in NEEDS_ASYNCIO:
        raise RuntimeError(
            "a coroutine awaits something of asyncio, which needs Twisted's asyncio reactor: twistd -r asyncio"
        ) from error


def _explained(failure: Failure) -> Failure:
    """Do the same with a failure."""
    _explain(failure.value)
    return failure


# -- with asyncio's loop --------------------------------------------------------------------------------------


async def _outcome(coroutine: Work[object], loop: asyncio.AbstractEventLoop) -> object:
    """Run a coroutine as a task does. Return its result, or its failure.

    A ``SystemExit`` that leaves a task would end the loop, and with it the process.
    """
    from asyncio import CancelledError as TaskCancelled

    try:
        return await _stepped(coroutine, loop)
    except (KeyboardInterrupt, GeneratorExit, TaskCancelled):  # the task itself ends so
        raise
    except BaseException:
        return Failure()


@awaitable
def _stepped(coroutine: Work[T], loop: asyncio.AbstractEventLoop) -> Generator[object, None, T]:
    """Run a coroutine from one thing that it awaits to the next: the task waits for futures, this for Deferreds."""
    error: BaseException | None = None
    while True:
        try:
            awaited = coroutine.send(None) if error is None else coroutine.throw(error)
        except StopIteration as end:
            result: T = end.value
            return result
        error = None
        try:
            if isinstance(awaited, Deferred):
                yield from _fired(awaited, loop)
            else:
                yield awaited
        except BaseException as thrown:  # the future failed or the task was cancelled: the coroutine gets the error
            error = thrown


def _fired(deferred: Deferred[object], loop: asyncio.AbstractEventLoop) -> Generator[object, None, None]:
    """Wait until a Deferred has fired, and leave its result in it for the coroutine that awaits it."""
    future: asyncio.Future[None] = loop.create_future()

    def fired(result: object) -> object:
        if not future.done():
            future.set_result(None)
        return result

    deferred.addBoth(fired)
    try:
        yield from future
    except BaseException:  # the task was cancelled: nobody waits for the Deferred any more
        deferred.addErrback(_ignore_cancelled)
        deferred.cancel()
        raise


def _ignore_cancelled(failure: Failure) -> None:
    """Ignore that a Deferred was cancelled, and what the attempt reports by itself; log other errors."""
    failure.trap(CancelledError, ConnectingError)


def _cancelled(failure: Failure) -> Failure:
    """Replace asyncio's `CancelledError` by Twisted's."""
    from asyncio import CancelledError as TaskCancelled

    if isinstance(failure.value, TaskCancelled):
        error = CancelledError()
        error.__cause__ = failure.value
        return Failure(error)
    return failure
