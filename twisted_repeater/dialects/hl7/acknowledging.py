"""Answers to messages: what is acknowledged, and how a message is refused.

In the original mode each message has one answer. In the enhanced mode the message says, in MSH-15, whether it wants to
hear that it was taken, and in MSH-16, whether it wants to hear what became of it: always (AL), never (NE), or only in
case of an error (ER) or of success (SU).
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Literal

from ...errors import ParseError
from ...verdicts import DROP, SendBack, Verdict
from .batches import Batch
from .escapes import CONTROLS, escape
from .frames import Filler, Raw
from .messages import Message

__all__ = ["acknowledgement", "code_of_refusal", "is_answered", "refuse"]

Code = Literal["AE", "AR"]

NAMELESS = Message(b"MSH|^~\\&|||||||||||\r")
"""Stands for something without a header, so that it can be answered."""

VERSION = b"2.3"
"""The version of the answer to a message that does not say its own."""

MODES = ("AL", "NE", "ER", "SU")
"""What MSH-15 and MSH-16 may say."""

FIRST_WITH_STRUCTURE = (2, 4)
"""The first version in which MSH-9 has a third component."""


def refuse(message: Message | Batch | Raw | Filler, text: str, *, code: Code = "AR") -> Verdict:
    """Return the verdict that refuses a message: its sender gets a negative acknowledgement, and the server nothing.

    If clients send several messages without waiting for answers, use it in `in_turn`.

    A message in enhanced mode is answered by CE or CR in place of AE or AR, if it wants to hear about errors in MSH-15.
    If it wants to hear nothing, neither in MSH-15 nor in MSH-16, or is an acknowledgement itself, it is dropped.

    Args:
        message: the message, or the batch, whose messages are all refused, in one frame.
        text: why, for people who read the log of the sender.
        code: ``"AR"`` for "rejected", ``"AE"`` for "in error". Some senders try again after one of the two.
    """
    if code not in ("AE", "AR"):
        raise ValueError(f"code must be AE or AR, not {code!r}")
    if isinstance(message, Batch):
        return _refuse_batch(message, text, code)
    if isinstance(message, Filler):
        return DROP
    answer = code_of_refusal(message, code)
    return DROP if answer is None else SendBack([acknowledgement(message, answer, text)])


def _refuse_batch(batch: Batch, text: str, code: Code) -> Verdict:
    """Refuse each message of a batch, in one frame."""
    refusals: list[bytes] = []
    for message in batch.messages:
        answer = code_of_refusal(message, code)
        if answer is not None:
            refusals.append(bytes(acknowledgement(message, answer, text)))
    if not refusals:
        return DROP if batch.messages else SendBack([acknowledgement(Raw(b""), code, text)])
    return SendBack([Message(refusals[0]) if len(refusals) == 1 else Batch(b"".join(refusals))])


def code_of_refusal(message: Message | Raw, code: Code) -> str | None:
    """Return the code of the answer that refuses a message; ``None`` if the sender wants none."""
    if isinstance(message, Raw):
        return code
    if message.is_acknowledgement:
        return None
    accept, application = _modes(message)
    if not accept and not application:
        return code
    if accept in ("AL", "ER"):
        return f"C{code[1]}"
    return code if application in ("AL", "ER") else None


def is_answered(message: Message | Batch | Raw | Filler) -> bool:
    """Return whether the sender of a message is sure to get an answer, if the server takes it."""
    if isinstance(message, Batch):
        return any(map(is_answered, message.messages))
    if not isinstance(message, Message) or message.is_acknowledgement:
        return False
    modes = _modes(message)
    return "AL" in modes if any(modes) else not message.has_segment("MSA")


def _modes(message: Message) -> tuple[str, str]:
    """Return MSH-15 and MSH-16. What is not in the standard asks for nothing, so that the message is answered."""
    accept, application = message.header_field(15), message.header_field(16)
    if not (accept or application):
        return "", ""
    return _mode(message.header_text(15)), _mode(message.header_text(16))


def _mode(text: str) -> str:
    return text.upper() if text.upper() in MODES else ""


def acknowledgement(message: Message | Raw, code: str, text: str = "") -> Message:
    """Return an answer to a message: an ACK with its control id, in its delimiters, version and character set.

    Args:
        message: the message that it answers.
        code: ``"AA"``, ``"AE"``, ``"AR"``, or ``"CA"``, ``"CE"``, ``"CR"`` in enhanced mode.
        text: what MSA-3 says. Characters that the character set does not have become question marks.
    """
    if isinstance(message, Raw):
        message = NAMELESS
    marks = message.delimiters
    fields = [message.header_field(number) for number in range(3, 19)]
    application, facility, receiver, its_facility = fields[0:4]
    control_id, processing, version = fields[7:10]
    encoding = b"".join((marks.component, marks.repetition, marks.escape, marks.subcomponent))
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000").encode()
    header = [b"MSH", encoding, receiver, its_facility, application, facility, now, b"", _type_of_answer(message)]
    header += [secrets.token_hex(10).upper().encode(), processing or b"P", version or VERSION]
    if charset := fields[15]:
        header += [b""] * 5 + [charset]
    answer = [b"MSA", code.encode(), control_id]
    if text:
        answer.append(_said(message, text))
    data = marks.field.join(header) + marks.segment + marks.field.join(answer) + marks.segment
    return Message(data, charset=message.default_charset)


def _type_of_answer(message: Message) -> bytes:
    """Return MSH-9 of an answer."""
    _, _, event = message.type.partition("^")
    component = message.delimiters.component
    if not event or not component:
        return b"ACK"
    version = message.get("MSH-12.1").split(".")[:2]
    numbers = tuple(int(part) for part in version if part.isascii() and part.isdigit())
    parts = ["ACK", event, "ACK"] if numbers >= FIRST_WITH_STRUCTURE else ["ACK", event]
    return component.join(part.encode("latin-1", "replace") for part in parts)


def _said(message: Message, text: str) -> bytes:
    """Return a text as it stands in a field; what cannot be written there is left out."""
    marks = message.delimiters
    try:
        written = escape(text, marks)
    except ParseError:  # no escape character
        unwanted = b"".join(marks).decode("latin-1") + CONTROLS
        written = "".join(" " if char in unwanted else char for char in text)
    return written.encode(message.charset.name, "replace")
