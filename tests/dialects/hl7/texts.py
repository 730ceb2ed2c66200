"""Messages for the tests of HL7."""

from __future__ import annotations

from twisted_repeater.dialects.hl7 import Message, acknowledgement

__all__ = ["PATIENT", "ack", "admission", "written"]

PATIENT = (
    b"MSH|^~\\&|REG|NORTH|LAB|SOUTH|20240101||ADT^A01^ADT_A01|ID1|P|2.5||\r"
    b"PID|1||123^^^MR~456^^^SS||DOE^JOHN^Q&R||19700101|M||\r"
    b"NK1|1|DOE^JANE\r"
    b"NK1|2|DOE^JIM\r"
    b"NTE|1||two\nlines\r"
)
"""An admission with repetitions, subcomponents, a line feed in a text, and empty fields at the ends of segments."""


def admission(control_id: str, kind: str = "ADT^A01", more: str = "") -> Message:
    """Return a message.

    Args:
        control_id: MSH-10.
        kind: MSH-9.
        more: fields after MSH-12.
    """
    header = f"MSH|^~\\&|REG|NORTH|LAB|SOUTH|20240101||{kind}|{control_id}|P|2.5{more}\r"
    return Message(header.encode() + b"PID|1||123||DOE^JOHN\r")


def ack(control_id: str, code: str = "AA") -> Message:
    """Return the answer of a server to `admission`."""
    return acknowledgement(admission(control_id), code)


def written(*answers: object) -> list[str]:
    """Return the code and the control id of each answer, such as ``"AR 7"``."""
    return [f"{one.get('MSA-1')} {one.get('MSA-2')}" for one in answers if isinstance(one, Message)]
