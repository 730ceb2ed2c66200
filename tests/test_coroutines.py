"""Tests of coroutines of an application, with asyncio's loop and without it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, Verdict
from twisted_repeater._coroutines import begin, call, run
from twisted_repeater._pending import PendingVerdict

from .drawn import examples

CHOICE: contextvars.ContextVar[str] = contextvars.ContextVar("CHOICE", default="none")


class WithoutAsyncioTests(SynchronousTestCase):
    """Coroutines where asyncio's loop does not run."""

    def test_begins_at_once(self) -> None:
        """A coroutine that waits for nothing is over when `run` returns; one that awaits a Deferred ends with that."""

        async def answer(deferred: Deferred[str]) -> str:
            return await deferred

        self.assertEqual(self.successResultOf(run(answer(succeed("now")))), "now")
        deferred: Deferred[str] = Deferred()
        result = run(answer(deferred))
        self.assertNoResult(result)
        deferred.callback("later")
        self.assertEqual(self.successResultOf(result), "later")

    def test_any_function(self) -> None:
        """A callback may be a plain function, return a Deferred, or be a coroutine; what it raises is a failure."""

        async def coroutine(value: int) -> int:
            return value + 1

        def raises(value: int) -> int:
            raise ValueError(value)

        callbacks: list[Callable[[int], Any]] = [lambda value: value + 1, lambda value: succeed(value + 1), coroutine]
        for callback in callbacks:
            self.assertEqual(self.successResultOf(call(callback, 1)), 2)
        self.failureResultOf(call(raises, 1), ValueError)

    def test_asyncio_is_explained(self) -> None:
        """Awaiting what only asyncio can wait for fails with an error that names the reactor that is needed."""
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)

        async def sleeps() -> None:
            await asyncio.sleep(1)

        async def waits_for_a_future() -> None:
            await loop.create_future()

        async def limits_its_time() -> None:
            async with asyncio.timeout(1):
                await Deferred()

        for coroutine in (sleeps, waits_for_a_future, limits_its_time):
            failure = self.failureResultOf(call(coroutine), RuntimeError)
            self.assertIn("needs Twisted's asyncio reactor: twistd -r asyncio", str(failure.value))
            self.assertIsInstance(failure.value.__cause__, RuntimeError)

    def test_other_errors_stay(self) -> None:
        """Any other error of a coroutine is left as it is."""

        async def fails() -> None:
            raise RuntimeError("mine")

        self.assertEqual(str(self.failureResultOf(run(fails()), RuntimeError).value), "mine")


STEPS = ("fired", "failed", "fires", "fails", "set", "reset", "raise", "other", "nested")
"""What a coroutine of `BeginTests` may do in a step."""


