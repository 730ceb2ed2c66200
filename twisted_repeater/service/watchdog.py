"""A thread that notices when something blocks the reactor, such as a filter that loops, and logs its name."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from .._text import printable
from .._types import Reactor

__all__ = ["Watchdog", "stack_text"]

LOOK_EVERY = 0.25
"""How many seconds pass between two questions to the reactor."""

TOO_LONG = 1.0
"""How many seconds something may block the reactor before that is logged."""

FRAMES = 4
"""How many of the innermost frames are logged."""

NOT_THE_APPLICATION = frozenset({"twisted", "twisted_repeater", "zope", *sys.stdlib_module_names})
"""The packages that are not the application's code."""

log: Logger = Logger()


class _Question:
    """A question to the reactor: does it still run?"""

    __slots__ = ("asked", "who")

    def __init__(self) -> None:
        self.asked = time.monotonic()
        self.who = ""
        """The name of the function that blocks the reactor, once it was logged."""


class Watchdog:
    """Watches the reactor from a daemon thread.

    The thread asks the reactor by ``callFromThread`` and waits for its answer. A reactor that waits for its sockets
    answers at once. So messages cost nothing more, and the clock of the reactor's timers does not matter. While
    something blocks the reactor, the thread calls ``on_stall`` every quarter of a second. When the reactor answers, it
    calls ``on_answer``.
    """

    def __init__(
        self,
        reactor: Reactor,
        on_stall: Callable[[], None] = lambda: None,
        on_answer: Callable[[], object] = lambda: None,
    ) -> None:
        self._reactor = reactor
        self._on_stall = on_stall
        self._on_answer = on_answer
        self._question: _Question | None = None
        self.watched: int = 0
        """The identity of the reactor's thread."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="twisted_repeater watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch. Call this in the thread of the reactor."""
        self.watched = threading.get_ident()
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopping.set()

    @property
    def stalled(self) -> bool:
        """Whether something has blocked the reactor for too long."""
        question = self._question
        return question is not None and time.monotonic() - question.asked > TOO_LONG

    def look(self, frame: FrameType | None = None) -> tuple[str, str]:
        """Return which function blocks the reactor, and where; ``frame`` is its thread's innermost, if known."""
        return stack_text(frame or sys._current_frames().get(self.watched))

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_EVERY):
            question = self._question
            if question is None:
                question = self._question = _Question()
                self._reactor.callFromThread(self._answer, question)
            elif self.stalled:
                if not question.who:
                    self._log_stall(question)
                self._on_stall()

    def _log_stall(self, question: _Question) -> None:
        who, where = self.look()
        question.who = who
        log.warn(
            "{who} has blocked the reactor for {seconds:.1f} seconds, and nobody is served meanwhile; it is {where}",
            who=who,
            seconds=time.monotonic() - question.asked,
            where=where,
        )

    def _answer(self, question: _Question) -> None:
        """Answer the question; called by the reactor."""
        self._question = None
        self._on_answer()
        seconds = time.monotonic() - question.asked
        if question.who:
            log.warn("{who} released the reactor after {seconds:.1f} seconds", who=question.who, seconds=seconds)
        elif seconds > TOO_LONG:  # by C code that held the global lock, or because the process was stopped
            log.warn("something unknown blocked the reactor for {seconds:.1f} seconds", seconds=seconds)


def stack_text(frame: FrameType | None) -> tuple[str, str]:
    """Return the function that blocks the reactor, as ``module:name``, and its place; ``frame`` is the innermost one.

    It is the outermost function of the application that the reactor or the repeater has called: the filter (compiled
    parts of the repeater have no frames). If the application has no frame, it is the innermost function.
    """
    frames: list[FrameType] = []
    while frame is not None:
        frames.insert(0, frame)
        frame = frame.f_back
    if not frames:
        return ("something", "at an unknown place")
    for index, candidate in enumerate(frames):  # the frames before it only started the reactor
        if _module(candidate).startswith("twisted.internet."):
            frames = frames[index:]
            break
    if any(frame.f_code is ThreadPool.stop.__code__ for frame in frames):  # as the process ends
        return ("a thread that has not ended, such as the look-up of a name,", _place(frames[-1]))
    application = [frame for frame in frames if _module(frame).partition(".")[0] not in NOT_THE_APPLICATION]
    guilty = application[0] if application else frames[-1]
    where = ", called ".join(_place(frame) for frame in reversed((application or frames)[-FRAMES:]))
    return (f"{_module(guilty)}:{guilty.f_code.co_qualname}", where)


def _module(frame: FrameType) -> str:
    return printable(str(frame.f_globals.get("__name__", "?")))


def _place(frame: FrameType) -> str:
    return printable(f"at {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}")
