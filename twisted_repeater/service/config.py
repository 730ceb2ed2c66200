"""The configuration file: TOML with the options of the process, and a table for each repeater."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from .option import Form, Option, Scope, Written
from .option_values import near, repeater_name, seconds_or_none
from .options import BY_NAME
from .settings import ProcessSettings, Reading, SettingsError, WrittenSettings

__all__ = ["read_config"]

REPEATER = "repeater"
"""The key whose tables are the repeaters."""

DEFAULTS = "defaults"
"""The key of the table that holds for all repeaters."""

ELSEWHERE: dict[Scope, str] = {
    "command line": "can only be given on the command line",
    "process": "concerns the whole process: write it at the top of the file, before the first table",
    "repeater": "concerns a repeater: write it in its table, such as [repeater.orders], or in [defaults]",
}
"""What is said of a key that is in the wrong place."""


def read_config(path: str, command: Mapping[str, Written], number: str | None = None) -> ProcessSettings:
    """Read a configuration file.

    Args:
        path: the file.
        command: options of the process that the command line has; they win.
        number: the number of the process; ``None`` for that of this one.

    Raises:
        SettingsError: the file cannot be read, or something in it is wrong.
    """
    file = ConfigFile(path, os.path.abspath(path), command, number)
    return file.read()


class ConfigFile:
    """A configuration file, which can be read again.

    Args:
        name: the name of the file in errors.
        path: its absolute path: as a daemon the process may change its directory.
        command: options of the command line.
        number: the number of the process; ``None`` for that of this one.
    """

    def __init__(self, name: str, path: str, command: Mapping[str, Written], number: str | None) -> None:
        self._name = name
        self._path = path
        self._command = command
        self._number = number

    def read(self) -> ProcessSettings:
        """Read the file. See `read_config`."""
        reading = Reading(self._number)
        content = self._parsed()
        tables = {key: self._table(reading, key, content.pop(key, {})) for key in (DEFAULTS, REPEATER)}
        process, _ = self._written(reading, "process", content, "")
        defaults = self._written(reading, "repeater", tables[DEFAULTS], f"{DEFAULTS}.")
        repeaters = dict(self._repeaters(reading, tables[REPEATER], defaults))
        if not tables[REPEATER]:
            reading.wrong(self._name, "there is no repeater: begin a table such as [repeater.orders]")

        def where(name: str) -> str:
            return f"--{name}" if name in self._command else f"{self._name}: {name}"

        settings = reading.process(WrittenSettings({**process, **self._command}, where), repeaters)
        return replace(settings, file=self._path, reading=self.read)

    def _parsed(self) -> dict[str, Any]:
        """Return what the file has as TOML."""
        try:
            with open(self._path, "rb") as file:
                return tomllib.loads(file.read().decode())
        except OSError as error:
            raise SettingsError(f"{self._name} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"{self._name} must be a text in UTF-8: byte {error.start} is not") from error
        except (ValueError, RecursionError) as error:
            raise SettingsError(f"{self._name}{_place_and_reason(str(error))}") from error

    def _table(self, reading: Reading, key: str, value: object) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        example = "[repeater.orders]" if key == REPEATER else f"[{key}]"
        reading.wrong(f"{self._name}: {key}", f"must be a table such as {example}, not {_shown(value)}")
        return {}

    def _repeaters(
        self, reading: Reading, tables: Mapping[str, Any], defaults: tuple[dict[str, Written], set[str]]
    ) -> Iterator[tuple[str, WrittenSettings]]:
        for name, table in tables.items():
            path = f"{REPEATER}.{_key(name)}"
            if name in BY_NAME and not isinstance(table, dict):
                reading.wrong(f"{self._name}: {path}", ELSEWHERE["repeater"])
                continue
            try:
                repeater_name(name)
            except ValueError as error:
                reading.wrong(f"{self._name}: {path}", str(error))
            own, refused = self._written(reading, "repeater", self._table(reading, path, table), f"{path}.")
            where = self._where(path, own, defaults[0])
            yield name, WrittenSettings({**defaults[0], **own}, where, refused | defaults[1])

    def _where(self, path: str, own: Mapping[str, Written], defaults: Mapping[str, Written]) -> Callable[[str], str]:
        def where(name: str) -> str:
            return f"{self._name}: {DEFAULTS if name in defaults and name not in own else path}.{name}"

        return where

    def _written(
        self, reading: Reading, scope: Scope, table: Mapping[str, Any], path: str
    ) -> tuple[dict[str, Written], set[str]]:
        """Return the values of a table as they would be written on the command line, and the keys of wrong ones."""
        written: dict[str, Written] = {}
        for key, value in table.items():
            where = f"{self._name}: {path}{_key(key)}"
            option = BY_NAME.get(key)
            if option is None:
                known = [name for name, each in BY_NAME.items() if each.scope == scope]
                known += [DEFAULTS, REPEATER] if scope == "process" else []
                reading.wrong(where, f"there is no such key{near(key, known)}")
            elif option.scope != scope:
                reading.wrong(where, ELSEWHERE[option.scope])
            else:
                try:
                    written[key] = as_written(option, value)
                except ValueError as error:
                    reading.wrong(where, str(error))
        return written, table.keys() - written.keys()


def as_written(option: Option, value: object) -> Written:
    """Return a value of TOML as it would be written on the command line.

    Raises:
        ValueError: it is of the wrong type.
    """
    is_text = isinstance(value, str)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if option.form is Form.TEXTS:
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return value
    elif option.form is Form.FLAG:
        if isinstance(value, bool):
            return value
    elif (
        (is_text and option.form in (Form.TEXT, Form.SIZE))
        or (is_text and value == "none" and option.read is seconds_or_none)
        or (is_whole and option.form in (Form.NUMBER, Form.SIZE, Form.SECONDS))
        or (isinstance(value, float) and option.form is Form.SECONDS)
    ):
        return str(value)
    raise ValueError(f"must be {expected(option)}, not {_shown(value)}")


def expected(option: Option) -> str:
    """Return what the file must have for an option."""
    return {
        Form.TEXT: f'a text such as "{option.example}"',
        Form.TEXTS: f'a list of texts such as ["{option.example}"]',
        Form.NUMBER: f"a whole number such as {option.example}",
        Form.SIZE: 'a number of bytes, or a text such as "16MiB"',
        Form.SECONDS: "a number of seconds" + (', or "none"' if option.read is seconds_or_none else ""),
        Form.FLAG: "true or false",
    }[option.form]


def _shown(value: object) -> str:
    """Return a value of TOML for a message."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list of " + (" and ".join(sorted({_kind(each) for each in value})) or "nothing")
    if isinstance(value, str | bool | int | float):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


KINDS = {str: "texts", bool: "booleans", int: "numbers", float: "numbers", dict: "tables", list: "lists"}


def _kind(value: object) -> str:
    return KINDS.get(type(value), "dates")


def _key(key: str) -> str:
    """Return a key as it is written in TOML."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)


def _place_and_reason(message: str) -> str:
    """Return a message of tomllib with the place at its beginning."""
    found = re.fullmatch(r"(.*) \(at (.*)\)", message, re.DOTALL)
    place, reason = (f": {found[2]}", found[1]) if found else ("", message)
    return f"{place} is not TOML: {reason}"
