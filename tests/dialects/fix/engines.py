"""A FIX engine, written from the session protocol: small, strict, without transport; the judge of the numbers.

An `Engine` has numbers and a store of what it sent, which outlive its connections. It never forgives: where its peer
breaks the protocol, an `AssertionError` shows the whole conversation. Each engine has `Habits`, in which real ones
differ.

A message with the expected number is processed. One above is a gap: it is asked for once, and the message waits or is
discarded. One below must be a possible duplicate, of the same content as what had come. Requests are answered by the
stored messages and by gap fills for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .engine_frames import Frame, body_of, cut, frame_of, shown

__all__ = ["Engine", "Habits"]

ADMIN = frozenset("0 1 2 3 4 5 A".split())
TIME = "%Y%m%d-%H:%M:%S.%f"


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


class Engine:
    """One peer of a session.

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
        self.delivered: list[str] = []
        self.requests = self.heartbeats = self.rejected = 0
        self.last_told = self.logon = 0
        self.on_reset: Callable[[], None] = lambda: None
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
        now = datetime.now(UTC).strftime(TIME)[:-3].encode()
        fields = [(35, kind.encode()), (49, self.name.encode()), (56, self.peer.encode()), (34, b"%d" % number)]
        if first_time:
            fields.append((43, b"Y"))
        fields.append((52, now))
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
        number = max((number for number, body in self.got.items() if body is not None), default=None)
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

    # -- receiving -----------------------------------------------------------------------------------------------

    def receive(self, frame: Frame) -> None:
        """A message comes."""
        self.check_header(frame)
        if frame.type == "A":
            self.logon_came(frame)
        elif not self.logged_on:
            self.check(frame.type == "5" and self.said_logon, "neither Logon nor Logout comes first:", frame)
            self.log_out(frame)
        elif frame.type == "4" and not frame.says_yes(123):
            self.numbers_raised(frame)
        else:
            self.take(frame, frame.number(34))

    def check_header(self, frame: Frame) -> None:
        """See that the header is right."""
        self.check(frame[8] == self.habits.version, "wrong version:", frame)
        names = (frame[49].decode(), frame[56].decode())
        self.check(names == (self.peer, self.name), "wrong names:", frame)
        self.check(frame.number(34) > 0, "wrong number:", frame)
        sent = parsed(frame[52])
        self.check(abs(datetime.now(UTC) - sent) < timedelta(seconds=120), "the sending time is not now:", frame)
        if frame.says_yes(43):
            self.check(122 in frame and parsed(frame[122]) <= sent, "OrigSendingTime:", frame)
        if 369 in frame and not (self.resetting or self.forgives_low):
            self.check(frame.number(369) < self.next_out, "has processed more than there was:", frame)
            self.last_told = frame.number(369)

    def take(self, frame: Frame, number: int) -> None:
        """Compare its number with the expected one."""
        behind = frame.number(36) if frame.type == "4" else number + 1
        for asked in self.asked:
            asked.sees(number, behind)
        if number > self.next_in:
            self.gap(frame, number)
        elif number < self.next_in:
            self.check(frame.says_yes(43), f"the number is too low, expected {self.next_in}:", frame)
            self.same_as_before(frame, number)
        else:
            self.process(frame, number)
            while self.next_in in self.waiting and not self.done:
                self.process(self.waiting.pop(self.next_in), self.next_in)
            self.ask_on()

    def same_as_before(self, frame: Frame, number: int) -> None:
        """What comes again must be what had come."""
        if frame.type == "4" or number not in self.got or not self.compares:
            return
        before = self.got[number]
        self.check(before is not None, "came as a message of the session, and now as another:", frame)
        self.check(before == body_of(frame), f"had come as {before}:", frame)

    def gap(self, frame: Frame, number: int) -> None:
        """Messages are missing."""
        if frame.type == "5":
            self.log_out(frame)
            return
        if self.resetting:
            return
        if frame.type == "2":
            self.answer(frame)
        if self.habits.queues and number not in self.waiting:
            self.waiting[number] = frame
        if self.next_in > self.asked_to:
            self.ask_for_gap(number)

    def ask_for_gap(self, number: int) -> None:
        """Ask for what is missing in front of a number, or up to it if it was discarded."""
        self.gap_end = self.asked_to = number if number not in self.waiting else number - 1
        end = 0
        if self.habits.asks == "exact":
            end = self.gap_end
        elif self.habits.asks in ("1", "3"):
            end = self.asked_to = min(self.gap_end, self.next_in + int(self.habits.asks) - 1)
        self.ask(self.next_in, end)
        self.asked[-1].end = self.asked_to

    def ask_on(self) -> None:
        """Ask for the next chunk of a gap once one has come."""
        if 0 < self.asked_to < self.next_in:
            self.asked_to = 0
            if self.next_in <= self.gap_end and not self.resetting and self.out is not None and not self.done:
                self.ask_for_gap(self.gap_end + self.habits.queues)

    def process(self, frame: Frame, number: int) -> None:
        """Process a message with the expected number."""
        kind = frame.type
        self.next_in = number + 1
        self.got[number] = None if kind in ADMIN else body_of(frame)
        if kind == "4":
            self.check(frame.number(36) > number, "a gap fill that fills nothing:", frame)
            self.got |= dict.fromkeys(range(number, frame.number(36)))
            self.next_in = frame.number(36)
            for passed in [waiting for waiting in self.waiting if waiting < self.next_in]:
                del self.waiting[passed]
        elif kind == "1":
            if self.ready:
                self.say("0", {112: frame[112].decode()})
        elif kind == "2":
            if not frame.answered:
                self.answer(frame)
        elif kind == "5":
            self.log_out(frame)
        elif kind == "0":
            self.heartbeats += 112 in frame
        elif kind in ("3", "j"):
            self.refers_to_ours(frame)
        if kind not in ADMIN:
            self.deliver(frame, number)

    def deliver(self, frame: Frame, number: int) -> None:
        """The application gets a message. If it says so, it answers with a reject."""
        text = frame[58].decode("latin-1")
        self.delivered.append(text)
        if "wrong" in text and frame.type != "j" and not self.resetting:
            self.rejected += 1
            reference = self.reference(number)
            self.say("j", reference | {58: f"{reference[58]} {self.name}{self.rejected}"}, at_once=self.ready)

    def refers_to_ours(self, frame: Frame) -> None:
        """A reject must refer to a message that was sent, the one whose text it repeats."""
        store = self.sent_before if self.resetting else self.sent
        number = frame.number(45)
        self.check(number in store, "refers to a message that was not sent:", frame)
        text = store[number][58].decode("latin-1").split("+")[0]
        about = frame[58].decode("latin-1")
        self.check(f"about {text}" in about or "about add" in about, f"should be about {text}:", frame)

    def numbers_raised(self, frame: Frame) -> None:
        """The peer has raised its numbers."""
        target = frame.number(36)
        self.check(target >= self.next_in, f"lowers the numbers, expected {self.next_in}:", frame)
        self.next_in = target
        self.forget_requests()

    def answer(self, frame: Frame) -> None:
        """Answer a request for messages."""
        frame.answered = True
        begin, end, last = frame.number(7), frame.number(16), self.next_out - 1
        if self.resetting or (self.forgives_low and begin > last):
            return  # It is about numbers that are gone.
        self.check(0 < begin <= last, f"asks for what was never sent; the last was {last}:", frame)
        self.check(end in (0, 999999) or end >= begin, "asks for an empty range:", frame)
        self.resend(begin, last if end in (0, 999999) or end > last else end)

    def resend(self, begin: int, end: int) -> None:
        """Send messages again, and gap fills for the others."""
        gap = 0
        for number in range(begin, end + 1):
            stored = self.sent.get(number)
            if stored is None:
                gap = gap or number
                continue
            if gap:
                self.fill(gap, number)
                gap = 0
            self.transmit(self.write(stored.type, number, body_of(stored)[1:], stored[52]))
        if gap:
            self.fill(gap, end + 1)

    def fill(self, begin: int, behind: int) -> None:
        """Say that some messages need not come again."""
        now = datetime.now(UTC).strftime(TIME)[:-3].encode()
        self.transmit(self.write("4", begin, [(123, b"Y"), (36, b"%d" % behind)], now))

    # -- the beginning and the end -------------------------------------------------------------------------------

    def logon_came(self, frame: Frame) -> None:
        """The peer says Logon."""
        number = frame.number(34)
        if frame.says_yes(141):
            self.reset_came(frame)
            return
        self.check(not self.logged_on, "a second Logon:", frame)
        self.check(not self.resetting, "141=Y was not confirmed:", frame)
        if number < self.next_in:
            self.check(self.forgives_low, f"the Logon's number is too low, expected {self.next_in}:", frame)
            self.refuse(f"MsgSeqNum too low, expected {self.next_in} but got {number}")
            return
        self.logged_on = True
        if number == self.next_in:
            self.got[number], self.next_in = None, number + 1
        follows = self.logon + 1 if self.said_logon else self.next_out
        wanted = frame.number(789) if 789 in frame and self.habits.tells_expected else follows
        self.check(wanted <= follows or self.forgives_low, f"expects {wanted}, the next is {follows}:", frame)
        if wanted > follows:
            self.refuse("789 is too high")
            return
        if not self.said_logon:
            self.say_logon(False)
        if wanted < self.logon:
            self.resend(wanted, self.logon if self.habits.fills_logon else self.logon - 1)
        if number >= self.next_in:
            self.logon_above(frame, number)

    def logon_above(self, frame: Frame, number: int) -> None:
        """The peer's Logon shows that messages are missing."""
        if self.habits.queues:
            self.waiting[number] = frame
        if self.tells and 789 in frame:
            self.gap_end = self.asked_to = number - 1
            self.asked.append(Asked(self.next_in, number - 1))
        else:
            self.ask_for_gap(number)

    def reset_came(self, frame: Frame) -> None:
        """The peer begins anew, or agrees to."""
        self.check(frame.number(34) == 1, "a Logon that resets has another number than 1:", frame)
        if self.leaving:
            return
        asked, self.resetting, self.must_reset = self.resetting, False, False
        self.clear_received()
        self.got[1], self.next_in = None, 2
        self.logged_on = True
        if not asked:
            self.clear_sent()
            self.on_reset()
            self.say_logon(True)
        self.check(self.next_out == 2, "a reset that is confirmed twice:", frame)
        if 789 in frame and self.habits.tells_expected:
            self.check(frame.number(789) == (2 if asked else 1), "789 of a Logon that resets:", frame)

    def log_out(self, frame: Frame) -> None:
        """The peer asks to end, or agrees to."""
        if frame.number(34) == self.next_in:
            self.got[self.next_in], self.next_in = None, self.next_in + 1
        if not (self.leaving or self.resetting or not self.logged_on):
            self.say("5", {})
            self.done = True
            return
        self.done = True
        self.hang_up()

    def refuse(self, why: str) -> None:
        """Say why there is no session, and leave."""
        self.say("5", {58: why})
        self.done = True
        self.hang_up()


def parsed(time: bytes) -> datetime:
    """Return a time of FIX."""
    text = time.decode()
    return datetime.strptime(text, TIME if "." in text else "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC)
