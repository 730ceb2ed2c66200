"""Tests of the codecs of PostgreSQL's messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.postgres import (
    BackendKeyData,
    Bind,
    Close,
    Column,
    CommandComplete,
    CopyBothResponse,
    CopyData,
    CopyDone,
    CopyFail,
    CopyInResponse,
    CopyOutResponse,
    DataRow,
    Describe,
    EmptyQueryResponse,
    ErrorResponse,
    Execute,
    Flush,
    FunctionCall,
    FunctionCallResponse,
    NoData,
    NoticeResponse,
    NotificationResponse,
    ParameterDescription,
    ParameterStatus,
    Parse,
    ParseComplete,
    PortalSuspended,
    Query,
    Raw,
    ReadyForQuery,
    RowDescription,
    Sync,
    Terminate,
)
from twisted_repeater.dialects.postgres.codec import TO_CLIENT, TO_SERVER
from twisted_repeater.errors import MarshalingError, ParseError
from twisted_repeater.testing import check_codec

REQUESTS = [
    Query("SELECT 'é'"),
    Parse("s", "SELECT $1", (23, 0)),
    Bind("p", "s", (1,), (b"\0\0\0\1", None, b""), (0, 1)),
    Describe("S", "s"),
    Execute("p", 10),
    Close("P", "p"),
    Sync(),
    Flush(),
    FunctionCall(1598, (1,), (b"x", None), 1),
    CopyData(b"1\t2\n"),
    CopyDone(),
    CopyFail("no"),
    Terminate(),
    Raw("p", b"secret\0"),
]

ANSWERS = [
    ErrorResponse.of("no", H="a hint"),
    NoticeResponse({"S": "HINWEIS", "C": "01000", "M": "so"}),
    RowDescription((Column("a", 16384, 1, 23, 4, -1, 0), Column("b", 0, 0, 25, -1, -1, 1))),
    DataRow((b"1", None, b"")),
    CommandComplete("SELECT 1"),
    EmptyQueryResponse(),
    PortalSuspended(),
    ReadyForQuery("I"),
    ParseComplete(),
    NoData(),
    ParameterDescription((23, 25)),
    FunctionCallResponse(b"x"),
    FunctionCallResponse(None),
    ParameterStatus("client_encoding", "UTF8"),
    BackendKeyData(7, b"abcd"),
    NotificationResponse(7, "c", "p"),
    CopyInResponse(0, (0, 0)),
    CopyOutResponse(1, ()),
    CopyBothResponse(0, ()),
    CopyData(b""),
    CopyDone(),
    Raw("R", b"\0\0\0\0"),
]


class CodecTests(SynchronousTestCase):
    """Both directions."""

    def test_conformance(self) -> None:
        """They keep what a repeater relies on."""
        check_codec(TO_SERVER, REQUESTS)
        check_codec(TO_CLIENT, ANSWERS)

    @given(st.binary())
    def test_any_text(self, sql: bytes) -> None:
        """Text in any encoding is written as the bytes that were read."""
        sql = sql.replace(b"\0", b"")
        frame = b"Q" + (len(sql) + 5).to_bytes(4, "big") + sql + b"\0"
        self.assertEqual(TO_SERVER.encode(TO_SERVER.decode(frame)), frame)

    def test_a_wrong_message_closes(self) -> None:
        """The error about a message that cannot be read closes its link."""
        for frame in (
            b"",
            b"Q\0\0\0\x06a",
            b"D\0\0\0\x0a\0\1\xff\xff\xff\xfe",
            b"V\0\0\0\x08\xff\xff\xff\xfe",
            b"z\0\0\0\0",
        ):
            error = self.assertRaises(
                ParseError, TO_CLIENT.decode if frame[:1] in (b"D", b"V") else TO_SERVER.decode, frame
            )
            self.assertTrue(error.ends_link)

    def test_wrong_content(self) -> None:
        """What cannot be written is a marshaling error: a zero byte could end a text early."""
        for codec, message in (
            (TO_SERVER, Query("a\0b")),
            (TO_SERVER, Execute("", 1 << 40)),
            (TO_SERVER, Raw("pp", b"")),
            (TO_SERVER, CopyData("text")),  # type: ignore[arg-type]
            (TO_SERVER, DataRow(())),
            (TO_CLIENT, ErrorResponse({"\0": "x"})),
        ):
            self.assertRaises(MarshalingError, codec.encode, message)

    def test_selectors(self) -> None:
        """Messages are chosen by their first byte; those without a class are all the others."""
        query, raw = TO_SERVER.selector_for((Query,)), TO_SERVER.selector_for((Raw,))
        assert query is not None
        assert raw is not None
        for message in REQUESTS:
            frame = TO_SERVER.encode(message)
            self.assertEqual(query.matches(frame, 0, len(frame)), type(message) is Query)
            self.assertEqual(raw.matches(frame, 0, len(frame)), type(message) is Raw)
