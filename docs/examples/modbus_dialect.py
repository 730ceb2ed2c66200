r"""Modbus/TCP: holding registers that nobody can write through the repeater.

    twistd -n repeater --dialect modbus_dialect:modbus --to-server-filter modbus_dialect:read_only \
        --listen tcp:1502:interface=127.0.0.1 --server tcp:192.168.0.10:502

A request is a number of two bytes, two bytes of zero, the length of the rest, the device, a function and its data. The
answer has the number of its request. The messages of this dialect have all of these bytes, because filters need them.
"""

from twisted_repeater import PASS_ON, BadLength, Close, Dialect, Link, SameName, SendBack, Verdict
from twisted_repeater.framings import LengthFraming

PROTECTED = range(100, 200)
"""The registers that are only for reading."""
WRITES = {6: (8, False), 16: (8, True), 22: (8, False), 23: (12, True)}
"""The functions that write registers: where a request names the first one, and whether their number follows."""
ILLEGAL_ADDRESS = 2


def modbus() -> Dialect:
    """Return the dialect."""
    return Dialect(
        name="modbus",
        framing=lambda limits: LengthFraming(limits.max_frame, at=4, size=2, whole=True),
        same_name=SameName.SHARE,  # several clients may come from one address
        max_frame=260,
    )


def read_only(request: bytes, link: Link) -> Verdict:
    """Answer a request that would write a protected register."""
    if len(request) < 8 or request[2:4] != b"\0\0":
        return Close(BadLength(f"expected a request of Modbus, not {request.hex(' ')}"))
    if not writes_protected(request):
        return PASS_ON
    # The client knows the request by its number, so this answer need not wait for the answers to earlier requests.
    return SendBack([request[:4] + b"\0\3" + request[6:7] + bytes([request[7] | 0x80, ILLEGAL_ADDRESS])])


def writes_protected(request: bytes) -> bool:
    """Return whether a request writes a register that is only for reading."""
    if request[7] not in WRITES:
        return False
    at, several = WRITES[request[7]]
    first = int.from_bytes(request[at : at + 2], "big")
    number = int.from_bytes(request[at + 2 : at + 4], "big") if several else 1
    return first < PROTECTED.stop and first + number > PROTECTED.start
