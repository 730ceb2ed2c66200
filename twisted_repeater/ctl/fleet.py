"""The commands about the fleet, and the commands that all its nodes obey."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator

from .._text import printable
from .administration import Answer, Query
from .errors import SaidNo, Unusable
from .session import Session
from .texts import nodes_table, plural, table

__all__ = ["clients", "drain", "find", "is_fleet_wide", "nodes", "on_fleet"]

NOT_COMPLETE = 504
"""The status with which the administration says that not every node has done it."""


def nodes(session: Session, options: argparse.Namespace) -> None:
    """Show the nodes of the fleet."""
    answer = session.administration.get("fleet")
    lines = [*nodes_table(answer["nodes"])]
    if answer["problem"] is not None:
        lines.append(printable(f"{answer['node']} is no member of the fleet: {answer['problem']}"))
    session.print(answer, lines)
    if answer["problem"] is not None:
        raise SaidNo


def find(session: Session, options: argparse.Namespace) -> None:
    """Show which nodes have a client."""
    answer = session.administration.get("fleet", "clients", name=options.client, repeater=session.named)
    found = answer["found"]
    lines = [printable(f"{each['repeater']}: {', '.join(each['nodes'])}") for each in found]
    session.print(answer, lines or [printable(f"no node has a client {options.client}")])
    if not found:
        raise SaidNo


def clients(session: Session, options: argparse.Namespace) -> None:
    """Show the names of clients."""
    query = _query(options) | {"limit": options.limit}
    answer = session.administration.get(*session.path, "clients", accepts=(NOT_COMPLETE,), **query)
    if not is_fleet_wide(options):
        session.print(answer, [printable(name) for name in answer["clients"]] or ["no clients"])
        return
    rows = [(node["node"], name) for node in answer["nodes"] for name in node["value"] or ()]
    _finish(session, answer, [*(table(("NODE", "CLIENT"), rows) if rows else ["no clients"]), *_failed(answer)])


def drain(session: Session, options: argparse.Namespace) -> None:
    """End a process in good order: this one, or another node."""
    if options.node is not None:
        body = {} if options.over is None else {"over": options.over}
        path = ("fleet", "nodes", options.node, "drain")
        answer = session.administration.post(*path, body=body, accepts=(NOT_COMPLETE,))
        _finish(session, answer, _lines(answer, "drains: its links end in good order, then it ends"))
        return
    if options.over is not None:
        raise Unusable("--over needs --node NAME: `nodes` lists the names")
    session.print(session.administration.post("drain"), ["the process drains: links end in good order, then it ends"])


# -- what all nodes do ------------------------------------------------------------------------------------------------


def is_fleet_wide(options: argparse.Namespace) -> bool:
    """Return whether a command is for the fleet.

    Raises:
        Unusable: it is not, but an option is given that is about the fleet.
    """
    if options.fleet or options.node is not None:
        return True
    if options.id is not None or options.timeout is not None:
        raise Unusable("--id and --timeout belong to --fleet")
    return False


def _query(options: argparse.Namespace) -> Query:
    """Return the parameters of a call that may be for the fleet."""
    if not is_fleet_wide(options):
        return {}
    return {"scope": "fleet", "node": options.node, "id": options.id, "timeout": options.timeout}


def on_fleet(session: Session, options: argparse.Namespace, *path: str, body: object = None, done: str) -> None:
    """Have the nodes do something, and print what each of them did.

    Args:
        session: the administration.
        options: the options of the command.
        path: the parts of the path, after the repeater.
        body: the body.
        done: what a node has done; ``{links}`` stands for its number of links.
    """
    query = _query(options)
    answer = session.administration.post(*session.path, *path, body=body, accepts=(NOT_COMPLETE,), **query)
    lines = list(_lines(answer, done))
    if not answer["complete"]:
        lines.append(printable(f"to repeat it for the nodes that have not done it, add --id {answer['id']}"))
    _finish(session, answer, lines)


def _finish(session: Session, answer: Answer, lines: Iterable[str]) -> None:
    """Print what each node did. The command fails if one did not do it."""
    session.print(answer, lines)
    if not answer["complete"]:
        raise SaidNo


def _lines(answer: Answer, done: str) -> Iterator[str]:
    for node in answer["nodes"]:
        if node["done"]:
            value = node["value"]
            links = plural(value, "link") if isinstance(value, int) else ""
            yield printable(f"{node['node']}: {done.format(links=links)}")
    yield from _failed(answer)


def _failed(answer: Answer) -> Iterator[str]:
    """Say which nodes have not done it, and why."""
    for node in answer["nodes"]:
        if not node["done"]:
            yield printable(f"{node['node']}: not done: {node['error']}")
    if answer["problem"] is not None:
        yield printable(f"other nodes could not be asked: {answer['problem']}")
