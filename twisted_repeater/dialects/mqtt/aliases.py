"""The topic aliases of version 5 in one direction of a link.

A message may give its topic a number, its alias. Later messages have that number and no topic. If the message that gave
the number is dropped or altered, the receiver does not know it; then the topic is put into the next message that uses
it.
"""

from __future__ import annotations

__all__ = ["Aliases"]


class Aliases:
    """What the two peers of one direction know of its aliases."""

    __slots__ = ("_given", "_known", "limit")

    def __init__(self, limit: int = 0) -> None:
        self.limit: int = limit
        """The highest alias that the receiver allows: its Topic Alias Maximum. It limits what is kept, too."""
        self._given: dict[int, str] = {}
        self._known: dict[int, str] = {}

    def topic_of(self, alias: int, topic: str) -> str | None:
        """Return the topic of a message with an alias.

        Args:
            alias: its alias.
            topic: the topic in the message; empty if only the alias is there.

        Returns:
            The topic. ``None`` if the alias is not allowed, or no message has given it to a topic.
        """
        if not topic:
            return self._given.get(alias)
        if alias > self.limit:
            return None
        self._given[alias] = topic
        return topic

    def tell(self, alias: int, topic: str, *, in_message: bool) -> bool:
        """Return whether the receiver understands a message that is passed on. From now on it does.

        Args:
            alias: the alias of the message.
            topic: the topic that it stands for.
            in_message: whether the topic is in the message. If not, and this returns false, put it there.
        """
        understands = in_message or self._known.get(alias) == topic
        self._known[alias] = topic
        return understands
