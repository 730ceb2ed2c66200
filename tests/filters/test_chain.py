"""Tests of `chain`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater import (
    DO_NOTHING,
    PASS_ON,
    Close,
    Direction,
    IFilter,
    IFilterPair,
    Later,
    Link,
    Mixed,
    PassOnAndSendBack,
    Send,
    SendBack,
    Verdict,
    WrongVerdict,
)
from twisted_repeater.codecs import RawCodec, fixed, tagged, text
from twisted_repeater.dialects import int32
from twisted_repeater.errors import CallbackFailed
from twisted_repeater.filters import Chain, FilterPair, Shadow, chain, in_order, selector_of, wants
from twisted_repeater.filters._provider import fixed_filters
from twisted_repeater.filters.chain import both
from twisted_repeater.selectors import NOTHING, Selector, contains, first_byte
from twisted_repeater.testing import FilterHarness

from .successors import Also, Kept

LINK: Any = None
"""A link that no filter here looks at."""

Answers = dict[Any, Any]


@dataclass
class Number:
    """A message."""

    value: int


class Seen:
    """A filter that keeps the messages that it sees, and answers from a table; others pass on."""

    def __init__(self, answers: Answers | None = None) -> None:
        self.answers = answers or {}
        self.seen: list[Any] = []

    def __call__(self, message: Any, link: Any) -> Any:
        """Return the answer."""
        self.seen.append(message)
        answer = self.answers.get(message, PASS_ON)
        return answer() if callable(answer) else answer


def verdict_of(result: Any) -> Any:
    """Return what a filter answered, which must be there by now."""
    if isinstance(result, Verdict):
        return result
    got: list[Any] = []
    (result if isinstance(result, Deferred) else Deferred.fromCoroutine(result)).addBoth(got.append)
    return got[0]


class VerdictTests(SynchronousTestCase):
    """What becomes of a message ``a`` in a chain of filters with these answers."""

    def check(self, tables: list[Answers], expected: Verdict, seen: list[list[Any]]) -> None:
        """Check the verdict of a chain, and what each filter saw."""
        filters = [Seen(answers) for answers in tables]
        self.assertEqual(verdict_of(chain(*filters).filter("a", LINK)), expected)
        self.assertEqual([one.seen for one in filters], seen)

    def test_nobody_touches_it(self) -> None:
        """If all pass on, it passes on: the very verdict that lets the bytes through."""
        self.check([{}, {}, {}], PASS_ON, [["a"], ["a"], ["a"]])
        self.assertIs(chain(Seen(), Seen()).filter("a", LINK), PASS_ON)

    def test_dropped(self) -> None:
        """What one drops, the next does not see."""
        self.check([{}, {"a": DO_NOTHING}, {}], DO_NOTHING, [["a"], ["a"], []])

    def test_sent_back(self) -> None:
        """What one sends back, the next does not see."""
        self.check([{"a": SendBack(["no"])}, {}], SendBack(["no"]), [["a"], []])

    def test_replaced(self) -> None:
        """What one sends in its place, the next sees."""
        self.check([{"a": Send("b")}, {}], Send("b"), [["a"], ["b"]])
        self.check([{"a": Send("b")}, {"b": Send("c")}, {}], Send("c"), [["a"], ["b"], ["c"]])
        self.check([{"a": Send("b")}, {"b": DO_NOTHING}, {}], DO_NOTHING, [["a"], ["b"], []])

    def test_replaced_by_several(self) -> None:
        """Of several, each goes its own way, in order."""
        tables: list[Answers] = [{"a": Send("b", "c", "d")}, {"b": Send("x", "y"), "c": DO_NOTHING}, {}]
        self.check(tables, Send("x", "y", "d"), [["a"], ["b", "c", "d"], ["x", "y", "d"]])

    def test_answers_add_up(self) -> None:
        """Messages are sent back whichever filter says so, also if a later one drops the message."""
        first: Answers = {"a": PassOnAndSendBack([1])}
        self.check([first, {}], PassOnAndSendBack([1]), [["a"], ["a"]])
        self.check([first, {"a": PassOnAndSendBack([2, 3])}], PassOnAndSendBack([1, 2, 3]), [["a"], ["a"]])
        self.check([first, {"a": SendBack([2])}, {}], SendBack([1, 2]), [["a"], ["a"], []])
        self.check([first, {"a": DO_NOTHING}], SendBack([1]), [["a"], ["a"]])
        self.check([first, {"a": Send("b")}], Mixed(forward=["b"], back=[1]), [["a"], ["a"]])
        self.check(
            [{"a": Send("b", "c")}, {"b": SendBack([1]), "c": SendBack([2])}], SendBack([1, 2]), [["a"], ["b", "c"]]
        )

    def test_original_first(self) -> None:
        """The original bytes go before what a filter adds; both go through the rest."""
        mixed = Mixed(passes=True, forward=["b"])
        self.check([{"a": mixed}, {}], mixed, [["a"], ["a", "b"]])
        self.check([{"a": mixed}, {"a": DO_NOTHING}], Send("b"), [["a"], ["a", "b"]])
        self.check([{"a": mixed}, {"b": DO_NOTHING}], PASS_ON, [["a"], ["a", "b"]])
        self.check([{"a": mixed}, {"a": mixed}], Mixed(passes=True, forward=["b", "b"]), [["a"], ["a", "b"]])

    def test_close(self) -> None:
        """Messages after one that closes are not looked at."""
        error = ValueError("no more")
        close = Close(error, forward=["bye"], back=["sorry"])
        self.check([{"a": Close(error, back=[1])}, {}], Close(error, back=[1]), [["a"], []])
        self.check([{}, {"a": close}], close, [["a"], ["a"]])
        self.check([{"a": close}, {}], close, [["a"], ["bye"]])
        self.check(
            [{"a": close}, {"bye": Send("adieu")}], Close(error, forward=["adieu"], back=["sorry"]), [["a"], ["bye"]]
        )
        self.check(
            [{"a": Send("b", "c", "d")}, {"c": close}, {}],
            Close(error, forward=["b", "bye"], back=["sorry"]),
            [["a"], ["b", "c"], ["b", "bye"]],
        )
        self.check(
            [{"a": Mixed(passes=True, forward=["b"])}, {"b": Close(error)}],
            Mixed(passes=True, closes=True, error=error),
            [["a"], ["a", "b"]],
        )

    def test_first_error(self) -> None:
        """If several close, the first says why."""
        first, second = ValueError("first"), ValueError("second")
        self.check([{"a": Close(first, forward=["b", "c"])}, {"b": Close(second)}], Close(first), [["a"], ["b"]])

    def test_one_and_none(self) -> None:
        """A chain may have one filter, or no filter."""
        self.check([{"a": Send("b")}], Send("b"), [["a"]])
        self.check([], PASS_ON, [])

    def test_chain_of_chains(self) -> None:
        """A chain is a filter, so it can be in a chain."""
        f, g, h = Seen({"a": Send("b", "c")}), Seen({"b": PassOnAndSendBack([1])}), Seen({"c": DO_NOTHING})
        for nested in (chain(chain(f, g), h), chain(f, chain(g, h)), chain(chain(f), chain(chain(g, h)))):
            self.assertEqual(nested.filter("a", LINK), Mixed(forward=["b"], back=[1]))
            self.assertEqual(nested("a", LINK), Mixed(forward=["b"], back=[1]))


class AsynchronousTests(SynchronousTestCase):
    """Members that answer later."""

    def test_order(self) -> None:
        """A message that waits holds up those after it, wherever in the chain it waits."""
        for position in range(3):
            waiting: Deferred[Verdict] = Deferred()
            members = [Seen({b"two": Send(b"2", b"3")}), Seen()]
            members.insert(position, Seen({b"slow": waiting}))
            harness = FilterHarness(chain(*members))
            outcome = harness.client_sends(b"one", b"slow", b"two")
            outcome.expect(to_server=[b"one"])
            self.assertTrue(outcome.pending)
            waiting.callback(PASS_ON)
            harness.outcome().expect(to_server=[b"slow", b"2", b"3"])

    def test_bytes(self) -> None:
        """A message that all pass on in the end leaves as the bytes that came."""
        fired: Deferred[Verdict] = Deferred()
        self.check([{"a": lambda: fired}, {}], fired, PASS_ON, PASS_ON)
        self.assertIs(self.result, PASS_ON)

    def check(self, tables: list[Answers], waiting: Deferred[Verdict], answer: Any, expected: Any) -> None:
        """Let a chain wait, answer, and check its verdict."""
        got: list[Any] = []
        result: Any = chain(*map(Seen, tables)).filter("a", LINK)
        (result if isinstance(result, Deferred) else Deferred.fromCoroutine(result)).addBoth(got.append)
        self.assertEqual(got, [])
        waiting.callback(answer)
        self.assertEqual(got, [expected])
        (self.result,) = got

    def test_in_the_middle(self) -> None:
        """Several messages in the place of one wait for each other."""
        waiting: Deferred[Verdict] = Deferred()
        tables: list[Answers] = [
            {"a": Send("b", "c", "d")},
            {"c": lambda: waiting, "d": Send("e")},
            {"e": SendBack([1])},
        ]
        self.check(tables, waiting, Send("x", "y"), Mixed(forward=["b", "x", "y"], back=[1]))

    def test_close_later(self) -> None:
        """Closing later ends it as well."""
        waiting: Deferred[Verdict] = Deferred()
        tables: list[Answers] = [{"a": Send("b", "c")}, {"b": lambda: waiting, "c": DO_NOTHING}]
        self.check(tables, waiting, Close(), Close())

    def test_several_wait(self) -> None:
        """Many filters that wait, one after the other, work."""
        first: Deferred[Verdict] = Deferred()

        async def soon() -> Verdict:
            return PASS_ON

        several = Send(*range(2000))
        self.check([{"a": lambda: first}, {7: soon}, dict.fromkeys(range(2000), soon)], first, several, several)

    def test_coroutines(self) -> None:
        """Coroutine functions serve as members."""

        async def replace(message: Any, link: Any) -> Verdict:
            return Send(message + "!")

        async def answer(message: Any, link: Any) -> Verdict:
            return PassOnAndSendBack([message])

        expected = Mixed(forward=["a!!"], back=["a!!"])
        self.assertEqual(verdict_of(chain(replace, replace, answer).filter("a", LINK)), expected)

    def test_shared(self) -> None:
        """Messages of several links may wait for the same Deferred: each gets its result, in a chain as without."""
        asked: Deferred[Verdict] = Deferred()

        def ask(message: Any, link: Any) -> Deferred[Verdict]:
            return asked

        for members, expected in (
            ((ask,), [b"a"]),
            ((ask, Seen()), [b"a"]),
            ((Seen(), ask), [b"a"]),
            ((ask, ask), [b"a"]),
            ((Seen({b"a": Send(b"b", b"c")}), ask), [b"b", b"c"]),
        ):
            asked = Deferred()
            harnesses = [FilterHarness(chain(*members)) for _ in range(3)]
            for harness in harnesses:
                harness.client_sends(b"a").expect()
            asked.callback(PASS_ON)
            for harness in harnesses:
                harness.outcome().expect(to_server=expected)
            self.assertIs(self.successResultOf(asked), PASS_ON)

    def test_cancelled(self) -> None:
        """When the link is closed meanwhile, what is waited for is cancelled."""
        cancelled: list[Any] = []
        waiting: Deferred[Verdict] = Deferred(cancelled.append)
        harness = FilterHarness(chain(Seen(), Seen({b"a": lambda: waiting}), Seen()))
        harness.client_sends(b"a")
        harness.link.close()
        harness.advance(60)
        self.assertEqual(cancelled, [waiting])


class FailureTests(SynchronousTestCase):
    """Members that fail."""

    def test_raising(self) -> None:
        """What a member raises is the failure of the chain, which is called as its members."""

        def risk(message: Any, link: Any) -> Verdict:
            raise LookupError(message)

        def log(message: Any, link: Any) -> Verdict:
            return PASS_ON

        (error,) = FilterHarness(chain(log, risk, Seen())).client_sends(b"a").errors
        assert isinstance(error, CallbackFailed)
        self.assertIsInstance(error.reason, LookupError)
        self.assertEqual(error.callback, f"filter chain({log.__qualname__}, {risk.__qualname__}, Seen)")
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_no_verdict(self) -> None:
        """An answer that is not a verdict fails as such, wherever it comes from."""

        async def later() -> None:
            return None

        for answer in (None, "PASS_ON", later):
            cases: list[list[Answers]] = [
                [{"a": answer}, {}],
                [{"a": Send("b")}, {"b": answer}],
                [{"a": Send("b", "c")}, {"b": PASS_ON, "c": answer}],
                [{}, {"a": Send("b", "c")}, {"b": answer}],
            ]
            for tables in cases:
                failure = verdict_of(chain(*map(Seen, tables)).filter("a", LINK))
                self.assertIsInstance(failure.value, WrongVerdict)
                self.assertRegex(str(failure.value), "must (return|give) a verdict, not")

    def test_whose_it_is(self) -> None:
        """The error names the member that gave something else than a verdict."""

        def risk(message: Any, link: Any) -> Any:
            return None

        async def risk_later(message: Any, link: Any) -> Any:
            return True

        for culprit in (risk, risk_later):
            first, other, replaced = Seen(), Seen(), Seen({"a": Send("b")})
            for members in (
                (culprit, other),
                (first, culprit),
                (first, culprit, other),
                (replaced, culprit),
                (Seen({"a": Send("b", "c")}), culprit),
                (first, chain(other, culprit)),
                (chain(culprit, other), first),
            ):
                failure = verdict_of(chain(*members).filter("a", LINK))
                self.assertIn(f"{culprit.__qualname__}", str(failure.value))
                self.assertIs(failure.type, WrongVerdict)

    def test_no_filter(self) -> None:
        """Each member must be a filter."""
        with self.assertRaisesRegex(TypeError, "not None"):
            chain(Seen(), None)  # type: ignore[call-overload]


class SelectorTests(SynchronousTestCase):
    """What a chain wants, and what its members see."""

    def test_union(self) -> None:
        """A chain wants what any of its members wants."""
        o, c = wants(first_byte(b"O"))(Seen()), wants(first_byte(b"C"))(Seen())
        self.assertEqual(repr(selector_of(chain(o, c), RawCodec())), "(first_byte(b'O') | first_byte(b'C'))")
        self.assertIsNone(selector_of(chain(o, Seen()), RawCodec()))
        self.assertIs(selector_of(chain(), RawCodec()), NOTHING)
        self.assertEqual(repr(selector_of(chain(chain(o)), RawCodec())), "first_byte(b'O')")

    def test_each_sees_its_own(self) -> None:
        """Each member sees what it wants only, also of what another sends in the place of a message."""
        first, second, third = Seen({b"O1": Send(b"C", b"x")}), Seen(), Seen()
        harness = FilterHarness(
            chain(wants(first_byte(b"O"))(first), wants(first_byte(b"C"))(second), wants(bytes)(third))
        )
        harness.client_sends(b"O1", b"O2", b"C2", b"y").expect(to_server=[b"C", b"x", b"O2", b"C2", b"y"])
        self.assertEqual(first.seen, [b"O1", b"O2"])
        self.assertEqual(second.seen, [b"C", b"C2"])
        self.assertEqual(third.seen, [b"C", b"x", b"O2", b"C2", b"y"])

    def test_by_class(self) -> None:
        """Where messages are decoded, members want them by class."""
        texts, numbers = Seen(), Seen()
        wire = tagged({b"T": text(), b"N": fixed(Number, value="I")})
        harness = FilterHarness(chain(wants(str)(texts), wants(Number)(numbers)), dialect=int32(to_server=wire))
        harness.client_sends("a", "b").expect(to_server=["a", "b"])
        self.assertEqual((texts.seen, numbers.seen), (["a", "b"], []))

    def test_by_bytes_where_decoded(self) -> None:
        """By its bytes they cannot: starting with such a chain is a ``TypeError``."""
        with self.assertRaisesRegex(TypeError, "Seen selects messages by their bytes"):
            FilterHarness(chain(Seen(), wants(first_byte(b"O"))(Seen())), dialect=int32(to_server=text()))

    def test_class_that_never_comes(self) -> None:
        """If no message can be of the classes of a member, starting raises ``TypeError`` too."""
        with self.assertRaisesRegex(TypeError, "^to_server_filter: Seen wants int; the messages are str$"):
            FilterHarness(chain(wants(str)(Seen()), wants(int)(Seen())), dialect=int32(to_server=text()))

    def test_however_it_is_told(self) -> None:
        """A member selects by the bytes however it says so, and in a chain that does."""

        class Asked(Seen):
            def selector_for(self, codec: Any) -> Selector:
                return first_byte(b"O")

        for make in (Asked, lambda: chain(Asked(), Asked()), lambda: chain(chain(Asked()))):
            for member in (make(), Shadow(make()), wants(object)(make()), wants(contains([b"1"]))(make())):
                filters = chain(Seen(), member)
                FilterHarness(filters).client_sends(b"O1", b"x").expect(to_server=[b"O1", b"x"])
                with self.assertRaisesRegex(TypeError, "selects messages by their bytes"):
                    FilterHarness(filters, dialect=int32(to_server=text()))
        member, both = Asked(), Asked()
        FilterHarness(chain(Seen(), member, wants(contains([b"1"]))(both))).client_sends(b"O1", b"x1", b"O2")
        self.assertEqual(member.seen, [b"O1", b"O2"])
        self.assertEqual(both.seen, [b"O1"])

    def test_one_by_bytes(self) -> None:
        """A chain of one member works as that one does alone: it may select by the bytes of what is decoded."""
        for filters in (chain(wants(first_byte(b"O"))(Seen({"Old": DO_NOTHING}))), chain()):
            FilterHarness(filters, dialect=int32(to_server=text())).client_sends("new").expect(to_server=["new"])
        seen = Seen()
        harness = FilterHarness(chain(wants(first_byte(b"O"))(seen)), dialect=int32(to_server=text()))
        harness.client_sends("Old", "new").expect(to_server=["Old", "new"])
        self.assertEqual(seen.seen, ["Old"])

    def test_interface(self) -> None:
        """A chain is a filter, shown as its members."""
        self.assertTrue(verifyObject(IFilter, chain(Seen())))
        self.assertEqual(repr(chain(Seen(), chain(by_the_book))), "chain(Seen, chain(by_the_book))")


def by_the_book(tables: list[Answers], message: Any) -> Verdict:
    """Say what a chain must answer, the slow way: filter by filter, with a list of all that is on its way."""
    on_its_way: list[tuple[Any, bool]] = [(message, True)]
    backs: dict[tuple[int, ...], list[Any]] = {}
    passes = closes = False

    # Answers are sent in the order in which the messages that cause them would reach the filters, one after the other.
    def through(item: Any, is_original: bool, rest: list[Answers], place: tuple[int, ...]) -> list[tuple[Any, bool]]:
        nonlocal closes
        if not rest:
            return [(item, is_original)]
        verdict = rest[0].get(item, PASS_ON)
        backs[place] = list(verdict.back)
        result = []
        for index, (other, original) in enumerate(
            [*([(item, is_original)] if verdict.passes else []), *((new, False) for new in verdict.forward)]
        ):
            result += through(other, original, rest[1:], (*place, index))
        return result

    on_its_way = through(message, True, tables, ())
    passes = any(original for _, original in on_its_way)
    forward = [item for item, original in on_its_way if not original]
    back = [one for place in sorted(backs) for one in backs[place]]
    return Mixed(passes=passes, forward=forward, back=back, closes=closes)


def effects(verdict: Verdict) -> tuple[Any, ...]:
    """Return what a verdict does, whatever it is called."""
    return verdict.passes, verdict.forward, verdict.back, verdict.closes


LETTERS = st.sampled_from("abc")
VERDICTS = st.builds(
    Mixed, passes=st.booleans(), forward=st.lists(LETTERS, max_size=3), back=st.lists(st.integers(0, 9), max_size=2)
)
TABLES = st.lists(st.dictionaries(LETTERS, VERDICTS), max_size=4)


class BookTests(SynchronousTestCase):
    """Any chain, against what the book says."""

    @given(TABLES)
    def test_at_once(self, tables: list[Answers]) -> None:
        """Filters that answer at once."""
        verdict = chain(*map(Seen, tables)).filter("a", LINK)
        assert isinstance(verdict, Verdict)
        self.assertEqual(effects(verdict), effects(by_the_book(tables, "a")))

    @given(TABLES, st.data())
    def test_later(self, tables: list[Answers], data: st.DataObject) -> None:
        """Filters some of whose answers come later."""
        waiting: list[tuple[Deferred[Verdict], Verdict]] = []

        def sometimes_later(answers: Answers) -> Callable[[Any, Any], Any]:
            def ask(message: Any, link: Any) -> Any:
                verdict = answers.get(message, PASS_ON)
                if data.draw(st.booleans()):
                    return verdict
                deferred: Deferred[Verdict] = Deferred()
                waiting.append((deferred, verdict))
                return deferred

            return ask

        result = chain(*map(sometimes_later, tables)).filter("a", LINK)
        got: list[Any] = [result]
        if not isinstance(result, Verdict):
            got.clear()
            (result if isinstance(result, Deferred) else Deferred.fromCoroutine(result)).addBoth(got.append)
        while waiting:
            self.assertEqual((len(waiting), got), (1, []))
            deferred, verdict = waiting.pop()
            deferred.callback(verdict)
        self.assertEqual(effects(got[0]), effects(by_the_book(tables, "a")))


class MigrationTests(SynchronousTestCase):
    """Chains that take over from others."""

    def test_chain(self) -> None:
        """Each filter takes over from the one of its name, wherever that stood."""
        old = [Kept(), Also()]
        new = [Also(), Kept(), Kept()]
        chain(*new).migrate(chain(*old))
        self.assertEqual([member.before for member in new], [old[1], old[0], None])

    def test_no_chain(self) -> None:
        """What was alone is taken over by the filter of its name."""
        old, new = Kept(), [Also(), Kept()]
        chain(*new).migrate(old)
        self.assertEqual([member.before for member in new], [None, old])


class Marking:
    """A pair of filters that mark what they see, and count the links."""

    def __init__(self, mark: bytes, *, only: str | None = None) -> None:
        self.mark = mark
        self.only = only
        self.links: list[Any] = []
        self.before: Any = None

    def for_link(self, link: Any) -> Any:
        """Return both filters, or one."""
        self.links.append(link)

        def marked(message: bytes, link: Any) -> Verdict:
            return Send(message + self.mark)

        return tuple(marked if self.only in (None, way) else None for way in ("to_server", "to_client"))

    def migrate(self, old: Any) -> None:
        """Take over."""
        self.before = old


class PairChainTests(SynchronousTestCase):
    """Chains of pairs."""

    def test_order(self) -> None:
        """In both directions a message goes from the first pair to the last; each pair is asked once for each link."""
        first, second = Marking(b"1"), Marking(b"2")
        pairs = chain(first, chain(second, FilterPair(to_client=lambda message, link: Send(message + b"3"))))
        verifyObject(IFilterPair, pairs)
        run = FilterHarness(filters=pairs)
        run.client_sends(b"m").expect(to_server=[b"m12"])
        run.server_sends(b"m").expect(to_client=[b"m123"])
        self.assertEqual((first.links, second.links), ([run.link], [run.link]))

    def test_missing_filters(self) -> None:
        """Pairs without a filter for a direction are left out; a single filter is asked without a chain."""
        alone = Marking(b"1", only="to_client")
        to_server, to_client = chain(alone, FilterPair()).for_link(LINK)
        self.assertIsNone(to_server)
        self.assertNotIsInstance(to_client, Chain)

    def test_mixed(self) -> None:
        """A filter of one direction needs a pair."""
        with self.assertRaisesRegex(TypeError, r"write FilterPair\(to_server=Seen\)"):
            chain(Marking(b"1"), Seen())  # type: ignore[call-overload]

    def test_wrong_filters(self) -> None:
        """What a pair returns is checked, and the error names the pair."""

        class Wrong(Marking):
            def for_link(self, link: Any) -> Any:
                return None

        with self.assertRaisesRegex(TypeError, r"Wrong.for_link must return \(to_server, to_client\), not None"):
            chain(Marking(b"1"), Wrong(b"2")).for_link(LINK)

    def test_names(self) -> None:
        """A chain is named after its members."""
        pairs = chain(Marking(b"1"), FilterPair())
        self.assertEqual(repr(pairs), "chain(Marking, FilterPair(None, None))")

    def test_in_order(self) -> None:
        """What must be last in a chain of pairs must be last in it, also inside another chain."""
        last = in_order(Seen(), ends_answer=bool, asks=bool)
        pairs = chain(Marking(b"1"), chain(FilterPair(), last))
        for members in ((last, FilterPair()), (pairs, FilterPair())):
            with self.assertRaisesRegex(TypeError, "in_order must be the last in a chain"):
                chain(*members)

    def test_fixed(self) -> None:
        """Filters that are known before there is a link are found in a chain, too."""
        seen = Seen()
        self.assertEqual(
            list(fixed_filters(chain(Marking(b"1"), FilterPair(to_client=seen)))), [(Direction.TO_CLIENT, seen)]
        )

    def test_both(self) -> None:
        """Two functions are joined as in a chain, and what they do wrong is told with the name that was given."""
        for verdict, expected in ((PASS_ON, PASS_ON), (Send(2), Send(3)), (DO_NOTHING, DO_NOTHING)):
            joined = both(Seen({1: verdict}), Seen({2: Send(3)}), "the name")
            self.assertEqual(verdict_of(joined(1, LINK)), expected)
        self.assertEqual(joined.__qualname__, "the name")
        wrong = verdict_of(both(Seen({1: 5}), Seen(), "the name")(1, LINK))
        self.assertIn("the name", str(wrong.value))

    def test_migrate(self) -> None:
        """Each member takes over from the one of its name, in a chain or alone."""
        first, second, third = Marking(b"1"), Marking(b"2"), Marking(b"3")
        chain(FilterPair(), second).migrate(chain(first, FilterPair()))
        chain(third).migrate(second)
        self.assertEqual((second.before, third.before), (first, second))


class LaterTests(SynchronousTestCase):
    """Verdicts that come later."""

    def test_delays_add_up(self) -> None:
        """The next filter sees the message at once, and both delays are added, whatever the verdicts."""
        seen: list[bytes] = []

        def late(message: bytes, link: Link) -> Verdict:
            return Later(1, Send(message, message) if message == b"two" else PASS_ON)

        def later(message: bytes, link: Link) -> Verdict:
            seen.append(message)
            return DO_NOTHING if message == b"drop" else Later(2 if message == b"a" else 1)

        harness = FilterHarness(chain(late, later))
        harness.client_sends(b"a").expect()
        self.assertEqual(seen, [b"a"])
        harness.advance(2.9).expect()
        harness.advance(0.2).expect(to_server=[b"a"])
        outcome = harness.client_sends(b"drop", b"two")
        self.assertEqual(outcome.verdicts, [Later(1, DO_NOTHING), Later(2, Send(b"two", b"two"))])
        harness.advance(2.1).expect(to_server=[b"two", b"two"])
