"""Compares the logs of two engines of FIX, message by message, with what the rules of ``judged_orders`` say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from .fix_engines import Engine, Line, State
from .quickfix import judged_orders as rules

__all__ = ["Judge", "delivered", "sent_once"]

ADDED = "148"


def delivered(engine: Engine) -> list[Line]:
    """Return what an engine's application got.

    An engine that is killed after its application got a message, and before it has written the number down, asks for
    the message again. An application has to know it by PossDupFlag, as is done here.
    """
    found: list[Line] = []
    started = False
    for line in engine.lines:
        if line.kind == "start":
            started = True
        elif line.kind == "got":
            again = started and line.is_again and found and found[-1].number == line.number
            if not again:
                found.append(line)
            started = False
    return found


def sent_once(engine: Engine, type_: str) -> list[Line]:
    """Return the messages of a type that an engine sent, in the order of their numbers, each once."""
    by_number = {line.number: line for line in engine.told("sent", type_)}
    return [line for _, line in sorted(by_number.items())]


class Judge:
    """Says whether nothing was lost, doubled or changed that should not be.

    Args:
        initiator: the engine that sent the orders.
        acceptor: the engine that reported them.
        orders: how many there were.
        by_rules: whether a repeater with these rules was between the two.
    """

    def __init__(self, initiator: Engine, acceptor: Engine, orders: int, *, by_rules: bool) -> None:
        self.initiator = initiator
        self.acceptor = acceptor
        self.orders = range(1, orders + 1)
        self.by_rules = by_rules

    def verdict(self, states: tuple[State, State], interruptions: int) -> str:
        """Return a sentence with the figures.

        Args:
            states: how far the initiator and the acceptor are in the end.
            interruptions: how often something happened to them.

        Raises:
            AssertionError: something is not as it must be.
        """
        self.check_orders()
        self.check_reports()
        self.check_news()
        self.check_numbers(*states)
        asked = self.check_sessions(interruptions)
        return f"ok: {len(self.orders)} orders, {interruptions} interruptions, {asked} resend requests"

    def check_orders(self) -> None:
        """Check that the acceptor got each order that was not refused, once, in order, and as it was sent."""
        sent = sent_once(self.initiator, "D")
        same([int(line.get(11)) for line in sent], self.orders, "orders sent")
        wanted = [line for line in sent if not self.applies(self.is_kept_back, line)]
        got = [line for line in delivered(self.acceptor) if line.type == "D"]
        same([line.get(11) for line in got], [line.get(11) for line in wanted], "orders at the acceptor")
        for before, after in zip(wanted, got, strict=True):
            text = "|58=changed" if self.applies(rules.is_changed, before) else ""
            same(body(after.text), sorted([*body(before.text), *text.split("|")[1:]]), "an order's fields")

    def check_reports(self) -> None:
        """Check that the initiator got each report of the acceptor, and each refusal, once and in order."""
        got = [line for line in delivered(self.initiator) if line.type == "8"]
        reports = [body(line.text) for line in got if line.get(37) != "NONE"]
        same(reports, [body(line.text) for line in sent_once(self.acceptor, "8")], "reports at the initiator")
        refused = [int(line.get(11)) for line in got if line.get(37) == "NONE"]
        same(refused, [number for number in self.orders if self.by_rules and rules.is_refused(number)], "refusals")
        kept_back = {number for number in self.orders if self.by_rules and self.is_kept_back(number)}
        reported = {int(line.get(11)) for line in got if line.get(37) != "NONE"}
        same(sorted(reported), sorted(set(self.orders) - kept_back), "orders that were reported")

    def check_news(self) -> None:
        """Check that what the repeater added is there, each once."""
        for engine, added in ((self.initiator, rules.added_to_client), (self.acceptor, rules.added_to_server)):
            got = Counter(line.get(148) for line in delivered(engine) if line.type == rules.NEWS)
            same(sorted(got.items()), sorted(self.news(added).items()), f"news at the {engine.role}")

    def news(self, added: Callable[[int], Iterable[str]]) -> Counter[str]:
        """Return what was added, and how often: an acceptor that was killed may have reported an order twice."""
        if not self.by_rules:
            return Counter()
        reports = Counter(int(line.get(11)) for line in sent_once(self.acceptor, "8"))
        expected: Counter[str] = Counter()
        for number in self.orders:
            for headline in added(number):
                expected[headline] += 1 if headline.startswith("order") else reports[number]
        return expected

    def check_numbers(self, initiator: State, acceptor: State) -> None:
        """Check that each engine expects the number that the other will send, moved by what was added on the way."""
        refused = sum(self.by_rules and rules.is_refused(number) for number in self.orders)
        to_server, to_client = self.news(rules.added_to_server), self.news(rules.added_to_client)
        same(acceptor.target - initiator.sender, to_server.total(), "added numbers at the acceptor")
        same(initiator.target - acceptor.sender, to_client.total() + refused, "added numbers at the initiator")

    def check_sessions(self, interruptions: int) -> int:
        """Check that nobody complained of the other; return how often they asked for messages again."""
        asked = 0
        for engine in (self.initiator, self.acceptor):
            complaints = [line.text for line in engine.told("sent", "3j")]
            complaints += [line.text for line in engine.told("sent", "5") if line.get(58)]
            complaints += [line.text for line in engine.told("event") if "too low" in line.text]
            same(complaints, [], f"complaints of the {engine.role}")
            asked += len(engine.told("sent", "2"))
        # Each interruption may lose messages both ways, and the answers to what is asked because of that.
        assert asked <= 4 * interruptions + 4, f"{asked} resend requests after {interruptions} interruptions"
        return asked

    def applies(self, rule: Callable[[int], bool], line: Line) -> bool:
        """Return whether a rule of the repeater applies to an order."""
        return self.by_rules and rule(int(line.get(11)))

    def is_kept_back(self, number: int) -> bool:
        """Return whether an order must not get to the acceptor."""
        return rules.is_refused(number) or rules.is_dropped(number)


HEADER = frozenset(["8", "9", "10", "34", "35", "43", "49", "52", "56", "97", "115", "122", "128", "1128"])


def body(text: str) -> list[str]:
    """Return the fields of a message that the session does not write, in a fixed order."""
    return sorted(field for field in text.split("|") if field and field.partition("=")[0] not in HEADER)


def same(found: object, wanted: object, what: str) -> None:
    """Check that two things are equal; say where two sequences differ first."""
    if isinstance(found, Sequence) and isinstance(wanted, Sequence) and not isinstance(found, str):
        first = next((at for at, pair in enumerate(zip(found, wanted, strict=False)) if pair[0] != pair[1]), None)
        if first is None and len(found) == len(wanted):
            return
        at = min(len(found), len(wanted)) if first is None else first
        raise AssertionError(
            f"{what}: {len(found)} instead of {len(wanted)}; at {at}: {found[at : at + 3]}, not {wanted[at : at + 3]}"
        )
    assert found == wanted, f"{what}: {found}, not {wanted}"
