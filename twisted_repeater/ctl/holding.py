"""``ctl hold-messages``: messages that match wait, until somebody at the terminal decides about each.

The rule belongs to the stream of this command. It ends with Ctrl-C, and everything that it holds is released then. If
the process is killed, the administration does that 15 seconds later.
"""

from __future__ import annotations

import argparse
import select
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress

from .._text import printable
from .administration import Answer
from .calls import fields_in
from .errors import CtlError, Refused, Unusable
from .events import Event, Events
from .inbox import Inbox
from .session import Session, criteria_of, note
from .shown import fields_of, message_line
from .texts import moment, size
from .typed import TypedLines

__all__ = ["hold_messages"]

HELP = """\
release               it goes on as it is          (r)
drop                  nobody gets it               (d)
change FIELD=VALUE    it goes on with other fields (c); several with spaces between them
change TEXT           another text goes on in its place, if it has no fields
answer TEXT           its sender gets this text, and nobody gets the message (a)
show                  shows it again               (s)
In a text, write \\r, \\n, \\xNN and \\\\ for a carriage return, a line feed, any byte and a backslash."""


def hold_messages(session: Session, options: argparse.Namespace) -> None:
    """Hold messages, and ask what to do with each, until Ctrl-C."""
    events = Events(session.administration, *session.path, "stream", query={"paused": "true"})
    with Inbox(events) as inbox:
        holding = _Holding(session, criteria_of(options, "every", "timeout", "max_held"))
        try:
            holding.run(inbox, TypedLines(sys.stdin.fileno()))
        except KeyboardInterrupt:
            pass
        finally:
            holding.end()


class _Holding:
    """A rule, and the messages that it holds, the first of which is asked about."""

    def __init__(self, session: Session, rule: dict[str, object]) -> None:
        self._session = session
        self._rule = rule
        self._stream: str | None = None
        self._id: int | None = None
        self._held: dict[int, Answer] = {}
        self._commands: dict[str, Callable[[Answer, str], None]] = {
            "release": lambda held, rest: self._settle(held, "release"),
            "drop": lambda held, rest: self._settle(held, "drop"),
            "change": self._change,
            "answer": lambda held, rest: self._settle(held, "answer", {"text": rest}),
            "show": lambda held, rest: self._ask(),
        }

    def run(self, inbox: Inbox, typed: TypedLines) -> None:
        """Hold messages until the administration is gone, or somebody presses Ctrl-C."""
        asks = not self._session.as_json
        while True:
            sources: list[Inbox | TypedLines] = [inbox]
            if asks and not typed.ended:
                sources.append(typed)
            readable, _, _ = select.select(sources, [], [])
            if inbox in readable:
                for event in inbox.take():
                    self._happened(event)
            if typed in readable:
                for line in typed.read():
                    self._typed(line)

    def end(self) -> None:
        """Remove the rule, so that what it holds is released."""
        with suppress(CtlError):  # the administration is gone, and its rules with it
            if self._id is not None:
                self._session.administration.delete(*self._session.path, "rules", str(self._id))

    def _happened(self, event: Event) -> None:
        """Obey an event of the stream."""
        kind, data = event
        if kind == "hello" and data["stream"] != self._stream:
            self._begin(data["stream"])
        elif kind == "resync":
            held = self._session.administration.get(*self._session.path, "held")["held"]
            self._held = {one["id"]: one for one in held if one["rule"] == self._id}
            self._ask()
        elif kind == "held" and data["rule"] == self._id:
            self._report(event)
            self._held[data["id"]] = data
            if len(self._held) == 1:
                self._ask()
        elif kind == "settled" and data["id"] in self._held:
            self._report(event)
            self._settled(data["id"], data["how"])

    def _report(self, event: Event) -> None:
        if self._session.as_json:
            self._session.print_json({"event": event.kind} | event.data)

    def _begin(self, stream: str) -> None:
        """Make the rule, for a stream that knows none of it."""
        self._stream = stream
        self._held.clear()
        rule = self._session.administration.post(*self._session.path, "rules", body=self._rule | {"stream": stream})
        self._id = rule["id"]
        note("messages that match are held; Ctrl-C ends that, and releases all")

    def _settled(self, held: int, how: str) -> None:
        """Forget a message that is no longer held, and ask about the next one."""
        was_asked = next(iter(self._held)) == held
        del self._held[held]
        note(f"message {held}: {printable(how)}")
        if was_asked:
            self._ask()

    def _ask(self) -> None:
        """Show the first message that is held, and ask what to do."""
        if not self._held or self._session.as_json:
            return
        held = next(iter(self._held.values()))
        more = f", {len(self._held) - 1} more held" if len(self._held) > 1 else ""
        print(
            f"message {held['id']} is held until {moment(held['until'])}, {size(held['behind_bytes'])} behind it{more}"
        )
        print(f"  {message_line(held['message'])}")
        for field in fields_of(held["message"]):
            print(field)
        print("release, drop, change FIELD=VALUE, answer TEXT, or ? for help", flush=True)

    def _typed(self, line: str) -> None:
        """Obey a line that somebody typed."""
        word, _, rest = line.partition(" ")
        commands = [name for name in self._commands if word and name.startswith(word)]
        if word in ("?", "h", "help"):
            note(HELP)
        elif not word:
            return
        elif not commands:
            note(f"expected release, drop, change, answer, show or ?, got {word!r}")
        elif not self._held:
            note("no message is held")
        else:
            self._obey(commands[0], rest.strip())

    def _obey(self, command: str, rest: str) -> None:
        try:
            self._commands[command](next(iter(self._held.values())), rest)
        except (Refused, Unusable) as error:
            note(printable(str(error)))

    def _change(self, held: Answer, rest: str) -> None:
        message: dict[str, object] = {"set": fields_in(_words(rest))} if held["settable"] else {"text": rest}
        self._settle(held, "change", message)

    def _settle(self, held: Answer, command: str, message: dict[str, object] | None = None) -> None:
        """Tell the administration what to do. Its stream says when it is done."""
        body = None if message is None else {"message": message}
        self._session.administration.post(*self._session.path, "held", str(held["id"]), command, body=body)


def _words(text: str) -> list[str]:
    """Return words as a shell has them: quotes keep spaces."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise Unusable(f"{text}: {error}") from error
