# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""One direction of a link: received bytes -> frames -> filter -> verdicts -> output, in order. The hot path, sans-IO.

A lane is in one of these states, which only `Lane._enter` changes:

========== ======================================= =====================================================
state      received bytes                          it is left by
========== ======================================= =====================================================
HELD       wait: the link is not complete          `start`
RUNNING    are looked at, at once
WAITING    wait for the verdict of a filter        the verdict, or `give_up_waiting`
CHOKED     wait: an outlet, or what is delayed, is full `unchoke`
GAVE_WAY   wait: other links have their turn       `take_turn`
DISCARDING are dropped, for good                   nothing
========== ======================================= =====================================================

`discard` leads from any of them to DISCARDING. The promises:

* Nothing is overtaken: bytes that wait are looked at later, in order, also after `seal`, the end of the stream.
* Calls that come while a lane is at work, from a filter or an outlet, are only noted: the work under way goes on.
* The host hears how a lane stands, by ``lane_blocked``, ``lane_gave_way`` and ``lane_flowing``, when that work is done.
* No lane keeps the reactor for much longer than a slice of time.
* A message that passes leaves as the bytes that came. The messages of one read leave in one push, unless a filter makes
  more than ``FLUSH_SIZE`` of them, or takes so long that the lane gives way.
* A large message that nobody wants to see leaves in pieces, as it comes. If its rest will not come, nothing may be
  written after the pieces: the outlet ends its stream.

The way of a message: `Lane.feed`; the reader finds its frame and asks the filter; the judge carries out the answer,
and puts frames into the output; the lane pushes them.

Compiled where a compiler was found at installation, with the types of ``lane.pxd``.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from .._pending import PendingVerdict
from .._types import FramingObject
from ..errors import FramingError
from ..model import Direction
from ..verdicts import Verdict
from .delayed import Delayed
from .judge import Judge
from .output import LaneOutlet, Output
from .reader import Reader
from .setup import LaneHost, LaneSetup

__all__ = ["MAX_HELD", "Lane"]

DISCARDING, RUNNING, WAITING, CHOKED, HELD, GAVE_WAY = range(6)  # 0 is also the state of a lane made without __init__

MAX_HELD = 1024 * 1024
"""While a lane gives way, its connection is read until this many bytes wait. If a client closes with unread replies,
its system drops all bytes that it has not sent yet, so the repeater receives them as early as it can."""


