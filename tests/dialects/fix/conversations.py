"""What can happen in a FIX session, at random, and what must hold at its end, whatever is between the engines."""

from __future__ import annotations

from functools import partial
from typing import Any

from hypothesis import strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from .engines import Engine, Habits

__all__ = ["Conversation"]

SIDES = strategies.sampled_from((0, 1))
HABITS = strategies.builds(
    Habits,
    queues=strategies.booleans(),
    asks=strategies.sampled_from(("0", "999999", "exact", "1", "3")),
    tells_expected=strategies.booleans(),
    tells_last=strategies.booleans(),
    fills_logon=strategies.booleans(),
    resends_rejects=strategies.booleans(),
)
VERSIONS = strategies.sampled_from((b"FIX.4.2", b"FIX.4.4", b"FIXT.1.1"))
PATIENCE = 12
"""In how many connections a session must come to rest; a message may close one more each."""


class Conversation(RuleBasedStateMachine):
    """Two engines: the first starts. A subclass carries the bytes between them."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []
        self.count = 0
        self.fresh = False
        """Whether an engine has lost its store, and both have not logged on since: nobody else can know then."""
        self.short = False
        """Whether its numbers had been so low that the new ones may soon be above them."""
        self.excused: set[str] = set()
        """Messages that need not arrive, as their numbers were given up."""

    @initialize(version=VERSIONS, first=HABITS, second=HABITS)
    def begin(self, version: bytes, first: Habits, second: Habits) -> None:
        """Two engines are made, and connect."""
        first.version = second.version = version
        self.log.append(f"{first}\n{second}")
        self.engines = [
            Engine("INI", "ACC", True, first, self.log),
            Engine("ACC", "INI", False, second, self.log),
        ]
        for engine in self.engines:
            engine.on_reset = partial(self.numbers_given_up, engine)
            engine.on_skip = partial(self.numbers_skipped, self.engines.index(engine))
        self.start()
        self.connect()

    # -- for subclasses ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Prepare what is between."""

    def connect(self) -> None:
        """Connect the engines, if they are not connected."""
        raise NotImplementedError

    def carry(self, side: int, amount: int) -> bool:
        """Carry so many bytes that an engine has sent, 0 for all; return whether anything happened."""
        raise NotImplementedError

    def carry_all(self) -> bool:
        """Carry all that is on its way once; return whether anything happened."""
        happened = [self.carry(side, 0) for side in (0, 1)]
        return any(happened)

    def cut(self) -> None:
        """Cut the connection; what is on its way is lost."""
        raise NotImplementedError

    def texts_for(self, side: int) -> list[str]:
        """Return the texts that an engine must get."""
        return self.engines[1 - side].texts

    def at_rest(self) -> bool:
        """Return whether nothing else is to happen by itself."""
        return True

    # -- what happens --------------------------------------------------------------------------------------------

    def numbers_given_up(self, engine: Engine) -> None:
        """An engine begins to count anew: what it had sent may be lost."""
        self.excused |= set(engine.texts)

    def numbers_skipped(self, side: int) -> None:
        """An engine goes on with a higher number than the one that it expected."""

    @rule(side=SIDES, wrong=strategies.integers(0, 5))
    def send(self, side: int, wrong: int) -> None:
        """An application sends a message, whether or not there is a connection."""
        engine = self.engines[side]
        self.fresh = self.fresh and not self.both_ready()
        if not (engine.resetting or self.fresh):
            self.count += 1
            engine.send(f"{engine.name}{self.count}" + " wrong" * (not wrong), "D8"[side])

    @rule(side=SIDES, amount=strategies.one_of(strategies.just(0), strategies.integers(1, 300)))
    def move(self, side: int, amount: int) -> None:
        """Some bytes come through."""
        self.carry(side, amount)

    @rule(count=strategies.integers(1, 3))
    def move_all(self, count: int) -> None:
        """All bytes come through, over some hops."""
        for _ in range(count):
            self.carry_all()

    @rule(seldom=strategies.integers(0, 2))
    def break_off(self, seldom: int) -> None:
        """The connection breaks."""
        self.fresh = self.fresh and not self.both_ready()
        if not (seldom or (self.fresh and self.short)):
            self.cut()

    @rule(everything=strategies.booleans())
    def connect_again(self, everything: bool) -> None:
        """They connect, if they are not connected."""
        self.connect()
        if everything:
            self.flush()

    @rule(side=SIDES, what=strategies.sampled_from(("test", "heartbeat", "reject", "logout")))
    def say(self, side: int, what: str) -> None:
        """An engine says something about the session."""
        engine = self.engines[side]
        if engine.ready:
            getattr(engine, what)()

    @rule(side=SIDES, data=strategies.data())
    def ask(self, side: int, data: Any) -> None:
        """An engine asks for messages that it has."""
        engine = self.engines[side]
        if engine.ready and engine.next_in > 1:
            begin = data.draw(strategies.integers(1, engine.next_in - 1))
            engine.ask(begin, data.draw(strategies.one_of(strategies.just(0), strategies.integers(begin, begin + 9))))

    @rule(side=SIDES, by=strategies.integers(1, 4), seldom=strategies.integers(0, 3))
    def raise_numbers(self, side: int, by: int, seldom: int) -> None:
        """An engine gives up some numbers; what the other has not got by then may never come."""
        engine = self.engines[side]
        if engine.ready and not seldom:
            self.numbers_given_up(engine)
            engine.raise_numbers(by)

    @rule(side=SIDES)
    def reset(self, side: int) -> None:
        """An engine asks to begin anew, in a session or with the next Logon."""
        engine = self.engines[side]
        if engine.ready and not self.engines[1 - side].resetting:
            engine.reset()
        elif engine.out is None:
            self.engines[0].must_reset = True

    @rule(loses=strategies.sampled_from(((0,), (1,), (0, 1), (0, 1))), seldom=strategies.integers(0, 3))
    def lose_store(self, loses: tuple[int, ...], seldom: int) -> None:
        """One engine loses its numbers and does not know, or both begin a new day."""
        if seldom:
            return
        self.cut()
        self.fresh, self.short = True, min(engine.next_out for engine in self.engines) < 8
        for side in loses:
            self.engines[side].lose_store()
            self.log.append(f"-- {self.engines[side].name} has lost its store")
        for engine in self.engines:
            engine.forgives_low = len(loses) == 1
        self.connect()

    # -- what must hold ------------------------------------------------------------------------------------------

    @invariant()
    def once(self) -> None:
        """No application gets a message twice."""
        for engine in getattr(self, "engines", ()):
            engine.check(len(set(engine.delivered)) == len(engine.delivered), "twice:", engine.delivered)

    def flush(self) -> None:
        """Let everything come through."""
        steps = 0
        while self.carry_all() or not self.at_rest():
            steps += 1
            self.engines[0].check(steps < 60 + 4 * self.count, "there is no end of messages")

    def watch_refusals(self) -> None:
        """After a lost store somebody sees to it that the next Logon resets."""
        self.engines[0].must_reset |= any(
            engine.must_reset or (engine.forgives_low and engine.out is None) for engine in self.engines
        )

    def both_ready(self) -> bool:
        """Return whether both engines are logged on."""
        return all(engine.ready for engine in self.engines)

    def settle(self) -> None:
        """Connect until both are logged on, and let the dust settle."""
        for _ in range(PATIENCE + self.count):
            self.flush()
            for engine in 2 * self.engines if self.both_ready() else ():
                if self.both_ready():
                    engine.heartbeat()
                    self.flush()
            if self.both_ready():
                return
            self.cut()
            self.watch_refusals()
            self.connect()
        self.engines[0].check(False, "no session comes about")

    def teardown(self) -> None:
        """The dust settles: both are in step, and nothing is lost."""
        if not hasattr(self, "engines"):
            return
        self.settle()
        requests, answered = [[getattr(engine, name) for engine in self.engines] for name in ("requests", "heartbeats")]
        for engine in self.engines:
            engine.test()
            self.flush()
        for side, engine in enumerate(self.engines):
            engine.check(engine.ready, "the session has ended by itself")
            engine.check(engine.requests == requests[side], "asks on and on")
            engine.check(engine.heartbeats > answered[side], "its test request was not answered")
            engine.check(not engine.waiting and engine.next_in > engine.asked_to, "waits for messages:", engine.waiting)
            if self.engines[1 - side].habits.tells_last:
                last = engine.next_out - (1 if side else 2)
                engine.check(engine.last_told == last, f"369 should be {last}, not {engine.last_told}")
            for asked in engine.asked:
                engine.check(asked.next > asked.end, "was not answered:", asked)
            self.nothing_lost(side)

    def nothing_lost(self, side: int) -> None:
        """An application has got each message, in order."""
        engine = self.engines[side]
        got, wanted = engine.delivered, self.texts_for(side)
        missing = [text for text in wanted if text not in set(got) | self.excused]
        engine.check(not missing, "has not got", missing)
        known = set(wanted)
        engine.check(not set(got) - known, "has got what nobody sent:", set(got) - known)
        engine.check(got == [text for text in wanted if text in set(got)], "got another order:", got, "than", wanted)
