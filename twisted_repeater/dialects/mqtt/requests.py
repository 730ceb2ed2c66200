"""Subscriptions that were refused in part: the answer has a code for each topic filter that was asked for, in order."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Requests"]


class Requests:
    """The requests of a link that have reached the broker without some of their topic filters."""

    __slots__ = ("_codes",)

    def __init__(self) -> None:
        self._codes: dict[int, bytes] = {}

    def sent(self, number: int, asked: Sequence[str], sent: Sequence[str], refused: int) -> None:
        """Note which topic filters of a request have reached the broker.

        Args:
            number: the number of the request at the broker.
            asked: the topic filters that the client has asked for.
            sent: those that the broker gets.
            refused: the code of those that it does not get.
        """
        self._codes.pop(number, None)
        if len(asked) == len(sent):
            return
        left = iter(sent)
        following = next(left, None)
        codes = bytearray()  # 0 stands for the broker's
        for topic_filter in asked:
            codes.append(0 if topic_filter == following else refused)
            if topic_filter == following:
                following = next(left, None)
        self._codes[number] = bytes(codes)

    def answered(self, number: int, codes: Sequence[int]) -> tuple[int, ...] | None:
        """Return the codes of the whole answer to a request; ``None`` if those of the broker are.

        Args:
            number: the number of the request at the broker.
            codes: those of the broker. An answer to UNSUBSCRIBE has none before version 5.
        """
        own = self._codes.pop(number, None)
        if own is None or not codes:
            return None
        left = iter(codes)
        return tuple(code or next(left, 0x80) for code in own)
