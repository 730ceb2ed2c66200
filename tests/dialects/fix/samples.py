"""What the tests of FIX share: messages that are written by hand, and the simplest way to read them."""

from __future__ import annotations

from itertools import chain

from hypothesis import strategies as st

__all__ = ["DATA", "FIELDS", "LOGON", "ORDER", "fields_in", "frame"]

DATA: dict[int, int] = {95: 96, 212: 213, 354: 355, 90: 91, 93: 89}
"""Some fields with the length of the next."""


def frame(body: str | bytes, begin: str = "FIX.4.4", length: str | None = None, check: str | None = None) -> bytes:
    """Return a message with this body, in which ``|`` stands for SOH, and with a right BodyLength and CheckSum."""
    middle = body.replace("|", "\1").encode("latin-1") if isinstance(body, str) else body
    head = f"8={begin}\0019={len(middle) if length is None else length}\1".encode()
    whole = head + middle
    return whole + f"10={sum(whole) % 256:03d}\1".encode() if check is None else whole + f"10={check}\1".encode()


def fields_in(data: bytes) -> list[tuple[int, bytes]]:
    """Read fields without any care for speed or errors."""
    found: list[tuple[int, bytes]] = []
    while data:
        tag, _, rest = data.partition(b"=")
        size = rest.index(b"\1")
        if found and DATA.get(found[-1][0]) == int(tag):
            size = int(found[-1][1])
        found.append((int(tag), rest[:size]))
        data = rest[size + 1 :]
    return found


LOGON: bytes = frame("35=A|49=ANN|56=EXCHANGE|34=1|52=20260102-03:04:05.678|98=0|108=30|")
ORDER: bytes = frame(
    "35=D|49=ANN|56=EXCHANGE|34=2|52=20260102-03:04:06.000|11=A1|55=MSFT|54=1|38=100|40=2|44=12.50|58=caf\xe9|"
)

VALUES = st.binary(max_size=9).map(lambda value: value.replace(b"\1", b"="))
PLAIN = st.tuples(st.integers(11, 9999).filter(lambda tag: tag not in DATA and tag != 35), VALUES).map(
    lambda own: [own]
)
COUNTED = st.tuples(st.sampled_from(sorted(DATA)), st.binary(max_size=20)).map(
    lambda own: [(own[0], b"%d" % len(own[1])), (DATA[own[0]], own[1])]
)
FIELDS = st.lists(PLAIN | COUNTED | st.just([(58, b"10=000")]), max_size=9).map(lambda some: list(chain(*some)))
"""Fields of a body, some of them with data in which anything may stand."""
