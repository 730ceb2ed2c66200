"""Two strict FIX engines, and a repeater between them whose filter does what it likes, and which is killed at times."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import settings, strategies
from hypothesis.stateful import precondition, rule
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from twisted_repeater import (
    DROP,
    PASS_ON,
    CallbackFailed,
    Close,
    Disconnected,
    OnFilterError,
    PassOnAndSendBack,
    Send,
    SendBack,
    Verdict,
)
from twisted_repeater.dialects.fix import ExecutionReport, Message, NewOrderSingle

from ...drawn import examples
from .between import Between
from .conversations import SIDES, Conversation
from .engines import Engine

ACTS = (
    ("pass", "drop", "answer", "report", "before", "after", "around", "change", "lengthen", "replace", "fail", "close")
)  # fmt: skip
FATES = strategies.lists(strategies.sampled_from(ACTS), min_size=1, max_size=2)
AMOUNTS = strategies.one_of(strategies.just(0), strategies.integers(1, 300))


class Filtered(Conversation):
    """Two engines, and the repeater."""

    def start(self) -> None:
        """Start the repeater."""
        policy = OnFilterError.DROP if self.engines[0].habits.queues else OnFilterError.PASS_ON
        self.fates: dict[str, list[str]] = {}
        """What the filter does with a message: the first time, and whenever it sees it again."""
        self.late: set[str] = set()
        self.judged: dict[str, list[str]] = defaultdict(list)
        """The texts that a message may arrive with; an empty one if it was dropped."""
        self.seen: dict[str, int] = {}
        """In which process of the repeater the filter has decided about a message."""
        self.added: list[list[str]] = [[], []]
        """What must arrive at each side, in order, and was sent by nobody."""
        self.recent: list[str] = []
        self.pending: list[tuple[Message, int, Deferred[Verdict]]] = []
        self.errors: list[Any] = []
        self.additions = 0
        self.in_place: set[str] = set()
        """What has taken the place of a message: if that is sent again, it may come before what was added earlier."""
        self.policy = policy
        self.between = Between(self.engines, self.judge, self.reported, policy)

    # -- the filter ----------------------------------------------------------------------------------------------

    def judge(self, message: Message, side: int) -> Any:
        """Be the filter: decide about application messages, at once or later."""
        text = message.text(58) or ""
        if text not in self.fates or self.between.dead:
            return PASS_ON
        if text in self.late:
            verdict: Deferred[Verdict] = Deferred()
            self.pending.append((message, side, verdict))
            return verdict
        return self.decide(message, side)

    def decide(self, message: Message, side: int) -> Verdict:
        """Decide about a message."""
        text = message.text(58) or ""
        fates = self.fates[text]
        act = fates.pop(0) if len(fates) > 1 else fates[0]
        self.log.append(f"-- the filter: {text}: {act}")
        receiver = self.engines[1 - side]
        if self.judged[text]:  # it is asked again, which it must not be without need
            receiver.check(self.seen[text] != self.between.run or not self.has(receiver, text), "asked again:", text)
            receiver.compares = False
        self.seen[text] = self.between.run
        if act == "fail":
            self.judged[text].append("" if self.policy is OnFilterError.DROP else text)
            raise ValueError("the filter fails")
        if act == "close":  # which drops the message; if it should come again, it passes
            fates[:] = ["pass"]
            self.judged[text].append("")
            return Close()
        if act in ("change", "lengthen"):
            changed = text + "+" + "x" * (1 if act == "change" else 300)
            self.judged[text].append(changed)
            return Send(message.changed({58: changed}))
        self.judged[text].append("" if act in ("drop", "answer", "replace") else text)
        if act == "drop":
            return DROP
        if act == "answer":
            return SendBack([self.addition(side)])
        if act == "report":
            return PassOnAndSendBack([self.addition(side)])
        if act == "replace":
            replacement = self.addition(1 - side)
            instead = replacement.text(58) or ""
            self.in_place.add(instead)
            if text in self.excused:  # its number was given up
                self.excused.add(instead)
            self.engines[side].stand_ins.setdefault(text, []).append(instead)
            return Send(replacement)
        if act == "pass":
            return PASS_ON
        messages: list[Message] = [self.addition(1 - side)] if act in ("before", "around") else []
        messages.append(message)
        return Send(*messages, *([self.addition(1 - side)] if act in ("after", "around") else []))

    def has(self, engine: Engine, text: str) -> bool:
        """Return whether an application has got a message, changed or not."""
        return any(version in engine.delivered for version in self.judged[text])

    def addition(self, side: int) -> Message:
        """Return a message to a side that nobody has sent; it must arrive, if there is a session."""
        self.additions += 1
        text = f"add{self.additions}" + " wrong" * (self.additions % 4 == 0)
        self.log.append(f"-- {text} is added")
        self.added[side].append(text)
        self.recent.append(text)
        if not self.both_ready():
            self.excused.add(text)
        kind = NewOrderSingle if side else ExecutionReport
        return kind({11: text, 55: "ABC", 58: text})

    def reported(self, error: Any) -> None:
        """The repeater reports an error."""
        unsure = "both engines have logged on" in str(error) and any(engine.resetting for engine in self.engines)
        fails = "the filter fails" in str(error.reason if isinstance(error, CallbackFailed) else error)
        if not (isinstance(error, Disconnected) or unsure or fails):
            self.log.append(f"-- the repeater reports {error!r}")
            self.errors.append(error)

    # -- what happens --------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Connect, if both are free."""
        self.watch_refusals()
        if self.fresh:
            self.between.dies = None
        if not any(engine.out for engine in self.engines):
            self.pending.clear()
            self.between.connect()

    def carry(self, side: int, amount: int, inwards: bool = True) -> bool:
        """Carry bytes; a process that is killed meanwhile need not have taken what it had just decided."""
        self.recent.clear()
        run = self.between.run
        happened = self.between.carry(side, amount, inwards)
        self.after_event(run)
        return happened

    def after_event(self, run: int) -> None:
        """See whether the process was killed."""
        self.between.bury()
        if self.between.run != run:
            self.log.append("-- the repeater was killed")
            self.excused.update(self.recent)
            self.pending.clear()

    def cut(self) -> None:
        """Cut both connections."""
        self.between.cut()

    def carry_all(self) -> bool:
        """Carry all that is on its way once."""
        happened = [self.carry(side, 0, inwards) for inwards in (True, False) for side in (0, 1)]
        return any(happened)

    def at_rest(self) -> bool:
        """Decide what the filter has not decided yet, one by one."""
        if not self.pending:
            return True
        self.verdict_comes()
        return False

    @rule(side=SIDES, wrong=strategies.integers(0, 5), fates=FATES, late=strategies.integers(0, 3))
    def send(self, side: int, wrong: int, fates: list[str], late: int) -> None:
        """An application sends a message, whose fate is decided here."""
        count = self.count
        super().send(side, wrong)
        if self.count > count:
            text = self.engines[side].texts[-1]
            self.fates[text] = fates
            self.log.append(f"-- {self.engines[side].name} has {text}")
            if late == 3:
                self.late.add(text)

    @rule(side=SIDES, amount=AMOUNTS)
    def arrive(self, side: int, amount: int) -> None:
        """Some bytes come from the repeater."""
        self.carry(side, amount, False)

    @precondition(lambda self: bool(getattr(self, "pending", None)))
    @rule()
    def verdict_comes(self) -> None:
        """The filter decides about the oldest message that waits."""
        message, side, verdict = self.pending.pop(0)
        self.recent.clear()
        run = self.between.run
        if not verdict.called:
            try:
                verdict.callback(self.decide(message, side))
            except ValueError:
                verdict.errback(Failure())
            self.between.world.clock.advance(0)
        self.after_event(run)

    @rule(side=SIDES)
    def application_adds(self, side: int) -> None:
        """The application of the repeater sends a message."""
        pair = self.between.pair
        if pair is None or not pair.made or pair.closing:
            return
        self.recent.clear()
        run, errors = self.between.run, len(self.errors)
        link, message = pair.link, self.addition(side)
        (link.send_to_server if side else link.send_to_client)(message)
        self.between.world.clock.advance(0)
        if len(self.errors) > errors and not self.both_ready():
            self.excused.update(self.recent)
            del self.errors[errors:]
        self.after_event(run)

    @rule(how=strategies.sampled_from(("now", "before", "after", "restart")), seldom=strategies.integers(0, 2))
    def kill(self, how: str, seldom: int) -> None:
        """The process of the repeater is killed, now or at its next commit, or is shut down and started again."""
        self.fresh = self.fresh and not self.both_ready()
        if seldom or self.fresh:
            return
        self.log.append(f"-- the repeater is killed: {how}")
        if how == "now":
            self.between.kill()
            self.pending.clear()
        elif how == "restart":
            self.between.restart()
            self.pending.clear()
        else:
            self.between.dies = how

    # -- what must hold ------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Nobody kills the repeater any more; both engines come into step."""
        self.between.dies = None
        super().settle()

    def teardown(self) -> None:
        """See `Conversation`, and leave nothing."""
        if not hasattr(self, "between"):
            return
        try:
            super().teardown()
            self.engines[0].check(not self.errors, "the repeater reports", self.errors)
        finally:
            self.between.close()

    def nothing_lost(self, side: int) -> None:
        """An application has got what its peer has sent, as the filter decided, and what the filter has added."""
        engine, sender = self.engines[side], self.engines[1 - side]
        got = set(engine.delivered)
        own = [text for text in engine.delivered if not text.startswith("add")]
        names = [text if text.startswith("about") else text.split("+")[0] for text in own]
        engine.check(len(set(names)) == len(names), "twice:", own)
        unknown = set(names) - set(sender.texts)
        engine.check(not unknown, "has got what nobody sent:", unknown)
        engine.check(names == [text for text in sender.texts if text in set(names)], "got another order:", own)
        for text in sender.texts:
            fates = self.judged.get(text, [text])
            engine.check(text in names or "" in fates or self.need_not(text), "has not got", text, fates)
        for name, text in zip(names, own, strict=True):
            engine.check(text in self.judged.get(name, [name]), "got", text, "of", self.judged.get(name))
        added = [text for text in engine.delivered if text.startswith("add") and text not in self.in_place]
        ordered = [text for text in self.added[side] if text in got and text not in self.in_place]
        engine.check(added == ordered, "got another order:", added, "than", ordered)
        missing = [text for text in self.added[side] if text not in got | self.excused]
        engine.check(not missing, "has not got what was added:", missing)

    def need_not(self, text: str) -> bool:
        """Return whether a message need not arrive: numbers were given up, or it is about one that was added."""
        return text in self.excused or "about add" in text

    def numbers_skipped(self, side: int) -> None:
        """An engine has skipped numbers: what was added there may be lost."""
        self.excused.update(self.added[side])

    def numbers_given_up(self, engine: Any) -> None:
        """What an engine had sent may be lost, and what was added to that."""
        super().numbers_given_up(engine)
        self.excused.update(self.added[1 - self.engines.index(engine)])


Filtered.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)
FilteredEnginesTests = Filtered.TestCase
