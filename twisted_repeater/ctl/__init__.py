"""``python -m twisted_repeater ctl``: the administration of running repeaters, from a shell."""

from __future__ import annotations

__all__: list[str] = []  # it is a program: nothing is there to import
