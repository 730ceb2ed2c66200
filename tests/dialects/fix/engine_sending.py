"""Half an engine of the tests: its numbers, its store, its connection, and what it sends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from .engine_frames import Frame, cut, frame_of, shown

__all__ = ["ADMIN", "Asked", "Habits", "SendingEngine", "now"]

ADMIN = frozenset("012345A")


@dataclass
class Habits:
    """In what engines differ.

    Args:
        version: BeginString.
        queues: keep messages above a gap until it is filled; otherwise discard them, and ask for all that follow. (Two
            that discard and ask for less would ask each other for their own requests without end.)
        asks: how a gap is asked for: ``"0"`` and ``"999999"`` mean all that follow, ``"exact"`` up to the gap's end, a
            number in chunks of so many.
        tells_expected: say 789 in Logons, and act by the peer's.
        tells_last: say 369 in each message.
        fills_logon: answer 789 by a gap fill that covers the Logon, too.
        resends_rejects: send a session Reject again, which is allowed; otherwise it is filled.
    """

    version: bytes = b"FIX.4.4"
    queues: bool = True
    asks: str = "0"
    tells_expected: bool = False
    tells_last: bool = False
    fills_logon: bool = False
    resends_rejects: bool = False

    def __post_init__(self) -> None:
        if not self.queues and self.asks != "999999":
            self.asks = "0"


@dataclass
class Asked:
    """A range that was asked for, to see that all of it is answered, in order."""

    next: int
    end: int

    def sees(self, first: int, behind: int) -> None:
        """Messages with numbers from `first` on, and before `behind`, are answered."""
        if first <= self.next < behind:
            self.next = behind


class SendingEngine:
    """What an engine sends: see `Engine`.

    Args:
        name: its CompID.
        peer: that of the other.
        starts: whether it sends the first Logon.
        habits: what it does.
        log: gets a line for each message.
    """

    def __init__(self, name: str, peer: str, starts: bool, habits: Habits, log: list[str]) -> None:
        self.name, self.peer, self.starts, self.habits, self.log = name, peer, starts, habits, log
        self.out: Callable[[bytes], None] | None = None
        self.hang_up: Callable[[], None] = lambda: None
        self.must_reset = self.resetting = False
        self.forgives_low, self.compares = False, True
        self.texts: list[str] = []
        self.stand_ins: dict[str, list[str]] = {}
        """What its messages were replaced with on their way."""
        self.delivered: list[str] = []
        self.requests = self.heartbeats = self.rejected = 0
        self.last_told = self.logon = 0
        self.on_reset: Callable[[], None] = lambda: None
        self.on_skip: Callable[[], None] = lambda: None
        self.clear_sent()
        self.clear_received()
        self.disconnected()

    # -- state ---------------------------------------------------------------------------------------------------

    def clear_sent(self) -> None:
        """Begin to count what it sends anew."""
        self.next_out = 1
        self.sent: dict[int, Frame] = {}

    def clear_received(self) -> None:
        """Begin to count what it receives anew."""
        self.next_in = 1
        self.got: dict[int, list[tuple[int, bytes]] | None] = {}
        self.forget_requests()

    def forget_requests(self) -> None:
        """Nothing is awaited any more: the connection is gone, or the numbers are new."""
        self.waiting: dict[int, Frame] = {}
        self.asked_to = 0
        self.asked: list[Asked] = []

    def lose_store(self) -> None:
        """Lose the numbers and all that was sent."""
        self.clear_sent()
        self.clear_received()
        self.on_reset()

    def check(self, holds: object, *why: object) -> None:
        """Fail with the whole conversation unless something holds."""
        if not holds:
            words = " ".join(shown(w.data) if isinstance(w, Frame) else str(w) for w in why)
            raise AssertionError("\n".join([*self.log, f"{self.name}: {words}"]))

    # -- the connection ------------------------------------------------------------------------------------------

    def connected(self, out: Callable[[bytes], None], hang_up: Callable[[], None]) -> None:
        """A connection is there; the one who starts says Logon."""
        self.log.append(f"-- {self.name} is connected")
        self.out, self.hang_up = out, hang_up
        if self.starts:
            if self.must_reset:
                self.clear_sent()
                self.clear_received()
                self.on_reset()
                self.resetting = True
            self.say_logon(self.resetting)

    def disconnected(self) -> None:
        """The connection is gone, with all that was on its way."""
        if self.out is not None:
            self.log.append(f"-- {self.name} is disconnected")
        self.out, self.buffer = None, b""
        self.said_logon = self.logged_on = self.leaving = self.done = self.tells = False
        self.must_reset |= self.resetting
        self.resetting = False
        self.forget_requests()

    def data(self, data: bytes) -> None:
        """Bytes come."""
        messages, self.buffer = cut(self.buffer + data)
        for message in messages:
            if self.done or self.out is None:
                return
            self.log.append(f"   {self.name} <- {shown(message)}")
            try:
                frame = Frame(message)
            except AssertionError as error:
                self.check(False, error)
            self.receive(frame)

    @property
    def ready(self) -> bool:
        """Whether it may send application messages at once."""
        return self.out is not None and self.logged_on and not (self.leaving or self.done or self.resetting)

    # -- sending -------------------------------------------------------------------------------------------------

    def say(self, kind: str, body: dict[int, object], *, at_once: bool = True) -> int:
        """Send a message with the next number, or only store it; return the number."""
        number, self.next_out = self.next_out, self.next_out + 1
        data = self.write(kind, number, [(tag, str(value).encode("latin-1")) for tag, value in body.items()])
        if kind not in ADMIN or (kind == "3" and self.habits.resends_rejects):
            self.sent[number] = Frame(data)
        if kind not in ADMIN:
            self.texts.append(str(body[58]))
        if at_once:
            self.transmit(data)
        return number

    def write(self, kind: str, number: int, body: list[tuple[int, bytes]], first_time: bytes = b"") -> bytes:
        """Return a message."""
        fields = [(35, kind.encode()), (49, self.name.encode()), (56, self.peer.encode()), (34, b"%d" % number)]
        if first_time:
            fields.append((43, b"Y"))
        fields.append((52, now()))
        if first_time:
            fields.append((122, first_time))
        if self.habits.tells_last and not self.resetting and self.next_in > 1:
            fields.append((369, b"%d" % (self.next_in - 1)))
        return frame_of(self.habits.version, fields + body)

    def transmit(self, data: bytes) -> None:
        """Put a message on the wire."""
        if self.out is not None and not self.done:
            self.log.append(f"{self.name} -> {shown(data)}")
            self.out(data)

    def send(self, text: str, kind: str = "D") -> None:
        """The application sends a message; without a Logon it is only stored."""
        self.say(kind, {11: text, 55: "ABC", 38: 100, 58: text}, at_once=self.ready)

    def say_logon(self, resets: bool) -> None:
        """Say Logon."""
        body: dict[int, object] = {98: 0, 108: 30}
        if resets:
            body[141] = "Y"
        if self.habits.tells_expected:
            body[789] = 1 if self.resetting else self.next_in
            self.tells = True
        if self.habits.version.startswith(b"FIXT"):
            body[1137] = 9
        self.said_logon, self.logon = True, self.next_out
        self.say("A", body)

    def reset(self) -> None:
        """Begin both counts anew in the middle of a session; send nothing until the peer agrees."""
        self.resetting = True
        self.sent_before = self.sent
        self.clear_sent()
        self.on_reset()
        self.say_logon(True)

    def raise_numbers(self, by: int) -> None:
        """Say that the next message has a higher number (SequenceReset-Reset): those between never come."""
        target = self.next_out + by
        self.say("4", {36: target})
        self.next_out = target

    def test(self) -> None:
        """Ask for a heartbeat."""
        self.say("1", {112: f"test{self.next_out}"})

    def heartbeat(self) -> None:
        """Say that it is there."""
        self.say("0", {})

    def logout(self) -> None:
        """Ask to end."""
        self.say("5", {58: "bye"})
        self.leaving = True

    def reject(self) -> None:
        """Say that the last application message was wrong, by a session Reject."""
        number = max((number for number, body in self.got.items() if body and body[0] != (35, b"3")), default=None)
        if number is not None:
            self.say("3", self.reference(number))

    def reference(self, number: int) -> dict[int, object]:
        """Return the fields that refer to a message that came."""
        body = dict(self.got[number] or [])
        return {45: number, 58: "about " + body[58].decode("latin-1")}

    def ask(self, begin: int, end: int) -> None:
        """Ask for messages; an end of 0 means all that follow."""
        self.requests += 1
        self.asked.append(Asked(begin, min(end or self.next_in - 1, self.next_in - 1)))
        self.say("2", {7: begin, 16: end if end or self.habits.asks != "999999" else 999999})

    def receive(self, frame: Frame) -> None:
        """A message comes."""
        raise NotImplementedError


def now() -> bytes:
    """Return the time, as FIX writes it."""
    return datetime.now(UTC).strftime("%Y%m%d-%H:%M:%S.%f")[:-3].encode()
