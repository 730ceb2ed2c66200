"""Sessions of HL7 to record."""

from __future__ import annotations

import sys

from hl7.client import MLLPClient

from ..paths import TESTS
from ..real.servers import RealServer
from .recording import Message
from .sessions import Session, adding_to, say

__all__ = ["SESSIONS", "start"]

SESSIONS: dict[str, Session] = {}
session = adding_to(SESSIONS)


def start() -> RealServer:
    """Start a server of the library hl7."""
    return RealServer(lambda port: [sys.executable, str(TESTS / "real" / "hl7_server.py"), str(port)])


def message(control_id: str, kind: str = "ADT^A01^ADT_A01", more: str = "", header: str = "") -> bytes:
    """Return a message."""
    text = f"MSH|^~\\&|REG|NORTH|LAB|SOUTH|20240101||{kind}|{control_id}|P|2.5{header}\r"
    return (text + f"PID|1||123^^^MR~456^^^SS||DOE^JOHN^Q&R||19700101|M||\r{more}").encode()


def frame(payload: bytes) -> bytes:
    """Return a frame of MLLP."""
    return b"\x0b" + payload + b"\x1c\r"


@session
def admissions(port: int) -> None:
    """The client of the library: admissions, a merge and results, each after the answer to the one before."""
    with MLLPClient("127.0.0.1", port) as client:
        for control_id, kind, more in (
            ("1", "ADT^A01^ADT_A01", "NK1|1|DOE^JANE\rNK1|2|DOE^JIM\r"),
            ("2", "ADT^A40^ADT_A39", "MRG|99\r"),
            ("3", "ORU^R01^ORU_R01", "OBR|1\rOBX|1|TX|||a\\T\\b||||||F\rOBX|2|ED|||" + "QUJD" * 500 + "\r"),
        ):
            client.send_message(message(control_id, kind, more))


@session
def pipeline(port: int) -> None:
    """Several messages in one write, of which some would be refused, and line feeds behind the frames."""
    kinds = ("ADT^A01", "ADT^A40", "ORU^R01", "ADT^A40", "ADT^A08")
    sent = b"".join(frame(message(str(number), kind)) + b"\n" for number, kind in enumerate(kinds))
    say(port, (sent, b"MSA|AA|4"))


@session
def enhanced(port: int) -> None:
    """Messages in enhanced mode, and one in another character set."""
    for number, header in enumerate(("|||AL|NE", "|||NE|AL", "|||AL|AL", "|||ER|ER", "|||SU|NE", "||||||8859/1")):
        say(port, (frame(message(str(number), header=header)), b"MSA|AA"))


USUAL = message("1", more="NTE|1||two\nlines\r")

VARIANTS: tuple[bytes, ...] = (
    frame(USUAL),
    frame(USUAL.removesuffix(b"\r")),
    frame(USUAL.replace(b"\n", b" ").replace(b"\r", b"\n")),
    frame(USUAL.replace(b"|", b"$").replace(b"^", b"%").replace(b"&", b"#")),
    frame(b"MSH|^|REG|||||ADT^A01|7|P|2.3\rPID|1||7||DOE^JOHN\r"),
    frame(b"MSH|^~\\&|||||||ADT|7|P|2.1\rEVN|A40|2024\r"),
    frame(b"MSH|^~\\&|||||||QBP^Q22^QBP_Q21|7|P|2.5\rQPD|IHE|1|@PID.5.1^DOE\rRCP|I\r"),
    frame(b"MSH|^~\\&|||||||ADT^A01||P|2.5\r"),
    frame(b"MSH|^~\\&\r"),
    frame(message("8", header="||||||UNICODE UTF-8").replace(b"DOE", "Müller".encode())),
    frame(message("9", header="||||||8859/1").replace(b"DOE", b"M\xfcller")),
    frame(message("10", header="||||||GB 18030-2000").replace(b"DOE", "王".encode("gb18030"))),
    frame(message("11", more="OBX|1|TX|||" + "line\\.br\\" * 100 + "\r")),
    frame(message("12", more="ZPD|1|\\T\\\\X0D\\\r" * 20)),
    b"\n\0" + frame(message("13")) + b"\r\n",
    frame(message("14").replace(b"JOHN", b"JO\x1cHN\x0b")),
)


@session
def variants(port: int) -> None:
    """One message each: other delimiters, versions, types, character sets, ends of segments, fields."""
    for sent in VARIANTS:
        say(port, (sent, b"\x1c\r"))


@session
def endings(port: int) -> None:
    """Segments that end with line feeds are one segment to this server, which acknowledges nothing then."""
    say(port, (frame(message("1").replace(b"\r", b"\r\n")), b"MSA|AA"))


@session
def by_hand_batch(port: int) -> list[Message]:
    """A batch, and the batch that answers it; this server knows none."""
    from twisted_repeater import Direction

    batch = b"BHS|^~\\&|REG|NORTH|||||||7\r" + message("1") + message("2", "ADT^A40") + b"BTS|2\r"
    answers = b"".join(
        b"MSH|^~\\&|LAB|SOUTH|REG|NORTH|2024||ACK^A01|%s|P|2.5\rMSA|AA|%s\r" % (number, number)
        for number in (b"1", b"2")
    )
    return [(Direction.TO_SERVER, frame(batch)), (Direction.TO_CLIENT, frame(answers))]
