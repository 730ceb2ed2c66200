"""Rules that hold messages, and the holder that asks them about each message of a repeater."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..._link.holding import Hold
from ..._repeater import Repeater
from ...holding import HeldMessage
from ...link import Link
from ...model import Direction
from ...verdicts import Verdict
from .criteria import Criteria
from .described import types_of
from .held import HeldMessages
from .shapes import NewRule, Rule
from .shown import Shower, payload_of

__all__ = ["MOST_RULES", "Candidate", "HoldRule", "Rules", "TooManyRules"]

MOST_RULES: Final = 100
"""How many rules a repeater may have; each is asked about each message."""

MOST_CHOSEN: Final = 4000
"""For how many clients and directions it is remembered which rules are for them."""

log: Logger = Logger()


class TooManyRules(Exception):
    """A repeater has as many rules as it may have."""


class Candidate:
    """A message that may match several criteria, all of which look at the same parts of it: these are found once.

    Args:
        held: the message.
        shower: shows what may be seen of it.
    """

    def __init__(self, held: HeldMessage, shower: Shower) -> None:
        self._held = held
        self._shower = shower

    @cached_property
    def _payload(self) -> bytes | None:
        return payload_of(self._held)

    @cached_property
    def _types(self) -> tuple[str, ...]:
        return types_of(self._held.message)

    @cached_property
    def _shown(self) -> str | None:
        """What can be read of it without its secrets; ``None`` if it has none."""
        held = self._held
        return self._shower.text(held) if self._shower.is_secret(held.message, held.direction) else None

    def is_wanted(self, criteria: Criteria) -> bool:
        """Return whether its type and its bytes are wanted. Its methods may raise."""
        needle = criteria.needle
        if needle is not None and (self._payload is None or needle not in self._payload):
            return False
        if criteria.type is not None and not criteria.wants_types(self._types):
            return False
        return needle is None or self._shown is None or criteria.wants_shown(self._shown)


class HoldRule:
    """One rule: which messages it holds, and how many.

    Args:
        number: its id.
        new: what was asked for.
    """

    def __init__(self, number: int, new: NewRule) -> None:
        self.id: int = number
        self.asked: NewRule = new
        """What was asked for."""
        self.criteria: Criteria = Criteria(new.client, new.direction, new.type, new.text)
        """Which messages match."""
        self.matched: int = 0
        """How many messages have matched."""
        self.full: bool = False
        """Whether the last message that it wanted has passed because too much is held."""

    def wants(self, candidate: Candidate) -> bool:
        """Return whether it is to hold a message of a link and direction that it is for, and count that."""
        if not candidate.is_wanted(self.criteria):
            return False
        self.matched += 1
        return self.matched % self.asked.every == 0

    def shown(self, held: int) -> Rule:
        """Return it as JSON; ``held`` is how many messages it holds now."""
        asked = self.asked
        return Rule(
            id=self.id,
            stream=asked.stream,
            client=asked.client,
            direction=asked.direction,
            type=asked.type,
            text=asked.text,
            every=asked.every,
            timeout=asked.timeout,
            max_held=asked.max_held,
            matched=self.matched,
            held=held,
            full=self.full,
        )


class Rules:
    """The rules of one repeater.

    Nobody is asked about messages as long as there is no rule. Of the links, only those are asked about that a rule may
    want.

    Args:
        repeater: the repeater.
        name: its name.
        shower: shows its messages.
        held: everything that is held in the process.
        numbers: makes the ids of rules.
    """

    def __init__(
        self,
        repeater: Repeater,
        name: str,
        shower: Shower,
        held: HeldMessages,
        numbers: Callable[[], int],
    ) -> None:
        self.repeater: Repeater = repeater
        """The repeater."""
        self._name = name
        self._shower = shower
        self._held = held
        self._numbers = numbers
        self._rules: dict[int, HoldRule] = {}
        self._clients: dict[str | None, Criteria] = {}
        """One of the criteria for each pattern of names: thousands of links may be asked about."""
        self._chosen: dict[tuple[str, Direction], Sequence[HoldRule]] = {}
        """The rules for the messages of a client and a direction, as far as any have come."""
        self._hold: Hold | None = None

    def list(self) -> list[Rule]:
        """Return all rules as JSON, the oldest first."""
        return [self.shown(rule) for rule in self._rules.values()]

    def shown(self, rule: HoldRule) -> Rule:
        """Return a rule as JSON."""
        return rule.shown(self._held.count_of(rule.id))

    def add(self, new: NewRule) -> HoldRule:
        """Make a rule, which holds from now on.

        Raises:
            TooManyRules: there are too many.
            RuntimeError: the repeater is shut down.
        """
        if len(self._rules) >= MOST_RULES:
            raise TooManyRules(f"a repeater may have {MOST_RULES} rules at most; delete one")
        rule = HoldRule(self._numbers(), new)
        self._rules[rule.id] = rule
        try:
            self._ask_anew()
        except RuntimeError:
            del self._rules[rule.id]
            raise
        return rule

    def is_wanted(self, message: HeldMessage, criteria: Criteria) -> bool:
        """Return whether a message matches. One whose methods raise matches nothing that looks at it."""
        if criteria.direction not in (None, message.direction) or not criteria.wants_link(message.link):
            return False
        try:
            return Candidate(message, self._shower).is_wanted(criteria)
        except Exception:  # its class may be one of the application
            log.failure("a message that is held could not be looked at")
            return False

    def remove(self, number: int, how: str = "rule removed") -> bool:
        """Remove a rule, and release what it holds. Return whether there was one."""
        if self._rules.pop(number, None) is None:
            return False
        self._ask_anew()
        self._held.release_of({number}, how)
        return True

    def remove_of(self, stream: str | None, how: str = "owner gone") -> None:
        """Remove the rules of a stream, ``None`` for all, and then release what they hold, in order."""
        gone = {number for number, rule in self._rules.items() if stream is None or rule.asked.stream == stream}
        for number in gone:
            del self._rules[number]
        if gone:
            self._ask_anew()
            self._held.release_of(gone, how)

    def _ask_anew(self) -> None:
        """Let the repeater ask about the links that the rules want now."""
        self._clients = {rule.criteria.client: rule.criteria for rule in self._rules.values()}
        self._chosen.clear()
        if self._hold is None or self._hold.over:
            self._hold = self.repeater.hold(self._ask, links=self._wants_link) if self._rules else None
        elif self._rules:
            self._hold.choose_again()
        else:
            self._hold.stop()

    def _wants_link(self, link: Link) -> bool:
        return None in self._clients or any(criteria.wants_link(link) for criteria in self._clients.values())

    def _ask(self, message: HeldMessage) -> Deferred[Verdict] | None:
        """Return a Deferred if a message is to be held. See `Holder`."""
        candidate = Candidate(message, self._shower)
        for rule in self._rules_for(message):
            try:
                if not rule.wants(candidate):
                    continue
            except Exception:  # a message of the application, whose methods raise, is not what anybody asked for
                log.failure("a rule could not look at a message")
                continue
            waits = self._held.hold(rule, self._name, message)
            rule.full = waits is None
            if waits is not None:
                return waits
        return None

    def _rules_for(self, message: HeldMessage) -> Sequence[HoldRule]:
        """Return the rules for the client and the direction of a message."""
        link, direction = message.link, message.direction
        found = self._chosen.get((link.client_name, direction))
        if found is None:
            if len(self._chosen) >= MOST_CHOSEN:
                self._chosen.clear()
            patterns = {client for client, criteria in self._clients.items() if criteria.wants_link(link)}
            found = self._chosen[link.client_name, direction] = [
                rule
                for rule in self._rules.values()
                if rule.criteria.client in patterns and rule.criteria.direction in (None, direction)
            ]
        return found
