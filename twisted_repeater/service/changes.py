"""A reload: the settings of a running process are read again, checked and built as a whole, then applied in one step.

An error anywhere leaves everything as it was. What has not changed is left alone. Each option says whether it can be
changed while links run; the answer says for each changed one whether it was applied, or needs a restart.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from .._text import text_of
from .endpoint_texts import bound_by
from .filter_modules import FilterModules
from .handover import PortOf
from .hosted import FILTERS, Hosted, done_at_once, filters_of
from .loading import LoadingError, trying
from .options import BY_NAME
from .plan import Wanted, check_clients, check_server, load_from_here, plan_of
from .settings import ProcessSettings, RepeaterSettings, located

if TYPE_CHECKING:
    from ..tls_options import Reread
    from .service import RepeaterService

__all__ = ["Change", "Outcome", "ReloadAnswer", "with_certificates"]

Outcome = Literal["applied", "restart needed"]


@dataclass(frozen=True)
class ReloadAnswer:
    """What a reload has done to one repeater, or to the process."""

    repeater: str
    """The name of the repeater, "" for the process."""
    error: str | None = None
    """Why nothing was changed."""
    keys: Mapping[str, Outcome] = field(default_factory=dict)
    """The options that have changed, or whose files have."""


class ChangeError(Exception):
    """A change is not possible.

    Args:
        repeater: the repeater that it concerns, "" for the process.
        why: the reason.
    """

    def __init__(self, repeater: str, why: str) -> None:
        super().__init__(why)
        self.repeater: str = repeater


class Change:
    """A change of a running process to other settings.

    Args:
        service: the process.
        settings: the settings as they were read again.
        only: the repeater that is changed; ``None`` for all, and the process itself.
    """

    def __init__(self, service: RepeaterService, settings: ProcessSettings, only: str | None = None) -> None:
        self._service = service
        self._settings = settings
        self._only = only is not None
        hosted = service.hosted
        names = [name for name in settings.repeaters if only in (None, name)]
        self._both = {name: hosted[name] for name in names if name in hosted and hosted[name].bound}
        self._added_names = [name for name in names if name not in self._both]
        self._removed = [] if only is not None else [each for name, each in hosted.items() if name not in names]
        self._others = [each for name, each in hosted.items() if only is not None and name != only]
        self._keys: dict[str, dict[str, Outcome]] = {name: {} for name in ["", *self._both]}
        self._now: dict[str, RepeaterSettings] = {}
        """The settings of those that stay, with the new values that are applied."""
        self._added: list[Hosted] = []
        self._undo: list[Callable[[], object]] = []
        """Undoes what was done so far, the last one first."""
        self._finish: list[Callable[[], object]] = []
        """What is left to do when nothing can fail any more."""

    def make(self) -> list[ReloadAnswer]:
        """Make the change. Return an answer for each repeater that has changed, and for the process.

        Raises:
            ChangeError: nothing was changed.
        """
        try:
            self._compare()
            self._build()
            self._load_filters()
        except BaseException:
            for undo in reversed(self._undo):
                undo()
            raise
        for finish in self._finish:
            finish()
        return [ReloadAnswer(name, None, keys) for name, keys in self._keys.items() if keys]

    # -- what has changed -------------------------------------------------------------------------------------

    def _compare(self) -> None:
        """Note which options have changed, and what holds from now on."""
        for name, hosted in self._both.items():
            new, old = self._settings.repeaters[name], hosted.settings
            changed = _changed(new.values, old.values)
            self._keys[name] = _outcomes(changed)
            applied = [option for option in changed if BY_NAME[option].when != "restart"]
            values = {**old.values, **{option: new.values[option] for option in applied}}
            restart = [option for option in changed if option not in applied]
            texts = {option: text for option, text in new.texts.items() if option not in restart}
            texts |= {option: old.texts[option] for option in restart if option in old.texts}
            self._now[name] = replace(new, values=values, texts=texts)
        for name in [*self._added_names, *(hosted.name for hosted in self._removed)]:
            self._keys[name] = {"repeater": "applied"}

    # -- building ---------------------------------------------------------------------------------------------

    def _build(self) -> None:
        """Make and check all but the filters."""
        load_from_here(self._settings)
        before = frozenset(sys.modules)
        added = [self._settings.repeaters[name] for name in self._added_names]
        ports = [self._port_for(settings) for settings in added]
        plans = [
            self._try(settings.name, plan_of, settings, self._service.reactor, port)
            for settings, port in zip(added, ports, strict=True)
        ]
        self._service.modules.keep(sys.modules.keys() - before)
        for name, hosted in self._both.items():
            if "server" in self._keys[name]:
                self._try(name, check_server, self._now[name], self._service.reactor)
            self._try(name, check_clients, self._now[name], hosted.dialect)
        for plan, port in zip(plans, ports, strict=True):
            self._bind(self._service.host(plan), port)
        for name, hosted in self._both.items():
            if "record" in self._keys[name]:
                self._replace_recording(hosted, self._now[name])
        if not self._only:
            self._keys[""] = _outcomes(_changed(self._settings.values, self._service.settings.values))

    def _bind(self, newcomer: Hosted, port: PortOf | None) -> None:
        """Bind the port of a new repeater, or take over that of one that is removed."""
        self._added.append(newcomer)
        self._undo.append(newcomer.discard)
        if port is not None:
            self._undo.append(lambda: port.give_back(newcomer.repeater if newcomer.bound else None))
        fleet = self._try(newcomer.name, self._service.member.fleet_for, newcomer.name)
        self._try(newcomer.name, done_at_once, newcomer.bind(fleet))

    def _port_for(self, newcomer: RepeaterSettings) -> PortOf | None:
        """Return the port that a new repeater takes over from one that is removed; ``None`` if nobody has it.

        Raises:
            ChangeError: a repeater has it that stays, also if it is to get another one, or that describes it otherwise.
        """
        listen = newcomer.values["listen"]
        bound = bound_by(listen)
        for hosted in self._service.hosted.values():
            taken = bound_by(hosted.settings.values["listen"]) if hosted.bound else None
            if bound is not None and taken is not None and bound.takes(taken):
                if hosted in self._removed and listen == hosted.settings.values["listen"]:
                    return PortOf(hosted.repeater)
                first = f"reload without {newcomer.name} first, which ends {hosted.name}, or "
                way = f"{first if hosted in self._removed else ''}restart"
                why = f"{listen!r} is still in use by the repeater {hosted.name}: {way}"
                raise ChangeError(newcomer.name, located(newcomer.where("listen"), why))
        return None

    def _replace_recording(self, hosted: Hosted, settings: RepeaterSettings) -> None:
        """Begin the new recording. The same file with other options has to wait for a restart."""
        old, new = hosted.settings.values["record"], settings.values["record"]
        if old and new and old["path"] == new["path"]:
            self._keys[hosted.name]["record"] = "restart needed"
            self._now[hosted.name] = replace(settings, values={**settings.values, "record": old})
            return
        recording = hosted.recording
        end_old = self._try(hosted.name, hosted.replace_recording, settings)
        started = hosted.recording

        def undo() -> None:
            hosted.recording = recording
            hosted.metrics.recording = None if recording is None else recording.recorder
            if started is not None:
                started.stop()

        self._undo.append(undo)
        self._finish.append(end_old)

    def _try(self, name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call something that may fail; say which repeater an error concerns."""
        try:
            return call(*arguments)
        except Exception as error:
            raise ChangeError(name, text_of(error)) from error

    # -- filters, and the swap --------------------------------------------------------------------------------

    def _load_filters(self) -> None:
        """Load what is new among the filters, and swap."""
        modules = self._service.modules
        settings = [*self._now.values(), *(each.settings for each in self._added), *(o.settings for o in self._others)]
        wanted = Wanted(settings)
        before, modules.where = modules.where, wanted.where
        try:
            if modules.needs_reload(wanted.names, wanted.pairs):
                modules.reload(self._swap, wanted.names, wanted.pairs, again=modules.stale)
            else:
                self._swap({})
        except LoadingError as error:
            modules.where = before
            raise ChangeError(self._concerned(), text_of(error)) from error
        self._note_stuck(modules)

    def _concerned(self) -> str:
        """Return the only repeater there is, or "" if there are several: the message names the option."""
        hosted = list(self._service.hosted)
        return hosted[0] if len(hosted) == 1 else ""

    def _note_stuck(self, modules: FilterModules) -> None:
        for name in self._both:
            for option in FILTERS:
                if modules.stuck(f"{name}/{option}"):
                    self._keys[name][option] = "restart needed"

    def _swap(self, filters: Mapping[str, Any]) -> None:
        """Apply everything that can fail; if anything does, undo it."""
        done: list[Callable[[], object]] = []
        try:
            for hosted in [*self._both.values(), *self._others]:
                mine = filters_of(hosted.name, filters)
                settings = self._now.get(hosted.name, hosted.settings)
                if mine or "on-filter-error" in self._keys.get(hosted.name, ()):
                    before = {option: hosted.filters[option] for option in mine}
                    hosted.replace_filters(mine, settings)
                    done.append(partial(hosted.replace_filters, before, hosted.settings))
                    self._keys.setdefault(hosted.name, {}).update(dict.fromkeys(mine, "applied"))
            for added in self._added:
                trying(f"{added.name} cannot begin", added.begin_soon, filters_of(added.name, filters))
        except BaseException:
            for undo in reversed(done):
                undo()
            raise
        self._finish.insert(0, self._apply)

    def _apply(self) -> None:
        """Apply the rest."""
        for name, hosted in self._both.items():
            hosted.change(self._now[name], self._keys[name])
        self._service.take(self._process_settings(), self._added, self._removed)

    def _process_settings(self) -> ProcessSettings:
        """Return the settings that the process has from now on; values that need a restart stay."""
        old = self._service.settings
        if self._only:
            return old
        keys = self._keys[""]
        values = {**self._settings.values, **{key: old.values[key] for key in keys if keys[key] == "restart needed"}}
        return replace(self._settings, values=values)


