"""A FIX engine, written from the session protocol: small, strict, without transport; the judge of the numbers.

An `Engine` has numbers and a store of what it sent, which outlive its connections. It never forgives: where its peer
breaks the protocol, an `AssertionError` shows the whole conversation. Each engine has `Habits`, in which real ones
differ.

A message with the expected number is processed. One above is a gap: it is asked for once, and the message waits or is
discarded. One below must be a possible duplicate, of the same content as what had come. Requests are answered by the
stored messages and by gap fills for the others.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from .engine_frames import Frame, body_of
from .engine_sending import ADMIN, Asked, Habits, SendingEngine, now

__all__ = ["Engine", "Habits"]


class Engine(SendingEngine):
    """One peer of a session.

    Args:
        name: its CompID.
        peer: that of the other.
        starts: whether it sends the first Logon.
        habits: what it does.
        log: gets a line for each message.
    """

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
        self.got[number] = None if kind in ADMIN - {"3"} else body_of(frame)
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
        text = store[number][58].decode("latin-1")
        texts = [text, *self.stand_ins.get(text, ())]
        about = frame[58].decode("latin-1")
        self.check(any(f"about {text}" in about for text in texts), f"should be about {texts}:", frame)

    def numbers_raised(self, frame: Frame) -> None:
        """The peer has raised its numbers."""
        target = frame.number(36)
        self.check(target >= self.next_in, f"lowers the numbers, expected {self.next_in}:", frame)
        self.next_in = target
        self.on_skip()
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
        self.transmit(self.write("4", begin, [(123, b"Y"), (36, b"%d" % behind)], now()))

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
        asked, self.resetting, self.must_reset, self.forgives_low = self.resetting, False, False, False
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
    return datetime.strptime(text, "%Y%m%d-%H:%M:%S.%f" if "." in text else "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC)
