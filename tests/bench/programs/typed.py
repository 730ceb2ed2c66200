"""For each ready dialect a pair of filters that looks at every message, as a user would write it, and passes it on."""

from __future__ import annotations

from twisted_repeater import DROP, PASS_ON, Link, Verdict
from twisted_repeater.dialects.hl7 import Message
from twisted_repeater.dialects.mqtt import Publish, Subscribe
from twisted_repeater.dialects.postgres import DataRow, ErrorResponse, Parse, Query
from twisted_repeater.dialects.redis import Command, Reply
from twisted_repeater.filters import FilterPair

__all__ = ["FILTERS"]


def statement(message: object, link: Link) -> Verdict:
    """Look at the text of each statement."""
    if isinstance(message, (Query, Parse)):
        return DROP if message.sql.startswith("DROP") else PASS_ON
    return PASS_ON


def row(message: object, link: Link) -> Verdict:
    """Look at the first value of each row."""
    if isinstance(message, DataRow):
        return DROP if message.values[0] == b"secret" else PASS_ON
    return DROP if isinstance(message, ErrorResponse) and message.code == "00000" else PASS_ON


def command(message: object, link: Link) -> Verdict:
    """Look at the name and the key of each command."""
    if isinstance(message, Command) and message.name != "PING":
        return DROP if message.arguments[:1] == (b"secret",) else PASS_ON
    return PASS_ON


def reply(message: object, link: Link) -> Verdict:
    """Look at each value."""
    return DROP if isinstance(message, Reply) and message.value == b"secret" else PASS_ON


def packet(message: object, link: Link) -> Verdict:
    """Look at the topic of each message and of each subscription."""
    if isinstance(message, Publish):
        return DROP if message.topic.startswith("secret/") else PASS_ON
    if isinstance(message, Subscribe):
        return DROP if message.subscriptions[0].topic_filter == "secret/#" else PASS_ON
    return PASS_ON


def clinical(message: object, link: Link) -> Verdict:
    """Look at the type and the control id of each message."""
    if isinstance(message, Message) and message.type == "ADT^A40":
        return DROP if message.control_id == "0" else PASS_ON
    return PASS_ON


FILTERS: dict[str, FilterPair] = {
    "postgres": FilterPair(statement, row),
    "redis": FilterPair(command, reply),
    "mqtt": FilterPair(packet, packet),
    "hl7": FilterPair(clinical, clinical),
}
"""By the name of the dialect."""
