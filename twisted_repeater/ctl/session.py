"""What a command of ``ctl`` works with: the administration, the chosen repeater, and where it prints."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from .address import address_of
from .administration import Administration, Answer
from .errors import Unusable

__all__ = ["ADMIN", "DEFAULT_ADMIN", "TOKEN_FILE", "Session", "criteria_of", "session_of"]

ADMIN = "REPEATER_ADMIN"
"""The environment variable that says where the administration is."""

TOKEN_FILE = "REPEATER_TOKEN_FILE"
"""The environment variable that names the file of the token."""

DEFAULT_ADMIN = "http://127.0.0.1:8090"
"""Where the administration is if nobody says it."""


class Session:
    """The administration that a command works with.

    Args:
        administration: whom to ask.
        repeater: the name of the repeater that the user chose, ``None`` if there is only one to choose.
        as_json: whether to print for programs.
    """

    def __init__(self, administration: Administration, repeater: str | None, as_json: bool) -> None:
        self.administration: Administration = administration
        self.named: str | None = repeater
        self.as_json: bool = as_json

    @property
    def repeater(self) -> str:
        """The name of the repeater that the command is about.

        Raises:
            Unusable: there are several, and none was named.
        """
        if self.named is None:
            names = [repeater["name"] for repeater in self.administration.get("repeaters")["repeaters"]]
            if len(names) != 1:
                raise Unusable(
                    f"there are {len(names)} repeaters: choose one with --repeater {' or '.join(names)}"
                    if names
                    else "the process has no repeater"
                )
            self.named = names[0]
        return self.named

    @property
    def path(self) -> tuple[str, str]:
        """The beginning of each path that is about the repeater."""
        return ("repeaters", self.repeater)

    def print(self, answer: Answer, lines: Iterable[str]) -> None:
        """Print an answer: as it is for programs, or as lines for people."""
        if self.as_json:
            self.print_json(answer)
        else:
            for line in lines:
                print(line, flush=True)

    def print_json(self, data: Mapping[str, object]) -> None:
        """Print an object on one line. All characters that are not ASCII are escaped."""
        print(json.dumps(data), flush=True)


def note(text: str) -> None:
    """Print what belongs neither to people's output nor to that for programs."""
    print(text, file=sys.stderr, flush=True)


def criteria_of(options: argparse.Namespace, *others: str) -> dict[str, Any]:
    """Return the options that choose messages, and others, as the API takes them: those that were given."""
    names = ("client", "direction", "type", "text", *others)
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    if "direction" in given:
        given["direction"] = given["direction"].replace("-", "_")
    return given


def session_of(options: argparse.Namespace) -> Session:
    """Return the session that options and the environment describe.

    Raises:
        Unusable: they are wrong.
    """
    text = options.admin or os.environ.get(ADMIN)
    address = address_of(text or DEFAULT_ADMIN)
    if text is None:
        address = address._replace(text=f"{DEFAULT_ADMIN} (the default; --admin and {ADMIN} choose another)")
    file = options.token_file or os.environ.get(TOKEN_FILE)
    administration = Administration(address, None if not file else _token_in(file))
    return Session(administration, options.repeater, bool(options.json))


def _token_in(file: str) -> str:
    """Return the token in a file."""
    try:
        with open(file, encoding="ascii") as opened:
            token = opened.read(65536).strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII text"
        raise Unusable(f"--token-file: cannot read {file}: {reason}") from error
    if not token or not token.isprintable():
        raise Unusable(f"--token-file: {file} must have the token in one line")
    return token
