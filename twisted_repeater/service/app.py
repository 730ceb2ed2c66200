"""The object of ``--app``: what a program can pass to a repeater, and options cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from twisted.logger import Logger

from .._coroutines import call
from .._repeater import Repeater
from .._text import class_name
from .._types import Observer
from ..errors import ConnectingError, LinkError
from ..link import Link
from ..model import Side
from .loading import LoadingError, find, trying

__all__ = ["App", "Application", "load_app"]

log: Logger = Logger()

CALLBACKS = ("on_connect", "on_error", "on_connecting_error")
"""What is passed to `Repeater.start`."""

METHODS = (*CALLBACKS, "is_client_allowed", "on_fleet_change", "start", "stop")


class App(Protocol):
    """The object that ``--app package.module:name`` names. Each part is optional: leave out what you do not need.

    If the name is that of a class, it is called without arguments, once for each repeater. Each method may return a
    Deferred, or be a coroutine. The module of the object is loaded before the filters and is never reloaded: change it
    with a restart.
    """

    @property
    def observers(self) -> Iterable[Observer]:
        """The observers of the repeater; see `IObserver`."""

    def on_connect(self, link: Link, /) -> object:
        """Return what becomes ``link.state``. See `Repeater.start`."""

    def on_error(self, link: Link, side: Side, error: LinkError, /) -> object:
        """Obey an error of a link. See `Repeater.start`."""

    def on_connecting_error(self, client_name: str | None, server_name: str, error: ConnectingError, /) -> object:
        """Note that a client could not be linked. See `Repeater.start`."""

    def is_client_allowed(self, client_name: str, /) -> object:
        """Return whether a client of this name may connect. ``--allow-client`` is asked first."""

    def on_fleet_change(self, problem: str | None, /) -> object:
        """Note that this node has become a member of its fleet, or is none any more.

        It is called after `start`, as soon as either is known, and then at each change. Without ``--fleet`` it is never
        called.

        Args:
            problem: why this node is no member; ``None`` if it is one.
        """

    def start(self, repeater: Repeater, /) -> object:
        """Begin, with the repeater that accepts clients from now on. If this fails, the process ends."""

    def stop(self) -> object:
        """End. The links of the repeater are gone."""


class Application:
    """An `App` with all its parts.

    Args:
        app: the object; ``None`` if there is none.
    """

    def __init__(self, app: object = None) -> None:
        self._app = app
        self.observers: list[Observer] = list(getattr(app, "observers", ()))
        """Its observers."""
        self.callbacks: dict[str, Any] = {
            name: found for name in CALLBACKS if (found := getattr(app, name, None)) is not None
        }
        """Its arguments of `Repeater.start`."""
        self.is_client_allowed: Callable[[str], object] | None = getattr(app, "is_client_allowed", None)
        """Its function of a client's name, if it has one."""
        self._has_begun = False
        self._fleet: list[str | None] = []
        """The last change of the fleet, if there was one."""

    async def start(self, repeater: Repeater) -> None:
        """Let it begin."""
        await self._call("start", repeater)
        self._has_begun = True
        for problem in self._fleet:
            self.fleet_changed(problem)

    async def stop(self) -> None:
        """Let it end."""
        self._has_begun = False
        await self._call("stop")

    def fleet_changed(self, problem: str | None) -> None:
        """Tell it what has become of the fleet: now, or once it has begun. Nobody waits for it."""
        self._fleet = [problem]
        method = getattr(self._app, "on_fleet_change", None)
        if method is not None and self._has_begun:
            call(method, problem).addErrback(
                lambda failure: log.failure("on_fleet_change of the application failed", failure=failure)
            )

    async def _call(self, name: str, *arguments: object) -> None:
        method = getattr(self._app, name, None)
        if method is not None:
            await call(method, *arguments)


def load_app(name: str) -> Application:
    """Load an application.

    Args:
        name: ``package.module:name`` of the object, or of a class, which is called without arguments.

    Raises:
        LoadingError: it cannot be loaded, or is not an application.
    """
    app: Any = find(name)
    if isinstance(app, type):
        app = trying(f"cannot make {name}", app)
    try:
        _check(name, app)
        return Application(app)
    except LoadingError:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # an attribute of the object raised
        raise LoadingError(f"{name}: {type(error).__name__}: {error}") from error


def _check(name: str, app: object) -> None:
    """Raise a `LoadingError` unless this is an application."""
    has = [method for method in METHODS if getattr(app, method, None) is not None]
    if not has and not hasattr(app, "observers"):
        raise LoadingError(
            f"{name} must be an object with at least one of {', '.join(METHODS)} and observers, not {class_name(app)}"
        )
    for method in has:
        if not callable(getattr(app, method)):
            raise LoadingError(f"{name}.{method} must be callable, not {class_name(getattr(app, method))}")
    observers = getattr(app, "observers", ())
    if isinstance(observers, str | bytes) or not isinstance(observers, Iterable):
        raise LoadingError(f"{name}.observers must be a list of observers, not {class_name(observers)}")
