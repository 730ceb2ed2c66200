"""Tests of the selectors: what each wants, combined, anywhere in a buffer, and in a lane."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import PASS_ON, Verdict
from twisted_repeater.selectors import (
    NOTHING,
    Gate,
    Selector,
    _Contains,
    any_of,
    bytes_at,
    contains,
    first_byte,
    predicate,
    reach_of,
)
from twisted_repeater.testing import FilterHarness

SELECTORS = [
    first_byte(b"OC"),
    bytes_at(1, {b"a", b"b"}),
    bytes_at(0, {b"ab", b"abc", b"b"}),
    bytes_at(2, {b"ba"}),
    contains([b"ab", b"c"]),
    _Contains((b"ab", b"c"), in_one_pass=True),
    _Contains((b"ab", b"c"), in_one_pass=False),
    predicate(lambda payload: len(payload) % 2),
    first_byte(b"a") | bytes_at(1, {b"b"}),
    first_byte(b"a") & bytes_at(1, {b"b"}),
    ~first_byte(b"a"),
    NOTHING,
]


UNMADE: list[type[Selector]] = [type(selector) for selector in [*SELECTORS, ~first_byte(b"a")]]


def wants(selector: Selector, payload: bytes) -> bool:
    """Ask about a payload that stands alone."""
    return selector.matches(payload, 0, len(payload))


class SelectorTests(SynchronousTestCase):
    """What each selector wants."""

    def check(self, selector: Selector, wanted: list[bytes], unwanted: list[bytes]) -> None:
        """Check what a selector wants, and what it does not."""
        self.assertEqual([payload for payload in wanted if not wants(selector, payload)], [])
        self.assertEqual([payload for payload in unwanted if wants(selector, payload)], [])

    def test_first_byte(self) -> None:
        """The first byte is one of these; an empty payload has no first byte."""
        self.check(first_byte(b"OC\0"), [b"O", b"Cxy", b"\0"], [b"", b"xO", b"o"])

    def test_one_byte_at(self) -> None:
        """The byte at an offset is one of these."""
        self.check(bytes_at(2, [b"a", b"b"]), [b"..a", b"..b."], [b"", b"a", b"..", b"...a"])

    def test_bytes_at(self) -> None:
        """The bytes at an offset are one of these, which may differ in length."""
        selector = bytes_at(1, {b"NEW", b"NE", b"CXL"})
        self.check(selector, [b".NEW", b".NE", b".NEX", b".CXL."], [b"", b".", b".N", b".CX", b".NXW", b"NEW", b".ZZZ"])

    def test_other_bytes(self) -> None:
        """Values may be given as any kind of bytes."""
        values: list[Any] = [bytearray(b"ab"), memoryview(b"cd")]
        self.check(bytes_at(0, values), [b"ab", b"cd"], [b"ac"])

    def test_contains(self) -> None:
        """One of these occurs somewhere."""
        values = (b"ab", b"xyz")
        for selector in (contains(values), _Contains(values, in_one_pass=True), _Contains(values, in_one_pass=False)):
            self.check(selector, [b"ab", b"..ab..", b"..xyz", b"xyxyz"], [b"", b"a", b"ba", b"xy", b"..xy"])

    def test_predicate(self) -> None:
        """A function of the payload's bytes decides, by whatever is true."""
        self.check(predicate(lambda payload: payload[3:]), [b"long"], [b"", b"sho"])

    @given(st.sampled_from(SELECTORS), st.integers(0, 10), st.integers(0, 10))
    def test_within_the_data(self, selector: Selector, start: int, stop: int) -> None:
        """A payload is told from the data around it, wherever it is. `test_offsets` has wrong offsets."""
        data = b"abcabcabca"
        start, stop = sorted((start, stop))
        self.assertEqual(selector.matches(data, start, stop), wants(selector, data[start:stop]))

    def test_offsets_outside(self) -> None:
        """Every selector refuses offsets that are not within the data, or in the wrong order."""
        for selector in SELECTORS:
            for start, stop in ((-1, 2), (0, 4), (3, 2)):
                self.assertRaises(ValueError, selector.matches, b"abc", start, stop)

    def test_far_offsets(self) -> None:
        """A payload that ends before an offset isn't wanted, however far that is; one below 0 cannot be."""

        class Sly(int):
            """Looks like a good offset."""

            def __lt__(self, other: int) -> bool:
                return False

        for offset in (2**31, 2**62, 2**63 - 1):
            for values in ([b"a"], [b"ab", b"b"]):
                selector = bytes_at(offset, values)
                self.assertFalse(selector.matches(b"aaaa", 2, 4))
        for values in ([b"a"], [b"ab", b"b"]):
            self.assertRaises(ValueError, bytes_at, Sly(-5), values)
            self.assertRaises(OverflowError, bytes_at, 2**63, values)
            for kind in (type(first_byte(b"a")), type(bytes_at(0, [b"ab"]))):
                self.assertRaises(ValueError, kind, -5, tuple(values))

    def test_not_initialized(self) -> None:
        """One that was made without its initializer is an error when it is asked."""
        for kind in UNMADE:
            selector = kind.__new__(kind)
            self.assertRaises(AttributeError, selector.matches, b"abc", 0, 3)
            for name in ("_firsts", "_function", "_first", "_second", "_selector"):
                with contextlib.suppress(AttributeError):  # compiled, they are None already, and hidden
                    setattr(selector, name, None)
            self.assertRaises(AttributeError, selector.matches, b"abc", 0, 3)

    def test_nothing(self) -> None:
        """`NOTHING` wants nothing."""
        for selector in (NOTHING, _Contains((), in_one_pass=True), _Contains((), in_one_pass=False)):
            self.check(selector, [], [b"", b"a"])

    def test_combined(self) -> None:
        """Selectors are combined by or, and, not."""
        o, new = first_byte(b"O"), bytes_at(1, {b"NEW"})
        self.check(o | new, [b"O", b"xNEW", b"ONEW"], [b"", b"xOLD"])
        self.check(o & new, [b"ONEW"], [b"O", b"xNEW", b""])
        self.check(~o, [b"", b"x"], [b"O"])
        self.check(~(o | new) & contains([b"z"]), [b"z"], [b"Oz", b"x"])

    def test_of_none(self) -> None:
        """Only selectors can be combined."""
        kinds: list[Any] = [type(selector) for selector in (first_byte(b"a") | NOTHING, first_byte(b"a") & NOTHING)]
        for kind in kinds:
            for pair in ((None, NOTHING), (NOTHING, None), (NOTHING, "x")):
                self.assertRaises(TypeError, kind, *pair)

    def test_many(self) -> None:
        """Any number can be combined at once; nested too deeply they are refused, before they fill the stack."""
        many = any_of(bytes_at(number, [b"x"]) for number in range(5000))
        self.check(many, [b"x", b"." * 4999 + b"x"], [b"", b"." * 5000 + b"x"])
        for nest in (lambda one: ~one, lambda one: one | NOTHING, lambda one: NOTHING & one):
            nested = first_byte(b"x")
            with self.assertRaises(ValueError) as refused:
                for _ in range(100_000):
                    nested = nest(nested)
            self.assertIn("nested", str(refused.exception))
            self.assertIsInstance(wants(nested, b"x"), bool)

    def test_any_of(self) -> None:
        """`any_of` wants the payloads that one of several selectors wants; without selectors, nothing."""
        self.check(any_of([first_byte(b"a"), first_byte(b"b"), contains([b"c"])]), [b"a", b"b", b".c"], [b"d"])
        self.assertIs(any_of([]), NOTHING)
        one = first_byte(b"a")
        self.assertIs(any_of([one]), one)

    def test_only_with_selectors(self) -> None:
        """Combining with anything else is a ``TypeError``."""
        selector: Any = first_byte(b"a")
        with self.assertRaises(TypeError):
            selector | b"a"
        with self.assertRaises(TypeError):
            selector & None

    def test_one_of_your_own(self) -> None:
        """A subclass overrides `matches`, and combines with the others."""

        class Long(Selector):
            def matches(self, data: bytes, start: int, stop: int) -> bool:
                return stop - start > 3

        self.check(Long() & ~first_byte(b"x"), [b"abcd"], [b"abc", b"xbcd"])
        with self.assertRaises(NotImplementedError):
            Selector().matches(b"", 0, 0)

    def test_mistakes(self) -> None:
        """A mistake is an error when the selector is made."""
        with self.assertRaisesRegex(ValueError, "must be at least 0, .*, not -1"):
            bytes_at(-1, [b"a"])
        wrong: Any
        for wrong in ("OX", [b"O"], 5):
            with self.assertRaisesRegex(TypeError, "^first_byte takes bytes, not "):
                first_byte(wrong)
        wrong = ["x"]
        with self.assertRaisesRegex(TypeError, "^bytes_at takes values of bytes, not 'x'"):
            bytes_at(0, wrong)
        with self.assertRaisesRegex(TypeError, "^contains takes values of bytes, not 'x'"):
            contains(wrong)
        wrong = 3
        with self.assertRaisesRegex(TypeError, "^predicate takes a function of a payload, not 3"):
            predicate(wrong)
        with self.assertRaisesRegex(TypeError, r"write \[b'NEW'\]"):
            bytes_at(0, b"NEW")  # type: ignore[arg-type]
        with self.assertRaisesRegex(ValueError, "every payload"):
            contains([b"a", b""])

    def test_repr(self) -> None:
        """A selector shows what it wants."""
        shown = [
            (first_byte(b"OC"), "first_byte(b'CO')"),
            (bytes_at(1, [b"a"]), "bytes_at(1, [b'a'])"),
            (bytes_at(0, [b"ab", b"c"]), "bytes_at(0, [b'ab', b'c'])"),
            (contains([b"ab"]), "contains([b'ab'])"),
            (predicate(len), "predicate(<built-in function len>)"),
            (first_byte(b"a") | first_byte(b"b"), "(first_byte(b'a') | first_byte(b'b'))"),
            (first_byte(b"a") & first_byte(b"b"), "(first_byte(b'a') & first_byte(b'b'))"),
            (~first_byte(b"a"), "~first_byte(b'a')"),
        ]
        for selector, expected in shown:
            self.assertEqual(repr(selector), expected)


