"""What the command line and the configuration file come to: the checked values of a process and of its repeaters."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

from twisted.python import usage

from .._sockets.endpoints import check_shareable
from ..model import Limits
from .admin.token_file import needs_token
from .endpoint_texts import Bound, bound_by
from .fleet_options import wrong_together
from .option import Scope, Written
from .option_values import LIMITS, seconds_or_none
from .options import OPTIONS
from .process_number import NUMBER, PLACE, own_number, with_number

__all__ = ["ProcessSettings", "Reading", "RepeaterSettings", "SettingsError", "Where", "WrittenSettings", "located"]

Where = Callable[[str], str]
"""Returns how an error names an option: ``--listen``, or ``edge.toml: repeater.orders.listen``."""


class SettingsError(usage.UsageError):
    """Options or a configuration file are wrong. The message has a line for each error."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines: tuple[str, ...] = lines
        """The errors."""


@dataclass(frozen=True)
class RepeaterSettings:
    """The settings of one repeater. Equal ones say the same, wherever they were written."""

    name: str
    values: Mapping[str, Any]
    """The values of all options of a repeater, by their names, such as "to-server-filter"; and "limits"."""
    texts: Mapping[str, str] = field(compare=False)
    """What was given, as it was written."""
    where: Where = field(compare=False)
    """Begins an error about an option."""


@dataclass(frozen=True)
class ProcessSettings:
    """The settings of the process and of its repeaters."""

    values: Mapping[str, Any] = field(repr=False)  # the token is among them
    """The values of all options of the process, by their names. "admin-token-file" has the token itself."""
    repeaters: Mapping[str, RepeaterSettings]
    """The repeaters, by their names."""
    where: Where = field(compare=False)
    """Begins an error about an option of the process."""
    file: str | None = field(compare=False, default=None)
    """The absolute path of the configuration file. Modules are found in its directory, too."""
    reading: Callable[[], ProcessSettings] | None = field(compare=False, default=None)
    """Reads the configuration file again, or the files that options of the command line name."""

    @property
    def directory(self) -> str | None:
        """Where the configuration file is."""
        return None if self.file is None else os.path.dirname(self.file)

    def read_again(self) -> ProcessSettings:
        """Read the configuration file again, and other files, such as that of the token.

        Options of the command line stay.

        Raises:
            SettingsError: a file is wrong.
        """
        return self if self.reading is None else self.reading()


@dataclass(frozen=True)
class WrittenSettings:
    """What was written for the process, or for one repeater."""

    options: Mapping[str, Written]
    where: Where
    refused: Collection[str] = ()
    """Other options that were given, but with values of wrong types, which are noted already."""


VERBS = ("must ", "needs ", "is ", "has ", "takes ", "concerns ", "can ")
"""How a text begins that continues the name of an option."""


def located(where: str, text: str) -> str:
    """Return an error, on one line, that begins with the name of an option."""
    line = f"{where}{' ' if text.startswith(VERBS) else ': '}{text}"
    return line.replace("\n", "\\n")


