"""The rules about topics: which a client may use, by patterns that may have its id and its user name in them."""

from __future__ import annotations

from collections.abc import Iterable

from .topic_patterns import CLIENT, USER, TopicSet, checked_pattern

__all__ = ["Permission", "TopicRules"]


class Permission:
    """The topics that one client may use.

    Args:
        allowed: the topics that it may use; ``None`` for all.
        denied: exceptions from these.
    """

    __slots__ = ("_allowed", "_denied")

    def __init__(self, allowed: TopicSet | None, denied: TopicSet) -> None:
        self._allowed = allowed
        self._denied = denied

    def __contains__(self, topic: str) -> bool:
        return (self._allowed is None or topic in self._allowed) and topic not in self._denied

    def has_some(self, topic_filter: str) -> bool:
        """Return whether a topic filter may stand for topics that the client may use."""
        return not self._denied.covers(topic_filter) and (self._allowed is None or self._allowed.overlaps(topic_filter))

    def has_all(self, topic_filter: str) -> bool:
        """Return whether the client may use all topics that a topic filter stands for."""
        return not self._denied.overlaps(topic_filter) and (self._allowed is None or self._allowed.covers(topic_filter))


class TopicRules:
    """The rules for all clients.

    Args:
        allowed: patterns of the topics that a client may use; ``None`` for all.
        denied: patterns of exceptions from these.

    Raises:
        TypeError: a pattern is not a string, or one pattern is given instead of several.
        ValueError: a pattern is not valid.
    """

    def __init__(self, allowed: Iterable[str] | None, denied: Iterable[str]) -> None:
        self._allowed = None if allowed is None else _checked(allowed)
        self._denied = _checked(denied)
        self.names_clients: bool = any(
            level in (CLIENT, USER)
            for pattern in (*(self._allowed or ()), *self._denied)
            for level in pattern.split("/")
        )
        """Whether they are different for each client."""
        self._for_all = self._for(None, None)

    def for_client(self, client_id: str | None, user: str | None) -> Permission:
        """Return the topics that a client may use.

        Args:
            client_id: its id; ``None`` if it has none.
            user: its user name; ``None`` if it has none.
        """
        return self._for(client_id, user) if self.names_clients else self._for_all

    def _for(self, client_id: str | None, user: str | None) -> Permission:
        names = {CLIENT: _level(client_id), USER: _level(user)}
        allowed = None
        if self._allowed is not None:
            filled = (_filled(pattern, names, None) for pattern in self._allowed)
            # A client chooses its id: "$SYS" must not open what "+" would not.
            allowed = TopicSet(
                pattern
                for pattern, written in zip(filled, self._allowed, strict=True)
                if pattern is not None and pattern.startswith("$") <= written.startswith("$")
            )
        # A name that no level can have must not open what is denied: it stands for all levels then.
        denied = (_filled(pattern, names, "+") for pattern in self._denied)
        return Permission(allowed, TopicSet(pattern for pattern in denied if pattern is not None))


def _checked(patterns: Iterable[str]) -> tuple[str, ...]:
    if isinstance(patterns, str):
        raise TypeError(f"patterns of topics must be several: write [{patterns!r}]")
    return tuple(map(checked_pattern, patterns))


def _level(name: str | None) -> str | None:
    """Return a name as the level of a pattern; ``None`` if no level can have it, or it would be a wildcard."""
    return name if name and not set(name) & set("/+#") else None


def _filled(pattern: str, names: dict[str, str | None], otherwise: str | None) -> str | None:
    """Return a pattern with names in the place of their placeholders; ``None`` if one of them has nothing."""
    levels = [(names[level] or otherwise) if level in names else level for level in pattern.split("/")]
    filled = [level for level in levels if level is not None]
    return "/".join(filled) if len(filled) == len(levels) else None
