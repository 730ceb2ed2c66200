"""The commands that ask once, and print the answer."""

from __future__ import annotations

import argparse
import base64
import sys
from collections.abc import Iterator
from pathlib import Path

from .._text import printable
from .administration import Answer
from .errors import SaidNo, Unusable
from .fleet import is_fleet_wide, on_fleet
from .session import Session, criteria_of
from .shown import fields_of, message_line
from .texts import links_table, moment, plural, repeaters_table, size, table

__all__ = ["input_of"]

LINKS_AT_ONCE = 1000
"""How many links are asked for in one request."""

NOT_READY = 503
"""The status with which the administration says that the process is not ready."""


def status(session: Session, options: argparse.Namespace) -> None:
    """Show the repeaters of the process."""
    if session.named is None:
        answer = session.administration.get("repeaters")
    else:
        answer = Answer(repeaters=[session.administration.get(*session.path)])
    session.print(answer, repeaters_table(answer["repeaters"]))


def ready(session: Session, options: argparse.Namespace) -> None:
    """Say whether the process is ready, and why not."""
    answer = session.administration.get("readyz", accepts=(NOT_READY,))
    lines = ["ready"] if answer["ready"] else [printable(f"not ready: {reason}") for reason in answer["reasons"]]
    session.print(answer, lines)
    if not answer["ready"]:
        raise SaidNo


def version(session: Session, options: argparse.Namespace) -> None:
    """Show the versions that run."""
    answer = session.administration.get("version")
    text = "twisted_repeater {version}, hot path {hot_path}; Twisted {twisted}, Python {python}"
    session.print(answer, [printable(text.format_map(answer))])


def links(session: Session, options: argparse.Namespace) -> None:
    """Show the links."""
    found: list[Answer] = []
    after: int | None = None
    while True:
        path = (*session.path, "links")
        answer = session.administration.get(*path, client=options.client, after=after, limit=LINKS_AT_ONCE)
        found += answer["links"]
        if len(answer["links"]) < LINKS_AT_ONCE:
            break
        after = found[-1]["id"]
    session.print(Answer(answer, links=found), links_table(found) if found else ["no links"])


def errors(session: Session, options: argparse.Namespace) -> None:
    """Show the last errors, the newest first."""
    answer = session.administration.get(*session.path, "errors")
    rows = [
        (moment(error["time"]), error["link"] or "", error["client"] or "", error["side"] or "", error["error"])
        for error in answer["errors"]
    ]
    session.print(answer, table(("TIME", " LINK", "CLIENT", "SIDE", "ERROR"), rows) if rows else ["no errors"])


def on_links(session: Session, options: argparse.Namespace) -> None:
    """Close, hold or resume links."""
    if options.command == "close" and is_fleet_wide(options):
        on_fleet(session, options, *_named(options), "close", done="{links} closed")
        return
    answer = session.administration.post(*session.path, *_chosen(options), options.command)
    done = {"close": "closed", "hold": "held: nothing is read from the client", "resume": "resumed"}[options.command]
    session.print(answer, [f"{_which(answer, options)} {done}"])


def _chosen(options: argparse.Namespace) -> tuple[str, str]:
    """Return the part of the path that names a client or a link."""
    if (options.client is None) is (options.link is None):
        raise Unusable("give either the name of a client, or --link ID")
    return ("clients", options.client) if options.link is None else ("links", str(options.link))


def _named(options: argparse.Namespace) -> tuple[str, str]:
    """Return the part of the path that names a client of the fleet."""
    if options.client is None or options.link is not None:
        raise Unusable("give the name of a client: links have numbers on their own node only")
    return ("clients", options.client)


def _which(answer: Answer, options: argparse.Namespace) -> str:
    if options.link is not None:
        return f"link {options.link} is"
    number = answer["links"]
    return printable(f"{plural(number, 'link')} of {options.client} {'is' if number == 1 else 'are'}")


def of_newcomers(session: Session, options: argparse.Namespace) -> None:
    """Refuse or accept new clients."""
    done = "new clients are " + ("refused; links stay" if options.command == "drop-new-clients" else "accepted")
    if is_fleet_wide(options):
        on_fleet(session, options, options.command, done=done)
        return
    session.print(session.administration.post(*session.path, options.command), [done])


def reload(session: Session, options: argparse.Namespace) -> None:
    """Reload one repeater, or the whole process."""
    path = ("reload",) if session.named is None else (*session.path, "reload")
    answer = session.administration.post(*path)
    lines = [line for reloaded in answer["reloaded"] for line in _reload_lines(reloaded)]
    session.print(answer, lines or ["nothing has changed"])
    if any(reloaded["error"] is not None for reloaded in answer["reloaded"]):
        raise SaidNo


def _reload_lines(reloaded: Answer) -> Iterator[str]:
    name = reloaded["repeater"] or "the process"
    if reloaded["error"] is not None:
        yield printable(f"{name}: nothing is changed: {reloaded['error']}")
    elif not reloaded["keys"]:
        yield printable(f"{name}: no change")
    else:
        yield from (printable(f"{name}: {key}: {result}") for key, result in reloaded["keys"].items())