class Reading:
    """Reads what was written, and collects the errors.

    Args:
        number: the number of the process; ``None`` for that of this one.
    """

    def __init__(self, number: str | None = None) -> None:
        self.errors: list[str] = []
        try:
            self._number = own_number() if number is None else number
        except ValueError as error:
            raise SettingsError(located(NUMBER, str(error))) from error

    def wrong(self, where: str, text: str) -> None:
        """Note an error, once: several repeaters may share a default."""
        line = located(where, text)
        if line not in self.errors:
            self.errors.append(line)

    def check(self) -> None:
        """Raise an error if there was any."""
        if self.errors:
            raise SettingsError(*self.errors)

    def process(self, written: WrittenSettings, repeaters: Mapping[str, WrittenSettings]) -> ProcessSettings:
        """Return the settings of the process.

        Raises:
            SettingsError: with all errors, those that were noted before too.
        """
        made = {name: self._repeater(name, each) for name, each in repeaters.items()}
        settings = ProcessSettings(self._values("process", written), made, written.where)
        settings = self._shared(settings, written, repeaters)
        self._check_admin(settings)
        self._check_fleet(settings, written.options)
        if settings.values["reload"] and made and not any(map(has_filters, made.values())):
            self.wrong(written.where("reload"), "needs a filter")
        self._check_addresses(settings)
        self._check_recordings(made.values())
        self.check()
        return settings

    def _values(self, scope: Scope, written: WrittenSettings) -> dict[str, Any]:
        """Return the values of these options, with defaults."""
        values: dict[str, Any] = {}
        for option in OPTIONS:
            if option.scope == scope:
                values[option.name] = option.default_value()
                try:
                    if option.name in written.options:
                        text = written.options[option.name]
                        values[option.name] = option.read(with_number(text, self._number) if option.numbered else text)
                except ValueError as error:
                    self.wrong(written.where(option.name), str(error))
        return values

    def _repeater(self, name: str, written: WrittenSettings) -> RepeaterSettings:
        """Return the settings of a repeater."""
        values = self._values("repeater", written)
        for option in OPTIONS:
            if option.required and option.name not in {*written.options, *written.refused}:
                what = option.plain.removesuffix(".")
                self.wrong(written.where(option.name), f"is missing: {what[0].lower()}{what[1:]}")
        values["limits"] = self._limits(values, written)
        return RepeaterSettings(name, values, _texts(written.options), written.where)

    def _limits(self, values: Mapping[str, Any], written: WrittenSettings) -> Limits:
        """Return the limits. Each wrong one is noted, and left out."""
        good = [limit for limit in LIMITS if values[limit.name] is not None or limit.read is seconds_or_none]
        given = {limit.field: values[limit.name] for limit in good if limit.name in written.options}
        while True:
            try:
                return Limits(**given)
            except ValueError as error:
                wrong, _, reason = str(error).partition(" ")
                del given[wrong]
                name = wrong.replace("_", "-")
                rule = reason.rpartition(", not ")[0].replace("max_frame", "max-frame")
                self.wrong(written.where(name), f"{rule}, not {written.options[name]}")

    def _shared(
        self, settings: ProcessSettings, written: WrittenSettings, repeaters: Mapping[str, WrittenSettings]
    ) -> ProcessSettings:
        """Return the settings with shared ports, if there are several processes. Note what they cannot share."""
        several = settings.values["processes"] > 1
        if several:
            for each in (written, *repeaters.values()):
                self._check_numbered(each)
        made = {
            name: replace(each, values={**each.values, "share-port": True}) if several else each
            for name, each in settings.repeaters.items()
        }
        for repeater in made.values():
            if repeater.values["share-port"] and repeater.values["listen"] is not None:
                self._check_shared(repeater, several)
        return replace(settings, repeaters=made)

    def _check_numbered(self, written: WrittenSettings) -> None:
        """Note the options that would be the same for all processes, and must not."""
        for option in OPTIONS:
            text = written.options.get(option.name)
            if option.numbered and text is not None and PLACE not in str(text):
                why = f"must have {PLACE}, as each of the processes needs its own, not {text!r}"
                self.wrong(written.where(option.name), why)

    def _check_shared(self, repeater: RepeaterSettings, several: bool) -> None:
        """Note why processes cannot share the port of a repeater."""
        listen = repeater.values["listen"]
        option = "share-port" if "share-port" in repeater.texts else "listen"
        try:
            check_shareable(listen)
        except ValueError as error:
            self.wrong(repeater.where(option), str(error))
            return
        if several and bound_by(listen) is None:
            self.wrong(repeater.where("listen"), f"must have a port that the processes can share, not {listen!r}")

    def _check_admin(self, settings: ProcessSettings) -> None:
        """Note what the administration lacks."""
        values, where = settings.values, settings.where
        admin = values["admin"]
        for name in ("admin-host", "admin-token-file"):
            if values[name] and not admin and not self.errors:
                self.wrong(where(name), f"needs {_key(where('admin'))}")
        if admin and find_spec("msgspec") is None:
            self.wrong(where("admin"), "needs msgspec: pip install 'twisted_repeater[admin]'")
        if admin and needs_token(admin) and not values["admin-token-file"] and not self.errors:
            token = _key(where("admin-token-file"))
            self.wrong(where("admin"), f"needs {token}: other machines, or other users, can connect to {admin!r}")

    def _check_fleet(self, settings: ProcessSettings, given: Collection[str]) -> None:
        """Note what is wrong with the fleet."""
        where = settings.where
        for name, text in () if self.errors else wrong_together(settings.values, given, _key(where("fleet"))):
            self.wrong(where(name), text)

    def _check_addresses(self, settings: ProcessSettings) -> None:
        """Note the addresses that would be bound twice."""
        listening = [(repeater.where("listen"), repeater.values["listen"]) for repeater in settings.repeaters.values()]
        taken: list[tuple[str, str, Bound]] = []
        for where, text in [*listening, (settings.where("admin"), settings.values["admin"])]:
            bound = None if text is None else bound_by(text)
            if bound is None:
                continue
            for other, other_text, other_bound in taken:
                if bound.takes(other_bound):
                    self.wrong(where, f"must be another address than {other_text!r} of {_key(other)}, not {text!r}")
                    break
            taken.append((where, text, bound))

    def _check_recordings(self, repeaters: Iterable[RepeaterSettings]) -> None:
        """Note the files that would have the traffic of two repeaters."""
        files: dict[str, str] = {}
        for repeater in repeaters:
            if repeater.values["record"] is not None:
                path = os.path.abspath(repeater.values["record"]["path"])
                where = repeater.where("record")
                if path in files:
                    self.wrong(where, f"must be another file than that of {_key(files[path])}, not {path!r}")
                files.setdefault(path, where)


def has_filters(repeater: RepeaterSettings) -> bool:
    """Return whether there are filters that can be reloaded."""
    return any(repeater.values[name] for name in ("to-server-filter", "to-client-filter", "filter"))


def _key(where: str) -> str:
    """Return how an error names an option, without the file that it has named already."""
    return where.rpartition(": ")[2]


def _texts(written: Mapping[str, Written]) -> dict[str, str]:
    """Return what was written, for people."""
    shown = {True: "yes", False: "no"}
    texts = {}
    for name, value in written.items():
        texts[name] = (
            ", ".join(value) if isinstance(value, list) else shown[value] if isinstance(value, bool) else value
        )
    return texts
