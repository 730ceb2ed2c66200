"""Topics and patterns of topics: which topics a pattern stands for, and what two patterns have in common.

A pattern is written as a topic filter is: ``+`` stands for one level, ``#`` at the end for any number of them, also
none. Neither stands for a first level that begins with ``$``, such as ``$SYS``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .wire import MalformedPacket, check_topic_filter

__all__ = ["CLIENT", "USER", "TopicSet", "checked_pattern", "covers", "overlaps", "shared_part"]

CLIENT, USER = "%c", "%u"
"""The levels of a pattern in whose place the client id and the user name are put."""
SHARE = "$share/"


def checked_pattern(pattern: str) -> str:
    """Return a pattern of topics.

    Raises:
        TypeError: it is not a string.
        ValueError: it is no topic filter, or a placeholder is not alone in its level.
    """
    if not isinstance(pattern, str):
        raise TypeError(f"a pattern of topics must be a string, not {pattern!r}")
    try:
        check_topic_filter(pattern)
    except MalformedPacket as error:
        raise ValueError(f"the pattern {pattern!r} must be a topic filter: {error}") from None
    for level in pattern.split("/"):
        if level not in (CLIENT, USER) and (CLIENT in level or USER in level):
            raise ValueError(f"in the pattern {pattern!r}, {CLIENT} and {USER} must be alone in their levels")
    return pattern


def shared_part(topic_filter: str) -> tuple[bool, str]:
    """Return whether a subscription is shared with others (``$share/group/...``), and the filter without that part."""
    if not topic_filter.startswith(SHARE):
        return False, topic_filter
    return True, topic_filter[len(SHARE) :].partition("/")[2]


def covers(pattern: str, topic_filter: str) -> bool:
    """Return whether a pattern stands for every topic that a topic filter stands for."""
    own, other = pattern.split("/"), topic_filter.split("/")
    if own[0] in ("+", "#") and other[0].startswith("$"):
        return False
    for level, of_other in zip(own, other, strict=False):
        if level == "#":
            return True
        if of_other == "#" or level not in ("+", of_other):
            return False
    # "a/#" stands for "a" too, and "a" covers neither "a/b" nor "a/#".
    return len(own) == len(other) or own[len(other) :] == ["#"]


def overlaps(pattern: str, topic_filter: str) -> bool:
    """Return whether there is a topic that both a pattern and a topic filter stand for."""
    own, other = pattern.split("/"), topic_filter.split("/")
    for first, second in ((own[0], other[0]), (other[0], own[0])):
        if first in ("+", "#") and second.startswith("$"):
            return False
    for level, of_other in zip(own, other, strict=False):
        if "#" in (level, of_other):
            return True
        if level != of_other and "+" not in (level, of_other):
            return False
    if len(own) == len(other):
        return True
    longer, shorter = (own, other) if len(own) > len(other) else (other, own)
    # "/#" would stand for the topic without a letter, which does not exist.
    return longer[len(shorter) :] == ["#"] and longer != ["", "#"]


class TopicSet:
    """The topics that any of some patterns stands for.

    Args:
        patterns: the patterns, without placeholders.
    """

    __slots__ = ("_match", "patterns")

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns: tuple[str, ...] = tuple(patterns)
        # An expression is matched by compiled code. None of these can need more time than the topic is long.
        self._match = re.compile("|".join(map(_expression, self.patterns)) or r"(?!)", re.DOTALL).fullmatch

    def __contains__(self, topic: str) -> bool:
        return self._match(topic) is not None

    def covers(self, topic_filter: str) -> bool:
        """Return whether one of the patterns stands for every topic of a topic filter."""
        return any(covers(pattern, topic_filter) for pattern in self.patterns)

    def overlaps(self, topic_filter: str) -> bool:
        """Return whether one of the patterns stands for a topic of a topic filter."""
        return any(overlaps(pattern, topic_filter) for pattern in self.patterns)


def _expression(pattern: str) -> str:
    """Return the regular expression of the topics that a pattern stands for."""
    levels = pattern.split("/")
    ends = levels[-1] == "#"
    if ends:
        levels.pop()
    body = "/".join("[^/]*" if level == "+" else re.escape(level) for level in levels)
    if ends:
        body = f"{body}(?:/.*)?" if levels else ".*"
    return rf"(?!\$){body}" if pattern[0] in "+#" else body