class Lane:
    """One direction of one link. The filter gets ``link`` with each message. ``now`` is a clock, in seconds."""

    def __init__(
        self,
        setup: LaneSetup,
        framing: FramingObject,
        forward: LaneOutlet,
        back: LaneOutlet,
        host: LaneHost,
        now: Callable[[], float] = monotonic,
        link: object = None,
    ) -> None:
        self.link: object = link
        self.listed: bool = False
        """Whether the frame monitor has this lane on its list."""
        self._reader = Reader(framing, now)
        self._output = Output(forward, back)
        self._judge = Judge(self, self._reader, self._output, host, link, setup)
        self._host = host
        self._state = HELD
        self._busy = self._sealed = False
        self._replacement: LaneSetup | None = None
        self._queue: Delayed | None = None
        """What goes out later."""
        self._verdict: Verdict | None = None
        """The verdict that has come, until it is carried out."""
        self._use(setup)

    @property
    def direction(self) -> Direction:
        """The direction of its messages."""
        return self.setup.direction

    @property
    def awaited(self) -> PendingVerdict | None:
        """The verdict that the lane waits for."""
        return self._judge.awaited

    @property
    def messages(self) -> int:
        """How many messages have come, up to the one that the filter looks at."""
        return self._reader.messages

    @property
    def size(self) -> int:
        """How many bytes these had on the wire."""
        return self._reader.size

    @property
    def idle(self) -> bool:
        """Whether everything that was received whole is filtered and pushed."""
        at_rest = self._state == DISCARDING or (self._state == RUNNING and not self._busy)
        return at_rest and self._queue is None

    @property
    def holding(self) -> int:
        """How many received bytes are held, not looked at yet."""
        return self._reader.held.size if self._reader.held is not None else 0

    @property
    def delays(self) -> bool:
        """Whether a message waits for its time."""
        return self._queue is not None

    @property
    def at_work(self) -> bool:
        """Whether the caller is called by this lane at its work, as its filter is."""
        return self._busy

    @property
    def gave_way(self) -> bool:
        """Whether the lane goes on in the next turn of the reactor."""
        return self._state == GAVE_WAY

    @property
    def discarding(self) -> bool:
        """Whether all bytes are dropped, for good."""
        return self._state == DISCARDING

    @property
    def unfinished_size(self) -> int:
        """How many bytes have come of a frame that is not complete."""
        return self._reader.unfinished.have if self._reader.unfinished is not None else 0

    @property
    def kept_size(self) -> int:
        """How many of these are kept. If nobody wants to see the frame, they have been passed on."""
        return self._reader.unfinished.kept if self._reader.unfinished is not None else 0

    @property
    def is_read(self) -> bool:
        """Whether more can come now."""
        return bool(self._host.lane_is_read(self))

    def equip(self, setup: LaneSetup) -> None:
        """Use another setup from the next read on; if a verdict is awaited, from the message after it."""
        waits = self._busy or self._state == WAITING
        self._replacement = setup if waits else None
        if not waits:
            self._use(setup)

    def feed(self, data: bytes) -> None:
        """Accept the next bytes of the stream."""
        if type(data) is not bytes:  # compiled code would accept None as bytes
            raise TypeError(f"a lane must be fed bytes, not {type(data).__name__}")
        if self._sealed or self._state == DISCARDING:
            return
        if self._busy or self._state != RUNNING:
            self._reader.hold(data)
            if self._state == GAVE_WAY and not self._busy:
                self._check_held()
            return
        self._busy = True
        self._reader.forget_clock()
        try:
            self._read(data, 0)
        finally:
            self._busy = False
        if self._state != RUNNING or self._reader.held is not None or self._sealed:
            self._go_on()

    def start(self) -> None:
        """The link is complete: look at the bytes that are held, then at those that come."""
        if self._state == HELD:
            self._enter(RUNNING)
            self._go_on()

    def unchoke(self) -> None:
        """There is room in an outlet: go on if the lane waited for that."""
        self.release()
        if self._state == CHOKED and not self._output.is_choked():
            self._enter(RUNNING)
            self._go_on()

    def take_turn(self) -> None:
        """The next turn of the reactor has come: go on if the lane gave way for it."""
        if self._state == GAVE_WAY:
            self._enter(RUNNING)
            self._go_on()

    def give_up_waiting(self, reason: BaseException) -> None:
        """Count the filter whose verdict is awaited as failed, for ``reason``."""
        self._judge.give_up_waiting(reason)

    def seal(self) -> None:
        """The stream has ended: accept no more bytes. Bytes that are held are still looked at."""
        self._sealed = True

    def discard(self) -> None:
        """Drop everything, for good: the bytes that are held or come, and what is delayed."""
        self.cease()
        if self._queue is not None:
            self._queue.drop()
            self._queue = self._output.delayed = None

    def cease(self) -> None:
        """Drop the bytes that are held, and all that come, for good. What is delayed still goes out."""
        self.drop_unfinished()
        if self.listed and self._monitor is not None:
            self._monitor.forget(self)
        self._enter(DISCARDING)
        self._reader.held = None
        self._verdict = None
        self._judge.drop()

    def drop_unfinished(self) -> None:
        """Drop the beginning of a frame whose end can no longer come. If it was passed on, the outlet ends, too."""
        self._reader.unfinished = None
        self._reader.count_kept(self, self._monitor)
        self._output.tear()

    def cut_off(self, error: FramingError) -> None:
        """Stop reading the stream for good, because of an error in it."""
        self.cease()
        self._host.lane_framing_failed(self, error)

    def face(self, other: Lane) -> None:
        """Accept the lane of the other direction, so that answers do not overtake what it delays."""
        self._output.opposite, other._output.opposite = other._output, self._output

    def delayed(self) -> Delayed:
        """Return the queue of what goes out later; there is one as long as anything is in it."""
        if self._queue is None:
            self._queue = self._output.delayed = Delayed(self, self._output, self._host, self._reader.now)
        return self._queue

    def all_sent(self) -> None:
        """Nothing is delayed any more."""
        self._queue = self._output.delayed = None
        if not self._busy and self.idle:
            self._host.lane_flowing(self)

    def release(self) -> None:
        """Send what is due of that which is delayed."""
        if self._queue is not None:
            self._queue.release()

    def encode(self, message: object, instead_of: bytes | None = None) -> bytes | None:
        """Return the frame of a message that goes forward; see `LaneOutlet`."""
        return self._output.encode(message, instead_of)

    def take_back(self, reason: object) -> None:
        """Send what is delayed for this reason only."""
        if self._queue is not None:
            self._queue.take_back(reason)

    def send_between(self, outlet: LaneOutlet, frame: bytes) -> bool:
        """Accept a frame from within a filter, to go out before the message that the filter looks at.

        Returns False if the lane is not at work, and delays nothing that goes to the outlet: then it can be sent at
        once.
        """
        if not self._busy:
            return self._output.send_behind(outlet, frame)
        self._output.add_between(outlet, frame)
        self._reader.disturbed = True
        return True

    def _enter(self, state: int) -> None:
        self._state = state
        self._reader.flowing = state == RUNNING
        self._reader.disturbed = state != RUNNING

    def _go_on(self) -> None:
        """Look at the bytes that are held, until none is left or something stops the lane; then tell the host."""
        if self._busy:
            return
        self._busy = True
        self._reader.start_clock()
        try:
            while True:
                if self._verdict is not None:
                    verdict, self._verdict = self._verdict, None
                    self._enter(RUNNING)
                    self._judge.carry_out(verdict)
                    self.push()
                elif self._state != RUNNING or self._reader.held is None:
                    break
                elif self._reader.is_late():
                    self._enter(GAVE_WAY)
                    break
                else:
                    data, at = self._reader.take()
                    self._read(data, at)
        finally:
            self._busy = False
        if self._state == RUNNING or self._state == DISCARDING:
            self._host.lane_flowing(self)
        elif self._state == GAVE_WAY:
            self._host.lane_gave_way(self)
            self._check_held()
        else:
            self._host.lane_blocked(self)

    def wait(self) -> None:
        """A verdict is awaited."""
        self._enter(WAITING)

    def settle(self, verdict: Verdict) -> None:
        """The verdict is there: go on, unless everything ended meanwhile."""
        if self._state == WAITING:
            self._verdict = verdict
        self._go_on()

    def _check_held(self) -> None:
        """While the lane gives way, have its connection paused if enough bytes wait."""
        if self.holding > MAX_HELD:
            self._host.lane_blocked(self)

    def _use(self, setup: LaneSetup) -> None:
        self.setup: LaneSetup = setup
        self._judge.use(setup)
        self._decides = setup.filter is not None or setup.sees_all
        self._on_read = setup.on_read
        self._monitor = setup.frame_monitor

    def _read(self, data: bytes, at: int) -> None:
        """Look at the bytes from ``at`` on, and push the frames that result."""
        if self._replacement is not None:
            self._use(self._replacement)
            self._replacement = None
        reader, output = self._reader, self._output
        messages, size = reader.messages, reader.size
        begun = False
        try:
            begun = reader.begin(data, at)
            if output.goes_on and reader.unfinished is None and output.end_frame():
                self._judge.put_run()
                output.flush()
            if begun:
                self._look()
            if reader.unfinished is not None:
                self._judge.pass_on(self._decides)
        except FramingError as error:
            self._judge.put_run()
            self.push()
            self.cut_off(error)
        except BaseException:  # Ctrl-C, or a bug: the rest of this read is lost, so later bytes must not pass
            self.discard()
            raise
        reader.data = b""
        if reader.counted or reader.unfinished is not None:
            reader.count_kept(self, self._monitor)
        if not begun and not output.goes_on:
            return
        if self._on_read is not None and reader.messages != messages:
            self._on_read(self, reader.messages - messages, reader.size - size)
        self.push()

    def _look(self) -> None:
        """Look at the frames of a read, and keep the bytes that cannot be looked at now."""
        reader = self._reader
        if self._decides:
            in_time = self._judge.decide_all()
        else:
            if reader.pieces is not None:
                self._output.extend(reader.pieces)
                reader.pieces = None
                reader.at = reader.stop
            in_time = reader.skip()
            if in_time and self._judge.pass_beginning():
                self._output.goes_on = True
        if not in_time:
            self._enter(GAVE_WAY)
        if reader.run != reader.at:
            self._judge.put_run()
        if reader.at != len(reader.data) and self._state != DISCARDING:
            reader.end(self._state == RUNNING)

    def push(self) -> None:
        """Push the frames in the output, and stop if an outlet is full then."""
        output = self._output
        while True:
            if output.between is not None:
                output.take_between()
                self._reader.disturbed = self._state != RUNNING
            output.flush()
            if output.between is None:
                break
        if (self._state == RUNNING or self._state == GAVE_WAY) and output.is_choked():
            self._enter(CHOKED)