def faults(session: Session, options: argparse.Namespace) -> None:
    """Show the faults, or change them."""
    administration, path = session.administration, (*session.path, "faults")
    if options.action == "set":
        body = {"fault": options.fault} | ({} if options.lasts is None else {"lasts": options.lasts})
        session.print(administration.put(*path, options.name, body=body), [printable(f"{options.name} is set")])
    elif options.action == "remove":
        session.print(administration.delete(*path, options.name), [printable(f"{options.name} is removed")])
    elif options.action == "clear":
        session.print(administration.delete(*path), ["all faults are removed"])
    else:
        answer = administration.get(*path)
        session.print(answer, _fault_lines(answer["faults"]))


def fault_kinds(session: Session, options: argparse.Namespace) -> None:
    """Show the kinds of faults with their options."""
    answer = session.administration.get("fault-kinds")
    rows = [
        (kind["name"], kind["summary"], " ".join(option["name"] for option in kind["options"]))
        for kind in answer["kinds"]
    ]
    session.print(answer, table(("NAME", "WHAT IT DOES", "OPTIONS"), rows))


def _fault_lines(found: list[Answer]) -> Iterator[str]:
    if not found:
        return iter(["no faults"])
    head = ("NAME", "FAULT", " HIT", " OF", " SEED", " ENDS IN")
    return table(
        head, ([fault[key] for key in ("name", "fault", "hit", "seen", "seed", "seconds_left")] for fault in found)
    )


def recording(session: Session, options: argparse.Namespace) -> None:
    """Show the recording, start or stop it."""
    path = (*session.path, "recording")
    if options.action == "show":
        answer = session.administration.get(*path)
        session.print(answer, (printable(f"{name}: {value}") for name, value in answer.items()))
        return
    answer = session.administration.post(*path, options.action)
    done = "records into {}" if options.action == "start" else "records no more; {} is complete in a moment"
    session.print(answer, [printable(done.format(answer["file"]))])


def held(session: Session, options: argparse.Namespace) -> None:
    """Show the messages that are held."""
    answer = session.administration.get(*session.path, "held")
    session.print(answer, _held_lines(answer["held"]))


def _held_lines(messages: list[Answer]) -> Iterator[str]:
    if not messages:
        yield "no message is held"
    for one in messages:
        yield f"message {one['id']} is held until {moment(one['until'])}, {size(one['behind_bytes'])} behind it"
        yield f"  {message_line(one['message'])}"
        yield from fields_of(one["message"])


def settle(session: Session, options: argparse.Namespace) -> None:
    """Release, drop, change or answer a held message."""
    body = {"message": input_of(options)} if options.command in ("change", "answer") else None
    answer = session.administration.post(*session.path, "held", str(options.id), options.command, body=body)
    session.print(answer, [printable(f"message {options.id} is {answer['how']}")])


def release_all(session: Session, options: argparse.Namespace) -> None:
    """Release all held messages, or those that match."""
    answer = session.administration.post(*session.path, "held", "release", body=criteria_of(options))
    number = answer["released"]
    session.print(answer, [f"{plural(number, 'message')} {'is' if number == 1 else 'are'} released"])


def send(session: Session, options: argparse.Namespace) -> None:
    """Send a message to a client, to all of them, or to the server."""
    if options.all and not (options.client is options.link is None):
        raise Unusable("--all is for all clients: give no name, and no --link")
    body = {"direction": options.direction.replace("-", "_"), "message": input_of(options)}
    if is_fleet_wide(options):
        chosen = () if options.all else _named(options)
        on_fleet(session, options, *chosen, "send", body=body, done="sent on {links}")
        return
    chosen = () if options.all else _chosen(options)
    answer = session.administration.post(*session.path, *chosen, "send", body=body)
    session.print(answer, [f"sent on {plural(answer['links'], 'link')}"])


def input_of(options: argparse.Namespace) -> dict[str, object]:
    """Return the message that the user gave.

    Raises:
        Unusable: the file cannot be read, or a field is not written as FIELD=VALUE.
    """
    if options.text is not None:
        return {"text": options.text}
    if options.hex is not None:
        return {"hex": options.hex}
    if options.file is not None:
        return {"base64": base64.b64encode(_contents(options.file)).decode()}
    return {"set": fields_in(options.set)}


def fields_in(texts: list[str]) -> dict[str, str]:
    """Return the fields of texts such as ``38=500``."""
    fields = dict(text.partition("=")[::2] for text in texts)
    if not all("=" in text for text in texts):
        raise Unusable(f"expected FIELD=VALUE, got {' '.join(texts)!r}")
    return fields


def _contents(file: str) -> bytes:
    """Return the bytes of a file; ``-`` is the standard input."""
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Unusable(f"--file: cannot read {file}: {error.strerror}") from error
