# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""Selectors: which payloads a filter wants to see, decided on their bytes before anything is decoded."""

from __future__ import annotations

__all__ = ["Selector"]


class Selector:
    """Says whether a filter wants a payload. The others pass on, undecoded and unseen."""

    def matches(self, data: bytes, start: int, stop: int) -> bool:
        """Tell whether the payload at ``data[start:stop]`` is wanted."""
        raise NotImplementedError