class GateTests(SynchronousTestCase):
    """The selector with a switch."""

    def test_switch(self) -> None:
        """It selects all while it is open, and none while it is closed, whatever it is combined with."""
        gate = Gate()
        either = gate | first_byte(b"a")
        seen = []
        for gate.is_open in (False, True, False):
            seen.append((gate.matches(b"b", 0, 1), either.matches(b"b", 0, 1), either.matches(b"a", 0, 1), repr(gate)))
        self.assertEqual(seen[0], (False, False, True, "<gate, closed>"))
        self.assertEqual(seen[1], (True, True, True, "<gate, open>"))
        self.assertEqual(seen[2], seen[0])
        self.assertEqual(reach_of(gate), 1)
        self.assertRaises(ValueError, gate.matches, b"b", 1, 3)


class ReachTests(SynchronousTestCase):
    """How early a selector can decide."""

    @given(
        st.sampled_from(SELECTORS), st.binary(max_size=12).map(lambda data: bytes(b"abcO"[byte % 4] for byte in data))
    )
    def test_beginning_decides(self, selector: Selector, payload: bytes) -> None:
        """The bytes within its reach decide as the whole payload does."""
        reach = reach_of(selector)
        if reach:
            early = selector.matches(payload, 0, min(reach, len(payload)))
            self.assertEqual(early, selector.matches(payload, 0, len(payload)))

    def test_reach(self) -> None:
        """It ends after the last byte that is compared; a selector that may need all of a payload has none."""
        far = bytes_at(sys.maxsize, {b"ab"})
        for selector, reach in (
            (first_byte(b"ab"), 1),
            (bytes_at(3, {b"a", b"abc"}), 6),
            (~bytes_at(3, {b"a"}), 4),
            (first_byte(b"a") | bytes_at(2, {b"b"}), 3),
            (first_byte(b"a") & contains({b"b"}), 0),
            (contains({b"b"}) | first_byte(b"a"), 0),
            (~contains({b"b"}), 0),
            (predicate(bool), 0),
            (NOTHING, 1),
            (far, 0),
            (Selector(), 0),
        ):
            self.assertEqual(reach_of(selector), reach, selector)


