"""The modules of filters, which can be reloaded while their filters run.

Reloaded together are the modules that belong to the filters: those in the top-level packages of the filters, and those
in the same directory as these packages (or as a filter's module, if it is in no package), except where installed
packages are. A module that was loaded before the filters stays, above all those of the dialect: the messages on the
links are of its types, which a new filter would not know as its own.
"""

from __future__ import annotations

import errno
import os
import re
import site
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from .._sockets.descriptors import OUT_OF
from .._text import text_of
from ..filters import chain
from ..filters._migration import hand_over
from ..model import Direction
from . import filter_metrics
from .descriptions import described
from .loaded_modules import Removed, Stamp, file_of, home_of, stamp, stamps
from .loading import LoadingError, load_filter, load_filter_pair, module_of, trying
from .settings import located

__all__ = ["FilterModules"]

INSTALLED = {
    Path(path) for path in (*sysconfig.get_paths().values(), *site.getsitepackages(), site.getusersitepackages())
}
"""Where installed packages and Python's own modules are: what lies there beside a filter does not belong to it."""

OURS = {"twisted_repeater", "twisted"}

PASSING = OUT_OF | {errno.EAGAIN}
"""Errors of a system that lacks descriptors or memory for a moment. The files are not to blame for them."""

Pairs = Sequence[str] | Mapping[str, Sequence[str]]


def no_place(key: str) -> str:
    """Begin no error."""
    return ""


