"""The pairing of two sequences of messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.replay import alignment
from twisted_repeater.replay.alignment import Alignment, Unordered, aligned

from ..drawn import examples

WORDS = st.lists(st.sampled_from(["+a", "+b", "+c", "-a"]), min_size=1, max_size=40)


@dataclass
class Word:
    """A message that is a word; its first letter is its kind."""

    text: str
    size: int = 1

    @property
    def kind(self) -> str:
        """See `Comparable`."""
        return self.text[0]

    @property
    def key(self) -> str:
        """See `Comparable`."""
        return self.text

    def same_as(self, other: Word) -> bool:
        """See `Comparable`."""
        return self.text == other.text


def words(texts: Sequence[str]) -> list[Word]:
    """Return messages."""
    return [Word(text) for text in texts]


def differences(one: Sequence[str], other: Sequence[str], *, together: bool = False) -> list[tuple[str, str]]:
    """Return the pairs of two sequences that are not equal, "" for what is missing."""
    found: list[tuple[str, str]] = []

    def add(first: Word | None, second: Word | None) -> None:
        pair = (first.text if first else "", second.text if second else "")
        if pair[0] != pair[1]:
            found.append(pair)

    pairing: Alignment[Word] = Alignment(add)
    if together:
        for at in range(max(len(one), len(other))):
            for word in one[at : at + 1]:
                pairing.first(Word(word))
            for word in other[at : at + 1]:
                pairing.second(Word(word))
    else:
        for word in one:
            pairing.first(Word(word))
        for word in other:
            pairing.second(Word(word))
    pairing.end()
    return found


class PropertyTests(SynchronousTestCase):
    """Promises about any sequences."""

    @settings(max_examples=examples(100), deadline=None, derandomize=True)
    @given(WORDS, st.booleans())
    def test_equal_sequences_have_no_difference(self, texts: list[str], together: bool) -> None:
        """A sequence is equal to itself, in whatever order both come."""
        self.assertEqual([], differences(texts, texts, together=together))

    @settings(max_examples=examples(100), deadline=None, derandomize=True)
    @given(WORDS, st.integers(0, 39), st.booleans())
    def test_one_message_that_is_missing_is_one_difference(self, texts: list[str], at: int, together: bool) -> None:
        """If one message was removed, exactly one such message is missing."""
        at %= len(texts)
        found = differences(texts, texts[:at] + texts[at + 1 :], together=together)
        self.assertEqual([(texts[at], "")], found)

    @settings(max_examples=examples(100), deadline=None, derandomize=True)
    @given(WORDS, st.integers(0, 39), st.booleans())
    def test_one_message_more_is_one_difference(self, texts: list[str], at: int, together: bool) -> None:
        """If one message was added, exactly one such message is extra."""
        at %= len(texts)
        found = differences(texts, [*texts[:at], "+x", *texts[at:]], together=together)
        self.assertEqual([("", "+x")], found)

    @settings(max_examples=examples(100), deadline=None, derandomize=True)
    @given(WORDS, st.integers(0, 39), st.sampled_from(["+x", "-x"]))
    def test_one_message_that_has_changed_is_one_difference(self, texts: list[str], at: int, new: str) -> None:
        """If one message was changed, also into one of another kind, exactly this pair differs."""
        at %= len(texts)
        found = differences(texts, [*texts[:at], new, *texts[at + 1 :]])
        self.assertEqual([(texts[at], new)], found)

    @settings(max_examples=examples(50), deadline=None, derandomize=True)
    @given(WORDS, WORDS, st.booleans())
    def test_no_message_is_lost(self, one: list[str], other: list[str], together: bool) -> None:
        """Each message is in one pair, in its order."""
        pairs: list[tuple[Word | None, Word | None]] = []
        pairing: Alignment[Word] = Alignment(lambda *pair: pairs.append(pair))
        for word in one:
            pairing.first(Word(word))
        for word in other:
            pairing.second(Word(word))
        pairing.end()
        self.assertEqual(one, [first.text for first, _ in pairs if first is not None])
        self.assertEqual(other, [second.text for _, second in pairs if second is not None])


class AlignmentTests(SynchronousTestCase):
    """Promises about long sequences."""

    def test_a_difference_in_a_long_sequence_does_not_wait_for_its_end(self) -> None:
        """What follows a difference is paired as soon as there is enough of it."""
        found: list[tuple[Word | None, Word | None]] = []
        pairing: Alignment[Word] = Alignment(lambda *pair: found.append(pair))
        for number in range(1000):
            pairing.first(Word(f"+{number}"))
            if number != 500:
                pairing.second(Word(f"+{number}"))
        self.assertGreater(len(found), 800)
        self.assertEqual(["+500"], [first.text for first, second in found if first and second is None])

    def test_a_gap_is_found_that_is_shorter_than_the_window(self) -> None:
        """A hundred messages that are missing are a hundred differences, and nothing else is."""
        texts = [f"+{number}" for number in range(600)]
        found = differences(texts, texts[:200] + texts[300:], together=True)
        self.assertEqual([(text, "") for text in texts[200:300]], found)

    def test_sequences_that_differ_everywhere_are_paired_one_by_one(self) -> None:
        """If each message differs, each is a pair."""
        one, other = [f"+{number}" for number in range(300)], [f"+x{number}" for number in range(300)]
        self.assertEqual(list(zip(one, other, strict=True)), differences(one, other, together=True))

    def test_a_rest_that_matches_the_end_is_found(self) -> None:
        """If the first half is missing, the second half is equal."""
        texts = [f"+{number}" for number in range(60)]
        self.assertEqual([(text, "") for text in texts[:30]], differences(texts, texts[30:]))

    def test_messages_whose_counterparts_do_not_come_are_let_go(self) -> None:
        """Only so many messages of one sequence wait for the other one; also counted in bytes."""
        self.patch(alignment, "MOST_HELD", 10)
        self.patch(alignment, "MOST_HELD_SIZE", 100)
        found: list[tuple[Word | None, Word | None]] = []
        pairing: Alignment[Word] = Alignment(lambda *pair: found.append(pair))
        for number in range(15):
            pairing.first(Word(f"+{number}"))
        self.assertEqual(5, len(found))
        pairing.first(Word("+large", 95))
        self.assertEqual(10, len(found))
        pairing.second(Word("+other"))
        pairing.first(Word("+large", 95))
        self.assertTrue(any(second is not None for _, second in found))

    def test_what_follows_may_be_unknown(self) -> None:
        """The rest of one sequence is left out if more may come."""
        one, other = words(["+a", "+b", "+c"]), words(["+b"])
        pairs = [(first and first.text, second and second.text) for first, second in aligned(one, other, ends=False)]
        self.assertEqual([("+a", None), ("+b", "+b")], pairs)


class UnorderedTests(SynchronousTestCase):
    """Promises about sequences whose order is chance."""

    def setUp(self) -> None:
        """Make a pairing."""
        self.found: list[tuple[str, str]] = []
        self.moved = 0
        self.pairing: Unordered[Word] = Unordered(self.add, self.count)

    def add(self, first: Word | None, second: Word | None) -> None:
        """Note a pair, "" for what is missing."""
        self.found.append((first.text if first else "", second.text if second else ""))

    def count(self) -> None:
        """Count what is in another place."""
        self.moved += 1

    @given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc")), max_size=60))
    @example([(True, "a"), (True, "a"), (False, "a")])
    @settings(max_examples=examples(50))
    def test_each_message_has_one_pair(self, came: list[tuple[bool, str]]) -> None:
        """Equal messages are pairs wherever they are, and each message is in one pair."""
        self.setUp()
        for is_first, text in came:
            (self.pairing.first if is_first else self.pairing.second)(Word(text))
        self.pairing.end()
        firsts, seconds = ([text for is_first, text in came if is_first is which] for which in (True, False))
        self.assertEqual(sorted(firsts), sorted(first for first, _ in self.found if first))
        self.assertEqual(sorted(seconds), sorted(second for _, second in self.found if second))
        equal = sum(min(firsts.count(text), seconds.count(text)) for text in "abc")
        self.assertEqual(equal, sum(first == second for first, second in self.found))

    def test_order(self) -> None:
        """Another order is told, and is no difference; what is left is paired in its order."""
        for text in ("a", "b", "+c", "+d"):
            self.pairing.first(Word(text))
        for text in ("b", "a", "+x", "+d"):
            self.pairing.second(Word(text))
        self.pairing.end()
        self.assertEqual([("b", "b"), ("a", "a"), ("+d", "+d"), ("+c", "+x")], self.found)
        self.assertEqual(2, self.moved)

    def test_limits(self) -> None:
        """Only so many messages of one sequence wait for the other."""
        self.patch(alignment, "MOST_HELD", 2)
        for text in ("a", "b", "c"):
            self.pairing.first(Word(text))
        self.assertEqual([("a", "")], self.found)
        self.pairing.second(Word("b"))
        self.pairing.second(Word("x", alignment.MOST_HELD_SIZE + 1))
        self.assertEqual([("a", ""), ("b", "b"), ("", "x")], self.found)
