"""The options of ``ctl`` and of each of its commands."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from . import calls, fleet
from .holding import hold_messages
from .session import ADMIN, DEFAULT_ADMIN, TOKEN_FILE, Session
from .watch import watch

__all__ = ["PROGRAM", "make_parser"]

PROGRAM = "python -m twisted_repeater ctl"

Run = Callable[[Session, argparse.Namespace], None]

EPILOG = f"""\
environment:
  {ADMIN}       in place of --admin
  {TOKEN_FILE}  in place of --token-file

The exit status is 0 if all went well, 1 if the administration refused or is not ready, 2 if the command is wrong or
nobody answered. The options of a command: {PROGRAM} COMMAND --help
"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="See and control running repeaters, by the administration that --admin of twistd repeater starts.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser, None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, title="commands")
    _Commands(commands).add_all()
    return parser


def _add_common(parser: argparse.ArgumentParser, default: Any) -> None:
    """Add the options that every command has. They may stand before the command and after it."""
    parser.add_argument(
        "--admin",
        metavar="ADDRESS",
        default=default,
        help=f"http://HOST:PORT, https://HOST:PORT or unix:PATH. [default: {DEFAULT_ADMIN}]",
    )
    parser.add_argument("--token-file", metavar="FILE", default=default, help="The file with the token.")
    parser.add_argument("--repeater", metavar="NAME", default=default, help="Which one, if the process has several.")
    parser.add_argument("--json", action="store_true", default=default, help="Print for programs.")


