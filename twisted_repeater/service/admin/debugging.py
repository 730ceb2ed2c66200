"""Calls of the debugger: streams, messages in full, rules and held messages."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from twisted.internet.defer import Deferred
from twisted.web import http
from twisted.web.server import NOT_DONE_YET

from ...verdicts import DROP, PASS_ON, Send, SendBack, Verdict
from .answers import ApiError, Nothing
from .criteria import Criteria
from .debugger import Debugged, Debugger
from .events import EventWriter
from .held import Gone, HeldItem
from .pieces import answer_in_pieces
from .routes import MAX_MESSAGE, Call, Route
from .rules import TooManyRules
from .shapes import (
    ChangeBody,
    Held,
    HeldList,
    NewRule,
    ReleaseBody,
    Released,
    Rule,
    RuleList,
    Settled,
    ShownMessage,
    Stream,
    StreamChoice,
    StreamQuery,
)

__all__ = ["ROUTES"]


def _debugger(call: Call[Any, Any]) -> Debugger:
    return call.context.part(Debugger)


def _debugged(call: Call[Any, Any]) -> Debugged:
    return _debugger(call).of(call.administered)


# -- streams ----------------------------------------------------------------------------------------------------------


def open_stream(call: Call[StreamQuery, None]) -> object:
    """Begin a stream, or go on with one whose connection was lost."""
    query, request = call.query, call.request
    if request.method == b"HEAD":
        request.begin(content_type="text/event-stream")
        request.finish()  # type: ignore[no-untyped-call]
        return NOT_DONE_YET
    old, last = query.stream, request.getHeader(b"last-event-id")
    if old is None and last:
        old = last.decode("ascii", "replace").rpartition("-")[0]
    stream, is_old = _debugger(call).open(call.administered, old)
    if not is_old:  # one that is goes on as it was
        criteria = Criteria(query.client, query.direction, query.type, query.text)
        stream.choose(criteria, query.max_rate, query.paused)
    writer = EventWriter(request, lambda: stream.detach(writer))
    try:
        stream.attach(writer, resumed=old is not None)
    except RuntimeError:  # the repeater is shut down
        writer.end()
        stream.end()
    return NOT_DONE_YET


def choose(call: Call[Nothing, StreamChoice]) -> Stream:
    """Show other messages in a stream."""
    stream, asked = _debugger(call).stream(call.path["stream"]), call.body
    now = stream.state
    chosen = [
        getattr(now, name) if getattr(asked, name) is UNSET else getattr(asked, name)
        for name in ("client", "direction", "type", "text", "max_rate", "paused")
    ]
    stream.choose(Criteria(*chosen[:4]), *chosen[4:])
    return stream.state


def show_message(call: Call[Nothing, None]) -> ShownMessage:
    """Show all of a message."""
    stream = _debugger(call).stream(call.path["stream"])
    shown = stream.full(call.number("message"))
    if shown is None:
        raise ApiError(http.NOT_FOUND, f"message {call.path['message']} is not kept any more, or was never shown")
    return shown


# -- rules ------------------------------------------------------------------------------------------------------------


def list_rules(call: Call[Nothing, None]) -> RuleList:
    """Show the rules of a repeater."""
    return RuleList(_debugged(call).rules.list())


def add_rule(call: Call[Nothing, NewRule]) -> Rule:
    """Make a rule."""
    debugger, debugged, new = _debugger(call), _debugged(call), call.body
    stream = debugger.stream(new.stream)
    if stream.repeater is not debugged.repeater:
        raise ApiError(http.CONFLICT, f"the stream {new.stream!a} is one of the repeater {stream.name!a}")
    if debugger.closed or "draining" in call.context.administered.unready():
        raise ApiError(http.CONFLICT, "the process is being drained, and holds nothing more")
    try:
        return debugged.rules.shown(debugged.rules.add(new))
    except (TooManyRules, RuntimeError) as error:
        raise ApiError(http.CONFLICT, str(error)) from error


def remove_rule(call: Call[Nothing, None]) -> Rule:
    """Remove a rule, and release what it holds."""
    rules = _debugged(call).rules
    number = call.number("rule")
    for rule in rules.list():
        if rule.id == number:
            rules.remove(number)
            return rule
    raise ApiError(http.NOT_FOUND, f"there is no rule {number}; it may have gone with its stream")


# -- held messages ----------------------------------------------------------------------------------------------------


def list_held(call: Call[Nothing, None]) -> object:
    """Begin to write what is held: to describe a thousand messages takes long, and some may have a megabyte."""
    pieces = _debugger(call).held_in_pieces(_debugged(call).administered.name)
    return answer_in_pieces(call.request, pieces, 1)


def show_held(call: Call[Nothing, None]) -> Held:
    """Show all of a message that is held."""
    _, item = _item(call)
    return _debugger(call).shown(item, full=True)


def _item(call: Call[Any, Any]) -> tuple[Debugged, HeldItem]:
    """Return the held message of the path."""
    debugged = _debugged(call)
    try:
        return debugged, _debugger(call).held.get(debugged.administered.name, call.number("held"))
    except Gone as gone:
        raise _gone(call.number("held"), gone) from gone


def _gone(number: int, gone: Gone) -> ApiError:
    if gone.how is None:
        return ApiError(http.NOT_FOUND, f"no message {number} is held")
    return ApiError(http.CONFLICT, f"message {number} is not held any more: {gone.how}")


def _settle(call: Call[Any, Any], item: HeldItem, how: str, verdict: Verdict) -> Settled:
    _debugger(call).held.settle(item, how, verdict)
    return Settled(item.id, how)


def release(call: Call[Nothing, None]) -> Settled:
    """Release a message as it is."""
    return _settle(call, _item(call)[1], "released", PASS_ON)


def release_matching(call: Call[Nothing, ReleaseBody]) -> Deferred[Released]:
    """Release all messages that match, as they are."""
    asked = call.body
    criteria = Criteria(asked.client, asked.direction, asked.type, asked.text)
    return _debugger(call).release_matching(_debugged(call), criteria, asked.last).addCallback(Released)


def drop(call: Call[Nothing, None]) -> Settled:
    """Drop a message."""
    debugged, item = _item(call)
    debugged.editor.check_alterable(item.message.message, "dropped")
    return _settle(call, item, "dropped", DROP)


def change(call: Call[Nothing, ChangeBody]) -> Settled:
    """Let another message go on in place of one that is held."""
    debugged, item = _item(call)
    message = debugged.editor.change(item.message, call.body.message)
    return _settle(call, item, "changed", Send(message))


def answer(call: Call[Nothing, ChangeBody]) -> Settled:
    """Answer a message, and drop it."""
    debugged, item = _item(call)
    message = debugged.editor.answer(item.message, call.body.message)
    return _settle(call, item, "answered", SendBack([message]))


NO_REPEATER = {404: "no repeater has this name"}
NO_STREAM = {404: "there is no such stream"}
NOT_HELD = {404: "no repeater has this name, or no such message was held", 409: "it is not held any more; says how"}
WRONG = {422: "the message is not one that can be sent"}
ONE = "/repeaters/{repeater}"
HELD = ONE + "/held/{held:int}"

ROUTES: list[Route] = [
    Route(
        "GET",
        f"{ONE}/stream",
        "Show messages, links, errors and held messages as they come, as server-sent events.",
        open_stream,
        None,
        query=StreamQuery,
        errors=NO_REPEATER | {503: "there are too many streams"},
        content_type="text/event-stream",
    ),
    Route(
        "POST",
        "/streams/{stream}",
        "Show other messages in a stream.",
        choose,
        Stream,
        body=StreamChoice,
        errors=NO_STREAM,
    ),
    Route(
        "GET",
        "/streams/{stream}/messages/{message:int}",
        "Show all of a message that a stream has shown, up to 1 MiB.",
        show_message,
        ShownMessage,
        errors={404: "there is no such stream, or the message is not kept any more"},
    ),
    Route("GET", f"{ONE}/rules", "Show the rules that hold messages.", list_rules, RuleList, errors=NO_REPEATER),
    Route(
        "POST",
        f"{ONE}/rules",
        "Hold messages that match, as long as the stream of the rule has a connection.",
        add_rule,
        Rule,
        body=NewRule,
        errors={404: "there is no such repeater or stream", 409: "there may be no more rules here"},
    ),
    Route(
        "DELETE",
        ONE + "/rules/{rule:int}",
        "Remove a rule, and release what it holds.",
        remove_rule,
        Rule,
        errors={404: "there is no such repeater or rule"},
    ),
    Route("GET", f"{ONE}/held", "Show the messages that are held.", list_held, HeldList, errors=NO_REPEATER),
    Route(
        "POST",
        f"{ONE}/held/release",
        "Let all held messages go on, or those that match.",
        release_matching,
        Released,
        body=ReleaseBody,
        errors=NO_REPEATER,
    ),
    Route("GET", HELD, "Show all of a message that is held, up to 1 MiB.", show_held, Held, errors=NOT_HELD),
    Route("POST", f"{HELD}/release", "Let a held message go on.", release, Settled, errors=NOT_HELD, frequent=True),
    Route("POST", f"{HELD}/drop", "Drop a held message.", drop, Settled, errors=WRONG | NOT_HELD, frequent=True),
    Route(
        "POST",
        f"{HELD}/change",
        "Let another message go on in place of a held one.",
        change,
        Settled,
        body=ChangeBody,
        errors=WRONG | NOT_HELD,
        max_body=MAX_MESSAGE,
        frequent=True,
    ),
    Route(
        "POST",
        f"{HELD}/answer",
        "Send a message back to the sender of a held one, and drop that.",
        answer,
        Settled,
        body=ChangeBody,
        errors=WRONG | NOT_HELD,
        max_body=MAX_MESSAGE,
        frequent=True,
    ),
]