def with_certificates(
    answers: list[ReloadAnswer], settings: ProcessSettings, reread: Iterable[Reread]
) -> list[ReloadAnswer]:
    """Return the answers of a reload together with what became of certificates that were read again.

    Args:
        answers: the answers of the reload.
        settings: the settings that hold now. An endpoint is known by its description.
        reread: the certificates.
    """
    places: dict[str, tuple[str, str]] = {str(settings.values["admin"]): ("", "admin")}
    for name, repeater in settings.repeaters.items():
        places |= {repeater.values[option]: (name, option) for option in ("listen", "server")}
    keys = {answer.repeater: dict(answer.keys) for answer in answers}
    errors = []
    for each in reread:
        name, option = places.get(each.name, ("", "certificates"))
        if each.error is not None:
            errors.append(ReloadAnswer(name, f"{option}: {each.error}"))
        elif each.changed:
            keys.setdefault(name, {}).setdefault(option, "applied")
    return [*(ReloadAnswer(name, None, outcomes) for name, outcomes in keys.items()), *errors]


def _changed(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[str]:
    """Return the options whose values differ; "limits" has those of several options again."""
    return [option for option in new if option in BY_NAME and new[option] != old[option]]


def _outcomes(changed: Collection[str]) -> dict[str, Outcome]:
    return {option: "restart needed" if BY_NAME[option].when == "restart" else "applied" for option in changed}