class _Commands:
    """Adds the commands to a parser."""

    def __init__(self, commands: Any) -> None:
        self._commands = commands

    def add_all(self) -> None:
        """Add all."""
        self._add_looking()
        self._add_clients()
        self._add_process()
        self._add_faults()
        self._add_messages()
        self._add_held()

    def _add(self, name: str, run: Run, purpose: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = self._commands.add_parser(name, help=purpose, description=purpose)
        _add_common(parser, argparse.SUPPRESS)
        parser.set_defaults(run=run)
        return parser

    def _add_looking(self) -> None:
        self._add("status", calls.status, "Show the repeaters.")
        self._add("ready", calls.ready, "Say whether the process is ready, and why not.")
        self._add("version", calls.version, "Show the versions that run.")
        links = self._add("links", calls.links, "Show the links.")
        links.add_argument("--client", metavar="PATTERN", help="Only clients with such names, such as 'desk-*'.")
        self._add("errors", calls.errors, "Show the last errors, the newest first.")
        self._add("nodes", fleet.nodes, "Show the nodes of the fleet.")
        finding = self._add("find", fleet.find, "Show which nodes of the fleet have a client.")
        finding.add_argument("client", metavar="CLIENT", help="The name of the client.")

    def _add_clients(self) -> None:
        listing = self._add("clients", fleet.clients, "Show the names of the clients.")
        listing.add_argument("--limit", type=int, metavar="N", help="At most so many, of each node. [default: 1000]")
        _add_scope(listing)
        for name, purpose in (
            ("close", "Close the links of a client."),
            ("hold", "Read nothing from a client until it is resumed."),
            ("resume", "Read from a client again."),
        ):
            adding = self._add(name, calls.on_links, purpose)
            _add_target(adding)
            if name == "close":
                _add_scope(adding)
        _add_scope(self._add("drop-new-clients", calls.of_newcomers, "Refuse new clients; links stay."))
        _add_scope(self._add("accept-new-clients", calls.of_newcomers, "Accept new clients again."))

    def _add_process(self) -> None:
        self._add("reload", calls.reload, "Reload filters and configuration; with --repeater, only of that one.")
        draining = self._add("drain", fleet.drain, "End the process, or a node of its fleet, in good order.")
        draining.add_argument("--node", metavar="NAME", help="This node of the fleet. [default: the process itself]")
        draining.add_argument(
            "--over", type=float, metavar="SECONDS", help="With --node: how long links may take to end. [default: 30]"
        )

    def _add_faults(self) -> None:
        faults = self._add("faults", calls.faults, "Show the faults, or change them.")
        actions = faults.add_subparsers(dest="action", metavar="ACTION", title="actions")
        setting = actions.add_parser("set", help="Set a fault.")
        setting.add_argument("name", metavar="NAME", help="Its name; another fault of this name is replaced.")
        setting.add_argument("fault", metavar="FAULT", help="Such as latency:seconds=0.2:direction=to-client.")
        setting.add_argument("--lasts", type=float, metavar="SECONDS", help="When it ends by itself.")
        removing = actions.add_parser("remove", help="Remove a fault.")
        removing.add_argument("name", metavar="NAME")
        listing = actions.add_parser("list", help="Show the faults.")
        for action in (listing, setting, removing, actions.add_parser("clear", help="Remove all faults.")):
            _add_common(action, argparse.SUPPRESS)
        self._add("fault-kinds", calls.fault_kinds, "Show which faults there are.")
        recording = self._add("recording", calls.recording, "Show the recording, start it or stop it.")
        recording.add_argument("action", nargs="?", choices=("show", "start", "stop"), default="show")

    def _add_messages(self) -> None:
        watching = self._add("watch", watch, "Show messages as they pass, until Ctrl-C.")
        _add_choice(watching)
        watching.add_argument("--max-rate", type=int, metavar="N", help="At most so many a second. [default: 100]")
        watching.add_argument("--fields", action="store_true", help="Show the fields of each message.")
        holding = self._add(
            "hold-messages", hold_messages, "Hold messages, and ask what to do with each, until Ctrl-C."
        )
        _add_choice(holding)
        holding.add_argument("--every", type=int, metavar="N", help="Only every nth of these. [default: 1]")
        holding.add_argument(
            "--timeout", type=float, metavar="SECONDS", help="How long each is held at most. [default: 60]"
        )
        holding.add_argument("--max-held", type=int, metavar="N", help="Above it, others pass. [default: 100]")
        sending = self._add("send", calls.send, "Send a message.")
        sending.add_argument("direction", choices=("to-server", "to-client"))
        _add_target(sending)
        sending.add_argument("--all", action="store_true", help="To all clients, or to the server on all links.")
        _add_input(sending)
        _add_scope(sending)

    def _add_held(self) -> None:
        self._add("held", calls.held, "Show the messages that are held.")
        _add_choice(self._add("release-all", calls.release_all, "Let all held messages go on, or those that match."))
        for name, purpose in (
            ("release", "Let a held message go on."),
            ("drop", "Drop a held message."),
            ("change", "Let another message go on in place of a held one."),
            ("answer", "Send a message back to the sender of a held one, which is dropped."),
        ):
            settling = self._add(name, calls.settle, purpose)
            settling.add_argument("id", type=int, metavar="ID", help="As `held` shows it.")
            if name in ("change", "answer"):
                _add_input(settling, with_fields=name == "change")


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("client", nargs="?", metavar="CLIENT", help="The name of the client.")
    parser.add_argument("--link", type=int, metavar="ID", help="Only this link, in place of CLIENT.")


def _add_scope(parser: argparse.ArgumentParser) -> None:
    scope = parser.add_argument_group("the fleet")
    scope.add_argument("--fleet", action="store_true", help="On all nodes of the fleet.")
    scope.add_argument("--node", metavar="NAME", help="On this node of the fleet.")
    scope.add_argument("--id", metavar="ID", help="Repeat a call for the nodes that have not done it.")
    scope.add_argument("--timeout", type=float, metavar="SECONDS", help="How long to wait for them. [default: 5]")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--client", metavar="PATTERN", help="Only of clients with such names, such as 'desk-*'.")
    parser.add_argument("--direction", choices=("to-server", "to-client"), help="Only in this direction.")
    parser.add_argument("--type", metavar="PATTERN", help="Only of such types, such as 'New*'.")
    parser.add_argument("--text", metavar="TEXT", help="Only those that have this text.")


def _add_input(parser: argparse.ArgumentParser, *, with_fields: bool = False) -> None:
    ways = parser.add_mutually_exclusive_group(required=True)
    ways.add_argument("--text", metavar="TEXT", help=r"The message as text; \r, \n, \xNN and \\ are escapes.")
    ways.add_argument("--hex", metavar="DIGITS", help="The message in hexadecimal digits.")
    ways.add_argument("--file", metavar="FILE", help="The file with the message; - for the standard input.")
    if with_fields:
        ways.add_argument("--set", nargs="+", metavar="FIELD=VALUE", help="The held message with these fields changed.")