class Sample:
    """A coroutine that takes these steps, and writes down what it sees."""

    def __init__(self, steps: list[str], start: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self.seen: list[Any] = []
        self.waits: list[tuple[Deferred[Any], str]] = []
        """The Deferreds that have not fired, and how they will."""
        self._start = start
        self._tokens: list[contextvars.Token[str]] = []
        self.ended = start(self._take(steps))

    async def _take(self, steps: list[str]) -> str:
        for number, step in enumerate(steps):
            try:
                self.seen.append(await self._step(step, number))
            except LookupError as error:
                self.seen.append((type(error), error.args))
            self.seen.append((CHOICE.get(), sys.exc_info()[0]))
        return "the end"

    async def _step(self, step: str, number: int) -> object:
        if step in ("fires", "fails"):
            deferred: Deferred[Any] = Deferred()
            self.waits.append((deferred, step))
            return await deferred
        if step == "set":
            self._tokens.append(CHOICE.set(str(number)))
        elif step == "reset" and self._tokens:
            CHOICE.reset(self._tokens.pop())
        elif step == "raise":
            raise ValueError(number)
        elif step == "nested":
            return Sample(["set", "fired"], self._start).seen
        elif step == "other":
            return await Other()
        return await (fail(KeyError(number)) if step == "failed" else succeed(number))

    def outcome(self) -> tuple[Any, ...]:
        """Let everything fire that the coroutine waits for; return what it saw, and how it ended."""
        while self.waits:
            deferred, how = self.waits.pop()
            deferred.callback("came") if how == "fires" else deferred.errback(LookupError("failed later"))
        result: list[Any] = []
        self.ended.addBoth(result.append)
        return self.seen, [repr(each.value) if isinstance(each, Failure) else each for each in result]


class Other:
    """Awaits what is no Deferred."""

    def __await__(self) -> Any:
        return (yield "other")


class BeginTests(SynchronousTestCase):
    """Coroutines of which most end at once."""

    def begin(self, coroutine: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        """Begin a coroutine, and make a Deferred of its result in any case."""
        try:
            ended, result = begin(coroutine)
        except Exception as error:
            return fail(error)
        return succeed(result) if ended else result

    @settings(max_examples=examples(100))
    @given(st.lists(st.sampled_from(STEPS), max_size=6))
    def test_it_does_what_run_does(self, steps: list[str]) -> None:
        """Whatever a coroutine awaits, sets or raises: it sees, and ends with, the same as if it was run."""
        self.assertEqual(Sample(steps, self.begin).outcome(), Sample(steps, run).outcome())
        self.assertEqual(CHOICE.get(), "none")

    def test_at_once(self) -> None:
        """If it waits for nothing, its result is there, also a Deferred; what it raises is raised, also Ctrl-C."""

        async def gives(result: object) -> object:
            return result

        async def raises(error: BaseException) -> None:
            raise error

        result: Any
        for result in (5, None, Deferred()):
            self.assertEqual(begin(gives(result)), (True, result))
        for error in (KeyboardInterrupt(), SystemExit(1), StopAsyncIteration()):
            self.assertRaises(type(error), begin, raises(error))

    def test_later(self) -> None:
        """If it waits, the result is a Deferred, which can be cancelled; the coroutine is cancelled then."""
        deferred: Deferred[str] = Deferred()

        async def waits() -> str:
            return await deferred

        ended, result = begin(waits())
        self.assertFalse(ended)
        result.cancel()
        self.failureResultOf(result, CancelledError)
        self.assertTrue(deferred.called)

    def test_forgotten(self) -> None:
        """If nobody keeps what it waits for, it is closed, and can clean up."""
        closed: list[str] = []

        async def waits() -> None:
            try:
                await Deferred()
            finally:
                closed.append("closed")

        begin(waits())
        gc.collect()
        self.assertEqual(closed, ["closed"])

    def test_asyncio_is_explained(self) -> None:
        """An error of asyncio names the reactor that is needed, in the first step and later; others stay."""

        async def sleeps(*, first: Deferred[None]) -> None:
            await first
            await asyncio.sleep(1)

        async def fails() -> None:
            raise RuntimeError("mine")

        self.assertRaisesRegex(RuntimeError, "twistd -r asyncio", begin, sleeps(first=succeed(None)))
        deferred: Deferred[None] = Deferred()
        _, result = begin(sleeps(first=deferred))
        deferred.callback(None)
        self.assertIn("twistd -r asyncio", str(self.failureResultOf(result, RuntimeError).value))
        self.assertRaisesRegex(RuntimeError, "^mine$", begin, fails())


class WithAsyncioTests(SynchronousTestCase):
    """Coroutines in asyncio's loop, where Twisted's asyncio reactor runs all of them."""

    def setUp(self) -> None:
        """Make a loop."""
        self.loop = asyncio.new_event_loop()
        self.addCleanup(self.loop.close)

    def in_loop(self, main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run a coroutine of asyncio's own, and return its result."""
        return self.loop.run_until_complete(asyncio.wait_for(main(), 30))

    def result_of(self, coroutine: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run a coroutine of the application in the loop; return its result, or its failure."""

        async def main() -> Any:
            over = asyncio.Event()
            results: list[Any] = []
            run(coroutine()).addBoth(results.append).addBoth(lambda _: over.set())
            await over.wait()
            return results[0]

        return self.in_loop(main)

    async def cancel(self, coroutine: Coroutine[Any, Any, Any], *, after: int) -> None:
        """Run a coroutine, cancel it after so many turns of the loop, and see that it ends as cancelled."""
        over = asyncio.Event()
        running = run(coroutine)
        for _ in range(after):
            await asyncio.sleep(0)
        running.cancel()
        running.addErrback(lambda failure: failure.trap(CancelledError)).addBoth(lambda _: over.set())
        await over.wait()

    def test_awaits_both(self) -> None:
        """A coroutine awaits futures and Deferreds in turn, and gets their results and errors."""

        async def answer() -> list[Any]:
            got: list[Any] = [await succeed("fired already")]
            deferred: Deferred[str] = Deferred()
            self.loop.call_soon(deferred.callback, "fired later")
            got.append(await deferred)
            await asyncio.sleep(0)
            got.append(await asyncio.sleep(0.001, "slept"))
            got.extend(await asyncio.gather(asyncio.sleep(0, "one"), asyncio.sleep(0, "two")))
            failing: Deferred[str] = Deferred()
            self.loop.call_soon(failing.errback, KeyError("Deferred"))
            future = self.loop.create_future()
            self.loop.call_soon(future.set_exception, KeyError("future"))
            for awaitable in (fail(KeyError("failed already")), failing, future):
                try:
                    await awaitable
                except KeyError as error:
                    got.append(error.args[0])
            return got

        expected = ["fired already", "fired later", "slept", "one", "two", "failed already", "Deferred", "future"]
        self.assertEqual(self.result_of(answer), expected)

    def test_a_task_of_its_own(self) -> None:
        """The coroutine is a task: it has a current task, asyncio's timeouts, and a context of its own."""

        async def answer() -> list[Any]:
            task = asyncio.current_task()
            CHOICE.set("inner")
            deferred: Deferred[None] = Deferred()
            self.loop.call_soon(deferred.callback, None)
            await deferred
            await asyncio.sleep(0)
            same = asyncio.current_task() is task
            try:
                async with asyncio.timeout(0.001):
                    await Deferred()
            except TimeoutError:
                return [task is not None, same, CHOICE.get(), "timeout"]
            return []

        self.assertEqual(self.result_of(answer), [True, True, "inner", "timeout"])
        self.assertEqual(CHOICE.get(), "none")

    def test_begin(self) -> None:
        """A coroutine that is begun is a task, too."""

        async def answer() -> bool:
            return asyncio.current_task() is not None

        async def main() -> object:
            ended, result = begin(answer())
            return ended, await result.asFuture(self.loop)

        self.assertEqual(self.in_loop(main), (False, True))

    def test_failures(self) -> None:
        """What a coroutine raises is the failure of its Deferred, also an exit, which ends neither loop nor process."""
        for error in (ValueError("no"), SystemExit(3)):

            async def raises(error: BaseException = error) -> None:
                await asyncio.sleep(0)
                raise error

            failure = self.result_of(raises)
            self.assertIsInstance(failure, Failure)
            self.assertIs(failure.value, error)

    def test_cancelled(self) -> None:
        """Cancelling the Deferred cancels the task, and with it what it waits for, a future or a Deferred."""
        awaited: list[Any] = []
        ended: list[str] = []
        cancelled: list[Any] = []

        async def waits(for_what: Any) -> None:
            awaited.append(for_what)
            try:
                await for_what
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        async def main() -> None:
            await self.cancel(waits(Deferred(cancelled.append)), after=2)
            await self.cancel(waits(self.loop.create_future()), after=2)

        self.in_loop(main)
        self.assertEqual(ended, ["cancelled", "cancelled"])
        self.assertEqual(cancelled, [awaited[0]])
        self.assertTrue(awaited[1].cancelled())
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_cancelled_before_it_begins(self) -> None:
        """A coroutine that is cancelled before its first step is closed without a warning."""
        begun: list[str] = []

        async def answer() -> None:
            begun.append("begun")

        async def main() -> None:
            await self.cancel(answer(), after=0)

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.in_loop(main)
            gc.collect()
        self.assertEqual(begun, [])

    def test_late_error(self) -> None:
        """An error of a Deferred that a cancelled task waited for is logged: nobody else sees it."""
        deferred: Deferred[None] = Deferred(lambda cancelled: cancelled.errback(LookupError("too late")))

        async def waits(deferred: Deferred[None]) -> None:
            await deferred

        async def main() -> None:
            nonlocal deferred
            await self.cancel(waits(deferred), after=2)
            del deferred

        self.in_loop(main)
        gc.collect()
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_verdict(self) -> None:
        """A filter's verdict comes later; one that is given up is cancelled silently."""

        async def main() -> tuple[list[Any], list[str]]:
            verdicts: list[Any] = []
            ended: list[str] = []
            came = asyncio.Event()

            async def judges() -> Verdict:
                await asyncio.sleep(0)
                return PASS_ON

            async def hangs() -> Verdict:
                try:
                    await self.loop.create_future()
                finally:
                    ended.append("given up")
                return PASS_ON

            def arrived(verdict: Any) -> None:
                verdicts.append(verdict)
                came.set()

            PendingVerdict(judges(), arrived)
            await came.wait()
            hanging = PendingVerdict(hangs(), verdicts.append)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            hanging.give_up()
            while not ended:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            return verdicts, ended

        self.assertEqual(self.in_loop(main), ([PASS_ON], ["given up"]))
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])