class FilterModules:
    """Loads the filters of a process, and reloads them with their modules. A module loaded before is never reloaded.

    Args:
        names: the descriptions of the filters of one direction, by keys such as ``to_server_filter`` or
            ``edge/to-server-filter``.
        pairs: the descriptions of pairs of filters. They form a chain, which is the filter named ``filters``. For
            several chains: the descriptions by their keys.
        where: returns how an error about the filter of a key begins, such as ``--to-server-filter``.

    Raises:
        LoadingError: a filter cannot be loaded.
    """

    def __init__(self, names: Mapping[str, str], pairs: Pairs = (), *, where: Callable[[str], str] = no_place) -> None:
        self.where: Callable[[str], str] = where
        self.names: Mapping[str, str] = {}
        self.pairs: Mapping[str, Sequence[str]] = {}
        self.filters: dict[str, Any] = {}
        self.fixed: list[str] = []
        """The filters' modules that cannot be reloaded, because they were loaded before the filters."""
        self.watched: set[str] = set()
        """Other files that `changed` looks at."""
        self._kept = frozenset(sys.modules)
        before = filter_metrics.registered()
        self._describe(names, _by_key(pairs), _Loading(self, names, _by_key(pairs), again=True).filters)
        self._metrics = self._new_collectors(before)
        """The metrics that the filters registered while they were loaded."""
        self.passing: bool = False
        """Whether the last attempt failed for a lack of descriptors or memory, so that `changed` asks for another."""
        self._loaded = self._seen = self._running = stamps(self._files())
        self._fixed_before = self._stamps_of_fixed()

    def _describe(self, names: Mapping[str, str], pairs: Mapping[str, Sequence[str]], filters: dict[str, Any]) -> None:
        """Note which filters there are from now on."""
        self.names, self.pairs, self.filters = names, pairs, filters
        modules: set[str] = set()
        for text in self._descriptions():
            with suppress(LoadingError):  # after a failure a description may be wrong
                modules |= {module for module in [module_of(text)] if module is not None}
        self._tops = {module.partition(".")[0] for module in modules}
        there = modules & sys.modules.keys()  # after a failure some may be missing
        self._homes = {home for module in there if (home := home_of(module, sys.modules[module]))} - INSTALLED
        self.fixed = sorted(modules & self._kept)

    def _descriptions(self) -> Iterator[str]:
        yield from self.names.values()
        for texts in self.pairs.values():
            yield from texts

    def keep(self, names: Iterable[str]) -> None:
        """Never reload these modules, which a dialect or an application has loaded."""
        self._kept |= set(names)
        self._describe(self.names, self.pairs, self.filters)
        self._fixed_before = self._stamps_of_fixed() | self._fixed_before

    def _own(self, present: frozenset[str] = frozenset()) -> dict[str, ModuleType]:
        """Return the loaded modules that belong to the filters, without those in ``present``.

        To find a package without a file Python reads the disk, which may fail. Such a package stays: it has no code.
        """
        own = {}
        for name in sys.modules.keys() - present:
            with suppress(OSError):
                if self._belongs(name, sys.modules[name]):
                    own[name] = sys.modules[name]
        return own

    def _new_collectors(self, before: list[object]) -> list[object]:
        """Return the metrics that the filters registered, without those in ``before``."""
        return filter_metrics.of_filters(before, self._own(self._kept).values())

    def _belongs(self, name: str, module: ModuleType) -> bool:
        top = name.partition(".")[0]
        if name in self._kept or top in OURS or not file_of(module).endswith(".py"):
            return False
        return top in self._tops or home_of(name, module) in self._homes

    def _files(self) -> set[str]:
        """Return the files of the modules, and those that options of filters name."""
        named = {file for text in self._descriptions() for file in _files_named_by(text)}
        return {file_of(module) for module in self._own().values()} | named

    def _stamps_of_fixed(self) -> dict[str, Stamp]:
        return {module: stamp(file_of(sys.modules[module])) for module in self.fixed}

    # -- what has changed -------------------------------------------------------------------------------------

    def changed(self) -> bool:
        """Return whether files have changed since the last attempt to load them, but not since the last call.

        So a file that is being written has until the next call to be complete.
        """
        for file in (self._files() | self.watched) - self._loaded.keys():  # imported since, in a function
            self._loaded[file] = self._seen[file] = stamp(file)
        now = stamps(self._loaded)
        settled = now == self._seen
        self._seen = now
        return settled and now != self._loaded

    def note_watched(self) -> None:
        """Note that the other files are read now."""
        self._loaded = self._loaded | stamps(self.watched)

    @property
    def stale(self) -> bool:
        """Whether code has changed since it was loaded, or a module was imported since then."""
        named = {file for text in self._descriptions() for file in _files_named_by(text)}
        code = (self._files() | self._running.keys()) - named
        return stamps(code) != {file: stamp for file, stamp in self._running.items() if file not in named}

    def has_changed(self, text: str) -> bool:
        """Return whether the content of a file has changed that the description of a filter names."""
        return any(stamp(file) != self._running.get(file) for file in _files_named_by(text))

    def needs_reload(self, names: Mapping[str, str], pairs: Mapping[str, Sequence[str]]) -> bool:
        """Return whether a reload would change anything."""
        if self.stale or any(map(self.has_changed, self._descriptions())):
            return True
        return (names, _by_key(pairs)) != (self.names, self.pairs)

    def stuck(self, key: str) -> bool:
        """Return whether the file of a filter has changed that cannot be reloaded."""
        now = self._stamps_of_fixed()
        texts = [self.names[key]] if key in self.names else self.pairs.get(key, ())
        return any(now.get(module) != self._fixed_before.get(module) for module in map(module_of, texts) if module)

    # -- reloading --------------------------------------------------------------------------------------------

    def reload(
        self,
        use: Callable[[dict[str, Any]], object] = lambda filters: None,
        names: Mapping[str, str] | None = None,
        pairs: Pairs | None = None,
        *,
        again: bool = True,
    ) -> dict[str, Any]:
        """Reload all modules, and return the new filters, which have taken over the state of the old ones.

        Args:
            use: called with the filters that are new, by their keys, ``None`` for those that are gone. If it raises,
                the old ones stay.
            names: other names than before.
            pairs: other descriptions of pairs than before.
            again: whether the modules are reloaded. Otherwise only filters whose descriptions are new are loaded.

        Raises:
            LoadingError: the filters cannot be reloaded; everything is as it was before.
        """
        names = self.names if names is None else names
        chains = self.pairs if pairs is None else _by_key(pairs)
        own = self._own() if again else {}
        files = stamps(map(file_of, own.values()))
        metrics_before = self._metrics if again else []
        kept = self.names, self.pairs, self.filters
        removed = Removed(own)
        filter_metrics.unregister(metrics_before)
        before = filter_metrics.registered()
        self.passing = False
        try:
            loading = _Loading(self, names, chains, again=again)
            loading.hand_over()
            self._describe(names, chains, loading.filters)
            metrics = self._new_collectors(before)
            new = {key: found for key, found in self.filters.items() if found is not kept[2].get(key)}
            trying(
                "the new filters cannot be used", use, {**new, **dict.fromkeys(kept[2].keys() - self.filters.keys())}
            )
            self._metrics = metrics if again else [*self._metrics, *metrics]
        except BaseException as error:
            self._describe(names, chains, {})
            filter_metrics.unregister(self._new_collectors(before))
            filter_metrics.register(metrics_before)
            tried = self._files()
            removed.restore(self._own(removed.present))
            self._describe(*kept)
            self.passing = _is_passing(error)
            if not self.passing:  # otherwise the files still count as changed, and are tried again
                self._loaded = self._seen = (
                    stamps(tried | self._files() | _files_in(error) | self._missing(error)) | files
                )
            raise
        self._loaded = self._seen = self._running = stamps(self._files()) | files
        return self.filters

    def _missing(self, error: BaseException) -> set[str]:
        """Return the files in which a module could be that is missing according to an error."""
        cause = error.__cause__ or error
        if not isinstance(cause, ImportError) or not cause.name or not isinstance(cause.name, str):
            return set()
        lacking = re.match(r"cannot import name '(\w+)'", text_of(cause))  # it may be a module of a package
        path = f"{cause.name}.{lacking[1]}" if lacking else cause.name
        places = [Path(home, *path.split(".")) for home in self._homes]
        return {str(file) for place in places for file in (place, place.with_suffix(".py"), place / "__init__.py")}