class BufferTests(SynchronousTestCase):
    """Payloads inside a larger buffer."""

    @given(st.binary(max_size=6), st.text("Oabcx", max_size=6).map(str.encode), st.binary(max_size=6))
    def test_nothing_outside(self, before: bytes, payload: bytes, behind: bytes) -> None:
        """The bytes before and after a payload make no difference."""
        for selector in SELECTORS:
            inside = selector.matches(before + payload + behind, len(before), len(before) + len(payload))
            self.assertEqual(inside, wants(selector, payload), selector)

    def test_offsets_outside(self) -> None:
        """Offsets outside of the data are a ``ValueError``, not a look at other memory."""
        for selector in (first_byte(b"a"), bytes_at(0, [b"ab"]), _Contains((b"x",), in_one_pass=True)):
            for start, stop in ((0, 4), (-1, 2), (2, 2**40), (2, 1)):
                with self.assertRaises(ValueError):
                    selector.matches(b"abc", start, stop)

    def test_large_offset(self) -> None:
        """No payload reaches an offset that is larger than any memory."""
        most = 2**63 - 1
        for selector in (bytes_at(most, [b"a"]), bytes_at(most, [b"ab"])):
            self.assertFalse(selector.matches(b"abc", 1, 3))

    def test_raising(self) -> None:
        """What a predicate raises goes to the caller, also out of a combination."""

        def fails(payload: bytes) -> bool:
            raise LookupError(payload)

        for selector in (predicate(fails), ~predicate(fails), NOTHING | predicate(fails), predicate(fails) & NOTHING):
            with self.assertRaises(LookupError):
                wants(selector, b"a")


