"""What a repeater is created with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._text import repr_of
from .._types import Observer
from ..dialects import Dialect
from ..model import Limits

__all__ = ["Settings", "check_callable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The arguments of `Repeater.create` that do not say where to listen and to connect, checked."""

    dialect: Dialect
    repeater_name: str
    server_name: str
    is_client_allowed: Callable[[str], object]
    is_client_ip_authorized: Callable[[str], object] | None = None
    convert_versions: bool = False
    limits: Limits = Limits()
    """As asked for; the factory's ``limits`` have numbers for those that were left to their defaults."""
    observers: tuple[Observer, ...] = ()

    def __post_init__(self) -> None:
        kinds = {"dialect": Dialect, "limits": Limits, "repeater_name": str, "server_name": str}
        for name, kind in kinds.items():
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise TypeError(f"{name} must be a {kind.__name__}, not {repr_of(value)}")
        self.dialect.check_versions(self.convert_versions)
        check_callable("is_client_allowed", self.is_client_allowed)
        if self.is_client_ip_authorized is not None:
            check_callable("is_client_ip_authorized", self.is_client_ip_authorized)


def check_callable(name: str, callback: Any) -> None:
    """Raise ``TypeError`` for an argument that cannot be called."""
    if not callable(callback):
        raise TypeError(f"{name} must be callable, not {repr_of(callback)}")
