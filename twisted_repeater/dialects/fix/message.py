"""A message of FIX: ordered fields, read from its bytes when somebody asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, TypeVar

from ...errors import MarshalingError, ParseError
from .scan import Scanned, written
from .tags import HEADER, LENGTH_FIELDS, SECRETS
from .values import Fields, Flag, Text, Value, check_tag, encoded, encoded_fields

__all__ = ["Message"]

M = TypeVar("M", bound="Message")

COMPUTED = (8, 9, 10, 35)
"""The fields that `Message.changed` leaves alone: the session, or the class of the message, says them."""


class Message(Scanned):
    """A message of any type. The common types have classes of their own.

    Make one of its type and the fields of its body, ``Message("B", {148: "Closing early"})``. The repeater adds what
    belongs to the session: BeginString, BodyLength, the names of both parties, number, time, CheckSum.

    Fields keep their order, and may occur several times. Values are bytes. `text` reads one as Latin-1, which loses
    nothing; decode `get` if your counterparty uses another encoding.

    Args:
        msg_type: MsgType, field 35.
        fields: the other fields: tags and values. A ``str`` is written in Latin-1, a ``bool`` as ``Y`` or ``N``, a
            ``datetime``, which must have a time zone, in UTC. Data gets its field of length.

    Raises:
        TypeError: a tag or value is of another kind.
        ValueError: a value cannot be written, or a field is one that the repeater writes.
    """

    __slots__ = ()

    TYPE: ClassVar[str | None] = None
    """The MsgType of messages of this class; ``None`` if any."""

    sender: Text = Text(49)
    """SenderCompID."""
    target: Text = Text(56)
    """TargetCompID."""
    possible_duplicate: Flag = Flag(43)
    """PossDupFlag: it may have been sent before with the same number."""
    sending_time: Text = Text(52)
    """SendingTime."""

    def __init__(self, msg_type: str, fields: Fields = ()) -> None:
        given = encoded_fields(fields)
        for tag, _ in given:
            if tag in COMPUTED:
                raise ValueError(f"field {tag} must not be given: the repeater writes it")
        self.read(written([(35, encoded(35, msg_type)), *given]))

    @property
    def type(self) -> str:
        """MsgType, field 35."""
        kind = self.text(35)
        assert kind is not None
        return kind

    @property
    def sequence_number(self) -> int:
        """MsgSeqNum, field 34.

        Raises:
            ParseError: there is none, or it is no number.
        """
        number = self.whole(34)
        if number is None:
            raise ParseError("MsgSeqNum is missing", field="34", ends_link=True)
        return number

    @property
    def is_whole(self) -> bool:
        """Whether it has a header and a trailer, as a message that came in has."""
        return self.data.startswith(b"8=")

    @property
    def frame(self) -> bytes:
        """All bytes of a message with a header and a trailer.

        Raises:
            MarshalingError: it was made here, and has no header yet.
        """
        if not self.data.startswith(b"8="):
            raise MarshalingError(f"a message of type {self.type} has no header yet")
        return self.data

    def __getitem__(self, tag: int) -> bytes:
        value = self.get(tag)
        if value is None:
            raise KeyError(tag)
        return value

    def __contains__(self, tag: int) -> bool:
        return self.get(tag) is not None

    def changed(self: M, changes: Mapping[int, Value | None]) -> M:
        """Return a message in which some fields are different, and all others are the same bytes.

        A new field of the header goes behind the last field of the header, any other before the trailer. The length of
        data is changed with it. BodyLength and CheckSum are computed.

        Args:
            changes: tags and values; ``None`` takes the field out. Of a field that occurs several times the first is
                changed.

        Raises:
            TypeError: a tag or value is of another kind.
            ValueError: a value cannot be written, or the field is 8, 9, 10 or 35.
        """
        ready: dict[int, bytes | None] = {}
        for tag, value in changes.items():
            check_tag(tag)
            if tag in COMPUTED:
                raise ValueError(f"field {tag} must not be changed")
            ready[tag] = None if value is None else encoded(tag, value)
        return self._of(self.edited(ready))

    def with_header(self: M, begin_string: str, header: Fields) -> M:
        """Return the message as it is sent: with a header and a trailer.

        Args:
            begin_string: BeginString, such as ``FIX.4.4``.
            header: the other fields of the header, in order. Fields of the header that the message has already, such
                as 97, follow them, unless one of these has the same tag.

        Raises:
            TypeError: a tag or value is of another kind.
            ValueError: a value cannot be written.
        """
        first = encoded_fields(header)
        given = {tag for tag, _ in first}
        own = [field for field in self.fields if field[0] not in COMPUTED and field[0] not in given]
        begin = [(8, encoded(8, begin_string)), (35, self[35]), *first]
        middle = [field for field in own if field[0] in HEADER]
        return self._of(written([*begin, *middle, *(field for field in own if field[0] not in HEADER)]))

    def _of(self: M, data: bytes) -> M:
        """Return a message of the same class with other bytes."""
        made = self.__class__.__new__(self.__class__)
        made.read(data)
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return self.data == other.data

    def __hash__(self) -> int:
        return hash(self.data)

    @property
    def redacted(self) -> Message:
        """The message with stars in place of passwords, as it is logged; the message itself if it has none."""
        secrets = (*SECRETS, 96) if self.type == "A" else SECRETS  # the RawData of a Logon may be one
        if not any(tag in self for tag in secrets):
            return self
        hidden = dict.fromkeys(secrets, b"***") | {LENGTH_FIELDS[tag]: b"3" for tag in secrets if tag in LENGTH_FIELDS}
        return self._of(written([(tag, hidden.get(tag, value)) for tag, value in self.fields]))

    def __repr__(self) -> str:
        shown = self.redacted.data.rstrip(b"\1").replace(b"\1", b"|").decode("latin-1")
        return f"{type(self).__name__}({shown!r})"