class LaneTests(SynchronousTestCase):
    """A selector at work in a repeater."""

    def setUp(self) -> None:
        """Make a filter that notes what it sees."""
        self.seen: list[bytes] = []

    def harness(self, selector: Selector) -> FilterHarness:
        """Run the filter with a selector."""

        def note(message: bytes, link: Any) -> Verdict:
            self.seen.append(message)
            return PASS_ON

        note.selector = selector  # type: ignore[attr-defined]
        return FilterHarness(note)

    def test_sees_the_wanted(self) -> None:
        """The filter sees what it wants; the rest passes on in order."""
        harness = self.harness(first_byte(b"O"))
        messages = [b"O1", b"x", b"", b"O2", b"y"]
        harness.client_sends(*messages).expect(to_server=messages, verdicts=[PASS_ON, PASS_ON])
        self.assertEqual(self.seen, [b"O1", b"O2"])

    def test_cut_anywhere(self) -> None:
        """That holds wherever the stream is cut."""
        messages = [b"O1", b"x2", b"O" * 300, b"x" * 300]
        stream = b"".join(len(message).to_bytes(4, "big") + message for message in messages)
        for size in (1, 2, 3, 7, 100):
            self.seen.clear()
            harness = self.harness(first_byte(b"O"))
            for start in range(0, len(stream), size):
                harness.client.send_bytes(stream[start : start + size])
            harness.outcome().expect(to_server=messages)
            self.assertEqual(self.seen, [messages[0], messages[2]])