class _Loading:
    """Filters that are loaded, some of which take over from others.

    Args:
        modules: has the filters before them.
        names: see `FilterModules`.
        pairs: see `FilterModules`.
        again: whether the filters of modules are loaded again although their descriptions are the same.
    """

    def __init__(
        self, modules: FilterModules, names: Mapping[str, str], pairs: Mapping[str, Sequence[str]], *, again: bool
    ) -> None:
        self.filters: dict[str, Any] = {}
        self._modules = modules
        self._again = again
        self._heirs: list[tuple[str, object, object]] = []
        """The description of a filter, itself, and the one that it takes over from."""
        for key, name in names.items():
            old = modules.filters.get(key) if modules.names.get(key) == name else None
            load = partial(load_filter, direction=_direction(key))
            self.filters[key] = self._loaded(key, name, old, load)
        for key, descriptions in pairs.items():
            self.filters[key] = self._chain(key, descriptions)

    def _chain(self, key: str, descriptions: Sequence[str]) -> object:
        """Return the chain of these pairs: the one before it, if all of them stay."""
        old: Any = self._modules.filters.get(key)
        old_descriptions = self._modules.pairs.get(key, ())
        before = list(zip(old_descriptions, old.members, strict=True)) if old is not None else []
        members: list[Any] = []
        for text in descriptions:
            match = next((pair for pair in before if pair[0] == text), None)
            if match is not None:
                before.remove(match)
            members.append(self._loaded(key, text, match and match[1], load_filter_pair))
        stays = old is not None and list(map(id, members)) == list(map(id, old.members))
        return old if stays else trying("--filter", chain, *members)

    def _loaded(self, key: str, text: str, old: object, load: Callable[[str], object]) -> object:
        if old is not None and not self._modules.has_changed(text) and not (self._again and module_of(text)):
            return old
        try:
            new = load(text)
        except LoadingError as error:
            where = self._modules.where(key)
            if not where or str(error).startswith("--"):
                raise
            raise LoadingError(located(where, str(error))) from error.__cause__
        if old is not None:
            self._heirs.append((text, new, old))
        return new

    def hand_over(self) -> None:
        """Let filters take over."""
        for text, new, old in self._heirs:
            trying(f"{text}: cannot migrate", hand_over, new, old, module_of(text))


def _direction(key: str) -> Direction:
    """Return the direction of the messages that the filter of a key gets."""
    return Direction(key.rpartition("/")[2].replace("-", "_").removesuffix("_filter"))


def _by_key(pairs: Pairs) -> dict[str, Sequence[str]]:
    """Return the descriptions of pairs by the keys of their chains."""
    chains = pairs if isinstance(pairs, Mapping) else {"filters": pairs}
    return {key: list(descriptions) for key, descriptions in chains.items() if descriptions}


def _files_named_by(text: str) -> set[str]:
    """Return the files that options of a filter of the user name; their contents belong to the filter."""
    if module_of(text) is None:
        return set()
    parts = described(text)
    return {value for value in (*parts.positional, *parts.options.values()) if os.path.isfile(value)}


def _files_in(error: BaseException) -> set[str]:
    """Return the files that an error came from; their modules may never have been loaded."""
    cause = error.__cause__ or error
    files = {frame.filename for frame in traceback.extract_tb(cause.__traceback__)}
    if isinstance(cause, SyntaxError) and isinstance(cause.filename, str):
        files.add(cause.filename)
    return {file for file in files if os.path.exists(file)}


def _is_passing(error: BaseException) -> bool:
    """Return whether a lack of descriptors or memory caused an error."""
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno in PASSING):
            return True
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return False
