"""The first packets of a connection."""

from __future__ import annotations

import contextlib
import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.postgres.startup import (
    Startup,
    code_of,
    cut_name,
    lowered,
    negotiation,
    read_startup,
    size_of,
    with_parameters,
)
from twisted_repeater.errors import InvalidHello


def startup(minor: int = 0, **parameters: str) -> bytes:
    """Make a startup packet."""
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    return struct.pack("!ii", len(body) + 8, 3 << 16 | minor) + body


class ReadTests(SynchronousTestCase):
    """What a startup packet says."""

    def test_parameters(self) -> None:
        """It says who wants what; the last of two values counts; the database is the user's by default."""
        packet = startup(2, user="ann", application_name="psql", replication="database")
        said = read_startup(packet)
        self.assertEqual((size_of(packet), code_of(packet)), (len(packet), 3 << 16 | 2))
        self.assertEqual(said.version, (3, 2))
        self.assertEqual((said.user, said.database, said.application_name), ("ann", "ann", "psql"))
        self.assertTrue(said.replication)
        self.assertFalse(read_startup(startup(user="ann", replication="OFF")).replication)
        self.assertEqual(Startup((3, 0)).user, "")
        twice = startup(user="ann")[:-1] + b"user\0bob\0database\0d\0\0"
        self.assertEqual((read_startup(twice).user, read_startup(twice).database), ("bob", "d"))

    def test_long_names(self) -> None:
        """Users and databases are those that the server takes them for: it cuts names after 63 bytes."""
        said = read_startup(startup(user="a" * 64, database="é" * 40))
        self.assertEqual((said.user, said.database), ("a" * 63, "é" * 31 + "\udcc3"))
        self.assertEqual(said.parameters["user"], "a" * 64)
        self.assertEqual(read_startup(startup(user="a" * 64)).database, "a" * 63)
        self.assertEqual(cut_name("é"), "é")

    def test_wrong(self) -> None:
        """Pairs must be complete, and a zero byte must end them."""
        for body in (b"", b"user\0ann\0", b"user\0\0", b"user\0ann\0x\0\0", b"\0ann\0\0", b"user\0ann\0\0x"):
            with self.subTest(body=body):
                self.assertRaises(InvalidHello, read_startup, struct.pack("!ii", len(body) + 8, 3 << 16) + body)

    @given(st.binary())
    def test_anything(self, body: bytes) -> None:
        """Whatever comes is a startup packet or an error about one."""
        with contextlib.suppress(InvalidHello):  # the name `suppress` in a module means something to trial
            read_startup(struct.pack("!ii", len(body) + 8, 3 << 16) + body)


class ChangeTests(SynchronousTestCase):
    """Packets that are not forwarded as they came."""

    def test_parameters(self) -> None:
        """A parameter replaces those of its name, in whatever case, and stands last."""
        packet = startup(user="ann", Search_Path="x", database="d")
        self.assertEqual(
            with_parameters(packet, {"search_path": "y"}), startup(user="ann", database="d", search_path="y")
        )

    def test_versions(self) -> None:
        """A version and extensions that are known are asked for untouched; others are lowered, and left out."""
        for packet in (startup(0, user="ann"), startup(2, user="ann")):
            self.assertIs(lowered(packet)[0], packet)
        self.assertEqual(lowered(startup(9999, user="ann")), (startup(2, user="ann"), []))
        asked = startup(0, **{"_pq_.a": "1", "user": "ann"})
        self.assertEqual(lowered(asked), (startup(0, user="ann"), [b"_pq_.a"]))

    def test_negotiation(self) -> None:
        """The client is told what the server and the repeater do not know together."""
        packet = startup(2, user="ann")
        told = negotiation(None, packet, [b"_pq_.a"])
        self.assertEqual(told, b"v\0\0\0\x13\0\3\0\2\0\0\0\1_pq_.a\0")
        server = b"v\0\0\0\x13\0\3\0\0\0\0\0\1_pq_.b\0"
        self.assertEqual(negotiation(server, packet, [b"_pq_.a"]), b"v\0\0\0\x1a\0\3\0\0\0\0\0\2_pq_.a\0_pq_.b\0")
        for wrong in (b"v\0\0\0\x08\0\3\0\0", b"v\0\0\0\x0c\0\3\0\0\0\0\0\1", server + b"x", server + b"\0"):
            self.assertRaises(ValueError, negotiation, wrong, packet, [])
