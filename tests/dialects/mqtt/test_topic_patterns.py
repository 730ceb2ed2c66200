"""Topics and patterns of topics."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.mqtt.topic_patterns import TopicSet, checked_pattern, covers, overlaps, shared_part

levels = st.sampled_from(["a", "b", "", "$s"])
topics = st.lists(levels, min_size=1, max_size=3).map("/".join).filter(bool)
patterns = (
    st.tuples(st.lists(st.one_of(levels, st.just("+")), max_size=3), st.sampled_from([[], ["#"]]))
    .map(lambda parts: "/".join([*parts[0], *parts[1]]))
    .filter(bool)
)
ALL = [
    topic for size in range(1, 6) for topic in map("/".join, product(["a", "b", "", "$s", "c"], repeat=size)) if topic
]


def stands_for(pattern: str, topic: str) -> bool:
    """Return whether a pattern stands for a topic, level by level, as the standard says."""
    own, other = pattern.split("/"), topic.split("/")
    if topic.startswith("$") and own[0] in ("+", "#"):
        return False
    for index, level in enumerate(own):
        if level == "#":
            return True
        if index >= len(other):
            return False
        if level not in ("+", other[index]):
            return False
        if own[index + 1 :] == ["#"] and index + 1 == len(other):
            return True
    return len(own) == len(other)


class PatternTests(SynchronousTestCase):
    """Patterns."""

    def test_examples(self) -> None:
        """The examples of the standard hold, also about $ and the level above #."""
        for pattern, topic, expected in (
            ("sport/tennis/#", "sport/tennis", True),
            ("sport/tennis/+", "sport/tennis/player1/ranking", False),
            ("sport/+", "sport", False),
            ("sport/+", "sport/", True),
            ("+/+", "/finance", True),
            ("/+", "/finance", True),
            ("+", "/finance", False),
            ("#", "$SYS/broker", False),
            ("+/monitor", "$SYS/monitor", False),
            ("$SYS/#", "$SYS/broker", True),
            ("#", "a\nb", True),
            ("a.c", "abc", False),
        ):
            self.assertIs(topic in TopicSet([pattern]), expected, (pattern, topic))

    @given(patterns, topics)
    def test_contains(self, pattern: str, topic: str) -> None:
        """A set has the topics that one of its patterns stands for."""
        self.assertIs(topic in TopicSet(["other", pattern]), stands_for(pattern, topic))

    @given(patterns, patterns)
    def test_covers_and_overlaps(self, pattern: str, other: str) -> None:
        """What is said about two patterns is what is so for all topics with up to five levels."""
        both = [topic for topic in ALL if stands_for(other, topic)]
        mine = [topic for topic in both if stands_for(pattern, topic)]
        self.assertIs(overlaps(pattern, other), bool(mine))
        self.assertIs(TopicSet(["$zzz", pattern]).overlaps(other), bool(mine))
        if covers(pattern, other):
            self.assertEqual(mine, both)
        self.assertIs(TopicSet(["$zzz", pattern]).covers(other), covers(pattern, other))

    def test_covers(self) -> None:
        """A pattern covers what is part of it."""
        for pattern, other, expected in (
            ("#", "+/x", True),
            ("#", "$SYS/#", False),
            ("secret/#", "secret", True),
            ("secret/#", "secret/+/b", True),
            ("secret/#", "#", False),
            ("secret/#", "+/x", False),
            ("secret", "secret/#", False),
            ("secret/+", "secret/#", False),
            ("secret/+", "secret/a", True),
            ("secret/a", "secret/+", False),
        ):
            self.assertIs(covers(pattern, other), expected, (pattern, other))

    def test_empty_topic(self) -> None:
        """No two patterns overlap in the empty topic, which is none."""
        for pattern, other, expected in (("+", "/#", False), ("/#", "+", False), ("/a", "/#", True), ("#", "/#", True)):
            self.assertIs(overlaps(pattern, other), expected, (pattern, other))

    def test_none(self) -> None:
        """No patterns stand for no topic."""
        empty = TopicSet([])
        self.assertNotIn("a", empty)
        self.assertFalse(empty.covers("a") or empty.overlaps("#"))

    def test_shared(self) -> None:
        """The group of a shared subscription is not part of the topic."""
        self.assertEqual(shared_part("$share/group/a/#"), (True, "a/#"))
        self.assertEqual(shared_part("$sharea/b"), (False, "$sharea/b"))

    def test_checked(self) -> None:
        """A pattern must be a topic filter; a placeholder is alone in its level."""
        for pattern in ("#", "a/%c/+", "%u", "$SYS/#"):
            self.assertEqual(checked_pattern(pattern), pattern)
        for wrong, words in (("a#", "must be a topic filter"), ("", "empty"), ("a/x%c", "alone")):
            self.assertIn(words, str(self.assertRaises(ValueError, checked_pattern, wrong)))
        self.assertRaises(TypeError, checked_pattern, 3)
