"""Why the engine cannot be used, in words for an operator."""

from __future__ import annotations

import re

from twisted.internet.error import ConnectionDone

from .._text import text_of

__all__ = ["EngineError", "advised", "reason_of"]

ADVICE = {
    "NOAUTH": "it wants a password: write it into the address, as in redis://USER:PASSWORD@HOST",
    "WRONGPASS": "it does not accept the user or the password of the address",
    "without any password": "it has no password, but the address has one",
    "NOPERM": "the user of the address may not do what a fleet needs",
    "OOM": "its memory is full, so it stores nothing: raise its maxmemory, or store less in it",
    "READONLY": "it has become a replica, and a fleet needs the primary",
    "LOADING": "it is loading its data",
    "MISCONF": "it stores nothing, because it cannot save its data",
    "WRONGTYPE": "something else uses the keys of this fleet: give the fleet another name, or delete what is there",
}
"""What an error of the engine means for an operator, by a word of the error."""

WHERE = re.compile(r" script: [0-9a-f]{40}, on @user_script:\d+\.?|^ERR Error running script .*@user_script:\s*\d+: ")
"""Where in which script an error was raised. Without it the errors of all scripts are the same, and logged once."""


class EngineError(Exception):
    """The engine cannot be used: it is not reached, answers too late, or with an error."""


def advised(error: str) -> str:
    """Return the text of an error of the engine, with what it means for an operator."""
    error = WHERE.sub("", error)
    for word, advice in ADVICE.items():
        if word in error:
            return f"{advice} ({error})"
    return error


def reason_of(error: BaseException | None) -> str:
    """Return why a connection has ended."""
    if isinstance(error, ConnectionDone):
        return "it has closed the connection"
    details = error.args[0] if error is not None and error.args else None
    if isinstance(details, list) and all(isinstance(each, tuple) for each in details):  # of OpenSSL
        texts = ", ".join(str(each[-1]) for each in details)
        return f"TLS with it has failed: {texts}; if its authority is your own, write ?ca=FILE behind the address"
    if type(error).__name__ == "VerificationError":
        return "its certificate is for another host than the address names"
    return text_of(error)
