"""The function `fix`, which puts the dialect together."""

from __future__ import annotations

from pathlib import Path

from ..._text import repr_of
from ...framings import FixFraming
from ...model import SameName
from .._dialect import Dialect
from .codec import SessionCodec
from .opening import FixOpening, redacted
from .session_filters import NumberedSessions
from .sessions import sessions_in

__all__ = ["fix"]

MAX_LOGON = 16 * 1024


def fix(
    *,
    store: str | None = None,
    sub_ids: bool = False,
    locations: bool = False,
    max_logon: int = MAX_LOGON,
    max_frame: int | None = None,
) -> Dialect:
    """Return the dialect of FIX 4.0 to 4.4, and of FIX 5.0 and its service packs over FIXT 1.1.

    Filters see the classes of `twisted_repeater.dialects.fix`, in all versions. A client is named after its session:
    ``FIX.4.4:ANN->EXCHANGE``, by BeginString, SenderCompID and TargetCompID of its Logon. A second client of the same
    session is refused, as an engine would do. It is closed without a message, because a Logout would take a number.

    ``link.client_hello`` is the client's `Logon`. ``link.details`` has ``begin_string``, ``version`` (of the
    application: in FIXT the one that DefaultApplVerID stands for), ``sender``, ``target``, ``heartbeat``, ``username``
    (``None`` without one), and ``identity``, an `Identity`.

    Bytes that are not a message end the link, also a message whose BodyLength does not lead to its CheckSum. A message
    with bytes that are not a field, or with a wrong length of data, is answered by a Reject if a filter looks at
    messages of its type; if it is one of the session itself, it ends the link. A message whose CheckSum is wrong is
    dropped if a filter looks at messages of its type, and passed on if none does. It takes no number: engines ignore
    it.

    Filters may drop, change and add messages, and answer them: the numbers of both engines stay right, also when they
    connect again, and with a store when the repeater is started again. Answers and other messages that you send need
    no header. A message of the session (types 0, 1, 2, 4, 5 and A) can only be passed on, or the link closed.

    Args:
        store: the path of a file that keeps the numbers, which is made if there is none. One process may have it at a
            time, and may have several dialects with it. ``None`` keeps the numbers in memory.
        sub_ids: whether SenderSubID and TargetSubID are parts of the session.
        locations: whether SenderLocationID and TargetLocationID are parts of the session.
        max_logon: the longest Logon, in bytes. ``limits.max_hello`` limits it as well.
        max_frame: the longest message, in bytes, unless the repeater's limits say otherwise; ``None`` for 16 MiB.

    Raises:
        TypeError: an argument is of another kind.
        ValueError: ``max_logon`` is not above 0, or the directory of ``store`` does not exist.
    """
    for name, flag in (("sub_ids", sub_ids), ("locations", locations)):
        if type(flag) is not bool:
            raise TypeError(f"{name} must be True or False, not {repr_of(flag)}")
    if type(max_logon) is not int:
        raise TypeError(f"max_logon must be a whole number, not {repr_of(max_logon)}")
    if max_logon <= 0:
        raise ValueError(f"max_logon must be above 0, not {max_logon}")
    if store is not None and not isinstance(store, str):
        raise TypeError(f"store must be the path of a file, not {repr_of(store)}")
    if store == "":
        raise ValueError("store must be the path of a file, not ''")
    if store is not None and not Path(store).parent.is_dir():
        raise ValueError(f"store must be in a directory that exists, not {store!r}")
    codec = SessionCodec()
    return Dialect(
        name="fix",
        framing=lambda limits: FixFraming(int(limits.max_frame)),
        opening=FixOpening(max_logon, sub_ids, locations),
        same_name=SameName.REFUSE,
        redact=redacted,
        max_frame=max_frame,
        filters=NumberedSessions(sessions_in(store)),
        to_server=codec,
        to_client=codec,
    )
